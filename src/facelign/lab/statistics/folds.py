"""Thresholds that are judged on pairs that did not choose them: cross-validation over folds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from facelign.compare import curves
from facelign.compare.curves import BestThreshold, ScoreSet
from facelign.compare.pairs import PairScores
from facelign.errors import Refused
from facelign.lab.statistics.resampling import SEED
from facelign.types.arrays import BoolArray, Float64Array, IntArray

#: groups of people that a list without folds is cut into, if it has so many people
_GROUPS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Decisions on pairs that did not choose the threshold.

    pairs: (n,) indices into the list; right: (n,) bool; match: (n,) bool. folds: (k,) accuracy of
    each fold.
    """

    pairs: IntArray
    right: BoolArray
    match: BoolArray
    folds: Float64Array

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
    def counts(self) -> tuple[int, int, int]:
        """True matches, false matches and misses of the pooled decisions."""
        kinds = (self.match & self.right, self.match & ~self.right, ~self.match & ~self.right)
        true, false, missed = (int(kind.sum()) for kind in kinds)
        return true, false, missed

    @property
    def f1(self) -> float:
        """F1 of the pooled decisions."""
        true, false, missed = self.counts
        return 2 * true / (2 * true + false + missed) if true + false + missed else 0.0


def weighted_accuracy(right: BoolArray, same: BoolArray, weights: Float64Array) -> float:
    """Return the share of right decisions (n,) of weighted pairs; NaN where a kind weighs nothing.

    A draw of few people changes the share of mated pairs, which would move accuracy by itself: each
    kind is weighed on its own and keeps the share that it has in the set.
    """
    accuracy = 0.0
    for kind in (True, False):
        mine = same == kind
        if not mine.any():
            continue
        total = float(weights[mine].sum())
        rate = float((weights * right)[mine].sum()) / total if total else math.nan
        accuracy += float(mine.mean()) * rate
    return accuracy


#: the rate of the rule "fmr"
RULE_FMR = 0.01
Rule = Callable[[ScoreSet], BestThreshold]
RULES: Mapping[str, Rule] = {
    "accuracy": curves.best_by_accuracy,
    "f1": curves.best_by_f1,
    "fmr": lambda scores: curves.best_at_fmr(scores, RULE_FMR),
}


def cross_validated(pairs: PairScores, rule: Rule) -> Decided:
    """Return decisions in which every fold gets the threshold that the others choose.

    A list without folds is cut by people: the pairs of a tenth of the people are decided with the
    threshold of pairs in which none of them occurs. Raises Refused where that leaves fewer than
    two folds with something to choose from.
    """
    parts: list[IntArray] = []
    accuracies: list[float] = []
    matches: list[BoolArray] = []
    for train, test in _folds(pairs):
        if len(np.unique(pairs.same[train])) < 2 or not test.any():
            continue
        match = pairs.scores[test] >= rule(pairs.where(train).set).threshold
        parts.append(np.flatnonzero(test))
        matches.append(match)
        accuracies.append(float((match == pairs.same[test]).mean()))
    if len(parts) < 2:
        raise Refused(
            f"{len(pairs)} pairs give fewer than two folds.", "Give pairs of more people."
        )
    index, matched = np.concatenate(parts), np.concatenate(matches)
    return Decided(index, matched == pairs.same[index], matched, np.array(accuracies))


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
