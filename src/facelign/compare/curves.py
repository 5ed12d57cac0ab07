"""Error rates over thresholds, from scores whose truth is known.

One rule everywhere: a comparison matches if ``score >= threshold``. FMR is the share of non-mated
comparisons that match, FNMR the share of mated ones that do not (ISO/IEC 19795-1 terms).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray, Refused
from facelign.types.arrays import Float64Array, FloatArray, IntArray, checked


@dataclass(frozen=True, slots=True, eq=False)
class ScoreSet:
    """Scores of comparisons whose truth is known, sorted once.

    mated, non_mated: (n,), (m,) rising; float32 and float64 are kept as they come, so that millions
    of scores need no second copy of twice the size. Both must hold at least one score.
    """

    mated: FloatArray
    non_mated: FloatArray

    def __post_init__(self) -> None:
        for name in ("mated", "non_mated"):
            given = np.asarray(getattr(self, name))
            dtype = np.float32 if given.dtype == np.float32 else np.float64
            values = checked(name, given, dtype, (None,))
            if not len(values):
                raise BadArray(f"{name}: wanted at least one score.")
            rising = values if bool((values[1:] >= values[:-1]).all()) else np.sort(values)
            object.__setattr__(self, name, checked(name, rising, dtype, (None,)))

    @classmethod
    def labeled(cls, scores: npt.ArrayLike, same: npt.ArrayLike) -> ScoreSet:
        """Return the set of ``scores`` (n,) with ``same`` (n,) true for mated comparisons."""
        values, truth = np.asarray(scores), np.asarray(same, bool)
        if values.shape != truth.shape or values.ndim != 1:
            raise BadArray(f"scores: wanted one truth each, got {values.shape}, {truth.shape}.")
        return cls(values[truth], values[~truth])


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Error rates at every threshold at which they change.

    thresholds: (k,) float64 rising; the last lies just above the largest score. fmr: (k,) falls
    from 1 to 0; fnmr: (k,) rises from 0 to 1. mated, non_mated: how many comparisons.
    """

    thresholds: Float64Array
    fmr: Float64Array
    fnmr: Float64Array
    mated: int
    non_mated: int

    @property
    def tar(self) -> Float64Array:
        """(k,) 1 - fnmr: the true accept rate of the papers."""
        return 1 - self.fnmr

    def thinned(self, points: int = 2000) -> Curve:
        """Return the curve with about ``points`` points, evenly spread over its two rates.

        The ends stay. For plots and reports: 1.4 million steps draw no better than 2,000.
        """
        last = len(self.thresholds) - 1
        if last < points:
            return self
        share = points // 3
        fmr_wanted = np.logspace(-np.log10(self.non_mated), 0, share)
        fnmr_wanted = np.logspace(-np.log10(self.mated), 0, share)
        pick = np.unique(
            np.concatenate(
                [
                    np.searchsorted(-self.fmr, -fmr_wanted).clip(0, last),
                    np.searchsorted(self.fnmr, fnmr_wanted).clip(0, last),
                    np.linspace(0, last, share).astype(int),
                ]
            )
        )
        return Curve(
            self.thresholds[pick], self.fmr[pick], self.fnmr[pick], self.mated, self.non_mated
        )


def just_above(score: float) -> float:
    """Return the smallest threshold that ``score`` does not reach."""
    return float(np.nextafter(np.float64(score), np.inf))


def fmr(scores: ScoreSet, thresholds: npt.ArrayLike) -> Float64Array:
    """Return the share of non-mated scores at or above each threshold, in [0, 1]."""
    return matches(scores.non_mated, thresholds) / len(scores.non_mated)


def fnmr(scores: ScoreSet, thresholds: npt.ArrayLike) -> Float64Array:
    """Return the share of mated scores below each threshold, in [0, 1]."""
    return 1 - matches(scores.mated, thresholds) / len(scores.mated)


