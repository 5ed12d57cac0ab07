"""Error rates against scikit-learn, a brute-force count, and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn import metrics

from facelign.compare import curves
from facelign.compare.curves import ScoreSet
from facelign.errors import BadArray, Refused

# few distinct values, so that ties between mated and non-mated scores are common
SCORES = st.lists(st.sampled_from([i / 8 for i in range(-8, 9)]), min_size=1, max_size=40)
SETS = st.builds(ScoreSet, SCORES, SCORES)


def _truth(scores: ScoreSet) -> tuple[np.ndarray, np.ndarray]:
    values = np.concatenate([scores.mated, scores.non_mated])
    return np.repeat([1, 0], [len(scores.mated), len(scores.non_mated)]), values


@given(SETS, st.floats(-1.5, 1.5))
def test_rates_are_counts_and_the_border_matches(scores: ScoreSet, threshold: float) -> None:
    for t in (threshold, float(scores.mated[0]), float(scores.non_mated[-1])):
        brute_fmr = sum(s >= t for s in scores.non_mated) / len(scores.non_mated)
        brute_fnmr = sum(s < t for s in scores.mated) / len(scores.mated)
        assert float(curves.fmr(scores, t)) == pytest.approx(brute_fmr, abs=1e-12)
        assert float(curves.fnmr(scores, t)) == pytest.approx(brute_fnmr, abs=1e-12)


def test_a_threshold_is_not_rounded_onto_a_float32_score() -> None:
    score = np.float32(0.1)  # 0.10000000149
    scores = ScoreSet(np.array([score]), np.array([score]))
    assert scores.non_mated.dtype == np.float32
    assert curves.fmr(scores, float(score)) == 1
    assert curves.fmr(scores, curves.just_above(float(score))) == 0
    assert curves.fmr(scores, 0.1) == 1


@given(SETS)
def test_the_curve_is_monotone_and_complete(scores: ScoreSet) -> None:
    steps = curves.curve(scores)
    assert (np.diff(steps.thresholds) > 0).all()
    assert (np.diff(steps.fmr) <= 0).all()
    assert (np.diff(steps.fnmr) >= 0).all()
    assert (steps.fmr[0], steps.fnmr[0]) == (1, 0)
    assert (steps.fmr[-1], steps.fnmr[-1]) == (0, 1)
    assert set(scores.mated) | set(scores.non_mated) == set(steps.thresholds[:-1])


@given(SETS)
@settings(deadline=None)
def test_roc_and_auc_are_scikit_learns(scores: ScoreSet) -> None:
    truth, values = _truth(scores)
    assert curves.auc(scores) == pytest.approx(metrics.roc_auc_score(truth, values), abs=1e-12)
    fpr, tpr, _ = metrics.roc_curve(truth, values, drop_intermediate=False)
    fmr, tar = curves.roc(scores)
    np.testing.assert_allclose(fmr, fpr, atol=1e-12)
    np.testing.assert_allclose(tar, tpr, atol=1e-12)
    assert metrics.auc(fmr, tar) == pytest.approx(curves.auc(scores), abs=1e-12)


@given(SETS)
@settings(deadline=None)
def test_eer_is_where_the_drawn_roc_meets_the_diagonal(scores: ScoreSet) -> None:
    got = curves.eer(scores)
    fmr, tar = curves.roc(scores)
    # on the polyline: some segment holds a point with both rates equal to the EER
    x, y = fmr, 1 - tar
    gap = np.abs(
        (x[:-1] - got) * (y[1:] - y[:-1]) - (y[:-1] - got) * (x[1:] - x[:-1])
    )  # twice the triangle's area: 0 when (got, got) lies on the segment's line
    inside = (np.minimum(x[:-1], x[1:]) - 1e-9 <= got) & (got <= np.maximum(x[:-1], x[1:]) + 1e-9)
    assert (gap[inside] < 1e-9).any()
    swapped = curves.eer(ScoreSet(-scores.non_mated, -scores.mated))
    assert got == pytest.approx(swapped, abs=1e-12)


def test_eer_of_many_scores_is_the_usual_one() -> None:
    rng = np.random.default_rng(3)
    scores = ScoreSet(rng.normal(1.5, 1, 3000), rng.normal(0, 1, 5000))
    fpr, tpr, _ = metrics.roc_curve(*_truth(scores))
    usual = brentq(lambda x: 1 - x - float(interp1d(fpr, tpr)(x)), 0, 1)
    assert curves.eer(scores) == pytest.approx(usual, abs=2e-4)
    assert curves.eer(scores) == pytest.approx(0.5 * math.erfc(0.75 / math.sqrt(2)), abs=0.01)


def test_worked_by_hand() -> None:
    # mated 0.9 0.8 0.4, non-mated 0.5 0.3 0.2 0.1
    scores = ScoreSet([0.9, 0.8, 0.4], [0.5, 0.3, 0.2, 0.1])
    assert curves.auc(scores) == pytest.approx(11 / 12)
    assert curves.tar_at_fmr(scores, 0.25).tar == 1.0
    assert curves.threshold_at_fmr(scores, 0.25) == curves.just_above(0.3)
    best = curves.best_by_f1(scores)
    assert best.f1 == pytest.approx(6 / 7)
    assert best.accuracy == pytest.approx(6 / 7)
    # both stretches (0.3, 0.4] and (0.5, 0.8] get one wrong; only the first finds all mated ones
    assert best.threshold == pytest.approx(0.35)
    assert curves.always_different(scores) == pytest.approx(4 / 7)


def test_the_articles_baseline() -> None:
    # article row A3-11: 4500 of 4950
    scores = ScoreSet(np.ones(450), np.zeros(4500))
    assert curves.always_different(scores) == pytest.approx(0.909, abs=1e-3)


@given(SETS, st.sampled_from([1.0, 0.5, 0.25, 0.1, 0.05]))
@settings(deadline=None)
def test_threshold_at_fmr_is_the_lowest_that_holds(scores: ScoreSet, rate: float) -> None:
    if len(scores.non_mated) * rate < 1 - 1e-9:
        with pytest.raises(Refused, match="needs"):
            curves.threshold_at_fmr(scores, rate)
        found = curves.tar_at_fmr(scores, rate)
        assert found.tar is None
        assert (found.tar, found.needs) == (None, round(1 / rate))
        return
    threshold = curves.threshold_at_fmr(scores, rate)
    assert curves.fmr(scores, threshold) <= rate + 1e-12
    lower = np.nextafter(threshold, -math.inf)
    assert curves.fmr(scores, lower) > rate or threshold == scores.non_mated[0]
    truth, values = _truth(scores)
    fpr, tpr, _ = metrics.roc_curve(truth, values, drop_intermediate=False)
    if rate < 1:
        best = tpr[fpr <= rate + 1e-12].max()
        assert curves.tar_at_fmr(scores, rate).tar == pytest.approx(best, abs=1e-12)


def test_rates_outside_are_refused() -> None:
    with pytest.raises(BadArray):
        curves.tar_at_fmr(ScoreSet([1.0], [0.0]), 0.0)
    assert curves.comparisons_needed(1e-6) == 1_000_000


@given(SETS, st.lists(st.floats(-1.2, 1.2), min_size=1, max_size=5))
@settings(deadline=None)
def test_tallies_are_scikit_learns(scores: ScoreSet, thresholds: list[float]) -> None:
    truth, values = _truth(scores)
    got = curves.tally(scores, thresholds)
    for i, t in enumerate(thresholds):
        said = (values >= t).astype(int)
        assert got.accuracy[i] == pytest.approx(metrics.accuracy_score(truth, said))
        assert got.f1[i] == pytest.approx(metrics.f1_score(truth, said, zero_division=0.0))
        assert got.recall[i] == pytest.approx(metrics.recall_score(truth, said))
        assert got.precision[i] == pytest.approx(
            metrics.precision_score(truth, said, zero_division=1.0)
        )


@given(SETS)
@settings(deadline=None)
def test_no_threshold_beats_the_best(scores: ScoreSet) -> None:
    everywhere = curves.tally(scores, np.linspace(-1.5, 1.5, 241))
    by_f1, by_accuracy = curves.best_by_f1(scores), curves.best_by_accuracy(scores)
    assert by_f1.f1 >= everywhere.f1.max() - 1e-12
    assert by_accuracy.accuracy >= everywhere.accuracy.max() - 1e-12
    assert curves.tally(scores, by_f1.threshold).f1[0] == by_f1.f1


def test_the_articles_grid_of_thresholds() -> None:
    # article row A3-10: 0.30 to 0.99 in steps of 0.01, on squared distances
    grid = -np.arange(0.30, 1.0, 0.01)
    assert len(grid) == 70
    scores = ScoreSet([-0.2, -0.5], [-0.8, -1.4])
    best = curves.best_by_f1(scores, grid)
    assert best.f1 == 1
    assert -best.threshold == pytest.approx(0.50, abs=0.0101)
    assert min(abs(grid - best.threshold)) < 1e-12


def test_best_at_fmr() -> None:
    scores = ScoreSet([0.9, 0.8], np.linspace(0, 0.85, 100))
    best = curves.best_at_fmr(scores, 0.01)
    assert best.rule == "fmr 0.01"
    assert curves.fmr(scores, best.threshold) <= 0.01
    assert best.accuracy == pytest.approx((99 + 1) / 102)  # 0.8 lies among the non-mated


def test_det_has_no_zeros_and_thinning_keeps_the_shape() -> None:
    rng = np.random.default_rng(1)
    scores = ScoreSet(rng.normal(2, 1, 20_000).astype(np.float32), rng.normal(0, 1, 50_000))
    fmr, fnmr = curves.det(scores)
    assert (fmr > 0).all()
    assert (fnmr > 0).all()
    steps = curves.curve(scores)
    thin = steps.thinned(600)
    assert 200 < len(thin.thresholds) <= 600
    assert (thin.fmr[0], thin.fmr[-1]) == (1, 0)
    assert np.isin(thin.thresholds, steps.thresholds).all()
    area = metrics.auc(thin.fmr, thin.tar)
    assert area == pytest.approx(curves.auc(scores), abs=1e-4)
    for rate in (1e-4, 1e-3, 1e-2):  # the small rates are where a DET is read
        near = thin.fmr[np.argmin(abs(np.log(thin.fmr.clip(1e-9)) - math.log(rate)))]
        assert near == pytest.approx(rate, rel=0.2)
    assert curves.curve(ScoreSet([1.0], [0.0])).thinned() is not None


def test_labeled_scores() -> None:
    scores = ScoreSet.labeled([0.1, 0.9, 0.5], [False, True, True])
    assert scores.mated.tolist() == [0.5, 0.9]
    for bad in (([0.1], [True, False]), ([0.1], [True])):
        with pytest.raises(BadArray):
            ScoreSet.labeled(*bad)
    with pytest.raises(BadArray):
        ScoreSet([math.nan], [0.0])


def test_the_callers_array_is_left_as_it_was() -> None:
    mine = np.array([0.9, 0.1])
    scores = ScoreSet(mine, [0.0])
    assert mine.tolist() == [0.9, 0.1]
    assert mine.flags.writeable
    assert not scores.mated.flags.writeable
