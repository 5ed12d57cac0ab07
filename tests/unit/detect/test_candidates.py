"""Decoding against a plain loop, and the planes of candidates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.detect.anchors import Candidates, decode_free
from facelign.types.image import Image
from facelign.types.schemes import FIVE


def by_loop(classes, objects, boxes, points, stride, columns, threshold):
    found = []
    for i in range(len(classes)):
        score = math.sqrt(min(max(classes[i], 0), 1) * min(max(objects[i], 0), 1))
        if score < threshold:
            continue
        row, column = divmod(i, columns)
        cx, cy = (column + boxes[i, 0]) * stride, (row + boxes[i, 1]) * stride
        w, h = math.exp(boxes[i, 2]) * stride, math.exp(boxes[i, 3]) * stride
        spots = [
            ((points[i, 2 * n] + column) * stride, (points[i, 2 * n + 1] + row) * stride)
            for n in range(5)
        ]
        found.append((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, spots))
    return found


@given(
    seed=st.integers(0, 10_000), rows=st.integers(1, 6), columns=st.integers(1, 7),
    stride=st.sampled_from([8, 16, 32]),
)  # fmt: skip
def test_decoding_equals_a_plain_loop(seed: int, rows: int, columns: int, stride: int) -> None:
    rng = np.random.default_rng(seed)
    n = rows * columns
    raw = (
        rng.uniform(-0.2, 1.2, n), rng.uniform(-0.2, 1.2, n),
        rng.normal(0, 1, (n, 4)), rng.normal(0, 1, (n, 10)),
    )  # fmt: skip
    want = by_loop(*raw, stride, columns, 0.5)
    got = decode_free(*raw, stride=stride, columns=columns, threshold=0.5)
    assert len(got) == len(want)
    for i, (x1, y1, x2, y2, score, spots) in enumerate(want):
        np.testing.assert_allclose(got.boxes[i], [x1, y1, x2, y2], rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(got.scores[i], score, rtol=1e-5)
        np.testing.assert_allclose(got.points[i], spots, rtol=1e-4, atol=1e-3)


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
