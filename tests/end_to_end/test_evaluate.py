"""``facelign evaluate`` and ``facelign calibrate`` as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.cli.app import run
from facelign.cli.exits import Exit

from .conftest import Run


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Saved vectors of 60 made-up people, four each."""
    rng = np.random.default_rng(2)
    rows = np.repeat(rng.normal(size=(60, 32)), 4, axis=0) + rng.normal(scale=0.5, size=(240, 32))
    path = tmp_path_factory.mktemp("vectors") / "made.npz"
    people = np.array([f"p{i:02d}" for i in np.repeat(np.arange(60), 4)])
    np.savez(path, vectors=rows.astype(np.float32), people=people)
    return path


def test_a_plan_needs_no_photos(facelign: Run) -> None:
    (row,) = facelign("evaluate", "plan", "--fmr", "1e-4", "--json").rows
    assert row["least_comparisons"] == 30_000
    people = row["least_people"]
    assert people * (people - 1) // 2 >= 30_000 > (people - 1) * (people - 2) // 2
    assert "people" in facelign("evaluate", "plan", "--fmr", "0.01").out
    assert facelign("evaluate", "plan", "--fmr", "0").code == 2


def test_saved_vectors_are_measured_and_reported(
    facelign: Run, vectors: Path, tmp_path: Path
) -> None:
    page = tmp_path / "deep" / "page.html"
    done = facelign(
        "evaluate", "verification", "--embeddings", vectors, "--json", "--report", page,
        "--csv", tmp_path / "csv", "--figures", tmp_path / "figures", "--draws", 100,
    )  # fmt: skip
    assert done.code == 0, done.err
    (row,) = done.rows
    assert row["pairs"] == 240 * 239 // 2
    assert row["mated"] == 60 * 6
    assert row["auc"] > 0.99
    assert row["tar_at_fmr"]["0.000001"] is None
    assert page.stat().st_size > 50_000
    assert len(list((tmp_path / "figures").glob("*.svg"))) >= 4
    assert len(list((tmp_path / "csv").glob("*.csv"))) >= 6
    again = facelign(
        "evaluate", "verification", "--embeddings", vectors, "--json", "--draws", 100
    ).rows[0]
    assert again == row  # same seed, same figures


def test_saved_vectors_take_a_list_of_pairs(facelign: Run, vectors: Path, tmp_path: Path) -> None:
    from sklearn import metrics

    held = np.load(vectors)
    files = np.array([f"{p}/{p}_{i % 4 + 1:04d}.jpg" for i, p in enumerate(held["people"])])
    saved = tmp_path / "listed.npz"
    np.savez(saved, vectors=held["vectors"], files=files)
    lines, rows = ["2\t30"], []
    for fold in range(2):
        for i in range(30):
            lines.append(f"p{fold * 30 + i:02d}\t1\t3")
            rows.append(((fold * 30 + i) * 4, (fold * 30 + i) * 4 + 2, True))
        for i in range(30):
            one, other = fold * 30 + i, fold * 30 + (i + 1) % 30
            lines.append(f"p{one:02d}\t2\tp{other:02d}\t4")
            rows.append((one * 4 + 1, other * 4 + 3, False))
    listed = tmp_path / "pairs.txt"
    listed.write_text("\n".join(lines) + "\n", "utf-8")
    words = ("evaluate", "verification", "--embeddings", saved, "--pairs", listed)
    done = facelign(*words, "--json", "--draws", 100)
    assert done.code == 0, done.err
    (row,) = done.rows
    unit = held["vectors"] / np.linalg.norm(held["vectors"], axis=1, keepdims=True)
    scores = [float(unit[a] @ unit[b]) for a, b, _ in rows]
    truth = [same for *_, same in rows]
    assert row["auc"] == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-9)
    assert (row["pairs"], row["folds"], row["failures"]["count"]) == (120, 2, 0)
    worst = row["worst_pairs"]["mated"][0]
    assert worst["score"] == pytest.approx(min(s for s, t in zip(scores, truth, strict=True) if t))
    assert row["most_errors"]["people"] == sorted(
        row["most_errors"]["people"],
        key=lambda p: -(p["false_matches"] + p["false_non_matches"]),
    )
    # a photo that was not saved is told and makes the run exit 3
    listed.write_text("\n".join([*lines[1:], "p00\t1\t9"]) + "\n", "utf-8")
    done = facelign(*words, "--json", "--draws", 100)
    assert done.code == 3
    assert done.rows[0]["missing_photos"] == 1


