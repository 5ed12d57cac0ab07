"""Exact search: one float32 matrix per space, every vector looked at for every probe.

No approximate index is needed below about a million faces: the product of the
matrix with a probe runs at the speed of the memory. Euclidean ranking uses |x|^2 - 2 x.q with the
norms kept, which costs the same. The few vectors that win are compared again in float64, so that
the answer does not depend on the size of a batch or the order of a sum.

The matrix lies in blocks of 16,384 vectors, each with one vector a column: BLAS reads them 1.6
times faster than rows (100,000 x 128, one thread of an EPYC: 2.5 ms against 4.0), at most the last
one is copied when the matrix grows, and a removal rewrites one block.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.types.arrays import Float32Array, FloatArray, IntArray, checked
from facelign.types.contracts import Hits, Index
from facelign.types.embeddings import Metric, Space

Real = TypeVar("Real", np.float32, np.float64)
#: vectors in a block of the matrix: 8 MB at 128 numbers
BLOCK = 16_384
#: vectors that the first block has room for; it doubles until it is full
FIRST = 256
#: scores whose maximum is kept, to find the winners without sorting all scores
_STRIDE = 256
#: vectors beyond k that are compared again: float32 may order near ties otherwise than float64
_SLACK = 8
#: scores of a batch that are held at a time, bytes
_BATCH_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The vectors of an index at one moment; it never changes, so threads may search it.

    ids: (n,) int64 rising. blocks: (d, c) float32, one vector a column, n together; of unit length
    in a cosine space. squares: (n,) float32 of squared lengths, or None in a cosine space.
    """

    ids: IntArray
    blocks: tuple[Float32Array, ...]
    squares: Float32Array | None
    space: Space

    def __len__(self) -> int:
        return len(self.ids)

    def vectors(self, places: IntArray) -> Float32Array:
        """Return (m, d) float32: the vectors at some places."""
        found: Float32Array = np.empty((len(places), self.space.dim), np.float32)
        start = 0
        for block in self.blocks:
            here = np.flatnonzero((places >= start) & (places < start + block.shape[1]))
            if len(here):
                found[here] = block[:, places[here] - start].T
            start += block.shape[1]
        return found

    def search(self, vectors: Float32Array, k: int) -> Hits:
        """Return the k vectors most like each of m probes, best first; of equal ones the older."""
        probes = checked("probes", vectors, np.float32, (None, self.space.dim))
        if self.space.metric is Metric.COSINE:
            probes = directions(probes)
        m, k = len(probes), max(0, k)
        ids: IntArray = np.full((m, k), -1, np.int64)
        scores: Float32Array = np.full((m, k), -np.inf, np.float32)
        counts: IntArray = np.full(m, min(k, len(self)), np.int64)
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

    def _rough(self, probes: Float32Array) -> Float32Array:
        """Return (m, n) float32 that order the vectors as their scores do, for each probe."""
        products: Float32Array = np.empty((len(probes), len(self)), np.float32)
        start = 0
        for block in self.blocks:
            end = start + block.shape[1]
            if len(probes) == 1:  # a vector-matrix product packs nothing
                np.dot(probes[0], block, out=products[0, start:end])
            else:
                products[:, start:end] = np.dot(probes, block)
            start = end
        if self.squares is not None:
            products *= 2
            products -= self.squares
        return products

    def _exact(self, probe: Float32Array, places: IntArray) -> FloatArray:
        """Return the scores of some vectors in float64."""
        chosen = self.vectors(places).astype(np.float64)
        wanted = probe.astype(np.float64)
        if self.space.metric is Metric.COSINE:
            chosen = directions(chosen)
            cosines: FloatArray = np.clip(chosen @ directions(wanted[None])[0], -1, 1)
            return cosines
        squares: FloatArray = np.square(chosen - wanted).sum(axis=1)
        return -(np.sqrt(squares) if self.space.metric is Metric.EUCLIDEAN else squares)


