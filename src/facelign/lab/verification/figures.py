"""Verification: error rates over pairs of photos, with folds, intervals and groups.

The scores are measured elsewhere; here is what follows from them. A threshold is never judged on
the pairs that chose it, except where a figure says "in sample". A pair whose photo gave no face is
never dropped silently: ``Failures`` says which way of counting was used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from facelign.compare import curves
from facelign.compare.curves import BestThreshold, Curve, ScoreSet
from facelign.errors import BadArray, Refused
from facelign.lab.statistics import resampling
from facelign.lab.statistics.resampling import DRAWS, SEED, Interval
from facelign.types.arrays import BoolArray, Float64Array, IntArray, checked

#: false match rates that are told as far as the pairs allow, with the keys they have in JSON
RATES = {
    "0.1": 1e-1,
    "0.01": 1e-2,
    "0.001": 1e-3,
    "0.0001": 1e-4,
    "0.00001": 1e-5,
    "0.000001": 1e-6,
}
#: face heights, px, at which small faces are told apart (MEASURED 4.2)
HEIGHTS = (0, 30, 40, 60, 80, 120)
#: shares that a quality number refuses: partial area to 20 % (STANDARDS 4.9)
SHARES = tuple(percent / 100 for percent in range(21))
#: groups of people that a list without folds is cut into
_GROUPS = 10
#: comparisons times draws that a bootstrap may cost; beyond it takes fewer draws, and says so
_EFFORT = 200_000_000
#: what is said of lists without folds
NO_FOLDS = "The list has no folds: thresholds are chosen on pairs without the people tested."


class Failures(StrEnum):
    """How pairs count of which a photo gave no face.

    DIFFERENT: decided "different", as a product would. LEFT_OUT: not counted. RAW: the caller gave
    the raw photo to the model, so the pair has a score like any other.
    """

    DIFFERENT = "different"
    LEFT_OUT = "left out"
    RAW = "raw photo"


@dataclass(frozen=True, slots=True)
class Failure:
    """A photo that gave nothing, or only by a fallback, and why."""

    photo: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """Scores of n pairs with their truth.

    scores: (n,) float64, larger is more alike; of a failed pair the number is ignored. same: (n,)
    bool. a, b: (n,) int64 numbers of the people (a == b exactly for mated pairs). folds: (n,)
    int64, all 0 where the list has none. failed: (n,) bool.
    """

    scores: Float64Array
    same: BoolArray
    a: IntArray
    b: IntArray
    folds: IntArray
    failed: BoolArray

    def __post_init__(self) -> None:
        put = object.__setattr__
        n = len(self.scores)
        put(self, "scores", checked("scores", self.scores, np.float64, (n,)))
        for name in ("same", "failed"):
            put(self, name, checked(name, getattr(self, name), np.bool_, (n,)))
        for name in ("a", "b", "folds"):
            put(self, name, checked(name, getattr(self, name), np.int64, (n,)))
        if ((self.a == self.b) != self.same).any():
            raise BadArray("pairs: a pair is mated exactly if both photos show one person.")

    @classmethod
    def of(
        cls,
        scores: npt.ArrayLike,
        same: npt.ArrayLike,
        *,
        people: tuple[Sequence[str], Sequence[str]] | None = None,
        photos: tuple[Sequence[str], Sequence[str]] | None = None,
        folds: npt.ArrayLike | None = None,
        failed: npt.ArrayLike | None = None,
    ) -> PairScores:
        """Return pairs whose people are known by name, or only by which photos are mated.

        Where a non-mated pair joins photos that mated pairs say show one person, its second photo
        counts as somebody else's: the truth of the list is kept (``resampling.contradicted``).
        """
        values, truth = np.asarray(scores, np.float64), np.asarray(same, bool)
        n = len(values)
        if people is not None:
            names = np.array([*people[0], *people[1]], dtype=str)
            codes = np.unique(names, return_inverse=True)[1].astype(np.int64)
            a, b = codes[:n], codes[n:]
        elif photos is not None:
            a, b = resampling.people_of_pairs(list(photos[0]), list(photos[1]), truth)
        else:  # every pair stands for itself
            a = np.arange(n)
            b = np.where(truth, a, a + n)
        nothing = np.zeros(n)
        return cls(
            values,
            truth,
            a,
            b,
            nothing.astype(np.int64) if folds is None else np.asarray(folds),
            nothing.astype(bool) if failed is None else np.asarray(failed),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, mask: BoolArray) -> PairScores:
        """Return the pairs of ``mask`` (n,) bool."""
        return PairScores(
            self.scores[mask],
            self.same[mask],
            self.a[mask],
            self.b[mask],
            self.folds[mask],
            self.failed[mask],
        )

    def counted(self, how: Failures) -> PairScores:
        """Return the pairs as they count: failed ones out, or below every threshold."""
        if not self.failed.any() or how is Failures.RAW:
            return self
        if how is Failures.LEFT_OUT:
            return self.where(~self.failed)
        held = self.scores[~self.failed]
        low = float(held.min()) - 1 if len(held) else -1.0
        return replace(self, scores=np.where(self.failed, low, self.scores))

    @property
    def set(self) -> ScoreSet:
        """The scores by truth; raises BadArray without both kinds of pairs."""
        return ScoreSet.labeled(self.scores, self.same)


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Decisions of a rule on pairs that did not choose its threshold.

    pairs: (n,) indices into the list; right: (n,) bool; match: (n,) bool. folds: (k,) accuracy of
    each fold; thresholds: (k,) that it was decided with.
    """

    rule: str
    pairs: IntArray
    right: BoolArray
    match: BoolArray
    folds: Float64Array
    thresholds: Float64Array

    @property
    def accuracy(self) -> float:
        """Mean accuracy over folds, as View 2 of LFW asks."""
        return float(self.folds.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of that mean over folds; 0 for a single one."""
        k = len(self.folds)
        return float(self.folds.std(ddof=1) / math.sqrt(k)) if k > 1 else 0.0

    def weighted(self, same: BoolArray, weights: Float64Array) -> float:
        """Return the pooled accuracy of weighted pairs; ``same``, ``weights`` (p,) of all pairs."""
        return weighted_accuracy(self.right, same[self.pairs], weights[self.pairs])

    @property
    def f1(self) -> float:
        """F1 of the pooled decisions."""
        true = int((self.match & self.right).sum())
        wrong = int((~self.right).sum())
        return 2 * true / (2 * true + wrong) if true + wrong else 0.0


def weighted_accuracy(right: BoolArray, same: BoolArray, weights: Float64Array) -> float:
    """Return the share of right decisions (n,) of weighted pairs; NaN where a kind weighs nothing.

    A draw of few people changes the share of mated pairs, which would move accuracy by itself: each
    kind is weighed on its own and keeps the share that it has in the set.
    """
    accuracy = 0.0
    for kind in (True, False):
        held = same == kind
        if not held.any():
            continue
        total = float(weights[held].sum())
        rate = float((weights * right)[held].sum()) / total if total else math.nan
        accuracy += float(held.mean()) * rate
    return accuracy


Rule = Callable[[ScoreSet], BestThreshold]
RULES: Mapping[str, Rule] = {
    "accuracy": curves.best_by_accuracy,
    "f1": curves.best_by_f1,
    "fmr": lambda scores: curves.best_at_fmr(scores, 1e-2),
}


def cross_validated(pairs: PairScores, name: str, rule: Rule) -> Decided:
    """Return decisions in which every fold gets the threshold that the others choose.

    A list without folds is cut by people: the pairs of a tenth of the people are decided with the
    threshold of pairs in which none of them occurs. Raises Refused where that leaves fewer than
    two folds with something to choose from.
    """
    parts: list[IntArray] = []
    accuracies: list[float] = []
    thresholds: list[float] = []
    matches: list[BoolArray] = []
    for train, test in _folds(pairs):
        kinds = np.unique(pairs.same[train])
        if len(kinds) < 2 or not test.any():
            continue
        chosen = rule(pairs.where(train).set).threshold
        said = pairs.scores[test] >= chosen
        parts.append(np.flatnonzero(test))
        matches.append(said)
        accuracies.append(float((said == pairs.same[test]).mean()))
        thresholds.append(chosen)
    if len(parts) < 2:
        raise Refused(
            f"{len(pairs)} pairs give fewer than two folds.", "Give pairs of more people."
        )
    index, match = np.concatenate(parts), np.concatenate(matches)
    return Decided(
        name,
        index,
        match == pairs.same[index],
        match,
        np.array(accuracies),
        np.array(thresholds),
    )


def _folds(pairs: PairScores) -> Iterator[tuple[BoolArray, BoolArray]]:
    """Yield (train, test) masks."""
    numbers = np.unique(pairs.folds)
    if len(numbers) > 1:
        for fold in numbers:
            test = pairs.folds == fold
            yield ~test, test
        return
    people = np.unique(np.concatenate([pairs.a, pairs.b]))
    shuffled = np.random.default_rng(SEED).permutation(people)
    for group in np.array_split(shuffled, min(_GROUPS, len(people))):
        test = np.isin(pairs.a, group) | np.isin(pairs.b, group)
        yield ~test, test


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Pairs by falling score, so that weighted rates are one cumulative sum away."""

    order: IntArray
    same: BoolArray
    ends: IntArray  # last place of each run of equal scores

    @classmethod
    def of(cls, pairs: PairScores) -> Ranked:
        """Return the pairs in falling order of their scores."""
        order = np.argsort(-pairs.scores, kind="stable")
        falling = pairs.scores[order]
        ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
        return cls(order, pairs.same[order], ends)

    def figures(self, weights: Float64Array, rates: Sequence[float]) -> list[float]:
        """Return AUC, EER, then TAR at each FMR, of weighted pairs; NaN without both kinds."""
        ordered = weights[self.order]
        mated = np.append(0.0, np.cumsum(np.where(self.same, ordered, 0.0))[self.ends])
        non_mated = np.append(0.0, np.cumsum(np.where(self.same, 0.0, ordered))[self.ends])
        if not mated[-1] or not non_mated[-1]:
            return [math.nan] * (2 + len(rates))
        tar, fmr = mated / mated[-1], non_mated / non_mated[-1]
        area = float(np.sum(np.diff(fmr) * (tar[1:] + tar[:-1])) / 2)
        gap = fmr - (1 - tar)
        after = int(np.argmax(gap >= 0))
        share = gap[after - 1] / (gap[after - 1] - gap[after])
        equal = float(fmr[after - 1] + share * (fmr[after] - fmr[after - 1]))
        at = [float(tar[np.searchsorted(fmr, rate + 1e-12, side="right") - 1]) for rate in rates]
        return [area, equal, *at]


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """The record of a verification run; ``to_dict`` gives plain data for JSON.

    accuracy, accuracy_se: over folds, each with the threshold of the others; intervals: 95 %, over
    people. tar_at_fmr: by the keys of ``RATES``. best: rules in sample; crossed: the same rules
    cross-validated. baseline: accuracy of always saying "different".
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
    tar_at_fmr: Mapping[str, curves.TarAtFmr]
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
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; curves are left to reports."""
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
            "tar_at_fmr": {key: found.told() for key, found in self.tar_at_fmr.items()},
            "thresholds_at_fmr": {
                key: found.threshold
                for key, found in self.tar_at_fmr.items()
                if found.threshold is not None
            },
            "best_f1": {
                "threshold": by_f1.threshold,
                "f1": by_f1.f1,
                "accuracy": by_f1.accuracy,
            },
            "best": {
                name: {
                    "threshold": found.threshold,
                    "in_sample": {"f1": found.f1, "accuracy": found.accuracy},
                    "cross_validated": _crossed_dict(self.crossed.get(name)),
                }
                for name, found in self.best.items()
            },
            "intervals": {name: found.to_dict() for name, found in self.intervals.items()},
            "failures": {
                "counted_as": str(self.counting),
                "pairs": self.failed_pairs,
                "count": len(self.failures),
                "photos": [{"photo": f.photo, "reason": f.reason} for f in self.failures],
            },
            "draws": self.draws,
            "seed": self.seed,
            "notes": list(self.notes),
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
    held = pairs.counted(counting)
    scores = held.set
    notes: list[str] = []
    folds = len(np.unique(held.folds))
    if folds == 1:
        notes.append(NO_FOLDS)
    crossed: dict[str, Decided] = {}
    best: dict[str, BestThreshold] = {}
    for name, rule in RULES.items():
        try:
            best[name] = rule(scores)
            crossed[name] = cross_validated(held, name, rule)
        except Refused as error:
            notes.append(f"{name}: {error.message}")
    by_accuracy = crossed.get("accuracy")
    if by_accuracy is None:
        notes.append("Too few people to judge a threshold on others: accuracy is in sample.")
    affordable = max(100, _EFFORT // max(len(held), 1))
    if draws > affordable:
        notes.append(f"{affordable} draws of people instead of {draws}, for time.")
        draws = affordable
    return Verification(
        pairs=len(pairs),
        mated=int(pairs.same.sum()),
        non_mated=int((~pairs.same).sum()),
        subjects=len(np.unique(np.concatenate([pairs.a, pairs.b]))),
        folds=folds,
        accuracy=by_accuracy.accuracy if by_accuracy else best["accuracy"].accuracy,
        accuracy_se=by_accuracy.standard_error if by_accuracy else 0.0,
        auc=curves.auc(scores),
        eer=curves.eer(scores),
        tar_at_fmr={key: curves.tar_at_fmr(scores, rate) for key, rate in RATES.items()},
        intervals=_intervals(held, by_accuracy, draws, seed),
        best=best,
        crossed=crossed,
        baseline=curves.always_different(scores),
        counting=counting,
        failed_pairs=int(pairs.failed.sum()),
        failures=tuple(failures),
        curve=curves.curve(scores).thinned(),
        draws=draws,
        seed=seed,
        notes=tuple(notes),
    )


def _intervals(
    pairs: PairScores, decided: Decided | None, draws: int, seed: int
) -> dict[str, Interval]:
    """Return the intervals of accuracy, AUC, EER and TAR over draws of people."""
    shown = {k: r for k, r in RATES.items() if (~pairs.same).sum() * r >= 1}
    names = ["auc", "eer", *(f"tar_at_fmr_{key}" for key in shown)]
    ordered = Ranked.of(pairs)
    people = np.unique(np.concatenate([pairs.a, pairs.b]), return_inverse=True)[1]
    a, b = people[: len(pairs)], people[len(pairs) :]
    table = []
    for weights in resampling.people_weights(int(people.max()) + 1, draws=draws, seed=seed):
        of_pairs = resampling.pair_weights(weights, a, b)
        row = ordered.figures(of_pairs, list(shown.values()))
        if decided is not None:
            row.append(decided.weighted(pairs.same, of_pairs))
        table.append(row)
    values = ordered.figures(np.ones(len(pairs)), list(shown.values()))
    if decided is not None:
        names.append("accuracy")
        values.append(float(decided.right.mean()))
    found: dict[str, Interval] = {}
    for name, value, column in zip(names, values, np.array(table).T, strict=True):
        reached = column[np.isfinite(column)]
        low, high = np.percentile(reached, [2.5, 97.5]) if len(reached) else (value, value)
        found[name] = Interval(value, float(low), float(high))
    return found


@dataclass(frozen=True, slots=True)
class GroupRates:
    """Error rates of one group at the common threshold; None where it has no such pairs."""

    group: str
    mated: int
    non_mated: int
    fmr: Interval | None
    fnmr: Interval | None
    own_threshold: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "group": self.group,
            "mated": self.mated,
            "non_mated": self.non_mated,
            "fmr": self.fmr.to_dict() if self.fmr else None,
            "fnmr": self.fnmr.to_dict() if self.fnmr else None,
            "own_threshold": self.own_threshold,
        }


@dataclass(frozen=True, slots=True)
class ByGroup:
    """The same threshold for everybody, and what it does to each group.

    rate: the FMR that the threshold holds over all pairs. worst_fmr_ratio, worst_fnmr_ratio:
    largest over smallest rate above 0, or None. holds_for_all: the threshold at which no group's
    FMR exceeds the rate, as far as each has the pairs to say so.
    """

    rate: float
    threshold: float
    groups: tuple[GroupRates, ...]
    worst_fmr_ratio: float | None
    worst_fnmr_ratio: float | None
    holds_for_all: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "fmr": self.rate,
            "threshold": self.threshold,
            "groups": [group.to_dict() for group in self.groups],
            "worst_fmr_ratio": self.worst_fmr_ratio,
            "worst_fnmr_ratio": self.worst_fnmr_ratio,
            "holds_for_all": self.holds_for_all,
            "notes": list(self.notes),
        }


