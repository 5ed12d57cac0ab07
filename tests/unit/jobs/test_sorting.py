"""Folders of people: safe names, and nobody's photos among another's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facelign.jobs.sorting import JOURNAL, Sorter, folder_of
from facelign.types.analysis import PhotoInfo


def seen(
    photo: Path, *people: str | None, digest: str = "ab" * 32
) -> tuple[PhotoInfo, tuple[str | None, ...]]:
    return PhotoInfo(str(photo), digest, (10, 10)), people


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"1")
    return path


def test_a_plain_name_is_the_folder() -> None:
    for name in ("Eileen", "Zoë Ångström", "脸", "A_B", "O'Neil"):
        assert folder_of(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(".", "..", "a/b", "../../x", "A\\b", ".hidden", "con", "NUL.txt", "x.", "a:b*?", " a"),
        *("unknown", "no-face", "脸" * 190, "x" * 250),
    ],
)
def test_other_names_stay_inside_and_are_marked(name: str) -> None:
    folder = folder_of(name)
    assert folder != name
    assert folder not in ("unknown", "no-face")
    assert Path(folder).name == folder
    assert not folder.startswith(".")
    assert len(folder.encode()) <= 255
    assert folder.split(".")[0].lower() not in ("con", "nul")


def test_two_people_never_share_a_folder() -> None:
    names = [
        "a/b",
        "a_b",
        "a:b",
        "a\\b",
        ".",
        "..",
        "_",
        "unknown",
        "unknown_",
        "脸" * 190,
        "脸" * 191,
    ]
    assert len({folder_of(name) for name in names}) == len(names)


def test_a_person_called_unknown_is_not_the_unknown(photo: Path, tmp_path: Path) -> None:
    with Sorter(tmp_path / "out") as sorter:
        assert sorter.place(*seen(photo, "unknown")) == [folder_of("unknown")]
        assert sorter.place(*seen(photo, None)) == ["unknown"]
        assert sorter.place(*seen(photo)) == ["no-face"]


def test_a_damaged_journal_costs_only_its_lines(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Sorter(out) as sorter:
        sorter.place(*seen(photo, "Ada"))
    with (out / JOURNAL).open("a", encoding="utf-8") as journal:
        journal.write('[1]\n"text"\n{"photo": 3}\n{"pho')
    other = tmp_path / "other.jpg"
    other.write_bytes(b"2")
    with Sorter(out) as sorter:
        assert sorter.done(photo)
        sorter.place(*seen(other, "Ada"))
    with Sorter(out) as sorter:
        assert sorter.done(other)
    assert json.loads((out / JOURNAL).read_text().splitlines()[0])["folders"] == ["Ada"]


def test_names_of_photos_may_be_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 240 + ".jpg")
    long.write_bytes(b"1")
    with Sorter(tmp_path / "out") as sorter:
        assert sorter.place(*seen(long, "Ada")) == ["Ada"]
    assert (tmp_path / "out" / "Ada" / long.name).read_bytes() == b"1"


@pytest.mark.parametrize("letter", ["x", "é"])
def test_photos_of_one_long_name_both_find_a_place(tmp_path: Path, letter: str) -> None:
    name = letter * (251 // len(letter.encode())) + ".jpg"
    with Sorter(tmp_path / "out") as sorter:
        for number in (b"1", b"2"):
            photo = tmp_path / number.decode() / name
            photo.parent.mkdir()
            photo.write_bytes(number)
            sorter.place(*seen(photo, "Ann", digest=number.decode() * 64))
    placed = [path.read_bytes() for path in (tmp_path / "out" / "Ann").iterdir()]
    assert sorted(placed) == [b"1", b"2"]
