"""Presentations from folders and from a list: species, subject, device."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as Pillow

from facelign.datasets.presentations import Presentation, read_presentations
from facelign.errors import DatasetMalformed, DatasetMissing


def photo(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", (8, 8)).save(place)
    return place


def test_folders_say_species_subject_and_device(tmp_path: Path) -> None:
    real = photo(tmp_path / "bona-fide/Ann/phone/1.png")
    bare = photo(tmp_path / "bona-fide/Bo/1.png")
    printed = photo(tmp_path / "attack/print/Ann/phone/1.png")
    shown = photo(tmp_path / "attack/screen/Bo/phone/night/1.png")
    photo(tmp_path / "attack/print/loose.png")
    photo(tmp_path / "elsewhere/Ann/1.png")
    (tmp_path / "bona-fide/Ann/notes.txt").write_text("rain")
    found = read_presentations(tmp_path)
    assert found.name == tmp_path.name
    assert set(found.shown) == {
        Presentation(real, "", "Ann", "phone"),
        Presentation(bare, "", "Bo", ""),
        Presentation(printed, "print", "Ann", "phone"),
        Presentation(shown, "screen", "Bo", "phone/night"),
    }
    assert {path.name for path, _ in found.skipped} == {"notes.txt", "loose.png", "elsewhere"}


def test_a_list_wins_over_folders(tmp_path: Path) -> None:
    one, two = photo(tmp_path / "x/1.png"), photo(tmp_path / "x/2.png")
    photo(tmp_path / "bona-fide/Ann/1.png")
    (tmp_path / "presentations.csv").write_text(
        "file,species,subject,device,light\nx/1.png,bona-fide,Ann,webcam,dim\n\n"
        "x/2.png,Print,Ann,,\nx/3.png,print,Ann,,\n",
        encoding="utf-8-sig",
    )
    found = read_presentations(tmp_path)
    assert found.shown == (
        Presentation(one, "", "Ann", "webcam"),
        Presentation(two, "Print", "Ann", ""),
    )
    assert found.skipped == ((tmp_path / "x/3.png", "is not there"),)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,species\nx/1.png,print\n", "line 1: no column subject"),
        ("", "line 1: no column file"),
        ("file,species,subject\nx/1.png,print\n", "line 2: no file, no species or no subject"),
        ("file,species,subject\nx/1.png,,Ann\n", "line 2: no file, no species or no subject"),
        ("file,species,subject\nx/1.png,print,Ann\nx/1.png,bona-fide,Ann\n", "line 3: .* before"),
    ],
)
def test_a_list_that_says_too_little_is_refused(tmp_path: Path, text: str, why: str) -> None:
    photo(tmp_path / "x/1.png")
    (tmp_path / "presentations.csv").write_text(text)
    with pytest.raises(DatasetMalformed, match=why):
        read_presentations(tmp_path)


def test_a_folder_without_presentations_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="There is no folder"):
        read_presentations(tmp_path / "none")
    photo(tmp_path / "Ann/1.png")
    with pytest.raises(DatasetMissing, match="holds no presentation") as caught:
        read_presentations(tmp_path)
    assert "bona-fide/SUBJECT and attack/TYPE/SUBJECT" in caught.value.hint
