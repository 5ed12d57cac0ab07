"""Shares of independent trials with their exact intervals."""

from __future__ import annotations

from scipy import stats

from facelign.errors import BadArray
from facelign.lab.statistics.resampling import Interval


def exact_share(hits: int, trials: int) -> Interval:
    """Return a share with its exact 95 % interval (Clopper-Pearson); raises BadArray for none."""
    if trials < 1:
        raise BadArray("share: wanted at least one trial.")
    bounds = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    return Interval(hits / trials, float(bounds.low), float(bounds.high))
