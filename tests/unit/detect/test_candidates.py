"""Decoding against a plain loop, and the planes of candidates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.detect.anchors import Candidates, Cells, decode_free
from facelign.types.image import Image
from facelign.types.schemes import FIVE


def by_loop(heads, strides, width, height, threshold):
    """Cell by cell, as the source of the decoder says it."""
    found, cell = [], 0
    for stride in strides:
        for row in range(height // stride):
            for column in range(width // stride):
                raw = heads[:, cell]
                cell += 1
                a, b = (1 / (1 + math.exp(-float(logit))) for logit in raw[:2])
                score = math.sqrt(a * b)
                if score < threshold:
                    continue
                cx, cy = (column + raw[2]) * stride, (row + raw[3]) * stride
                w, h = math.exp(raw[4]) * stride, math.exp(raw[5]) * stride
                spots = [
                    ((raw[6 + 2 * n] + column) * stride, (raw[7 + 2 * n] + row) * stride)
                    for n in range(5)
                ]
                found.append((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, spots))
    assert cell == heads.shape[1]
    return found


@given(
    seed=st.integers(0, 10_000), rows=st.integers(1, 3), columns=st.integers(1, 4),
    threshold=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
)  # fmt: skip
def test_decoding_equals_a_plain_loop(seed: int, rows: int, columns: int, threshold: float) -> None:
    width, height, strides = 32 * columns, 32 * rows, (8, 16, 32)
    cells = Cells.of(width, height, strides)
    heads = np.random.default_rng(seed).normal(0, 1.5, (16, len(cells.strides)))
    heads = heads.astype(np.float32)
    want = by_loop(heads, strides, width, height, threshold)
    got = decode_free(heads, cells, threshold=threshold)
    assert got.points.shape[1:] == (5, 2)
    assert len(got) == len(want)
    for i, (x1, y1, x2, y2, score, spots) in enumerate(want):
        np.testing.assert_allclose(got.boxes[i], [x1, y1, x2, y2], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(got.scores[i], score, rtol=1e-5)
        np.testing.assert_allclose(got.points[i], spots, rtol=1e-4, atol=1e-3)


def test_points_of_a_face_are_those_on_which_its_cells_agree() -> None:
    box = np.array([10, 10, 50, 50], np.float32)
    boxes = np.stack([box, box + 2, box - 2, np.array([10, 10, 50, 110]), box + 200, box])
    scores = np.array([0.8, 0.6, 0.6, 0.7, 0.9, 0.3], np.float32)
    points = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 5, 2), np.float32)
    found = Candidates(boxes, scores, points)
    blended = found.blended(np.array([4, 0]))
    assert (blended.boxes == boxes[[4, 0]]).all()
    assert (blended.scores == scores[[4, 0]]).all()
    np.testing.assert_allclose(blended.points[0], 4, err_msg="nobody else sees that face")
    # not the fourth: it overlaps by less than half; not the last: less than half as sure
    np.testing.assert_allclose(blended.points[1], (0 * 0.8 + 1 * 0.6 + 2 * 0.6) / 2.0, rtol=1e-6)
    best = found.best_over(box, 0.4)
    assert best is not None
    np.testing.assert_allclose(best.points[0], blended.points[1])
    assert found.best_over(box + 500, 0.4) is None
    pointless = Candidates(boxes, scores, np.zeros((6, 0, 2), np.float32)).blended(np.array([0]))
    assert pointless.points.shape == (1, 0, 2)


def test_faces_of_a_reduced_photo_are_in_the_plane_of_the_file() -> None:
    image = Image(np.zeros((50, 100, 3), np.uint8), (400, 200), 0.25)
    found = Candidates(
        np.array([[9.5, 9.5, 19.5, 29.5]], np.float32),
        np.array([0.9], np.float32),
        np.full((1, 5, 2), 14.5, np.float32),
    )
    faces = found.faces("any", image, FIVE)
    np.testing.assert_allclose(faces.boxes, [[39.5, 39.5, 79.5, 119.5]])
    assert faces.landmarks is not None
    np.testing.assert_allclose(faces.landmarks.points, 59.5)
    assert faces.image_size == (400, 200)


def test_faces_are_sorted_and_impossible_boxes_left_out() -> None:
    image = Image(np.zeros((50, 50, 3), np.uint8), (50, 50))
    boxes = np.array([[0, 0, 9, 9], [5, 5, 5, 9], [20, 20, 40, 40]], np.float32)
    scores = np.array([0.3, 0.9, 0.8], np.float32)
    faces = Candidates(boxes, scores, np.zeros((3, 0, 2), np.float32)).faces("any", image, None)
    assert faces.scores.tolist() == pytest.approx([0.8, 0.3])
    assert faces.landmarks is None


def test_nothing_keeps_its_shape() -> None:
    none = Candidates.joined([], 5)
    assert none.boxes.shape == (0, 4)
    assert none.points.shape == (0, 5, 2)
    assert len(none.suppressed(0.3)) == 0
