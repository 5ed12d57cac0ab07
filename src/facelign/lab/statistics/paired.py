"""Two systems on the same comparisons: by how much is the second better, and is that certain?

People are drawn, and both systems are measured on the same draw, so that what makes a draw hard
for both does not blur the difference (STANDARDS 4.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from facelign.errors import BadArray, Refused
from facelign.lab.statistics import resampling
from facelign.lab.statistics.resampling import SEED, Interval
from facelign.lab.verification.figures import (
    RATES,
    RULES,
    Decided,
    Failures,
    PairScores,
    Ranked,
    cross_validated,
)
from facelign.types.arrays import BoolArray, Float64Array, IntArray

#: draws of people for differences; comparisons times draws are what a bootstrap costs
DRAWS = 500
_EFFORT = 100_000_000


@dataclass(frozen=True, slots=True)
class Difference:
    """The second system minus the first.

    figures: "accuracy", "auc" and "tar" with 95 % intervals over people; ``tar`` at ``rate``, and
    only where the pairs allow that rate. only_first, only_second: comparisons that only one
    decides rightly; p: McNemar's exact test on them.
    """

    figures: Mapping[str, Interval]
    rate: str
    only_first: int
    only_second: int
    p: float

    @property
    def verdict(self) -> str:
        """Say "better", "worse" or "cannot tell" of the second, by the interval of accuracy.

        Where accuracy leaves it open, the interval of TAR decides: it sees what happens at the
        low rates that products work at.
        """
        for name in ("accuracy", "tar"):
            found = self.figures.get(name)
            if found is not None and found.low > 0:
                return "better"
            if found is not None and found.high < 0:
                return "worse"
        return "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **{name: found.to_dict() for name, found in self.figures.items()},
            "tar_at": self.rate if "tar" in self.figures else None,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p": self.p,
            "verdict": self.verdict,
        }


def lowest_rate(non_mated: int, wanted: float = 1e-3) -> str:
    """Return the key of the lowest FMR, down to ``wanted``, at which the pairs can show an error.

    >>> lowest_rate(4500), lowest_rate(330)
    ('0.001', '0.01')
    """
    reached = [key for key, rate in RATES.items() if rate >= wanted and non_mated * rate >= 1]
    return reached[-1] if reached else next(iter(RATES))


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """A system's pairs, ready to be drawn from: counted, ranked and decided."""

    pairs: PairScores
    ranked: Ranked
    decided: Decided | None
    a: IntArray
    b: IntArray

    @classmethod
    def of(cls, pairs: PairScores, counting: Failures = Failures.DIFFERENT) -> System:
        """Return the system; ``decided`` is None for too few people to judge a threshold on."""
        if counting is Failures.LEFT_OUT:
            raise BadArray("paired test: leaving pairs out leaves other pairs in each system.")
        held = pairs.counted(counting)
        try:
            decided = cross_validated(held, "accuracy", RULES["accuracy"])
        except Refused:
            decided = None
        codes = np.unique(np.concatenate([held.a, held.b]), return_inverse=True)[1]
        codes = codes.astype(np.int64)
        return cls(held, Ranked.of(held), decided, codes[: len(held)], codes[len(held) :])

    def figures(self, weights: Float64Array, rates: Sequence[float]) -> list[float]:
        """Return AUC, TAR at each rate, and accuracy, of weighted pairs; NaN where undefined."""
        area, _, *tars = self.ranked.figures(weights, rates)
        accuracy = math.nan
        if self.decided is not None:
            accuracy = self.decided.weighted(self.pairs.same, weights)
        return [area, *tars, accuracy]


def differences(
    first: System,
    others: Sequence[System],
    *,
    wanted: float = 1e-3,
    draws: int = DRAWS,
    seed: int = SEED,
) -> list[Difference]:
    """Return how each of ``others`` differs from ``first``; all on the same pairs.

    Raises BadArray for systems of other pairs.
    """
    for other in others:
        if len(other.pairs) != len(first.pairs) or (other.pairs.same != first.pairs.same).any():
            raise BadArray("paired test: wanted the same comparisons for both systems.")
    key = lowest_rate(int((~first.pairs.same).sum()), wanted)
    rates = [RATES[key]] if int((~first.pairs.same).sum()) * RATES[key] >= 1 else []
    draws = max(50, min(draws, _EFFORT // (len(first.pairs) * (1 + len(others)))))
    people = int(max(first.a.max(), first.b.max())) + 1
    systems = [first, *others]
    rows = []
    ones = np.ones(len(first.pairs))
    for weights in [None, *resampling.people_weights(people, draws=draws, seed=seed)]:
        on_pairs = ones if weights is None else resampling.pair_weights(weights, first.a, first.b)
        rows.append([system.figures(on_pairs, rates) for system in systems])
    table = np.array(rows)  # (1 + draws, systems, figures)
    names = ["auc", *(["tar"] if rates else []), "accuracy"]
    return [
        _difference(first, other, names, table[:, n + 1] - table[:, 0], key)
        for n, other in enumerate(others)
    ]


def _difference(
    first: System, other: System, names: Sequence[str], gaps: Float64Array, key: str
) -> Difference:
    figures: dict[str, Interval] = {}
    for name, column in zip(names, gaps.T, strict=True):
        reached = column[1:][np.isfinite(column[1:])]
        if math.isfinite(column[0]) and len(reached):
            low, high = np.percentile(reached, [2.5, 97.5])
            figures[name] = Interval(float(column[0]), float(low), float(high))
    one = two = 0
    if first.decided is not None and other.decided is not None:
        ones, twos = _right(first), _right(other)
        one, two = int((ones & ~twos).sum()), int((twos & ~ones).sum())
    p = float(stats.binomtest(one, one + two, 0.5).pvalue) if one + two else 1.0
    return Difference(figures, key, one, two, p)


def _right(system: System) -> BoolArray:
    """Return (p,) whether each pair is decided rightly; one decided twice must be right twice."""
    right = np.ones(len(system.pairs), bool)
    if system.decided is not None:
        right[system.decided.pairs[~system.decided.right]] = False
    return right
