"""Two systems on the same comparisons: by how much is the second better, and is that certain?

People are drawn, and both systems are measured on the same draw, so that what makes a draw hard
for both does not blur the difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy import stats

from facelign.compare.pairs import Failures, PairScores
from facelign.errors import BadArray, Refused
from facelign.lab.defaults import PAIRED_DRAWS, SEED
from facelign.lab.statistics.folds import RULES, Decided, cross_validated
from facelign.lab.statistics.ranked import Ranked
from facelign.lab.statistics.rates import lowest_rate, rate_text, shows
from facelign.lab.statistics.resampling import Interval, Room, pair_weights
from facelign.types.arrays import BoolArray, Float64Array
from facelign.types.policies import VERIFY_FMR

#: comparisons times draws that a bootstrap may cost
_EFFORT = 100_000_000


@dataclass(frozen=True, slots=True)
class PairedOptions:
    """How systems are held against each other. fmr: at which TAR is told. draws: of people."""

    fmr: float = VERIFY_FMR
    draws: int = PAIRED_DRAWS
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class Difference:
    """The second system minus the first.

    figures: "accuracy", "auc" and "tar" with 95 % intervals over people; ``tar`` at ``rate``, and
    only where the pairs allow that rate. only_first, only_second: comparisons that only one
    decides rightly; p: McNemar's exact test on them.
    """

    figures: Mapping[str, Interval]
    rate: float
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
            figure = self.figures.get(name)
            if figure is not None and verdict_of(figure) != "same":
                return verdict_of(figure)
        return "cannot tell"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            **{name: figure.to_dict() for name, figure in self.figures.items()},
            "tar_at": rate_text(self.rate) if "tar" in self.figures else None,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p": self.p,
            "verdict": self.verdict,
        }


def verdict_of(gap: Interval, *, larger: bool = True) -> str:
    """Say "better", "worse" or "same" of a difference, by the side of 0 on which all of it lies.

    larger: whether a larger figure is better.
    """
    if gap.low > 0:
        return "better" if larger else "worse"
    if gap.high < 0:
        return "worse" if larger else "better"
    return "same"


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """A system's pairs, ready to be drawn from: counted, ranked and decided."""

    pairs: PairScores
    ranked: Ranked
    decided: Decided | None

    @classmethod
    def of(cls, pairs: PairScores, counting: Failures = Failures.DIFFERENT) -> System:
        """Return the system; ``decided`` is None for too few people to judge a threshold on."""
        if counting is Failures.LEFT_OUT:
            raise BadArray("paired test: leaving pairs out leaves other pairs in each system.")
        counted = pairs.counted(counting)
        try:
            decided = cross_validated(counted, RULES["accuracy"])
        except Refused:
            decided = None
        return cls(counted, Ranked.of(counted), decided)

    def figures(self, weights: Float64Array, rates: Sequence[float]) -> list[float]:
        """Return AUC, TAR at each rate, and accuracy, of weighted pairs; NaN where undefined."""
        area, _, *tars = self.ranked.figures(weights, rates)
        accuracy = math.nan
        if self.decided is not None:
            accuracy = self.decided.weighted(self.pairs.same, weights)
        return [area, *tars, accuracy]

    @property
    def right(self) -> BoolArray:
        """(p,) whether a pair is decided rightly; one that is decided twice must be right twice."""
        right = np.ones(len(self.pairs), bool)
        if self.decided is not None:
            right[self.decided.pairs[~self.decided.right]] = False
        return right


def differences(
    first: System, others: Sequence[System], options: PairedOptions | None = None
) -> list[Difference]:
    """Return how each of ``others`` differs from ``first``; all on the same pairs.

    Raises BadArray for systems of other pairs.
    """
    for other in others:
        if len(other.pairs) != len(first.pairs) or (other.pairs.same != first.pairs.same).any():
            raise BadArray("paired test: wanted the same comparisons for both systems.")
    how = options or PairedOptions()
    non_mated = int((~first.pairs.same).sum())
    rate = lowest_rate(non_mated, how.fmr)
    rates = [rate] if shows(non_mated, rate) else []
    draws = max(50, min(how.draws, _EFFORT // (len(first.pairs) * (1 + len(others)))))
    systems = [first, *others]
    whole = np.ones(len(first.pairs))
    table = np.array(
        [
            [system.figures(weights, rates) for system in systems]
            for weights in chain([whole], pair_weights(first.pairs, draws=draws, seed=how.seed))
        ]
    )  # (1 + draws, systems, figures)
    names = ["auc", *(["tar"] if rates else []), "accuracy"]
    return [
        _difference(
            first, other, dict(zip(names, (table[:, n] - table[:, 0]).T, strict=True)), rate
        )
        for n, other in enumerate(others, 1)
    ]


def _difference(
    first: System, other: System, gaps: Mapping[str, Float64Array], rate: float
) -> Difference:
    figures = {
        name: Interval.of_draws(float(gap[0]), gap[1:])
        for name, gap in gaps.items()
        if math.isfinite(gap[0]) and np.isfinite(gap[1:]).any()
    }
    if not np.array_equal(first.pairs.scores, other.pairs.scores):  # or it is the same system
        left = Room.of(first.pairs)
        figures = {name: left.around_difference(name, gap) for name, gap in figures.items()}
    one = two = 0
    if first.decided is not None and other.decided is not None:
        one = int((first.right & ~other.right).sum())
        two = int((other.right & ~first.right).sum())
    p = float(stats.binomtest(one, one + two, 0.5).pvalue) if one + two else 1.0
    return Difference(figures, rate, one, two, p)
