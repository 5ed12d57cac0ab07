"""``facelign calibrate`` as a user calls it: what it refuses, whom it leaves out, what it ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facelign import models as models
from facelign.cli.app import run
from facelign.cli.evaluate import inputs
from facelign.compare.calibrations import load, shipped_ids
from facelign.compare.pairs import PairScores
from facelign.compare.planning import more_people, needed_comparisons
from facelign.errors import Refused
from facelign.lab.calibration import run as calibrated
from facelign.lab.calibration.figures import CalibrationRequest, Evidence, calibrate
from facelign.lab.material.named import Named, pair_counts
from facelign.recognition.chain import CHAIN_VERSION
from facelign.recognition.presets import PRESETS, Part
from facelign.types.embeddings import Metric, Space
from facelign.types.policies import VERIFY_FMR

SPACE = Space("made/up/five", 8, Metric.COSINE, unit=True)
ABOUT = CalibrationRequest("made", "made", "2026-01-01", draws=100)


def _named(people: int, photos: int) -> Named:
    rng = np.random.default_rng(people * 100 + photos)
    rows = rng.normal(size=(people * photos, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Named(SPACE, rows, tuple(f"p{i}" for i in np.repeat(np.arange(people), photos)))


@pytest.fixture
def home(pulled, facelign_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    known = models.default()
    pulled(*(known.spec(task, name) for task, name in PRESETS["default"].models))
    monkeypatch.setenv("FACELIGN_HOME", str(facelign_home))
    return facelign_home


@pytest.mark.parametrize("flags", [
    ["--images", "x", "--gallery", "y"],
    [],
    ["--images", "x"],
    ["--images", "x", "--out", "record.txt"],
    ["--images", "x", "--out", "r.json", "--fmr", "0"],
    ["--images", "x", "--out", "r.json", "--fmr", "nan"],
    ["--images", "x", "--out", "r.json", "--fpir", "1.5"],
    ["--images", "x", "--out", "r.json", "--gallery-size", "10"],
    ["--images", "x", "--out", "r.json", "--space", "a/b/c"],
    ["--images", "x", "--out", "r.json", "--set", " "],
    ["--images", "x", "--out", "r.json", "--pairs", "p", "--without", "w"],
    ["--gallery", "g.db", "--pairs", "p"],
])  # fmt: skip
def test_flags_that_cannot_be_meant(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["calibrate", *flags]) == 2
    assert list(tmp_path.iterdir()) == []


def test_only_a_calibration_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "settings.json"
    out.write_text('{"mine": 1}', encoding="utf-8")
    assert run(["calibrate", "--images", str(tmp_path), "--out", str(out), "--replace"]) == 2
    assert "is no calibration, and is not replaced" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == '{"mine": 1}'


@pytest.mark.parametrize(("people", "photos", "target"), [(20, 3, 1e-3), (5, 1, 1e-2), (3, 7, 0.1)])
def test_that_many_more_people_are_enough_and_one_fewer_is_not(
    people: int, photos: int, target: float
) -> None:
    """The hint against a count: people with as many photos each as there are."""
    needed = needed_comparisons(target)
    assert needed == round(3 / target)
    words = more_people(needed, people, people * photos).split()
    missing = int(words[words.index("about") + 1])
    enough = pair_counts(_named(people + missing, photos))[1]
    assert enough >= needed
    if missing > 1:
        assert pair_counts(_named(people + missing - 1, photos))[1] < needed


def test_one_photo_a_person_and_one_person_are_told_what_is_missing() -> None:
    with pytest.raises(Refused, match="5 photos of 5 people give 0 mated and 10") as refused:
        calibrated.run(_named(5, 1), ABOUT)
    assert refused.value.hint.startswith("Add photos of about 73 more people.")
    assert "second photo" in refused.value.hint
    with pytest.raises(Refused, match="4 photos of 1 person give 6 mated and 0") as refused:
        calibrated.run(_named(1, 4), ABOUT)
    assert "more people" in refused.value.hint
    # enough strangers, and still nobody twice
    with pytest.raises(Refused, match="0 mated") as refused:
        calibrated.run(_named(90, 1), ABOUT)
    assert refused.value.hint == "Give a second photo of some of them."


def test_a_list_is_told_about_pairs_since_it_does_not_grow_with_people() -> None:
    named = _named(30, 4)
    rng = np.random.default_rng(0)
    pairs = PairScores.of(
        rng.uniform(-1, 1, 60),
        np.arange(60) < 30,
        people=(
            [f"p{i % 30}" for i in range(60)],
            [f"p{(i + (i >= 30)) % 30}" for i in range(60)],
        ),
    )
    with pytest.raises(Refused, match=r"needs 3,000 .* there are 30 ") as refused:
        calibrated.run(named, ABOUT, pairs=pairs, digest="0" * 64)
    # 30 people gave 30 pairs: 2,970 further ones take 99 times as many people
    assert "all pairs of these photos give 6,960" in refused.value.hint
    assert "about 2,970 more non-mated pairs, of about 2,970 more people" in refused.value.hint
    for kind in (True, False):
        one_kind = pairs.where(pairs.same == kind)
        with pytest.raises(Refused, match="both kinds are needed"):
            calibrated.run(named, ABOUT, pairs=one_kind, digest="0" * 64)


def test_ids_say_what_differs_from_the_preset() -> None:
    default = PRESETS["default"]
    for chosen, wanted in (
        (default, "default-lfw-dev"),
        (replace(default, detector="yunet-n"), "default-yunet-n-lfw-dev"),
        (replace(default, parts=(Part("mobilefacenet"),)), "mobilefacenet-lfw-dev"),
        (replace(default, parts=(Part("sface-int8", flip=True),)), "default-flip-lfw-dev"),
        (replace(default, landmarker="dlib-5"), "default-dlib-5-lfw-dev"),
    ):
        assert calibrated.record_id(chosen, "lfw_dev") == wanted
    assert calibrated.record_id(default, "my photos/ü", "gamma=2") == "default-gamma-2-my-photos"


def test_a_caveat_where_the_threshold_has_seen_the_people() -> None:
    record = load("default-lfw-dev")
    assert "in sample" in inputs.same_set(None, "lfw_dev", record)[0]
    assert "may hold some of the people of lfw:" in inputs.same_set(None, "lfw", record)[0]
    assert inputs.same_set(None, "lfw_100", record) == []  # its people were left out
    assert inputs.same_set(None, "orl", record) == []


@pytest.mark.weights
@pytest.mark.shared
def test_on_real_people(
    home: Path, recognition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = recognition / "lfw_100" / "images", tmp_path / "own.json"
    base = [
        "calibrate",
        "--images",
        str(images),
        "--out",
        str(out),
        "--json",
        "--replace",
        "--draws",
        "100",
    ]
    # 1e-4 needs 30,000 comparisons: refused, and nothing is written
    assert run([*base, "--fmr", "1e-4"]) == 3
    assert "30,000" in (told := capsys.readouterr().err)
    assert "15 more people" in told
    assert not out.exists()
    # with an FPIR for a gallery the stricter of both holds
    assert run([*base, "--fmr", "0.02", "--fpir", "0.1", "--gallery-size", "20"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["fmr"], row["fpir"], row["templates"]) == (0.005, 0.1, 20)
    record = load(out)
    assert record.notes["held_out"]["checks"]
    # without a size the photos are the gallery: 0.5 / 100
    assert run([*base, "--fpir", "0.5"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["fmr"], row["templates"]) == (0.005, 100)
    # people who will be reported on are left out, and the record says so
    two = tmp_path / "reported"
    for person in sorted(images.iterdir())[:2]:
        (two / person.name).mkdir(parents=True)
    assert run([*base, "--fmr", "0.01", "--without", str(two)]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["subjects"], row["photos"], row["mated"]) == (8, 80, 360)
    assert load(out).notes["without"] == "reported"
    assert run([*base, "--without", str(images)]) == 3


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.slow
def test_the_command_gives_the_shipped_record(
    home: Path, recognition: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "again.json"
    images, reported = (recognition / name / "images" for name in ("lfw_dev", "lfw_100"))
    assert run(["calibrate", "--images", str(images), "--without", str(reported),
                "--out", str(out)]) == 0  # fmt: skip
    made, wanted = load(out), load("default-lfw-dev")
    for name in ("id", "space", "metric", "set", "digest", "subjects", "photos", "mated",
                 "non_mated", "target"):  # fmt: skip
        assert getattr(made, name) == getattr(wanted, name), name
    assert dict(made.chain) == dict(wanted.chain)
    assert made.notes.keys() == wanted.notes.keys()
    # another processor may round the last digit of a score otherwise
    for one, other in zip(made.points, wanted.points, strict=True):
        assert one.threshold == pytest.approx(other.threshold, abs=1e-4)
        assert one.interval == pytest.approx(other.interval, rel=0.05, abs=1e-6)
    assert [c["inside"] for c in made.notes["held_out"]["checks"]] == [True, True]


@pytest.mark.parametrize("record_id", shipped_ids())
def test_shipped_records_hold_on_the_other_half_of_their_people(record_id: str) -> None:
    record = load(record_id)
    checks = record.notes["held_out"]["checks"]
    assert len(checks) == 2
    assert sum(check["subjects"] for check in checks) == record.subjects
    for check in checks:
        assert check["target"] == VERIFY_FMR
        low, high = check["stated"]
        assert low <= check["observed"]["value"] <= high
    assert record.notes["without"] == "lfw_100"
    assert record.chain["version"] == str(CHAIN_VERSION)


def test_a_record_beyond_its_gallery_says_so(tmp_path: Path) -> None:
    from facelign.cli.calibrate import _reach

    named = _named(12, 4)
    wanted = CalibrationRequest("g", "g", "2026-01-01", target=1e-2, draws=100)
    record = calibrate(Evidence.of_people(named, 100, wanted.seed), named, wanted)
    record = replace(record, notes={**record.notes, "gallery_templates": 48})
    assert any("vouches for an FPIR of" in text for text in _reach(record))
    assert _reach(replace(record, notes={})) == []
