"""People before another background: light is mixed, edges are soft, nobody shines around."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.imaging.background import SteadyMask, blurred, colored, covering, replaced

RNG = np.random.default_rng(3)
PIXELS = RNG.integers(0, 256, (40, 60, 3), np.uint8)
ONES, NONE = np.ones((40, 60), np.float32), np.zeros((40, 60), np.float32)


def test_people_stay_byte_for_byte_and_what_is_behind_goes() -> None:
    other = RNG.integers(0, 256, (40, 60, 3), np.uint8)
    np.testing.assert_array_equal(replaced(PIXELS, ONES, other), PIXELS)
    np.testing.assert_array_equal(colored(PIXELS, ONES, (1, 2, 3)), PIXELS)
    np.testing.assert_array_equal(blurred(PIXELS, ONES, 5), PIXELS)
    np.testing.assert_array_equal(replaced(PIXELS, NONE, other), other)
    assert (colored(PIXELS, NONE, (1, 2, 3)) == [1, 2, 3]).all()


def test_every_byte_survives_light_and_back() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(colored(every, np.ones((16, 16), np.float32), (0, 0, 0)), every)


def test_a_half_is_half_of_the_light() -> None:
    """Half white, half black looks like 188 of 255, not like 128 (IEC 61966-2-1)."""
    white = np.full((2, 2, 3), 255, np.uint8)
    half = np.full((2, 2), 0.5, np.float32)
    assert (colored(white, half, (0, 0, 0)) == 188).all()


def test_a_person_does_not_shine_into_the_blurred_background() -> None:
    pixels = np.full((60, 60, 3), 40, np.uint8)
    pixels[:, 20:40] = 255
    mask = np.zeros((60, 60), np.float32)
    mask[:, 20:40] = 1
    made = blurred(pixels, mask, 6)
    assert np.abs(made[:, :18].astype(int) - 40).max() <= 2
    assert (made[:, 21:39] == 255).all()


@pytest.mark.parametrize("radius", [0.5, 3, 11.0, 40])
def test_the_blur_is_as_wide_as_asked(radius: float) -> None:
    """A point of light becomes a spot whose spread is the radius, also where it is made smaller."""
    pixels = np.zeros((301, 301, 3), np.uint8)
    pixels[140:161, 140:161] = 255
    made = blurred(pixels, np.zeros((301, 301), np.float32), radius)[150].astype(float)[:, 0] / 255
    light = np.where(made <= 0.04045, made / 12.92, ((made + 0.055) / 1.055) ** 2.4)
    at = np.arange(301) - 150.0
    spread = np.sqrt((light * at**2).sum() / light.sum())
    assert spread == pytest.approx(np.hypot(radius, 21 / np.sqrt(12)), rel=0.12, abs=0.3)


def test_a_background_covers_and_is_cut_in_the_middle() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 15:25] = 200
    assert (covering(wide, (20, 20)) == 200).mean() > 0.85
    assert covering(wide, (7, 90)).shape == (90, 7, 3)
    assert covering(wide[:1, :1], (5, 5)).shape == (5, 5, 3)


def test_masks_are_steady_where_they_are_unsure_and_follow_what_is_sure() -> None:
    steady = SteadyMask()
    unsure = [np.full((4, 4), 0.5 + 0.2 * (-1) ** i, np.float32) for i in range(20)]
    seen = np.array([steady.next(mask)[0, 0] for mask in unsure])
    assert np.ptp(seen[4:]) < 0.5 * np.ptp([mask[0, 0] for mask in unsure])
    assert (steady.next(np.ones((4, 4), np.float32)) == 1).all()
    assert (steady.next(np.zeros((4, 4), np.float32)) == 0).all()
    steady.next(np.full((4, 4), 0.7, np.float32))
    steady.reset()
    half = np.full((4, 4), 0.3, np.float32)
    np.testing.assert_array_equal(steady.next(half), half)
    assert steady.next(np.full((2, 2), 0.5, np.float32)).shape == (2, 2)
