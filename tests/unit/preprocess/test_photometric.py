"""Steps that change light alone, and their canonical names."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.imaging.read import read
from facelign.imaging.write import encode
from facelign.preprocess.photometric import equalized, parse, with_clahe, with_gamma
from facelign.types.image import Image


def test_nothing_is_nothing(portrait: Image):
    for text in ("", "  ", "gamma=1"):
        assert parse(text).id == ""
        assert parse(text).apply(portrait) is portrait


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("luma-equalize", "luma-equalize"),
        (" GAMMA = 1.50 ", "gamma=1.5"),
        ("gamma", ""),
        ("clahe", "clahe=2"),
        ("clahe=2.0", "clahe=2"),
        ("gamma=0.8,clahe=3.25", "gamma=0.8+clahe=3.25"),
        ("clahe,gamma=0.8", "clahe=2+gamma=0.8"),
        ("gamma=1,luma-equalize", "luma-equalize"),
    ],
)
def test_canonical_names(text, canonical):
    steps = parse(text)
    assert steps.id == canonical
    assert parse(steps.id) == steps  # an id names its own steps
    assert "/" not in steps.id  # it is one part of a space's id


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("blur", "no step 'blur'"),
        ("gamma=", "no number"),
        ("gamma=fast", "no number"),
        ("gamma=0", "between 0.1 and 10"),
        ("gamma=nan", "between"),
        ("gamma=inf", "between"),
        ("gamma=-2", "between"),
        ("clahe=0", "between"),
        ("luma-equalize=3", "takes no number"),
        ("clahe,clahe", "named twice"),
        (",", "no step"),
        ("gamma=1.5,", "no step"),
    ],
)
def test_what_cannot_be_meant(text, told):
    with pytest.raises(ConfigError, match=told) as caught:
        parse(text)
    assert "gamma=1.5,clahe" in caught.value.hint


@given(st.floats(0.1, 10))
def test_gamma_rises_and_keeps_its_ends(gamma):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    curve = with_gamma(ramp, gamma)[0, :, 0].astype(int)
    assert curve[0] == 0
    assert curve[255] == 255
    assert (np.diff(curve) >= 0).all()
    wanted = 255 * (np.arange(256) / 255) ** (1 / gamma)
    assert np.abs(curve - wanted).max() <= 0.5 + 1e-9


def test_gamma_over_one_lightens(portrait):
    assert with_gamma(portrait.pixels, 2.0).mean() > portrait.pixels.mean() + 20
    assert with_gamma(portrait.pixels, 0.5).mean() < portrait.pixels.mean() - 20


def test_luma_is_spread_and_colors_stay(portrait):
    dark = (portrait.pixels // 4).astype(np.uint8)
    even = equalized(dark)
    luma = cv2.cvtColor(even, cv2.COLOR_RGB2YCrCb)
    before = cv2.cvtColor(dark, cv2.COLOR_RGB2YCrCb)
    assert luma[:, :, 0].max() > 250
    # the wanted luma is that of the definition, wherever no color had to be clipped
    wanted = cv2.equalizeHist(np.ascontiguousarray(before[:, :, 0]))
    whole = ((even > 0) & (even < 255)).all(axis=2)
    assert whole.mean() > 0.3
    assert np.abs(luma[:, :, 0].astype(int) - wanted)[whole].max() <= 2
    assert np.abs(luma[:, :, 1:].astype(int) - before[:, :, 1:])[whole].max() <= 2


def test_clahe_raises_local_contrast(portrait):
    flat = (portrait.pixels // 4 + 90).astype(np.uint8)
    assert with_clahe(flat).std() > 1.2 * flat.std()
    assert with_clahe(flat, 10).std() > with_clahe(flat, 1).std()


def test_apply_keeps_all_but_the_light(portrait):
    image = read(encode(portrait.pixels, "jpeg"), at_least=200)
    steps = parse("luma-equalize,gamma=1.5")
    done = steps.apply(image)
    assert (done.size, done.scale, done.digest, done.source) == (
        image.size, image.scale, image.digest, image.source,
    )  # fmt: skip
    assert np.array_equal(done.pixels, with_gamma(equalized(image.pixels), 1.5))
    whole = done.full()  # the steps hold at full size too
    assert whole.scale == 1
    assert np.array_equal(whole.pixels, steps.apply(image.full()).pixels)
    assert np.array_equal(image.pixels, read(encode(portrait.pixels, "jpeg"), at_least=200).pixels)
