"""Held-out checks, and calibrations of listed pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelign.compare import curves
from facelign.compare.calibrations import from_json, to_json
from facelign.compare.pairs import PairScores
from facelign.compare.thresholds import search_threshold
from facelign.errors import Refused
from facelign.lab.calibration import held_out
from facelign.lab.calibration.figures import CalibrationRequest, Evidence, calibrate
from facelign.lab.calibration.probabilities import platt
from facelign.lab.calibration.run import run
from facelign.lab.material.named import Named, all_scores
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.resampling import SEED
from made_people import embedded_people as _embedded
from made_people import named_people as _named


def test_each_half_judges_the_other() -> None:
    named = _named()
    found = held_out.of_people(named, 1e-2, draws=300)
    assert len(found.checks) == 2
    # by hand: the very halves, thresholds and rates
    mine = held_out._half_of(named.codes, SEED)[named.codes]
    halves = [all_scores(named.where(mask)) for mask in (mine, ~mine)]
    for check, own, other in zip(found.checks, halves, halves[::-1], strict=True):
        assert check.threshold == curves.threshold_at_fmr(own, 1e-2)
        assert check.observed.value == float(curves.fmr(other, check.threshold))
        assert check.observed.low <= check.observed.value <= check.observed.high
        assert check.compatible
    assert not set(named.where(mine).people) & set(named.where(~mine).people)


def test_a_threshold_that_does_not_hold_is_outside() -> None:
    found = held_out.of_people(_named(), 1e-2, draws=100)
    bad = replace(found.checks[0], stated=(0.0, 1e-9))
    assert not bad.inside
    assert not bad.compatible


def test_too_few_people_are_a_note_not_a_number() -> None:
    found = held_out.of_people(_named(people=2, photos=2), 1e-2, draws=100)
    assert found.checks == ()
    assert "No held-out check" in found.notes[0]
    few = held_out.of_people(_named(people=8, photos=2), 1e-4, draws=100)
    assert few.checks == ()
    assert "needs 10000" in few.notes[0]
    assert few.maps  # probabilities can be judged all the same


def test_probabilities_are_right_on_people_not_seen() -> None:
    found = held_out.of_people(_named(people=160, spread=0.9), 1e-1, draws=100)
    assert [m.method for m in found.maps] == ["isotonic (PAV)", "logistic (Platt)"]
    for told in found.maps:
        assert told.ece < 0.05
        assert 0 < told.cllr < 0.5
        assert 0 < told.brier < 0.25
        assert sum(told.reliability.counts) % 2 == 0  # as many of each kind


def _listed(named: Named) -> PairScores:
    embedded = _embedded(named)
    return Trials.among(embedded.photos, "made").scored(embedded)


def test_all_pairs_as_a_list_give_the_same_calibration() -> None:
    named = _named(people=40)
    wanted = CalibrationRequest("a", "s", "2026-11-01", target=1e-2, draws=400)
    whole = calibrate(Evidence.of_people(named, 400, wanted.seed), named, wanted)
    evidence = Evidence.of_pairs(_listed(named), 400, wanted.seed)
    listed = calibrate(evidence, named, wanted, listed=named.digest)
    assert (listed.mated, listed.non_mated) == (whole.mated, whole.non_mated)
    assert listed.subjects == whole.subjects
    np.testing.assert_allclose(
        [p.threshold for p in listed.points], [p.threshold for p in whole.points], atol=2e-6
    )
    for one, other in zip(listed.points, whole.points, strict=True):
        np.testing.assert_allclose(one.interval, other.interval, rtol=0.05, atol=1e-6)
    assert from_json(to_json(listed)).notes["pairs"] == "listed"


def test_failed_pairs_do_not_calibrate() -> None:
    named = _named(people=30)
    pairs = _listed(named)
    failed = np.zeros(len(pairs), bool)
    failed[:200] = True
    spoiled = replace(pairs, failed=failed, scores=np.where(failed, 5.0, pairs.scores))
    wanted = CalibrationRequest("a", "s", "2026-11-01", target=1e-1, draws=100)
    found = calibrate(Evidence.of_pairs(spoiled, 100, 1), named, wanted, listed="x")
    assert found.mated + found.non_mated == len(pairs) - 200
    assert max(p.threshold for p in found.points) <= 1.01


def wanted(target: float, draws: int) -> CalibrationRequest:
    chain, notes = {"detector": "none"}, {"why": "test"}
    return CalibrationRequest("made", "made", "2026-01-01", chain, target, draws, notes=notes)


def test_a_record_carries_its_evidence_through_json() -> None:
    made = run(_named(), wanted(1e-2, 200))
    back = from_json(to_json(made.record))
    assert back.notes["why"] == "test"
    assert len(back.notes["held_out"]["checks"]) == 2
    assert back.notes["platt"]["slope"] == pytest.approx(platt(made.scores).slope, abs=1e-5)
    # it is what a search takes: the rule follows the size of the gallery
    assert search_threshold(back, 50).threshold.score > search_threshold(back, 1).threshold.score


def test_what_the_data_cannot_carry_is_refused() -> None:
    with pytest.raises(Refused, match=r"needs 3,000,000 non-mated") as refusal:
        run(_named(people=10), wanted(1e-6, 100))
    assert "more people" in refusal.value.hint
    pairs = _listed(_named(people=10))
    with pytest.raises(Refused, match="needs 300,000"):
        run(_named(people=10), wanted(1e-5, 100), pairs=pairs, digest="x")
