"""``facelign video``: what it prints, what it writes, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facelign.cli.app import run
from facelign.imaging.write import write
from facelign.models.weights.store import Store
from facelign.types.image import Image

pytest.importorskip("av")
pytestmark = pytest.mark.weights


def film(path: Path, portrait: Image, script: str, fps: float = 25.0) -> Path:
    """Write a film, one frame a letter: E shows Eileen, a dot nobody."""
    from facelign.video.sources.written import FilmWriter

    with FilmWriter(path) as writer:
        for number, letter in enumerate(script):
            pixels = np.full((300, 400, 3), 90, np.uint8)
            if letter == "E":
                x = round(40 + 40 * np.sin(number / 15))
                pixels[:240, x : x + 240] = portrait.pixels[0:240, 100:340]
            writer.add(pixels, number / fps)
    return path


@pytest.fixture(scope="module")
def gallery(
    plain_weights: Store, portrait: Image, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("video")
    photo = write(folder / "portrait.png", portrait.pixels)
    path = folder / "people.db"
    assert run(["enroll", str(photo), "--name", "Eileen", "--gallery", str(path)]) == 0
    return path


def test_a_line_a_visit(
    gallery: Path, portrait: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = film(tmp_path / "a.mp4", portrait, "." * 10 + "E" * 30 + "." * 10)
    capsys.readouterr()
    assert run(["video", str(place), "--gallery", str(gallery), "--json"]) == 0
    (visit,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert visit["person"] == "Eileen"
    assert visit["start"] == pytest.approx(0.4, abs=0.041)
    assert visit["end"] == pytest.approx(1.56, abs=0.041)
    assert visit["best"]["score"] > 0.9
    assert run(["video", str(place), "--gallery", str(gallery)]) == 0
    assert "0:00:00.40 to 0:00:01.56  Eileen  score 0.9" in capsys.readouterr().out


def test_everything_that_can_be_written(
    gallery: Path, portrait: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from facelign.video.sources import opened

    place = film(tmp_path / "a.mp4", portrait, "E" * 20 + "." * 6)
    out, srt, drawn = tmp_path / "o.csv", tmp_path / "o.srt", tmp_path / "drawn.mp4"
    words = ["--out", str(out), "--srt", str(srt), "--draw", str(drawn)]
    words += ["--faces", str(tmp_path / "faces"), "--blur", "all", "--gallery", str(gallery)]
    assert run(["video", str(place), *words]) == 0
    assert "Eileen" in out.read_text(encoding="utf-8-sig")
    assert "00:00:00,000 --> 00:00:00,760\nEileen\n" in srt.read_text()
    assert [one.name for one in (tmp_path / "faces").glob("*.jpg")] == ["a-0001.jpg"]
    with opened(str(drawn)) as frames:
        pictures = list(frames)
    assert len(pictures) == 26
    assert pictures[-1].time_s == pytest.approx(1.0, abs=0.001)
    assert not list(tmp_path.glob(".*"))  # nothing is left of the way
    plot = tmp_path / "line.svg"
    assert run(["plot", "timeline", str(out), "--out", str(plot)]) == 0
    assert "a.mp4: 1 visit; Eileen, 0 strangers" in capsys.readouterr().out
    assert plot.stat().st_size > 1000


def test_a_run_that_was_killed_goes_on(gallery: Path, portrait: Image, tmp_path: Path) -> None:
    """kill -9 in the second film: the first is not looked at again, no visit is there twice."""
    script = ("E" * 10 + "." * 40) * 3
    films = [str(film(tmp_path / name, portrait, script)) for name in ("a.mp4", "b.mp4")]
    out = tmp_path / "o.jsonl"
    words = ["video", *films, "--gallery", str(gallery), "--out", str(out), "--json"]
    command = [sys.executable, "-m", "facelign", *words]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert first.stdout is not None
    before = [json.loads(first.stdout.readline()) for _ in range(4)]
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert [one["film"] for one in before] == [films[0]] * 3 + [films[1]]
    assert not out.exists()
    again = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
    assert f"{films[0]}: looked through before, 3 visits" in again.stderr
    told = [json.loads(text) for text in out.read_text().splitlines()]
    assert [(one["film"], one["visit"]) for one in told] == [
        (f, n) for f in films for n in (1, 2, 3)
    ]
    assert not list(tmp_path.glob(".*unfinished"))


def test_a_bad_film_does_not_stop_the_others(
    gallery: Path, portrait: Image, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = film(tmp_path / "a.mp4", portrait, "E" * 10)
    bad = tmp_path / "b.mp4"
    bad.write_text("no film")
    words = ["video", str(bad), str(tmp_path / "none.mp4"), str(good), "--gallery", str(gallery)]
    capsys.readouterr()
    assert run([*words, "--json"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["person"] == "Eileen"
    assert len(told.err.splitlines()) == 2
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--out", "o.txt"], 2),
        (["--srt", "o.txt"], 2),
        (["--blur", "all"], 2),
        (["--rate", "0"], 2),
        (["--looks", "0"], 2),
        (["-"], 2),
        (["--faces", "FILM"], 2),
        (["--out", "FILM"], 2),
        (["--draw", "FILM"], 2),
    ],
)
def test_what_cannot_be_meant_is_said_before_any_work(
    gallery: Path, portrait: Image, tmp_path: Path, words: list[str], code: int
) -> None:
    place = film(tmp_path / "a.mp4", portrait, "E.")
    size = place.stat().st_size
    words = [str(place) if word == "FILM" else word for word in words]
    assert run(["video", str(place), "--gallery", str(gallery), *words]) == code
    assert place.stat().st_size == size
