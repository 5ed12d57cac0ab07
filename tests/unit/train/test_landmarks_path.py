"""From a table of points to a landmarker of one's own, through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

import training

training.needed()

from facelign.cli.app import run
from facelign.cli.exits import Exit

SMALL = [
    f"--set={change}" for change in ("epochs=2", "data.limit=60", "batch=8", "machine.threads=1")
]


@pytest.fixture
def config(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    table = shared / "data" / "landmarks" / "faces68" / "faces68.csv"
    path = tmp_path / "c.toml"
    assert run(["train", "init", "landmarks", "--data", str(table), "--out", str(path)]) == 0
    return path


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.shared
def test_a_run_that_is_killed_is_resumed_exported_and_serves(config, recognition, tmp_path, capfd):
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "facelign", "train", "landmarks", str(config), *SMALL]
    command += ["--out", str(folder), "--json"]
    killed = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ, text=True)
    first = killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert json.loads(first)["epoch"] == 1
    capfd.readouterr()
    assert run(["train", "resume", str(folder), "--json"]) == 0
    told = rows(capfd.readouterr().out)
    assert told[-1].keys() >= {"run", "epochs", "best", "test"}
    assert told[-1]["epochs"] == 2
    assert run(["train", "resume", str(folder), "--json"]) == 0
    assert rows(capfd.readouterr().out) == told[-1:]
    assert run(["train", "export", str(folder), "--id", "mine-68"]) == 0
    photo = next((recognition / "lfw_100").rglob("*.jpg"))
    assert run(["models", "pull", "yunet"]) == 0
    capfd.readouterr()
    assert run(["detect", str(photo), "--landmarks", "mine-68", "--json"]) == 0
    face = rows(capfd.readouterr().out)[0]["faces"][0]
    assert len(face["landmarks"]) == 68
    card = (folder / "model-card.md").read_text(encoding="utf-8")
    assert "not trained on" in card
    assert "Not to be trusted for" in card


@pytest.mark.shared
def test_an_interruption_keeps_the_run_and_says_how_to_go_on(config, tmp_path):
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


@pytest.mark.shared
def test_refusals_say_what_to_do(config, tmp_path, capfd):
    folder = tmp_path / "run"
    (folder).mkdir()
    for arguments, code, told in (
        (["landmarks", str(config), "--out", str(folder), "--set=los.name=l1"], 2, "'loss'"),
        (["landmarks", str(tmp_path / "no.toml"), "--out", str(folder)], 3, "cannot be read"),
        (["resume", str(folder)], 2, "There is no run"),
        (["export", str(folder), "--id", "x"], 2, "There is no run"),
        (["init", "houses", "--data", str(folder), "--out", str(folder / "h")], 2, "landmarks"),
        (["init", "landmarks", "--data", "/nowhere", "--out", str(folder / "h")], 2, "/nowhere"),
        (["init", "landmarks", "--data", str(folder), "--out", str(config)], 2, "already"),
        (
            ["landmarks", str(config), "--out", str(folder), "--set=data.limit=9"],
            2,
            "9 faces are too few",
        ),
    ):
        assert run(["train", *arguments]) == code
        assert told in capfd.readouterr().err
    assert not list(folder.iterdir())
