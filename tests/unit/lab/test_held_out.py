"""Held-out checks, calibrations of listed pairs, and whole runs as records."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facelign.compare import curves
from facelign.compare.calibrations import from_json, to_json
from facelign.compare.thresholds import search_threshold, uncalibrated
from facelign.datasets.records import Photo
from facelign.errors import Refused
from facelign.lab.calibration import held_out
from facelign.lab.calibration import run as calibrated
from facelign.lab.calibration.figures import calibrate, calibrate_pairs
from facelign.lab.identification import run as identification_run
from facelign.lab.identification.galleries import by_height
from facelign.lab.identification.searching import galleries, search
from facelign.lab.material import projection, sources
from facelign.lab.material.named import Named, all_scores
from facelign.lab.material.photos import Embedded, all_pairs
from facelign.lab.statistics.bands import band_names
from facelign.lab.verification import run as measured
from facelign.lab.verification.figures import Failure, Failures, PairScores
from facelign.types.embeddings import Metric, Space

SPACE = Space("made/up/five", 24, Metric.COSINE, unit=True)
ABOUT = calibrated.Subject("made", {"detector": "none"}, "made", "2026-01-01", {"why": "test"})


def _named(people: int = 80, photos: int = 4, seed: int = 0, spread: float = 0.35) -> Named:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 24)), photos, axis=0)
    rows = rows + rng.normal(scale=spread, size=rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"p{i:03d}" for i in np.repeat(np.arange(people), photos))
    heights = rng.uniform(20, 140, len(rows))
    digests = tuple(f"{seed}-{i}" for i in range(len(rows)))
    return Named(SPACE, rows.astype(np.float32), names, heights, digests)


def _embedded(named: Named, lost: int = 0) -> Embedded:
    """Photos of ``named``, and some more that gave no face."""
    photos = [Photo(Path(f"{p}/{i}.jpg"), p) for i, p in enumerate(named.people)]
    more = [Photo(Path(f"{named.people[0]}/lost{i}.jpg"), named.people[0]) for i in range(lost)]
    rows = np.append(np.arange(len(photos)), np.full(lost, -1)).astype(np.int64)
    failures = tuple(Failure(str(p.path), "no face") for p in more)
    quality = {"height": np.asarray(named.heights, float)}
    boxes = ((0.0, 0.0, 1.0, 1.0),) * len(photos)
    return Embedded(named, rows, (*photos, *more), failures, (), boxes, quality)


def test_each_half_judges_the_other() -> None:
    named = _named()
    found = held_out.of_people(named, 1e-2, draws=300)
    assert len(found.checks) == 2
    # by hand: the very halves, thresholds and rates
    mine = held_out._half_of(named.codes, held_out.SEED)[named.codes]
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
    pairs, _, _ = all_pairs(_embedded(named))
    return pairs


def test_all_pairs_as_a_list_give_the_same_calibration() -> None:
    named = _named(people=40)
    whole = calibrate(
        named, record_id="a", chain={}, set_name="s", date="2026-11-01", target=1e-2, draws=400
    )
    listed = calibrate_pairs(
        _listed(named),
        named,
        digest=named.digest,
        record_id="a",
        chain={},
        set_name="s",
        date="2026-11-01",
        target=1e-2,
        draws=400,
    )
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
    found = calibrate_pairs(
        spoiled, named, digest="x", record_id="a", chain={}, set_name="s", date="2026-11-01",
        target=1e-1, draws=100,
    )  # fmt: skip
    assert found.mated + found.non_mated == len(pairs) - 200
    assert max(p.threshold for p in found.points) <= 1.01


def test_a_record_carries_its_evidence_through_json() -> None:
    made = calibrated.of_people(_named(), ABOUT, target=1e-2, draws=200)
    back = from_json(to_json(made.record))
    assert back.notes["why"] == "test"
    assert len(back.notes["held_out"]["checks"]) == 2
    assert back.notes["platt"]["slope"] == pytest.approx(made.platt.slope, abs=1e-5)
    # it is what a search takes: the rule follows the size of the gallery
    assert search_threshold(back, 50).threshold.score > search_threshold(back, 1).threshold.score


def test_what_the_data_cannot_carry_is_refused() -> None:
    with pytest.raises(Refused, match=r"needs 3,000,000 non-mated") as refusal:
        calibrated.of_people(_named(people=10), ABOUT, target=1e-6, draws=100)
    assert "more people" in refusal.value.hint
    pairs = _listed(_named(people=10))
    with pytest.raises(Refused, match="needs 300,000"):
        calibrated.of_pairs(pairs, _named(people=10), ABOUT, digest="x", target=1e-5, draws=100)


# -- whole runs ----------------------------------------------------------------------------------


def test_a_run_as_json() -> None:
    named = _named(people=30)
    material = sources._all_pairs("made", _embedded(named, lost=1))
    run = measured.measure(
        material,
        measured.Choices(draws=200, heights=True, groups={p: p[:2] for p in named.people}),
        fixed=uncalibrated(0.5, "given"),
    )
    record = json.loads(json.dumps(run.to_dict(), allow_nan=False))
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
    pairs = run.counted
    match = pairs.scores >= 0.5
    assert record["fixed_threshold"]["fmr"]["value"] == pytest.approx(match[~pairs.same].mean())
    assert record["fixed_threshold"]["fnmr"]["value"] == pytest.approx(1 - match[pairs.same].mean())
    names = [group["group"] for group in record["by_height"]["groups"]]
    assert names == sorted(names, key=lambda name: float(name.replace("-", " ").split()[0]))


def test_view_1_takes_its_threshold_from_the_other_list() -> None:
    material = sources._all_pairs("made", _embedded(_named(people=20, spread=0.8)))
    other = _listed(_named(people=20, seed=4, spread=0.8))
    run = measured.measure(replace(material, development=other), measured.Choices(draws=100))
    threshold = curves.best_by_accuracy(other.set).threshold
    pairs = material.pairs
    assert run.result.accuracy == pytest.approx(((pairs.scores >= threshold) == pairs.same).mean())
    assert any("View 1" in note for note in run.result.notes)


def test_no_error_is_bounded_by_the_rule_of_three() -> None:
    pairs = _listed(_named(people=10))
    found = measured.at_threshold(pairs, uncalibrated(2.0, "above everything"), draws=100)
    assert found.fmr is not None
    assert found.fnmr is not None
    assert (found.fmr.value, found.fmr.high) == (0.0, 3 / int((~pairs.same).sum()))
    assert found.fnmr.value == 1.0


def test_worst_pairs_come_first() -> None:
    material = sources._all_pairs("made", _embedded(_named(people=10), lost=2))
    run = measured.measure(material, measured.Choices(draws=100))
    low, high = measured.worst_pairs(run, 3)
    pairs = material.pairs
    usable = ~pairs.failed
    assert pairs.scores[low].tolist() == sorted(pairs.scores[pairs.same & usable])[:3]
    assert pairs.scores[high].tolist() == sorted(pairs.scores[~pairs.same & usable])[:-4:-1]


def test_reject_curves_fall_for_a_number_that_knows() -> None:
    named = _named(people=30, spread=0.8)
    material = sources._all_pairs("made", _embedded(named))
    run = measured.measure(material, measured.Choices(draws=100))
    scores = np.zeros(len(named.people))
    for i, person in enumerate(named.people):  # how alike a photo is to the person's others
        rows = [j for j, p in enumerate(named.people) if p == person and j != i]
        scores[i] = float((named.vectors[rows] @ named.vectors[i]).min())
    found = measured.rejects(run, {"oracle": scores})
    assert found["oracle"].fnmr[-1] < found["oracle"].fnmr[0]
    assert found["oracle"].area < found["height"].area


def test_a_search_run_as_json() -> None:
    named = _named(people=60, photos=4)
    record_of = calibrate(
        _named(seed=9),
        record_id="r",
        chain={},
        set_name="s",
        date="2026-11-01",
        draws=100,
        target=1e-2,
    )
    limits = identification_run.SearchLimits.calibrated(record_of, 0.05)
    run = identification_run.run(named, limits, name="made", sizes=(10, 30, 300), heights=True)
    record = json.loads(json.dumps(run.to_dict(), allow_nan=False))
    assert {"gallery_subjects", "probes", "rank1", "fpir", "fnir", "threshold"} <= record.keys()
    assert [at["people"] for at in record["by_gallery_size"]] == [10, 30]
    assert any("300 people needs 600" in note for note in record["notes"])
    strict = record["by_gallery_size"][1]["threshold"]
    assert strict >= record["by_gallery_size"][0]["threshold"]
    assert strict == search_threshold(record_of, 30, 0.05).threshold.score


def test_open_set_rates_by_height_by_a_plain_loop() -> None:
    named = _named(people=30, spread=0.7)
    edges = (0.0, 60.0, 100.0)
    threshold = 0.45
    counts = {name: [0, 0, 0, 0] for name in band_names(edges)}
    for enrolled in galleries(named, 15, draws=3, generator=np.random.default_rng(5)):
        searches = search(named.where(enrolled), named.where(~enrolled))
        heights = np.asarray(named.heights)[~enrolled]
        for scores, mate, height in zip(searches.scores, searches.mate, heights, strict=True):
            band = list(counts)[0 if height < 60 else 1 if height < 100 else 2]
            best = int(np.argmax(scores))
            if mate < 0:
                counts[band][0] += 1
                counts[band][1] += scores[best] >= threshold and height >= 30
            else:
                counts[band][2] += 1
                right = best == mate and scores[best] >= threshold and height >= 30
                counts[band][3] += not right
    found = by_height(named, lambda _n: threshold, 15, edges=edges, draws=3, seed=5)
    for rates in found:
        strangers, wrong, enrolled_count, missed = counts[rates.band]
        assert rates.fpir is not None
        assert rates.fnir is not None
        assert rates.fpir.value == pytest.approx(wrong / strangers)
        assert rates.fnir.value == pytest.approx(missed / enrolled_count)
        assert rates.fpir.low <= rates.fpir.value <= rates.fpir.high


def test_heights_that_nobody_knows_are_refused() -> None:
    named = replace(_named(people=20), heights=None)
    with pytest.raises(Refused, match="heights"):
        by_height(named, lambda _n: 0.5, 10)
    material = sources._all_pairs("made", replace(_embedded(_named(people=5)), named=replace(
        _named(people=5), heights=None)))  # fmt: skip
    with pytest.raises(Refused, match="heights"):
        measured.measure(material, measured.Choices(draws=100, heights=True))


def test_pictures_in_the_plane_are_repeatable_and_keep_people_together() -> None:
    named = _named(people=6, photos=8, spread=0.2)
    found = projection.project(named)
    again = projection.project(named)
    np.testing.assert_array_equal(found.points, again.points)
    codes = named.codes[found.rows]
    gaps = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    np.fill_diagonal(gaps, math.inf)
    assert (codes[gaps.argmin(axis=1)] == codes).mean() > 0.9
    with pytest.raises(Refused, match="make no map"):
        projection.project(named.where(np.arange(48) < 3))


def test_failures_left_out_leave_the_run() -> None:
    material = sources._all_pairs("made", _embedded(_named(people=10), lost=1))
    run = measured.measure(material, measured.Choices(counting=Failures.LEFT_OUT, draws=100))
    assert len(run.counted) == len(material.pairs) - 40
    assert run.to_dict()["failures"]["counted_as"] == "left out"
