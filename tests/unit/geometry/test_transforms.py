"""Affine maps: properties over random maps and points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facelign.errors import DegenerateLandmarks
from facelign.geometry.transforms import (
    affine_of_three,
    apply,
    compose,
    invert,
    scaling,
    similarity,
)


def scale_of(matrix: np.ndarray) -> float:
    """The length factor of a map: the root of its area factor."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


coordinates = st.floats(-1000, 1000, allow_nan=False, width=32)


@st.composite
def similarities(draw: st.DrawFn) -> np.ndarray:
    angle = draw(st.floats(-math.pi, math.pi))
    scale = draw(st.floats(0.05, 20))
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cos, -sin, draw(coordinates)], [sin, cos, draw(coordinates)]])


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    matrix = draw(arrays(np.float64, (2, 3), elements=st.floats(-5, 5)))
    assume(abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]) > 0.1)
    return matrix


def point_sets(least: int, most: int) -> st.SearchStrategy[np.ndarray]:
    return st.integers(least, most).flatmap(
        lambda n: arrays(np.float64, (n, 2), elements=coordinates)
    )


@given(similarities(), point_sets(2, 12))
def test_a_similarity_is_recovered_from_points(matrix: np.ndarray, points: np.ndarray) -> None:
    assume(np.ptp(points, axis=0).max() > 1)
    found = similarity(points, apply(matrix, points))
    assert np.allclose(apply(found, points), apply(matrix, points), atol=1e-5)
    assert np.allclose(found, matrix, rtol=1e-6, atol=1e-4 * (1 + np.abs(matrix).max()))


@given(point_sets(3, 8), point_sets(3, 8), similarities())
def test_no_other_similarity_fits_better(
    source: np.ndarray, target: np.ndarray, other: np.ndarray
) -> None:
    n = min(len(source), len(target))
    source, target = source[:n], target[:n]
    assume(np.ptp(source, axis=0).max() > 1)
    try:
        found = similarity(source, target)
    except DegenerateLandmarks:
        return
    residual = ((apply(found, source) - target) ** 2).sum()
    assert residual <= ((apply(other, source) - target) ** 2).sum() * (1 + 1e-9) + 1e-6
    # the linear part is a rotation with one scale, never a reflection
    (a, b, _), (c, d, _) = found
    assert (a, b) == (d, -c)
    assert a * d - b * c > 0


@given(affines(), point_sets(1, 9))
def test_inverse_undoes(matrix: np.ndarray, points: np.ndarray) -> None:
    assert np.allclose(apply(invert(matrix), apply(matrix, points)), points, atol=1e-5)
    assert np.allclose(compose(invert(matrix), matrix), np.eye(2, 3), atol=1e-7)


@given(affines(), affines(), point_sets(1, 9))
def test_composition_is_one_after_the_other(
    first: np.ndarray, second: np.ndarray, points: np.ndarray
) -> None:
    both = apply(compose(second, first), points)
    assert np.allclose(both, apply(second, apply(first, points)), atol=1e-6)
    assert scale_of(compose(second, first)) == pytest.approx(scale_of(first) * scale_of(second))


@given(affines(), point_sets(3, 3))
def test_three_points_give_their_affine_map(matrix: np.ndarray, points: np.ndarray) -> None:
    a, b = points[1] - points[0], points[2] - points[0]
    assume(abs(a[0] * b[1] - a[1] * b[0]) > 1)
    found = affine_of_three(points, apply(matrix, points))
    assert np.allclose(apply(found, points), apply(matrix, points), atol=1e-3)


@given(st.floats(0.01, 50), st.floats(0.01, 50))
def test_scaling_keeps_the_edges_of_the_picture(sx: float, sy: float) -> None:
    # the edge -0.5 stays, the edge w - 0.5 goes to w s - 0.5
    moved = apply(scaling(sx, sy), np.array([[-0.5, -0.5], [99.5, 49.5]]))
    assert np.allclose(moved, [[-0.5, -0.5], [100 * sx - 0.5, 50 * sy - 0.5]])
    assert np.allclose(scaling(sx), scaling(sx, sx))


@pytest.mark.parametrize(
    "points",
    [
        np.ones((5, 2)),
        np.full((5, 2), np.nan),
        np.array([[0.0, 0], [np.inf, 1]]),
    ],
)
def test_points_without_extent_raise(points: np.ndarray) -> None:
    with pytest.raises(DegenerateLandmarks):
        similarity(points, np.arange(2.0 * len(points)).reshape(-1, 2))


def test_what_allows_no_map_raises() -> None:
    line = np.array([[0.0, 0], [1, 1], [2, 2]])
    with pytest.raises(DegenerateLandmarks, match="line"):
        affine_of_three(line, np.eye(3, 2))
    with pytest.raises(DegenerateLandmarks):
        similarity(line, np.ones((3, 2)))
    with pytest.raises(DegenerateLandmarks):
        similarity(line, np.full((3, 2), np.nan))
    with pytest.raises(DegenerateLandmarks):
        invert(np.array([[1.0, 2, 0], [2, 4, 0]]))
    with pytest.raises(DegenerateLandmarks):
        invert(np.full((2, 3), np.nan))


def test_a_similarity_worked_by_hand() -> None:
    # a quarter turn (x to y), twice the size, moved by (3, 1)
    matrix = similarity(np.array([[0.0, 0], [1, 0]]), np.array([[3.0, 1], [3, 3]]))
    assert np.allclose(matrix, [[0, -2, 3], [2, 0, 1]])
    assert scale_of(matrix) == pytest.approx(2)
