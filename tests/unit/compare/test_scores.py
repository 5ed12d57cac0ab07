"""Scores and distances: the definitions, the border cases, the refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facelign.compare.scores import (
    Measure,
    converted,
    distance,
    listed_scores,
    measure,
    pair_scores,
    score_matrix,
    score_of,
)
from facelign.errors import BadArray, CompareError, SpaceMismatch
from facelign.types.embeddings import Embeddings, Metric, Space

VECTORS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=8),
    elements=st.floats(-100, 100, width=32),
).filter(lambda a: bool((np.linalg.norm(a.astype(np.float64), axis=1) > 1e-3).all()))


def _brute(x: np.ndarray, y: np.ndarray, scale: Measure) -> float:
    """The distance by its plain definition, one pair at a time."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    u, v = x / math.sqrt(sum(x * x)), y / math.sqrt(sum(y * y))
    return {
        Measure.COSINE: 1 - sum(u * v),
        Measure.EUCLIDEAN: math.sqrt(sum((x - y) ** 2)),
        Measure.SQUARED_EUCLIDEAN: sum((x - y) ** 2),
        Measure.UNIT_EUCLIDEAN: math.sqrt(sum((u - v) ** 2)),
        Measure.SQUARED_UNIT_EUCLIDEAN: sum((u - v) ** 2),
        Measure.ANGULAR: math.acos(min(1.0, max(-1.0, sum(u * v)))) / math.pi,
    }[scale]


@given(VECTORS, st.sampled_from(list(Measure)))
@settings(deadline=None)
def test_scores_follow_the_definition(vectors: np.ndarray, scale: Measure) -> None:
    matrix = score_matrix(vectors, vectors, scale)
    for i, x in enumerate(vectors):
        for j, y in enumerate(vectors):
            want = _brute(x, y, scale)
            # acos of a number near 1 is the least exact of the definitions
            tolerance = 1e-7 if scale in (Measure.ANGULAR, Measure.UNIT_EUCLIDEAN) else 1e-9
            assert distance(float(matrix[i, j]), scale) == pytest.approx(
                want, rel=1e-9, abs=tolerance
            )
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)


@given(VECTORS, st.sampled_from(list(Measure)))
@settings(deadline=None)
def test_identical_vectors_have_distance_exactly_zero(vectors: np.ndarray, scale: Measure) -> None:
    assert (distance(np.diag(score_matrix(vectors, vectors.copy(), scale)), scale) == 0).all()
    assert (distance(pair_scores(vectors, vectors.tolist(), scale), scale) == 0).all()


@given(VECTORS, st.sampled_from(list(Measure)))
@settings(deadline=None)
def test_pairs_are_the_diagonal(vectors: np.ndarray, scale: Measure) -> None:
    other = vectors[::-1].copy()
    np.testing.assert_allclose(
        pair_scores(vectors, other, scale),
        np.diag(score_matrix(vectors, other, scale)),
        rtol=1e-9,
        atol=1e-7,
    )


def test_large_vectors_with_small_differences_stay_exact() -> None:
    x = np.full((1, 128), 1000.0, np.float64)
    y = x.copy()
    y[0, 0] += 1e-4
    assert score_matrix(x, y, "euclidean")[0, 0] == pytest.approx(-1e-4, rel=1e-6)


def test_lists_are_accepted_and_one_vector_is_a_set_of_one() -> None:
    assert score_matrix([1.0, 0.0], [[0.0, 2.0], [3.0, 0.0]], "cosine").tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("scale", list(Measure))
def test_distance_and_score_are_inverse(scale: Measure) -> None:
    for value in (0.0, 0.25, 0.6):
        assert distance(score_of(value, scale), scale) == pytest.approx(value, abs=1e-15)
    values = np.array([0.0, 0.3])
    np.testing.assert_allclose(distance(score_of(values, scale), scale), values)


def test_zero_is_no_negative_zero() -> None:
    assert math.copysign(1, distance(0.0, "euclidean")) == 1
    assert math.copysign(1, score_of(0.0, "euclidean")) == 1


