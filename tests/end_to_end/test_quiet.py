"""Commands open no connection, and write nothing but what their user knows of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facelign import models

#: what makes or changes a file; the question mark is for systems that lack a call (man strace)
CALLS = "openat,?open,?creat,?mkdir,mkdirat,?rename,?renameat,?renameat2,?link,linkat,?symlink"
_CHANGES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|\b(?:creat|mkdir|rename|link|symlink)(?:at2?)?\(")
_SOCKET = re.compile(r"\b(?:socket|connect|sendto|sendmsg)\((?!.*AF_UNIX)")
#: what runs a command where no network can be reached
CUT = ("unshare", "--net", "--map-root-user")
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')


def environment(home: Path, facelign_home: Path) -> dict[str, str]:
    """That of a user who has set nothing but where facelign keeps its things."""
    home.mkdir(exist_ok=True)
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "MPL", "XDG_"))}
    # compiled modules beside the sources are Python's own
    own = {"HOME": str(home), "FACELIGN_HOME": str(facelign_home), "PYTHONDONTWRITEBYTECODE": "1"}
    return keep | own


def commands(portraits: Path) -> list[list[str]]:
    people, probes = str(portraits / "people"), str(portraits / "probes")
    everything = [people, "--gallery", "g.db"]
    return [
        ["doctor"],
        ["enroll", *everything],
        ["identify", probes, "--gallery", "g.db", "--out", "named.csv"],
        ["verify", f"{people}/Eileen/one.png", f"{probes}/dark.jpg", "--json"],
        ["embed", probes, "--out", "vectors.jsonl"],
        ["plot", "similarity", people, "--out", "scores.png"],
        ["people", "classifier", "--gallery", "g.db"],
        ["people", "export", "people.npz", "--gallery", "g.db"],
        ["people", "remove", "Eileen", "--yes", "--gallery", "g.db"],
    ]


def traced(
    words: list[str], folder: Path, env: dict[str, str], *around: str
) -> tuple[int, list[str]]:
    """Run Python words under strace; return its status and the lines of the calls.

    around: the command that runs strace.
    """
    log = folder / "calls.log"
    watch = ["strace", "-f", "-qq", "-e", f"trace=network,{CALLS}", "-o", str(log)]
    started = [*around, *watch, sys.executable, *words]
    done = subprocess.run(started, cwd=folder, env=env, capture_output=True, check=False)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return done.returncode, [line for line in lines if " = -1 " not in line]


def can_cut() -> bool:
    """Say whether a command can be run here where no network can be reached."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*CUT, "true"], capture_output=True, check=False).returncode == 0


def strays(lines: list[str], folder: Path, allowed: tuple[Path, ...]) -> set[str]:
    """Return the files that were made or changed elsewhere."""
    found = {
        str((folder / path).resolve())
        for line in lines
        if _CHANGES.search(line)
        for path in _PATH.findall(line)
    }
    places = tuple(str(place.resolve()) for place in (*allowed, Path("/dev")))
    return {path for path in found if not path.startswith(places)}


@pytest.fixture
def watched(tmp_path: Path, facelign_home: Path) -> Callable[..., tuple[int, list[str]]]:
    """Run Python words, watched; without a network where that can be cut off.

    Skips where processes cannot be watched.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    env = environment(tmp_path / "home", facelign_home)
    folder = tmp_path / "work"
    folder.mkdir()
    cut = CUT if can_cut() else ()

    def run(*words: str) -> tuple[int, list[str]]:
        return traced(list(words), folder, env, *cut)

    if run("-c", "pass")[0]:
        pytest.skip("strace may not watch processes here")
    return run


@pytest.mark.weights
def test_no_command_connects_or_writes_elsewhere(
    watched: Callable[..., tuple[int, list[str]]],
    portraits: Path,
    tmp_path: Path,
    facelign_home: Path,
    pulled: Callable[..., object],
) -> None:
    pulled(*models.default().find("yunet"), *models.default().find("sface"))
    folder = tmp_path / "work"
    for words in commands(portraits):
        code, lines = watched("-m", "facelign", *words)
        assert code in (0, 1), (words, code)
        assert lines
        assert not [line for line in lines if _SOCKET.search(line)], words
        assert strays(lines, folder, (folder, facelign_home)) == set(), words
    assert list((tmp_path / "home").rglob("*")) == []
    assert (folder / "named.csv").is_file()


def test_facelign_first_then_the_engine(
    watched: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    code, lines = watched("-c", "import facelign, onnxruntime")
    assert code == 0
    assert strays(lines, tmp_path / "work", (tmp_path / "work",)) == set()


def test_what_connects_or_writes_is_seen(
    watched: Callable[..., tuple[int, list[str]]], tmp_path: Path
) -> None:
    """The negative control: the proof can fail, with a network and without."""
    script = "import pathlib, socket; pathlib.Path.home().joinpath('x').touch(); socket.socket()"
    _, lines = watched("-c", script)
    assert [line for line in lines if _SOCKET.search(line)]
    wanted = {str((tmp_path / "home" / "x").resolve())}
    assert strays(lines, tmp_path / "work", (tmp_path / "work",)) == wanted


@pytest.mark.weights
def test_commands_work_where_there_is_no_network(
    portraits: Path, tmp_path: Path, facelign_home: Path, pulled: Callable[..., object]
) -> None:
    """For machines without strace: with it, the first test runs these commands so."""
    if shutil.which("strace") is not None:
        pytest.skip("the commands run without a network where they are watched")
    if not can_cut():
        pytest.skip("networks cannot be cut off here")
    pulled(*models.default().find("yunet"), *models.default().find("sface"))
    env = environment(tmp_path / "home", facelign_home)
    for words in commands(portraits):
        done = subprocess.run(
            [*CUT, sys.executable, "-m", "facelign", *words], cwd=tmp_path, env=env, check=False
        )
        assert done.returncode in (0, 1), words
    assert list((tmp_path / "home").rglob("*")) == []
    assert (tmp_path / "named.csv").is_file()


def test_a_choice_of_the_users_own_stays(tmp_path: Path, facelign_home: Path) -> None:
    env = environment(tmp_path / "home", facelign_home) | {"ORT_DISABLE_TELEMETRY": "0"}
    script = "import facelign, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    told = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert told.stdout == "0\n"
