"""Whole identification runs as records."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from facelign.compare.thresholds import search_threshold
from facelign.errors import BadArray, Refused
from facelign.lab.calibration.figures import CalibrationRequest, Evidence, calibrate
from facelign.lab.identification import run as identification_run
from facelign.lab.identification.galleries import by_height
from facelign.lab.identification.run import media_of
from facelign.lab.identification.searching import galleries, search
from facelign.lab.statistics.bands import HEIGHTS, band_names
from made_people import named_people as _named


def test_a_search_run_as_json() -> None:
    named = _named(people=60, photos=4)
    other = _named(seed=9)
    wanted = CalibrationRequest("r", "s", "2026-11-01", target=1e-2, draws=100)
    record_of = calibrate(Evidence.of_people(other, 100, wanted.seed), other, wanted)
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
    threshold = 0.45
    counts = {name: [0, 0, 0, 0] for name in band_names()}
    for enrolled in galleries(named, 15, draws=3, generator=np.random.default_rng(5)):
        searches = search(named.where(enrolled), named.where(~enrolled))
        heights = np.asarray(named.heights)[~enrolled]
        for scores, mate, height in zip(searches.scores, searches.mate, heights, strict=True):
            band = list(counts)[sum(height >= edge for edge in HEIGHTS) - 1]
            best = int(np.argmax(scores))
            if mate < 0:
                counts[band][0] += 1
                counts[band][1] += scores[best] >= threshold and height >= 30
            else:
                counts[band][2] += 1
                right = best == mate and scores[best] >= threshold and height >= 30
                counts[band][3] += not right
    found = by_height(named, lambda _n: threshold, 15, draws=3, seed=5)
    for rates in found:
        strangers, wrong, enrolled_count, missed = counts[rates.height]
        assert rates.fpir is not None
        assert rates.fnir is not None
        assert rates.fpir.value == pytest.approx(wrong / strangers)
        assert rates.fnir.value == pytest.approx(missed / enrolled_count)
        assert rates.fpir.low <= rates.fpir.value <= rates.fpir.high


def test_heights_that_nobody_knows_are_refused() -> None:
    named = replace(_named(people=20), heights=None)
    with pytest.raises(Refused, match="heights"):
        by_height(named, lambda _n: 0.5, 10)


def test_media_by_path_and_by_name() -> None:
    rows = [("a/1.jpg", "t1", "m1"), ("2.jpg", "t1", "m2")]
    assert media_of(["x/a/1.jpg", "x/a/2.jpg"], rows) == (["t1", "t1"], ["m1", "m2"])
    with pytest.raises(BadArray, match="is in no row"):
        media_of(["x/3.jpg"], rows)
