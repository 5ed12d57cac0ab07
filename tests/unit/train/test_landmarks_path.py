"""From a table of points to a landmarker of one's own, through the command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import training

training.needed()

from facelign.cli.app import run
from facelign.cli.exits import Exit

pytestmark = pytest.mark.shared

SMALL = [
    f"--set={change}"
    for change in (
        *("epochs=2", "data.limit=60", "batch=8", "machine.threads=1"),
        *("model.name=light", "model.side=64"),
    )
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    """A home of its own, so that no model of these tests stays."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("FACELIGN_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def config(home, shared) -> Path:
    table = shared / "data" / "landmarks" / "faces68" / "faces68.csv"
    path = home / "c.toml"
    assert run(["models", "pull", "yunet"]) == 0  # what makes the crops
    assert run(["train", "init", "landmarks", "--data", str(table), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def ended(config) -> Path:
    """A run that was killed after its first epoch and went on to its end."""
    folder = config.parent / "run"
    command = [sys.executable, "-m", "facelign", "train", "landmarks", str(config), *SMALL]
    command += ["--out", str(folder), "--json"]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ, text=True)
    first = killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert json.loads(first)["epoch"] == 1
    assert not (folder / "result.json").exists()
    assert run(["train", "resume", str(folder)]) == 0
    return folder


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_run_that_has_ended_says_its_last_line_again(ended, capfd):
    assert run(["train", "resume", str(ended), "--json"]) == 0
    (last,) = rows(capfd.readouterr().out)
    assert last.keys() >= {"run", "epochs", "best", "test"}
    assert last["epochs"] == 2


def test_what_was_trained_serves_and_is_replaced_by_what_is_not_worse(
    ended, config, recognition, capfd
):
    assert run(["train", "export", str(ended), "--id", "mine-68"]) == 0
    assert run(["models", "pull", "yunet"]) == 0
    photo = next((recognition / "lfw_100").rglob("*.jpg"))
    capfd.readouterr()
    assert run(["detect", str(photo), "--landmarks", "mine-68", "--json"]) == 0
    face = rows(capfd.readouterr().out)[0]["faces"][0]
    assert len(face["landmarks"]) == 68
    card = json.loads((ended / "model-card.json").read_text(encoding="utf-8"))
    mean = card["test"]["error of the exported model"]
    # the served model, with its record, errs as the network in training did
    assert mean["value"] == pytest.approx(card["test"]["nme"], rel=0.02)
    assert mean["low"] < mean["value"] < mean["high"]
    assert card["test"]["mirror_limit"] > 0
    (alike,) = [t["test"] for t in card["tests"] if "look like those of validation" in t["test"]]
    assert "faces of the test set" in alike
    text = (ended / "model-card.md").read_text(encoding="utf-8")
    assert "passed: ONNX Runtime and PyTorch give the same" in text
    assert "Not to be trusted for" in text
    # the same network once more is no other model
    capfd.readouterr()
    assert run(["train", "export", str(ended), "--id", "mine-68"]) == 0
    assert run(["train", "export", str(ended), "--replace", "mine-68"]) == 0
    again, replaced = capfd.readouterr().out.splitlines()
    assert again.startswith("mine-68: the same as before;")
    assert replaced.startswith("mine-68: replaced;")
    card = json.loads((ended / "model-card.json").read_text(encoding="utf-8"))
    assert {"test": "no worse than the model that it replaces: +0.0000 (+0.0000 to +0.0000)",
            "passed": True} in card["tests"]  # fmt: skip
    worse = ended.parent / "worse"
    arguments = ["train", "landmarks", str(config), *SMALL, "--set=optimizer.learning_rate=1e-9"]
    assert run([*arguments, "--set=epochs=1", "--out", str(worse)]) == 0
    served = ended.parent / "models" / "mine-68" / "mine-68.onnx"
    before = served.read_bytes()
    capfd.readouterr()
    assert run(["train", "export", str(worse), "--id", "mine-68"]) == 2
    assert "was added before" in capfd.readouterr().err
    assert run(["train", "export", str(worse), "--replace", "mine-68"]) == 3
    assert "is worse than 'mine-68'" in capfd.readouterr().err
    assert served.read_bytes() == before


def test_points_of_another_scheme_replace_none(ended, shared, capfd):
    """Whoever takes a model by its id counts on its points."""
    assert run(["train", "export", str(ended), "--id", "kept-68"]) == 0
    served = ended.parent / "models" / "kept-68" / "kept-68.onnx"
    before = served.read_bytes()
    other, folder = ended.parent / "muct.toml", ended.parent / "muct"
    table = shared / "data" / "landmarks" / "muct" / "muct_crops.csv"
    assert run(["train", "init", "landmarks", "--data", str(table), "--out", str(other)]) == 0
    arguments = ["train", "landmarks", str(other), *SMALL, "--set=steps=1", "--out", str(folder)]
    assert run(arguments) == 0
    capfd.readouterr()
    assert run(["train", "export", str(folder), "--replace", "kept-68"]) == Exit.INPUT
    assert "'kept-68' gives the points of ibug-68" in capfd.readouterr().err
    assert served.read_bytes() == before


def test_a_run_is_kept_in_a_folder(config, tmp_path, capfd):
    taken = tmp_path / "file"
    taken.touch()
    arguments = ["train", "landmarks", str(config), *SMALL, "--out", str(taken)]
    assert run(arguments) == Exit.USAGE
    assert "is a file" in capfd.readouterr().err


def test_a_run_of_an_earlier_version_is_exported_without_what_it_did_not_keep(ended, capfd):
    older = ended.parent / "older"
    shutil.copytree(ended, older)
    data = json.loads((older / "data.json").read_text(encoding="utf-8"))
    assert data.pop("findings")
    (older / "data.json").write_text(json.dumps(data), encoding="utf-8")
    result = json.loads((older / "result.json").read_text(encoding="utf-8"))
    for name in ("test", "seconds"):
        del result[name]
    del result["best"]["loss"]
    (older / "result.json").write_text(json.dumps(result), encoding="utf-8")
    assert run(["train", "export", str(older), "--id", "older-68"]) == 0
    assert "bug" not in capfd.readouterr().err
    card = json.loads((older / "model-card.json").read_text(encoding="utf-8"))
    assert card["findings"] == []
    assert [test["passed"] for test in card["tests"]] == [True]
    assert set(card["test"]) == {"error of the exported model"}


def test_a_run_goes_on_with_the_data_that_it_was_begun_on(config, tmp_path, capfd):
    folder = tmp_path / "run"
    assert (
        run(["train", "landmarks", str(config), *SMALL, "--set=steps=1", "--out", str(folder)]) == 0
    )
    (folder / "result.json").unlink()
    text = (folder / "config.toml").read_text(encoding="utf-8")
    (folder / "config.toml").write_text(text.replace("limit = 60", "limit = 59"), encoding="utf-8")
    assert run(["train", "resume", str(folder)]) == 3
    assert "not those that the run" in capfd.readouterr().err


def test_strict_ends_where_the_data_are_found_wanting(config, tmp_path, capfd):
    folder = tmp_path / "run"
    arguments = ["train", "landmarks", str(config), *SMALL, "--strict", "--out", str(folder)]
    assert run(arguments) == Exit.NO
    assert "warning:" in capfd.readouterr().err
    assert not folder.exists()


def test_a_loss_that_is_not_finite_names_the_photos(config, tmp_path, capfd):
    folder = tmp_path / "run"
    wild = ("optimizer.name=sgd", "optimizer.learning_rate=1e38", "schedule.warm_up=0")
    arguments = ["train", "landmarks", str(config), *SMALL, *(f"--set={one}" for one in wild)]
    assert run([*arguments, "--out", str(folder)]) == Exit.INPUT
    assert ".jpg and 7 more) is kept in" in capfd.readouterr().err
    assert len(json.loads((folder / "batch.json").read_text())["samples"]) == 8
    # the same rate stops there again, another data set would be another run, a lower rate goes on
    assert run(["train", "resume", str(folder)]) == Exit.INPUT
    assert run(["train", "resume", str(folder), "--set=data.limit=50"]) == Exit.USAGE
    assert "With another data.limit it would not be the same run." in capfd.readouterr().err
    lower = ["train", "resume", str(folder), "--set=optimizer.learning_rate=0.001"]
    assert run(lower) == 0
    assert "learning_rate = 0.001\n" in (folder / "config.toml").read_text(encoding="utf-8")
    assert run(["train", "resume", str(folder)]) == 0
    said = capfd.readouterr()
    assert "goes on with step 1 of epoch 1; so far 0 epochs, 0 steps" in said.err
    assert "epoch 2 of 2: loss " in said.out
    assert run([*lower[:-1], "--set=optimizer.clip=9"]) == Exit.USAGE
    assert "has ended, after 2 epochs and 10 steps" in capfd.readouterr().err
    assert run([*lower[:-1], "--set=epochs=3"]) == 0
    said = capfd.readouterr()
    assert "note: Its learning rate had fallen to its end and begins again at " in said.err
    assert "goes on with step 1 of epoch 3; so far 2 epochs, 10 steps" in said.err
    assert "best of 3 epochs" in said.out


def test_a_plan_is_told_and_nothing_is_written(config, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run(["train", "landmarks", str(config), *SMALL, "--plan", "--json"]) == 0
    said = capfd.readouterr()
    (told,) = rows(said.out)
    assert told["data"].keys() >= {"train", "test", "sha256"}
    assert "photos_sha256" not in told["data"]
    assert f"(schedule.warm_up), and the run has {told['steps']}." in said.err
    assert told["parameters"] >= told["learning"] > 100_000
    assert told["steps"] == 2 * told["steps_per_epoch"]
    assert told["seconds_per_epoch"] > 0
    assert not list(tmp_path.iterdir())


def test_an_interruption_keeps_the_run_and_says_how_to_go_on(config, tmp_path, interruptible):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "facelign", "train", "landmarks", str(config), *SMALL]
    command += ["--set=epochs=1000", "--out", str(folder), "--json"]
    going = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ, text=True
    )
    going.stdout.readline()
    going.send_signal(signal.SIGINT)
    _, told = going.communicate(timeout=60)
    assert going.returncode == Exit.INTERRUPTED
    assert f"facelign train resume {folder}" in told
    assert (folder / "last.pt").is_file()


