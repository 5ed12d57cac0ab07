"""Does a threshold hold on people who did not choose it? Halves of the people, each way.

The people of a set are cut into two halves. A threshold is chosen, and scores are mapped to
probabilities, on one half alone; the other half says what they are worth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from facelign.compare import curves
from facelign.compare.curves import ScoreSet
from facelign.compare.thresholds import RULE_OF_THREE
from facelign.errors import Refused
from facelign.lab.calibration import figures as calibration
from facelign.lab.calibration.figures import Reliability
from facelign.lab.material.named import Named, all_scores
from facelign.lab.statistics.resampling import DRAWS, SEED, Interval, pair_weights, people_weights
from facelign.lab.verification.figures import PairScores
from facelign.types.arrays import BoolArray, Float64Array

#: bins of equal mass of the reliability figures
BINS = 15


@dataclass(frozen=True, slots=True)
class Check:
    """A threshold chosen on one half of the people and judged on the other.

    stated: 95 % interval of its FMR on the half that chose it. observed: FMR on the other half,
    with its own interval. subjects, non_mated: of the other half.
    """

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "threshold": self.threshold,
            "target": self.target,
            "stated": list(self.stated),
            "observed": self.observed.to_dict(),
            "fnmr": self.fnmr,
            "subjects": self.subjects,
            "non_mated": self.non_mated,
            "inside": self.inside,
            "compatible": self.compatible,
        }


@dataclass(frozen=True, slots=True)
class Mapped:
    """How good probabilities are on people that the map has not seen, at even odds.

    As many non-mated as mated comparisons are looked at, drawn by seed, so that the figures do not
    drown in millions of easy ones. ece: expected calibration error, bins of equal mass. brier:
    mean squared error. cllr: cost of the log-likelihood ratios in bits.
    """

    method: str
    ece: float
    brier: float
    cllr: float
    reliability: Reliability

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "method": self.method,
            "ece": self.ece,
            "bins": self.reliability.kind,
            "brier": self.brier,
            "cllr": self.cllr,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """One half of the people. codes: (n,) number of people in it."""

    scores: ScoreSet
    named: Named | None
    pairs: PairScores | None
    subjects: int

    def fmr(self, threshold: float, draws: int, seed: int) -> Interval:
        """Return the FMR at a threshold, with its interval over people."""
        value = float(curves.fmr(self.scores, threshold))
        if self.named is not None:
            weights = people_weights(self.subjects, draws=draws, seed=seed)
            low, high = calibration.intervals_of_fmr(self.named, [threshold], weights)[0]
        elif self.pairs is not None:
            low, high = _spread(self.pairs, threshold, draws, seed)
        else:
            low, high = value, value
        if value == 0:
            high = max(high, RULE_OF_THREE / len(self.scores.non_mated))
        return Interval(value, min(low, value), min(max(high, value), 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Both ways round: thresholds, and maps to probabilities; empty where there is too little."""

    checks: tuple[Check, ...]
    maps: tuple[Mapped, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "checks": [check.to_dict() for check in self.checks],
            "probabilities": [found.to_dict() for found in self.maps],
            "notes": list(self.notes),
        }


def of_people(named: Named, target: float, *, draws: int = DRAWS, seed: int = SEED) -> HeldOut:
    """Return what halves of the people say about a threshold at FMR ``target``, all pairs."""
    mine = _half_of(named.codes, seed)[named.codes]
    parts = [named.where(mask) for mask in (mine, ~mine)]
    try:
        halves = [_Half(all_scores(p), p, None, len(set(p.people))) for p in parts]
    except Refused as error:
        return HeldOut((), (), (f"No held-out check: half of the people: {error.message}",))
    return _both_ways(halves, target, draws, seed)


def of_pairs(pairs: PairScores, target: float, *, draws: int = DRAWS, seed: int = SEED) -> HeldOut:
    """Return the same for listed pairs; pairs across the two halves take no part."""
    held = pairs.where(~pairs.failed)
    every = np.concatenate([held.a, held.b])
    mine = _half_of(every, seed)
    parts = [held.where(mine[held.a] & mine[held.b]), held.where(~mine[held.a] & ~mine[held.b])]
    if any(len(np.unique(part.same)) < 2 for part in parts):
        why = "a half of the people has no mated or no non-mated pairs"
        return HeldOut((), (), (f"No held-out check: {why}.",))
    halves = [_Half(p.set, None, p, len(np.unique(np.concatenate([p.a, p.b])))) for p in parts]
    return _both_ways(halves, target, draws, seed)


def _half_of(codes: np.ndarray[Any, np.dtype[np.int64]], seed: int) -> BoolArray:
    """Return (people,) bool: the half that each number belongs to."""
    people = int(codes.max()) + 1
    inside = np.zeros(people, bool)
    inside[np.random.default_rng(seed).permutation(people)[: people // 2]] = True
    return inside


def _both_ways(halves: list[_Half], target: float, draws: int, seed: int) -> HeldOut:
    checks, notes = [], []
    for mine, other in (halves, halves[::-1]):
        try:
            threshold = curves.threshold_at_fmr(mine.scores, target)
        except Refused as error:
            notes.append(f"No held-out check of the threshold: half of the people: {error.message}")
            break
        stated = mine.fmr(threshold, draws, seed)
        checks.append(
            Check(
                threshold,
                target,
                (stated.low, stated.high),
                other.fmr(threshold, draws, seed),
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
    at, ratios = calibration.pav_ratios(fitted)
    sigmoid = calibration.platt(fitted)
    found = []
    for method, said in (
        ("isotonic (PAV)", np.interp(scores, at, ratios)),
        ("logistic (Platt)", sigmoid.log_likelihood_ratio(scores)),
    ):
        probability: Float64Array = 0.5 * (1 + np.tanh(said / 2))
        told = calibration.reliability(probability, truth, bins=BINS, equal_mass=True)
        found.append(
            Mapped(
                method,
                told.ece,
                calibration.brier(probability, truth),
                calibration.cllr(said[truth], said[~truth]),
                told,
            )
        )
    return tuple(found)


def _spread(pairs: PairScores, threshold: float, draws: int, seed: int) -> tuple[float, float]:
    apart = pairs.where(~pairs.same)
    codes = np.unique(np.concatenate([apart.a, apart.b]), return_inverse=True)[1]
    a, b = codes[: len(apart)], codes[len(apart) :]
    wrong = apart.scores >= threshold
    rates = []
    for weights in people_weights(int(codes.max()) + 1, draws=draws, seed=seed):
        of_pairs = pair_weights(weights, a, b)
        total = of_pairs.sum()
        rates.append(of_pairs[wrong].sum() / total if total else math.nan)
    low, high = np.nanpercentile(rates, [2.5, 97.5])
    return float(low), float(high)
