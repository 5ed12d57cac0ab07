"""How a run ends: closed streams, full disks, interruptions, strange names, senseless numbers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from facelign.cli import output
from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.gallery.gallery import Gallery
from facelign.wire import records, tables
from facelign.wire.tables import FaceTable

if TYPE_CHECKING:
    from collections.abc import Sequence

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals, /dev/full and such names are POSIX")


def ran(words: Sequence[object], **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "facelign", *map(str, words)],
        capture_output="stdout" not in more,
        text=True,
        check=False,
        timeout=120,
        **more,
    )


@POSIX
def test_a_full_disk_is_no_bug() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = ran(["models", "list"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == Exit.INPUT
    assert "No space left" in done.stderr
    assert "bug" not in done.stderr
    assert "Exception ignored" not in done.stderr


@POSIX
def test_a_closed_standard_output_is_no_bug() -> None:
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m facelign models list >&-"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


@POSIX
def test_a_reader_that_goes_away_is_no_answer() -> None:
    """``facelign ... | head`` must not end with 1, which says no, nor with 0: all was not read."""
    reader, writer = os.pipe()
    os.close(reader)
    done = ran(["models", "list"], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.PIPE, "")


@POSIX
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("early", [True, False], ids=["while it loads", "while it works"])
def test_an_interruption_gives_130_and_a_sentence(early: bool, tmp_path: Path) -> None:
    place = "facelign.cli.app" if early else "facelign.cli.models"
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, os, signal\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {place!r}:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = ran(["models", "list"], env=environment)
    assert done.returncode == Exit.INTERRUPTED
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_inside_a_command_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from facelign.models.weights.store import Store

    def interrupted(*_: object) -> bool:
        signal.raise_signal(signal.SIGINT)
        return True

    monkeypatch.setattr(Store, "present", interrupted)
    assert run(["models", "list"]) == Exit.INTERRUPTED
    assert "what was done is kept" in capsys.readouterr().err


def test_a_folder_without_rights_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(OSError, match=r"file"), FaceTable(taken / "out.csv"):
        pass
    assert run(["people", "list", "--gallery", str(tmp_path)]) == Exit.GALLERY
    assert "is a folder" in capsys.readouterr().err


def test_terminals_get_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    output.line("a\x1b[31m\nb\u202ec\td")
    assert capsys.readouterr().out == "a\\x1b[31m\\nb\\u202ec\td\n"


@POSIX
def test_names_that_are_no_text_come_out_as_json_and_csv(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.jpg")
    code = f"from facelign.cli import output; output.prepare(); output.emit({{'image': {name!r}}})"
    for encoding in ("utf-8:strict", "ascii:strict"):
        done = subprocess.run(
            [sys.executable, "-c", code.replace("emit({", "emit({'who': '\u8138\xeb', ")],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert json.loads(done.stdout) == {"who": "脸ë", "image": name}
    with FaceTable(tmp_path / "t.csv") as table:
        table.add(records.failure(name, _error()))
    assert "\\udcff.jpg" in (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert "\\udcff.jpg" in (tmp_path / "t.failures.csv").read_text(encoding="utf-8")


def _error() -> Any:
    from facelign.errors import UnreadableImage

    return UnreadableImage("It is damaged.")


def test_a_reason_that_names_the_photo_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    output.failure("a.jpg", "a.jpg is empty.")
    output.failure("b.jpg", "too small")
    assert capsys.readouterr().err == "a.jpg is empty.\nb.jpg: too small\n"


def test_a_table_of_vectors_holds_vectors(tmp_path: Path) -> None:
    import csv

    face = {"box": [1, 2, 3, 4], "score": 0.9, "height": 2, "embedding": [0.25, -1.5]}
    with FaceTable(tmp_path / "t.csv") as table:
        table.add({"image": "a.jpg", "faces": [face], "error": None})
    with (tmp_path / "t.csv").open(encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert json.loads(row["embedding"]) == [0.25, -1.5]


def test_an_enrollment_without_people_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["enroll", str(tmp_path), "--gallery", str(tmp_path / "g.db")]) == Exit.USAGE
    assert "--name" in capsys.readouterr().err
    assert not (tmp_path / "g.db").exists()


def test_a_split_says_what_goes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["people", "split", "Ada", "--to", "Eve"]) == Exit.USAGE
    assert "--photos" in capsys.readouterr().err


def test_a_preset_is_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "show", "default"]) == Exit.MODEL
    assert "Its models: yunet, sface-int8." in capsys.readouterr().err


def test_every_absent_model_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path))
    assert run(["verify", "a.jpg", "b.jpg"]) == Exit.MODEL
    assert "Run: facelign models pull yunet sface-int8\n" in capsys.readouterr().err
    assert run(["detect", "a.jpg"]) == Exit.MODEL
    assert "Run: facelign models pull yunet\n" in capsys.readouterr().err
    assert run(["doctor"]) == Exit.MODEL


def test_a_model_whose_extra_is_absent_is_not_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: None if name == "dlib" else find(name)
    )
    assert run(["models", "list", "--json"]) == Exit.DONE
    rows = {row["id"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["hog"]["present"] is False


@pytest.mark.weights
@pytest.mark.parametrize(
    "words",
    ["--fmr 0", "--fmr -1", "--fmr nan", "--fmr 2", "--threshold nan", "--threshold inf"],
)
def test_senseless_numbers_are_usage_errors(words: str, preset_is_here: None) -> None:
    assert run(["verify", "a.jpg", "b.jpg", *words.split()]) == Exit.USAGE


@pytest.mark.weights
@pytest.mark.parametrize("words", ["--fpir 0", "--fpir nan", "--min-height nan", "--threshold nan"])
def test_senseless_numbers_of_a_search(words: str, preset_is_here: None) -> None:
    assert run(["identify", "a.jpg", *words.split()]) == Exit.USAGE


@pytest.mark.weights
def test_an_empty_word_names_no_photo(
    preset_is_here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unset variable of a shell must not walk through the folder one is in."""
    assert run(["detect", ""]) == Exit.INPUT
    assert "names no photo" in capsys.readouterr().err


