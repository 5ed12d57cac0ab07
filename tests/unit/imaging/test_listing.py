"""Words of a command line become photos, and nothing gets lost on the way."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import ConfigError, InputError
from facelign.imaging.listing import clean_path, people_folders, photos
from facelign.imaging.read import read
from facelign.imaging.write import write


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with pictures of every kind of name, and other things."""
    pixels = np.full((6, 8, 3), 90, np.uint8)
    root = tmp_path / "photos"
    for name in ("b.jpg", "a.PNG", "deep/er/c.webp", "deep/d.jpeg", ".hidden.jpg", ".trash/e.jpg"):
        write(root / name, pixels)
    shutil.copy(root / "b.jpg", root / "no_suffix")
    (root / "notes.txt").write_text("no picture", encoding="utf-8")
    (root / "README").write_text("no picture", encoding="utf-8")
    return root


def names(found, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in found.files]


def test_a_folder(tree):
    found = photos([tree])
    assert names(found, tree) == ["a.PNG", "b.jpg", "deep/d.jpeg", "deep/er/c.webp", "no_suffix"]
    assert [(path.name, why) for path, why in found.skipped] == [
        ("README", "no picture"), ("notes.txt", "no picture"),
    ]  # fmt: skip
    assert found.missing == ()
    assert found.folders == (tree,)
    assert names(photos([tree], recursive=False), tree) == ["a.PNG", "b.jpg", "no_suffix"]


def test_raw_photos_and_films_are_named(tree):
    for name in ("IMG_1.NEF", "deep/IMG_2.dng", "clip.mp4"):
        (tree / name).write_bytes(b"whatever")
    found = photos([tree])
    assert len(found) == 5
    reasons = {path.name: why for path, why in found.skipped}
    assert reasons["IMG_1.NEF"] == reasons["IMG_2.dng"] == "a raw photo"
    assert reasons["clip.mp4"] == "a film"
    assert found.notes == (
        f"2 raw photos are not read: {tree / 'IMG_1.NEF'}, ...",
        f"a film is not read: {tree / 'clip.mp4'}",
    )
    (named,) = photos([tree / "IMG_1.NEF"]).files
    assert named.name == "IMG_1.NEF"
    people = people_folders(tree)
    assert [note.split(":")[0] for note in people.notes] == [
        "2 raw photos are not read",
        "a film is not read",
    ]


@pytest.mark.parametrize("word", ["https://example.org/a.jpg", " HTTP://x/y", "s3://bucket/a.jpg"])
def test_addresses_are_told_apart_from_paths(word):
    found = photos([word])
    assert not found.files
    ((said, why),) = found.missing
    assert said == word
    assert "is an address" in why


def test_a_dash_is_standard_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in photos(["-"]).files] == ["-"]


def test_files_are_always_taken_and_keep_their_order(tree):
    words = [str(tree / "notes.txt"), tree / "b.jpg", str(tree / "a.PNG")]
    assert names(photos(words), tree) == ["notes.txt", "b.jpg", "a.PNG"]


def test_a_photo_named_twice_is_taken_once(tree, monkeypatch):
    monkeypatch.chdir(tree)
    found = photos([tree / "b.jpg", "b.jpg", "./b.jpg", tree])
    assert names(found, tree)[0] == "b.jpg"
    assert len(found) == 5
    assert "3 photos were named twice" in found.notes[0]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.jpg", ["b.jpg"]),
        ("**/*.jp*g", ["b.jpg", "deep/d.jpeg"]),
        ("deep/**", ["deep/d.jpeg", "deep/er/c.webp"]),
        ("[ab].*", ["a.PNG", "b.jpg"]),
        ("*", ["a.PNG", "b.jpg", "deep/d.jpeg", "deep/er/c.webp", "no_suffix"]),
    ],
)
def test_patterns_that_the_shell_left_alone(tree, pattern, wanted):
    found = photos([str(tree / pattern)])
    assert names(found, tree) == wanted
    assert found.missing == ()


def test_a_name_with_brackets_is_a_name_first(tree):
    shutil.copy(tree / "b.jpg", tree / "[ab].jpg")
    assert names(photos([str(tree / "[ab].jpg")]), tree) == ["[ab].jpg"]