def test_one_person_is_not_enough(facelign: Run, tmp_path: Path) -> None:
    saved = tmp_path / "one.npz"
    np.savez(saved, vectors=np.eye(3, dtype=np.float32), people=["a", "a", "a"])
    done = facelign("evaluate", "verification", "--embeddings", saved)
    assert done.code == 3
    assert "3 mated and 0 non-mated pairs" in done.err


def test_saved_vectors_are_searched(facelign: Run, vectors: Path) -> None:
    words = ("evaluate", "identification", "--embeddings", vectors, "--sizes", "5,20")
    assert facelign(*words).code == 2  # no threshold of their own
    (row,) = facelign(*words, "--threshold", "0.6", "--json").rows
    assert row["rank1"] > 0.95
    assert [at["people"] for at in row["by_gallery_size"]] == [5, 20]
    assert {"gallery_subjects", "probes", "fpir", "fnir", "threshold"} <= row.keys()


@pytest.mark.parametrize(
    "words",
    [
        ("verification",),
        ("verification", "--images", "."),
        ("verification", "--images", ".", "--all-pairs", "--pairs", "x"),
        ("verification", "--bin", "x", "--pairs", "y"),
        ("verification", "--embeddings", "x.npz", "--pairs", "y", "--all-pairs"),
        ("verification", "--images", ".", "--protocol", "lfw-view2"),
        ("identification",),
        ("identification", "--embeddings", "x.txt", "--threshold", "1"),
    ],
)
def test_words_that_contradict_each_other_are_refused(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", *words]) == Exit.USAGE
    assert capsys.readouterr().err.startswith("facelign: ")


def test_calibrate_wants_to_know_what_on_and_where_to(facelign: Run, tmp_path: Path) -> None:
    assert facelign("calibrate").code == 2
    assert facelign("calibrate", "--images", tmp_path).code == 2  # no --out
    out = tmp_path / "r.json"
    assert facelign("calibrate", "--images", tmp_path, "--out", out, "--gallery-size", 9).code == 2
    assert facelign("calibrate", "--images", tmp_path, "--out", out, "--fmr", "2").code == 2
    missing = facelign("calibrate", "--gallery", tmp_path / "none.db")
    assert missing.code == 5
    assert not out.exists()


def test_without_scikit_learn_the_hint_is_the_extra(tmp_path: Path) -> None:
    for words, status in (
        (["evaluate", "ensemble", "--images", str(tmp_path), "--all-pairs"], 4),
        (["evaluate", "plan", "--fmr", "0.1"], 0),  # arithmetic needs no package
    ):
        code = (
            "import sys; sys.modules['sklearn'] = None; from facelign.cli.app import run; "
            f"sys.exit(run({words!r}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        assert ("pip install 'facelign[evaluate]'" in done.stderr) == (status == 4)


# -- photos --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two "people": the portrait three times, a mirrored and brightened one, and a cat."""
    from PIL import ImageEnhance
    from skimage import data

    root = tmp_path_factory.mktemp("faces")
    portrait = Pillow.fromarray(data.astronaut())
    for name, picture in {
        "Eileen/one.png": portrait,
        "Eileen/two.png": ImageEnhance.Brightness(portrait).enhance(0.7),
        "Eileen/three.png": portrait.crop((60, 0, 460, 400)),
        "Other/four.png": ImageEnhance.Brightness(portrait).enhance(1.3),
        "Other/cat.png": Pillow.fromarray(data.chelsea()),
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        picture.save(root / name)
    return root


@pytest.mark.weights
def test_photos_without_a_face_are_told_and_counted(
    facelign: Run, faces: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "verification", "--images", faces, "--all-pairs", "--json", "--draws", 100)
    done = facelign(*words, "--report", tmp_path / "page.html")
    assert done.code == 3
    (row,) = done.rows
    assert (row["pairs"], row["mated"]) == (10, 4)
    assert row["failures"]["count"] == 1
    assert row["failures"]["pairs"] == 4
    assert row["failures"]["photos"][0]["photo"].endswith("cat.png")
    assert "data:image/jpeg" in (tmp_path / "page.html").read_text(encoding="utf-8")
    bare = ("--failures", "left-out", "--report", tmp_path / "bare.html", "--no-photos")
    left_out = facelign(*words, *bare).rows[0]
    assert "data:image/jpeg" not in (tmp_path / "bare.html").read_text(encoding="utf-8")
    raw = facelign(*words, "--failures", "raw").rows[0]
    assert left_out["failures"]["counted_as"] == "left out"
    assert raw["failures"]["photos"][0]["reason"].startswith("raw photo used")
    # a list as people write it, and groups
    listed = tmp_path / "pairs.csv"
    listed.write_text(
        "a,b,same\nEileen/one.png,Eileen/two.png,yes\nEileen/one.png,Other/cat.png,no\n"
        "Eileen/two.png,Other/four.png,no\n"
    )
    groups = tmp_path / "groups.csv"
    groups.write_text("person,group\none.png,g\ntwo.png,g\nfour.png,g\n")
    row = facelign(
        "evaluate", "verification", "--images", faces, "--pairs", listed, "--json", "--draws", 100
    ).rows[0]
    assert (row["pairs"], row["folds"], row["mated"]) == (3, 1, 1)


@pytest.mark.weights
def test_a_record_beside_a_gallery_is_used_by_itself(
    facelign: Run, faces: Path, tmp_path: Path
) -> None:
    from facelign.compare import calibrations

    gallery = tmp_path / "g.db"
    facelign("enroll", faces / "Eileen", "--name", "Eileen", "--gallery", gallery)
    probe = faces / "Other" / "four.png"
    shipped = facelign("identify", probe, "--gallery", gallery, "--json").rows[0]["search"]
    record = json.loads(calibrations.to_json(calibrations.load("default-lfw-dev")))
    record |= {"id": "mine", "set": "my own photos"}
    record["tail"]["scores"] = [round(score + 0.01, 6) for score in record["tail"]["scores"]]
    for point in (record, *record["points"]):  # a record is refused unless all of it agrees
        point["threshold"] = round(point["threshold"] + 0.01, 6)
    beside = tmp_path / "g.db.calibration.json"
    beside.write_text(json.dumps(record))
    own = facelign("identify", probe, "--gallery", gallery, "--json").rows[0]["search"]
    assert "my own photos" in own["source"]
    assert own["score"] == pytest.approx(shipped["score"] + 0.01, abs=1e-6)
    # the same by file, for any gallery: a rule that follows the size, and no fixed threshold
    elsewhere = tmp_path / "rule.json"
    shutil.move(beside, elsewhere)
    told = facelign(
        "identify", probe, "--gallery", gallery, "--json", "--threshold", elsewhere
    ).rows[0]["search"]
    assert told == own
    assert told["templates"] == 3
    # a record of another space is not for this gallery
    record["space"] = "another/space/five"
    beside.write_text(json.dumps(record))
    other = facelign("identify", probe, "--gallery", gallery, "--json").rows[0]["search"]
    assert other == shipped
    refused = facelign("identify", probe, "--gallery", gallery, "--threshold", beside)
    assert refused.code == 4
    assert "another/space/five" in refused.err


@pytest.mark.weights
@pytest.mark.shared
def test_what_calibrate_writes_is_what_verify_takes(
    facelign: Run, recognition: Path, tmp_path: Path
) -> None:
    images = recognition / "lfw_100" / "images"
    out = tmp_path / "own.json"
    done = facelign(
        "calibrate", "--images", images, "--fmr", "0.01", "--out", out, "--json", "--report",
        tmp_path / "c.html", "--draws", 200,
    )  # fmt: skip
    assert done.code == 0, done.err
    (row,) = done.rows
    record = json.loads(out.read_text())
    wanted = {"fmr", "threshold", "interval", "mated", "non_mated", "subjects", "set", "digest",
              "space", "date"}  # fmt: skip
    assert wanted <= record.keys()
    assert (record["mated"], record["non_mated"], record["subjects"]) == (450, 4500, 10)
    assert record["threshold"] == row["threshold"]
    assert row["held_out"]["checks"]
    a, b = sorted((images / "Tony_Blair").iterdir())[:2]
    said = facelign("verify", a, b, "--threshold", out, "--json").rows[0]
    assert said["threshold"]["calibration"] == record["id"]
    assert said["threshold"]["score"] == pytest.approx(record["threshold"])
    # what the score means comes from the same record
    own = np.interp(said["score"], record["llr"]["scores"], record["llr"]["values"])
    assert said["log_likelihood_ratio"] == pytest.approx(own, abs=1e-3)
    few = facelign("calibrate", "--images", images, "--fmr", "1e-6", "--out", tmp_path / "no.json")
    assert few.code == 3
    assert "more people" in few.err
    assert not (tmp_path / "no.json").exists()


@pytest.mark.weights
@pytest.mark.shared
def test_figures_on_lfw_100_hold(facelign: Run, recognition: Path, tmp_path: Path) -> None:
    images = recognition / "lfw_100" / "images"
    row = facelign("evaluate", "verification", "--images", images, "--all-pairs", "--json").rows[0]
    assert row["auc"] >= 0.9995
    assert row["tar_at_fmr"]["0.001"] >= 0.97
    again = facelign("evaluate", "verification", "--images", images, "--all-pairs", "--json").rows[
        0
    ]
    assert again == row
    found = facelign("evaluate", "identification", "--images", images, "--json").rows[0]
    assert found["rank1"] >= 0.98
    lists = recognition / "lfw_protocol"
    view_2 = facelign(
        "evaluate", "verification", "--images", images, "--protocol", "lfw-view2", "--lists", lists,
        "--overlap", lists / "overlap", "--json",
    )  # fmt: skip
    assert view_2.code == 3  # most of its photos are not there: said, and no pair is dropped
    row = view_2.rows[0]
    assert (row["pairs"], row["folds"]) == (6000, 10)
    assert row["missing_photos"] > 7000
    assert row["failures"]["pairs"] > 5900


@pytest.mark.weights
@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_goes_on_where_it_was(recognition: Path, tmp_path: Path) -> None:
    images = recognition / "lfw_dev" / "images"
    home = Path(os.environ["FACELIGN_HOME"])
    own = tmp_path / "home"
    own.mkdir()
    for entry in home.iterdir():
        if entry.name not in ("cache", "gallery.db"):
            (own / entry.name).symlink_to(entry)
    words = [sys.executable, "-m", "facelign", "evaluate", "identification", "--images", images]
    env = {**os.environ, "FACELIGN_HOME": str(own)}
    running = subprocess.Popen(
        [*map(str, words), "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    cache = own / "cache" / "vectors.db"
    for _ in range(600):
        if cache.exists():
            break
        time.sleep(0.1)
    time.sleep(3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 130, err
    assert b"Traceback" not in err
    assert out == b""
    info = subprocess.run(
        [sys.executable, "-m", "facelign", "cache", "info", "--json"],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 0 < json.loads(info.stdout)["photos"] < 1162
