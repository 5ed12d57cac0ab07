"""One vector for several of one person: their mean, or their geometric median."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from facelign.types.arrays import Float32Array, IntArray

#: steps of Weiszfeld's iteration; after 16 the center moves by less than 1e-3 of the spread
_STEPS = 16
#: squared distance that counts as none; float32 squares of unit vectors are off by about 1e-7
_FLOOR = np.float32(1e-6)
#: vectors of several groups that are worked on at a time, bytes: they stay in the cache
_BLOCK_BYTES = 1 << 20

#: gives (p, d) centers for (p, n, d) points: ``means`` or ``geometric_medians``
CenterOf = Callable[[Float32Array], Float32Array]


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """One center a group. groups: (p,) their numbers, rising. centers: (p, d) float32. firsts:
    (p,) the place of the first vector of each.
    """

    groups: IntArray
    centers: Float32Array = field(repr=False)
    firsts: IntArray


def means(points: Float32Array) -> Float32Array:
    """Return (p, d) float32: the mean of each of p groups of points (p, n, d)."""
    centers: Float32Array = points.mean(axis=1)
    return centers


def geometric_medians(points: Float32Array) -> Float32Array:
    """Return (p, d) float32: for p groups of points (p, n, d), the least sum of distances to them.

    Weiszfeld's iteration from the mean: the mean, weighted by one over the distance to the last
    center. It has no closed form; a floor on the distances keeps it from stopping at a point
    (Vardi and Zhang, PNAS 97, 2000, give the exact treatment, which moves the result by less than
    the floor). Of one or two points it is the mean.
    """
    centers = means(points)
    if points.shape[1] <= 2:
        return centers
    squares = np.einsum("pnd,pnd->pn", points, points)
    for _ in range(_STEPS):
        products = np.matmul(points, centers[:, :, None])[:, :, 0]
        gaps = squares - 2 * products + np.einsum("pd,pd->p", centers, centers)[:, None]
        weights = 1 / np.sqrt(np.maximum(gaps, _FLOOR))
        weights /= weights.sum(axis=1, keepdims=True)
        centers = np.matmul(weights[:, None, :], points)[:, 0]
    return centers


def by_group(
    vectors_at: Callable[[IntArray], Float32Array],
    groups: IntArray,
    dim: int,
    center_of: CenterOf = means,
) -> Grouped:
    """Return the center of every group; groups of one size are worked on together.

    vectors_at: gives (m, dim) vectors for m places. groups: (n,) number of the group at each place.
    """
    order = np.argsort(groups, kind="stable")
    numbers, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    centers = np.empty((len(numbers), dim), np.float32)
    for count in np.unique(counts):
        alike = np.flatnonzero(counts == count)
        step = max(1, _BLOCK_BYTES // (4 * dim * int(count)))
        for first in range(0, len(alike), step):
            chosen = alike[first : first + step]
            places = order[(starts[chosen][:, None] + np.arange(count)).ravel()]
            points = vectors_at(places).reshape(len(chosen), int(count), dim)
            centers[chosen] = center_of(points)
    return Grouped(numbers, centers, order[starts])
