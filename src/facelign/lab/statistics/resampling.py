"""Intervals by resampling people.

Comparisons that share a person are not independent, so people are drawn, never pairs: a person
drawn twice counts twice, on both sides of a comparison (STANDARDS 4.1). A comparison of two people
weighs the product of their counts, one of a person with herself that person's count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats
from scipy.sparse import csgraph

from facelign.errors import BadArray
from facelign.types.arrays import BoolArray, Float64Array, IntArray

DRAWS = 1000
SEED = 20_211


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval (percentiles over draws of people)."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return plain data."""
        return {"value": self.value, "low": self.low, "high": self.high}


def people_weights(people: int, *, draws: int = DRAWS, seed: int = SEED) -> Float64Array:
    """Return how often each person is drawn: (draws, people) float64, rows sum to ``people``."""
    if people < 1 or draws < 1:
        raise BadArray(f"resampling: wanted people and draws, got {people} and {draws}.")
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(people, np.full(people, 1 / people), size=draws)
    return drawn.astype(np.float64)


def pair_weights(weights: Float64Array, a: IntArray, b: IntArray) -> Float64Array:
    """Return the weight of comparisons (n,) of person ``a`` with person ``b`` in one draw (p,)."""
    return np.where(a == b, weights[a], weights[a] * weights[b])


def interval(
    statistic: Callable[[Float64Array], float],
    a: IntArray,
    b: IntArray,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Interval:
    """Return ``statistic`` of weighted comparisons with its interval.

    statistic: takes weights (n,) of the comparisons, gives a number, or NaN where a draw has
    nothing to say (no mated comparison left), which is then passed over.
    """
    value = statistic(np.ones(len(a)))
    reached = np.array([statistic(w) for w in _pair_draws(a, b, draws, seed)])
    reached = reached[np.isfinite(reached)]
    if not len(reached):
        return Interval(value, value, value)
    low, high = np.percentile(reached, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _pair_draws(a: IntArray, b: IntArray, draws: int, seed: int) -> Iterator[Float64Array]:
    people = int(max(a.max(initial=0), b.max(initial=0))) + 1
    for weights in people_weights(people, draws=draws, seed=seed):
        yield pair_weights(weights, a, b)


def non_mated_rates(
    errors: sparse.csr_matrix, photos: IntArray, weights: Float64Array
) -> Float64Array:
    """Return (draws,) shares of non-mated comparisons in error, each draw over all pairs of people.

    errors: (p, p) upper triangle, errors among the comparisons of two people. photos: (p,) photos
    of each. weights: (draws, p).
    """
    wrong = np.asarray((errors.T @ weights.T).T * weights).sum(axis=1)
    held = weights * photos
    every = (held.sum(axis=1) ** 2 - (held**2).sum(axis=1)) / 2
    rates: Float64Array = np.divide(wrong, every, out=np.zeros_like(wrong), where=every > 0)
    return rates


def people_of_pairs(
    a: list[str] | tuple[str, ...], b: list[str] | tuple[str, ...], same: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return person numbers (n,), (n,) of pairs of photos, where only the pairs are known.

    Photos that are joined by mated pairs show one person. The numbers are equal exactly for mated
    pairs: the second photo of a pair that contradicts others gets a number of its own.
    """
    first, second = _joined(a, b, same)
    wrong = (first == second) & ~np.asarray(same, bool)
    free = int(max(first.max(initial=-1), second.max(initial=-1))) + 1
    second[wrong] = np.arange(free, free + int(wrong.sum()))
    return first, second


def contradicted(
    a: list[str] | tuple[str, ...], b: list[str] | tuple[str, ...], same: BoolArray
) -> BoolArray:
    """Return (n,) which non-mated pairs join photos that mated pairs say show one person."""
    first, second = _joined(a, b, same)
    found: BoolArray = (first == second) & ~np.asarray(same, bool)
    return found


def _joined(
    a: list[str] | tuple[str, ...], b: list[str] | tuple[str, ...], same: BoolArray
) -> tuple[IntArray, IntArray]:
    names, codes = np.unique(np.array([*a, *b], dtype=str), return_inverse=True)
    first, second = codes[: len(a)], codes[len(a) :]
    mated = np.asarray(same, bool)
    graph = sparse.coo_matrix(
        (np.ones(int(mated.sum())), (first[mated], second[mated])), shape=(len(names), len(names))
    )
    _, person = csgraph.connected_components(graph, directed=False)
    numbers = person.astype(np.int64)
    return numbers[first], numbers[second]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much better the second of two systems is on the same comparisons.

    difference: accuracy of the second minus that of the first, with its interval over people.
    only_first, only_second: comparisons that only one of them decides rightly. p: McNemar's exact
    test, the probability of a split as uneven if both were equally good.
    """

    difference: Interval
    only_first: int
    only_second: int
    p: float

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {
            "difference": self.difference.to_dict(),
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p": self.p,
        }


def paired_difference(
    first: BoolArray,
    second: BoolArray,
    a: IntArray,
    b: IntArray,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> PairedDifference:
    """Return the difference between two systems' right decisions (n,) on the same comparisons."""
    if first.shape != second.shape or first.shape != a.shape:
        raise BadArray("paired test: wanted the same comparisons for both systems.")
    gain = second.astype(np.float64) - first.astype(np.float64)

    def mean_gain(weights: Float64Array) -> float:
        total = weights.sum()
        return float((gain * weights).sum() / total) if total else float("nan")

    one = int((first & ~second).sum())
    other = int((second & ~first).sum())
    p = float(stats.binomtest(one, one + other, 0.5).pvalue) if one + other else 1.0
    return PairedDifference(interval(mean_gain, a, b, draws=draws, seed=seed), one, other, p)