def matches(rising: FloatArray, thresholds: npt.ArrayLike) -> IntArray:
    """Return how many of the ``rising`` scores are at or above each threshold."""
    wanted = np.asarray(thresholds, np.float64)
    if rising.dtype == np.float32:
        # compared as float64: a threshold must not be rounded onto a score
        near = wanted.astype(np.float32)
        near = np.where(
            near.astype(np.float64) < wanted, np.nextafter(near, np.float32(np.inf)), near
        )
        return len(rising) - np.searchsorted(rising, near, side="left")
    return len(rising) - np.searchsorted(rising, wanted, side="left")


def curve(scores: ScoreSet) -> Curve:
    """Return FMR and FNMR at every distinct score and just above the largest."""
    distinct = np.union1d(scores.mated.astype(np.float64), scores.non_mated.astype(np.float64))
    thresholds = np.append(distinct, just_above(distinct[-1]))
    return Curve(
        thresholds,
        fmr(scores, thresholds),
        fnmr(scores, thresholds),
        len(scores.mated),
        len(scores.non_mated),
    )


def roc(scores: ScoreSet) -> tuple[Float64Array, Float64Array]:
    """Return (fmr, tar), both (k,) rising from (0, 0) to (1, 1)."""
    steps = curve(scores)
    return steps.fmr[::-1], steps.tar[::-1]


def det(scores: ScoreSet) -> tuple[Float64Array, Float64Array]:
    """Return (fmr, fnmr) of the detection error trade-off where both are above 0 (log axes)."""
    steps = curve(scores)
    shown = (steps.fmr > 0) & (steps.fnmr > 0)
    return steps.fmr[shown], steps.fnmr[shown]


def auc(scores: ScoreSet) -> float:
    """Return the probability that a mated score exceeds a non-mated one; ties count half.

    >>> auc(ScoreSet([0.8, 0.9], [0.1, 0.8]))
    0.875
    """
    below = np.searchsorted(scores.non_mated, scores.mated, side="left").astype(np.float64)
    upto = np.searchsorted(scores.non_mated, scores.mated, side="right")
    return float((below + upto).sum() / 2 / (len(scores.mated) * len(scores.non_mated)))


