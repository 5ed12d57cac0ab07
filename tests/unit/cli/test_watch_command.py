"""``facelign watch``: events on standard output, in a log, and what cannot be meant."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from facelign.cli.app import run
from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.types.image import Image

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def gallery(
    plain_weights: Store, portrait: Image, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    photo = write(folder / "portrait.png", portrait.pixels)
    path = folder / "people.db"
    assert run(["enroll", str(photo), "--name", "Eileen", "--gallery", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def film(portrait: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from facelign.video.sources.written import FilmWriter

    path = tmp_path_factory.mktemp("films") / "door.mp4"
    with FilmWriter(path) as writer:
        for number in range(75):
            pixels = np.full((300, 400, 3), 90, np.uint8)
            if 3 <= number < 60:
                pixels[:240, 40 + number : 280 + number] = portrait.pixels[:240, 100:340]
            writer.add(pixels, number / 12.5)
    return path


def test_events_are_told_and_kept(
    gallery: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, database = tmp_path / "events.jsonl", tmp_path / "events.db"
    words = ["watch", str(film), "--gallery", str(gallery), "--json", "--absence", "0.5"]
    capsys.readouterr()
    assert run([*words, "--log", str(log), "--log", str(database)]) == 0
    shown = capsys.readouterr()
    told = [json.loads(text) for text in shown.out.splitlines()]
    assert [one["event"] for one in told] == ["appeared", "recognized", "left"]
    assert told[1]["person"] == "Eileen"
    assert [json.loads(text)["id"] for text in log.read_text().splitlines()] == [
        one["id"] for one in told
    ]
    assert "ms old" in shown.err
    assert database.stat().st_size > 0


def test_in_words(gallery: Path, film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["watch", str(film), "--gallery", str(gallery), "--absence", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [text.split(", ", 1)[1].split(" (")[0] for text in lines] == [
        "somebody appeared",
        "Eileen recognized",
        "Eileen left",
    ]


def test_whoever_gets_no_name_is_told_why(
    gallery: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["watch", str(film), "--gallery", str(gallery), "--min-height", "250", "--why"]
    capsys.readouterr()
    assert run(words) == 0
    assert "visit 1: no name, " in capsys.readouterr().err


def test_an_interruption_ends_it_in_order(gallery: Path, film: Path, tmp_path: Path) -> None:
    """SIGTERM: whoever is in view leaves, and the log has every event that was told."""
    log = tmp_path / "events.jsonl"
    words = ["watch", str(film), "--gallery", str(gallery), "--json", "--log", str(log)]
    command = [sys.executable, "-m", "facelign", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=os.environ) as run_:
        assert run_.stdout is not None
        assert run_.stderr is not None
        first = run_.stdout.readline()
        run_.send_signal(signal.SIGTERM)
        # not communicate(): it passes over lines that came with the first one
        rest, problems = run_.stdout.read(), run_.stderr.read()
    assert first, problems
    told = [json.loads(text) for text in [first, *rest.splitlines()]]
    assert told[0]["event"] == "appeared"
    assert told[-1]["event"] == "left"
    assert "Traceback" not in problems
    kept = [json.loads(text)["id"] for text in log.read_text().splitlines()]
    assert kept == [one["id"] for one in told]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["NONE.mp4"], 3),
        (["ftp://host/x"], 3),
        (["FILM", "--log", "events.txt"], 2),
        (["FILM", "--keep", "soon"], 2),
        (["FILM", "--cameras", "NONE.toml"], 2),
        (["FILM", "--webhook", "ftp://host"], 2),
        (["FILM", "--rate", "0"], 2),
        (["FILM", "--only-zones"], 2),
        (["user:secret@host/stream"], 3),
        (["rtsp:/user:secret@host/stream"], 3),
    ],
)
def test_what_cannot_be_meant(
    gallery: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], code: int, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = [str(film) if word == "FILM" else word for word in words]
    capsys.readouterr()
    assert run(["watch", *words, "--gallery", str(gallery)]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert "secret" not in shown.err
