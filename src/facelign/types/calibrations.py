"""Calibrations: thresholds with the data, counts and intervals that earned them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import Float64Array, checked


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
class Calibration:
    """What is known about scores of one space, measured on named people.

    scores, fmr: (m,) float64, rising scores and the falling share of non-mated comparisons at or
    above them (the tail is kept score by score). llr_scores, llr: (k,) rising scores and natural
    log-likelihood ratios, monotone. chain: detector, landmarker, layout and whatever moved pixels.
    height: face heights (px, smallest and median) of the photos behind it. non_mated_std: spread
    of non-mated scores, which scales fusions.
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

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "scores", checked("scores", self.scores, np.float64, (None,)))
        put(self, "fmr", checked("fmr", self.fmr, np.float64, (len(self.scores),)))
        put(self, "llr_scores", checked("llr_scores", self.llr_scores, np.float64, (None,)))
        put(self, "llr", checked("llr", self.llr, np.float64, (len(self.llr_scores),)))
        if (np.diff(self.scores) < 0).any() or (np.diff(self.fmr) > 0).any():
            raise BadArray("calibration: scores must rise and FMR must fall.")
