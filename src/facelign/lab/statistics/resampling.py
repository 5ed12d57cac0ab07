"""Intervals by resampling people.

Comparisons that share a person are not independent, so people are drawn, never pairs: a person
drawn twice counts twice, on both sides of a comparison (the "subsets bootstrap" of Bolle, Ratha
and Pankanti, 2004). A comparison of two people weighs the product of their counts, one of a person
with herself that person's count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from facelign.compare.pairs import PairScores
from facelign.compare.thresholds import RULE_OF_THREE
from facelign.errors import BadArray
from facelign.lab.defaults import DRAWS as DRAWS
from facelign.lab.defaults import SEED as SEED
from facelign.types.arrays import BoolArray, Float64Array

#: the ends of a 95 % interval, percent
ENDS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval (percentiles over draws of people)."""

    value: float
    low: float
    high: float

    @classmethod
    def of_draws(cls, value: float, reached: npt.ArrayLike) -> Interval:
        """Return a figure with the percentiles of what it ``reached`` in draws.

        NaN, where a draw has nothing to say, is passed over; the figure alone where none is left.
        """
        numbers = np.asarray(reached, np.float64)
        numbers = numbers[np.isfinite(numbers)]
        if not len(numbers):
            return cls(value, value, value)
        low, high = np.percentile(numbers, ENDS)
        return cls(value, float(low), float(high))

    def to_dict(self) -> dict[str, float]:
        """Return plain data."""
        return asdict(self)

    @property
    def percent(self) -> Interval:
        """The same in percent; of a difference, in points."""
        return Interval(100 * self.value, 100 * self.low, 100 * self.high)

    @property
    def points(self) -> str:
        """A difference of shares in words, with its interval: "+0.45 points (-0.10 to +1.00)"."""
        return f"{100 * self.value:+.2f} points ({self.percent.ends(2, '+')})"

    def ends(self, digits: int = 4, sign: str = "") -> str:
        """Return both ends in words. sign: "+" for differences."""
        return f"{self.low:{sign}.{digits}f} to {self.high:{sign}.{digits}f}"

    def change(self, digits: int = 4) -> str:
        """Return a difference in words, with its interval."""
        return f"{self.value:+.{digits}f} ({self.ends(digits, '+')})"


def people_weights(people: int, *, draws: int = DRAWS, seed: int = SEED) -> Float64Array:
    """Return how often each person is drawn: (draws, people) float64, rows sum to ``people``."""
    if people < 1 or draws < 1:
        raise BadArray(f"resampling: wanted people and draws, got {people} and {draws}.")
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(people, np.full(people, 1 / people), size=draws)
    return drawn.astype(np.float64)


def pair_weights(
    pairs: PairScores, *, draws: int = DRAWS, seed: int = SEED
) -> Iterator[Float64Array]:
    """Yield the weights (n,) of the pairs in each draw of the people who take part in them."""
    a, b = pairs.people
    for weights in people_weights(int(max(a.max(), b.max())) + 1, draws=draws, seed=seed):
        yield np.where(a == b, weights[a], weights[a] * weights[b])


def interval(
    statistic: Callable[[Float64Array], float],
    pairs: PairScores,
    *,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Interval:
    """Return ``statistic`` of weighted pairs with its interval over people.

    statistic: takes weights (n,) of the pairs, gives a number, or NaN where a draw has nothing to
    say (no mated pair left).
    """
    reached = [statistic(weights) for weights in pair_weights(pairs, draws=draws, seed=seed)]
    return Interval.of_draws(statistic(np.ones(len(pairs))), reached)


def share(
    pairs: PairScores, holds: BoolArray, *, draws: int = DRAWS, seed: int = SEED
) -> Interval | None:
    """Return the share of pairs of which ``holds`` (n,) is true, with its interval over people.

    None without pairs. Where it holds of none, drawing shows nothing, and the rule of 3 bounds what
    may still be there.
    """
    if not len(pairs):
        return None
    if not holds.any():
        return Interval(0.0, 0.0, min(1.0, RULE_OF_THREE / len(pairs)))

    def of_weighted(weights: Float64Array) -> float:
        total = float(weights.sum())
        return float((weights * holds).sum()) / total if total else math.nan

    return interval(of_weighted, pairs, draws=draws, seed=seed)
