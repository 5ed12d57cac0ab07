"""Does a threshold hold on people who did not choose it? Halves of the people, each way.

The people of a set are cut into two halves. A threshold is chosen, and scores are mapped to
probabilities, on one half alone; the other half says what they are worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facelign.compare import curves
from facelign.compare.curves import ScoreSet
from facelign.compare.pairs import PairScores
from facelign.errors import Refused
from facelign.lab.calibration.figures import Evidence, spreads_of
from facelign.lab.calibration.probabilities import (
    Reliability,
    brier,
    cllr,
    pav_ratios,
    platt,
    reliability,
)
from facelign.lab.material.named import Named
from facelign.lab.plain import PlainRecord
from facelign.lab.statistics.resampling import DRAWS, SEED, Interval
from facelign.types.arrays import BoolArray, Float64Array, IntArray

#: bins of equal mass of the reliability figures
BINS = 15


@dataclass(frozen=True, slots=True)
class Check(PlainRecord):
    """A threshold chosen on one half of the people and judged on the other.

    stated: 95 % interval of its FMR on the half that chose it. observed: FMR on the other half,
    with its own interval. subjects, non_mated: of the other half.
    """

    TOLD = "threshold target stated observed fnmr subjects non_mated inside compatible"

    threshold: float
    target: float
    stated: tuple[float, float]
    observed: Interval
    fnmr: float
    subjects: int
    non_mated: int

    @property
    def inside(self) -> bool:
        """Whether the observed FMR lies in the stated interval."""
        return self.stated[0] <= self.observed.value <= self.stated[1]

    @property
    def compatible(self) -> bool:
        """Whether the two intervals overlap: both halves are samples."""
        return self.stated[0] <= self.observed.high and self.observed.low <= self.stated[1]


@dataclass(frozen=True, slots=True)
class Mapped(PlainRecord):
    """How good probabilities are on people that the map has not seen, at even odds.

    As many non-mated as mated comparisons are looked at, drawn by seed, so that the figures do not
    drown in millions of easy ones. ece: expected calibration error, bins of equal mass. brier:
    mean squared error. cllr: cost of the log-likelihood ratios in bits.
    """

    TOLD = "method ece bins brier cllr"

    method: str
    ece: float
    brier: float
    cllr: float
    reliability: Reliability

    @property
    def bins(self) -> str:
        """Number and kind of the bins of ``ece``, which depends on both."""
        return self.reliability.kind


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut(PlainRecord):
    """Both ways round: thresholds, and maps to probabilities; empty where there is too little."""

    TOLD = "checks probabilities=maps notes"

    checks: tuple[Check, ...]
    maps: tuple[Mapped, ...]
    notes: tuple[str, ...]


def of_people(named: Named, target: float, *, draws: int = DRAWS, seed: int = SEED) -> HeldOut:
    """Return what halves of the people say about a threshold at FMR ``target``, all pairs."""
    mine = _half_of(named.codes, seed)[named.codes]
    try:
        halves = [Evidence.of_people(named.where(mask), draws, seed) for mask in (mine, ~mine)]
    except Refused as error:
        return HeldOut((), (), (f"No held-out check: half of the people: {error.message}",))
    return _both_ways(halves, target, seed)


def of_pairs(pairs: PairScores, target: float, *, draws: int = DRAWS, seed: int = SEED) -> HeldOut:
    """Return the same for listed pairs; pairs across the two halves take no part."""
    usable = pairs.where(~pairs.failed)
    mine = _half_of(np.concatenate([usable.a, usable.b]), seed)
    a, b = mine[usable.a], mine[usable.b]
    parts = [usable.where(a & b), usable.where(~a & ~b)]
    if any(len(np.unique(part.same)) < 2 for part in parts):
        why = "a half of the people has no mated or no non-mated pairs"
        return HeldOut((), (), (f"No held-out check: {why}.",))
    halves = [
        Evidence(part.set, spreads_of(part.where(~part.same), draws, seed), part.subjects)
        for part in parts
    ]
    return _both_ways(halves, target, seed)


def _half_of(codes: IntArray, seed: int) -> BoolArray:
    """Return (people,) bool: the half that each number belongs to."""
    people = int(codes.max()) + 1
    inside = np.zeros(people, bool)
    inside[np.random.default_rng(seed).permutation(people)[: people // 2]] = True
    return inside


def _both_ways(halves: list[Evidence], target: float, seed: int) -> HeldOut:
    checks, notes = [], []
    for mine, other in (halves, halves[::-1]):
        try:
            threshold = curves.threshold_at_fmr(mine.scores, target)
        except Refused as error:
            notes.append(f"No held-out check of the threshold: half of the people: {error.message}")
            break
        stated = mine.fmr(threshold)
        checks.append(
            Check(
                threshold,
                target,
                (stated.low, stated.high),
                other.fmr(threshold),
                float(curves.fnmr(other.scores, threshold)),
                other.subjects,
                len(other.scores.non_mated),
            )
        )
    return HeldOut(tuple(checks), _maps(halves[0].scores, halves[1].scores, seed), tuple(notes))


def _maps(fitted: ScoreSet, judged: ScoreSet, seed: int) -> tuple[Mapped, ...]:
    """Return the maps fitted on one half and judged on the other, at even odds."""
    count = min(len(judged.mated), len(judged.non_mated))
    generator = np.random.default_rng(seed)
    picked = [
        np.sort(generator.choice(scores, count, replace=False).astype(np.float64))
        for scores in (judged.mated, judged.non_mated)
    ]
    scores = np.concatenate(picked)
    truth = np.repeat([True, False], count)
    at, pooled = pav_ratios(fitted)
    maps = []
    for method, ratios in (
        ("isotonic (PAV)", np.interp(scores, at, pooled)),
        ("logistic (Platt)", platt(fitted).log_likelihood_ratio(scores)),
    ):
        probability: Float64Array = 0.5 * (1 + np.tanh(ratios / 2))
        bins = reliability(probability, truth, bins=BINS)
        cost = cllr(ratios[truth], ratios[~truth])
        maps.append(Mapped(method, bins.ece, brier(probability, truth), cost, bins))
    return tuple(maps)
