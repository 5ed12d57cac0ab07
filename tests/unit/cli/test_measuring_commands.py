"""study, evaluate compare/landmarks/detection/ensemble and plot, as a user calls them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.cli.app import run
from facelign.cli.plot import outliers
from facelign.compare.pairs import PairScores
from facelign.lab.comparison import saved_runs
from facelign.lab.verification import figures as verification
from facelign.models import catalog
from facelign.recognition.presets import PRESETS


@pytest.fixture
def album(portrait, pulled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facelign_home) -> Path:
    """Two photos of the portrait's face, in a folder of one person; an own home for the cache."""
    known = catalog.default()
    pulled(*(known.spec(task, name) for task, name in PRESETS["default"].models))
    home = tmp_path / "home"
    home.mkdir()
    (home / "weights").symlink_to(facelign_home / "weights")
    monkeypatch.setenv("FACELIGN_HOME", str(home))
    folder = tmp_path / "people" / "Eileen"
    folder.mkdir(parents=True)
    whole = Pillow.fromarray(portrait.pixels)
    whole.save(folder / "a.png")
    whole.rotate(8).save(folder / "b.png")
    return tmp_path


@pytest.mark.weights
def test_pictures_of_photos(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (str(album / "people" / "Eileen" / name) for name in ("a.png", "b.png"))
    for command, kind in (
        (["barcodes", a, b], "png"),
        (["barcodes", a, a], "csv"),
        (["similarity", a, b], "svg"),
        (["chain", a], "png"),
        (["hog", a], "png"),
        (["detectors", a, "--detectors", "yunet"], "png"),
    ):
        out = album / f"{command[0]}.{kind}"
        assert run(["plot", *command, "--out", str(out)]) == 0
        assert out.stat().st_size > 500
    said = capsys.readouterr().out
    assert "same person" in said
    assert "yunet: 1 face in 1 photo," in said
    rows = list(csv.DictReader((album / "barcodes.csv").read_text().splitlines()))
    assert len(rows) == 128
    assert all(float(row["squared difference"]) == 0 for row in rows)  # A1-13: identical photos
    with Pillow.open(album / "barcodes.png") as picture:
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 100


@pytest.mark.weights
def test_what_cannot_be_drawn_is_refused(album: Path) -> None:
    a = str(album / "people" / "Eileen" / "a.png")
    assert run(["plot", "similarity", a, "--out", str(album / "x.png")]) == 3
    assert run(["plot", "barcodes", a, a, "--out", str(album / "x.gif")]) == 2
    assert run(["plot", "tsne", a, a, "--out", str(album / "x.png"), "--method", "PCA"]) == 2


def saved(path: Path, noise: float) -> Path:
    draws = np.random.default_rng(1)
    person = np.repeat(np.arange(30), 2)
    i, j = np.triu_indices(60, 1)
    same = person[i] == person[j]
    scores = np.where(same, 0.7, 0.0) + draws.normal(0, noise, len(i))
    nothing = np.zeros(len(i), np.int64)
    pairs = PairScores(scores, same, person[i], person[j], nothing, nothing.astype(bool))
    record = verification.evaluate(pairs, draws=60).to_dict()
    record |= {"photos": 60, "set": "made up", "pair_scores": saved_runs.pair_record(pairs)}
    path.write_text(json.dumps(record))
    return path


def test_two_saved_runs_and_their_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = saved(tmp_path / "good.json", 0.1), saved(tmp_path / "bad.json", 0.5)
    assert run(["evaluate", "compare", str(good), str(bad)]) == 1
    assert run(["evaluate", "compare", str(bad), str(good), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["paired"] is True
    assert told["worse"] is False
    for kind in ("histograms", "roc", "det", "f1_accuracy", "rates"):
        out = tmp_path / f"{kind}.svg"
        assert run(["plot", "scores", str(bad), "--kind", kind, "--out", str(out)]) == 0
        assert out.read_text().startswith("<?xml")
    best = json.loads(bad.read_text())["best"]["f1"]["threshold"]  # told the same everywhere
    capsys.readouterr()
    assert run(["plot", "scores", str(bad), "--kind", "f1_accuracy", "--out", str(out)]) == 0
    assert f" at {best:.3f};" in capsys.readouterr().out
    assert run(["plot", "scores", str(bad), "--kind", "pie", "--out", "x.svg"]) == 2
    assert run(["evaluate", "compare", str(good)]) == 2
    (tmp_path / "no.json").write_text("[]")
    assert run(["evaluate", "compare", str(good), str(tmp_path / "no.json")]) == 3


def test_outliers_are_those_whose_neighbor_is_somebody_else() -> None:
    points = [[0, 0], [0, 1], [9, 9], [9, 8], [9, 8.5], [50, 50]]
    people = ["a", "a", "b", "b", "a", "c"]
    assert outliers(points, people)[0] == 4
    assert 5 not in outliers(points, people)  # one photo has no own neighbor
    assert outliers(points[:4], people[:4]) == []


def test_words_that_contradict_each_other(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert run(["study", "alignment", "--images", folder]) == 2
    assert run(["study", "alignment", "--images", folder, "--all-pairs", "--rotations", "x"]) == 2
    assert run(["evaluate", "compare"]) == 2
    assert run(["evaluate", "compare", "--images", folder, "--presets", "default"]) == 2
    assert run(["evaluate", "ensemble", "--images", folder, "--all-pairs"]) == 3
    assert run(["evaluate", "detection", "--truth", str(tmp_path / "none.txt")]) == 3


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.slow
def test_on_real_people(
    album: Path, recognition: Path, pulled, capsys: pytest.CaptureFixture[str]
) -> None:
    known = catalog.default()
    pulled(known.spec("embed", "dlib-resnet"))
    people = album / "four"
    people.mkdir()
    for person in sorted((recognition / "lfw_100" / "images").iterdir())[:6]:
        folder = people / person.name
        folder.mkdir()
        for photo in sorted(person.glob("*.jpg"))[:3]:
            (folder / photo.name).symlink_to(photo)
    images = ["--images", str(people), "--all-pairs", "--draws", "60", "--json"]
    page = album / "page.html"
    command = ["study", "alignment", *images, "--rotations", "0", "--degradations", "none"]
    assert run([*command, "--layouts", "none,five", "--report", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "Alignment by five points" in told["verdict"] or "cannot tell" in told["verdict"]
    assert [arm["failed_photos"] for arm in told["arms"]] == [0, 0]
    assert page.read_text().count("<h2") >= 4
    models = ["--models", "sface,dlib-resnet", "--timed", "0"]
    assert run(["evaluate", "compare", *images, *models, "--report", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {c["name"] for c in told["contenders"]} == {"sface", "dlib-resnet"}
    kept = album / "both.json"
    options = [*models, "--save", str(kept), "--report", str(page)]
    assert run(["evaluate", "ensemble", *images, *options]) == 0
    assert len(json.loads(capsys.readouterr().out)["systems"]) == 7
    a, b = sorted(next(people.iterdir()).glob("*.jpg"))[:2]
    assert run(["verify", str(a), str(b), "--fusion", str(kept)]) in (0, 1)
    capsys.readouterr()
    more = ["--fmr", "0.01", "--preset", "fast"]
    assert run(["verify", str(a), str(b), "--fusion", str(kept), *more]) == 2
    assert "--fmr, --preset would change nothing" in (err := capsys.readouterr().err), err
    other = album / "other.json"
    other.write_text('{"my": "notes"}')
    assert run(["evaluate", "ensemble", *images, *models, "--save", str(other)]) == 2
    assert other.read_text() == '{"my": "notes"}'
    # three albums that each hold photos of everybody
    for number, photo in enumerate(sorted(people.glob("*/*.jpg"))):
        place = album / "albums" / f"20{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{photo.parent.name}.jpg").symlink_to(photo)
    capsys.readouterr()
    of_albums = ["--images", str(album / "albums"), "--draws", "100", "--json"]
    assert run(["evaluate", "verification", *of_albums, "--all-pairs"]) == 0
    (caveat,) = json.loads(capsys.readouterr().out)["caveats"]
    assert "3 of 3 folders" in caveat
    assert run(["evaluate", "identification", "--images", str(album / "albums"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["caveats"] == [caveat]
    record = ["--fmr", "0.1", "--out", str(album / "c.json")]
    assert run(["calibrate", *of_albums, *record]) in (0, 3)
    assert caveat in capsys.readouterr().err


def test_detection_needs_photos_for_without_and_detectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], portrait, pulled
) -> None:
    from facelign.types.specs import Task

    pulled(catalog.default().spec(Task.DETECT, "yunet"))
    truth = tmp_path / "boxes.txt"
    Pillow.fromarray(portrait.pixels).save(tmp_path / "a.png")
    truth.write_text("a.png\n1\n177 65 100 130\n")
    command = ["evaluate", "detection", "--truth", str(truth), "--images", str(tmp_path)]
    empty = tmp_path / "empty"
    assert run([*command, "--without", str(empty)]) == 3  # not there
    empty.mkdir()
    assert run([*command, "--without", str(empty)]) == 3  # nothing in it
    assert "--without" in capsys.readouterr().err
    assert run([*command, "--detectors", ""]) == 2
    Pillow.new("RGB", (120, 90), (90, 120, 150)).save(empty / "sky.png")
    assert run([*command, "--without", str(empty), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["runs"][0]
    assert told["empty"]["photos"] == 1
    assert told["false_per_1000_empty_photos"] == 0
    assert told["recall"] == 1


def test_landmarks_need_names_and_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{axis}{k:02d}" for k in range(68) for axis in "xy"]
    row = [str(5 + k) for k in range(136)]
    table = tmp_path / "faces.csv"
    table.write_text(",".join(["file", *names]) + "\n" + ",".join(["a.png", *row]) + "\n")
    command = ["evaluate", "landmarks", "--data", str(table)]
    assert run([*command, "--landmarks", ""]) == 2
    assert run([*command, "--detectors", ","]) == 2
    assert run([*command, "--landmarks", "none", "--detectors", "haar"]) == 2
    assert "haar gives boxes and no points" in capsys.readouterr().err
    assert run([*command, "--landmarks", "none", "--points", "ibug-68"]) == 2
