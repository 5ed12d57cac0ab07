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
        assert sorter.place(*seen(photo, "unknown")).folders == (folder_of("unknown"),)
        assert sorter.place(*seen(photo, None)).folders == ("unknown",)
        assert sorter.place(*seen(photo)).folders == ("no-face",)


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
    assert not {"Ada", "photo.jpg"} & set((out / JOURNAL).read_text().split('"'))


def test_names_of_photos_may_be_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 240 + ".jpg")
    long.write_bytes(b"1")
    with Sorter(tmp_path / "out") as sorter:
        assert sorter.place(*seen(long, "Ada")).folders == ("Ada",)
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


def placed(out: Path) -> list[str]:
    files = (path for path in out.rglob("*") if path.name != JOURNAL and not path.is_dir())
    return sorted(str(path.relative_to(out)) for path in files)


@pytest.mark.parametrize("link", [False, True])
def test_a_copy_moves_when_its_photo_gets_another_name(
    photo: Path, tmp_path: Path, link: bool
) -> None:
    out = tmp_path / "out"
    with Sorter(out, link=link, naming="1") as sorter:
        assert not sorter.known(photo)
        sorter.place(*seen(photo, None))
    with Sorter(out, link=link, naming="1") as sorter:
        assert sorter.done(photo)
    with Sorter(out, link=link, naming="2") as sorter:
        assert sorter.known(photo)
        assert not sorter.done(photo)
        found = sorter.place(*seen(photo, "Ada", "Bob"))
        assert (found.folders, found.left) == (("Ada", "Bob"), ("unknown",))
    assert placed(out) == ["Ada/photo.jpg", "Bob/photo.jpg"]
    assert not (out / "unknown").exists(), "an empty folder goes too"
    with Sorter(out, link=link, naming="3") as sorter:
        assert sorter.place(*seen(photo, "Ada", None)).left == ("Bob",)
    assert placed(out) == ["Ada/photo.jpg"]
    assert photo.read_bytes() == b"1"


def test_a_photo_without_a_face_waits_for_no_gallery(photo: Path, tmp_path: Path) -> None:
    for looking, naming, done in (("a", "1", False), ("a", "2", True), ("b", "2", False)):
        with Sorter(tmp_path / "out", looking=looking, naming=naming) as sorter:
            assert sorter.done(photo) is done
            sorter.place(*seen(photo))
    with Sorter(tmp_path / "out", looking="b", naming="2", again=True) as sorter:
        assert not sorter.done(photo), "asked for again"


def test_only_copies_of_a_photo_are_taken_away(tmp_path: Path) -> None:
    out = tmp_path / "out"
    photos = []
    for folder in (b"1", b"2"):
        photo = tmp_path / folder.decode() / "photo.jpg"
        photo.parent.mkdir()
        photo.write_bytes(folder)
        photos.append(photo)
    with Sorter(out, naming="1") as sorter:
        for photo, digest in zip(photos, ("a" * 64, "b" * 64), strict=True):
            sorter.place(*seen(photo, None, digest=digest))
    assert placed(out) == ["unknown/photo-bbbbbbbb.jpg", "unknown/photo.jpg"]
    (out / "unknown" / "photo.jpg").write_bytes(b"changed by hand")
    with Sorter(out, naming="2") as sorter:
        for photo, digest in zip(photos, ("a" * 64, "b" * 64), strict=True):
            sorter.place(*seen(photo, "Ada", digest=digest))
    assert placed(out) == ["Ada/photo-bbbbbbbb.jpg", "Ada/photo.jpg", "unknown/photo.jpg"]
    assert (out / "unknown" / "photo.jpg").read_bytes() == b"changed by hand"


@pytest.mark.parametrize("link", [False, True])
def test_a_photo_in_the_target_itself_is_never_taken_away(tmp_path: Path, link: bool) -> None:
    photo = tmp_path / "unknown" / "photo.jpg"
    photo.parent.mkdir()
    photo.write_bytes(b"1")
    with Sorter(tmp_path, naming="1", link=link) as sorter:
        sorter.place(*seen(photo, None))
    with Sorter(tmp_path, naming="2", link=link) as sorter:
        assert sorter.place(*seen(photo, "Ada")).left == ()
    assert photo.read_bytes() == b"1"
    assert not photo.is_symlink()


def test_copies_of_a_run_that_was_killed_are_known_to_the_next(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Sorter(out, naming="1") as sorter:
        sorter.place(*seen(photo, None))
    lines = (out / JOURNAL).read_text().splitlines()
    (out / JOURNAL).write_text(
        "\n".join(lines[:2]) + "\n"
    )  # killed before the photo was written down
    with Sorter(out, naming="1") as sorter:
        assert not sorter.done(photo)
        sorter.place(*seen(photo, "Ada"))
    assert placed(out) == ["Ada/photo.jpg"]


def old_journal(out: Path, photo: Path, *folders: str) -> None:
    """A journal as it was written before: with names."""
    state = photo.stat()
    key = f"{photo.resolve()}|{state.st_size}|{state.st_mtime_ns}"
    entry = {"photo": key, "folders": folders, "state": "; 1"}
    (out / JOURNAL).write_text(json.dumps(entry) + "\n")


def test_a_journal_never_leads_out_of_the_target(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Sorter(out, naming="1") as sorter:
        sorter.place(*seen(photo, None))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "photo.jpg").write_bytes(b"1")
    old_journal(out, photo, "../kept", "unknown")
    with Sorter(out, naming="2") as sorter:
        assert sorter.place(*seen(photo, "Ada")).left == ("unknown",)
    assert (tmp_path / "kept" / "photo.jpg").exists()


def test_no_name_is_left_in_the_folder_when_a_persons_own_is_gone(
    photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    album = tmp_path / "Otto" / "photo.jpg"
    album.parent.mkdir()
    album.write_bytes(b"1")
    with Sorter(out, looking="of otto.db", naming="Otto") as sorter:
        sorter.place(*seen(album, "Otto", None))
    assert "otto" not in (out / JOURNAL).read_text().lower()
    with Sorter(out, naming="2") as sorter:  # as after her removal
        assert sorter.place(*seen(album, None)).left == ("Otto",)
    assert placed(out) == ["unknown/photo.jpg"]


def test_a_journal_with_names_is_written_anew_without_them(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "Ada").mkdir(parents=True)
    (out / "Ada" / "photo.jpg").write_bytes(b"1")
    old_journal(out, photo, "Ada")
    with Sorter(out, naming="1") as sorter:
        assert sorter.done(photo), "and goes on being known"
    assert "Ada" not in (out / JOURNAL).read_text()
    with Sorter(out, naming="2") as sorter:
        assert sorter.place(*seen(photo, None)).left == ("Ada",)


def test_what_stays_where_it_was_is_told_apart(photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    moved = []
    for naming, who in (("1", "Ada"), ("2", "Ada"), ("3", None), ("4", None)):
        with Sorter(out, naming=naming) as sorter:
            moved.append(sorter.place(*seen(photo, who)).moved)
    (out / "unknown" / "photo.jpg").unlink()
    with Sorter(out, naming="5") as sorter:
        moved.append(sorter.place(*seen(photo, None)).moved)
    assert moved == [True, False, True, False, True]
