"""Weighted rates and cross-validation: against written-out pairs and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.compare import curves
from facelign.compare.pairs import PairScores
from facelign.errors import Refused
from facelign.lab.statistics import folds
from facelign.lab.statistics.ranked import Ranked


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_weighted_figures_are_those_of_written_out_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, 30) / 4
    same = np.arange(30) < 12
    pairs = PairScores.of(scores, same)
    weights = rng.integers(0, 3, 30).astype(float)
    weights[0] = weights[-1] = 1
    got = Ranked.of(pairs).figures(weights, [0.1, 0.5])
    times = weights.astype(int)
    written = curves.ScoreSet.labeled(np.repeat(scores, times), np.repeat(same, times))
    assert got[0] == pytest.approx(curves.auc(written))
    assert got[1] == pytest.approx(curves.eer(written))
    for rate, tar in zip([0.1, 0.5], got[2:], strict=True):
        steps = curves.curve(written)
        assert tar == pytest.approx(steps.tar[steps.fmr <= rate + 1e-12].max())


def test_every_fold_is_decided_by_the_others() -> None:
    rng = np.random.default_rng(5)
    same = np.arange(90) % 3 == 0
    pairs = PairScores.of(rng.normal(2 * same), same, folds=np.arange(90) // 30)
    decided = folds.cross_validated(pairs, curves.best_by_f1)
    match = np.zeros(90, bool)
    for fold in range(3):
        test = pairs.folds == fold
        match[test] = pairs.scores[test] >= curves.best_by_f1(pairs.where(~test).set).threshold
    assert (decided.match[np.argsort(decided.pairs)] == match).all()
    true, false, missed = ((match & same).sum(), (match & ~same).sum(), (~match & same).sum())
    assert decided.counts == (true, false, missed)
    assert decided.f1 == pytest.approx(2 * true / (2 * true + false + missed))
    assert decided.accuracy == pytest.approx((match == same).mean())


def test_pairs_of_two_people_have_no_folds() -> None:
    pairs = PairScores.of([1, 0.9, 0.1], [True, True, False], people=(list("aaa"), list("aab")))
    with pytest.raises(Refused, match="fewer than two folds"):
        folds.cross_validated(pairs, curves.best_by_accuracy)
