"""From scores to probabilities: fitting, and how good what was fitted is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from facelign.compare.curves import ScoreSet
from facelign.errors import BadArray
from facelign.types.arrays import Float64Array, IntArray

#: cells that scores are counted in before they are fitted
_CELLS = 20_000
#: up to so many scores are fitted one by one
_SINGLY = 2_000_000


def pav_ratios(scores: ScoreSet) -> tuple[Float64Array, Float64Array]:
    """Return (k,) rising scores and (k,) rising log-likelihood ratios, natural logarithm.

    By isotonic regression (pool adjacent violators) of the truth on the score. One imaginary mated
    comparison below all others and one non-mated above keep the ratios finite: none says more than
    the counts can support.
    """
    edges, (mated, non_mated) = _cells(scores)
    mated[0] += 1
    non_mated[-1] += 1
    held = (mated + non_mated) > 0
    total = (mated + non_mated)[held]
    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(
        np.arange(len(total)), mated[held] / total, sample_weight=total
    )
    prior = math.log(mated.sum() / non_mated.sum())
    with np.errstate(divide="ignore"):
        ratios = np.log(fitted) - np.log1p(-fitted) - prior
    # a block is flat: its two ends describe it
    starts = np.flatnonzero(np.diff(ratios, prepend=-np.inf) > 1e-9)
    ends = np.append(starts[1:], len(ratios)) - 1
    lower, upper = edges[:-1][held], edges[1:][held]
    at = np.stack([lower[starts], upper[ends]], axis=1).ravel()
    values = np.repeat(ratios[starts], 2)
    return np.round(at, 7), np.maximum.accumulate(np.round(values, 4))


@dataclass(frozen=True, slots=True)
class Platt:
    """Probability of one person: ``1 / (1 + exp(-(slope * score + offset)))`` at a stated prior."""

    slope: float
    offset: float
    prior: float

    def log_likelihood_ratio(self, scores: npt.ArrayLike) -> Float64Array:
        """Return (n,) ratios: the odds without the prior that the fit has seen."""
        odds = self.slope * np.asarray(scores, np.float64) + self.offset
        ratios: Float64Array = odds - math.log(self.prior / (1 - self.prior))
        return ratios


def platt(scores: ScoreSet) -> Platt:
    """Return the logistic fit of truth on score."""
    total = len(scores.mated) + len(scores.non_mated)
    if total <= _SINGLY:
        values = np.concatenate([scores.mated, scores.non_mated]).astype(np.float64)
        truth = np.repeat([1, 0], [len(scores.mated), len(scores.non_mated)])
        counts = None
    else:  # ninety million scores of LFW, in cells far narrower than the fit can tell
        values, truth, counts = _in_cells(scores)
    # scaled for the solver's sake; a very weak penalty stands for none
    center = float(np.average(values, weights=counts))
    spread = math.sqrt(float(np.average((values - center) ** 2, weights=counts))) or 1.0
    fit = LogisticRegression(C=1e6, max_iter=1000).fit(
        ((values - center) / spread)[:, None], truth, sample_weight=counts
    )
    slope = float(fit.coef_[0, 0]) / spread
    offset = float(fit.intercept_[0]) - slope * center
    return Platt(slope, offset, len(scores.mated) / total)


def _in_cells(scores: ScoreSet) -> tuple[Float64Array, IntArray, Float64Array]:
    """Return middles of cells, truth and counts of the scores in them, without empty cells."""
    edges, counts = _cells(scores)
    middles = (edges[:-1] + edges[1:]) / 2
    filled = [np.flatnonzero(count) for count in counts]
    return (
        np.concatenate([middles[rows] for rows in filled]),
        np.repeat([1, 0], [len(rows) for rows in filled]),
        np.concatenate([c[rows] for c, rows in zip(counts, filled, strict=True)]),
    )


def _cells(scores: ScoreSet) -> tuple[Float64Array, tuple[Float64Array, Float64Array]]:
    """Return the edges of cells over the scores, and how many of either kind are in each."""
    low = float(min(scores.mated[0], scores.non_mated[0]))
    high = float(max(scores.mated[-1], scores.non_mated[-1]))
    edges = np.linspace(low, high if high > low else low + 1, _CELLS + 1)
    mated, non_mated = (
        np.histogram(kind, edges)[0].astype(np.float64) for kind in (scores.mated, scores.non_mated)
    )
    return edges, (mated, non_mated)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins of a reliability plot. Each: mean probability said, share that was true, and count."""

    said: tuple[float, ...]
    true: tuple[float, ...]
    counts: tuple[int, ...]
    kind: str

    @property
    def ece(self) -> float:
        """Expected calibration error: mean gap between said and true, weighted by count."""
        gaps = np.abs(np.subtract(self.said, self.true))
        return float(np.average(gaps, weights=self.counts))


def reliability(probabilities: npt.ArrayLike, truth: npt.ArrayLike, *, bins: int) -> Reliability:
    """Return the reliability of probabilities (n,) against truth (n,), in bins of equal mass.

    Number and kind of bins belong to the figure: it depends on both.
    """
    said, true = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    if said.shape != true.shape or said.ndim != 1 or not len(said):
        raise BadArray("reliability: wanted one truth for each probability.")
    place = np.empty(len(said), np.int64)
    for number, part in enumerate(np.array_split(np.argsort(said, kind="stable"), bins)):
        place[part] = number
    counts = np.bincount(place, minlength=bins)
    held = np.flatnonzero(counts)
    means = [np.bincount(place, v, minlength=bins)[held] / counts[held] for v in (said, true)]
    said_means, true_shares, masses = (tuple(v.tolist()) for v in (*means, counts[held]))
    return Reliability(said_means, true_shares, masses, f"{bins} bins of equal mass")


def brier(probabilities: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the mean squared difference between probability and truth, smaller is better."""
    gaps = np.asarray(probabilities, np.float64) - np.asarray(truth, np.float64)
    return float(np.mean(gaps**2))


def cllr(mated: npt.ArrayLike, non_mated: npt.ArrayLike) -> float:
    """Return the cost of log-likelihood ratios in bits: 0 perfect, 1 says nothing, more misleads.

    mated, non_mated: natural log-likelihood ratios of known comparisons.
    """
    missed = float(np.mean(np.logaddexp(0, -np.asarray(mated, np.float64))))
    misled = float(np.mean(np.logaddexp(0, np.asarray(non_mated, np.float64))))
    return (missed + misled) / (2 * math.log(2))
