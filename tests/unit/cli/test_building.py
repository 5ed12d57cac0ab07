"""From words and flags to what the library takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from facelign.cli import building
from facelign.errors import ConfigError, InputError, NoCalibration, SpaceMismatch
from facelign.models import catalog
from facelign.recognition.options import IdentifyOptions
from facelign.recognition.presets import preset
from facelign.types.policies import FacePolicy, TemplateMode
from facelign.wire.options import ChainFlags, NamingFlags


@pytest.fixture(scope="module")
def recognizer(pulled):
    pulled(*(catalog.default().spec(task, model) for task, model in preset("default").models))
    return building.recognizer(ChainFlags(workers=1))


def test_photos_and_what_is_missing(tmp_path, capsys):
    for name in ("a.jpg", "b.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    listed = building.listing([str(tmp_path)])
    assert [file.rsplit("/", 1)[1] for file in listed.files] == ["a.jpg", "b.png"]
    assert (listed.root, listed.missing) == (tmp_path, [])
    assert capsys.readouterr().err == "note: 1 files that are no pictures were skipped\n"
    listed = building.listing([str(tmp_path), str(tmp_path / "c.jpg")])
    assert listed.root is None
    (record,) = listed.missing
    assert (record["image"], record["width"]) == (str(tmp_path / "c.jpg"), None)
    assert "There is no file" in record["error"]


def test_marks_that_came_with_a_pasted_path(tmp_path, capsys):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    assert building.path_of(f"\u202a{photo}") == str(photo)
    assert capsys.readouterr().err.startswith("note: ")


@pytest.mark.weights
def test_how_faces_are_named(recognizer, tmp_path):
    assert building.naming(NamingFlags(), recognizer, tmp_path / "g.db") == IdentifyOptions()
    flags = NamingFlags(fpir=0.1, top_k=2, templates=TemplateMode.MEAN, threshold="0.5")
    options = building.naming(flags, recognizer, tmp_path / "g.db", FacePolicy.BEST)
    assert (options.fpir, options.top_k, options.mode) == (0.1, 2, TemplateMode.MEAN)
    assert options.policy is FacePolicy.BEST
    assert options.calibration is None
    assert options.threshold is not None
    assert options.threshold.threshold.score == 0.5
    with pytest.raises(ConfigError, match="has no classifier"):
        building.naming(NamingFlags(classifier=True), recognizer, tmp_path / "g.db")


@pytest.mark.weights
def test_a_threshold_is_one_rule(recognizer):
    calibrated = building.rule(recognizer, None)
    assert calibrated.search is None
    assert calibrated.threshold() == recognizer.threshold()
    assert calibrated.threshold(0.01).score < calibrated.threshold().score
    score = building.rule(recognizer, "0.25")
    assert score.threshold(0.01).score == 0.25
    assert score.search is not None
    assert score.search.note == "given on the command line"
    for text in ("nan", "inf"):
        with pytest.raises(ConfigError, match="is no score"):
            building.rule(recognizer, text)


@pytest.mark.weights
def test_a_threshold_by_the_file_of_a_record(recognizer, tmp_path):
    from facelign.compare import calibrations

    record = recognizer.calibration
    path = tmp_path / "own.json"
    path.write_text(calibrations.to_json(record), encoding="utf-8")
    rule = building.rule(recognizer, str(path))
    assert (rule.record.id, rule.search) == (record.id, None)
    assert rule.threshold().fmr == pytest.approx(record.target)
    other = replace(record, space="toy/arcface-112/five")
    path.write_text(calibrations.to_json(other), encoding="utf-8")
    with pytest.raises(SpaceMismatch):
        building.rule(recognizer, str(path))


@pytest.mark.weights
def test_a_chain_without_a_record_has_no_threshold(pulled):
    recognizer = building.recognizer(ChainFlags(preprocess="clahe", workers=1))
    with pytest.raises(NoCalibration) as caught:
        building.rule(recognizer, None).threshold()
    assert "--" not in caught.value.hint


@pytest.mark.weights
def test_what_a_reduction_hides_is_said(recognizer, capsys):
    building.finder(ChainFlags(downscale=4.0))
    assert capsys.readouterr().err.startswith("note: With downscale 4, ")
    building.finder(ChainFlags())
    assert capsys.readouterr().err == ""


def test_an_address_is_no_path() -> None:
    with pytest.raises(InputError, match=r"^https://example.org/a.jpg is an address"):
        building.path_of("https://example.org/a.jpg")
