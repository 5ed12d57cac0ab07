"""Verification: error rates over pairs of photos, with folds and intervals.

The scores are measured elsewhere; here is what follows from them. A threshold is never judged on
the pairs that chose it, except where a figure says "in sample". A pair whose photo gave no face is
never dropped silently: ``Failures`` says which way of counting was used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facelign.compare import curves
from facelign.compare.curves import BestThreshold, Curve
from facelign.compare.pairs import Failures, PairScores
from facelign.errors import Refused
from facelign.lab.material.photos import Failure
from facelign.lab.statistics.folds import RULES, Decided, cross_validated, weighted_accuracy
from facelign.lab.statistics.ranked import Ranked
from facelign.lab.statistics.rates import RATES, rate_text, shows, tar_name
from facelign.lab.statistics.resampling import (
    DRAWS,
    SEED,
    Interval,
    interval,
    pair_weights,
    share,
)
from facelign.types.decisions import Threshold

#: comparisons times draws that a bootstrap may cost; beyond it takes fewer draws, and says so
_EFFORT = 200_000_000
#: what is said of lists without folds
NO_FOLDS = "The list has no folds: thresholds are chosen on pairs without the people tested."


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The record of a verification run; ``to_dict`` gives plain data for JSON.

    accuracy, accuracy_se: over folds, each with the threshold of the others; in sample where
    ``crossed`` has no "accuracy"; with the threshold of another list where ``over_folds`` is false.
    intervals: 95 %, over people. tar_at_fmr: by FMR, those of ``RATES``. best: rules in sample;
    crossed: the same rules cross-validated. baseline: accuracy of always saying "different".
    remarks: what else is to be known.
    """

    pairs: int
    mated: int
    non_mated: int
    subjects: int
    folds: int
    accuracy: float
    accuracy_se: float
    auc: float
    eer: float
    tar_at_fmr: Mapping[float, curves.TarAtFmr]
    intervals: Mapping[str, Interval]
    best: Mapping[str, BestThreshold]
    crossed: Mapping[str, Decided]
    baseline: float
    counting: Failures
    failed_pairs: int
    failures: tuple[Failure, ...]
    curve: Curve
    draws: int
    seed: int
    over_folds: bool = True
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the figures."""
        return (NO_FOLDS,) * (self.folds == 1 and self.over_folds) + self.remarks

    def tar_interval(self, rate: float) -> Interval | None:
        """Return the interval of the TAR at an FMR; None where the pairs do not reach it."""
        return self.intervals.get(tar_name(rate))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; curves are left to reports.

        A TAR beyond the evidence is None, and ``tar_needs`` says how many pairs it takes.
        """
        by_f1 = self.best["f1"]
        return {
            "pairs": self.pairs,
            "mated": self.mated,
            "non_mated": self.non_mated,
            "subjects": self.subjects,
            "folds": self.folds,
            "accuracy": self.accuracy,
            "accuracy_se": self.accuracy_se,
            "baseline_accuracy": self.baseline,
            "auc": self.auc,
            "eer": self.eer,
            "tar_at_fmr": {rate_text(at.fmr): at.tar for at in self.tar_at_fmr.values()},
            "thresholds_at_fmr": {
                rate_text(at.fmr): at.threshold
                for at in self.tar_at_fmr.values()
                if at.threshold is not None
            },
            "best_f1": {
                "threshold": by_f1.threshold,
                "f1": by_f1.f1,
                "accuracy": by_f1.accuracy,
            },
            "best": {
                name: {
                    "threshold": best.threshold,
                    "in_sample": {"f1": best.f1, "accuracy": best.accuracy},
                    "cross_validated": _crossed_dict(self.crossed.get(name)),
                }
                for name, best in self.best.items()
            },
            "intervals": {name: figure.to_dict() for name, figure in self.intervals.items()},
            "failures": {
                "counted_as": str(self.counting),
                "pairs": self.failed_pairs,
                "count": len(self.failures),
                "photos": [{"photo": f.photo, "reason": f.reason} for f in self.failures],
            },
            "draws": self.draws,
            "seed": self.seed,
            "notes": list(self.notes),
            "tar_needs": {
                rate_text(at.fmr): f"needs {at.needs} pairs"
                for at in self.tar_at_fmr.values()
                if at.tar is None
            },
        }


def _crossed_dict(decided: Decided | None) -> dict[str, float] | None:
    if decided is None:
        return None
    return {
        "f1": decided.f1,
        "accuracy": decided.accuracy,
        "accuracy_se": decided.standard_error,
    }


