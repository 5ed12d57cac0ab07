"""Error rates of weighted pairs, one cumulative sum a draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facelign.compare.pairs import PairScores
from facelign.types.arrays import BoolArray, Float64Array, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Pairs by falling score, so that weighted rates are one cumulative sum away."""

    order: IntArray
    same: BoolArray
    ends: IntArray  # last place of each run of equal scores

    @classmethod
    def of(cls, pairs: PairScores) -> Ranked:
        """Return the pairs in falling order of their scores."""
        order = np.argsort(-pairs.scores, kind="stable")
        falling = pairs.scores[order]
        ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
        return cls(order, pairs.same[order], ends)

    def figures(self, weights: Float64Array, rates: Sequence[float]) -> list[float]:
        """Return AUC, EER, then TAR at each FMR, of weighted pairs; NaN without both kinds."""
        ordered = weights[self.order]
        mated = np.append(0.0, np.cumsum(np.where(self.same, ordered, 0.0))[self.ends])
        non_mated = np.append(0.0, np.cumsum(np.where(self.same, 0.0, ordered))[self.ends])
        if not mated[-1] or not non_mated[-1]:
            return [math.nan] * (2 + len(rates))
        tar, fmr = mated / mated[-1], non_mated / non_mated[-1]
        area = float(np.sum(np.diff(fmr) * (tar[1:] + tar[:-1])) / 2)
        gap = fmr - (1 - tar)
        after = int(np.argmax(gap >= 0))
        share = gap[after - 1] / (gap[after - 1] - gap[after])
        equal = float(fmr[after - 1] + share * (fmr[after] - fmr[after - 1]))
        at = [float(tar[np.searchsorted(fmr, rate + 1e-12, side="right") - 1]) for rate in rates]
        return [area, equal, *at]