@pytest.fixture
def preset_is_here(pulled: Any) -> None:
    from facelign import models as models

    pulled(*(models.default().find(name)[0] for name in ("yunet", "sface-int8")))


@pytest.mark.weights
def test_no_picture_is_written_over_a_photo(
    portrait: Any, preset_is_here: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from facelign.imaging.write import write

    photo = write(tmp_path / "album" / "one.jpg", portrait.pixels)
    before, album = photo.read_bytes(), str(photo.parent)
    for words in (
        ["detect", str(photo), "--draw", str(photo)],
        ["detect", album, "--draw", album],
        ["embed", album, "--draw", album],
        ["verify", str(photo), str(photo), "--draw", str(photo)],
        ["align", str(photo), str(photo)],
    ):
        assert run(words) == Exit.USAGE, words
        told = capsys.readouterr().err
        # the photo where it is the target, the folder where results would lie among the photos
        assert str(photo) in told or f"among the photos of {album}" in told.replace("\n", " ")
        assert photo.read_bytes() == before
    assert [p.name for p in photo.parent.iterdir()] == ["one.jpg"]
    link = tmp_path / "link.jpg"
    link.hardlink_to(photo)
    assert run(["detect", str(photo), "--draw", str(link)]) == Exit.USAGE


@pytest.mark.weights
def test_a_demo_leaves_galleries_of_others_alone(
    preset_is_here: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [tmp_path / name for name in ("gallery.db", "gallery.db.calibration.json")]
    for path in kept:
        path.write_text("mine")
    assert run(["demo", "--photos", str(tmp_path / "none"), "--out", str(tmp_path)]) == Exit.INPUT
    assert run(["demo", "--out", str(tmp_path)]) == Exit.DONE
    capsys.readouterr()
    assert run(["demo", "--out", str(tmp_path), "--json"]) == Exit.DONE
    *photos, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert any(face["person"] for photo in photos for face in photo["faces"])
    assert last == {"page": str(tmp_path / "index.html")}
    assert [path.read_text() for path in kept] == ["mine", "mine"]


@POSIX
def test_a_table_that_a_full_disk_refuses_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = {".csv": lambda part, _: part.touch() or tables.Csv(Path("/dev/full"))}
    monkeypatch.setattr(tables, "FORMATS", full)
    with pytest.raises(OSError, match="No space left"), FaceTable(tmp_path / "t.csv") as table:
        table.add({"image": "a.jpg", "faces": [], "error": None})
    assert list(tmp_path.iterdir()) == []


@POSIX
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="root reads everything")
def test_a_gallery_without_rights_cannot_be_used(tmp_path: Path) -> None:
    gallery = tmp_path / "g.db"
    gallery.write_bytes(b"")
    gallery.chmod(0)
    bare = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*bare, sys.executable, "-m", "facelign", "people", "list", "--gallery", str(gallery)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == Exit.GALLERY
    assert "g.db" in done.stderr


def test_an_export_says_what_is_wrong_by_its_status(tmp_path: Path) -> None:
    gallery = tmp_path / "g.db"
    Gallery.open(gallery).close()
    words = ["people", "export", "--gallery", str(gallery)]
    assert run([*words, str(tmp_path / "x.txt")]) == Exit.USAGE
    assert run([*words, str(tmp_path / "x.npz")]) == Exit.GALLERY  # nobody is enrolled
