"""Claims on results: one process at a time, and none for ever."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facelign.jobs.claims import STALE_S, Claims, fitting, lock_of, sweep


def test_a_claim_keeps_others_out_until_it_is_let_go(tmp_path: Path) -> None:
    job = (tmp_path / "deep" / "a.png", "a.jpg")
    assert Claims().claim(job)
    assert not Claims().claim(job)
    Claims().release(job)
    assert Claims().claim(job)


def test_a_result_that_stands_is_not_made_again(tmp_path: Path) -> None:
    job = (tmp_path / "a.png", "a.jpg")
    job[0].write_bytes(b"1")
    assert not Claims().claim(job)
    assert not lock_of(job[0]).exists()


def test_the_claim_of_a_process_that_is_gone_counts_for_nothing(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], **_TEXT)
    job = (tmp_path / "a.png", "a.jpg")
    lock_of(job[0]).write_text(f"{socket.gethostname()} {gone.stdout.strip()}")
    assert Claims().claim(job)


@pytest.mark.parametrize("words", ["elsewhere 1", "", "one two three"])
def test_the_claim_of_another_machine_counts_until_it_is_silent(tmp_path: Path, words: str) -> None:
    job = (tmp_path / "a.png", "a.jpg")
    lock = lock_of(job[0])
    lock.write_text(words)
    assert not Claims().claim(job)
    long_ago = time.time() - STALE_S - 60
    os.utime(lock, (long_ago, long_ago))
    assert Claims().claim(job)


def test_names_stay_as_they_are_where_they_fit(tmp_path: Path) -> None:
    assert fitting(tmp_path / "a.png") == tmp_path / "a.png"
    long = fitting(tmp_path / ("x" * 300 + ".png"))
    assert len(long.name) <= 255
    assert long.suffix == ".png"


_TEXT = {"capture_output": True, "text": True, "check": True}


def test_claims_of_ended_processes_are_swept_and_those_of_others_stay(tmp_path: Path) -> None:
    dead, living = tmp_path / "a.png", tmp_path / "b" / "b.png"
    code = "import sys, pathlib; from facelign.jobs.claims import Claims\n"
    code += "Claims().claim((pathlib.Path(sys.argv[1]), ''))"
    subprocess.run([sys.executable, "-c", code, str(dead)], check=True)
    assert Claims().claim((living, ""))
    kept = tmp_path / ".mine.lock"
    kept.write_text("a file of a user's")
    assert lock_of(dead).exists()
    sweep([dead, living])
    assert not lock_of(dead).exists()
    assert lock_of(living).exists()
    assert kept.exists()


def test_a_process_that_is_killed_while_it_claims_leaves_no_claim(tmp_path: Path) -> None:
    """A lock without a word could be taken away by nobody for ten minutes."""
    result = tmp_path / "a.png"
    code = "import os, sys, pathlib; from facelign.jobs.claims import Claims\n"
    code += "os.link = lambda *_: os._exit(9)\n"
    code += "Claims().claim((pathlib.Path(sys.argv[1]), ''))"
    assert subprocess.run([sys.executable, "-c", code, str(result)], check=False).returncode == 9
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    sweep([result])
    assert list(tmp_path.iterdir()) == []
    assert Claims().claim((result, ""))


def test_a_file_system_without_hard_links_has_claims_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    job = (tmp_path / "a.png", "a.jpg")
    assert Claims().claim(job)
    assert not Claims().claim(job)
    Claims().release(job)
    assert list(tmp_path.iterdir()) == []
