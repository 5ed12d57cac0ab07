"""Intervals by people: against definitions and sets in which drawn people really stand twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facelign.compare.pairs import PairScores
from facelign.errors import BadArray
from facelign.lab.statistics import resampling
from facelign.lab.statistics.folds import weighted_accuracy
from facelign.lab.statistics.ranked import Ranked
from facelign.lab.verification.figures import by_development, evaluate

#: makes trials, vectors or pairs (conftest)
Made = Callable[..., Any]


def test_intervals_of_any_statistic() -> None:
    a = np.repeat(np.arange(50), 4)
    b = np.where(np.arange(200) % 2, (a + 1) % 50, a)
    right = np.random.default_rng(0).uniform(size=200) < 0.9

    pairs = PairScores(right, a == b, a, b, np.zeros(200, int), np.zeros(200, bool))

    def accuracy(weights: np.ndarray) -> float:
        return float((right * weights).sum() / weights.sum())

    got = resampling.interval(accuracy, pairs, draws=300)
    assert got.value == right.mean()
    assert got.low < got.value < got.high
    assert got == resampling.interval(accuracy, pairs, draws=300)  # seeded
    assert got.to_dict()["low"] == got.low
    never = resampling.interval(lambda w: math.nan if w.max() > 1 else 0.5, pairs, draws=20)
    assert (never.low, never.high) == (0.5, 0.5)


def test_a_draw_of_people_is_a_set_with_these_people_repeated(people: Made, measured: Made) -> None:
    """Weights against a set in which drawn people really stand several times."""
    trials = people(8, 3)
    pairs = measured(trials, 1.2)
    ranked = Ranked.of(pairs)
    drawn = resampling.people_weights(8, draws=3, seed=5)
    a, b = pairs.people
    for times, on_pairs in zip(drawn, resampling.pair_weights(pairs, draws=3, seed=5), strict=True):
        assert (
            on_pairs
            == [times[i] if i == j else times[i] * times[j] for i, j in zip(a, b, strict=True)]
        ).all()
        rows = np.repeat(np.arange(len(pairs)), on_pairs.astype(int))
        area = ranked.figures(on_pairs, [0.1])[0]
        assert area == pytest.approx(roc_auc_score(pairs.same[rows], pairs.scores[rows]))


def test_a_draw_of_few_people_does_not_move_accuracy_by_its_share_of_mated_pairs() -> None:
    """All mated pairs right, non-mated ones wrong at one rate: accuracy must not spread."""
    people = list("abcdef")
    a, b, same = [], [], []
    for i, one in enumerate(people):
        for j in range(i, len(people)):
            a += [one] * 4
            b += [people[j]] * 4
            same += [i == j] * 4
    truth = np.array(same)
    # one in four of each non-mated pair of people scores high, every mated one highest
    high = np.tile([True, False, False, False], len(truth) // 4)
    scores = np.where(truth, 3.0, np.where(high, 2.0, 1.0))
    pairs = PairScores.of(scores, truth, people=(a, b))
    right = (scores >= 1.5) == truth
    seen = resampling.interval(lambda w: weighted_accuracy(right, truth, w), pairs, draws=200)
    assert seen.value == pytest.approx(right.mean())
    assert seen.high - seen.low < 1e-9
    record = evaluate(pairs, draws=100)
    assert record.intervals["accuracy"].low <= record.intervals["accuracy"].value
    # without a kind of pairs in a draw there is no accuracy
    assert math.isnan(weighted_accuracy(right, truth, (~truth).astype(float)))


def test_a_share_is_bounded_by_the_rule_of_three_where_it_is_none(
    measured: Made, people: Made
) -> None:
    pairs = measured(people(8, 3), 1.0)
    none = resampling.share(pairs, np.zeros(len(pairs), bool), draws=20)
    assert none is not None
    assert (none.value, none.low, none.high) == (0.0, 0.0, 3 / 8), "of eight people"
    apart = pairs.where(~pairs.same)
    none = resampling.share(apart, np.zeros(len(apart), bool), draws=20)
    assert none is not None
    assert (none.value, none.low, none.high) == (0.0, 0.0, 3 / len(apart))
    every = resampling.share(apart, np.ones(len(apart), bool), draws=20)
    assert every is not None
    assert (every.value, every.low, every.high) == (1.0, 1 - 3 / len(apart), 1.0)
    high = pairs.scores > np.median(pairs.scores)
    some = resampling.share(pairs, high, draws=200)
    assert some is not None
    assert some.value == high.mean()
    assert some.low < some.value < some.high
    nobody = pairs.where(np.zeros(len(pairs), bool))
    assert resampling.share(nobody, nobody.same) is None
    with pytest.raises(BadArray):
        resampling.people_weights(0)


def test_figures_without_an_error_have_room_for_some(people: Made, measured: Made) -> None:
    pairs = measured(people(12, 4), 0.05)
    record = evaluate(pairs, draws=50)
    missed, matched = 3 / 12, 3 / record.non_mated
    found = record.intervals
    assert found["eer"].to_dict() == {"value": 0.0, "low": 0.0, "high": missed}
    assert found["auc"].to_dict() == {
        "value": 1.0,
        "low": pytest.approx((1 - missed) * (1 - matched)),
        "high": 1.0,
    }
    assert found["tar_at_fmr_0.1"].low == found["tar_at_fmr_0.01"].low == 1 - missed
    share = record.mated / record.pairs
    low = 1 - share * missed - (1 - share) * matched
    assert found["accuracy"].low == pytest.approx(low)
    development = by_development(record, pairs, pairs).intervals["accuracy"]
    assert (development.low, development.high) == (pytest.approx(low), 1.0)
    some = evaluate(measured(people(12, 4), 1.5), draws=50).intervals
    assert some["eer"].value > 0
    assert some["auc"].low > found["auc"].low - 0.5, "errors that are there are drawn"


def test_the_true_rate_is_in_the_interval_as_often_as_is_said() -> None:
    """People of whom one in twenty fails, always: most sets of a few of them show no error."""
    generator = np.random.default_rng(4)
    a = np.repeat(np.arange(15), 6)
    pairs = PairScores(np.zeros(90), np.ones(90, bool), a, a, np.zeros(90, int), np.zeros(90, bool))
    inside = without = 0
    for _ in range(400):
        wrong = (generator.uniform(size=15) < 0.05)[a]
        found = resampling.share(pairs, wrong, draws=100)
        assert found is not None
        inside += found.low <= 0.05 <= found.high
        without += not wrong.any()
    assert without > 100
    assert inside >= 0.95 * 400


def test_intervals_in_words() -> None:
    gap = resampling.Interval(0.0045, -0.001, 0.01)
    assert gap.points == "+0.45 points (-0.10 to +1.00)"
    assert gap.change() == "+0.0045 (-0.0010 to +0.0100)"
    assert gap.percent.ends(2) == "-0.10 to 1.00"
