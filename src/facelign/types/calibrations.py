"""Calibrations: thresholds with the data, counts and intervals that earned them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import Arrays, Float64Array, check
from facelign.types.policies import VERIFY_FMR


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold at one false match rate.

    fmr: nominal. threshold: score, larger is more alike, match if score >= threshold.
    interval: 95 % interval of the true FMR at this threshold (bootstrap over people).
    tar: share of mated comparisons at or above it. errors: non-mated comparisons at or above it.
    """

    fmr: float
    threshold: float
    interval: tuple[float, float]
    tar: float
    errors: int


@dataclass(frozen=True, slots=True, eq=False)
class Calibration(Arrays):
    """What is known about scores of one space, measured on named people.

    id: name of the record. space, metric: of the vectors. chain: detector, landmarker, layout and
    whatever else moved pixels. set, digest: name of the data and SHA-256 of its list of photos.
    subjects, photos, mated, non_mated: counts of people, photos and comparisons.
    points: operating points by falling FMR, as far down as three over the non-mated comparisons.
    scores, fmr: (m,) float64, rising scores and the falling share of non-mated comparisons at or
    above them; the tail is kept score by score, the last score lies above every non-mated one.
    llr_scores, llr: (k,) rising scores and natural log-likelihood ratios, monotone.
    non_mated_std: spread of non-mated scores, which scales fusions. notes: plain data beside it,
    such as ``heights`` (face heights in px behind it, smallest and median), seed and draws.
    target: the FMR that this record is meant for.
    """

    id: str
    space: str
    metric: str
    chain: Mapping[str, str]
    set: str
    digest: str
    date: str
    subjects: int
    photos: int
    mated: int
    non_mated: int
    points: tuple[OperatingPoint, ...]
    scores: Float64Array
    fmr: Float64Array
    llr_scores: Float64Array
    llr: Float64Array
    non_mated_std: float
    notes: Mapping[str, Any]
    target: float = VERIFY_FMR

    def __post_init__(self) -> None:
        check(self, np.float64, scores=("n",), fmr=("n",), llr_scores=("k",), llr=("k",))
        if len(self.scores) < 2 or self.mated < 1 or self.non_mated < 1:
            raise BadArray("calibration: wanted mated and non-mated comparisons, got none.")
        if not (np.diff(self.scores) > 0).all() or (np.diff(self.fmr) > 0).any():
            raise BadArray("calibration: scores must rise and FMR must fall.")
        if self.fmr[0] > 1 or self.fmr[-1] != 0:
            raise BadArray("calibration: FMR must end at 0, above the largest non-mated score.")
        if (np.diff(self.llr_scores) < 0).any() or (np.diff(self.llr) < 0).any():
            raise BadArray("calibration: log-likelihood ratios must rise with the score.")
        if any(not 0 <= p.interval[0] <= p.interval[1] <= 1 for p in self.points):
            raise BadArray("calibration: intervals must lie between 0 and 1.")
