"""The laws of layouts, for every one that is registered. No weights: geometry on the portrait."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelign.align.chips import chips
from facelign.errors import DegenerateLandmarks, FacelignError
from facelign.geometry.transforms import apply, compose, scaling, similarity
from facelign.models.catalog import default
from facelign.types.contracts import Layout
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import BLAZE_6, DLIB_5, FIVE, IBUG_68, SCHEMES, Scheme


def scale_of(matrix: np.ndarray) -> float:
    """The length factor of a map: the root of its area factor."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


LAYOUTS = default().layouts()
BY_POINTS = [name for name in LAYOUTS if "box" not in default().layout(name).needs]

#: YuNet's five points and box of the portrait
PORTRAIT_FIVE = np.array(
    [[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]]
)
PORTRAIT_BOX = np.array([178.0, 62.6, 268.4, 176.4])

#: OpenFace's mean shape of the 68 points, for tests that need all of them
_TEXT = """
.0000 .1786 .0041 .3126 .0197 .4477 .0481 .5801 .1003 .7035 .1800 .8121 .2763 .9047 .3846 .9801
.5074 1.0 .6301 .9761 .7387 .8992 .8355 .8051 .9143 .6946 .9644 .5683 .9887 .4324 .9993 .2953
1.0 .1591 .0949 .0760 .1553 .0249 .2377 .0114 .3231 .0242 .4037 .0578 .5686 .0521 .6513 .0154
.7380 .0000 .8229 .0119 .8874 .0603 .4889 .1551 .4899 .2434 .4909 .3318 .4921 .4221 .3974 .4800
.4443 .4991 .4950 .5144 .5456 .4968 .5918 .4772 .1942 .1693 .2460 .1369 .3100 .1374 .3638 .1779
.3064 .1908 .2439 .1914 .6190 .1728 .6725 .1299 .7363 .1279 .7889 .1582 .7412 .1816 .6791 .1837
.3071 .6418 .3760 .6110 .4467 .5971 .4972 .6087 .5500 .5954 .6233 .6071 .6954 .6341 .6281 .7091
.5574 .7434 .5002 .7506 .4453 .7458 .3751 .7145 .3373 .6462 .4470 .6406 .4980 .6450 .5514 .6386
.6650 .6396 .5531 .6765 .4986 .6842 .4466 .6786"""
MEAN_68 = np.array(_TEXT.split(), float).reshape(68, 2)


def face_points(scheme: Scheme) -> np.ndarray:
    """The portrait's points in a scheme: the mean shape laid onto its five points."""
    if scheme is FIVE:
        return PORTRAIT_FIVE
    five = np.stack([MEAN_68[list(group)].mean(axis=0) for group in IBUG_68.to_five or ()])
    placed = apply(similarity(five, PORTRAIT_FIVE), MEAN_68)
    if scheme is BLAZE_6:
        mouth = PORTRAIT_FIVE[3:].mean(axis=0, keepdims=True)
        return np.concatenate([PORTRAIT_FIVE[:3], mouth, placed[[0, 16]]])
    return placed if scheme is IBUG_68 else placed[[45, 42, 36, 39, 33]]


def faces_of(
    sets: list[np.ndarray],
    scheme: Scheme,
    boxes: list[np.ndarray] | None = None,
    size: tuple[int, int] = (512, 512),
) -> Faces:
    boxes = boxes or [PORTRAIT_BOX] * len(sets)
    points = Landmarks(np.array(sets, np.float32), scheme)
    scores = np.ones(len(sets), np.float32)
    return Faces(np.array(boxes, np.float32), scores, points, "by hand", size)


def turn(roll_deg: float, size: int = 512) -> np.ndarray:
    """A turn of the picture about the face, which is moved into the middle."""
    matrix = cv2.getRotationMatrix2D((220.0, 120.0), roll_deg, 1.0)
    matrix[:, 2] += np.array([size / 2 - 220.0, size / 2 - 120.0])
    return matrix


def turned_box(matrix: np.ndarray) -> np.ndarray:
    center = apply(matrix, (PORTRAIT_BOX[:2] + PORTRAIT_BOX[2:]) / 2)
    half = (PORTRAIT_BOX[2:] - PORTRAIT_BOX[:2]) / 2
    return np.concatenate([center - half, center + half])


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Layout:
    return default().layout(request.param)


