"""Scores and distances. A score is always larger when two faces are more alike."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray, CompareError
from facelign.types.arrays import Float64Array, FloatArray, IntArray
from facelign.types.embeddings import Embeddings, same_space


class Measure(StrEnum):
    """The scale that a distance is told on; a number without its measure means nothing.

    The first three are the native metrics of spaces (``types.embeddings.Metric``); the others are
    scales on which thresholds have been published: Euclidean distance after both vectors were
    brought to unit length (deepface's ``euclidean_l2``), its square, and the angle over pi.
    """

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "squared-euclidean"
    UNIT_EUCLIDEAN = "unit-euclidean"
    SQUARED_UNIT_EUCLIDEAN = "squared-unit-euclidean"
    ANGULAR = "angular"

    @property
    def by_direction(self) -> bool:
        """Whether only the directions of the vectors count, not their lengths."""
        return self not in (Measure.EUCLIDEAN, Measure.SQUARED_EUCLIDEAN)


#: one number, or an array of them
Value = TypeVar("Value", float, FloatArray)
#: what two sets of vectors may be given as; lists are arrays
Vectors = Embeddings | npt.ArrayLike

#: below this share of the squared lengths a squared distance is computed again from the plain
#: difference: the expanded form |a|^2 + |b|^2 - 2ab is off by about 1e-15 of them, and identical
#: vectors must give exactly 0
_NEAR = 1e-6
#: rows of a score matrix that are made at once where only some of it is wanted
_BLOCK = 512


def measure(metric: str) -> Measure:
    """Return the measure of that name; raises CompareError, which lists the names there are."""
    try:
        return Measure(str(metric))
    except ValueError as error:
        raise CompareError(
            f"There is no metric '{metric}'.", f"There are: {', '.join(Measure)}."
        ) from error


def score_matrix(a: Vectors, b: Vectors, metric: str | None = None) -> FloatArray:
    """Return every score between two sets: (n, m) float64, larger is more alike.

    a: (n, d); b: (m, d). metric: for Embeddings their own when left out. Cosine gives [-1, 1], a
    distance gives minus the distance; identical vectors give exactly 1 or 0. Raises SpaceMismatch
    for Embeddings of two spaces, BadArray for vectors that cannot be compared.
    """
    left, right, scale = _pair(a, b, metric)
    if scale.by_direction:
        left, right = _directions(left), _directions(right)
    squares = _squared_distances(left, right)
    return _scores(squares, scale)


def pair_scores(a: Vectors, b: Vectors, metric: str | None = None) -> FloatArray:
    """Return the scores of row i of ``a`` with row i of ``b``: (n,) float64.

    As ``score_matrix`` otherwise; both sets must have the same length.
    """
    left, right, scale = _pair(a, b, metric)
    if len(left) != len(right):
        raise BadArray(
            f"pairs: wanted as many vectors on both sides, got {len(left)}, {len(right)}."
        )
    if scale.by_direction:
        left, right = _directions(left), _directions(right)
    difference = left - right
    return _scores(np.einsum("nd,nd->n", difference, difference), scale)


def listed_scores(vectors: npt.ArrayLike, a: IntArray, b: IntArray, metric: str) -> Float64Array:
    """Return the scores (p,) of the vectors (n, d) in rows ``a`` (p,) with those in ``b`` (p,).

    Where a row is -1 the score is below all others, so that it matches at no threshold among them.
    """
    rows, scale = _vectors(vectors), measure(metric)
    there = np.flatnonzero((a >= 0) & (b >= 0))
    if scale.by_direction:
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not (lengths[a[there]] * lengths[b[there]]).all():
            raise BadArray("vectors: one has length zero, and no direction to compare.")
        rows = rows / np.where(lengths > 0, lengths, 1)
    scores = np.zeros(len(a))
    if len(a) > len(rows) ** 2 // 4:  # nearly every pair: the whole matrix is cheaper than picking
        for start in range(0, len(rows), _BLOCK):
            mine = there[(a[there] >= start) & (a[there] < start + _BLOCK)]
            table = _scores(_squared_distances(rows[start : start + _BLOCK], rows), scale)
            scores[mine] = table[a[mine] - start, b[mine]]
    else:
        there = there[np.argsort(a[there], kind="stable")]
        for mine in np.split(there, np.flatnonzero(np.diff(a[there])) + 1) if len(there) else ():
            one = rows[a[mine[0]]][None]
            scores[mine] = _scores(_squared_distances(one, rows[b[mine]]), scale)[0]
    lost = (a < 0) | (b < 0)
    scores[lost] = scores[~lost].min(initial=0.0) - 1
    return scores


def distance(score: Value, metric: str) -> Value:
    """Return the distance behind a score, smaller is more alike: 1 - cosine, or minus the score.

    >>> distance(0.75, "cosine"), distance(-0.6, "euclidean")
    (0.25, 0.6)
    """
    turned = (measure(metric) is Measure.COSINE) - np.asarray(score, np.float64)
    return turned if isinstance(score, np.ndarray) else float(turned)


def score_of(distance_: Value, metric: str) -> Value:
    """Return the score of a distance: the way is the same there and back.

    >>> score_of(0.6, "euclidean")
    -0.6
    """
    return distance(distance_, metric)


def converted(distance: float, source: Measure | str, target: Measure | str) -> float:
    """Return the same distance told on another scale.

    Among cosine, unit-euclidean, its square and angular it is exact for every vector; between
    euclidean and its square too. Between these two families it would be right for vectors of unit
    length only, so it is refused with CompareError: name the measure of the unit vectors instead.

    >>> round(converted(0.56, "squared-unit-euclidean", "unit-euclidean"), 3)
    0.748
    """
    start, end = measure(source), measure(target)
    if distance < 0:
        raise BadArray(f"distance: wanted 0 or more, got {distance}.")
    if start.by_direction != end.by_direction:
        raise CompareError(
            f"A distance of measure {start} cannot be told as {end} unless the vectors have unit "
            "length.",
            f"For unit vectors say '{Measure.UNIT_EUCLIDEAN}' or '{Measure.SQUARED_UNIT_EUCLIDEAN}'"
            " instead of the plain name.",
        )
    if start is Measure.COSINE:
        square = 2 * distance
    elif start is Measure.ANGULAR:
        square = 2 - 2 * math.cos(math.pi * distance)
    elif start in (Measure.EUCLIDEAN, Measure.UNIT_EUCLIDEAN):
        square = distance * distance
    else:
        square = distance
    return float(distance_from_square(np.asarray(square), end))


def distance_from_square(squares: FloatArray, scale: Measure) -> FloatArray:
    """Return distances of ``scale`` from squared Euclidean ones (of unit vectors, if it asks)."""
    if scale is Measure.COSINE:
        return squares / 2
    if scale is Measure.ANGULAR:
        return np.arccos(np.clip(1 - squares / 2, -1, 1)) / np.pi
    if scale in (Measure.EUCLIDEAN, Measure.UNIT_EUCLIDEAN):
        return np.sqrt(squares)
    return squares


def _scores(squares: FloatArray, scale: Measure) -> FloatArray:
    distances = distance_from_square(squares, scale)
    return np.clip(1 - distances, -1, 1) if scale is Measure.COSINE else 0.0 - distances


def _pair(a: Vectors, b: Vectors, metric: str | None) -> tuple[FloatArray, FloatArray, Measure]:
    if isinstance(a, Embeddings) and isinstance(b, Embeddings):
        same_space(a.space.id, b.space.id, "the other set")
    for side in (a, b):
        if metric is None and isinstance(side, Embeddings):
            metric = side.space.metric
    if metric is None:
        raise CompareError(
            "Bare vectors have no metric of their own.", "Say which metric is meant."
        )
    left, right = _vectors(a), _vectors(b)
    if left.shape[1] != right.shape[1]:
        raise BadArray(f"vectors: wanted one length, got {left.shape[1]} and {right.shape[1]}.")
    return left, right, measure(metric)


def _vectors(value: Vectors) -> FloatArray:
    array = np.asarray(value.vectors if isinstance(value, Embeddings) else value)
    if array.dtype.kind not in "fiu":
        raise BadArray(f"vectors: wanted numbers, got {array.dtype}.")
    array = array.astype(np.float64)
    if array.ndim == 1 and array.size:
        array = array[None]
    if array.ndim != 2:
        raise BadArray(f"vectors: wanted shape (n, d), got {array.shape}.")
    if not np.isfinite(array).all():
        raise BadArray("vectors: hold NaN or infinity.")
    return array


def _directions(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise BadArray("vectors: one has length zero, and no direction to compare.")
    directions: FloatArray = vectors / lengths
    return directions


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (n, m) squared Euclidean distances; exactly 0 for identical rows."""
    sizes = np.einsum("nd,nd->n", a, a)[:, None] + np.einsum("md,md->m", b, b)
    squares: FloatArray = sizes - 2 * (a @ b.T)
    rows, columns = np.nonzero(squares < _NEAR * sizes)
    for start in range(0, len(rows), 4096):  # bounded memory when all vectors are alike
        i, j = rows[start : start + 4096], columns[start : start + 4096]
        difference = a[i] - b[j]
        squares[i, j] = np.einsum("nd,nd->n", difference, difference)
    return squares
