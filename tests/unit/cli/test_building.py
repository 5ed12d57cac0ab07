"""From words and flags to what the library takes."""

from __future__ import annotations

import pytest

from facelign.cli import building
from facelign.errors import InputError
from facelign.models import catalog
from facelign.recognition.options import ChainOptions, IdentifyOptions
from facelign.recognition.presets import preset
from facelign.types.policies import FacePolicy
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
    assert capsys.readouterr().err == "note: 1 file that is no picture was skipped\n"
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
def test_a_score_is_told_as_one_of_the_command_line(recognizer, tmp_path):
    assert building.naming(NamingFlags(), recognizer, tmp_path / "g.db") == IdentifyOptions()
    flags = NamingFlags(threshold="0.5")
    options = building.naming(flags, recognizer, tmp_path / "g.db", FacePolicy.BEST)
    assert options.policy is FacePolicy.BEST
    assert options.threshold.threshold == building.rule(recognizer, "0.5").threshold()
    assert options.threshold.note == "given on the command line"


@pytest.mark.weights
def test_what_a_reduction_hides_is_said(recognizer, capsys):
    building.finder(ChainFlags(options=ChainOptions(downscale=4.0)))
    assert capsys.readouterr().err.startswith("note: With downscale 4, ")
    building.finder(ChainFlags())
    assert capsys.readouterr().err == ""


def test_an_address_is_no_path() -> None:
    with pytest.raises(InputError, match=r"^https://example.org/a.jpg is an address"):
        building.path_of("https://example.org/a.jpg")
