"""``facelign liveness``, and ``--liveness`` of verify and identify, as people type them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow
from skimage import data

from facelign import models
from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.lab.pad.attacks import Species, attack
from facelign.models.weights.store import Store
from facelign.types.faces import Box

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def photos(
    tmp_path_factory: pytest.TempPathFactory, plain_weights: Store, pulled: Callable[..., Store]
) -> Path:
    """portrait.png, print.png, small.png (a face of some 25 px), coffee.jpg (no face), bad.jpg."""
    pulled(*models.default().find("minifasnet"))
    root = tmp_path_factory.mktemp("photos")
    pixels = data.astronaut()
    printed = attack(pixels, Box(178, 62, 268, 176), Species.PRINT, 1)
    Pillow.fromarray(pixels).save(root / "portrait.png")
    Pillow.fromarray(printed).save(root / "print.png")
    Pillow.fromarray(pixels).resize((125, 125)).save(root / "small.png")
    Pillow.fromarray(data.coffee()).save(root / "coffee.jpg")
    (root / "bad.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run([str(word) for word in words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_every_answer_has_score_decision_model_and_threshold(said, photos, tmp_path) -> None:
    table = tmp_path / "t.csv"
    names = ("portrait.png", "print.png", "small.png", "coffee.jpg")
    code, out, err = said("liveness", *(photos / n for n in names), "--json", "--out", table)
    assert code == Exit.NO
    rows = {Path(row["image"]).name: row for row in map(json.loads, out.splitlines())}
    live = {name: row["faces"][0]["live"] for name, row in rows.items() if row["faces"]}
    assert live["portrait.png"].keys() == {"score", "decision"}
    assert [live[n]["decision"] for n in names[:3]] == ["live", "attack", "not-checked"]
    assert live["small.png"]["score"] is None
    assert live["small.png"]["reason"].startswith("too small: 2")
    assert rows["coffee.jpg"]["faces"] == []
    for row in rows.values():
        assert row["liveness"]["model"] == "minifasnet"
        assert row["liveness"]["threshold"]["score"] == 0.5
        assert "never the only gate" in row["liveness"]["note"]
    assert err.count("never the only gate") == 1
    with table.open(encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    assert [line["decision"] for line in lines] == ["live", "attack", "not-checked", ""]
    assert lines[2]["live"] == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("portrait.png", Exit.DONE),
        ("portrait.png print.png", Exit.NO),
        ("small.png", Exit.NO),
        ("coffee.jpg", Exit.NO),
        ("portrait.png bad.jpg", Exit.INPUT),
        ("print.png bad.jpg", Exit.INPUT),
        ("none.jpg", Exit.INPUT),
        ("portrait.png --threshold 0.99", Exit.NO),
        ("portrait.png --threshold 7", Exit.USAGE),
        ("portrait.png --threshold none.json", Exit.USAGE),
        ("portrait.png --model nothing", Exit.MODEL),
    ],
)
def test_the_status_says_whether_all_are_live(said, photos, monkeypatch, words, code) -> None:
    monkeypatch.chdir(photos)
    got, out, err = said("liveness", *words.split())
    assert got == code, (out, err)


def test_the_picture_says_what_was_decided(said, photos, tmp_path) -> None:
    target = tmp_path / "seen"
    assert said("liveness", photos / "portrait.png", photos / "print.png", "--draw", target)[0] == 1
    assert sorted(p.name for p in target.glob("*.jpg")) == ["portrait.jpg", "print.jpg"]


def test_missing_weights_come_with_the_command_that_brings_them(
    said, photos, tmp_path, monkeypatch, facelign_home
) -> None:
    home = tmp_path / "home"
    ignored = shutil.ignore_patterns("*MiniFAS*")
    shutil.copytree(facelign_home / "weights", home / "weights", ignore=ignored)
    monkeypatch.setenv("FACELIGN_HOME", str(home))
    code, _, err = said("liveness", photos / "portrait.png")
    assert code == Exit.MODEL
    assert "facelign models pull minifasnet" in err


def test_identify_and_verify_obey(said, photos, tmp_path) -> None:
    gallery = tmp_path / "g.db"
    portrait, printed = photos / "portrait.png", photos / "print.png"
    assert said("enroll", portrait, "--name", "Eileen", "--gallery", gallery)[0] == Exit.DONE
    identify = ("identify", printed, "--gallery", gallery)

    code, out, err = said(*identify, "--json")
    assert code == Exit.DONE
    row = json.loads(out)
    assert "liveness" not in row
    assert "live" not in row["faces"][0]
    assert "gate" not in err

    code, out, err = said(*identify, "--json", "--liveness", "observe")
    row = json.loads(out)
    assert (code, row["faces"][0]["person"]) == (Exit.DONE, "Eileen")
    assert row["faces"][0]["live"]["decision"] == "attack"
    assert row["liveness"]["model"] == "minifasnet"

    code, out, err = said(*identify, "--liveness", "require")
    assert code == Exit.NO
    assert "Unknown (taken for an attack, not a living face: liveness 0." in out
    assert "never the only gate" in err

    code, out, _ = said("verify", portrait, printed, "--json", "--liveness", "require")
    row = json.loads(out)
    assert (code, row["same"]) == (Exit.NO, False)
    assert row["reason"].endswith("below 0.5")
    assert row["face_b"]["live"]["decision"] == "attack"
    code, out, _ = said("verify", portrait, printed, "--liveness", "require")
    assert out.startswith("not said to be the same person: score 0.")
    assert said("verify", portrait, printed, "--liveness", "observe")[0] == Exit.DONE
    code, out, _ = said("verify", portrait, printed, "--json")
    assert code == Exit.DONE
    assert "live" not in json.loads(out)["face_a"]


def test_the_file_of_settings_may_require_it(said, photos, tmp_path, monkeypatch) -> None:
    file = tmp_path / "facelign.toml"
    file.write_text('liveness = "require"\n', encoding="utf-8")
    monkeypatch.setenv("FACELIGN_CONFIG", str(file))
    assert said("verify", photos / "portrait.png", photos / "print.png")[0] == Exit.NO
    file.write_text('liveness-threshold = "0.7"\n', encoding="utf-8")
    code, _, err = said("verify", photos / "portrait.png", photos / "print.png")
    assert code == Exit.USAGE
    assert "score is said on the command line" in " ".join(err.split())


@pytest.mark.shared
def test_the_publishers_samples(said, recognition) -> None:
    code, out, _ = said("liveness", recognition / "liveness", "--json")
    assert code == Exit.NO
    rows = map(json.loads, out.splitlines())
    told = {Path(r["image"]).stem[-2:]: r["faces"][0]["live"]["decision"] for r in rows}
    assert told == {"F1": "attack", "F2": "attack", "T1": "live"}