def test_refusals_say_what_to_do(config, tmp_path, capfd):
    folder = tmp_path / "run"
    (folder).mkdir()
    for arguments, code, told in (
        (["landmarks", str(config), "--out", str(folder), "--set=los.name=l1"], 2, "'loss'"),
        (["landmarks", str(tmp_path / "no.toml"), "--out", str(folder)], 3, "cannot be read"),
        (["resume", str(folder)], 2, "There is no run"),
        (["export", str(folder), "--id", "x"], 2, "There is no run"),
        (["export", str(folder)], 2, "A model has one id"),
        (["landmarks", str(config)], 2, "has no folder"),
        (["init", "houses", "--data", str(folder), "--out", str(folder / "h")], 2, "landmarks"),
        (["init", "landmarks", "--data", "/nowhere", "--out", str(folder / "h")], 2, "/nowhere"),
        (["init", "landmarks", "--data", str(folder), "--out", str(config)], 2, "already"),
        (
            ["landmarks", str(config), "--out", str(folder), "--set=data.limit=9"],
            2,
            "9 faces are too few",
        ),
        (
            [
                *("landmarks", str(config), "--out", str(folder), "--set=data.limit=9"),
                f"--set=data.images={folder}",
            ],
            2,
            "; 9 photos not to be read, such as ",
        ),
        (
            ["landmarks", str(config), "--out", str(folder), "--set=data.cameras=a"],
            2,
            "does not tell cameras",
        ),
    ):
        assert run(["train", *arguments]) == code
        assert told in capfd.readouterr().err
    assert not list(folder.iterdir())
