"""Degradations: relative to the face, the same twice, and never more than they say."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.errors import ConfigError
from facelign.geometry.transforms import apply
from facelign.lab.alignment.degradations import Reference, lean, lean_matrix, parse
from facelign.lab.defaults import DEGRADATIONS
from facelign.types.image import Image

#: about where scikit-image's astronaut has her face and eyes
FACE = Reference(np.array([176.0, 70, 272, 196]), np.array([[205.0, 113], [247, 113]]))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_size_is_kept_the_photo_untouched_and_a_second_run_equal(name, portrait: Image) -> None:
    before = portrait.pixels.copy()
    changed = parse(name).apply(portrait, FACE)
    assert changed.pixels.shape == before.shape
    np.testing.assert_array_equal(portrait.pixels, before)
    np.testing.assert_array_equal(parse(name).apply(portrait, FACE).pixels, changed.pixels)
    assert (changed.pixels is portrait.pixels) == (name == "none")


def test_low_resolution_leaves_the_detail_of_that_height(portrait: Image) -> None:
    changed = parse("low-resolution=16").apply(portrait, FACE).pixels.astype(float)
    spectrum = np.abs(np.fft.fft2(changed.mean(axis=2) - changed.mean())) ** 2
    # a face of 126 px became 16 px: frequencies beyond 16/126 of half the sampling rate are gone
    keep = int(512 / 2 * 16 / 126 * 1.5)
    low = spectrum[:keep, :keep].sum() + spectrum[-keep:, :keep].sum()
    assert low > 50 * (spectrum[:256, :256].sum() + spectrum[-256:, :256].sum() - low)


def test_a_small_face_is_not_made_worse_by_low_resolution(portrait: Image) -> None:
    tiny = Reference(FACE.box / 10, FACE.eyes / 10)
    assert parse("low-resolution=24").apply(portrait, tiny) is portrait


def test_dark_scales_light_and_adds_the_stated_noise(portrait: Image) -> None:
    changed = parse("dark=0.12").apply(portrait, FACE).pixels.astype(float)
    bright = portrait.pixels > 200
    gaps = changed[bright] - 0.12 * portrait.pixels[bright]
    assert gaps.mean() == pytest.approx(0, abs=0.05)
    assert gaps.std() == pytest.approx(np.hypot(3.0, np.sqrt(1 / 12)), rel=0.03)


def test_glasses_cover_both_eyes_and_leave_the_mouth(portrait: Image) -> None:
    changed = parse("glasses").apply(portrait, FACE).pixels
    for x, y in FACE.eyes.astype(int):
        assert changed[y, x].max() < 40
    assert (changed[150:200] == portrait.pixels[150:200]).all()
    untouched = parse("glasses").apply(portrait, None)
    assert untouched is portrait


def test_lean_keeps_the_face_in_place_and_undoes_itself(portrait: Image) -> None:
    matrix = lean_matrix(portrait, FACE, 30)
    np.testing.assert_allclose(apply(matrix, np.array([FACE.center])), [FACE.center])
    eyes = apply(matrix, FACE.eyes)
    across = eyes[1] - eyes[0]
    assert abs(np.degrees(np.arctan2(across[1], across[0]))) == pytest.approx(30, abs=0.1)
    assert lean(portrait, FACE, 0) is portrait
    back = lean_matrix(portrait, FACE, -30)
    product = np.vstack([back, [0, 0, 1]]) @ np.vstack([matrix, [0, 0, 1]])
    np.testing.assert_allclose(product, np.eye(3), atol=1e-9)


def test_photos_lean_to_both_sides(portrait: Image) -> None:
    signs = set()
    for shift in range(8):
        other = Image.from_array(np.roll(portrait.pixels, shift, axis=1), "rgb")
        signs.add(float(np.sign(lean_matrix(other, FACE, 30)[1, 0])))
    assert signs == {-1.0, 1.0}


@pytest.mark.parametrize("text", ["fog", "blur=x", "blur=-1", "dark=nan", "dark=7", "glasses=2"])
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)