def by_group(
    pairs: PairScores,
    groups: Sequence[str],
    *,
    rate: float = 1e-3,
    counting: Failures = Failures.DIFFERENT,
    draws: int = DRAWS,
    seed: int = SEED,
) -> ByGroup:
    """Return error rates by group at one threshold.

    groups: n labels, one a pair, "" for pairs that belong to none (as those of two groups). Raises
    Refused where all pairs together are too few for the rate.
    """
    if len(groups) != len(pairs):
        raise BadArray(f"groups: wanted {len(pairs)} labels, got {len(groups)}.")
    labels = np.array(groups, dtype=str)
    if counting is Failures.LEFT_OUT:
        labels = labels[~pairs.failed]
    held = pairs.counted(counting)
    threshold = curves.threshold_at_fmr(held.set, rate)
    found: list[GroupRates] = []
    notes: list[str] = []
    strictest = threshold
    for name in sorted(set(labels.tolist()) - {""}):
        part = held.where(labels == name)
        apart = part.scores[~part.same]
        own: float | None = None
        if len(apart) >= curves.comparisons_needed(rate):
            own = curves.threshold_at_fmr(ScoreSet(apart, apart), rate)
            strictest = max(strictest, own)
        else:
            needs = curves.comparisons_needed(rate)
            notes.append(f"{name}: {len(apart)} non-mated pairs, {needs} are needed.")
        rates = [
            _rate(part.where(part.same == mated), threshold, mated, draws, seed)
            for mated in (False, True)
        ]
        together = int(part.same.sum())
        found.append(GroupRates(name, together, len(apart), rates[0], rates[1], own))
    return ByGroup(
        rate,
        threshold,
        tuple(found),
        _worst([group.fmr for group in found]),
        _worst([group.fnmr for group in found]),
        strictest,
        tuple(notes),
    )


