"""What a person's words for a threshold mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facelign.compare import calibrations
from facelign.errors import ConfigError, NoCalibration, SpaceMismatch
from facelign.models import catalog
from facelign.recognition.options import ChainOptions
from facelign.recognition.presets import preset
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.threshold_rule import calibration_named, rule

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def recognizer(pulled):
    pulled(*(catalog.default().spec(task, model) for task, model in preset("default").models))
    return Recognizer(workers=1)


def test_a_threshold_is_one_rule(recognizer):
    calibrated = rule(recognizer, None)
    assert calibrated.search is None
    assert calibrated.threshold() == recognizer.threshold()
    assert calibrated.threshold(0.01).score < calibrated.threshold().score
    score = rule(recognizer, "0.25", "asked for")
    assert score.threshold(0.01).score == 0.25
    assert score.search is not None
    assert score.search.note == score.threshold().source == "asked for"
    for text in ("nan", "inf"):
        with pytest.raises(ConfigError, match=f"threshold {text} is no score"):
            rule(recognizer, text)


def test_a_threshold_by_the_file_of_a_record(recognizer, tmp_path):
    record = recognizer.calibration
    path = tmp_path / "own.json"
    path.write_text(calibrations.to_json(record), encoding="utf-8")
    found = rule(recognizer, f"\u202a{path}")
    assert (found.record.id, found.search) == (record.id, None)
    assert found.threshold().fmr == pytest.approx(record.target)
    assert calibration_named(recognizer, "0.5") is None
    other = replace(record, space="toy/arcface-112/five")
    path.write_text(calibrations.to_json(other), encoding="utf-8")
    with pytest.raises(SpaceMismatch):
        rule(recognizer, str(path))


def test_a_chain_without_a_record_has_no_threshold(recognizer):
    plain = Recognizer(options=ChainOptions(preprocessing="clahe"), workers=1)
    with pytest.raises(NoCalibration) as caught:
        rule(plain, None).threshold()
    assert "--" not in caught.value.hint
