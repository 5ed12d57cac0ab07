"""The chip of dlib, byte for byte, and the layout that makes it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.align.dlib_chip import SIZE, TEMPLATES, extract, rectangle_of, to_photo
from facelign.align.layouts.dlib_150 import FIVE_ON_CHIP, Dlib150
from facelign.errors import DegenerateLandmarks, ModelMismatch
from facelign.geometry.transforms import apply
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import SCHEMES


def faces_with(points: np.ndarray, scheme: str) -> Faces:
    points = np.asarray(points, np.float32)
    boxes = np.tile(np.array([[0, 0, 100, 100]], np.float32), (len(points), 1))
    landmarks = Landmarks(points, SCHEMES[scheme])
    return Faces(boxes, np.ones(len(points), np.float32), landmarks, "test", (250, 250))


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.parametrize("scheme", ["dlib-5", "ibug-68"])
@pytest.mark.parametrize("enlarged", [1, 2, 5])
def test_chips_are_those_of_dlib(referee, photos, scheme: str, enlarged: int) -> None:
    count = 0
    for image in photos:
        pixels = image.pixels
        if enlarged > 1:
            pixels = cv2.resize(pixels, None, fx=enlarged, fy=enlarged)
        for r in referee.hog(image.pixels, 1):
            rectangle = referee.dlib.rectangle(
                *(enlarged * v for v in (r.left(), r.top(), r.right(), r.bottom()))
            )
            shape, points = referee.points(pixels, rectangle, scheme)
            wanted = referee.dlib.get_face_chip(pixels, shape, 150, 0.25)
            got, _ = extract(pixels, points, scheme)
            assert (got == wanted).all(), image.source
            count += 1
    assert count >= 12


@pytest.mark.parametrize("angle_deg", [0, 45, 90, 137, 180, 270])
@pytest.mark.parametrize("scale", [0.02, 0.3, 1.0, 2.7, 9.0])
def test_turned_small_large_and_cut_chips_are_those_of_dlib(
    dlib, angle_deg: int, scale: float
) -> None:
    rng = np.random.default_rng(angle_deg)
    small = rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)
    pixels = cv2.resize(small, (500, 640), interpolation=cv2.INTER_CUBIC)
    _, template = TEMPLATES["dlib-5"]
    turn = np.deg2rad(angle_deg)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for center in ((250, 320), (20, 600), (490, 5)):
        points = np.rint((template - SIZE / 2) @ matrix.T + center).astype(int)
        if len(np.unique(points, axis=0)) < 3:
            continue
        parts = [dlib.point(int(x), int(y)) for x, y in points]
        shape = dlib.full_object_detection(dlib.rectangle(0, 0, 10, 10), parts)
        wanted = dlib.get_face_chip(pixels, shape, 150, 0.25)
        assert (extract(pixels, points, "dlib-5")[0] == wanted).all()


def test_the_map_tells_where_the_chip_lies() -> None:
    rng = np.random.default_rng(3)
    pixels = cv2.GaussianBlur(rng.integers(0, 256, (300, 300, 3), dtype=np.uint8), (0, 0), 4)
    points = np.array([[180, 120], [158, 121], [101, 118], [124, 121], [140, 165]])
    chip, matrix = extract(pixels, points, "dlib-5")
    warped = cv2.warpAffine(pixels, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    assert np.abs(warped.astype(int) - chip)[5:-5, 5:-5].max() <= 3


@given(st.floats(0.05, 20), st.floats(-3.1, 3.1), st.floats(-500, 4000), st.floats(-500, 4000))
def test_chip_corners_lie_on_the_rectangle(scale, turn, x, y) -> None:
    _, template = TEMPLATES["dlib-5"]
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    rectangle = rectangle_of(template @ matrix.T + (x, y), "dlib-5")
    assert rectangle.right - rectangle.left + 1 == pytest.approx(SIZE * scale)
    middle = apply(to_photo(rectangle), np.array([(SIZE - 1) / 2, (SIZE - 1) / 2]))
    wanted = np.array([SIZE / 2, SIZE / 2]) @ matrix.T + (x, y)
    np.testing.assert_allclose(middle, wanted, atol=1e-6 * (1 + abs(x) + abs(y)))


def test_impossible_points_are_refused() -> None:
    pixels = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(DegenerateLandmarks):
        extract(pixels, np.full((5, 2), 7), "dlib-5")
    with pytest.raises(ModelMismatch):
        extract(pixels, np.zeros((5, 2)), "five")


def test_a_tiny_photo_gives_a_black_chip() -> None:
    points = np.array([[180, 120], [158, 121], [101, 118], [124, 121], [140, 165]])
    chip, _ = extract(np.full((1, 1, 3), 9, np.uint8), points, "dlib-5")
    assert chip.shape == (SIZE, SIZE, 3)
    assert chip.max() == 0


def test_template_points_of_the_layout_map_onto_themselves() -> None:
    layout = Dlib150()
    (matrix,) = layout.fit(faces_with(FIVE_ON_CHIP[None], "five"))
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-4)
    _, template = TEMPLATES["dlib-5"]
    (matrix,) = layout.fit(faces_with(template[None] - 0.5, "dlib-5"))
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-4)


@pytest.mark.weights
@pytest.mark.shared
def test_the_layout_agrees_with_the_chip(referee, photos) -> None:
    image = photos[0]
    (rectangle,) = list(referee.hog(image.pixels, 1))[:1]
    for scheme in ("dlib-5", "ibug-68"):
        _, points = referee.points(image.pixels, rectangle, scheme)
        (matrix,) = Dlib150().fit(faces_with(points[None], scheme))
        np.testing.assert_allclose(matrix, extract(image.pixels, points, scheme)[1])


def test_faces_that_no_chip_fits_are_named() -> None:
    good = FIVE_ON_CHIP + 20
    bad = np.full((5, 2), 3.0)
    with pytest.raises(DegenerateLandmarks) as caught:
        Dlib150().fit(faces_with(np.stack([good, bad, good, bad]), "five"))
    assert caught.value.indices == (1, 3)
    no_points = Faces(np.array([[0, 0, 9, 9]], np.float32), np.ones(1), None, "test", (9, 9))
    with pytest.raises(ModelMismatch):
        Dlib150().fit(no_points)
