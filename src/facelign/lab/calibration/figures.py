"""Calibration records from comparisons of known people: operating points, tail, ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from facelign.compare import curves
from facelign.compare.curves import ScoreSet
from facelign.compare.pairs import PairScores
from facelign.compare.thresholds import RULE_OF_THREE
from facelign.lab.calibration.probabilities import pav_ratios
from facelign.lab.material.named import Named, all_scores, blocks
from facelign.lab.statistics.rates import RATES
from facelign.lab.statistics.resampling import (
    DRAWS,
    ENDS,
    SEED,
    Interval,
    pair_weights,
    people_weights,
)
from facelign.types.arrays import Float64Array, IntArray
from facelign.types.calibrations import Calibration, OperatingPoint
from facelign.types.policies import VERIFY_FMR

#: the largest non-mated scores that a record keeps one by one: at least those above FMR 1.5e-3
_TAIL = (1000, 5000)
#: below the tail every kept rate is this much smaller than the one before it
_STEP = 1.02
#: scores are kept in millionths; float32 vectors of unit length bring no more
_GRID = 1_000_000

#: gives the 95 % intervals of the FMR at thresholds
Spreads = Callable[[Sequence[float]], list[tuple[float, float]]]


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What is wanted of a calibration, and what its record says about itself.

    target: the false match rate that is wanted. notes: plain data that joins those of the record.
    """

    record_id: str
    set_name: str
    date: str
    chain: Mapping[str, str] = field(default_factory=dict)
    target: float = VERIFY_FMR
    draws: int = DRAWS
    seed: int = SEED
    notes: Mapping[str, Any] = field(default_factory=dict)

    def aimed(
        self,
        fmr: float | None = None,
        fpir: float | None = None,
        *,
        templates: int = 1,
        **notes: Any,
    ) -> CalibrationRequest:
        """Return the request for a threshold at which a comparison, or a search, is wrong so often.

        fmr: of one comparison (``VERIFY_FMR`` where nothing is said). fpir: of a search among so
        many templates; of both the stricter one holds. notes: join those of the record.
        """
        target, searched = fmr or VERIFY_FMR, {}
        if fpir is not None:
            searched = {"fpir": fpir, "templates": max(templates, 1)}
            target = min(fpir / max(templates, 1), fmr or 1.0)
        return replace(self, target=target, notes={**self.notes, **searched, **notes})


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The comparisons that a threshold rests on. subjects: how many people take part in them."""

    scores: ScoreSet
    spreads: Spreads
    subjects: int

    @classmethod
    def of_people(cls, named: Named, draws: int, seed: int) -> Evidence:
        """Return all pairs of ``named`` people."""
        scores = all_scores(named)
        people = int(named.codes.max()) + 1
        weights = people_weights(people, draws=draws, seed=seed)

        def spreads(thresholds: Sequence[float]) -> list[tuple[float, float]]:
            return intervals_of_fmr(named, thresholds, weights)

        return cls(scores, spreads, people)

    @classmethod
    def of_pairs(cls, pairs: PairScores, draws: int, seed: int) -> Evidence:
        """Return listed pairs; failed ones are left out."""
        usable = pairs.where(~pairs.failed)
        return cls(usable.set, spreads_of(usable, draws, seed), usable.subjects)

    def fmr(self, threshold: float) -> Interval:
        """Return the FMR at a threshold, with its interval over people."""
        value = float(curves.fmr(self.scores, threshold))
        low, high = self.spreads([threshold])[0]
        if value == 0:
            high = max(high, RULE_OF_THREE / len(self.scores.non_mated))
        return Interval(value, min(low, value), min(max(high, value), 1.0))


def spreads_of(pairs: PairScores, draws: int, seed: int) -> Spreads:
    """Return what gives the intervals of the FMR of listed pairs, over draws of their people."""
    apart = ~pairs.same
    scores = pairs.scores[apart]

    def spreads(thresholds: Sequence[float]) -> list[tuple[float, float]]:
        table = []
        for drawn in pair_weights(pairs, draws=draws, seed=seed):
            weights = drawn[apart]
            total = weights.sum()
            if total:
                table.append([weights[scores >= t].sum() / total for t in thresholds])
        low, high = np.percentile(np.array(table), ENDS, axis=0)
        return list(zip(low.tolist(), high.tolist(), strict=True))

    return spreads


def calibrate(
    evidence: Evidence, named: Named, request: CalibrationRequest, *, listed: str = ""
) -> Calibration:
    """Return the record of ``evidence``, which the vectors ``named`` gave.

    Operating points from FMR 1e-1 down to where three over the number of non-mated comparisons
    ends, with intervals by resampling people; the tail score by score; log-likelihood ratios by
    pool adjacent violators. Two calls with the same data give the same record. ``planning.support``
    says whether the data carries a target at all. listed: digest of the list, where the pairs are
    those of a list and not all.
    """
    scores = evidence.scores
    reach = RULE_OF_THREE / len(scores.non_mated)
    rates = sorted({r for r in (*RATES, request.target) if r >= reach * (1 - 1e-9)}, reverse=True)
    thresholds = [_up(curves.threshold_at_fmr(scores, rate)) for rate in rates]
    spreads = evidence.spreads(thresholds) if rates else []
    kept = _kept_scores(scores, thresholds)
    ratio_scores, ratios = pav_ratios(scores)
    notes: dict[str, Any] = {"seed": request.seed, "draws": request.draws}
    if listed:
        notes["pairs"] = "listed"
    if named.heights is not None:
        notes["heights"] = {
            "smallest": round(float(np.min(named.heights)), 1),
            "median": round(float(np.median(named.heights)), 1),
        }
    return Calibration(
        id=request.record_id,
        space=named.space.id,
        metric=str(named.space.metric),
        chain=dict(request.chain),
        set=request.set_name,
        digest=listed or named.digest,
        date=request.date,
        subjects=evidence.subjects,
        photos=len(named.people),
        mated=len(scores.mated),
        non_mated=len(scores.non_mated),
        points=tuple(
            _point(scores, *point) for point in zip(rates, thresholds, spreads, strict=True)
        ),
        scores=kept,
        fmr=curves.fmr(scores, kept),
        llr_scores=ratio_scores,
        llr=ratios,
        non_mated_std=round(float(np.std(scores.non_mated, dtype=np.float64)), 8),
        notes=notes,
        target=request.target,
    )


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
        low, high = np.percentile(non_mated_rates(errors, photos, weights), ENDS)
        spreads.append((float(low), float(high)))
    return spreads


def non_mated_rates(
    errors: sparse.csr_matrix, photos: IntArray, weights: Float64Array
) -> Float64Array:
    """Return (draws,) shares of non-mated comparisons in error, each draw over all pairs of people.

    errors: (p, p) upper triangle, errors among the comparisons of two people. photos: (p,) photos
    of each. weights: (draws, p).
    """
    wrong = np.asarray((errors.T @ weights.T).T * weights).sum(axis=1)
    drawn = weights * photos
    every = (drawn.sum(axis=1) ** 2 - (drawn**2).sum(axis=1)) / 2
    rates: Float64Array = np.divide(wrong, every, out=np.zeros_like(wrong), where=every > 0)
    return rates
