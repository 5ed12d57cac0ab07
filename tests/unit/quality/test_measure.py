"""Each number goes the way that its name says."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import BadArray
from facelign.imaging.read import read
from facelign.imaging.write import encode
from facelign.quality.measure import assess, roll_deg
from facelign.types.chips import Chips
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE, IBUG_68

#: the portrait's face, read off by eye
BOX = [170, 60, 285, 205]
POINTS = [[205, 118], [245, 115], [228, 142], [210, 165], [247, 162]]


def one(points=POINTS, box=BOX, size=(512, 512), scheme=FIVE) -> Faces:
    landmarks = None if points is None else Landmarks(np.array([points], np.float32), scheme)
    return Faces(np.array([box], np.float32), np.ones(1, np.float32), landmarks, "x", size)


def of(pixels: np.ndarray) -> dict[str, float]:
    return assess(Image.from_array(pixels, "rgb"), one()).row(0)


def test_size_and_eyes(portrait):
    found = assess(portrait, one()).row(0)
    assert found["height_px"] == 145
    assert found["inter_eye_px"] == pytest.approx(math.hypot(40, 3), rel=1e-5)
    assert found["inside"] == 1.0


@pytest.mark.parametrize(
    ("box", "share"),
    [
        ([-0.5, -0.5, 511.5, 511.5], 1.0),
        ([-50.5, 100, 49.5, 200], 0.5),
        ([461.5, 461.5, 561.5, 561.5], 0.25),
        ([600, 600, 700, 700], 0.0),
    ],
)
def test_share_inside(portrait, box, share):
    assert assess(portrait, one(box=box)).inside[0] == pytest.approx(share, abs=1e-6)


def test_blur_lowers_sharpness_and_little_else(portrait):
    grades = [of(cv2.GaussianBlur(portrait.pixels, (0, 0), s)) for s in (0.5, 1, 2, 4)]
    sharp = [grade["sharpness"] for grade in [of(portrait.pixels), *grades]]
    assert sharp == sorted(sharp, reverse=True)
    assert sharp[0] > 3 * sharp[-1]
    assert grades[-1]["brightness"] == pytest.approx(of(portrait.pixels)["brightness"], abs=0.03)


def test_sharpness_is_blind_to_contrast(portrait):
    faded = (portrait.pixels // 3 + 80).astype(np.uint8)
    assert of(faded)["sharpness"] == pytest.approx(of(portrait.pixels)["sharpness"], rel=0.1)
    assert of(faded)["contrast"] < 0.5 * of(portrait.pixels)["contrast"]


def test_light(portrait):
    dark, light = portrait.pixels // 40, 255 - portrait.pixels // 40
    assert of(dark)["dark"] > 0.9
    assert of(light)["bright"] > 0.9
    assert of(dark)["brightness"] < of(portrait.pixels)["brightness"] < of(light)["brightness"]
    flat = of(np.full((512, 512, 3), 128, np.uint8))
    assert flat["sharpness"] == flat["contrast"] == 0
    assert flat["brightness"] == pytest.approx(128 / 255, abs=1e-4)


@given(st.floats(-180, 180), st.floats(1, 500))
def test_roll_is_the_angle_of_the_eyes(degrees, distance):
    # positive: anticlockwise in the picture, so the eye at the picture's right rises
    angle = math.radians(degrees)
    half = np.array([math.cos(angle), -math.sin(angle)]) * distance / 2
    got = float(roll_deg(np.array([[100 - half, 100 + half]]))[0])
    assert abs((got - degrees + 180) % 360 - 180) < 1e-3


def test_yaw_offset_has_the_sign_of_the_house(portrait):
    frontal = [[80, 100], [120, 100], [100, 120], [85, 140], [115, 140]]
    to_own_left = [[80, 100], [120, 100], [112, 120], [90, 140], [118, 140]]
    assert assess(portrait, one(frontal)).yaw_offset[0] == 0
    assert assess(portrait, one(to_own_left)).yaw_offset[0] == pytest.approx(0.3)
    points = np.array(to_own_left, np.float32)
    turn = cv2.getRotationMatrix2D((100, 100), 37, 2.5)
    rolled = points @ turn[:, :2].T + turn[:, 2]
    assert assess(portrait, one(rolled)).yaw_offset[0] == pytest.approx(0.3, abs=1e-5)
    mirrored = (np.array([[200, 0]]) + points * [-1, 1])[list(FIVE.mirror)]
    assert assess(portrait, one(mirrored)).yaw_offset[0] == pytest.approx(-0.3)
    fallen = [[80, 100], [80, 100], [100, 120], [85, 140], [115, 140]]
    assert np.isfinite(assess(portrait, one(fallen)).yaw_offset).all()


def test_other_schemes_and_none(portrait):
    dlib = [[122, 100], [112, 100], [78, 100], [88, 100], [100, 120]]
    found = assess(portrait, one(dlib, scheme=DLIB_5)).row(0)
    assert found["inter_eye_px"] == pytest.approx(34)
    assert found["yaw_offset"] == pytest.approx(0)
    many = np.zeros((68, 2))
    many[36:42], many[42:48], many[30] = (80, 100), (120, 100), (110, 120)
    assert assess(portrait, one(many, scheme=IBUG_68)).yaw_offset[0] == pytest.approx(0.25)
    bare = assess(portrait, one(None))
    assert bare.inter_eye_px is bare.roll_deg is bare.yaw_offset is None
    assert "roll_deg" not in bare.row(0)


def test_sets_chips_and_reduced_photos(portrait):
    none = assess(portrait, Faces.none("x", portrait.size))
    assert len(none) == 0
    two = Faces(
        np.array([BOX, [10, 10, 400, 400]], np.float32),
        np.ones(2, np.float32),
        None,
        "x",
        (512, 512),
    )
    found = assess(portrait, two)
    assert len(found) == 2
    assert found[np.array([1])].row(0) == found.row(1)
    chips = Chips(portrait.pixels[None, 60:205, 170:285], "crop", np.zeros((1, 2, 3)))
    by_chip, by_box = assess(portrait, one(), chips).row(0), assess(portrait, one()).row(0)
    assert by_chip["brightness"] == pytest.approx(by_box["brightness"], abs=0.01)
    with pytest.raises(BadArray, match="2 faces"):
        assess(portrait, two, chips)
    reduced = read(encode(portrait.pixels, "jpeg", quality=95), at_least=200)
    assert reduced.scale == 0.5
    small = assess(reduced, one()).row(0)
    assert small["height_px"] == 145
    assert small["brightness"] == pytest.approx(by_box["brightness"], abs=0.01)
    assert small["sharpness"] < by_box["sharpness"]
    outside = assess(reduced, one(box=[-90, -90, -20, -20]))
    assert outside.inside[0] == 0


def test_rows_are_views_that_cannot_be_changed(portrait):
    found = assess(portrait, one())
    with pytest.raises(ValueError, match="read-only"):
        found.sharpness[0] = 1
    with pytest.raises(IndexError, match="face 1 of 1"):
        found[1]
