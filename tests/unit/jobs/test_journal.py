"""What a journal remembers between two runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from facelign.jobs.journal import Journal


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"1")
    return path


def test_a_photo_is_done_until_its_file_changes(tmp_path: Path, photo: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        assert journal.claim(photo)
        journal.write(photo, ["Ada"])
        journal.release(photo)
    with Journal(path) as journal:
        assert not journal.claim(photo)
        assert not journal.claim(str(photo))
    photo.write_bytes(b"22")
    with Journal(path) as journal:
        assert journal.claim(photo)
    photo.write_bytes(b"1")
    os.utime(photo, (1, 1))
    with Journal(path) as journal:
        assert journal.claim(photo), "same bytes, another time: looked at again"


def test_each_line_is_on_disk_when_it_is_written(tmp_path: Path, photo: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.write(photo, ["Ada", "Bob"])
        salt, line = path.read_text().splitlines()
        assert "salt" in salt
        assert len(json.loads(line)["folders"]) == 2
    with Journal(path) as journal:
        assert journal.among(photo, ["Bob", "Cyd", "Ada"]) == ["Bob", "Ada"]


def test_a_line_that_was_cut_is_no_entry_and_harms_no_later_one(
    tmp_path: Path, photo: Path
) -> None:
    path = tmp_path / "journal"
    path.write_text('{"photo": "x", "fold')
    with Journal(path) as journal:
        journal.write(photo, ["Ada"])
    with Journal(path) as journal:
        assert not journal.claim(photo)


def test_a_photo_that_is_not_there_is_known_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.write("gone.jpg", [])
    with Journal(path) as journal:
        assert not journal.claim("gone.jpg")
        assert journal.claim("other.jpg")


@pytest.mark.skipif(os.name == "nt", reason="files have no mode")
def test_only_its_owner_may_read_whose_photos_these_are(tmp_path: Path, photo: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.write(photo, ["Ada"])
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600