class ExactIndex(Index):
    """The index of a space. Adding and removing rewrite the blocks that they touch at most; both
    may be done while other threads search: a search sees the vectors of the moment it began.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._lock = threading.Lock()
        self._ids: IntArray = np.zeros(0, np.int64)
        self._squares: Float32Array = np.zeros(0, np.float32)
        #: the memory of each block, and how many of its columns are in use
        self._blocks: list[Float32Array] = []
        self._used: list[int] = []
        self._rows = self._view(0)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Rows:
        """The vectors of this moment."""
        return self._rows

    def add(self, ids: IntArray, vectors: Float32Array) -> None:
        """Add n vectors (n, d); their ids must rise and be larger than every id before."""
        vectors = checked("vectors", vectors, np.float32, (len(ids), self.space.dim))
        if not len(ids):
            return
        with self._lock:
            n, end = len(self), len(self) + len(ids)
            last = self._ids[n - 1] if n else -1
            if ids[0] <= last or (np.diff(ids) <= 0).any():
                raise BadArray(f"ids: wanted rising ones over {last}.")
            self._make_room(end)
            self._ids[n:end] = ids
            if self.space.metric is Metric.COSINE:
                vectors = directions(vectors)
            else:
                self._squares[n:end] = np.einsum("nd,nd->n", vectors, vectors)
            self._append(vectors)
            self._rows = self._view(end)

    def remove(self, ids: IntArray) -> int:
        """Take vectors out; returns how many there were. Their memory is given back."""
        with self._lock:
            gone = np.isin(self._rows.ids, np.asarray(ids, np.int64))
            count = int(gone.sum())
            if count:
                self._drop(gone)
                kept = len(gone) - count
                if len(self._blocks) > 1 and 2 * kept < BLOCK * len(self._blocks):
                    self._repack()
                self._rows = self._view(kept)
        return count

    def search(self, vectors: Float32Array, k: int) -> Hits:
        """Return the k templates most like each of m probes: see Rows.search."""
        return self._rows.search(vectors, k)

    def vectors(self, ids: IntArray) -> Float32Array:
        """Return (m, d) float32: the vectors of ids that are in it, as they are compared."""
        rows = self._rows
        return rows.vectors(np.searchsorted(rows.ids, ids))

    def _view(self, n: int) -> Rows:
        squares = None if self.space.metric is Metric.COSINE else self._squares[:n]
        blocks = tuple(b[:, :c] for b, c in zip(self._blocks, self._used, strict=True))
        return Rows(self._ids[:n], blocks, squares, self.space)

    def _make_room(self, n: int) -> None:
        """Make room for n ids and lengths, which are small enough to be copied."""
        held = len(self._ids)
        if n <= held:
            return
        capacity = n + n // 8 + 64
        self._ids = np.concatenate([self._ids, np.zeros(capacity - held, np.int64)])
        if self.space.metric is not Metric.COSINE:
            more = np.zeros(capacity - held, np.float32)
            self._squares = np.concatenate([self._squares, more])

    def _append(self, vectors: Float32Array) -> None:
        done = 0
        while done < len(vectors):
            if not self._used or self._used[-1] == BLOCK:
                self._blocks.append(np.empty((self.space.dim, 0), np.float32))
                self._used.append(0)
            used = self._used[-1]
            part = vectors[done : done + BLOCK - used]
            end = used + len(part)
            if end > self._blocks[-1].shape[1]:
                # a column lies across the whole block, so a small index in a large one would
                # touch all of its memory
                wide = np.empty((self.space.dim, min(BLOCK, max(FIRST, 2 * end))), np.float32)
                wide[:, :used] = self._blocks[-1][:, :used]
                self._blocks[-1] = wide
            self._blocks[-1][:, used:end] = part.T
            self._used[-1] = end
            done += len(part)

    def _drop(self, gone: npt.NDArray[np.bool_]) -> None:
        """Rewrite the blocks that lose columns, as new ones: searches may be reading the old."""
        start = 0
        blocks, used = [], []
        for block, count in zip(self._blocks, self._used, strict=True):
            kept = np.flatnonzero(~gone[start : start + count])
            start += count
            if len(kept) < count:
                fresh = np.empty_like(block)
                fresh[:, : len(kept)] = block[:, kept]
                block = fresh
            if len(kept):
                blocks.append(block)
                used.append(len(kept))
        self._ids = self._rows.ids[~gone]
        if self._rows.squares is not None:
            self._squares = self._rows.squares[~gone]
        self._blocks, self._used = blocks, used

    def _repack(self) -> None:
        """Fill the blocks again, after many removals."""
        old = [b[:, :c] for b, c in zip(self._blocks, self._used, strict=True)]
        self._blocks, self._used = [], []
        for block in old:
            self._append(block.T)


def directions(vectors: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Return rows of unit length; a row of zeros stays."""
    lengths = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    lengths[lengths == 0] = 1
    unit: npt.NDArray[Real] = vectors / lengths
    return unit


def _winners(scores: FloatArray, k: int) -> IntArray:
    """Return at least the k places with the largest scores (all of them when there are fewer).

    The k-th largest of the strides' maxima is no larger than the k-th largest score, so everything
    below it is out: one pass over the scores instead of a partition of all of them. Scores that
    differ by less than float32 can tell count as equal; of too many such, the older are taken.
    """
    n = len(scores)
    if n <= k:
        return np.arange(n)
    places = np.arange(n)
    strides = n // _STRIDE
    if strides > k:
        maxima = scores[: strides * _STRIDE].reshape(strides, _STRIDE).max(axis=1)
        floor = np.partition(maxima, strides - k)[strides - k]
        places = np.flatnonzero(scores >= floor - _blur(floor))
    near = scores[places]
    limit = np.partition(near, len(near) - k)[len(near) - k]
    blur = _blur(limit)
    sure = places[near > limit + blur]
    even = places[(near <= limit + blur) & (near >= limit - blur)]
    return np.concatenate([sure, even[: 4 * k]])


def _blur(score: float) -> float:
    """Return by how much equal vectors may differ in a float32 product of a hundred numbers."""
    return 1e-6 * max(1.0, abs(float(score)))
