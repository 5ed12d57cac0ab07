"""Faces -> chips -> vectors: what is dropped, joined and split again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.embed.joint import Joint
from facelign.errors import InputError, ModelMismatch
from facelign.models import default
from facelign.recognition.embedding import WHOLE, cut, embed, whole
from facelign.types.analysis import Analysis
from facelign.types.chips import Chips
from facelign.types.image import Image

from .conftest import Means, faces_of

NAN = (float("nan"), float("nan"))
ARCFACE, CROP = default().layout("arcface-112"), default().layout("crop")


def test_a_face_that_no_chip_fits_is_dropped_from_every_layout(portrait: Image) -> None:
    found = Analysis.of(portrait, faces_of((0, 0), NAN, (5, 5)))
    aligned = cut(found, (ARCFACE, CROP, ARCFACE))
    assert list(aligned.embedded) == [0, 2]
    ((face, reason),) = aligned.dropped
    assert face == 1
    assert aligned.reason_of(1) == reason != ""
    assert [chips.layout for chips in aligned.chips] == ["arcface-112", "crop"]
    assert [len(chips) for chips in aligned.chips] == [2, 2]
    assert (aligned.place_of(2), aligned.place_of(1)) == (1, None)
    # each chip is that of its face alone
    alone = cut(Analysis.of(portrait, faces_of((5, 5))), (ARCFACE,))
    np.testing.assert_array_equal(aligned.chips[0].pixels[1], alone.chips[0].pixels[0])


def test_chips_are_cut_from_what_the_models_saw(portrait: Image) -> None:
    dark = Image.from_array(portrait.pixels // 4, "rgb")
    aligned = cut(Analysis.of(portrait, faces_of((0, 0)), dark), (ARCFACE,))
    assert aligned.chips[0].pixels.max() < 64


def test_without_pixels_nothing_can_be_cut(portrait: Image) -> None:
    found = Analysis.of(portrait, faces_of((0, 0))).without_pixels()
    assert found.image is None
    with pytest.raises(InputError, match="not kept"):
        cut(found, (ARCFACE,))


@settings(deadline=None, max_examples=15)
@given(counts=st.lists(st.integers(0, 3), max_size=5))
def test_vectors_go_back_to_their_photos(portrait: Image, counts: list[int]) -> None:
    embedder = Means("arcface-112")
    photos = [
        cut(Analysis.of(portrait, faces_of(*[(10 * i, 7 * n) for i in range(n)])), (ARCFACE,))
        for n in counts
    ]
    together = embed(embedder, photos)
    assert [len(p.embeddings) for p in together if p.embeddings is not None] == counts
    assert embedder.batches == ([sum(counts)] if sum(counts) else []), "one batch, if any"
    for photo, result in zip(photos, together, strict=True):
        (alone,) = embed(embedder, [photo])
        assert result.embeddings is not None
        assert alone.embeddings is not None
        np.testing.assert_array_equal(alone.embeddings.vectors, result.embeddings.vectors)


def test_a_joint_is_an_embedder_like_any_other(portrait: Image) -> None:
    joint = Joint([Means("arcface-112"), Means("crop")], [1, 3])
    assert joint.layouts == ("arcface-112", "crop")
    assert [space.id for space in joint.parts] == ["means/arcface-112/five", "means/crop/five"]
    (one,) = embed(joint, [cut(Analysis.of(portrait, faces_of((0, 0))), (CROP, ARCFACE))])
    assert one.embeddings is not None
    assert one.embeddings.vectors.shape == (1, 6)
    with pytest.raises(ModelMismatch, match="crop"):
        embed(joint, [cut(Analysis.of(portrait, faces_of((0, 0))), (ARCFACE,))])


def test_chips_that_one_has_need_no_map(portrait: Image) -> None:
    embedder = Means("study")
    pixels = np.stack([portrait.pixels[:50, :50], portrait.pixels[50:100, :50]])
    chips = Chips(pixels, "study")
    assert chips.to_chip is None
    assert Chips.joined([chips, chips[:1]]).to_chip is None
    np.testing.assert_allclose(embedder.embed(chips).vectors, pixels.mean(axis=(1, 2)), rtol=1e-5)
    with pytest.raises(ModelMismatch):
        embedder.embed(Chips(pixels, "arcface-112"))


def test_a_whole_photo_is_one_chip_a_layout(portrait: Image) -> None:
    taken = whole(portrait, (ARCFACE, CROP, ARCFACE), ("five", "box", "five"))
    assert taken.faces.detector == WHOLE
    assert list(taken.embedded) == [0]
    assert [(c.layout, c.points_scheme) for c in taken.chips] == [
        ("arcface-112", "five"),
        ("crop", "box"),
    ]
    box = taken.faces.boxes[0]
    assert box.tolist() == [-0.5, -0.5, 511.5, 511.5]
    matrix = taken.chips[0].to_chip
    assert matrix is not None
    # the edges of the photo are the edges of the chip
    corners = matrix[0][:, :2] @ box.reshape(2, 2).T + matrix[0][:, 2:]
    np.testing.assert_allclose(corners.T, [[-0.5, -0.5], [111.5, 111.5]], atol=1e-9)
    small = Image.from_array(portrait.pixels[:112, :112], "rgb")
    same = whole(small, (ARCFACE,), ("five",)).chips[0].pixels[0]
    np.testing.assert_array_equal(same, small.pixels)