def evaluate(
    pairs: PairScores,
    *,
    counting: Failures = Failures.DIFFERENT,
    failures: Sequence[Failure] = (),
    draws: int = DRAWS,
    seed: int = SEED,
) -> Verification:
    """Return every figure of verification over ``pairs``.

    Raises BadArray when there are no mated or no non-mated pairs left to count.
    """
    counted = pairs.counted(counting)
    scores = counted.set
    remarks: list[str] = []
    crossed: dict[str, Decided] = {}
    best: dict[str, BestThreshold] = {}
    for name, rule in RULES.items():
        try:
            best[name] = rule(scores)
            crossed[name] = cross_validated(counted, rule)
        except Refused as error:
            remarks.append(f"{name}: {error.message}")
    by_accuracy = crossed.get("accuracy")
    if by_accuracy is None:
        remarks.append("Too few people to judge a threshold on others: accuracy is in sample.")
    affordable = max(100, _EFFORT // max(len(counted), 1))
    if draws > affordable:
        remarks.append(f"{affordable} draws of people instead of {draws}, for time.")
        draws = affordable
    return Verification(
        pairs=len(pairs),
        mated=int(pairs.same.sum()),
        non_mated=int((~pairs.same).sum()),
        subjects=pairs.subjects,
        folds=len(np.unique(counted.folds)),
        accuracy=by_accuracy.accuracy if by_accuracy else best["accuracy"].accuracy,
        accuracy_se=by_accuracy.standard_error if by_accuracy else 0.0,
        auc=curves.auc(scores),
        eer=curves.eer(scores),
        tar_at_fmr={rate: curves.tar_at_fmr(scores, rate) for rate in RATES},
        intervals=_intervals(counted, by_accuracy, draws, seed),
        best=best,
        crossed=crossed,
        baseline=curves.always_different(scores),
        counting=counting,
        failed_pairs=int(pairs.failed.sum()),
        failures=tuple(failures),
        curve=curves.curve(scores).thinned(),
        draws=draws,
        seed=seed,
        remarks=tuple(remarks),
    )


def _intervals(
    pairs: PairScores, decided: Decided | None, draws: int, seed: int
) -> dict[str, Interval]:
    """Return the intervals of accuracy, AUC, EER and TAR over draws of people."""
    rates = [rate for rate in RATES if shows(int((~pairs.same).sum()), rate)]
    names = ["auc", "eer", *map(tar_name, rates)]
    ranked = Ranked.of(pairs)
    table = []
    for weights in pair_weights(pairs, draws=draws, seed=seed):
        row = ranked.figures(weights, rates)
        if decided is not None:
            row.append(decided.weighted(pairs.same, weights))
        table.append(row)
    values = ranked.figures(np.ones(len(pairs)), rates)
    if decided is not None:
        names.append("accuracy")
        values.append(float(decided.right.mean()))
    return {
        name: Interval.of_draws(value, column)
        for name, value, column in zip(names, values, np.array(table).T, strict=True)
    }


def by_development(
    result: Verification, pairs: PairScores, development: PairScores
) -> Verification:
    """Return the result with the accuracy of View 1: other pairs choose the threshold."""
    threshold = curves.best_by_accuracy(development.counted(result.counting).set).threshold
    counted = pairs.counted(result.counting)
    right = (counted.scores >= threshold) == counted.same
    accuracy = interval(
        lambda weights: weighted_accuracy(right, counted.same, weights),
        counted,
        draws=result.draws,
        seed=result.seed,
    )
    note = f"View 1: the threshold {threshold:.4f} was chosen on {len(development):,} other pairs."
    return replace(
        result,
        accuracy=accuracy.value,
        accuracy_se=0.0,
        intervals={**result.intervals, "accuracy": accuracy},
        over_folds=False,
        remarks=(*result.remarks, note),
    )


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a threshold that was fixed before does on these pairs. None without such pairs."""

    threshold: float
    nominal_fmr: float | None
    source: str
    fmr: Interval | None
    fnmr: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def at_threshold(
    pairs: PairScores, threshold: Threshold, draws: int = DRAWS, seed: int = SEED
) -> AtThreshold:
    """Return FMR and FNMR of pairs at a threshold, with intervals over people."""
    match, same = pairs.scores >= threshold.score, pairs.same
    return AtThreshold(
        threshold.score,
        threshold.fmr,
        threshold.source,
        share(pairs.where(~same), match[~same], draws=draws, seed=seed),
        share(pairs.where(same), ~match[same], draws=draws, seed=seed),
    )
