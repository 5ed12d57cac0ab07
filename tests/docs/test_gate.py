"""The gate fails when error rates worsen, and only then."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def gate():
    sys.path.insert(0, str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("gate", ROOT / "tools" / "gate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate"] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(ROOT / "tools"))
    for name in ("gate", "real_faces"):
        sys.modules.pop(name, None)


def recall(gate, found: np.ndarray):
    groups = np.repeat(np.arange(40), 10)
    return gate.outcomes_part([gate.Outcomes("recall", found.astype(float), groups, True)])


@pytest.fixture
def found() -> np.ndarray:
    return np.random.default_rng(5).random(400) < 0.9


def test_the_same_figures_hold(gate, found):
    (row,) = gate.rows_of("detection, yunet", recall(gate, found), recall(gate, found))
    assert row.verdict == "same"
    assert row.change.value == 0
    assert not gate.failing(row)


def test_a_loss_that_is_certain_fails(gate, found):
    worse = found & (np.arange(400) % 10 != 0)  # one of ten faces is lost
    (row,) = gate.rows_of("detection, yunet", recall(gate, worse), recall(gate, found))
    assert row.verdict == "worse"
    assert gate.failing(row)
    (back,) = gate.rows_of("detection, yunet", recall(gate, found), recall(gate, worse))
    assert back.verdict == "better"
    assert not gate.failing(back)


def test_a_single_face_more_or_less_does_not_fail(gate, found):
    one = found.copy()
    one[np.flatnonzero(found)[0]] = False
    (row,) = gate.rows_of("detection, yunet", recall(gate, one), recall(gate, found))
    assert row.verdict == "same"


def test_smaller_is_better_where_it_is_an_error(gate, found):
    def errors(values):
        groups = np.repeat(np.arange(40), 10)
        return gate.outcomes_part([gate.Outcomes("FPIR", values.astype(float), groups, False)])

    more = found | (np.arange(400) % 5 == 0)
    (row,) = gate.rows_of("open set, default", errors(more), errors(found))
    assert row.verdict == "worse"


def test_other_units_are_compared_by_their_intervals(gate, found):
    (row,) = gate.rows_of("detection, yunet", recall(gate, found), None)
    assert row.verdict == "new"
    fewer = recall(gate, found)
    fewer["figures"]["recall"]["groups"][0] = 41
    (row,) = gate.rows_of("detection, yunet", recall(gate, found), fewer)
    assert row.verdict == "same"


def test_a_floor_is_a_floor(gate):
    row = gate.Row(
        "lfw_dev, default", "accuracy", gate.Interval(0.98, 0.97, 0.99), None, None, "same"
    )
    assert gate.failing(gate._floored(row))
    high = gate.Row(
        "lfw_dev, default", "accuracy", gate.Interval(0.992, 0.98, 1.0), None, None, "same"
    )
    assert not gate.failing(gate._floored(high))


def test_pairs_are_compared_pair_by_pair(gate, monkeypatch):
    """A run whose mated scores fall below the threshold of the others fails."""
    from facelign.lab.material.trials import Trials

    generator = np.random.default_rng(3)
    people = 60
    a, b = np.triu_indices(2 * people, 1)
    codes = np.repeat(np.arange(people), 2)
    same = codes[a] == codes[b]
    trials = Trials("made", (), a, b, same, codes[a], codes[b], np.zeros(len(a), np.int64))
    monkeypatch.setattr(gate, "trials_of", lambda _name: trials)
    scores = np.where(same, 0.7, 0.0) + generator.normal(0, 0.1, len(a))

    def part(values):
        from facelign.compare.pairs import PairScores
        from facelign.lab.verification.figures import evaluate

        pairs = PairScores(
            values, same, codes[a], codes[b], np.zeros(len(a), np.int64), np.zeros(len(a), bool)
        )
        record = evaluate(pairs, draws=100).to_dict()
        keep = ("pairs", "mated", "non_mated", "accuracy", "intervals")
        return {
            "kind": "pairs",
            **{key: record[key] for key in keep},
            "tar_at_fmr": {"0.001": record["tar_at_fmr"]["0.001"]},
            "failures": {"count": 0},
            "photos": 2 * people,
            "digest": "x",
            "scores": np.round(values, 5).tolist(),
            "failed": [],
        }

    before = part(scores)
    assert not any(gate.failing(row) for row in gate.rows_of("lfw_100, made", before, before))
    lost = np.where(same & (generator.random(len(a)) < 0.3), scores - 0.6, scores)
    rows = gate.rows_of("lfw_100, made", part(lost), before)
    assert any(row.verdict == "worse" for row in rows)
