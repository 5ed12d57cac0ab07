"""Calibrations from vectors of named people; fitting of scores to probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from facelign.compare import curves
from facelign.compare.curves import ScoreSet
from facelign.compare.thresholds import RULE_OF_THREE, VERIFY_FMR
from facelign.errors import BadArray, Refused
from facelign.lab.material.named import Named, all_scores, blocks
from facelign.lab.statistics.resampling import (
    DRAWS,
    SEED,
    non_mated_rates,
    pair_weights,
    people_weights,
)
from facelign.lab.verification.figures import PairScores
from facelign.types.arrays import Float64Array, FloatArray, IntArray
from facelign.types.calibrations import Calibration, OperatingPoint

#: rates that get an operating point where the data reaches down to them
RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
#: the largest non-mated scores that a record keeps one by one: at least those above FMR 1.5e-3
_TAIL = (1000, 5000)
#: below the tail every kept rate is this much smaller than the one before it
_STEP = 1.02
#: scores are kept in millionths; float32 vectors of unit length bring no more
_GRID = 1_000_000
#: cells that scores are counted in before they are fitted
_CELLS = 20_000
#: up to so many scores are fitted one by one
_SINGLY = 2_000_000


def calibrate(
    named: Named,
    *,
    record_id: str,
    chain: Mapping[str, str],
    set_name: str,
    date: str,
    target: float = VERIFY_FMR,
    draws: int = DRAWS,
    seed: int = SEED,
    notes: Mapping[str, Any] | None = None,
) -> Calibration:
    """Return the calibration of all pairs of ``named`` people.

    Operating points from FMR 1e-1 down to where three over the number of non-mated comparisons
    ends, with intervals by resampling people; the tail score by score; log-likelihood ratios by
    pool adjacent violators. Two calls with the same data give the same record. ``support`` says
    whether the data carries a target at all.
    """
    weights = people_weights(int(named.codes.max()) + 1, draws=draws, seed=seed)
    data = _Data(
        named.space.id,
        str(named.space.metric),
        all_scores(named),
        lambda thresholds: intervals_of_fmr(named, thresholds, weights),
        len(set(named.people)),
        len(named.people),
        named.digest,
        named.heights,
    )
    return _calibration(
        data,
        _About(record_id, chain, set_name, date, target),
        {"seed": seed, "draws": draws, **(notes or {})},
    )


def calibrate_pairs(
    pairs: PairScores,
    named: Named,
    *,
    digest: str,
    record_id: str,
    chain: Mapping[str, str],
    set_name: str,
    date: str,
    target: float = VERIFY_FMR,
    draws: int = DRAWS,
    seed: int = SEED,
    notes: Mapping[str, Any] | None = None,
) -> Calibration:
    """Return the calibration of listed pairs instead of all pairs; failed ones are left out.

    named: the vectors behind the pairs. digest: names the list. The rest as ``calibrate``.
    """
    held = pairs.where(~pairs.failed)
    _, codes = np.unique(np.concatenate([held.a, held.b]), return_inverse=True)
    weights = people_weights(int(codes.max(initial=0)) + 1, draws=draws, seed=seed)
    apart = ~held.same
    a, b = codes[: len(held)][apart], codes[len(held) :][apart]
    scores = held.scores[apart]

    def spreads(thresholds: Sequence[float]) -> list[tuple[float, float]]:
        table = []
        for drawn in weights:
            of_pairs = pair_weights(drawn, a, b)
            total = of_pairs.sum()
            if total:
                table.append([of_pairs[scores >= t].sum() / total for t in thresholds])
        low, high = np.percentile(np.array(table), [2.5, 97.5], axis=0)
        return [(float(x), float(y)) for x, y in zip(low, high, strict=True)]

    data = _Data(
        named.space.id,
        str(named.space.metric),
        held.set,
        spreads,
        int(codes.max(initial=0)) + 1,
        len(named.people),
        digest,
        named.heights,
    )
    return _calibration(
        data,
        _About(record_id, chain, set_name, date, target),
        {"seed": seed, "draws": draws, "pairs": "listed", **(notes or {})},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """What a record is made from. spreads: 95 % intervals of the FMR at thresholds."""

    space: str
    metric: str
    scores: ScoreSet
    spreads: Callable[[Sequence[float]], list[tuple[float, float]]]
    subjects: int
    photos: int
    digest: str
    heights: FloatArray | None


@dataclass(frozen=True, slots=True)
class _About:
    """What a record says about itself."""

    record_id: str
    chain: Mapping[str, str]
    set_name: str
    date: str
    target: float


def _calibration(data: _Data, about: _About, notes: dict[str, Any]) -> Calibration:
    scores = data.scores
    reach = RULE_OF_THREE / len(scores.non_mated)
    rates = sorted({r for r in (*RATES, about.target) if r >= reach * (1 - 1e-9)}, reverse=True)
    thresholds = [_up(curves.threshold_at_fmr(scores, rate)) for rate in rates]
    points = tuple(
        _point(scores, rate, threshold, spread)
        for rate, threshold, spread in zip(
            rates, thresholds, data.spreads(thresholds) if rates else [], strict=True
        )
    )
    kept = _kept_scores(scores, thresholds)
    ratio_scores, ratios = pav_ratios(scores)
    if data.heights is not None:
        notes["heights"] = {
            "smallest": round(float(np.min(data.heights)), 1),
            "median": round(float(np.median(data.heights)), 1),
        }
    return Calibration(
        id=about.record_id,
        space=data.space,
        metric=data.metric,
        chain=dict(about.chain),
        set=about.set_name,
        digest=data.digest,
        date=about.date,
        subjects=data.subjects,
        photos=data.photos,
        mated=len(scores.mated),
        non_mated=len(scores.non_mated),
        points=points,
        scores=kept,
        fmr=curves.fmr(scores, kept),
        llr_scores=ratio_scores,
        llr=ratios,
        non_mated_std=round(float(np.std(scores.non_mated, dtype=np.float64)), 8),
        notes=notes,
        target=about.target,
    )


def support(calibration: Calibration, *, every_pair: int = 0) -> None:
    """Raise Refused, with what is missing, where the data does not carry the target.

    Three over the non-mated comparisons must not exceed it, nor may the upper bound of its
    interval exceed ten times the target. every_pair: non-mated comparisons of all pairs of the
    photos, where the record is one of listed pairs only.
    """
    needed = needed_comparisons(calibration.target)
    if calibration.non_mated < needed:
        raise Refused(
            f"An FMR of {calibration.target:g} needs {needed:,} non-mated comparisons, and there "
            f"{'is' if calibration.non_mated == 1 else 'are'} {calibration.non_mated:,} (3 over "
            "their number must not exceed it).",
            _more_pairs(calibration, needed, every_pair)
            if calibration.notes.get("pairs") == "listed"
            else more_people(needed, calibration.subjects, calibration.photos),
        )
    point = next(p for p in calibration.points if math.isclose(p.fmr, calibration.target))
    if point.interval[1] > 10 * calibration.target:
        # the width over people shrinks with the root of their number
        excess = point.interval[1] / (10 * calibration.target)
        missing = math.ceil(calibration.subjects * (excess**2 - 1))
        raise Refused(
            f"The FMR at this threshold may be {point.interval[1]:.2g} (95 % interval over "
            f"{calibration.subjects} people), over ten times the target of {calibration.target:g}.",
            f"Add photos of {_people(max(missing, 1))}.",
        )


def needed_comparisons(target: float) -> int:
    """Return how many non-mated comparisons an FMR takes, by the rule of 3."""
    return math.ceil(RULE_OF_THREE / target * (1 - 1e-12))


def more_people(needed: int, subjects: int, photos: int) -> str:
    """Return the hint of how many people are missing, with as many photos each as there are."""
    per_person = max(photos / max(subjects, 1), 1.0)
    people = math.ceil((1 + math.sqrt(1 + 8 * needed / per_person**2)) / 2)
    return f"Add photos of {_people(max(people - subjects, 1))}."


def _more_pairs(calibration: Calibration, needed: int, every_pair: int) -> str:
    """Return the hint for a list: its pairs do not multiply with people, they are listed."""
    pairs = needed - calibration.non_mated
    people = math.ceil(calibration.subjects * pairs / calibration.non_mated)
    listed = f"list about {pairs:,} more non-mated pairs, of {_people(people)} at the same rate"
    if every_pair < needed:
        return f"{listed[0].upper()}{listed[1:]}."
    return (
        f"Leave --pairs out, since all pairs of these photos give {every_pair:,} non-mated "
        f"comparisons, or {listed}."
    )


def _people(count: int) -> str:
    return f"about {count:,} more {'person' if count == 1 else 'people'}"


def plan(target: float, photos_per_person: float = 1.0) -> dict[str, int]:
    """Return how many comparisons, people and photos an FMR claim needs.

    "least": by the rule of 3, no error allowed for; "sound": 30 errors, for +-30 % at 90 %
    confidence if comparisons were independent (STANDARDS 4.1).
    """
    if not 0 < target <= 1 or photos_per_person < 1:
        raise BadArray("plan: wanted an FMR in (0, 1] and at least one photo a person.")
    figures: dict[str, int] = {}
    for name, errors in (("least", 3), ("sound", 30)):
        pairs = math.ceil(errors / target - 1e-9)
        people = math.ceil((1 + math.sqrt(1 + 8 * pairs / photos_per_person**2)) / 2)
        figures |= {
            f"{name}_comparisons": pairs,
            f"{name}_people": people,
            f"{name}_photos": math.ceil(people * photos_per_person),
        }
    return figures


def pav_ratios(scores: ScoreSet) -> tuple[Float64Array, Float64Array]:
    """Return (k,) rising scores and (k,) rising log-likelihood ratios, natural logarithm.

    By isotonic regression (pool adjacent violators) of the truth on the score. One imaginary mated
    comparison below all others and one non-mated above keep the ratios finite: none says more than
    the counts can support.
    """
    low = float(min(scores.mated[0], scores.non_mated[0]))
    high = float(max(scores.mated[-1], scores.non_mated[-1]))
    edges = np.linspace(low, high if high > low else low + 1, _CELLS + 1)
    mated = np.histogram(scores.mated, edges)[0].astype(np.float64)
    non_mated = np.histogram(scores.non_mated, edges)[0].astype(np.float64)
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

    def probability(self, scores: npt.ArrayLike) -> Float64Array:
        """Return probabilities (n,) in [0, 1]."""
        odds = self.slope * np.asarray(scores, np.float64) + self.offset
        return 0.5 * (1 + np.tanh(odds / 2))

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
    low = float(min(scores.mated[0], scores.non_mated[0]))
    high = float(max(scores.mated[-1], scores.non_mated[-1]))
    edges = np.linspace(low, high if high > low else low + 1, _CELLS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    counts = [np.histogram(kind, edges)[0] for kind in (scores.mated, scores.non_mated)]
    held = [np.flatnonzero(count) for count in counts]
    return (
        np.concatenate([middles[rows] for rows in held]),
        np.repeat([1, 0], [len(rows) for rows in held]),
        np.concatenate([c[r] for c, r in zip(counts, held, strict=True)]).astype(np.float64),
    )


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


def reliability(
    probabilities: npt.ArrayLike, truth: npt.ArrayLike, *, bins: int = 15, equal_mass: bool = False
) -> Reliability:
    """Return the reliability of probabilities (n,) against truth (n,), in bins of equal width.

    equal_mass: bins with equally many comparisons instead. Number and kind of bins belong to the
    figure: it depends on both.
    """
    said, true = np.asarray(probabilities, np.float64), np.asarray(truth, bool)
    if said.shape != true.shape or said.ndim != 1 or not len(said):
        raise BadArray("reliability: wanted one truth for each probability.")
    if equal_mass:
        place = np.empty(len(said), np.int64)
        for number, part in enumerate(np.array_split(np.argsort(said, kind="stable"), bins)):
            place[part] = number
    else:
        place = np.minimum((said * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    held = np.flatnonzero(counts)
    means = [np.bincount(place, v, minlength=bins)[held] / counts[held] for v in (said, true)]
    return Reliability(
        tuple(means[0].tolist()),
        tuple(means[1].tolist()),
        tuple(counts[held].tolist()),
        f"{bins} bins of equal {'mass' if equal_mass else 'width'}",
    )


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


def _up(score: float) -> float:
    """Return the score rounded to the kept digits, upwards: a threshold gets no looser."""
    return math.ceil(score * _GRID - 1e-9) / _GRID


def _kept_scores(scores: ScoreSet, thresholds: Sequence[float]) -> Float64Array:
    """Return the scores that a record keeps: its thresholds, a grid, the tail, and one above."""
    count = len(scores.non_mated)
    tail = min(max(_TAIL[0], math.ceil(1.5e-3 * count)), _TAIL[1], count)
    steps = math.ceil(math.log(max(count / tail, 1)) / math.log(_STEP)) + 1
    ranks = np.unique(np.geomspace(tail, count, steps).astype(np.int64))
    picked = np.concatenate([scores.non_mated[-tail:], scores.non_mated[count - ranks]])
    down = np.floor(picked.astype(np.float64) * _GRID) / _GRID
    last = _up(curves.just_above(float(scores.non_mated[-1])))
    if last <= scores.non_mated[-1]:
        last += 1 / _GRID
    # Rounding may move a float by its last bit, so the highest score is rounded before it bounds.
    every = np.round(np.concatenate([down, thresholds, [last]]), 6)
    return np.unique(every[every <= every[-1]])


def _point(
    scores: ScoreSet, rate: float, threshold: float, spread: tuple[float, float]
) -> OperatingPoint:
    errors = int(curves.matches(scores.non_mated, threshold))
    tar = 1 - float(curves.fnmr(scores, threshold))
    own = errors / len(scores.non_mated)
    low, high = _digits(min(spread[0], own), math.floor), _digits(max(spread[1], own), math.ceil)
    return OperatingPoint(rate, threshold, (low, min(high, 1.0)), round(tar, 6), errors)


def _digits(value: float, direction: Callable[[float], int]) -> float:
    """Return the value with three digits, the last one rounded in ``direction``."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{direction(value / unit) * unit:.3g}")


