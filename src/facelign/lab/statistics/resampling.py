"""Intervals by resampling people.

Comparisons that share a person are not independent, so people are drawn, never pairs: a person
drawn twice counts twice, on both sides of a comparison (the "subsets bootstrap" of Bolle, Ratha
and Pankanti, 2004). A comparison of two people weighs the product of their counts, one of a person
with herself that person's count.

A figure without a single error is the same in every draw, and drawing shows nothing of what may
still be there. Such a figure gets the rule of three: no error in n independent trials leaves room
for an error rate of 3/n (Hanley and Lippman-Hand, "If nothing goes wrong, is everything all
right?", JAMA 249, 1983; ISO/IEC 19795-1 takes it for biometrics).
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
#: what sums of floating-point numbers may be off by
_NOTHING = 1e-12


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

    def with_room(self, room: float, best: float = 1.0) -> Interval:
        """Return the interval with ``room`` for errors where the figure is at its ``best``.

        best: of a figure without an error, the smaller or the larger end of a rate from 0 to 1; 0
        of a difference, which then gets room to both sides.
        """
        if not math.isclose(self.value, best, abs_tol=_NOTHING):
            return self
        return Interval(self.value, min(self.low, best - room), max(self.high, best + room))

    @property
    def within(self) -> Interval:
        """The same with ends that a share can have, from 0 to 1."""
        return Interval(self.value, max(self.low, 0.0), min(self.high, 1.0))

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

    pairs: all mated, or all non-mated. None without pairs. Where it holds of none or of all, the
    rule of three bounds what may still be there.
    """
    if not len(pairs):
        return None
    if holds.all() or not holds.any():
        value = float(holds[0])
        return Interval(value, value, value).with_room(room(trials(pairs)), best=value).within

    def of_weighted(weights: Float64Array) -> float:
        total = float(weights.sum())
        return float((weights * holds).sum()) / total if total else math.nan

    return interval(of_weighted, pairs, draws=draws, seed=seed)


def trials(pairs: PairScores) -> int:
    """Return how many independent trials mated or non-mated pairs stand for, by the rule of three.

    Comparisons of one person with herself have her in common, and stand for one trial; comparisons
    of two people are counted each, as everywhere where a false match rate asks for evidence.
    """
    return len(np.unique(pairs.a)) if pairs.same.any() else len(pairs)


def room(trials: int) -> float:
    """Return the error rate that no error in so many trials leaves room for: 3/n, at most 1."""
    return min(1.0, RULE_OF_THREE / trials) if trials else 1.0


@dataclass(frozen=True, slots=True)
class Room:
    """Room for errors in figures of pairs that show none.

    Of both rates at a threshold between the kinds of pairs follows how far every figure may be from
    its best: TAR by the missed rate, EER by the larger of both rates, AUC, which is at least TAR
    times what is rightly kept apart, by their product, accuracy by their share of the pairs.
    """

    tar: float
    eer: float
    auc: float
    accuracy: float

    @classmethod
    def of(cls, pairs: PairScores) -> Room:
        """Return the room that the numbers of people and of pairs leave."""
        same = pairs.same
        missed, matched = (room(trials(pairs.where(kind))) for kind in (same, ~same))
        mated = float(same.mean())
        return cls(
            missed,
            max(missed, matched),
            1 - (1 - missed) * (1 - matched),
            mated * missed + (1 - mated) * matched,
        )

    def around(self, name: str, found: Interval) -> Interval:
        """Return a figure with its interval, with room where there was no error.

        name: "accuracy", "auc", "eer", or a TAR's, which begins with "tar".
        """
        if name == "eer":
            return found.with_room(self.eer, best=0.0).within
        return found.with_room(self._of(name)).within

    def around_difference(self, name: str, found: Interval) -> Interval:
        """Return a difference with room to both sides where no draw showed any."""
        if max(abs(found.low), abs(found.high)) > _NOTHING:
            return found
        return found.with_room(self._of(name), best=0.0)

    def _of(self, name: str) -> float:
        return self.tar if name.startswith("tar") else float(getattr(self, name))
