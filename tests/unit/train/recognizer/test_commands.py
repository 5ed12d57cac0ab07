"""From a folder of people to an embedder of one's own, through the command line."""

import json

import cv2
import numpy as np
import pytest

import training

training.needed()

import pattern_people as patterns
from facelign import models
from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.errors import WeightsMissing
from facelign.train.recognizer.config import PairTestOptions
from facelign.train.recognizer.study import study
from facelign.train.run_folder import RunFolder
from facelign.train.task import task_of

SMALL = [f"--set={c}" for c in ("steps=3", "batch=16", "machine.threads=1", "data.judge=")]


@pytest.fixture
def people(recognition):
    return recognition / "lfw_100" / "images"


@pytest.fixture
def config(people, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    path = tmp_path / "c.toml"
    assert run(["models", "pull", "yunet"]) == 0
    assert run(["train", "init", "recognizer", "--data", str(people), "--out", str(path)]) == 0
    return path


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.shared
def test_a_plan_trains_nothing_and_strict_ends_before_the_run(config, tmp_path, capfd):
    folder = tmp_path / "run"
    command = ["train", "recognizer", str(config), *SMALL, "--json"]
    capfd.readouterr()
    assert run([*command, "--plan"]) == 0
    (told,) = rows(capfd.readouterr().out)
    assert told["kind"] == "recognizer"
    assert told["steps"] == 3
    assert told["parameters"] > 100_000
    assert run([*command, "--strict", "--out", str(folder)]) == Exit.NO
    assert "Only 10 people train" in capfd.readouterr().err
    assert not folder.exists()


@pytest.mark.shared
def test_an_embedder_is_trained_exported_and_verifies(config, people, tmp_path, capfd):
    folder = tmp_path / "run"
    command = ["train", "recognizer", str(config), "--out", str(folder), "--json", *SMALL]
    capfd.readouterr()
    assert run(command) == 0
    told = capfd.readouterr()
    assert "Only 10 people train" in told.err
    assert "by photo within each person" in told.err
    assert rows(told.out)[-1].keys() >= {"run", "epochs", "best", "test"}
    assert run(["train", "export", str(folder), "--id", "mine"]) == 0
    assert "--" not in capfd.readouterr().err  # three steps teach little, and that is no refusal
    photos = sorted((people / "Tony_Blair").glob("*.jpg"))[:2]
    capfd.readouterr()
    verify = ["verify", *map(str, photos), "--model", "mine", "--threshold", "0.2", "--json"]
    assert run(verify) in (0, 1)
    assert -1 <= rows(capfd.readouterr().out)[-1]["score"] <= 1
    assert run(["embed", str(photos[0]), "--model", "mine", "--json"]) == 0
    face = rows(capfd.readouterr().out)[-1]["faces"][0]
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1, abs=1e-4)
    assert run(["models", "pull", "mobilefacenet"]) == 0
    task = task_of(RunFolder(folder).read())
    wrong = task.errors(models.embedder("mobilefacenet")), task.errors(models.embedder("mine"))
    assert all(len(each) == len(task.test_set.trials) for each in wrong)
    assert wrong[0].sum() < wrong[1].sum()


@pytest.mark.shared
def test_faces_that_were_aligned_for_training_are_deleted_with_the_cache(config, tmp_path):
    folder = tmp_path / "run"
    assert run(["train", "recognizer", str(config), "--out", str(folder), *SMALL]) == 0
    assert list((tmp_path / "home").rglob("*.chips"))
    assert run(["cache", "clear"]) == 0
    assert not list((tmp_path / "home").rglob("*.chips"))


@pytest.mark.shared
def test_arms_of_the_study_are_trained_and_tested_on_every_cut(config, people, tmp_path, capfd):
    listed = tmp_path / "pairs.csv"
    names = sorted(folder.name for folder in people.iterdir())[:3]
    files = [sorted(f"{name}/{p.name}" for p in (people / name).iterdir())[:2] for name in names]
    lines = ["a,b,same", *(f"{a},{b},yes" for a, b in files)]
    lines += [f"{files[i][0]},{files[(i + 1) % 3][1]},no" for i in range(3)]
    listed.write_text("\n".join(lines), encoding="utf-8")
    command = ["study", "alignment", "--images", str(people), "--pairs", str(listed)]
    command += ["--train", str(config), "--seeds", "2", "--draws", "50", "--json"]
    command += ["--report", str(tmp_path / "page.html"), *SMALL]
    capfd.readouterr()
    assert run(command) == 2
    assert "--runs" in capfd.readouterr().err
    command += ["--runs", str(tmp_path / "runs")]
    assert run(command) == 0
    found = rows(capfd.readouterr().out)[-1]["trained"]
    arms = {(arm["trained"], arm["tested"]): arm for arm in found["arms"]}
    kinds = ("none", "crop", "five")
    assert set(arms) == {(a, b) for a in kinds for b in kinds}
    assert all(len(arm["by_seed"]["auc"]) == 2 for arm in arms.values())
    gap = found["gains"]["five"]["auc"]
    means = [arms[name, name]["auc"] for name in ("five", "none")]
    assert gap["value"] == pytest.approx(means[0] - means[1])
    assert gap["low"] <= gap["value"] <= gap["high"]
    assert len(list((tmp_path / "runs").glob("*/result.json"))) == 6
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "ROC" in page
    assert f">{gap['value']:+.4f}<" in page  # the figure large, its interval below


def test_a_study_that_lacks_the_detector_of_one_arm_ends_before_it_cuts_another(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    source = patterns.folder(tmp_path / "people", people=3)
    listed = tmp_path / "pairs.csv"
    listed.write_text("a,b,same\nperson_00/0.png,person_00/1.png,1\n", encoding="utf-8")
    config = patterns.config(source, test=PairTestOptions(pairs=str(listed)))
    with pytest.raises(WeightsMissing, match="facelign models pull yunet"):
        study(config, tmp_path / "runs", (1, 2))
    assert not list((tmp_path / "home").rglob("*.chips"))


@pytest.mark.shared
def test_bad_input_is_told_in_a_sentence(config, people, tmp_path, capfd):
    alone = tmp_path / "alone" / "Ann"
    alone.mkdir(parents=True)
    for number in range(3):
        cv2.imwrite(str(alone / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    poisoned = tmp_path / "train.rec"
    poisoned.write_bytes(b"\x00" * 64)
    poisoned.with_suffix(".idx").write_text("0\t0\n", encoding="ascii")
    folder = tmp_path / "run"
    for change, code, told in (
        (f"data.source={alone.parent}", 2, "takes at least two"),
        (f"data.source={poisoned}", 3, "does not begin as a record"),
        ("data.source=/nowhere", 3, "/nowhere is no folder"),
        ("los.name=triplet", 2, "'loss'"),
        ("model.name=smal", 2, "small"),
        ("loss.name=triplets", 2, "loss.name"),
        ("data.layout=arcface", 4, "arcface-112"),
        ("test.pairs=/nowhere.txt", 3, "/nowhere.txt"),
        ("model.weights=/nowhere.pt", 3, "/nowhere.pt"),
    ):
        command = ["train", "recognizer", str(config), "--out", str(folder), f"--set={change}"]
        capfd.readouterr()
        found = run(command)
        said = capfd.readouterr().err
        assert (change, found) == (change, code), said
        assert told in said
        assert "bug" not in said
    assert not folder.exists()