def by_height(
    pairs: PairScores, heights: npt.ArrayLike, edges: Sequence[float] = HEIGHTS, **options: Any
) -> ByGroup:
    """Return error rates by the smaller face height of each pair, px; options as ``by_group``."""
    smaller = np.asarray(heights, np.float64)
    if smaller.shape == (len(pairs), 2):
        smaller = smaller.min(axis=1)
    if smaller.shape != (len(pairs),):
        raise BadArray(f"heights: wanted one or two for each of {len(pairs)} pairs.")
    place = np.clip(np.searchsorted(edges, smaller, side="right") - 1, 0, len(edges) - 1)
    names = [
        f"{low:g}-{high:g} px" if math.isfinite(high) else f"{low:g} px and more"
        for low, high in zip(edges, [*edges[1:], math.inf], strict=True)
    ]
    return by_group(pairs, [names[i] for i in place], **options)


def _rate(
    pairs: PairScores, threshold: float, mated: bool, draws: int, seed: int
) -> Interval | None:
    if not len(pairs):
        return None
    wrong = (pairs.scores >= threshold) != mated

    def share(weights: Float64Array) -> float:
        total = weights.sum()
        return float((weights * wrong).sum() / total) if total else math.nan

    codes = np.unique(np.concatenate([pairs.a, pairs.b]), return_inverse=True)[1]
    found = resampling.interval(
        share, codes[: len(pairs)], codes[len(pairs) :], draws=draws, seed=seed
    )
    if not wrong.any():  # no error seen: the rule of 3 bounds what may still be there
        return Interval(0.0, 0.0, min(1.0, 3 / len(pairs)))
    return found


