"""Ensembles: trees against scikit-learn, fitting on some people and judging on others."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from facelign.compare import fusion
from facelign.compare.fusion import Boosted, Tree
from facelign.errors import BadArray, ConfigError, Refused, SpaceMismatch
from facelign.lab.ensemble import figures as fitting
from facelign.lab.ensemble import run as ensemble
from facelign.lab.ensemble.run import EnsembleOptions, Systems
from facelign.lab.material.trials import Trials
from facelign.recognition.fused import EnsembleRecord, evidence, preset_of
from facelign.types.embeddings import Metric

SPACES = ("a/x/five", "b/y/five")


def scores(n: int = 3000, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draws = np.random.default_rng(seed)
    same = draws.random(n) < 0.3
    table = draws.normal(0, 0.15, (n, 2)) + same[:, None] * np.array([0.35, 0.3])
    return table, same


def test_trees_give_what_scikit_learn_gives_after_a_trip_through_json() -> None:
    table, same = scores()
    fitted = fitting.boosted(SPACES, table, same, fitted_on="made-up people")
    referee = HistGradientBoostingClassifier(
        max_iter=60,
        max_depth=3,
        learning_rate=0.1,
        min_samples_leaf=20,
        monotonic_cst=[1, 1],
        class_weight="balanced",
        early_stopping=False,
        random_state=0,
    )
    with threadpool_limits(1, user_api="openmp"):
        referee.fit(table, same)
    probes = np.random.default_rng(8).normal(0.1, 0.4, (500, 2))
    probes[:3] = [[-9, -9], [9, 9], [table[0, 0], table[0, 1]]]
    again = fusion.from_json(fitted.to_json())
    assert again == fitted
    with threadpool_limits(1, user_api="openmp"):
        said = referee.decision_function(probes)
    np.testing.assert_allclose(again.fused(probes), said, atol=1e-9)


def test_boosting_never_falls_when_a_score_rises() -> None:
    fitted = fitting.boosted(SPACES, *scores())
    probes = np.random.default_rng(2).normal(0.1, 0.3, (400, 2))
    raised = probes + np.abs(np.random.default_rng(3).normal(0, 0.2, probes.shape))
    assert (fitted.fused(raised) >= fitted.fused(probes) - 1e-12).all()


def test_a_tree_that_cannot_end_or_asks_for_nothing_is_refused() -> None:
    with pytest.raises(BadArray):
        Tree((0, -1), (0.5, 0.0), (0, 0), (1, 0), (0.0, 1.0))  # node 0 leads to itself
    with pytest.raises(BadArray):
        Tree((-1,), (0.0,), (0,), (0,), (float("nan"),))
    leaf = Tree((-1,), (0.0,), (0,), (0,), (1.5,))
    with pytest.raises(BadArray):
        Boosted(("a",), 0.0, (Tree((3, -1, -1), (0.0,) * 3, (1, 0, 0), (2, 0, 0), (0.0,) * 3),))
    one = Boosted(("a",), 0.25, (leaf,))
    assert one.fused([[0.1], [0.9]]).tolist() == [1.75, 1.75]
    with pytest.raises(SpaceMismatch):
        one.fused([[0.1]], ["b"])


@pytest.mark.parametrize("text", ["", "[]", '{"format": "x"}', '{"format": 3}'])
def test_strange_files_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        fusion.from_json(text)
    with pytest.raises(ConfigError):
        EnsembleRecord.from_json(text)


def test_a_damaged_boosting_is_refused() -> None:
    record = json.loads(fitting.boosted(SPACES, *scores(400)).to_json())
    record["trees"][0]["left"] = record["trees"][0]["left"][:-1]
    with pytest.raises(ConfigError):
        fusion.from_json(json.dumps(record))


def test_records_come_back_equal() -> None:
    table, same = scores(600)
    limit = evidence(0.4, 1e-3, "a set", {"mated": 9, "non_mated": 900, "subjects": 12})
    for scorer in (fitting.logistic(SPACES, table, same), fitting.boosted(SPACES, table, same)):
        record = EnsembleRecord(("sface", "dlib-resnet"), "yunet", False, "x", scorer, limit)
        again = EnsembleRecord.from_json(record.to_json())
        assert again.scorer == scorer
        assert again.threshold == limit
        assert again.to_json() == record.to_json()


def two_systems(trials: Trials, noises: tuple[float, float]) -> np.ndarray:
    columns = []
    for seed, noise in enumerate(noises):
        draws = np.random.default_rng(100 + seed)
        centers = draws.normal(0, 1, (len(trials.people), 24))
        place = {name: k for k, name in enumerate(trials.people)}
        rows = [place[photo.person] for photo in trials.photos]
        held = centers[rows] + draws.normal(0, noise, (len(rows), 24))
        columns.append(trials.scores(held, Metric.COSINE))
    return np.stack(columns, axis=1)


def many(count: int = 40, photos: int = 4) -> Trials:
    from pathlib import Path

    from facelign.datasets.records import PeopleFolder, Photo

    folder = Path("set")
    made = tuple(
        Photo(folder / f"p{p:02d}" / f"{k}.jpg", f"p{p:02d}")
        for p in range(count)
        for k in range(photos)
    )
    return Trials.all_pairs(PeopleFolder(folder, made))


def test_two_independent_systems_beat_each_alone_and_it_is_certain() -> None:
    trials = many()
    table = two_systems(trials, (0.9, 0.9))
    none = np.zeros(len(trials.photos), bool)
    found = ensemble.judge(
        trials, Systems(["one", "two"], SPACES, table, none), EnsembleOptions(draws=100)
    )
    assert found.best_fused.auc > found.best_single.auc
    assert found.best_fused.gain is not None
    assert found.best_fused.gain.verdict == "better"
    assert "beats" in found.verdict
    told = found.to_dict()
    assert {s["name"] for s in told["systems"]} == {"one", "two", *ensemble.RULES}
    for one in found.judged:
        wanted = 2 * one.precision * one.recall / (one.precision + one.recall)
        assert one.f1 == pytest.approx(wanted)


def test_the_pairs_that_are_judged_share_no_person_with_those_fitted_on() -> None:
    trials = many(12, 3)
    usable = np.ones(len(trials), bool)
    parts, told = ensemble._parts(trials, usable, 7)
    assert len(parts) == 2
    assert "halves" in told
    for train, test in parts:
        trained = set(trials.person_a[train]) | set(trials.person_b[train])
        tested = set(trials.person_a[test]) | set(trials.person_b[test])
        assert trained
        assert tested
        assert not trained & tested


def test_too_few_people_are_refused() -> None:
    trials = many(2, 3)
    table = two_systems(trials, (1.0, 1.0))
    with pytest.raises(Refused):
        ensemble.judge(trials, Systems(["one", "two"], SPACES, table, np.zeros(6, bool)))


def test_an_ensemble_of_one_is_refused() -> None:
    with pytest.raises(ConfigError):
        preset_of(["sface", "sface"], "yunet")


def test_an_ensemble_has_to_beat_every_single_model_and_is_named_before() -> None:
    trials = many()
    table = two_systems(trials, (0.9, 0.9))
    table = np.column_stack([table, table.mean(axis=1)])  # a third model as good as both together
    spaces = (*SPACES, "c/z/five")
    none = np.zeros(len(trials.photos), bool)
    found = ensemble.judge(
        trials, Systems(["one", "two", "third"], spaces, table, none), EnsembleOptions(draws=100)
    )
    assert found.named.name == "weighted cosine"
    assert set(found.named.gains) == {"one", "two", "third"}
    assert found.named.gains["one"].verdict == "better"
    assert found.named.gains["third"].verdict == "cannot tell"
    assert found.best_single.name == "third"
    assert found.named.gain is found.named.gains["third"]
    assert "cannot be told from third alone" in found.verdict
    told = found.to_dict()
    assert told["rule_named_before"]
    assert told["best_single"] == "third"
    # the difference with a single model is that of their accuracies, whichever is the best
    by_name = {one.name: one for one in found.judged}
    for name, gain in found.named.gains.items():
        accuracy, alone = found.named.accuracy, by_name[name].accuracy
        assert accuracy is not None
        assert alone is not None
        assert gain.figures["accuracy"].value == pytest.approx(accuracy - alone)


def test_a_rule_chosen_on_the_judged_people_says_so() -> None:
    trials = many(20)
    table = two_systems(trials, (0.9, 0.9))
    both = Systems(["one", "two"], SPACES, table, np.zeros(len(trials.photos), bool))
    found = ensemble.judge(trials, both, EnsembleOptions(rule="best", draws=60))
    assert found.named is found.best_fused
    assert "the best of 5 rules on these people" in found.verdict
    assert not found.to_dict()["rule_named_before"]
    other = ensemble.judge(trials, both, EnsembleOptions(rule="logistic", draws=60))
    assert "(logistic)" in other.verdict
    with pytest.raises(ConfigError, match="no rule 'stacking'"):
        EnsembleOptions(rule="stacking")


def record() -> dict[str, object]:
    table, same = scores(400)
    limit = evidence(0.4, 1e-3, "a set", {"mated": 9, "non_mated": 900, "subjects": 12})
    scorer = fitting.boosted(SPACES, table, same, rounds=3)
    made = EnsembleRecord(("sface", "dlib-resnet"), "yunet", False, "boosting", scorer, limit)
    found: dict[str, object] = json.loads(made.to_json())
    return found


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("flip",), "no"),  # a text that is not empty is true to Python
        (("models",), "sface,dlib-resnet"),
        (("models",), ["sface"]),
        (("models",), ["sface", "sface"]),
        (("detector",), 3),
        (("rule",), None),
        (("threshold", "score"), float("nan")),
        (("threshold", "score"), "0.4"),
        (("threshold", "score"), True),
        (("threshold", "fmr"), 0),
        (("threshold", "fmr"), 7.0),
        (("threshold", "subjects"), "many"),
        (("threshold", "mated"), -4),
        (("fusion", "spaces"), "ab"),
        (("fusion", "spaces"), ["a/x/five", "a/x/five"]),
        (("fusion", "baseline"), float("inf")),
        (("fusion", "trees"), {}),
        (("fusion", "trees", 0, "feature", 0), 0.5),
        (("fusion", "trees", 0, "feature", 0), -3),
        (("fusion", "trees", 0, "left", 0), True),
        (("fusion", "trees", 0, "value", 0), "1"),
    ],
)
def test_a_record_edited_by_hand_is_refused(place: tuple[object, ...], value: object) -> None:
    made = record()
    EnsembleRecord.from_json(json.dumps(made))
    at: object = made
    for step in place[:-1]:
        at = at[step]  # type: ignore[index]
    at[place[-1]] = value  # type: ignore[index]
    with pytest.raises(ConfigError, match="no saved ensemble"):
        EnsembleRecord.from_json(json.dumps(made))


@pytest.mark.parametrize("name", ["format", "models", "flip", "threshold", "fusion"])
def test_a_record_that_lacks_something_says_what(name: str) -> None:
    made = record()
    del made[name]
    with pytest.raises(ConfigError, match=name):
        EnsembleRecord.from_json(json.dumps(made))


@pytest.mark.parametrize("name", ["weights", "centers", "spreads"])
@pytest.mark.parametrize("value", ["12", [1.0], [1.0, None], [1.0, True], [1.0, float("nan")]])
def test_a_sum_edited_by_hand_is_refused(name: str, value: object) -> None:
    made = json.loads(fusion.mean(SPACES).to_json())
    made[name] = value
    with pytest.raises(ConfigError, match="no saved fusion"):
        fusion.from_json(json.dumps(made))


def test_halves_share_nobody() -> None:
    trials = many(9, 2)
    first, second = ensemble.halves(trials)
    groups = [set(trials.person_a[mask]) | set(trials.person_b[mask]) for mask in (first, second)]
    assert groups[0]
    assert groups[1]
    assert not groups[0] & groups[1]
    assert not (first & second).any()
