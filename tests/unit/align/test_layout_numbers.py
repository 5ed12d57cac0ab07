"""Layouts against published numbers and hand-worked cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelign.align.fitting import check_face, points_by
from facelign.align.layouts.arcface_112 import Arcface112, template
from facelign.align.layouts.crop import Crop
from facelign.align.layouts.eyes import Eyes
from facelign.align.layouts.openface_96 import Openface96
from facelign.errors import ConfigError, DegenerateLandmarks, ModelMismatch
from facelign.geometry.templates import ARCFACE_FIVE
from facelign.geometry.transforms import apply
from facelign.models.catalog import default
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE, IBUG_68, Scheme


def scale_of(matrix: np.ndarray) -> float:
    """The length factor of a map: the root of its area factor."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def one_face(
    points: np.ndarray | None, scheme: Scheme = FIVE, box: tuple[float, ...] = (0, 0, 100, 120)
) -> Faces:
    landmarks = None if points is None else Landmarks(points[None].astype(np.float32), scheme)
    return Faces(
        np.array([box], np.float32), np.ones(1, np.float32), landmarks, "by hand", (640, 480)
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (112, ARCFACE_FIVE),
        (224, ARCFACE_FIVE * 2),
        (128, ARCFACE_FIVE + np.array([8, 0])),
        (256, ARCFACE_FIVE * 2 + np.array([16, 0])),
        (896, ARCFACE_FIVE * 8),  # a multiple of both: 112 comes first, as in insightface
    ],
)
def test_arcface_template_at_other_sizes(size: int, expected: np.ndarray) -> None:
    assert np.allclose(template(size), expected)
    layout = default().layout("arcface-112", size=size)
    assert (layout.id, layout.size) == (f"arcface-{size}", (size, size))
    assert np.allclose(layout.fit(one_face(expected))[0], np.eye(2, 3), atol=1e-4)


@pytest.mark.parametrize("size", [0, -112, 100, 160])
def test_arcface_has_no_other_sizes(size: int) -> None:
    with pytest.raises(ConfigError, match="112"):
        Arcface112(size=size)


def test_arcface_mean_is_the_one_that_opencv_writes_down() -> None:
    # face_recognize.cpp divides by the mean (56.0262, 71.9008) of its template
    assert np.allclose(ARCFACE_FIVE.mean(axis=0), [56.0262, 71.9008], atol=1e-4)


def test_arcface_takes_68_points_as_five() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 5, (68, 2))
    for place, group in zip(ARCFACE_FIVE * 3 + 40, IBUG_68.to_five or (), strict=True):
        points[list(group)] = place
    fitted = Arcface112().fit(one_face(points, IBUG_68))[0]
    assert scale_of(fitted) == pytest.approx(1 / 3, rel=1e-5)
    with pytest.raises(ModelMismatch, match="dlib-5"):
        Arcface112().fit(one_face(rng.uniform(0, 100, (5, 2)), DLIB_5))


def test_openface_puts_its_three_points_where_alignedlib_does() -> None:
    # the published places at 96 px, from AlignDlib's template
    outer = np.array([[18.639, 16.250], [75.730, 15.184], [47.515, 49.386]])
    inner = np.array([[34.923, 17.083], [59.420, 16.587], [48.020, 72.056]])
    points = np.zeros((68, 2))
    for place, group in zip(ARCFACE_FIVE, IBUG_68.to_five or (), strict=True):
        points[list(group)] = place  # a face, so that it passes for one
    points[[36, 45, 33]] = [[25, 52], [85, 55], [56, 78]]
    points[[39, 42, 57]] = [[45, 52], [66, 53], [57, 97]]
    wide = Openface96()
    assert np.allclose(
        apply(wide.fit(one_face(points, IBUG_68))[0], points[[36, 45, 33]]), outer, atol=2e-3
    )
    narrow = default().layout("openface-96", form="inner")
    assert narrow.id == "openface-96-inner"
    assert np.allclose(
        apply(narrow.fit(one_face(points, IBUG_68))[0], points[[39, 42, 57]]), inner, atol=2e-3
    )
    # dlib's five points are five of the 68
    five = points[[45, 42, 36, 39, 33]]
    assert np.allclose(
        wide.fit(one_face(five, DLIB_5)), wide.fit(one_face(points, IBUG_68)), atol=1e-6
    )
    with pytest.raises(ModelMismatch):
        narrow.fit(one_face(five, DLIB_5))
    with pytest.raises(ModelMismatch):
        wide.fit(one_face(ARCFACE_FIVE))


