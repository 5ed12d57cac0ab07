"""A photo that a shell hands over (``-``, /dev/stdin, <(...)) is a photo in every command."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(os.name == "nt", reason="/dev/stdin and pipes of shells are POSIX"),
]

Given = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def given(portraits: Path, tmp_path: Path) -> Given:
    """Run a command with a photo as its standard input, in a folder that knows Eileen."""

    def run(*words: str, photo: Path | None = None) -> subprocess.CompletedProcess[str]:
        data = (photo or portraits / "people" / "Eileen" / "two.jpg").read_bytes()
        done = subprocess.run(
            [sys.executable, "-m", "facelign", *words],
            input=data, capture_output=True, check=False, timeout=300, cwd=tmp_path,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    assert run("enroll", str(portraits / "people"), "--gallery", "g.db").returncode == 0
    return run


@pytest.mark.parametrize("word", ["-", "/dev/stdin"])
def test_sort_keeps_a_photo_that_has_no_place(
    given: Given, portraits: Path, tmp_path: Path, word: str
) -> None:
    done = given("sort", word, "sorted", "--gallery", "g.db")
    assert done.returncode == 0, done.stderr
    assert ": Eileen" in done.stdout.splitlines()[0]
    assert "sorted" not in done.stdout
    other = portraits / "probes" / "mirrored.jpg"
    assert given("sort", word, "sorted", "--gallery", "g.db", photo=other).returncode == 0
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    files = sorted(p.name for p in (tmp_path / "sorted").rglob("*") if p.is_file())
    assert files == [".facelign-sort.jsonl", f"stdin-{digest[:8]}.jpg", "stdin.jpg"]
    assert [p.name for p in (tmp_path / "sorted").iterdir() if p.is_dir()] == ["Eileen"]
    refused = given("sort", word, "sorted", "--gallery", "g.db", "--link")
    assert refused.returncode == 2


def test_sort_says_what_is_no_photo(given: Given, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no photo")
    done = given("sort", "-", "sorted", "--gallery", "g.db", photo=text)
    assert done.returncode == 3
    assert "<standard input> is text, no picture" in done.stderr
    assert ".folder" not in done.stderr


def test_a_pipe_of_a_shell_is_sorted(given: Given, portraits: Path, tmp_path: Path) -> None:
    photo = portraits / "people" / "Eileen" / "two.jpg"
    reader, writer = os.pipe()
    done = subprocess.Popen(
        [sys.executable, "-m", "facelign", "sort", f"/dev/fd/{reader}", "sorted",
         "--gallery", "g.db"],
        pass_fds=(reader,), cwd=tmp_path, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(reader)
    with open(writer, "wb") as pipe:  # noqa: PTH123 - of a handle
        pipe.write(photo.read_bytes())
    assert done.wait(timeout=300) == 0
    (copy,) = (tmp_path / "sorted" / "Eileen").iterdir()
    assert copy.name == f"stdin-{reader}.jpg"
    assert copy.read_bytes() == photo.read_bytes()


def test_pictures_of_it_have_a_name(given: Given, tmp_path: Path) -> None:
    assert given("align", "-", "faces").returncode == 0
    assert given("detect", "-", "--draw", "drawn").returncode == 0
    made = sorted(
        p.relative_to(tmp_path) for d in ("faces", "drawn") for p in (tmp_path / d).glob("[!.]*")
    )
    assert list(map(str, made)) == ["drawn/stdin.jpg", "faces/stdin.png"]
    with Pillow.open(tmp_path / "faces" / "stdin.png") as chip:
        assert chip.size == (112, 112)


def test_it_is_enrolled_rejected_and_never_a_name(given: Given) -> None:
    done = given("enroll", "-", "--flat", "--gallery", "h.db")
    assert done.returncode == 3
    assert "no file name" in done.stderr
    assert given("enroll", "-", "--name", "Ann", "--gallery", "h.db").returncode == 0
    assert given("identify", "-", "--gallery", "h.db").stdout.splitlines()[1].startswith("    Ann ")
    assert given("people", "reject", "Ann", "-", "--gallery", "h.db").returncode == 0
    assert "Unknown" in given("identify", "-", "--gallery", "h.db").stdout
