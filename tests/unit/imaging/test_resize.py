"""One rule for pictures in another size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facelign.geometry.transforms import apply, scaling
from facelign.imaging.resize import resized, scaled, warped
from facelign.types.image import Image


def test_by_area_when_pixels_are_lost_else_between_them(portrait: Image) -> None:
    pixels = portrait.pixels
    for size, how in (
        ((200, 100), cv2.INTER_AREA),
        ((300, 600), cv2.INTER_AREA),
        ((513, 512), cv2.INTER_LINEAR),
        ((700, 700), cv2.INTER_LINEAR),
        ((256, 1024), cv2.INTER_LINEAR),
    ):
        assert (resized(pixels, size) == cv2.resize(pixels, size, interpolation=how)).all(), size
    assert (
        resized(pixels, (600, 600), enlarge=cv2.INTER_CUBIC)
        == cv2.resize(pixels, (600, 600), interpolation=cv2.INTER_CUBIC)
    ).all()
    assert resized(pixels, (512, 512)) is pixels
    assert resized(pixels[:, :, 0], (9, 7)).shape == (7, 9)


def test_a_checkerboard_becomes_gray() -> None:
    board = np.indices((64, 64)).sum(axis=0).astype(np.uint8) % 2 * 254
    assert set(np.unique(resized(board, (16, 16)))) == {127}


@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_points_move_as_geometry_says(factor: float) -> None:
    ramp = np.repeat(np.arange(0, 240, 2, dtype=np.uint8)[None], 8, axis=0)
    size = scaled((120, 8), factor)
    shown = resized(ramp, size)[0].astype(float)
    middle = np.arange(2, size[0] - 2)
    places = np.stack([middle, np.zeros(len(middle))], axis=1)
    there = apply(scaling(1 / factor), places)[:, 0]
    assert np.abs(shown[middle] - 2 * there).max() <= 1


def test_no_side_vanishes() -> None:
    assert scaled((1000, 3), 0.01) == (10, 1)
    assert scaled((3, 2), 1.5) == (4, 3)


def test_a_part_of_a_very_long_picture_is_drawn_as_from_a_short_one() -> None:
    random = np.random.default_rng(5)
    part = random.integers(0, 256, (60, 90, 3), np.uint8)
    long = np.zeros((60, 70_000, 3), np.uint8)
    long[:, 40_000:40_090] = part
    matrix = np.array([[0.9, 0.2, -3.5], [-0.2, 0.9, 8.25]])
    moved = matrix.copy()
    moved[:, 2] -= matrix[:, :2] @ (40_000, 0)
    drawn, wanted = warped(long, moved, (64, 48)), warped(part, matrix, (64, 48))
    # the border of the part is black outside in one and black pixels in the other
    np.testing.assert_allclose(drawn.astype(int), wanted, atol=2)
    assert wanted.any()
    away = np.array([[1.0, 0.0, 500.0], [0.0, 1.0, 500.0]])
    assert not warped(long, away, (64, 48)).any()
