"""Two saved runs: what became worse is seen, and what cannot be compared is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facelign.compare.pairs import PairScores
from facelign.errors import DatasetMalformed, Refused
from facelign.lab.comparison import saved_runs
from facelign.lab.verification.figures import evaluate
from facelign.types.embeddings import Metric

#: makes trials, vectors or pairs (conftest)
Made = Callable[..., Any]


def run_of(pairs: PairScores, *, scores: bool, draws: int = 100) -> dict[str, object]:
    told = evaluate(pairs, draws=draws)
    record = told.to_dict() | {"digest": "same", "photos": 56}
    return record | ({"pair_scores": saved_runs.pair_record(pairs)} if scores else {})


@pytest.mark.parametrize("scores", [True, False])
def test_a_worse_run_is_seen_and_an_equal_one_passes(
    people: Made, measured: Made, scores: bool
) -> None:
    trials = people()
    good = run_of(measured(trials, 0.5), scores=scores)
    bad = run_of(measured(trials, 3.0), scores=scores)
    assert saved_runs.compare_runs(good, bad).worse
    assert not saved_runs.compare_runs(good, good).worse
    better = saved_runs.compare_runs(bad, good)
    assert not better.worse
    assert {c.verdict for c in better.changes} >= {"better"}
    assert better.paired is scores


def test_small_changes_are_seen_only_pair_by_pair(people: Made, vectors: Made) -> None:
    trials = people(20, 4)
    base = vectors(trials, 1.3)
    noisy = base + np.random.default_rng(3).normal(0, 0.8, base.shape)
    none = np.zeros(len(trials.photos), bool)
    pairs = [trials.measured(trials.scores(v, Metric.COSINE), none) for v in (base, noisy)]
    assert saved_runs.compare_runs(*(run_of(p, scores=True) for p in pairs)).worse


def test_runs_without_figures_or_with_damaged_ones_are_no_pass(
    people: Made, measured: Made
) -> None:
    record = run_of(measured(people(), 0.5), scores=False)
    with pytest.raises(Refused, match="no figure with an interval in common"):
        saved_runs.compare_runs(record | {"intervals": {}}, record)
    for damaged in (
        {"intervals": {"auc": {"value": 1.0}}},
        {"intervals": {"auc": 3}},
        {"intervals": {"auc": {"value": 1.0, "low": "0.9", "high": 1.0}}},
        {"pairs": None},
        {"mated": "many"},
    ):
        with pytest.raises(DatasetMalformed):
            saved_runs.compare_runs(record | damaged, record | damaged)
    # what is read of a record is read from its own keys only
    assert not saved_runs.compare_runs(record | {"tar_at_fmr": 5}, record).worse


def test_pairs_in_another_order_are_not_paired(people: Made, measured: Made) -> None:
    trials = people(20, 4)
    pairs = measured(trials, 0.8)
    turned = pairs.where(np.arange(len(pairs))[::-1])
    found = saved_runs.compare_runs(run_of(pairs, scores=True), run_of(turned, scores=True))
    assert not found.paired
    assert any("another order" in note for note in found.notes)
    assert not found.worse


def test_paired_runs_start_from_their_own_figures(people: Made, measured: Made) -> None:
    pairs = measured(people(20, 4), 0.8)
    record = run_of(pairs, scores=True)
    found = saved_runs.compare_runs(record | {"intervals": {}}, record)
    begun = {change.figure: change.before for change in found.changes}
    assert begun["auc"] == pytest.approx(roc_auc_score(pairs.same, pairs.scores))
    cut = np.sort(pairs.scores[~pairs.same])[::-1][int(0.001 * (~pairs.same).sum())]
    assert begun["tar_at_fmr_0.001"] == pytest.approx((pairs.scores[pairs.same] > cut).mean())


def test_faces_that_get_lost_make_a_run_worse(people: Made, measured: Made) -> None:
    record = run_of(measured(people(), 0.5), scores=False)
    lost = record | {"failures": {"count": 20, "pairs": 0, "counted_as": "", "photos": []}}
    found = saved_runs.compare_runs(record, lost)
    assert [c.figure for c in found.changes if c.verdict == "worse"] == ["failures"]


def test_runs_over_other_pairs_and_other_files_are_refused(people: Made, measured: Made) -> None:
    record = run_of(measured(people(), 0.5), scores=False)
    with pytest.raises(Refused):
        saved_runs.compare_runs(record, record | {"pairs": 7})
    with pytest.raises(DatasetMalformed):
        saved_runs.compare_runs({}, record)
    damaged = record | {"pair_scores": {"scores": [1]}}
    with pytest.raises(DatasetMalformed):
        saved_runs.compare_runs(damaged, damaged)