def _worst(rates: Sequence[Interval | None]) -> float | None:
    seen = [rate.value for rate in rates if rate is not None and rate.value > 0]
    return max(seen) / min(seen) if len(seen) > 1 else None


@dataclass(frozen=True, slots=True)
class Culprit:
    """A person and the errors that she takes part in at a threshold."""

    person: int
    false_matches: int
    false_non_matches: int


def culprits(pairs: PairScores, threshold: float, most: int = 10) -> tuple[Culprit, ...]:
    """Return the people who take part in most errors, worst first."""
    match = pairs.scores >= threshold
    false_match, missed = match & ~pairs.same, ~match & pairs.same
    size = int(max(pairs.a.max(initial=0), pairs.b.max(initial=0))) + 1
    apart = np.bincount(pairs.a[false_match], minlength=size)
    apart = apart + np.bincount(pairs.b[false_match], minlength=size)
    together = np.bincount(pairs.a[missed], minlength=size)
    worst = np.argsort(-(apart + together), kind="stable")[:most]
    return tuple(
        Culprit(int(p), int(apart[p]), int(together[p])) for p in worst if apart[p] + together[p]
    )


@dataclass(frozen=True, slots=True)
class RejectCurve:
    """Error versus reject: FNMR after the worst share is refused, threshold fixed before."""

    rejected: tuple[float, ...]
    fnmr: tuple[float, ...]
    threshold: float

    @property
    def area(self) -> float:
        """Mean FNMR up to the last share: smaller is a better quality number."""
        rates, shares = np.array(self.fnmr), np.array(self.rejected)
        return float(np.sum(np.diff(shares) * (rates[1:] + rates[:-1]) / 2) / shares[-1])


def error_versus_reject(
    mated: npt.ArrayLike,
    quality: npt.ArrayLike,
    threshold: float,
    shares: Sequence[float] = SHARES,
) -> RejectCurve:
    """Return FNMR of mated scores (n,) after refusing pairs of the lowest ``quality`` (n,)."""
    scores, numbers = np.asarray(mated, np.float64), np.asarray(quality, np.float64)
    if scores.shape != numbers.shape or not len(scores):
        raise BadArray("error versus reject: wanted one quality for each mated score.")
    wrong = (scores < threshold)[np.argsort(numbers, kind="stable")]
    left = np.append(np.cumsum(wrong[::-1])[::-1], 0)
    rates = []
    for share in shares:
        out = min(round(share * len(scores)), len(scores) - 1)
        rates.append(float(left[out] / (len(scores) - out)))
    return RejectCurve(tuple(shares), tuple(rates), threshold)