def test_what_means_nothing_is_missing(tree):
    empty = tree / "empty"
    empty.mkdir()
    found = photos([str(tree / "no.jpg"), str(tree / "*.tif"), empty, tree / "b.jpg"])
    assert names(found, tree) == ["b.jpg"]
    assert [word for word, _ in found.missing] == [
        str(tree / "no.jpg"), str(tree / "*.tif"), str(empty),
    ]  # fmt: skip
    assert all(why.endswith(".") for _, why in found.missing)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_links_in_a_circle_end(tree):
    (tree / "deep" / "up").symlink_to(tree, target_is_directory=True)
    (tree / "dangling.jpg").symlink_to(tree / "nowhere.jpg")
    found = photos([tree])
    assert sorted(path.name for path in found.files).count("b.jpg") == 1
    assert "dangling.jpg" in [path.name for path in found.files]  # read says why it fails
    assert any(str(tree / "deep" / "up") in note for note in found.notes)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_patterns_end_where_links_go_up(tree):
    plain = [path.relative_to(tree) for path in photos([str(tree / "**" / "*.jp*g")]).files]
    for place in ("deep/up", "deep/er/up", "self"):  # glob alone takes hours over these three
        (tree / place).symlink_to(tree, target_is_directory=True)
    found = photos([str(tree / "**" / "*.jp*g")])
    assert [path.relative_to(tree) for path in found.files] == plain
    assert sum("not followed" in note for note in found.notes) == 3


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links")
def test_a_link_up_is_no_photo_of_a_person(tmp_path):
    for name in ("Ann/a.png", "Bo/b.png"):
        write(tmp_path / name, np.full((6, 8, 3), 90, np.uint8))
    (tmp_path / "Ann" / "up").symlink_to(tmp_path, target_is_directory=True)
    found = people_folders(tmp_path)
    assert {who: len(files) for who, files in found.people.items()} == {"Ann": 1, "Bo": 1}
    assert "Ann/up is a link to a folder above it" in found.notes[0]


class TestPastedPaths:
    @pytest.mark.parametrize(
        "mark", [*"\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2069\ufeff"]
    )
    def test_marks_are_dropped_with_a_note(self, tree, mark):
        path = tree / "b.jpg"
        for text in (mark + str(path), str(path) + mark, mark + str(path) + mark):
            cleaned, note = clean_path(text)
            assert cleaned == path
            assert f"U+{ord(mark):04X}" in note
        assert photos([mark + str(path)]).files == (path,)
        assert clean_path(mark + str(tree / "none.jpg"))[0] == tree / "none.jpg"

    def test_a_path_that_exists_is_left_alone(self, tree):
        odd = tree / "\u200eodd 'name'.jpg"
        shutil.copy(tree / "b.jpg", odd)
        assert clean_path(str(odd)) == (odd, None)

    def test_quotes_spaces_addresses_and_backslashes(self, tree, monkeypatch):
        spaced = tree / "my photo é.jpg"
        shutil.copy(tree / "b.jpg", spaced)
        for text in (
            f'"{spaced}"', f"'{spaced}' ", f"\u201c{spaced}\u201d", spaced.as_uri(),
            str(spaced).replace(" ", "\\ "), f" {spaced}\n",
        ):  # fmt: skip
            cleaned, note = clean_path(text)
            assert cleaned == spaced
            assert note
            assert read(text).size == (8, 6)
        monkeypatch.chdir(tree)
        assert clean_path("deep\\er\\c.webp")[0] == Path("deep/er/c.webp")
        monkeypatch.setenv("HOME", str(tree))
        monkeypatch.setenv("USERPROFILE", str(tree))
        assert clean_path("~/b.jpg")[0] == tree / "b.jpg"

    def test_the_other_unicode_form(self, tree):
        stored = tree / unicodedata.normalize("NFD", "Zoë 한국.jpg")
        shutil.copy(tree / "b.jpg", stored)
        typed = str(tree / unicodedata.normalize("NFC", "Zoë 한국.jpg"))
        assert clean_path(typed)[0].exists()

    @pytest.mark.parametrize(
        "text", ["", "a\0b", "x" * 9000, "~nobody-of-this-name/x.jpg", "file://"]
    )
    def test_nonsense_is_no_crash(self, text):
        assert isinstance(clean_path(text)[0], Path)


