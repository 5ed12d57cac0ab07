"""Calibrations from vectors: counts, intervals and ratios against their plain definitions."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn import metrics
from sklearn.calibration import calibration_curve

from facelign.compare import planning, thresholds
from facelign.compare.calibrations import from_json, to_json
from facelign.compare.curves import ScoreSet, fmr
from facelign.errors import BadArray, Refused
from facelign.lab.calibration import figures as cal
from facelign.lab.calibration import probabilities
from facelign.lab.calibration.figures import CalibrationRequest, Evidence
from facelign.lab.material.named import Named, all_scores
from facelign.lab.statistics import resampling
from facelign.types.calibrations import Calibration
from facelign.types.embeddings import Metric, Space
from facelign.types.policies import VERIFY_FMR

SPACE = Space("made/up/five", 16, Metric.COSINE, unit=True)


def _named(people: int = 120, photos: int = 3, seed: int = 0, spread: float = 0.6) -> Named:
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(people, 16))
    rows = np.repeat(centers, photos, axis=0) + rng.normal(scale=spread, size=(people * photos, 16))
    names = tuple(f"p{i:03d}" for i in np.repeat(np.arange(people), photos))
    files = tuple(f"{n}-{i % photos}" for i, n in enumerate(names))
    heights = rng.uniform(40, 200, len(rows))
    return Named(SPACE, rows.astype(np.float32), names, heights, files)


@pytest.fixture(scope="module")
def named() -> Named:
    return _named()


@pytest.fixture(scope="module")
def record(named: Named) -> Calibration:
    return calibrated(named, draws=200)


def calibrated(named: Named, **wanted: Any) -> Calibration:
    request = CalibrationRequest(
        "made-up", "made-up people", "2026-11-01", {"detector": "none"}, **wanted
    )
    return cal.calibrate(Evidence.of_people(named, request.draws, request.seed), named, request)


def _brute(named: Named) -> tuple[list[float], list[float]]:
    unit = named.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    mated, non_mated = [], []
    for i, j in itertools.combinations(range(len(unit)), 2):
        same = named.people[i] == named.people[j]
        (mated if same else non_mated).append(float(unit[i] @ unit[j]))
    return mated, non_mated


def test_every_pair_is_counted_once(named: Named, record: Calibration) -> None:
    mated, non_mated = _brute(named)
    assert (record.mated, record.non_mated) == (len(mated), len(non_mated)) == (360, 64_260)
    assert (record.subjects, record.photos) == (120, 360)
    scores = all_scores(named)
    np.testing.assert_allclose(np.sort(mated), scores.mated, atol=1e-6)
    np.testing.assert_allclose(np.sort(non_mated), scores.non_mated, atol=1e-6)
    assert record.non_mated_std == pytest.approx(np.std(non_mated), abs=1e-6)


def test_the_kept_rates_are_the_true_ones(named: Named, record: Calibration) -> None:
    scores = all_scores(named)
    np.testing.assert_array_equal(record.fmr, fmr(scores, record.scores))
    assert record.fmr[-1] == 0
    assert record.scores[-1] - float(scores.non_mated[-1]) < 3e-6
    counts = record.fmr * record.non_mated
    # the tail score by score, but for those that agree in six digits
    assert len(set(range(1000)) - set(np.rint(counts).astype(int))) < 20
    assert (counts[:-1] / counts[1:].clip(1))[counts[1:] > 1000].max() < 1.03


def test_operating_points_hold_their_rate(named: Named, record: Calibration) -> None:
    scores = all_scores(named)
    assert [p.fmr for p in record.points] == [1e-1, 1e-2, 1e-3, 1e-4]  # 3 / 64,260 = 4.7e-5
    for point in record.points:
        assert fmr(scores, point.threshold) <= point.fmr
        assert fmr(scores, point.threshold - 2e-6) * 1.05 > point.fmr * 0.95
        assert point.errors == np.sum(scores.non_mated >= point.threshold)
        assert point.tar == pytest.approx(np.mean(scores.mated >= point.threshold))
        assert point.interval[0] <= point.errors / record.non_mated <= point.interval[1]
        assert thresholds.score_at_fmr(record, point.fmr) == pytest.approx(point.threshold)


def test_the_record_survives_json_and_is_repeatable(named: Named, record: Calibration) -> None:
    assert to_json(from_json(to_json(record))) == to_json(record)
    again = calibrated(named, draws=200)
    assert to_json(again) == to_json(record)
    assert len(to_json(record)) < 100_000


def test_the_interval_is_that_of_drawn_people() -> None:
    """Against a brute-force bootstrap that writes every drawn person's photos down."""
    few = _named(people=12, photos=2, seed=4, spread=0.9)
    codes = few.codes
    _, non_mated = _brute(few)
    threshold = float(np.quantile(non_mated, 0.8))
    weights = resampling.people_weights(12, draws=40, seed=9)
    unit = few.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    high = unit @ unit.T >= threshold
    brute = []
    for row in weights.astype(int):
        photos = [i for i in range(len(codes)) for _ in range(row[codes[i]])]
        pairs = [high[i, j] for i, j in itertools.combinations(photos, 2) if codes[i] != codes[j]]
        brute.append(np.mean(pairs))
    i, j = np.triu_indices(len(codes), 1)
    wrong = high[i, j] & (codes[i] != codes[j])
    errors = sparse.coo_matrix(
        (np.ones(wrong.sum()), (codes[i][wrong], codes[j][wrong])), shape=(12, 12)
    ).tocsr()
    got = cal.non_mated_rates(errors, np.bincount(codes), weights)
    np.testing.assert_allclose(got, brute, atol=1e-12)


