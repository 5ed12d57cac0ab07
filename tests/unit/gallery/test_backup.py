"""A copy of a gallery: whole, private, consistent while others write, and reached by removals."""

from __future__ import annotations

import os
import shutil
import threading

import pytest

from facelign.errors import GalleryCorrupt, GalleryError, InputError
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.memory import MemoryStore


@pytest.fixture
def filled(gallery, make):
    for i in range(12):
        make.put(gallery, ("Ada", "Bob", "Zoë")[i % 3], i)
    return gallery


def people(path):
    with Gallery.open(path, create=False, readonly=True) as gallery:
        return {p.name: p.templates for p in gallery.people()}


def vectors(make, *numbers):
    return [make.vectors(1, i).vectors.tobytes() for i in numbers]


def test_a_copy_is_the_gallery(filled, path, make):
    copy = path.with_name("copy.db")
    before = set(path.parent.iterdir())
    assert filled.backup(copy).sound
    assert set(path.parent.iterdir()) - before == {copy}
    assert people(copy) == people(path) == {"Ada": 4, "Bob": 4, "Zoë": 4}
    with Gallery.open(copy, readonly=True) as other:
        assert other.search(make.vectors(1, 4)) == filled.search(make.vectors(1, 4))
    if os.name != "nt":
        assert copy.stat().st_mode & 0o777 == 0o600


def test_how_far_it_is_is_told(filled, path):
    told = []
    filled.backup(path.with_name("copy.db"), told=lambda *far: told.append(far))
    assert told[-1][0] == told[-1][1] == path.with_name("copy.db").stat().st_size


def test_a_file_is_not_replaced_unless_it_is_allowed(filled, path):
    copy = path.with_name("copy.db")
    copy.write_text("a letter")
    with pytest.raises(GalleryError, match="is there already"):
        filled.backup(copy)
    assert copy.read_text() == "a letter"
    with pytest.raises(GalleryError, match="is no gallery"):
        filled.backup(copy, replace=True)
    assert copy.read_text() == "a letter"
    assert filled.holders() == []
    copy.unlink()
    filled.backup(copy)
    assert people(copy) == people(path)
    filled.rename("Ada", "Eve")
    filled.backup(copy, replace=True)
    assert people(copy) == people(path)
    with Gallery.open(copy) as used:
        used.rename("Eve", "Ada")
        with pytest.raises(GalleryError, match="is in use"):
            filled.backup(copy, replace=True)


def test_places_that_take_no_copy(filled, path, tmp_path):
    with pytest.raises(GalleryError, match="is the gallery itself"):
        filled.backup(path, replace=True)
    (tmp_path / "link.db").symlink_to(path)
    with pytest.raises(GalleryError, match="is the gallery itself"):
        filled.backup(tmp_path / "link.db", replace=True)
    with pytest.raises(GalleryError, match="is a folder"):
        filled.backup(tmp_path)
    with pytest.raises(GalleryError, match="There is no folder"):
        filled.backup(tmp_path / "none" / "copy.db")
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        filled.backup(tmp_path / "file" / "copy.db")
    with pytest.raises(GalleryError, match="makes no back-up of itself"):
        Gallery(MemoryStore()).backup(tmp_path / "copy.db")


def test_of_a_damaged_gallery_no_copy_is_made(filled, path, make):
    copy = path.with_name("copy.db")
    filled.backup(copy)
    sound = copy.read_bytes()
    filled.close()
    (vector,) = vectors(make, 5)
    data = path.read_bytes()
    at = data.index(vector)
    path.write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    with Gallery.open(path) as damaged, pytest.raises(GalleryCorrupt, match="no copy of it"):
        damaged.backup(copy, replace=True)
    assert copy.read_bytes() == sound
    assert not [f for f in path.parent.iterdir() if f.name.endswith(".part")]


def test_a_copy_made_while_others_write_is_one_state(filled, path, make):
    """Photos are enrolled in pairs, in one transaction each: no copy holds half of one."""
    stop = threading.Event()

    def write():
        with Gallery.open(path) as other:
            number = 100
            while not stop.is_set():
                with other.store.transaction():
                    make.put(other, "left", number)
                    make.put(other, "right", number + 1)
                number += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for i in range(8):
            copy = path.with_name(f"copy{i}.db")
            assert filled.backup(copy).sound
            seen = people(copy)
            assert seen.get("left") == seen.get("right")
    finally:
        stop.set()
        writer.join()


# -- removal -------------------------------------------------------------------------------------


def test_a_removal_reaches_the_copy(filled, path, make):
    copy = path.with_name("copy.db")
    filled.backup(copy)
    receipt = filled.remove("Bob")
    assert receipt.verified
    assert copy in receipt.files
    assert [(h.kind, h.path, h.state) for h in receipt.holders] == [("backup", copy, "erased")]
    data = copy.read_bytes()
    assert not any(vector in data for vector in vectors(make, 1, 4, 7, 10))
    assert b"Bob" not in data
    assert people(copy) == {"Ada": 4, "Zoë": 4}
    assert Gallery.check_file(copy).sound
    assert filled.proof("Bob").verified
    assert filled.remove("Ada").verified  # the copy is known as it is now
    assert people(copy) == {"Zoë": 4}


def test_who_had_another_name_when_the_copy_was_made_is_removed_from_it(filled, path, make):
    copy = path.with_name("copy.db")
    filled.backup(copy)
    filled.rename("Bob", "Robert")
    filled.merge("Robert", "Ada")
    assert filled.remove("Ada").verified
    assert people(copy) == {"Zoë": 4}


def test_what_is_undone_is_taken_out_of_the_copy(filled, path, make):
    copy = path.with_name("copy.db")
    make.put(filled, "Ada", 50)
    filled.backup(copy)
    filled.undo()
    assert people(copy) == {"Ada": 4, "Bob": 4, "Zoë": 4}
    assert vectors(make, 50)[0] not in copy.read_bytes()
    assert Gallery.check_file(copy).sound


def test_a_copy_that_is_elsewhere_or_was_changed_is_told(filled, path, make):
    gone, changed = path.with_name("gone.db"), path.with_name("changed.db")
    filled.backup(gone)
    filled.backup(changed)
    shutil.move(gone, path.with_name("away.sqlite"))
    with Gallery.open(changed) as other:
        make.put(other, "New", 70)
    receipt = filled.remove("Bob")
    assert {h.path: h.state for h in receipt.holders} == {gone: "gone", changed: "changed"}
    assert receipt.found == (changed,)
    assert not receipt.verified  # and who opened the copy as a gallery removes it there
    with Gallery.open(changed) as other:
        other.remove("Bob")
    assert filled.proof("Bob").verified
