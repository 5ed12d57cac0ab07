"""Verification: error rates over pairs of photos, with folds and intervals.

The scores are measured elsewhere; here is what follows from them. A threshold is never judged on
the pairs that chose it, except where a figure says "in sample". A pair whose photo gave no face is
never dropped silently: ``Failures`` says which way of counting was used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from facelign.compare import curves
from facelign.compare.curves import BestThreshold, Curve
from facelign.compare.pairs import Failures, PairScores
from facelign.errors import BadArray, Refused
from facelign.lab.material.photos import Failure
from facelign.lab.plain import plain, told
from facelign.lab.statistics.folds import RULES, Decided, cross_validated, weighted_accuracy
from facelign.lab.statistics.ranked import Ranked
from facelign.lab.statistics.rates import RATES, rate_text, shows, tar_name
from facelign.lab.statistics.resampling import (
    DRAWS,
    SEED,
    Interval,
    Room,
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
        rates = {rate_text(at.fmr): at for at in self.tar_at_fmr.values()}
        crossed = {
            name: told(decided, "f1 accuracy accuracy_se=standard_error")
            for name, decided in self.crossed.items()
        }
        return {
            **told(self, "pairs mated non_mated subjects folds accuracy accuracy_se"),
            **told(self, "baseline_accuracy=baseline auc eer"),
            "tar_at_fmr": {rate: at.tar for rate, at in rates.items()},
            "thresholds_at_fmr": {
                rate: at.threshold for rate, at in rates.items() if at.threshold is not None
            },
            "best_f1": told(self.best["f1"], "threshold f1 accuracy"),
            "best": {
                name: {
                    "threshold": best.threshold,
                    "in_sample": told(best, "f1 accuracy"),
                    "cross_validated": crossed.get(name),
                }
                for name, best in self.best.items()
            },
            "intervals": plain(self.intervals),
            "failures": {
                "counted_as": str(self.counting),
                "pairs": self.failed_pairs,
                "count": len(self.failures),
                "photos": plain(self.failures),
            },
            **told(self, "draws seed notes"),
            "tar_needs": {
                rate: f"needs {at.needs} pairs" for rate, at in rates.items() if at.tar is None
            },
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
    left = Room.of(pairs)
    return {
        name: left.around(name, Interval.of_draws(value, column))
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
    accuracy = Room.of(counted).around("accuracy", accuracy)
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


def at_threshold(
    pairs: PairScores, threshold: Threshold, draws: int = DRAWS, seed: int = SEED
) -> AtThreshold:
    """Return FMR and FNMR of pairs at a threshold, with intervals over people."""
    rates = error_rates(pairs, threshold.score, draws, seed)
    return AtThreshold(threshold.score, threshold.fmr, threshold.source, *rates)


def error_rates(
    pairs: PairScores, threshold: float, draws: int, seed: int
) -> tuple[Interval | None, Interval | None]:
    """Return FMR and FNMR at a score, with intervals over people; None without such pairs."""
    match, same = pairs.scores >= threshold, pairs.same
    fmr = share(pairs.where(~same), match[~same], draws=draws, seed=seed)
    return fmr, share(pairs.where(same), ~match[same], draws=draws, seed=seed)


class PersonErrors(NamedTuple):
    """A person and the errors that she takes part in at a threshold."""

    person: str
    false_matches: int
    false_non_matches: int


def culprits(
    pairs: PairScores, people: Sequence[str], threshold: float, most: int = 10
) -> list[PersonErrors]:
    """Return the people who take part in most errors, worst first.

    people: names by number; without names there is nobody to name.
    """
    if not people:
        return []
    match = pairs.scores >= threshold
    wrong, missed = match & ~pairs.same, ~match & pairs.same
    apart = np.bincount(np.append(pairs.a[wrong], pairs.b[wrong]), minlength=len(people))
    together = np.bincount(pairs.a[missed], minlength=len(people))
    worst = np.argsort(-(apart + together), kind="stable")[:most]
    errors = [PersonErrors(people[p], int(apart[p]), int(together[p])) for p in worst]
    return [each for each in errors if each.false_matches + each.false_non_matches]


#: shares that a quality number refuses: up to 20 %, over which its partial area is taken
SHARES = tuple(percent / 100 for percent in range(21))


@dataclass(frozen=True, slots=True)
class RejectCurve:
    """Error versus reject: FNMR after the worst share is refused, threshold fixed before."""

    fnmr: tuple[float, ...]
    threshold: float

    @property
    def area(self) -> float:
        """Mean FNMR up to the last share: smaller is a better quality number."""
        rates, shares = np.array(self.fnmr), np.array(SHARES)
        return float(np.sum(np.diff(shares) * (rates[1:] + rates[:-1]) / 2) / shares[-1])


def error_versus_reject(
    mated: npt.ArrayLike, quality: npt.ArrayLike, threshold: float
) -> RejectCurve:
    """Return FNMR of mated scores (n,) after refusing pairs of the lowest ``quality`` (n,)."""
    scores, numbers = np.asarray(mated, np.float64), np.asarray(quality, np.float64)
    if scores.shape != numbers.shape or not len(scores):
        raise BadArray("error versus reject: wanted one quality for each mated score.")
    wrong = (scores < threshold)[np.argsort(numbers, kind="stable")]
    left = np.append(np.cumsum(wrong[::-1])[::-1], 0)
    out = [min(round(share * len(scores)), len(scores) - 1) for share in SHARES]
    return RejectCurve(tuple(float(left[n] / (len(scores) - n)) for n in out), threshold)