def test_conversions_known_from_the_articles() -> None:
    # article row AX-4: 0.56 squared is 0.75 plain; the rows computed from cosine
    assert converted(0.56, "squared-unit-euclidean", "unit-euclidean") == pytest.approx(
        0.7483, abs=1e-4
    )
    assert converted(0.68, "cosine", "unit-euclidean") == pytest.approx(1.166, abs=1e-3)
    assert converted(0.68, "cosine", "angular") == pytest.approx(0.396, abs=1e-3)
    assert converted(1.0, "cosine", "unit-euclidean") == pytest.approx(math.sqrt(2))
    assert converted(0.5, "euclidean", "squared-euclidean") == 0.25


@given(st.floats(0, 2), st.sampled_from([m for m in Measure if m.by_direction]))
def test_conversions_come_back(value: float, scale: Measure) -> None:
    there = converted(value, "cosine", scale)
    assert converted(there, scale, "cosine") == pytest.approx(value, abs=1e-7)


def test_scales_of_raw_and_unit_vectors_are_never_mixed() -> None:
    with pytest.raises(CompareError, match="unit"):
        converted(0.6, "euclidean", "cosine")
    with pytest.raises(BadArray):
        converted(-0.1, "cosine", "angular")
    with pytest.raises(CompareError, match="There is no metric"):
        measure("manhattan")


def _embeddings(space_id: str, vectors: np.ndarray) -> Embeddings:
    space = Space(space_id, vectors.shape[1], Metric.EUCLIDEAN, unit=False)
    return Embeddings(vectors, space, np.ones(len(vectors), np.float32))


def test_embeddings_bring_their_metric_and_refuse_strangers() -> None:
    ours = _embeddings("a/x/five", np.eye(3, dtype=np.float32))
    assert score_matrix(ours, ours)[0, 1] == pytest.approx(-math.sqrt(2))
    with pytest.raises(SpaceMismatch, match="b/x/five"):
        score_matrix(ours, _embeddings("b/x/five", np.eye(3, dtype=np.float32)))
    with pytest.raises(CompareError, match="no metric"):
        score_matrix([[1.0]], [[1.0]])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([[1.0, 2.0]], [[1.0]]),
        ([[0.0, 0.0]], [[1.0, 0.0]]),
        ([[math.nan, 0.0]], [[1.0, 0.0]]),
        ([["x", "y"]], [[1.0, 0.0]]),
        ([[[1.0]]], [[1.0]]),
    ],
)
def test_vectors_that_cannot_be_compared(a: list, b: list) -> None:
    with pytest.raises(BadArray):
        score_matrix(a, b, "cosine")


def test_pairs_need_equal_numbers() -> None:
    with pytest.raises(BadArray, match="both sides"):
        pair_scores([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], "cosine")


def test_many_identical_vectors() -> None:
    same = np.tile(np.arange(1, 9, dtype=np.float32), (150, 1))
    assert (score_matrix(same, same, "cosine") == 1).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("count", [5, 2000])
def test_listed_scores_of_few_and_of_many_pairs_are_those_of_the_matrix(
    metric: str, count: int
) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(8, 6)).astype(np.float32)
    a, b = rng.integers(-1, 8, (2, count))
    got = listed_scores(vectors, a, b, metric)
    there = (a >= 0) & (b >= 0)
    table = score_matrix(vectors, vectors, metric)
    np.testing.assert_allclose(got[there], table[a, b][there], atol=1e-12)
    # a pair without vectors must match at no threshold, also where scores are negative distances
    assert (got[~there] < got[there].min(initial=0)).all()


def test_listed_scores_need_a_direction_only_of_the_rows_they_name() -> None:
    vectors = np.array([[1.0, 0], [0, 0], [1, 1]])
    assert listed_scores(vectors, np.array([0]), np.array([2]), "cosine") == pytest.approx(0.5**0.5)
    with pytest.raises(BadArray, match="length zero"):
        listed_scores(vectors, np.array([0]), np.array([1]), "cosine")