def test_people_widen_the_interval_where_pairs_would_hide_it() -> None:
    """One person who matches many others: resampling pairs would call the rate precise."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(200, 16))
    rows[100:120] = rows[100] + rng.normal(scale=0.05, size=(20, 16))  # look-alikes, all apart
    names = tuple(f"p{i}" for i in (*range(199), 0))
    named = Named(SPACE, rows.astype(np.float32), names)
    record = calibrated(named, target=1e-2, draws=400)
    point = record.points[1]
    binomial = 1.96 * math.sqrt(1e-2 / record.non_mated)
    assert point.interval[1] - 1e-2 > 2 * binomial


def test_a_threshold_holds_on_other_people() -> None:
    """The rate on people that the calibration never saw lies inside its interval, mostly."""
    inside = 0
    for seed in range(5):
        record = calibrated(_named(seed=seed), draws=200)
        point = next(p for p in record.points if p.fmr == 1e-2)
        other = all_scores(_named(seed=seed + 100))
        inside += point.interval[0] * 0.7 <= fmr(other, point.threshold) <= point.interval[1] * 1.3
    assert inside >= 4


def test_ratios_are_monotone_and_calibrated(named: Named) -> None:
    scores = all_scores(named)
    at, ratios = probabilities.pav_ratios(scores)
    assert (np.diff(at) >= 0).all()
    assert (np.diff(ratios) >= 0).all()
    # a block's ratio is that of its counts (the prior and the imaginary two apart)
    middle = len(at) // 2 // 2 * 2
    low, high = at[middle], at[middle + 1]
    m = np.sum((scores.mated >= low) & (scores.mated <= high))
    n = np.sum((scores.non_mated >= low) & (scores.non_mated <= high))
    want = math.log((m / len(scores.mated)) / (n / len(scores.non_mated)))
    assert ratios[middle] == pytest.approx(want, abs=0.05)
    told = np.interp(scores.mated, at, ratios), np.interp(scores.non_mated, at, ratios)
    assert probabilities.cllr(*told) < 0.5
    assert np.abs(ratios).max() < math.log(len(scores.non_mated)) + math.log(len(scores.mated))


def test_perfectly_apart_scores_stay_finite() -> None:
    at, ratios = probabilities.pav_ratios(
        ScoreSet(np.linspace(0.8, 1, 50), np.linspace(-0.2, 0.2, 5000))
    )
    assert np.isfinite(ratios).all()
    assert np.interp(0.9, at, ratios) > 3 > -3 > np.interp(0.0, at, ratios)
    at, ratios = probabilities.pav_ratios(ScoreSet([0.5, 0.5], [0.5, 0.5]))
    np.testing.assert_allclose(ratios, 0, atol=0.5)


def test_what_the_data_cannot_support_is_refused(record: Calibration) -> None:
    planning.support(record)
    small = calibrated(_named(people=20), draws=50)
    with pytest.raises(Refused, match="needs 3,000") as refused:
        planning.support(small)
    # 20 people x 3 photos = 1,710 comparisons; 27 people give 3,159
    assert "about 7 more people" in refused.value.hint
    alone = Named(SPACE, np.ones((2, 16), np.float32), ("a", "a"))
    with pytest.raises(Refused, match="2 photos of 1 people"):
        all_scores(alone)


def test_a_wide_interval_is_refused(record: Calibration) -> None:
    from dataclasses import replace

    points = tuple(replace(p, interval=(0.0, 0.02)) if p.fmr == 1e-3 else p for p in record.points)
    with pytest.raises(Refused, match="over ten times") as refused:
        planning.support(replace(record, points=points))
    assert "about 360 more people" in refused.value.hint  # twice too wide: four times the people


def test_plans() -> None:
    plan = planning.plan(1e-4)
    assert plan["least_comparisons"] == 30_000
    people = plan["least_people"]
    assert people * (people - 1) // 2 >= 30_000 > (people - 1) * (people - 2) // 2
    assert plan["sound_comparisons"] == 300_000
    assert planning.plan(1e-3, 10)["least_people"] == 9  # 36 pairs of people x 100 >= 3,000
    with pytest.raises(BadArray):
        planning.plan(0)


def test_named_sets(named: Named) -> None:
    less = named.without(["p000", "p119"])
    assert len(less.people) == 354
    assert less.heights is not None
    assert (len(less.heights), len(less.photos)) == (354, 354)
    order = np.random.default_rng(0).permutation(360)
    assert named.where(np.ones(360, bool)).digest == named.digest
    mixed = Named(
        SPACE,
        named.vectors[order],
        tuple(named.people[i] for i in order),
        photos=tuple(named.photos[i] for i in order),
    )
    assert mixed.digest == named.digest != less.digest
    with pytest.raises(BadArray):
        Named(SPACE, named.vectors, ("a",))


def test_platt_scaling() -> None:
    rng = np.random.default_rng(1)
    # normal scores of equal spread: the true log-likelihood ratio is 2 * score (means -1 and 1)
    scores = ScoreSet(rng.normal(1, 1, 4000), rng.normal(-1, 1, 8000))
    fit = probabilities.platt(scores)
    assert fit.slope == pytest.approx(2, rel=0.05)
    assert fit.prior == pytest.approx(1 / 3)
    at = np.array([-2.0, 0.0, 1.0])
    np.testing.assert_allclose(fit.log_likelihood_ratio(at), 2 * at, atol=0.15)
    odds = fit.slope * np.concatenate([scores.mated, scores.non_mated]) + fit.offset
    told = 1 / (1 + np.exp(-odds))
    truth = np.repeat([1, 0], [4000, 8000])
    found = probabilities.reliability(told, truth, bins=15)
    assert found.ece < 0.02
    assert probabilities.brier(told, truth) == pytest.approx(metrics.brier_score_loss(truth, told))


def test_reliability_is_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    said = rng.uniform(size=3000)
    truth = rng.uniform(size=3000) < said**2
    got = probabilities.reliability(said, truth, bins=10)
    true, mean = calibration_curve(truth, said, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(got.true, true, atol=0.01)
    np.testing.assert_allclose(got.said, mean, atol=0.01)
    assert sum(got.counts) == 3000
    assert got.ece == pytest.approx(1 / 6, abs=0.02)  # mean of x - x^2
    with pytest.raises(BadArray):
        probabilities.reliability([0.5], [True, False], bins=2)


def test_cllr_by_hand() -> None:
    assert probabilities.cllr([0.0], [0.0]) == pytest.approx(1)
    assert probabilities.cllr([50.0], [-50.0]) == pytest.approx(0)
    assert probabilities.cllr([-3.0], [3.0]) > 1


@pytest.mark.parametrize("largest", [0.4638005, 0.7974004, -0.2630017, 0.5633215, 0.1000003])
def test_the_last_kept_score_is_above_every_non_mated_one(largest: float) -> None:
    from facelign.compare.curves import ScoreSet, matches
    from facelign.lab.calibration.figures import _kept_scores

    for step in range(200):  # whichever way the last digit is rounded
        top = largest + step * 1.7e-7
        scores = ScoreSet(np.array([1.0]), np.sort(np.array([top, top - 0.1, top - 0.2])))
        kept = _kept_scores(scores, [])
        assert matches(scores.non_mated, float(kept[-1])) == 0


def test_a_fit_over_cells_is_the_fit_over_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    scores = ScoreSet(rng.normal(0.6, 0.1, 3000), rng.normal(0.05, 0.09, 60_000))
    single = probabilities.platt(scores)
    monkeypatch.setattr(probabilities, "_SINGLY", 0)
    cells = probabilities.platt(scores)
    assert cells.prior == single.prior
    at = np.linspace(-0.2, 0.9, 50)
    ratios = [fit.log_likelihood_ratio(at) for fit in (cells, single)]
    np.testing.assert_allclose(np.tanh(ratios[0] / 2), np.tanh(ratios[1] / 2), atol=4e-4)


def test_intervals_of_several_thresholds_are_those_of_each(named: Named) -> None:
    """In any order, with equal ones, and the border belongs to the match."""
    weights = resampling.people_weights(120, draws=50, seed=3)
    scores = all_scores(named).non_mated
    border = float(scores[-500])
    thresholds_ = [0.9, border, 0.1, border, float(scores[-1])]
    together = cal.intervals_of_fmr(named, thresholds_, weights)
    assert together == [cal.intervals_of_fmr(named, [t], weights)[0] for t in thresholds_]
    unit = np.ones((1, 120))
    for t in thresholds_:
        (low, high), = cal.intervals_of_fmr(named, [t], unit)  # fmt: skip
        assert low == high == pytest.approx(float((scores >= np.float32(t)).mean()), abs=1e-12)


@pytest.mark.parametrize(
    ("asked", "target", "searched"),
    [
        ({}, VERIFY_FMR, {}),
        ({"fmr": 1e-4}, 1e-4, {}),
        ({"fmr": 1e-4, "templates": 50}, 1e-4, {}),
        ({"fpir": 0.01, "templates": 50}, 2e-4, {"fpir": 0.01, "templates": 50}),
        ({"fpir": 0.01, "fmr": 1e-4, "templates": 50}, 1e-4, {"fpir": 0.01, "templates": 50}),
        ({"fpir": 0.01, "fmr": 1e-3, "templates": 50}, 2e-4, {"fpir": 0.01, "templates": 50}),
        ({"fpir": 0.01, "templates": 0}, 0.01, {"fpir": 0.01, "templates": 1}),
    ],
)
def test_the_stricter_of_what_is_wanted_is_aimed_at(asked, target, searched) -> None:
    plain = CalibrationRequest("a", "s", "2026-11-01", notes={"face": "central"})
    aimed = plain.aimed(**asked, failed_photos=2)
    assert aimed.target == pytest.approx(target)
    assert dict(aimed.notes) == {"face": "central", **searched, "failed_photos": 2}
    assert dict(plain.notes) == {"face": "central"}