def test_people(tmp_path):
    pixels = np.full((6, 8, 3), 90, np.uint8)
    for name in ("Zoë/1.png", "Zoë/2020/2.png", "Ann/a.png", "loose.png", ".git/x.png"):
        write(tmp_path / name, pixels)
    (tmp_path / "Nobody").mkdir()
    (tmp_path / "Ann" / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "list.csv").write_text("x", encoding="utf-8")
    found = people_folders(str(tmp_path))
    assert {who: [p.name for p in files] for who, files in found.people.items()} == {
        "Ann": ["a.png"], "Zoë": ["1.png", "2.png"],
    }  # fmt: skip
    assert [path.name for path in found.loose] == ["loose.png"]
    assert [path.name for path, _ in found.skipped] == ["notes.txt", "list.csv"]
    assert found.empty == ("Nobody",)


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "@EADIR", "#recycle", "@__thumb", "$RECYCLE.BIN", "lost+found", "__MACOSX"],
)
def test_folders_of_servers_and_systems_are_passed_over(tmp_path, name):
    pixels = np.full((6, 8, 3), 90, np.uint8)
    for place in (f"{name}/1.png", f"Ann/{name}/a.png/thumb.png", "Ann/a.png", "@ann/b.png"):
        write(tmp_path / place, pixels)
    assert {path.name for path in photos([tmp_path]).files} == {"a.png", "b.png"}
    assert {path.name for path in photos([str(tmp_path / "**")]).files} == {"a.png", "b.png"}
    found = people_folders(tmp_path)
    assert list(found.people) == ["@ann", "Ann"]
    assert found.empty == ()
    asked = photos([tmp_path / name])  # who names it means it
    assert [path.name for path in asked.files] == ["1.png"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_to_itself_stops_nothing(tree):
    before = len(photos([tree]))
    (tree / "loop.jpg").symlink_to("loop.jpg")
    (tree / "ring").symlink_to("ring")
    assert len(photos([tree])) == before + 1  # a file of that suffix; reading it says what it is
    assert people_folders(tree).people
    with pytest.raises(InputError, match="cannot be opened"):
        read(tree / "loop.jpg")


def test_an_empty_word_is_not_the_folder_one_is_in(tree, monkeypatch):
    monkeypatch.chdir(tree)
    found = photos(["", "b.jpg"])
    assert [path.name for path in found.files] == ["b.jpg"]
    assert found.missing == (("", "An empty word names no photo."),)
    assert len(photos(["."])) > 1


@pytest.mark.shared
def test_real_folders(recognition):
    assert len(photos([recognition / "lfw_100"])) == 100
    people = people_folders(recognition / "lfw_100" / "images").people
    assert len(people) == 10
    assert {len(files) for files in people.values()} == {10}
    odd = photos([recognition / "odd_images"])
    assert len(odd) == 64
    assert [path.name for path, _ in odd.skipped] == ["manifest.csv"]


@pytest.fixture
def album(tmp_path):
    """Photos, and a folder of results among them."""
    for name in ("a.jpg", "2020/b.jpg", "out/a.jpg", "out/deep/b.jpg", "out/t.csv"):
        (tmp_path / "album" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "album" / name).write_bytes(b"x")
    return tmp_path / "album"


@pytest.mark.parametrize("words", [["."], ["**/*.jpg"], ["*.jpg", "*/*.jpg"], ["*"]])
def test_results_among_the_photos_are_left_out(album, monkeypatch, words):
    found = photos([str(album / word) for word in words], results=album / "out")
    assert sorted(names(found, album)) == ["2020/b.jpg", "a.jpg"]
    assert found.missing == ()
    assert any("results is left out" in note for note in found.notes)
    monkeypatch.chdir(album.parent)
    link = album.parent / "link"
    link.symlink_to(album / "out")
    found = photos([f"album/{word}" for word in words], results=link)
    assert len(found) == 2, "by whatever path or link both are named"


def test_sorted_copies_are_no_photos_of_the_folders_around_them(album):
    from facelign.jobs.sorting import Sorter
    from facelign.types.analysis import PhotoInfo

    with Sorter(album / "out") as sorter:
        for number, who in enumerate((["Ada"], [None], [])):
            photo = album / f"{number}.jpg"
            photo.write_bytes(bytes([number]))
            sorter.place(PhotoInfo(str(photo), "ab" * 32, (9, 9)), who)
    own = ["0.jpg", "1.jpg", "2.jpg", "2020/b.jpg", "a.jpg", "out/a.jpg", "out/deep/b.jpg"]
    for words in ([album], [album / "**" / "*.jpg"]):
        found = photos([str(word) for word in words])
        assert sorted(names(found, album)) == own, "photos that lay there before are seen"
        assert any("left out" in note for note in found.notes)
    assert "out/Ada/0.jpg" in names(photos([album / "out"]), album), "asked for by name"
    assert names(photos([album / "out" / "unknown"]), album) == ["out/unknown/1.jpg"]
    people = people_folders(album).people
    assert [path.name for path in people["out"]] == ["a.jpg", "b.jpg"]
    assert "Ada" in people_folders(album / "out").people


def test_results_are_read_where_they_are_asked_for(album):
    everything = ["out/a.jpg", "out/deep/b.jpg"]
    assert names(photos([album / "out" / "deep"], results=album / "out"), album) == everything[1:]
    assert names(photos([str(album / "out" / "*.jpg")], results=album / "out"), album) == [
        "out/a.jpg"
    ]
    assert names(photos([album / "out" / "a.jpg"], results=album / "out"), album) == ["out/a.jpg"]
    assert len(photos([album], results=album / "new")) == 4, "nothing is there yet"


def test_results_in_the_very_folder_of_the_photos_are_refused(album):
    with pytest.raises(ConfigError, match="Name another folder"):
        photos([album], results=album)
