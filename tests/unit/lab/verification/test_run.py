"""Whole verification runs as records."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from facelign.compare import curves
from facelign.compare.pairs import Failures, PairScores
from facelign.compare.thresholds import uncalibrated
from facelign.datasets.records import Pair, PairList
from facelign.errors import Refused
from facelign.lab.material.named import Named
from facelign.lab.material.trials import Trials
from facelign.lab.verification.figures import at_threshold
from facelign.lab.verification.report import VerificationPage, report
from facelign.lab.verification.run import Choices, rejects, run, worst_pairs
from made_people import embedded_people as _embedded
from made_people import named_people as _named


def _listed(named: Named) -> PairScores:
    embedded = _embedded(named)
    return Trials.among(embedded.photos, "made").scored(embedded)


def test_a_run_as_json() -> None:
    named = _named(people=30)
    embedded = _embedded(named, lost=1)
    trials = Trials.among(embedded.photos, "made")
    found = run(
        trials,
        embedded,
        Choices(draws=200, heights=True, groups={p: p[:2] for p in named.people}),
        fixed=uncalibrated(0.5, "given"),
    )
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    wanted = {"pairs", "mated", "non_mated", "folds", "accuracy", "accuracy_se", "auc", "eer",
              "tar_at_fmr", "best_f1", "failures"}  # fmt: skip
    assert wanted <= record.keys()
    assert record["best_f1"].keys() == {"threshold", "f1", "accuracy"}
    assert record["tar_at_fmr"]["0.001"] is not None
    assert record["tar_at_fmr"]["0.00001"] is None
    assert record["tar_needs"]["0.00001"] == "needs 100000 pairs"
    assert record["failures"]["count"] == 1
    assert record["failures"]["pairs"] == 120
    # the threshold that was fixed before, counted by hand; failed pairs count as "different"
    pairs = found.counted
    match = pairs.scores >= 0.5
    assert record["fixed_threshold"]["fmr"]["value"] == pytest.approx(match[~pairs.same].mean())
    assert record["fixed_threshold"]["fnmr"]["value"] == pytest.approx(1 - match[pairs.same].mean())
    names = [group["group"] for group in record["by_height"]["groups"]]
    assert names == sorted(names, key=lambda name: float(name.replace("-", " ").split()[0]))


def test_view_1_takes_its_threshold_from_the_other_list() -> None:
    embedded = _embedded(_named(people=20, spread=0.8))
    trials = Trials.among(embedded.photos, "made")
    listed = [Pair(p.path, q.path, p.person == q.person) for p, q in zip(
        embedded.photos[:40], embedded.photos[2:42], strict=True)]  # fmt: skip
    trials = trials.with_development(PairList("other", tuple(listed)))
    assert trials.development is not None
    other = trials.development.scored(embedded)
    found = run(trials, embedded, Choices(draws=100))
    threshold = curves.best_by_accuracy(other.set).threshold
    pairs = found.pairs
    assert not any("no folds" in note for note in found.result.notes)
    assert found.result.accuracy == pytest.approx(
        ((pairs.scores >= threshold) == pairs.same).mean()
    )
    assert any("View 1" in note for note in found.result.notes)


def test_no_error_is_bounded_by_the_rule_of_three() -> None:
    pairs = _listed(_named(people=10))
    found = at_threshold(pairs, uncalibrated(2.0, "above everything"), draws=100)
    assert found.fmr is not None
    assert found.fnmr is not None
    assert (found.fmr.value, found.fmr.high) == (0.0, 3 / int((~pairs.same).sum()))
    assert found.fnmr.value == 1.0


def test_worst_pairs_come_first() -> None:
    embedded = _embedded(_named(people=10), lost=2)
    trials = Trials.among(embedded.photos, "made")
    found = run(trials, embedded, Choices(draws=100))
    low, high = worst_pairs(found, 3)
    pairs = found.pairs
    usable = ~pairs.failed
    assert pairs.scores[low].tolist() == sorted(pairs.scores[pairs.same & usable])[:3]
    assert pairs.scores[high].tolist() == sorted(pairs.scores[~pairs.same & usable])[:-4:-1]


def test_reject_curves_fall_for_a_number_that_knows() -> None:
    named = _named(people=30, spread=0.8)
    embedded = _embedded(named)
    trials = Trials.among(embedded.photos, "made")
    found = run(trials, embedded, Choices(draws=100))
    scores = np.zeros(len(named.people))
    for i, person in enumerate(named.people):  # how alike a photo is to the person's others
        rows = [j for j, p in enumerate(named.people) if p == person and j != i]
        scores[i] = float((named.vectors[rows] @ named.vectors[i]).min())
    rejected = rejects(found, {"oracle": scores})
    assert rejected["oracle"].fnmr[-1] < rejected["oracle"].fnmr[0]
    assert rejected["oracle"].area < rejected["height"].area


def test_failures_left_out_leave_the_run() -> None:
    embedded = _embedded(_named(people=10), lost=1)
    trials = Trials.among(embedded.photos, "made")
    found = run(trials, embedded, Choices(counting=Failures.LEFT_OUT, draws=100))
    assert len(found.counted) == len(found.pairs) - 40
    assert found.to_dict()["failures"]["counted_as"] == "left out"


def test_heights_that_nobody_knows_are_refused() -> None:
    named = replace(_named(people=5), heights=None)
    embedded = replace(_embedded(_named(people=5)), named=named)
    trials = Trials.among(embedded.photos, "made")
    with pytest.raises(Refused, match="heights"):
        run(trials, embedded, Choices(draws=100, heights=True))


def test_the_page_tells_how_many_folds_there_were_not_how_many_there_could_be() -> None:
    embedded = _embedded(_named(people=6))
    found = run(Trials.among(embedded.photos, "made"), embedded, Choices(draws=100))
    page = report(found, {}, VerificationPage(photos=False))
    accuracy = next(fact for fact in page.headline if fact.label == "Accuracy")
    assert accuracy.note.startswith("6 folds")
    few = _embedded(_named(people=2))
    found = run(Trials.among(few.photos, "made"), few, Choices(draws=100))
    assert "accuracy" not in found.result.crossed
    page = report(found, {}, VerificationPage(photos=False))
    assert "these very pairs chose" in page.verdict
