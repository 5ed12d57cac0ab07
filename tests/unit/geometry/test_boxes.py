"""Boxes: properties over random sets, and cases by hand."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.geometry.boxes import area, clip, from_inclusive, from_xywh, intersection, iou, nms


@st.composite
def box_sets(draw: st.DrawFn, least: int = 0, most: int = 12) -> np.ndarray:
    n = draw(st.integers(least, most))
    rows = [
        (
            x := draw(st.floats(-50, 50)),
            y := draw(st.floats(-50, 50)),
            x + draw(st.floats(0.5, 60)),
            y + draw(st.floats(0.5, 60)),
        )
        for _ in range(n)
    ]
    return np.array(rows, np.float64).reshape(n, 4)


@given(box_sets(), box_sets())
def test_iou_is_symmetric_and_a_share(a: np.ndarray, b: np.ndarray) -> None:
    found = iou(a, b)
    assert found.shape == (len(a), len(b))
    assert np.allclose(found, iou(b, a).T)
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()
    assert np.allclose(np.diag(iou(a, a)), 1)
    assert (intersection(a, b) <= np.minimum(area(a)[:, None], area(b)[None]) + 1e-9).all()


@given(box_sets(1, 8), st.floats(-100, 100), st.floats(0.1, 10))
def test_iou_does_not_depend_on_place_and_scale(
    boxes: np.ndarray, shift: float, scale: float
) -> None:
    assert np.allclose(iou(boxes, boxes), iou(boxes * scale + shift, boxes * scale + shift))


@given(
    box_sets(0, 20),
    st.floats(0.05, 0.95),
    st.sampled_from(["union", "minimum"]),
    st.booleans(),
    st.integers(0, 1000),
)
def test_nms_is_idempotent_and_keeps_no_two_that_overlap(
    boxes: np.ndarray,
    threshold: float,
    by: Literal["union", "minimum"],
    plus_one: bool,
    seed: int,
) -> None:
    scores = np.random.default_rng(seed).permutation(len(boxes)).astype(np.float64)
    kept = nms(boxes, scores, threshold, by=by, plus_one=plus_one)
    again = nms(boxes[kept], scores[kept], threshold, by=by, plus_one=plus_one)
    assert again.tolist() == list(range(len(kept)))
    assert (np.diff(scores[kept]) < 0).all(), "best first"
    if len(boxes):
        assert kept[0] == scores.argmax()
    if by == "union" and not plus_one:
        overlaps = iou(boxes[kept], boxes[kept])
        assert (overlaps[~np.eye(len(kept), dtype=bool)] <= threshold + 1e-9).all()
        # what fell overlaps a better one that stayed
        fallen = np.setdiff1d(np.arange(len(boxes)), kept)
        for index in fallen:
            better = kept[scores[kept] > scores[index]]
            assert (iou(boxes[[index]], boxes[better]) > threshold - 1e-9).any()


def test_overlap_by_hand() -> None:
    a = np.array([[0.0, 0, 10, 10]])
    b = np.array([[5.0, 5, 15, 15], [20, 20, 30, 30], [0, 0, 5, 10]])
    assert np.allclose(iou(a, b), [[25 / 175, 0, 0.5]])
    boxes = np.concatenate([a, b])
    scores = np.array([0.5, 0.9, 0.1, 0.8])
    assert nms(boxes, scores, 0.4).tolist() == [1, 3, 2], "0 falls to 3"
    # the smaller area: 3 lies in 0 whole
    assert nms(boxes, scores, 0.6, by="minimum").tolist() == [1, 3, 2]
    assert nms(boxes, scores, 0.6).tolist() == [1, 3, 0, 2]
    # counted in whole pixels, inclusively: 11 x 11 and 6 x 11
    near = np.array([[0.0, 0, 10, 10], [0, 0, 5, 10]])
    assert nms(near, np.array([1.0, 0.5]), 66 / 121 - 0.001, plus_one=True).tolist() == [0]
    assert nms(near, np.array([1.0, 0.5]), 66 / 121 - 0.001).tolist() == [0, 1]


def test_equal_scores_keep_their_order() -> None:
    boxes = np.array([[0.0, 0, 1, 1], [5, 5, 6, 6], [9, 9, 10, 10]])
    assert nms(boxes, np.ones(3), 0.5).tolist() == [0, 1, 2]
    assert nms(boxes[:0], np.ones(0), 0.5).shape == (0,)


@given(box_sets())
def test_clipped_boxes_lie_in_the_picture(boxes: np.ndarray) -> None:
    inside = clip(boxes, (40, 30))
    assert (inside >= -0.5).all()
    assert (inside[:, [0, 2]] <= 39.5).all()
    assert (inside[:, [1, 3]] <= 29.5).all()
    assert (clip(inside, (40, 30)) == inside).all()


def test_whole_pixel_rectangles_become_edges() -> None:
    found = from_xywh(np.array([[0, 0, 1, 1], [10, 20, 30, 40]]))
    assert found.dtype == np.float32
    assert found.tolist() == [[-0.5, -0.5, 0.5, 0.5], [9.5, 19.5, 39.5, 59.5]]
    assert area(found).tolist() == [1, 1200]
    assert from_xywh(np.zeros((0, 4))).shape == (0, 4)
    with pytest.raises(ValueError, match="reshape"):
        from_xywh(np.zeros((1, 3)))


def test_inclusive_rectangles_become_edges() -> None:
    found = from_inclusive(np.array([[0, 0, 0, 0], [10, 20, 39, 59]]))
    assert found.dtype == np.float32
    assert found.tolist() == [[-0.5, -0.5, 0.5, 0.5], [9.5, 19.5, 39.5, 59.5]]
