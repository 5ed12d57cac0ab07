"""The descriptor: dlib's own vectors from dlib's own chips."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.align.dlib_chip import extract
from facelign.embed.batch import EmbedderOptions
from facelign.embed.models.dlib_resnet import SPECS, DlibResnet
from facelign.errors import ModelMismatch
from facelign.runtime.onnx import OnnxOptions
from facelign.types.chips import Chips


@pytest.fixture(scope="module")
def make(files):
    def build(**options: object) -> DlibResnet:
        chosen = EmbedderOptions(**{"points": "dlib-5", **options})
        return DlibResnet(SPECS[0], files.ready["dlib-resnet"], chosen, OnnxOptions())

    return build


@pytest.fixture(scope="module")
def cut(referee, photos) -> tuple[Chips, list]:
    """Chips of every photo, and (photo, dlib's points) of each."""
    pixels, matrices, origins = [], [], []
    for image in photos:
        for rectangle in list(referee.hog(image.pixels, 1))[:1]:
            shape, points = referee.points(image.pixels, rectangle, "dlib-5")
            chip, matrix = extract(image.pixels, points, "dlib-5")
            pixels.append(chip)
            matrices.append(matrix)
            origins.append((image, shape))
    return Chips(np.stack(pixels), "dlib-150", np.stack(matrices), "dlib-5"), origins


@pytest.mark.weights
@pytest.mark.shared
def test_vectors_are_those_of_dlib(make, referee, cut) -> None:
    chips, origins = cut
    found = make().embed(chips)
    assert found.space.id == "dlib-resnet/dlib-150/dlib-5"
    assert not found.space.unit
    for vector, (image, shape) in zip(found.vectors, origins, strict=True):
        wanted = np.array(referee.resnet.compute_face_descriptor(image.pixels, shape))
        assert np.abs(vector - wanted).max() <= 1e-5
    assert 1.2 < found.norms.min() <= found.norms.max() < 1.6


@pytest.mark.weights
@pytest.mark.shared
def test_flip_averages_raw_vectors_and_unit_comes_last(make, cut) -> None:
    chips, _ = cut
    mirrored = Chips(
        np.ascontiguousarray(chips.pixels[:, :, ::-1]), "dlib-150", chips.to_chip, "dlib-5"
    )
    straight = make().embed(chips).vectors
    mean = (straight + make().embed(mirrored).vectors) / 2
    both = make(flip=True).embed(chips)
    np.testing.assert_allclose(both.vectors, mean, atol=1e-6)
    unit = make(flip=True, unit=True).embed(chips)
    assert unit.space.id == "dlib-resnet/dlib-150/dlib-5/flip/unit"
    np.testing.assert_allclose(np.linalg.norm(unit.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(unit.vectors * unit.norms[:, None], mean, atol=1e-6)


@pytest.mark.weights
@pytest.mark.shared
def test_batch_equals_singles(make, cut) -> None:
    chips, _ = cut
    whole = make(batch=32).embed(chips).vectors
    for batch in (1, 5):
        np.testing.assert_allclose(make(batch=batch).embed(chips).vectors, whole, atol=1e-6)


@pytest.mark.weights
def test_chips_placed_by_other_points_are_refused(make) -> None:
    chips = Chips(np.zeros((1, 150, 150, 3), np.uint8), "dlib-150", np.zeros((1, 2, 3)), "five")
    with pytest.raises(ModelMismatch):
        make().embed(chips)
