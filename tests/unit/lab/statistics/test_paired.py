"""Paired differences: against definitions and cases worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facelign.compare.pairs import Failures
from facelign.errors import BadArray
from facelign.lab.statistics.paired import PairedOptions, System, differences
from facelign.lab.statistics.rates import lowest_rate, rate_text
from facelign.lab.verification.figures import evaluate
from facelign.types.embeddings import Metric

#: makes trials, vectors or pairs (conftest)
Made = Callable[..., Any]


def test_a_system_does_not_differ_from_itself(people: Made, measured: Made) -> None:
    system = System.of(measured(people(), 1.0))
    (gap,) = differences(system, [system], PairedOptions(draws=60))
    for found in gap.figures.values():
        assert (found.value, found.low, found.high) == (0, 0, 0)
    assert gap.verdict == "cannot tell"
    assert gap.p == 1


def test_two_systems_without_an_error_may_differ_by_what_was_not_seen(
    people: Made, measured: Made
) -> None:
    trials = people(12, 4)
    first, second = (System.of(measured(trials, noise)) for noise in (0.05, 0.06))
    (gap,) = differences(first, [second], PairedOptions(draws=60))
    tar = gap.figures["tar"]
    assert (tar.value, tar.low, tar.high) == (0, -3 / 12, 3 / 12)
    assert gap.figures["auc"].low == -gap.figures["auc"].high < 0
    assert gap.verdict == "cannot tell"


def test_differences_are_the_plain_ones_and_antisymmetric(people: Made, measured: Made) -> None:
    trials = people()
    worse, better = measured(trials, 2.0), measured(trials, 0.6)
    systems = System.of(worse), System.of(better)
    (gap,) = differences(systems[0], [systems[1]], PairedOptions(draws=80))
    (back,) = differences(systems[1], [systems[0]], PairedOptions(draws=80))
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


def test_a_paired_interval_is_narrower_than_two_apart(people: Made, vectors: Made) -> None:
    trials = people(20, 4)
    base = vectors(trials, 1.2)
    near = base + np.random.default_rng(9).normal(0, 0.15, base.shape)
    none = np.zeros(len(trials.photos), bool)
    pairs = [trials.measured(trials.scores(v, Metric.COSINE), none) for v in (base, near)]
    (gap,) = differences(System.of(pairs[0]), [System.of(pairs[1])], PairedOptions(draws=150))
    apart = [evaluate(p, draws=150).intervals["auc"] for p in pairs]
    width = gap.figures["auc"].high - gap.figures["auc"].low
    assert width < 0.7 * np.hypot(*(a.high - a.low for a in apart))


def test_other_pairs_are_refused_and_so_is_leaving_out(people: Made, measured: Made) -> None:
    one, other = measured(people(), 1.0), measured(people(13), 1.0)
    with pytest.raises(BadArray):
        differences(System.of(one), [System.of(other)])
    with pytest.raises(BadArray):
        System.of(one, Failures.LEFT_OUT)


def test_the_rate_is_the_lowest_that_the_pairs_can_show() -> None:
    assert [lowest_rate(n) for n in (9, 10, 99, 100, 1000, 10**6)] == [
        0.1, 0.1, 0.1, 0.01, 0.001, 0.001,
    ]  # fmt: skip
    assert lowest_rate(10**6, wanted=1e-5) == 1e-5
    assert [rate_text(rate) for rate in (0.1, 1e-5, 2e-3)] == ["0.1", "0.00001", "0.002"]


def test_mcnemar_is_the_exact_binomial_by_hand(people: Made, measured: Made) -> None:

    trials = people()
    systems = [System.of(measured(trials, noise)) for noise in (1.1, 1.0)]
    (gap,) = differences(systems[0], [systems[1]], PairedOptions(draws=60))
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
