"""Exact search: one contiguous float32 matrix per space, every row looked at for every probe.

No approximate index is needed below about a million faces (MEASURED 3.1): the product of the
matrix with a probe runs at the speed of the memory. Euclidean ranking uses |x|^2 - 2 x.q with the
norms kept, which costs the same. The few rows that win are compared again in float64, so that the
answer does not depend on the size of a batch or the order of a sum.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import Float32Array, FloatArray, IntArray, checked
from facelign.types.contracts import Hits
from facelign.types.embeddings import Metric, Space

#: rows whose best score is kept, to find the winners without sorting all scores
_BLOCK = 256
#: rows beyond k that are compared again: float32 may order near ties otherwise than float64
_SLACK = 8
#: scores of a batch that are held at a time, bytes
_BATCH_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of an index at one moment; it never changes, so threads may search it.

    ids: (n,) int64 rising. matrix: (n, d) float32, unit rows in a cosine space. squares: (n,)
    float32 of squared lengths, or None in a cosine space.
    """

    ids: IntArray
    matrix: Float32Array
    squares: Float32Array | None
    space: Space

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, vectors: Float32Array, k: int) -> Hits:
        """Return the k rows most like each of m probes, best first; equal ones by falling age."""
        probes = checked("probes", vectors, np.float32, (None, self.space.dim))
        if self.space.metric is Metric.COSINE:
            probes = directions(probes)
        m, k = len(probes), max(0, k)
        ids = np.full((m, k), -1, np.int64)
        scores = np.full((m, k), -np.inf, np.float32)
        counts = np.full(m, min(k, len(self)), np.int64)
        step = max(1, _BATCH_BYTES // (4 * max(1, len(self))))
        for start in range(0, m if k and len(self) else 0, step):
            part = probes[start : start + step]
            for i, rough in enumerate(self._rough(part), start=start):
                winners = _winners(rough, k + _SLACK)
                exact = self._exact(probes[i], winners)
                order = np.lexsort((winners, -exact))[: counts[i]]
                ids[i, : counts[i]] = self.ids[winners[order]]
                scores[i, : counts[i]] = exact[order]
        return Hits(ids, scores, counts)

    def _rough(self, probes: Float32Array) -> FloatArray:
        """Return (m, n) float32 that order the rows as their scores do, for each probe."""
        products: FloatArray
        if len(probes) == 1:
            # a matrix-vector product reads the matrix once and packs nothing
            products = np.dot(self.matrix, probes[0])[None]
        else:
            products = np.dot(probes, self.matrix.T)
        if self.squares is None:
            return products
        products *= 2
        products -= self.squares
        return products

    def _exact(self, probe: Float32Array, rows: IntArray) -> FloatArray:
        """Return the scores of some rows in float64."""
        chosen = self.matrix[rows].astype(np.float64)
        wanted = probe.astype(np.float64)
        if self.space.metric is Metric.COSINE:
            chosen /= np.linalg.norm(chosen, axis=1, keepdims=True)
            cosines: FloatArray = np.clip(chosen @ (wanted / np.linalg.norm(wanted)), -1, 1)
            return cosines
        squares: FloatArray = np.square(chosen - wanted).sum(axis=1)
        return -(np.sqrt(squares) if self.space.metric is Metric.EUCLIDEAN else squares)


class ExactIndex:
    """The index of a space. Adding is cheap, removing copies the rest; both may be done while
    other threads search: a search sees the rows of the moment at which it began.
    """

    exact = True

    def __init__(self, space: Space) -> None:
        self.space = space
        self._lock = threading.Lock()
        self._ids = np.zeros(0, np.int64)
        self._matrix = np.zeros((0, space.dim), np.float32)
        self._squares: Float32Array | None = None
        if space.metric is not Metric.COSINE:
            self._squares = np.zeros(0, np.float32)
        self._rows = self._view(0)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Rows:
        """The rows of this moment."""
        return self._rows

    def reserve(self, count: int) -> None:
        """Make room for ``count`` further rows at once."""
        with self._lock:
            self._grow(len(self) + count)

    def add(self, ids: IntArray, vectors: Float32Array) -> None:
        """Add rows; their ids must be larger than every id before."""
        vectors = checked("vectors", vectors, np.float32, (len(ids), self.space.dim))
        if not len(ids):
            return
        with self._lock:
            n, end = len(self), len(self) + len(ids)
            last = self._ids[n - 1] if n else -1
            if ids[0] <= last or (np.diff(ids) <= 0).any():
                raise BadArray(f"ids: wanted rising ones over {last}.")
            if end > len(self._ids):
                self._grow(max(end, n + n // 8 + 64))
            self._ids[n:end] = ids
            if self._squares is None:
                self._matrix[n:end] = directions(vectors)
            else:
                self._matrix[n:end] = vectors
                self._squares[n:end] = np.einsum("nd,nd->n", vectors, vectors)
            self._rows = self._view(end)

    def remove(self, ids: IntArray) -> int:
        """Take rows out; returns how many there were. Their memory is given back."""
        with self._lock:
            gone = np.isin(self._rows.ids, np.asarray(ids, np.int64))
            count = int(gone.sum())
            if count:
                kept = ~gone
                self._ids = self._rows.ids[kept]
                self._matrix = self._rows.matrix[kept]
                if self._rows.squares is not None:
                    self._squares = self._rows.squares[kept]
                self._rows = self._view(len(self._ids))
        return count

    def search(self, vectors: Float32Array, k: int) -> Hits:
        """Return the k templates most like each of m probes: see Rows.search."""
        return self._rows.search(vectors, k)

    def _view(self, n: int) -> Rows:
        squares = None if self._squares is None else self._squares[:n]
        return Rows(self._ids[:n], self._matrix[:n], squares, self.space)

    def _grow(self, capacity: int) -> None:
        n = len(self)
        if capacity <= len(self._ids):
            return
        ids: IntArray = np.empty(capacity, np.int64)
        ids[:n] = self._ids[:n]
        matrix: Float32Array = np.empty((capacity, self.space.dim), np.float32)
        matrix[:n] = self._matrix[:n]
        if self._squares is not None:
            squares: Float32Array = np.empty(capacity, np.float32)
            squares[:n] = self._squares[:n]
            self._squares = squares
        self._ids, self._matrix = ids, matrix
        self._rows = self._view(n)


def directions(vectors: Float32Array) -> Float32Array:
    """Return rows of unit length; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float32Array = vectors / np.where(lengths > 0, lengths, 1)
    return unit


def _winners(scores: FloatArray, k: int) -> IntArray:
    """Return at least the k places with the largest scores (all of them when there are fewer).

    The k-th largest of the blocks' maxima is no larger than the k-th largest score, so everything
    below it is out: one pass over the scores instead of a partition of all of them.
    """
    n = len(scores)
    blocks = n // _BLOCK
    if blocks <= k:
        if n <= k:
            return np.arange(n)
        return np.argpartition(scores, n - k)[n - k :]
    maxima = scores[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
    limit = np.partition(maxima, blocks - k)[blocks - k]
    places = np.flatnonzero(scores >= limit)
    if len(places) > 4 * k:
        best = np.argpartition(scores[places], len(places) - k)[len(places) - k :]
        places = places[best]
    return places