def eer(scores: ScoreSet) -> float:
    """Return the equal error rate: where the ROC, drawn as straight lines, meets FMR = FNMR."""
    steps = curve(scores)
    gap = steps.fmr - steps.fnmr  # falls from 1 to -1
    after = int(np.argmax(gap <= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    return float(steps.fmr[before] + share * (steps.fmr[after] - steps.fmr[before]))


def comparisons_needed(rate: float) -> int:
    """Return how many non-mated comparisons show an FMR at all: one error at that rate."""
    if not 0 < rate <= 1:
        raise BadArray(f"FMR: wanted a share above 0 and up to 1, got {rate}.")
    return math.ceil(1 / rate - 1e-9)


def threshold_at_fmr(scores: ScoreSet, rate: float) -> float:
    """Return the lowest threshold at which the FMR is ``rate`` or less.

    It lies just above the first non-mated score that must be kept out. Raises Refused when there
    are fewer than 1 / rate non-mated comparisons.
    """
    needed = comparisons_needed(rate)
    count = len(scores.non_mated)
    if count < needed:
        raise Refused(
            f"An FMR of {rate:g} needs {needed} non-mated comparisons, and there are {count}.",
            "Add photos of more people, or ask for a larger rate.",
        )
    allowed = math.floor(rate * count + 1e-9)
    if allowed >= count:
        return float(scores.non_mated[0])
    return just_above(float(scores.non_mated[count - 1 - allowed]))


@dataclass(frozen=True, slots=True)
class TarAtFmr:
    """TAR at a fixed FMR. tar and threshold are None where ``needs`` comparisons are not there.

    fmr: what was asked. errors: non-mated comparisons at or above the threshold.
    """

    fmr: float
    tar: float | None
    threshold: float | None
    errors: int
    needs: int


def tar_at_fmr(scores: ScoreSet, rate: float) -> TarAtFmr:
    """Return TAR at an FMR, as far as the number of non-mated comparisons allows."""
    needs = comparisons_needed(rate)
    if len(scores.non_mated) < needs:
        return TarAtFmr(rate, None, None, 0, needs)
    threshold = threshold_at_fmr(scores, rate)
    tar = 1 - float(fnmr(scores, threshold))
    return TarAtFmr(rate, tar, threshold, int(matches(scores.non_mated, threshold)), needs)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts of decisions at thresholds (k,), and what follows from them.

    A mated comparison that matches is a true match; F1 takes mated as the positive class.
    """

    thresholds: Float64Array
    true_matches: IntArray
    false_matches: IntArray
    mated: int
    non_mated: int

    @property
    def accuracy(self) -> Float64Array:
        """(k,) share of right decisions."""
        right = self.true_matches + (self.non_mated - self.false_matches)
        return right / (self.mated + self.non_mated)

    @property
    def f1(self) -> Float64Array:
        """(k,) harmonic mean of precision and recall; 0 where nothing matches."""
        return 2 * self.true_matches / (self.mated + self.true_matches + self.false_matches)

    @property
    def precision(self) -> Float64Array:
        """(k,) share of matches that are mated; 1 where nothing matches."""
        found = self.true_matches + self.false_matches
        return np.where(found > 0, self.true_matches / np.maximum(found, 1), 1.0)

    @property
    def recall(self) -> Float64Array:
        """(k,) share of mated comparisons that match."""
        return self.true_matches / self.mated


def tally(scores: ScoreSet, thresholds: npt.ArrayLike | None = None) -> Tally:
    """Return the counts at ``thresholds``, or at every threshold at which they change."""
    if thresholds is None:
        thresholds = curve(scores).thresholds
    at = np.atleast_1d(np.asarray(thresholds, np.float64))
    return Tally(
        at,
        matches(scores.mated, at),
        matches(scores.non_mated, at),
        len(scores.mated),
        len(scores.non_mated),
    )


@dataclass(frozen=True, slots=True)
class BestThreshold:
    """A threshold chosen on data, and what it reaches on the same data."""

    rule: str
    threshold: float
    f1: float
    accuracy: float


def best_by_f1(scores: ScoreSet, among: npt.ArrayLike | None = None) -> BestThreshold:
    """Return the threshold with the highest F1 (right where classes are skewed).

    Where several are equally good it is the middle of the widest stretch of them, which new scores
    are least likely to upset; of the thresholds ``among`` it is the strictest.
    """
    return _best("f1", lambda t: t.f1, scores, among)


def best_by_accuracy(scores: ScoreSet, among: npt.ArrayLike | None = None) -> BestThreshold:
    """Return the threshold with the highest accuracy; ties as in ``best_by_f1``."""
    return _best("accuracy", lambda t: t.accuracy, scores, among)


def best_at_fmr(scores: ScoreSet, rate: float) -> BestThreshold:
    """Return the lowest threshold that holds an FMR; raises Refused as ``threshold_at_fmr``."""
    at = tally(scores, threshold_at_fmr(scores, rate))
    return BestThreshold(
        f"fmr {rate:g}", float(at.thresholds[0]), float(at.f1[0]), float(at.accuracy[0])
    )


def always_different(scores: ScoreSet) -> float:
    """Return the accuracy of saying "different" every time: the baseline of skewed sets."""
    return len(scores.non_mated) / (len(scores.mated) + len(scores.non_mated))


def _best(
    rule: str,
    value: Callable[[Tally], Float64Array],
    scores: ScoreSet,
    among: npt.ArrayLike | None,
) -> BestThreshold:
    at = tally(scores, None if among is None else np.sort(np.asarray(among, np.float64).ravel()))
    reached = value(at)
    best = np.flatnonzero(reached >= reached.max() - 1e-12)
    threshold = at.thresholds[best[-1]]
    if among is None:
        # the rates at threshold k hold on the whole stretch (threshold k-1, threshold k]
        runs = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
        ends = [(at.thresholds[max(run[0] - 1, 0)], at.thresholds[run[-1]]) for run in runs]
        low, high = max(ends, key=lambda end: end[1] - end[0])
        # rounding may put the middle of a tiny stretch onto its lower end, which is outside
        threshold = high if (low + high) / 2 <= low < high else (low + high) / 2
    chosen = tally(scores, threshold)
    return BestThreshold(rule, float(threshold), float(chosen.f1[0]), float(chosen.accuracy[0]))
