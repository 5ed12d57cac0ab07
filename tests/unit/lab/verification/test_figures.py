"""Verification against scikit-learn, plain loops and cases worked by hand."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from sklearn import metrics

from facelign.compare import curves
from facelign.compare.pairs import Failures, PairScores
from facelign.errors import BadArray, Refused
from facelign.lab.material.photos import Failure
from facelign.lab.statistics import folds
from facelign.lab.verification import figures as ver
from facelign.lab.verification.figures import culprits, error_versus_reject
from facelign.lab.verification.groups import by_group, by_height


def _pairs(people: int = 30, folds: int = 3, seed: int = 0, gap: float = 3.0) -> PairScores:
    """As LFW: folds with people of their own, as many mated as non-mated pairs."""
    rng = np.random.default_rng(seed)
    scores, same, first, second, fold_of = [], [], [], [], []
    for fold in range(folds):
        own = np.arange(people) + fold * people
        for i in range(2 * people):
            mated = i < people
            a = own[i % people]
            b = a if mated else own[(i + 7) % people]
            scores.append(rng.normal(gap if mated else 0))
            same.append(mated)
            first.append(f"p{a}")
            second.append(f"p{b}")
            fold_of.append(fold)
    return PairScores.of(scores, same, people=(first, second), folds=fold_of)


def test_view_2_by_a_plain_loop() -> None:
    pairs = _pairs()
    record = ver.evaluate(pairs, draws=50)
    accuracies = []
    for fold in range(3):
        test = pairs.folds == fold
        best = (-1.0, 0.0)
        everywhere = np.linspace(-5, 8, 5000)
        for t in everywhere:  # the threshold that decides most of the other folds rightly
            right = float(((pairs.scores[~test] >= t) == pairs.same[~test]).mean())
            best = max(best, (right, t))
        chosen = curves.best_by_accuracy(pairs.where(~test).set)
        assert chosen.accuracy >= best[0]
        said = pairs.scores[test] >= chosen.threshold
        accuracies.append(float((said == pairs.same[test]).mean()))
    assert record.accuracy == pytest.approx(np.mean(accuracies))
    assert record.accuracy_se == pytest.approx(np.std(accuracies, ddof=1) / math.sqrt(3))
    assert record.folds == 3
    assert (record.pairs, record.mated, record.non_mated) == (180, 90, 90)
    assert record.subjects == 90


def test_figures_agree_with_scikit_learn() -> None:
    pairs = _pairs(seed=1, gap=1.5)
    record = ver.evaluate(pairs, draws=50)
    assert record.auc == pytest.approx(metrics.roc_auc_score(pairs.same, pairs.scores))
    found = record.intervals
    assert found["auc"].value == pytest.approx(record.auc)
    assert found["eer"].value == pytest.approx(record.eer)
    assert found["tar_at_fmr_0.1"].value == pytest.approx(record.tar_at_fmr[0.1].tar)
    assert found["accuracy"].value == pytest.approx(record.accuracy)
    for one in found.values():
        assert one.low <= one.value <= one.high
    assert record.baseline == 0.5


def test_json_has_the_promised_keys_and_no_nan() -> None:
    record = ver.evaluate(_pairs(), draws=20, failures=[Failure("x.jpg", "no face")])
    plain = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    promised = (
        "pairs mated non_mated folds accuracy accuracy_se auc eer tar_at_fmr best_f1 failures"
    )
    assert set(promised.split()) <= set(plain)
    assert set(plain["best_f1"]) == {"threshold", "f1", "accuracy"}
    assert plain["tar_at_fmr"]["0.00001"] is None
    assert plain["tar_needs"]["0.00001"] == "needs 100000 pairs"
    assert isinstance(plain["tar_at_fmr"]["0.1"], float)
    assert plain["failures"]["photos"] == [{"photo": "x.jpg", "reason": "no face"}]
    assert plain["seed"] == record.seed


def test_cross_validation_is_not_in_sample() -> None:
    """A threshold chosen on noise looks good in sample and is chance elsewhere."""
    rng = np.random.default_rng(2)
    pairs = PairScores.of(rng.normal(size=60), np.arange(60) % 2 == 0, folds=np.arange(60) // 10)
    record = ver.evaluate(pairs, draws=20)
    assert record.best["accuracy"].accuracy > 0.5
    assert record.accuracy < record.best["accuracy"].accuracy
    assert record.to_dict()["best"]["f1"]["cross_validated"]["f1"] <= record.best["f1"].f1


def test_all_pairs_are_cut_by_people() -> None:
    names = [f"p{i // 4}" for i in range(40)]
    left, right, scores, same = [], [], [], []
    rng = np.random.default_rng(0)
    for i, j in itertools.combinations(range(40), 2):
        left.append(names[i])
        right.append(names[j])
        same.append(names[i] == names[j])
        scores.append(rng.normal(4 if same[-1] else 0))
    pairs = PairScores.of(scores, same, people=(left, right))
    tested = np.zeros(len(pairs), bool)
    for train, test in folds._folds(pairs):
        tested |= test
        chosen_on = {*pairs.a[train], *pairs.b[train]}
        group = {*pairs.a, *pairs.b} - chosen_on
        assert group
        for a, b in zip(pairs.a[test], pairs.b[test], strict=True):
            assert a in group or b in group
    assert tested.all()
    record = ver.evaluate(pairs, draws=20)
    assert record.folds == 1
    assert "no folds" in record.notes[0]
    assert record.accuracy > 0.95


def test_failures_are_counted_in_the_named_way() -> None:
    pairs = _pairs(gap=50)
    failed = np.zeros(len(pairs), bool)
    failed[np.flatnonzero(pairs.same)[:9]] = True
    failed[np.flatnonzero(~pairs.same)[:9]] = True
    some = PairScores(pairs.scores, pairs.same, pairs.a, pairs.b, pairs.folds, failed)
    different = ver.evaluate(some, draws=20)
    assert different.accuracy == pytest.approx(1 - 9 / 180)
    left_out = ver.evaluate(some, counting=Failures.LEFT_OUT, draws=20)
    assert left_out.accuracy == 1
    raw = ver.evaluate(some, counting=Failures.RAW, draws=20)
    assert raw.accuracy == 1
    for record in (different, left_out, raw):
        assert (record.pairs, record.failed_pairs) == (180, 18)
    assert different.to_dict()["failures"]["counted_as"] == "different"


def test_too_few_people_for_folds_is_said() -> None:
    pairs = PairScores.of(
        [1, 0.9, 0.1], [True, True, False], people=(["a", "a", "a"], ["a", "a", "b"])
    )
    record = ver.evaluate(pairs, draws=10)
    assert any("in sample" in note for note in record.notes)
    assert record.accuracy == 1
    with pytest.raises(BadArray):
        ver.evaluate(pairs.where(pairs.same), draws=10)


def test_groups_at_one_threshold() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    same = np.arange(n) % 2 == 0
    hard = np.arange(n) % 4 < 2
    scores = rng.normal(np.where(same, 4, np.where(hard, 1.0, 0.0)))
    a = np.arange(n) % 200
    people = (
        [f"p{i}" for i in a],
        [f"p{i if s else i + 200}" for i, s in zip(a, same, strict=True)],
    )
    pairs = PairScores.of(scores, same, people=people)
    labels = np.where(hard, "hard", "easy")
    record = by_group(pairs, labels.tolist(), rate=1e-2, draws=100)
    for group in record.groups:
        mask = labels == group.group
        apart = pairs.scores[mask & ~same]
        assert group.fmr is not None
        assert group.fmr.value == pytest.approx(np.mean(apart >= record.threshold))
        assert group.fmr.low <= group.fmr.value <= group.fmr.high
        assert group.fnmr is not None
        assert group.fnmr.value == pytest.approx(
            np.mean(pairs.scores[mask & same] < record.threshold)
        )
        assert np.mean(apart >= record.holds_for_all) <= 1e-2
    assert record.worst_fmr_ratio is not None
    assert record.worst_fmr_ratio > 3
    assert record.holds_for_all > record.threshold
    assert json.dumps(record.to_dict())
    tiny = by_group(pairs, ["x"] * 50 + [""] * (n - 50), rate=1e-2, draws=10)
    assert "needed" in tiny.notes[0]
    assert tiny.groups[0].own_threshold is None
    with pytest.raises(Refused):
        by_group(pairs, labels.tolist(), rate=1e-6)
    with pytest.raises(BadArray):
        by_group(pairs, ["x"])


def test_heights_of_the_smaller_face() -> None:
    pairs = _pairs()
    record = by_height(pairs, np.tile([35, 90, 10], 60), rate=0.1, draws=10)
    assert [g.group for g in record.groups] == ["0-30 px", "30-40 px", "80-120 px"]
    assert sum(g.mated + g.non_mated for g in record.groups) == 180
    flat = by_height(pairs, np.full(180, 500), rate=0.1, draws=10)
    assert [g.group for g in flat.groups] == ["120 px and more"]
    with pytest.raises(BadArray):
        by_height(pairs, [1, 2])


def test_no_error_seen_is_bounded_by_the_rule_of_three() -> None:
    pairs = _pairs(gap=100)
    record = by_group(pairs, ["all"] * 180, rate=0.02, draws=10)
    assert record.groups[0].fnmr is not None
    assert record.groups[0].fnmr.value == 0
    assert record.groups[0].fnmr.high == pytest.approx(3 / 90)


def test_culprits() -> None:
    pairs = PairScores.of(
        [0.9, 0.8, 0.1, 0.7],
        [False, False, True, True],
        people=(["a", "a", "c", "b"], ["b", "c", "c", "b"]),
    )
    assert culprits(pairs, ("Ada", "Bo", "Cy"), 0.5) == [("Ada", 2, 0), ("Cy", 1, 1), ("Bo", 1, 0)]
    assert culprits(pairs, ("Ada", "Bo", "Cy"), 0.5, most=1) == [("Ada", 2, 0)]
    assert culprits(pairs, (), 0.5) == []


def test_error_versus_reject() -> None:
    quality = np.arange(100)
    scores = np.where(quality < 10, 0.0, 1.0)  # the worst ten fail
    curve = error_versus_reject(scores, quality, 0.5)
    assert curve.fnmr[0] == 0.1
    assert curve.fnmr[5] == pytest.approx(5 / 95)
    assert curve.fnmr[10] == 0
    assert all(np.diff(curve.fnmr) <= 0)
    noise = error_versus_reject(scores, -quality, 0.5)
    assert noise.area > curve.area
    with pytest.raises(BadArray):
        error_versus_reject([], [], 0.5)


def test_large_sets_take_fewer_draws_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ver, "_EFFORT", 180 * 120)
    record = ver.evaluate(_pairs(), draws=1000)
    assert record.draws == 120
    assert any("120 draws" in note for note in record.notes)
