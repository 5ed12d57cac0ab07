"""Chips whose surroundings are blanked: what stays, what goes, and who may ask for it."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.align.contour import blanked, check_contour
from facelign.errors import BadArray, ConfigError, ModelMismatch
from facelign.preprocess import photometric
from facelign.types.chips import Chips
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, IBUG_68, MESH_468, Scheme


def square_of(scheme: Scheme, low: float, high: float) -> Faces:
    """A face whose points lie within a square of the photo, four of them at its corners."""
    points = np.full((1, scheme.k, 2), (low + high) / 2, np.float32)
    corners = [i for i in (0, 1, 2, 3, 127, 61, 454, 17) if i < scheme.k][-4:]
    points[0, corners] = [[low, low], [high, low], [high, high], [low, high]]
    box = np.array([[0, 0, 100, 100]], np.float32)
    return Faces(box, np.ones(1, np.float32), Landmarks(points, scheme), "by hand", (100, 100))


def chips_of(count: int = 1) -> Chips:
    pixels = np.full((count, 40, 50, 3), 200, np.uint8)
    half = np.array([[[0.5, 0, 0], [0, 0.5, 0]]] * count)
    return Chips(pixels, "arcface-112", half)


def test_inside_of_the_hull_stays_and_the_rest_is_black() -> None:
    given = chips_of()
    made = blanked(given, square_of(IBUG_68, 20, 60), 68)
    seen = made.pixels[0, :, :, 0]
    assert (seen[11:30, 11:30] == 200).all()
    assert seen[:9].max() == seen[32:].max() == seen[:, :9].max() == seen[:, 32:].max() == 0
    assert (given.pixels == 200).all(), "what was handed in stays"
    assert (made.to_chip == given.to_chip).all()


def test_a_mesh_gives_both_contours() -> None:
    faces = square_of(MESH_468, 20, 60)
    for points in (68, 468):
        assert blanked(chips_of(), faces, points).pixels.shape == (1, 40, 50, 3)
    assert (blanked(chips_of(), faces, 468).pixels[0, 11:30, 11:30] == 200).all()


def test_points_far_outside_do_no_harm() -> None:
    assert (blanked(chips_of(), square_of(IBUG_68, -1e9, 1e9), 68).pixels == 200).all()


def test_a_contour_wants_its_points() -> None:
    check_contour(0, "box")
    for points, scheme in ((68, "five"), (468, "ibug-68"), (68, "box")):
        with pytest.raises(ModelMismatch, match="landmarker") as told:
            check_contour(points, scheme)
        assert f"contour={points}" in told.value.message
    with pytest.raises(ModelMismatch):
        blanked(chips_of(), square_of(FIVE, 0, 1), 68)
    with pytest.raises(BadArray):
        blanked(chips_of(2), square_of(IBUG_68, 20, 60), 68)


def test_it_is_a_step_that_leaves_the_photo_alone_and_is_part_of_the_space() -> None:
    steps = photometric.parse("clahe, contour")
    assert (steps.id, steps.contour) == ("clahe=2+contour=468", 468)
    assert photometric.parse("contour=68").contour == 68
    assert photometric.parse("gamma=1.5").contour == 0
    with pytest.raises(ConfigError, match="68 or 468"):
        photometric.parse("contour=106")