def test_openface_refuses_three_points_almost_on_a_line() -> None:
    points = np.zeros((68, 2))
    for place, group in zip(ARCFACE_FIVE, IBUG_68.to_five or (), strict=True):
        points[list(group)] = place
    points[[36, 45, 33]] = [[25, 52], [85, 52], [56, 54]]
    with pytest.raises(DegenerateLandmarks, match="line"):
        Openface96().fit(one_face(points, IBUG_68))


@pytest.mark.parametrize("roll_deg", [-180, -97, -30, 0, 12, 90, 171])
def test_eyes_turns_about_the_middle_of_the_box_and_keeps_the_aspect(roll_deg: float) -> None:
    angle = math.radians(roll_deg)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    points = (ARCFACE_FIVE - 56) @ turn.T + [200, 150]
    layout = default().layout("eyes", size=100, margin=10)
    matrix = layout.fit(one_face(points, box=(150, 90, 250, 210)))[0]
    assert np.allclose(apply(matrix, np.array([200.0, 150.0])), [49.5, 49.5])
    assert scale_of(matrix) == pytest.approx(100 / 130)
    right, left, _, mouth, _ = apply(matrix, points)
    assert right[1] == pytest.approx(left[1], abs=1e-3)
    assert right[0] < left[0]
    assert right[1] < mouth[1]


def test_eyes_takes_dlibs_corners() -> None:
    five = np.array([[140, 70], [120, 68], [60, 62], [80, 62], [100, 110]], float)
    matrix = Eyes().fit(one_face(five, DLIB_5))[0]
    right, left = apply(matrix, np.array([[70.0, 62.0], [130.0, 69.0]]))
    assert right[1] == pytest.approx(left[1])


def test_crop_as_the_facenet_aligner() -> None:
    layout = Crop()
    assert (layout.id, layout.size) == ("crop", (160, 160))
    # 32 px in all: 16 on each side, clipped at the left edge of the photo
    matrix = layout.fit(one_face(None, box=(5, 100, 105, 200)))[0]
    corners = apply(matrix, np.array([[-0.5, 84.0], [121.0, 216.0]]))
    assert np.allclose(corners, [[-0.5, -0.5], [159.5, 159.5]])
    wide = default().layout("crop", size=224, margin=0)
    assert wide.id == "crop-224-0"
    matrix = wide.fit(one_face(None, box=(10, 20, 110, 220)))[0]
    assert np.allclose(apply(matrix, np.array([[10.0, 20], [110, 220]])), [[-0.5] * 2, [223.5] * 2])


@pytest.mark.parametrize("layout_id", ["crop", "eyes", "openface-96"])
def test_options_that_cannot_be_meant(layout_id: str) -> None:
    with pytest.raises(ConfigError):
        default().layout(layout_id, size=0)
    with pytest.raises(ConfigError):
        default().layout(layout_id, colour="red")


def test_which_points_place_a_chip() -> None:
    five, dlib, sixty_eight = (
        one_face(np.random.default_rng(0).uniform(0, 100, (s.k, 2)), s)
        for s in (FIVE, DLIB_5, IBUG_68)
    )
    bare = one_face(None)
    assert points_by(("five", "ibug-68"), five) == "five"
    assert points_by(("five", "ibug-68"), sixty_eight) == "ibug-68"
    assert points_by(("five",), sixty_eight) == "five"
    assert points_by(("box", "dlib-5"), five) == "box"
    assert points_by(("box",), bare) == "box"
    for needs, faces in ((("five",), dlib), (("five",), bare), (("dlib-5",), sixty_eight)):
        with pytest.raises(ModelMismatch):
            points_by(needs, faces)


def test_faces_seen_from_the_side_pass_and_other_things_do_not() -> None:
    check_face(ARCFACE_FIVE, "five")
    # looking aside squeezes the face and moves the nose: points of a profile, measured by YuNet
    check_face(np.array([[52, 50], [58, 50], [36, 69], [51, 89], [57, 90]]), "five")
    check_face(ARCFACE_FIVE * [0.15, 1], "five")
    check_face(-ARCFACE_FIVE, "five")  # upside down
    swapped = ARCFACE_FIVE[[1, 0, 2, 4, 3]]
    bad = {
        "mirrored": (ARCFACE_FIVE * [-1, 1], swapped),
        "fall together": (ARCFACE_FIVE * 1e-4, np.ones((5, 2))),
        "do not lie": (
            ARCFACE_FIVE[[0, 4, 2, 3, 1]],
            ARCFACE_FIVE[[4, 0, 2, 1, 3]],
        ),
        "not finite": (np.full((5, 2), np.nan), ARCFACE_FIVE * np.inf),
    }
    for reason, sets in bad.items():
        for points in sets:
            with pytest.raises(DegenerateLandmarks, match=reason):
                check_face(points, "five")
    check_face(np.random.default_rng(0).uniform(0, 9, (7, 2)), "some other scheme")
