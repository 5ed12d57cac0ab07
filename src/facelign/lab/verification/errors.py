"""Where errors come from: the people who take part in most, and photos that should be refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facelign.compare.pairs import PairScores
from facelign.errors import BadArray

#: shares that a quality number refuses: up to 20 %, over which its partial area is taken
SHARES = tuple(percent / 100 for percent in range(21))


@dataclass(frozen=True, slots=True)
class Culprit:
    """A person and the errors that she takes part in at a threshold."""

    person: int
    false_matches: int
    false_non_matches: int


def culprits(pairs: PairScores, threshold: float, most: int = 10) -> tuple[Culprit, ...]:
    """Return the people who take part in most errors, worst first."""
    match = pairs.scores >= threshold
    false_match, missed = match & ~pairs.same, ~match & pairs.same
    size = int(max(pairs.a.max(initial=0), pairs.b.max(initial=0))) + 1
    apart = np.bincount(pairs.a[false_match], minlength=size)
    apart = apart + np.bincount(pairs.b[false_match], minlength=size)
    together = np.bincount(pairs.a[missed], minlength=size)
    worst = np.argsort(-(apart + together), kind="stable")[:most]
    return tuple(
        Culprit(int(p), int(apart[p]), int(together[p])) for p in worst if apart[p] + together[p]
    )


@dataclass(frozen=True, slots=True)
class RejectCurve:
    """Error versus reject: FNMR after the worst share is refused, threshold fixed before."""

    rejected: tuple[float, ...]
    fnmr: tuple[float, ...]
    threshold: float

    @property
    def area(self) -> float:
        """Mean FNMR up to the last share: smaller is a better quality number."""
        rates, shares = np.array(self.fnmr), np.array(self.rejected)
        return float(np.sum(np.diff(shares) * (rates[1:] + rates[:-1]) / 2) / shares[-1])


def error_versus_reject(
    mated: npt.ArrayLike,
    quality: npt.ArrayLike,
    threshold: float,
    shares: Sequence[float] = SHARES,
) -> RejectCurve:
    """Return FNMR of mated scores (n,) after refusing pairs of the lowest ``quality`` (n,)."""
    scores, numbers = np.asarray(mated, np.float64), np.asarray(quality, np.float64)
    if scores.shape != numbers.shape or not len(scores):
        raise BadArray("error versus reject: wanted one quality for each mated score.")
    wrong = (scores < threshold)[np.argsort(numbers, kind="stable")]
    left = np.append(np.cumsum(wrong[::-1])[::-1], 0)
    rates = []
    for share in shares:
        out = min(round(share * len(scores)), len(scores) - 1)
        rates.append(float(left[out] / (len(scores) - out)))
    return RejectCurve(tuple(shares), tuple(rates), threshold)