def intervals_of_fmr(
    named: Named, thresholds: Sequence[float], weights: Float64Array
) -> list[tuple[float, float]]:
    """Return the 95 % interval of the FMR of all pairs at each threshold, over draws of people.

    weights: (draws, people), how often each is drawn.
    """
    codes = named.codes.astype(np.int32)
    people = weights.shape[1]
    photos = np.bincount(codes, minlength=people)
    order = np.sort(np.asarray(thresholds, np.float64))
    # Every error once, with the number of thresholds that it reaches: at an FMR of 0.1 they are
    # eight million pairs of LFW.
    parts: list[tuple[npt.NDArray[np.int32], ...]] = []
    for i, j, scores in blocks(named):
        reached = np.searchsorted(order, scores.astype(np.float64), side="right").astype(np.int32)
        wrong = (reached > 0) & (codes[i] != codes[j])
        parts.append((codes[i[wrong]], codes[j[wrong]], reached[wrong]))
    p, q, reached = (np.concatenate(column) for column in zip(*parts, strict=True))
    spreads = []
    for threshold in thresholds:
        wrong = reached > int(np.searchsorted(order, threshold, side="left"))
        errors = sparse.coo_matrix(
            (np.ones(int(wrong.sum()), np.float32), (p[wrong], q[wrong])), shape=(people, people)
        ).tocsr()
        low, high = np.percentile(non_mated_rates(errors, photos, weights), [2.5, 97.5])
        spreads.append((float(low), float(high)))
    return spreads
