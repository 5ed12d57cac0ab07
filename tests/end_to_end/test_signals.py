"""How a run ends from outside: Ctrl-C once and again, other signals, and a reader that goes away.

Real processes, stopped while they work on real photos.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facelign.files.ledger import RESULTS
from facelign.gallery.gallery import Gallery

pytestmark = [
    pytest.mark.weights,
    pytest.mark.usefixtures("interruptible"),
    pytest.mark.skipif(os.name == "nt", reason="signals and closed pipes of POSIX"),
]

#: more photos than are done before a test has seen the first line
COPIES = 60


@pytest.fixture(scope="module")
def album(portraits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one person: enroll looks at every photo before it keeps one."""
    folder = tmp_path_factory.mktemp("album") / "people" / "Eileen"
    folder.mkdir(parents=True)
    data = (portraits / "people" / "Eileen" / "two.jpg").read_bytes()
    for number in range(COPIES):
        # other bytes behind the end marker make it another photo
        (folder / f"{number:02d}.jpg").write_bytes(data + bytes([number]))
    return folder.parent


def started(words: list[object], **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "facelign", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def waited(until: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    while not until():
        assert running.poll() is None, running.communicate()
        time.sleep(0.005)


def watches(running: subprocess.Popen[str]) -> bool:
    """Say whether the program itself takes signals, which Python's own start does not (SIGTERM)."""
    try:
        status = Path(f"/proc/{running.pid}/status").read_text("ascii")
    except OSError:  # a system that does not show it
        time.sleep(1)
        return True
    taken = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(taken, 16) >> (signal.SIGTERM - 1) & 1)


def quiet(text: str) -> bool:
    return not any(word in text for word in ("Traceback", "terminate called", "Exception ignored"))


def templates(gallery: Path) -> int:
    if not gallery.exists():
        return 0
    with Gallery.open(gallery, readonly=True) as opened:
        return sum(person.templates for person in opened.people())


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_a_run_in_order(
    album: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    running = started(["align", album, tmp_path / "faces"])
    waited(lambda: any(tmp_path.rglob("*.png")), running)
    running.send_signal(number)
    out, err = running.communicate(timeout=120)
    assert running.returncode == status
    assert err.splitlines() == ["facelign: interrupted; what was done is kept."]
    whole = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {RESULTS}
    assert 0 < len(whole) < COPIES
    assert all(name.endswith(".png") and not name.startswith(".") for name in whole)
    assert len(out.splitlines()) in (len(whole), len(whole) - 1)


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("command", ["enroll", "identify", "sort", "align", "detect", "models"])
def test_further_signals_end_a_run_at_once_and_quietly(
    album: Path, tmp_path: Path, command: str, times: int
) -> None:
    """At whatever moment they come: while it loads, works, unwinds or ends."""
    gallery = tmp_path / "g.db"
    words: dict[str, list[object]] = {
        "enroll": ["enroll", album, "--gallery", gallery],
        "identify": ["identify", album, "--gallery", gallery],
        "sort": ["sort", album, tmp_path / "sorted", "--gallery", gallery],
        "align": ["align", album, tmp_path / "faces"],
        "detect": ["detect", album],
        "models": ["models", "list"],
    }
    if command in ("identify", "sort"):
        Gallery.open(gallery).close()
    chance = random.Random(f"{command}{times}")
    for _ in range(3):
        running = started(words[command])
        waited(lambda: watches(running), running)  # noqa: B023 - now
        time.sleep(chance.random())
        for _ in range(times):
            if running.poll() is None:
                running.send_signal(signal.SIGINT)
            time.sleep(chance.choice([0, 0.01, 0.03]))
        _, err = running.communicate(timeout=120)
        assert quiet(err), err
        assert running.returncode in (130, 0, 1)  # 0 and 1: it had ended before
        shutil.rmtree(tmp_path / "faces", ignore_errors=True)
    if command == "enroll":
        assert templates(gallery) <= COPIES


def test_a_second_signal_does_not_wait_for_a_library() -> None:
    """The main thread is in C and hears nothing, as in a large gallery that is rebuilt."""
    code = (
        "import contextlib, sqlite3, sys\n"
        "from facelign.cli import signals\n"
        "signals.watch()\n"
        "numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n)'\n"
        "while True:\n"
        "    with contextlib.suppress(KeyboardInterrupt):\n"
        "        print('in', flush=True)\n"
        "        sqlite3.connect(':memory:').execute(numbers + 'SELECT max(i) FROM n').fetchall()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "in\n"
        while running.poll() is None:
            running.send_signal(signal.SIGINT)
            time.sleep(0.05)
    assert running.returncode == 130


def test_what_is_ignored_stays_ignored(album: Path, tmp_path: Path) -> None:
    """A command under nohup, or in the background of a shell, goes on."""
    running = started(
        ["align", album, tmp_path / "faces"],
        preexec_fn=lambda: [
            signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)
        ],
    )
    waited(lambda: any(tmp_path.rglob("*.png")), running)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGINT):
        running.send_signal(number)
    out, err = running.communicate(timeout=300)
    assert (running.returncode, err) == (0, "")
    assert len(out.splitlines()) == COPIES == len(list(tmp_path.rglob("*.png")))


def headed(words: list[object], **more: Any) -> tuple[int, str, str]:
    """Run ``facelign ... | head -1``; return its status, the line and what it said."""
    running = started(words, **more)
    assert running.stdout is not None
    assert running.stderr is not None
    first = running.stdout.readline()
    running.stdout.close()
    with running.stderr as stream:
        said = stream.read()
    return running.wait(timeout=300), first, said


def test_commands_that_change_things_finish_them_unread(album: Path, tmp_path: Path) -> None:
    gallery, inside = tmp_path / "g.db", tmp_path / "faces"
    code, first, err = headed(["enroll", album, "--gallery", gallery])
    assert (code, err) == (141, "")
    assert "enrolled as Eileen" in first
    assert templates(gallery) == COPIES
    assert headed(["align", album, inside])[0] == 141
    assert len(list(inside.rglob("*.png"))) == COPIES
    assert headed(["sort", album, tmp_path / "sorted", "--gallery", gallery])[0] == 141
    assert len(list((tmp_path / "sorted").rglob("*.jpg"))) == COPIES
    table = tmp_path / "t.csv"
    assert headed(["identify", album, "--gallery", gallery, "--out", table])[0] == 141
    assert len(table.read_text("utf-8-sig").splitlines()) == COPIES + 1


@pytest.mark.parametrize("command", ["detect", "embed", "identify"])
def test_commands_that_only_print_stop_unread(album: Path, tmp_path: Path, command: str) -> None:
    """The last photo is a pipe that nobody writes to: who reads it waits for ever."""
    where: list[object] = ["--gallery", tmp_path / "g.db"] if command == "identify" else []
    Gallery.open(tmp_path / "g.db").close()
    reader, writer = os.pipe()
    photos = sorted((album / "Eileen").iterdir())
    words = [command, *photos, f"/dev/fd/{reader}", *where, "--json"]
    try:
        code, first, err = headed(words, pass_fds=(reader,))
    finally:
        os.close(writer)
        os.close(reader)
    assert (code, err) == (141, "")
    assert first.startswith("{")


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["models", "list"], ["people", "--help"]], ids=" ".join
)
def test_no_command_answers_a_reader_that_is_gone(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "facelign", *words],
        stdout=writer, stderr=subprocess.PIPE, check=False, timeout=120,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_both_streams_may_lose_their_reader(album: Path, tmp_path: Path) -> None:
    """``facelign enroll ... 2>&1 | head -1``."""
    reader, writer = os.pipe()
    os.close(reader)
    running = subprocess.run(
        [sys.executable, "-m", "facelign", "enroll", album, "--gallery", tmp_path / "g.db"],
        stdout=writer, stderr=writer, check=False, timeout=300,
    )  # fmt: skip
    os.close(writer)
    assert running.returncode == 141
    assert templates(tmp_path / "g.db") == COPIES


@pytest.mark.parametrize("command", ["enroll", "sort", "align"])
def test_the_next_run_takes_away_what_a_killed_one_left(
    album: Path, tmp_path: Path, command: str
) -> None:
    gallery, to = tmp_path / "g.db", tmp_path / "to"
    Gallery.open(gallery).close()
    words: list[object] = {
        "enroll": ["enroll", album, "--gallery", gallery, "--out", to / "t.csv"],
        "sort": ["sort", album, to, "--gallery", gallery, "--out", to / "t.csv"],
        "align": ["align", album, to],
    }[command]
    running = started(words)
    waited(lambda: to.is_dir() and any(map(scratch, to.rglob(".*"))), running)
    running.kill()
    running.communicate()
    assert any(map(scratch, to.rglob(".*")))
    again = started(words)
    again.communicate(timeout=300)
    assert again.returncode == 0
    assert not any(map(scratch, to.rglob(".*")))


def scratch(path: Path) -> bool:
    return path.suffix in (".part", ".lock")
