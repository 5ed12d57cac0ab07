"""The values that travel: what they refuse, how they are cut, that they cannot be written to."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, replace
from typing import Any

import numpy as np
import pytest

from facelign.errors import BadArray, ModelMismatch, SpaceMismatch
from facelign.quality.measure import FaceQuality
from facelign.types.arrays import check, checked
from facelign.types.chips import Chips
from facelign.types.decisions import Decision, Threshold
from facelign.types.embeddings import Embeddings, Metric, Space, same_space
from facelign.types.faces import Box, Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE, IBUG_68, REDUCTIONS, SCHEMES, Scheme

SPACE = Space("m/l/five", 3, Metric.COSINE, unit=True)


def some_faces(n: int = 4) -> Faces:
    low = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    points = np.arange(10 * n, dtype=np.float32).reshape(n, 5, 2)
    return Faces(
        np.concatenate([low, low + 10], axis=1),
        np.linspace(0.1, 0.9, n, dtype=np.float32),
        Landmarks(points, FIVE),
        "by hand",
        (100, 80),
        pose=np.zeros((n, 3), np.float32),
        track_ids=np.arange(n),
    )


# -- arrays ----------------------------------------------------------------------------------------


def test_checked_states_wanted_and_got() -> None:
    with pytest.raises(BadArray, match=r"boxes: wanted shape \(n, 4\), got \(2, 3\)"):
        checked("boxes", np.zeros((2, 3)), np.float32, (None, 4))
    with pytest.raises(BadArray, match="NaN"):
        checked("x", [np.nan], np.float32, (None,))
    with pytest.raises(BadArray, match="numbers"):
        checked("x", ["a"], np.float32, (None,))
    assert isinstance(BadArray("x"), ValueError)


def test_checked_gives_a_view_and_leaves_the_callers_array_alone() -> None:
    mine = np.zeros((2, 4), np.float32)
    view = checked("x", mine, np.float32, (None, 4))
    assert np.shares_memory(view, mine)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    mine[0, 0] = 1
    assert checked("x", [], np.float32, (None, 5, 2)).shape == (0, 5, 2)
    assert checked("x", [[1, 2]], np.float64, (1, 2)).dtype == np.float64


# -- faces -----------------------------------------------------------------------------------------


def test_faces_are_cut_by_slice_mask_and_indices() -> None:
    faces = some_faces()
    mask = np.array([True, False, True, False])
    for part, kept in (
        (faces[1:3], [1, 2]),
        (faces[mask], [0, 2]),
        (faces[[3, 0, 3]], [3, 0, 3]),
        (faces[np.array([], np.int64)], []),
        (faces[[]], []),
    ):
        assert isinstance(part, Faces)
        assert part.track_ids is not None
        assert part.track_ids.tolist() == kept
        assert (part.boxes == faces.boxes[kept]).all()
        assert part.landmarks is not None
        assert part.landmarks.points.shape == (len(kept), 5, 2)
        assert part.pose is not None
        assert part.pose.shape == (len(kept), 3)


def test_one_face_or_an_index_error() -> None:
    faces = some_faces()
    assert faces[-1].index == 3
    assert faces[np.int64(2)].score == pytest.approx(faces.scores[2])
    points = faces[1].points
    assert points is not None
    assert points.tolist() == faces.landmarks.points[1].tolist()  # type: ignore[union-attr]
    assert [face.index for face in faces] == [0, 1, 2, 3]
    for index in (4, -5):
        with pytest.raises(IndexError, match="of 4"):
            faces[index]
    with pytest.raises(IndexError):
        Faces.none("d", (10, 10))[0]


def test_no_faces_keep_their_shapes() -> None:
    none = Faces.none("d", (10, 10))
    assert (len(none), none.boxes.shape, none.scores.shape) == (0, (0, 4), (0,))
    assert none.heights.shape == (0,)
    assert len(none.sorted()) == 0
    assert len(some_faces(0)[np.zeros(0, bool)]) == 0


def test_faces_sort_by_falling_score_and_ties_stay() -> None:
    faces = replace(some_faces(), scores=np.array([0.5, 0.9, 0.5, 0.7], np.float32))
    order = faces.sorted()
    assert order.track_ids is not None
    assert order.track_ids.tolist() == [1, 3, 0, 2]
    assert order.heights.tolist() == [10] * 4


def test_faces_that_cannot_be() -> None:
    faces = some_faces()
    for change in (
        {"boxes": faces.boxes[:, [2, 1, 0, 3]]},
        {"boxes": np.full((4, 4), np.nan)},
        {"scores": np.ones(3)},
        {"landmarks": faces.landmarks[:2]},  # type: ignore[index]
        {"pose": np.zeros((4, 2))},
        {"track_ids": np.zeros(2)},
    ):
        with pytest.raises(BadArray):
            replace(faces, **change)  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        faces.detector = "other"  # type: ignore[misc]


def test_box_measures() -> None:
    box = Box(10, 20, 40, 60)
    assert (box.width, box.height, box.area, box.center) == (30, 40, 1200, (25, 40))


# -- landmarks and schemes -------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda s: s.id)
def test_mirror_twice_is_the_identity_and_swaps_sides(scheme: Scheme) -> None:
    mirror = np.array(scheme.mirror)
    assert mirror[mirror].tolist() == list(range(scheme.k))
    for name, indices in scheme.groups.items():
        other = name.replace("right", "LEFT").replace("left", "right").replace("LEFT", "left")
        assert sorted(mirror[list(indices)]) == sorted(scheme.groups[other]), name


def test_a_scheme_that_cannot_be() -> None:
    with pytest.raises(BadArray, match="permutation"):
        Scheme("x", 3, {}, (0, 0, 1))
    with pytest.raises(BadArray, match="identity"):
        Scheme("x", 3, {}, (1, 2, 0))


def test_68_points_become_five_and_others_do_not() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (2, 68, 2)).astype(np.float32)
    five = Landmarks(points, IBUG_68).as_scheme("five")
    assert five.scheme is FIVE
    assert np.allclose(five.points[:, 0], points[:, 36:42].mean(axis=1))
    assert np.allclose(five.points[:, 2:], points[:, [30, 48, 54]])
    dlib = Landmarks(np.zeros((1, 5, 2), np.float32), DLIB_5)
    assert dlib.as_scheme("dlib-5") is dlib
    for target in ("five", "ibug-68"):
        with pytest.raises(ModelMismatch, match="cannot"):
            dlib.as_scheme(target)
    assert Landmarks(points[:0], IBUG_68).as_scheme("five").points.shape == (0, 5, 2)


def test_reducing_and_mirroring_may_be_exchanged() -> None:
    points = np.random.default_rng(1).uniform(0, 100, (3, 68, 2)).astype(np.float32)
    mirrored = points[:, list(IBUG_68.mirror)] * np.float32([-1, 1])
    five = Landmarks(points, IBUG_68).as_scheme("five").points
    assert np.allclose(
        Landmarks(mirrored, IBUG_68).as_scheme("five").points,
        five[:, list(FIVE.mirror)] * [-1, 1],
        atol=1e-4,
    )


def test_landmarks_are_checked_and_cut() -> None:
    with pytest.raises(BadArray, match="5, 2"):
        Landmarks(np.zeros((1, 4, 2)), FIVE)
    with pytest.raises(BadArray):
        Landmarks(np.zeros((2, 5, 2)), FIVE, visibility=np.zeros((1, 5)))
    both = Landmarks(
        np.zeros((2, 5, 2)), FIVE, visibility=np.ones((2, 5)), depth=np.full((2, 5), 3.0)
    )
    part = both[np.array([False, True])]
    assert part.visibility is not None
    assert part.depth is not None
    assert (part.visibility.shape, part.depth.shape) == ((1, 5), (1, 5))
    assert (both[1].points.shape, both[-2].depth.shape) == ((1, 5, 2), (1, 5))  # type: ignore[union-attr]
    with pytest.raises(IndexError, match="face 2 of 2"):
        both[2]


def test_reductions_take_points_of_the_richer_scheme() -> None:
    for (source, target), groups in REDUCTIONS.items():
        assert len(groups) == SCHEMES[target].k
        assert all(0 <= index < SCHEMES[source].k for group in groups for index in group)
        # a reduction and a mirror may be exchanged
        mirror, to = SCHEMES[source].mirror, SCHEMES[target].mirror
        assert [sorted(mirror[i] for i in g) for g in groups] == [sorted(groups[i]) for i in to]


# -- image -----------------------------------------------------------------------------------------


def test_the_caller_says_the_order_of_colors() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[..., 0] = 200
    assert Image.from_array(pixels, "rgb").pixels[0, 0].tolist() == [200, 0, 0]
    assert Image.from_array(pixels, "bgr").pixels[0, 0].tolist() == [0, 0, 200]
    assert Image.from_array(pixels[..., 0], "gray").pixels[0, 0].tolist() == [200] * 3
    assert Image.from_array(pixels, "rgb").size == (3, 2)
    for array, order in ((pixels[..., 0], "rgb"), (pixels[..., :2], "bgr"), (pixels, "hsv")):
        with pytest.raises(BadArray):
            Image.from_array(array, order)  # type: ignore[arg-type]
    with pytest.raises(BadArray, match="uint8"):
        Image.from_array(pixels / 255.0, "rgb")
    with pytest.raises(BadArray, match="empty"):
        Image.from_array(pixels[:0], "rgb")


def test_an_image_is_its_own_copy_and_has_a_digest() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    image = Image.from_array(pixels, "rgb")
    same = Image.from_array(pixels, "rgb")
    pixels[0, 0, 0] = 9
    assert image.pixels.max() == 0
    assert image.digest == same.digest != Image.from_array(pixels, "rgb").digest
    assert image.digest != Image.from_array(np.zeros((3, 2, 3), np.uint8), "rgb").digest
    assert not image.pixels.flags.writeable


def test_turning_is_exact_and_remembered(portrait: Image) -> None:
    part = Image.from_array(portrait.pixels[:100, :60], "rgb")
    quarter = part.turned(90)
    assert (quarter.size, quarter.turned_deg) == ((100, 60), 90)
    # clockwise: what was at the bottom left is at the top left
    assert (quarter.pixels[0, 0] == part.pixels[-1, 0]).all()
    assert (quarter.turned(270).pixels == part.pixels).all()
    assert quarter.turned(270).turned_deg == 0
    assert (part.turned(180).pixels == part.pixels[::-1, ::-1]).all()
    assert part.turned(0) is part
    with pytest.raises(BadArray):
        part.turned(45)  # type: ignore[arg-type]


def test_a_reduced_image_knows_the_whole(portrait: Image) -> None:
    half = Image(portrait.pixels[::2, ::2], portrait.size, 0.5, reload=lambda: portrait)
    assert half.full() is portrait
    assert (half.width, half.height) == (512, 512)
    assert portrait.full() is portrait
    turned = half.turned(90)
    assert turned.pixels.shape == (256, 256, 3)
    assert (turned.full().pixels == portrait.turned(90).pixels).all()
    assert turned.full().turned_deg == 90


# -- chips, spaces, embeddings ---------------------------------------------------------------------


def test_chips_join_and_refuse_to_mix() -> None:
    chip = Chips(np.zeros((2, 4, 4, 3), np.uint8), "l", np.zeros((2, 2, 3)))
    assert len(Chips.joined([chip, chip[0], chip[:0]])) == 3
    assert chip[1].pixels.shape == (1, 4, 4, 3)
    for other in (
        replace(chip, layout="k"),
        replace(chip, points_scheme="box"),
        Chips(np.zeros((2, 5, 4, 3), np.uint8), "l", np.zeros((2, 2, 3))),
    ):
        with pytest.raises(BadArray, match="one layout"):
            Chips.joined([chip, other])
    with pytest.raises(BadArray, match="nothing"):
        Chips.joined([])
    with pytest.raises(BadArray):
        Chips(np.zeros((2, 4, 4, 3), np.uint8), "l", np.zeros((1, 2, 3)))


def test_spaces_are_spelled_in_one_way() -> None:
    def named(**changes: object) -> str:
        given: dict[str, object] = {
            "dim": 3,
            "metric": Metric.COSINE,
            "unit": True,
            "native_unit": True,
        }
        return Space.named("m", "l", "five", **{**given, **changes}).id  # type: ignore[arg-type]

    assert named() == "m/l/five"
    assert named(flip=True) == "m/l/five/flip"
    assert named(preprocessing="gamma=2", flip=True) == "m/l/five/gamma=2/flip"
    assert named(native_unit=False) == "m/l/five/unit"
    assert named(unit=False) == "m/l/five/raw"
    assert named(unit=False, native_unit=False) == "m/l/five"


def test_vectors_of_two_spaces_do_not_mix() -> None:
    here = Embeddings(np.eye(3)[:2], SPACE, np.ones(2))
    other = replace(SPACE, id="n/l/five")
    there = Embeddings(np.eye(3)[:2], other, np.ones(2))
    assert len(Embeddings.joined([here, here[1], Embeddings.none(SPACE)])) == 3
    with pytest.raises(SpaceMismatch, match="n/l/five"):
        Embeddings.joined([here, there])
    with pytest.raises(SpaceMismatch, match="gallery 'office'"):
        same_space(SPACE.id, other.id, "gallery 'office'")
    same_space(SPACE.id, SPACE.id)
    with pytest.raises(BadArray, match="nothing"):
        Embeddings.joined([])


def test_embeddings_are_checked_and_cut() -> None:
    four = Embeddings(np.arange(12.0).reshape(4, 3), SPACE, np.arange(4.0))
    assert four[2].norms.tolist() == [2]
    assert four[[3, 1]].norms.tolist() == [3, 1]
    assert four[np.array([True, False, False, True])].norms.tolist() == [0, 3]
    assert Embeddings.none(SPACE).vectors.shape == (0, 3)
    for vectors, norms in ((np.zeros((2, 4)), np.zeros(2)), (np.zeros((2, 3)), np.zeros(3))):
        with pytest.raises(BadArray):
            Embeddings(vectors, SPACE, norms)
    with pytest.raises(BadArray, match="NaN"):
        Embeddings(np.full((1, 3), np.nan), SPACE, np.ones(1))
    assert not four.vectors.flags.writeable


def test_one_rule_cuts_every_set() -> None:
    numbers = np.arange(4, dtype=np.float32)
    chips = Chips(
        np.zeros((4, 4, 4, 3), np.uint8), "l", numbers[:, None, None] * np.ones((4, 2, 3))
    )
    sets = {
        "vectors": (Embeddings(np.zeros((4, 3)), SPACE, numbers), lambda s: s.norms),
        "chips": (chips, lambda s: s.to_chip[:, 0, 0]),
        "landmarks": (
            Landmarks(numbers[:, None, None] * np.ones((4, 5, 2)), FIVE),
            lambda s: s.points[:, 0, 0],
        ),
        "quality": (FaceQuality(*([numbers] * 7)), lambda s: s.sharpness),
    }
    for name, (whole, told) in sets.items():
        for index, kept in (
            (0, [0]),
            (-1, [3]),
            (np.int64(2), [2]),
            (slice(1, 3), [1, 2]),
            (slice(2, 99), [2, 3]),
            ([3, 0, 3], [3, 0, 3]),
            ([], []),
            (np.array([True, False, False, True]), [0, 3]),
            (np.zeros(4, bool), []),
        ):
            part = whole[index]  # type: ignore[index]
            assert type(part) is type(whole), name
            assert told(part).tolist() == kept, (name, index)
        for index in (4, -5, 99, np.int64(-5), [0, 4], np.ones(3, bool)):
            with pytest.raises(IndexError):
                whole[index]  # type: ignore[index]
        assert [told(part).tolist() for part in whole] == [[0], [1], [2], [3]], "a walk ends"
    with pytest.raises(IndexError, match="chip 0 of 0"):
        chips[:0][0]


def test_a_decision_has_no_truth_value() -> None:
    threshold = Threshold(0.3, 1e-3, "test")
    decision = Decision(0.5, 0.5, "cosine", threshold, True, SPACE)
    with pytest.raises(TypeError, match="is_match"):
        bool(decision)


@dataclass(frozen=True)
class Series:
    at: Any
    value: Any
    low: Any = None

    def __post_init__(self) -> None:
        check(self, np.float32, at=("n", 2), value=("n",), low=("n",))


def test_arrays_of_a_record_share_the_lengths_that_have_one_name() -> None:
    given = np.zeros((3, 2))
    series = Series(given, [1, 2, 3])
    assert series.at.dtype == series.value.dtype == np.float32
    assert series.low is None, "what is not there is not made"
    with pytest.raises(ValueError, match="read-only"):
        series.value[0] = 5
    assert given.flags.writeable
    assert len(Series([], []).at) == 0
    for wrong, message in (
        ((given, [1, 2]), r"value: wanted shape \(3\), got \(2,\)"),
        ((given[:, :1], [1, 2, 3]), r"at: wanted shape \(n, 2\), got \(3, 1\)"),
        ((given, [1, 2, 3], [1]), r"low: wanted shape \(3\)"),
        ((given, [1, 2, np.nan]), "value: holds NaN or infinity"),
        ((given, ["a", "b", "c"]), "value: wanted numbers"),
    ):
        with pytest.raises(BadArray, match=message):
            Series(*wrong)