def schemes(layout: Layout) -> list[Scheme]:
    """The schemes that place its chips; for a layout by box, five points that it ignores."""
    return [SCHEMES[name] for name in layout.needs if name in SCHEMES] or [FIVE]


def test_the_record_is_complete(layout: Layout) -> None:
    assert layout.id in LAYOUTS, "the default options give the id of the list"
    assert layout.needs
    assert set(layout.needs) <= {"box", *SCHEMES}
    assert min(layout.size) > 0
    assert layout.sampling in ("warp", "dlib")


def test_chips_have_the_size_that_is_promised(layout: Layout, portrait: Image) -> None:
    for scheme in schemes(layout):
        made, kept, dropped = chips(portrait, faces_of([face_points(scheme)], scheme), layout)
        assert made.pixels.shape == (1, layout.size[1], layout.size[0], 3)
        assert (made.layout, kept.tolist(), dropped) == (layout.id, [0], ())
        assert made.points_scheme == ("box" if layout.needs == ("box",) else scheme.id)
        assert made.pixels.std() > 20, "a face is to be seen"


def test_no_faces_give_no_chips(layout: Layout, portrait: Image) -> None:
    made, kept, dropped = chips(portrait, Faces.none("by hand", (512, 512)), layout)
    assert made.pixels.shape == (0, layout.size[1], layout.size[0], 3)
    assert (len(kept), dropped) == (0, ())


def test_a_face_that_lies_right_already_stays(layout: Layout) -> None:
    # The template on its own chip: fitted once, the points are where the template wants them to
    # be, and a second fit has nothing left to do.
    for scheme in schemes(layout):
        points = face_points(scheme)
        first = layout.fit(faces_of([points], scheme))[0]
        # at the chip's own scale, because dlib's sampling grid depends a little on the scale
        points = apply(scaling(scale_of(first)), points)
        box = apply(scaling(scale_of(first)), PORTRAIT_BOX.reshape(2, 2)).ravel()
        size = (2000, 2000)
        first = layout.fit(faces_of([points], scheme, [box], size))[0]
        moved, before = apply(first, points), box
        corners = apply(first, np.array([box[[0, 1]], box[[2, 1]], box[[0, 3]], box[[2, 3]]]))
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        if layout.needs == ("box",):
            # what the margin took in is the photo, so that the box fills it
            box = np.array([-0.5, -0.5, layout.size[0] - 0.5, layout.size[1] - 0.5])
            size = layout.size
        elif layout.scaled_by == "box":  # as large as it is seen in the chip, and not turned
            wide = scale_of(first) * (before[2:] - before[:2])
            middle = apply(first, (before[:2] + before[2:]) / 2)
            box = np.concatenate([middle - wide / 2, middle + wide / 2])
        again = layout.fit(faces_of([moved], scheme, [box], size))[0]
        assert np.allclose(apply(again, moved), moved, atol=0.05), scheme.id


def test_what_it_is_scaled_by_is_so(layout: Layout) -> None:
    small = PORTRAIT_BOX
    large = small + np.array([-30, -30, 30, 30])
    for scheme in schemes(layout):
        found = faces_of([face_points(scheme)] * 2, scheme, [small, large])
        by_box = not np.isclose(*(scale_of(matrix) for matrix in layout.fit(found)))
        assert by_box == (layout.scaled_by == "box"), scheme.id


