"""Copies and strips: nothing of a photo is left out, and memory is bounded."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.detect.pyramid import copy_of, doublings, fitness, reduced, strips
from facelign.types.image import Image

sides = st.integers(1, 9000)


@given(w=sides, h=sides, overlap=st.sampled_from([64, 320]))
def test_strips_cover_the_copy_and_their_bands_meet(w: int, h: int, overlap: int) -> None:
    found = strips((w, h), 1_000_000, overlap)
    assert found[0].top == 0
    assert found[-1].bottom == h
    assert found[0].own[0] == -np.inf
    assert found[-1].own[1] == np.inf
    for above, below in pairwise(found):
        assert above.own[1] == below.own[0]
        assert above.bottom >= below.top


@given(w=sides, h=st.integers(700, 9000), middle=st.floats(0, 1), share=st.floats(0.05, 1))
def test_every_face_that_a_strip_may_keep_lies_whole_in_a_strip(
    w: int, h: int, middle: float, share: float
) -> None:
    found = strips((w, h), 1_000_000, 320)
    y = middle * h
    owner = next(s for s in found if s.own[0] <= y < s.own[1])
    if owner.tallest is None:
        assert len(found) == 1
        return
    height = share * owner.tallest
    assert owner.top <= max(0, y - height / 2)
    assert min(h, y + height / 2) <= owner.bottom


@given(w=sides, h=sides, longest=st.integers(32, 4000))
def test_a_copy_is_never_enlarged_and_near_the_side_asked_for(w: int, h: int, longest: int) -> None:
    copy = copy_of((w, h), longest, strip_px=10**9, overlap=320)
    assert copy.size[0] <= w
    assert copy.size[1] <= h
    if max(w, h) <= 2 * min(w, h):
        assert max(copy.size) <= longest * 1.25
    else:  # a long photo keeps the pixels of one that is 4:3, and a whole row or column
        assert copy.size[0] * copy.size[1] <= 0.75 * (longest * 1.25) ** 2 + max(copy.size)
    if max(w, h) <= longest:
        assert copy.size == (w, h)
    corner = copy.plane.back(np.array([copy.size[0] - 0.5, copy.size[1] - 0.5]))
    np.testing.assert_allclose(corner, [w - 0.5, h - 0.5], rtol=1e-5, atol=1e-3)


def test_rendering_leaves_pixels_alone_when_nothing_is_to_be_done() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    assert copy_of((60, 40), 2000, strip_px=10**9, overlap=1).render(pixels) is pixels
    assert copy_of((60, 40), 40, strip_px=10**9, overlap=1).render(pixels).shape == (27, 40, 3)


def test_the_best_height_is_preferred() -> None:
    heights = np.array([1.0, 80.0, 160.0, 320.0, 640.0])
    factors = fitness(heights, 320.0, 0.15)
    assert factors.argmax() == 3
    assert factors[2] == factors[4]
    assert (factors >= 0.1).all()


def test_a_photo_is_reduced_whole_and_never_enlarged() -> None:
    picture, plane = reduced(np.zeros((600, 900, 3), np.uint8), 450)
    assert picture.shape == (300, 450, 3)
    assert plane.scale == (0.5, 0.5)
    same, plane = reduced(np.zeros((30, 90, 3), np.uint8), 450)
    assert (same.shape, plane.scale) == ((30, 90, 3), (1.0, 1.0))


def test_a_photo_is_doubled_as_often_as_its_pixels_allow(caplog: pytest.LogCaptureFixture) -> None:
    photo = Image.from_array(np.zeros((100, 100), np.uint8), "gray")
    assert doublings(photo, 2, 160_000) == 2
    assert not caplog.text
    assert doublings(photo, 2, 159_999) == 1
    assert "doubled 1 times only, see max_pixels" in caplog.text
    assert doublings(photo, 0, 1) == 0
