"""Paired differences, comparisons, saved runs: against definitions and cases worked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facelign.datasets.records import Pair, PairList, PeopleFolder, Photo
from facelign.errors import BadArray, ConfigError, DatasetMalformed, Refused
from facelign.lab.comparison import run as comparison
from facelign.lab.material.trials import Trials
from facelign.lab.statistics import resampling
from facelign.lab.statistics.paired import System, differences, lowest_rate
from facelign.lab.verification import figures as verification
from facelign.lab.verification.figures import Failures, PairScores
from facelign.types.embeddings import Metric


def people(count: int = 14, photos: int = 4) -> Trials:
    folder = Path("set")
    made = tuple(
        Photo(folder / f"p{p:02d}" / f"{k}.jpg", f"p{p:02d}")
        for p in range(count)
        for k in range(photos)
    )
    return Trials.all_pairs(PeopleFolder(folder, made))


def vectors(trials: Trials, noise: float, seed: int = 1) -> np.ndarray:
    draws = np.random.default_rng(seed)
    centers = draws.normal(0, 1, (len(trials.people), 16))
    place = {name: k for k, name in enumerate(trials.people)}
    rows = np.array([place[photo.person] for photo in trials.photos])
    return centers[rows] + draws.normal(0, noise, (len(rows), 16))


def measured(trials: Trials, noise: float, seed: int = 1) -> PairScores:
    scores = trials.scores(vectors(trials, noise, seed), Metric.COSINE)
    return trials.measured(scores, np.zeros(len(trials.photos), bool))


def test_scores_of_trials_are_cosines_whichever_way_they_are_made() -> None:
    trials = people(6, 3)
    held = vectors(trials, 0.5)
    held[2] = 0  # a photo without a face
    unit = held / np.maximum(np.linalg.norm(held, axis=1, keepdims=True), 1e-12)
    expected = np.einsum("nd,nd->n", unit[trials.a], unit[trials.b])
    np.testing.assert_allclose(trials.scores(held, Metric.COSINE), expected, atol=1e-9)
    few = PairList(
        "few",
        tuple(
            Pair(trials.photos[i].path, trials.photos[j].path, bool(s), fold % 2, fold, "", "")
            for fold, (i, j, s) in enumerate(
                zip(trials.a[::9], trials.b[::9], trials.same[::9], strict=True)
            )
        ),
    )
    listed = Trials.listed(few)
    place = {photo.path: k for k, photo in enumerate(trials.photos)}
    rows = [place[photo.path] for photo in listed.photos]
    np.testing.assert_allclose(listed.scores(held[rows], Metric.COSINE), expected[::9], atol=1e-9)
    assert (listed.person_a == listed.person_b).tolist() == listed.same.tolist()


def test_halves_share_nobody() -> None:
    trials = people(9, 2)
    first, second = trials.halves()
    groups = [set(trials.person_a[mask]) | set(trials.person_b[mask]) for mask in (first, second)]
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]
    assert not (first & second).any()


def test_a_system_does_not_differ_from_itself() -> None:
    system = System.of(measured(people(), 1.0))
    (gap,) = differences(system, [system], draws=60)
    for found in gap.figures.values():
        assert (found.value, found.low, found.high) == (0, 0, 0)
    assert gap.verdict == "cannot tell"
    assert gap.p == 1


def test_differences_are_the_plain_ones_and_antisymmetric() -> None:
    trials = people()
    worse, better = measured(trials, 2.0), measured(trials, 0.6)
    systems = System.of(worse), System.of(better)
    (gap,) = differences(systems[0], [systems[1]], draws=80)
    (back,) = differences(systems[1], [systems[0]], draws=80)
    aucs = [roc_auc_score(p.same, p.scores) for p in (worse, better)]
    assert gap.figures["auc"].value == pytest.approx(aucs[1] - aucs[0], abs=1e-12)
    right = [s.decided.right.mean() for s in systems if s.decided]
    assert gap.figures["accuracy"].value == pytest.approx(right[1] - right[0], abs=1e-12)
    for name, found in gap.figures.items():
        other = back.figures[name]
        assert found.value == pytest.approx(-other.value)
        assert (found.low, found.high) == pytest.approx((-other.high, -other.low))
        assert found.low <= found.value <= found.high
    assert (gap.only_first, gap.only_second) == (back.only_second, back.only_first)
    assert gap.verdict == "better"
    assert back.verdict == "worse"


def test_a_paired_interval_is_narrower_than_two_apart() -> None:
    trials = people(20, 4)
    base = vectors(trials, 1.2)
    near = base + np.random.default_rng(9).normal(0, 0.15, base.shape)
    none = np.zeros(len(trials.photos), bool)
    pairs = [trials.measured(trials.scores(v, Metric.COSINE), none) for v in (base, near)]
    (gap,) = differences(System.of(pairs[0]), [System.of(pairs[1])], draws=150)
    apart = [verification.evaluate(p, draws=150).intervals["auc"] for p in pairs]
    width = gap.figures["auc"].high - gap.figures["auc"].low
    assert width < 0.7 * np.hypot(*(a.high - a.low for a in apart))


def test_other_pairs_are_refused_and_so_is_leaving_out() -> None:
    one, other = measured(people(), 1.0), measured(people(13), 1.0)
    with pytest.raises(BadArray):
        differences(System.of(one), [System.of(other)])
    with pytest.raises(BadArray):
        System.of(one, Failures.LEFT_OUT)


def test_the_rate_is_the_lowest_that_the_pairs_can_show() -> None:
    assert [lowest_rate(n) for n in (9, 10, 99, 100, 1000, 10**6)] == [
        "0.1", "0.1", "0.1", "0.01", "0.001", "0.001",
    ]  # fmt: skip
    assert lowest_rate(10**6, wanted=1e-5) == "0.00001"


def test_holm_by_hand() -> None:
    assert comparison.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert comparison.holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert comparison.holm([]) == []


def test_contenders_are_crossed() -> None:
    named = [w.name for w in comparison.crossed(["default", "fast"], ["yunet", "mtcnn"])]
    assert named == ["default, yunet", "default, mtcnn", "fast, yunet", "fast, mtcnn"]
    named = [w.name for w in comparison.crossed([], models=["sface", "dlib-resnet"])]
    assert named == ["sface", "dlib-resnet"]
    with pytest.raises(ConfigError):
        comparison.crossed(["default"])


def run_of(pairs: PairScores, *, scores: bool, draws: int = 100) -> dict[str, object]:
    told = verification.evaluate(pairs, draws=draws)
    record = told.to_dict() | {"digest": "same", "photos": 56}
    return record | ({"pair_scores": comparison.pair_record(pairs)} if scores else {})


@pytest.mark.parametrize("scores", [True, False])
def test_a_worse_run_is_seen_and_an_equal_one_passes(scores: bool) -> None:
    trials = people()
    good = run_of(measured(trials, 0.5), scores=scores)
    bad = run_of(measured(trials, 3.0), scores=scores)
    assert comparison.compare_runs(good, bad).worse
    assert not comparison.compare_runs(good, good).worse
    better = comparison.compare_runs(bad, good)
    assert not better.worse
    assert {c.verdict for c in better.changes} >= {"better"}
    assert better.paired is scores


def test_small_changes_are_seen_only_pair_by_pair() -> None:
    trials = people(20, 4)
    base = vectors(trials, 1.3)
    noisy = base + np.random.default_rng(3).normal(0, 0.8, base.shape)
    none = np.zeros(len(trials.photos), bool)
    pairs = [trials.measured(trials.scores(v, Metric.COSINE), none) for v in (base, noisy)]
    assert comparison.compare_runs(*(run_of(p, scores=True) for p in pairs)).worse


def test_runs_without_figures_or_with_damaged_ones_are_no_pass() -> None:
    record = run_of(measured(people(), 0.5), scores=False)
    with pytest.raises(Refused, match="no figure with an interval in common"):
        comparison.compare_runs(record | {"intervals": {}}, record)
    for damaged in (
        {"intervals": {"auc": {"value": 1.0}}},
        {"intervals": {"auc": 3}},
        {"intervals": {"auc": {"value": 1.0, "low": "0.9", "high": 1.0}}},
        {"pairs": None},
        {"mated": "many"},
    ):
        with pytest.raises(DatasetMalformed):
            comparison.compare_runs(record | damaged, record | damaged)
    # what is read of a record is read from its own keys only
    assert not comparison.compare_runs(record | {"tar_at_fmr": 5}, record).worse


def test_pairs_in_another_order_are_not_paired() -> None:
    trials = people(20, 4)
    pairs = measured(trials, 0.8)
    turned = pairs.where(np.arange(len(pairs))[::-1])
    found = comparison.compare_runs(run_of(pairs, scores=True), run_of(turned, scores=True))
    assert not found.paired
    assert any("another order" in note for note in found.notes)
    assert not found.worse


def test_paired_runs_start_from_their_own_figures() -> None:
    pairs = measured(people(20, 4), 0.8)
    record = run_of(pairs, scores=True)
    found = comparison.compare_runs(record | {"intervals": {}}, record)
    begun = {change.figure: change.before for change in found.changes}
    assert begun["auc"] == pytest.approx(roc_auc_score(pairs.same, pairs.scores))
    cut = np.sort(pairs.scores[~pairs.same])[::-1][int(0.001 * (~pairs.same).sum())]
    assert begun["tar_at_fmr_0.001"] == pytest.approx((pairs.scores[pairs.same] > cut).mean())


def test_mcnemar_is_the_exact_binomial_by_hand() -> None:
    from math import comb

    trials = people()
    systems = [System.of(measured(trials, noise)) for noise in (1.1, 1.0)]
    (gap,) = differences(systems[0], [systems[1]], draws=60)
    wrong = [
        {
            int(pair)
            for pair, right in zip(s.decided.pairs, s.decided.right, strict=True)
            if not right
        }
        for s in systems
        if s.decided
    ]
    one, two = len(wrong[1] - wrong[0]), len(wrong[0] - wrong[1])
    assert (gap.only_first, gap.only_second) == (one, two)
    n, k = one + two, min(one, two)
    assert n > 0
    by_hand = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
    assert gap.p == pytest.approx(by_hand)


def test_a_draw_of_people_is_a_set_with_these_people_repeated() -> None:
    """Weights against a set in which drawn people really stand several times."""
    trials = people(8, 3)
    pairs = measured(trials, 1.2)
    weights = resampling.people_weights(8, draws=3, seed=5)
    system = System.of(pairs)
    for drawn in weights:
        on_pairs = resampling.pair_weights(drawn, system.a, system.b)
        rows = np.repeat(np.arange(len(pairs)), on_pairs.astype(int))
        area = system.figures(on_pairs, [0.1])[0]
        assert area == pytest.approx(roc_auc_score(pairs.same[rows], pairs.scores[rows]))


def test_faces_that_get_lost_make_a_run_worse() -> None:
    record = run_of(measured(people(), 0.5), scores=False)
    lost = record | {"failures": {"count": 20, "pairs": 0, "counted_as": "", "photos": []}}
    found = comparison.compare_runs(record, lost)
    assert [c.figure for c in found.changes if c.verdict == "worse"] == ["failures"]


def test_runs_over_other_pairs_and_other_files_are_refused() -> None:
    record = run_of(measured(people(), 0.5), scores=False)
    with pytest.raises(Refused):
        comparison.compare_runs(record, record | {"pairs": 7})
    with pytest.raises(DatasetMalformed):
        comparison.compare_runs({}, record)
    damaged = record | {"pair_scores": {"scores": [1]}}
    with pytest.raises(DatasetMalformed):
        comparison.compare_runs(damaged, damaged)