@pytest.mark.parametrize("roll_deg", [*range(-180, 180, 45), 7, -13])
@pytest.mark.parametrize("name", BY_POINTS)
def test_a_turned_photo_gives_nearly_the_same_chip(
    name: str, portrait: Image, roll_deg: int
) -> None:
    layout = default().layout(name)
    upright, turned = turn(0), turn(roll_deg)
    photos = [
        Image.from_array(cv2.warpAffine(portrait.pixels, m, (512, 512)), "rgb")
        for m in (upright, turned)
    ]
    for scheme in schemes(layout):
        pair = []
        for photo, matrix in zip(photos, (upright, turned), strict=True):
            points = apply(matrix, face_points(scheme))
            found = faces_of([points], scheme, [turned_box(matrix)])
            made, kept, _ = chips(photo, found, layout)
            assert len(kept) == 1
            pair.append(made)
            landed = apply(made.to_chip[0], points)
            five = Landmarks(landed[None].astype(np.float32), scheme)
            if scheme.to_five:
                right, left, _, *mouth = five.as_scheme("five").points[0]
                lower = np.mean(mouth, axis=0)
            else:
                eyes = (list(scheme.groups[name]) for name in ("right_eye", "left_eye"))
                right, left = (landed[eye].mean(axis=0) for eye in eyes)
                lower = landed[scheme.groups["nose_base" if scheme is DLIB_5 else "mouth"][0]]
            assert abs(np.degrees(np.arctan2(*(left - right)[::-1]))) < 5, "eyes are level"
            assert max(left[1], right[1]) < lower[1] - 0.1 * layout.size[1], "eyes are above"
        # The photo was sampled once more when it was turned: edges differ, the face does not.
        difference = np.abs(pair[0].pixels.astype(int) - pair[1].pixels)
        middle = tuple(slice(side // 4, -side // 4) for side in pair[0].pixels.shape[1:3])
        assert difference[0][middle].mean() < 4, scheme.id


def test_points_that_fall_together_raise_and_name_the_face(layout: Layout) -> None:
    if layout.needs == ("box",):
        outside = np.array([600.0, 600, 700, 700])
        pair = faces_of([PORTRAIT_FIVE] * 2, FIVE, [PORTRAIT_BOX, outside])
        with pytest.raises(DegenerateLandmarks) as raised:
            layout.fit(pair)
        assert raised.value.indices == (1,)
        return
    for scheme in schemes(layout):
        collapsed = np.full((scheme.k, 2), 100.0)
        with pytest.raises(DegenerateLandmarks) as raised:
            layout.fit(faces_of([face_points(scheme), collapsed], scheme))
        assert raised.value.indices == (1,)


def test_an_impossible_face_costs_the_others_nothing(layout: Layout, portrait: Image) -> None:
    for scheme in schemes(layout):
        good = face_points(scheme)
        alone, _, _ = chips(portrait, faces_of([good], scheme), layout)
        far = good + 5_000
        box = PORTRAIT_BOX
        bad = {
            "collapsed": (np.full_like(good, 50.0), box),
            "mirrored": (good * [-1, 1] + [440, 0], box),
            "outside": (far, box + 5_000),
            "absurd": ((good - 220) * 1e4, (box - 220) * 1e4),
        }
        if layout.needs == ("box",):
            bad = {"outside": bad["outside"]}
        elif layout.scaled_by == "box":
            bad["absurd"] = (good, (box - 220) * 1e4)
        order = [(good, box), *bad.values(), (good, box)]
        found = faces_of([p for p, _ in order], scheme, [b for _, b in order])
        made, kept, dropped = chips(portrait, found, layout)
        assert kept.tolist() == [0, len(order) - 1]
        assert [index for index, _ in dropped] == list(range(1, len(order) - 1))
        assert all(reason and not reason.endswith(".") for _, reason in dropped)
        assert (made.pixels == alone.pixels).all()
        assert np.isfinite(made.to_chip).all()


@pytest.mark.parametrize("name", BY_POINTS)
def test_points_the_layout_cannot_use_are_refused(name: str, portrait: Image) -> None:
    layout = default().layout(name)
    bare = Faces(
        PORTRAIT_BOX[None].astype(np.float32), np.ones(1, np.float32), None, "x", (512, 512)
    )
    with pytest.raises(FacelignError, match="points"):
        chips(portrait, bare, layout)
    if DLIB_5.id not in layout.needs:
        with pytest.raises(FacelignError, match="dlib-5"):
            chips(portrait, faces_of([face_points(DLIB_5)], DLIB_5), layout)


def test_nothing_that_was_handed_in_changes(layout: Layout, portrait: Image) -> None:
    before = portrait.pixels.copy()
    first = chips(portrait, faces_of([face_points(schemes(layout)[0])], schemes(layout)[0]), layout)
    again = chips(portrait, faces_of([face_points(schemes(layout)[0])], schemes(layout)[0]), layout)
    assert (portrait.pixels == before).all()
    assert (first[0].pixels == again[0].pixels).all()
    assert compose(first[0].to_chip[0], scaling(1.0)).tolist() == again[0].to_chip[0].tolist()
