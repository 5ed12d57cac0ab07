"""Bytes that changed on the disk are told: by what reads them and by the check."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from facelign.compare.calibrations import load, to_json
from facelign.errors import FacelignError, GalleryCorrupt, GalleryError
from facelign.gallery.cache import VectorCache
from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef, Row

SPACE = Space("m/l/five", 32, Metric.COSINE, unit=True)
PEOPLE = ("Ann", "Bob", "Zoë", "Dora")


def vectors(n: int, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(n, SPACE.dim)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def probe() -> Embeddings:
    made = vectors(24)[::5]
    return Embeddings(made, SPACE, np.ones(len(made), np.float32))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gallery") / "g.db"
    with Gallery.open(path) as gallery:
        for i, vector in enumerate(vectors(24)):
            face = FaceRecord((1.0, 2.0, 30.0 + i, 40.0), np.ones((5, 2), np.float32), "five", 0.9)
            photo = PhotoRef(f"photos/{i}.jpg", f"{i:064x}")
            gallery.enroll_many([Row(PEOPLE[i % 4], vector, photo, 1.0, face)], SPACE)
        gallery.rename("Bob", "Rob")
        gallery.reject("Rob", digest=f"{1:064x}")
        gallery.merge("Dora", "Ann")
        gallery.enroll_many([Row("Gone", probe().vectors[1], PhotoRef("", "f" * 64))], SPACE)
        gallery.remove("Gone")
        gallery.hold_cache(VectorCache(path.with_name("vectors.db")))
    return path.read_bytes()


@pytest.fixture
def file(sound: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "g.db"
    path.write_bytes(sound)
    return path


def changed(path: Path, old: bytes, new: bytes) -> None:
    """Write other bytes in the place of all that are so, as a bad disk does."""
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def test_a_sound_gallery_is_told_to_be_so(file: Path) -> None:
    done = Gallery.check_file(file)
    assert done.sound
    assert {one.state for one in done.findings} == {"sound"}
    with Gallery.open(file) as gallery:
        assert gallery.check() == done


def test_a_vector_with_another_byte_is_told_and_never_searched(file: Path) -> None:
    old = vectors(24)[6].tobytes()  # template 7, of Zoë
    changed(file, old, old[:9] + bytes([old[9] ^ 1]) + old[10:])
    with Gallery.open(file) as gallery:
        assert {p.name for p in gallery.people()} == {"Ann", "Rob", "Zoë"}
        with pytest.raises(GalleryCorrupt, match=r"g\.db is damaged: the vector of template 7 of "):
            gallery.search(probe())
        with pytest.raises(GalleryCorrupt, match="Zoë and enroll them again"):
            gallery.export(file.with_name("e.npz"))
    done = Gallery.check_file(file)
    assert not done.sound
    (told,) = [one for one in done.findings if one.state == "damaged"]
    assert told.check == "vectors"
    assert told.found == ("the vector of template 7 of Zoë is not the one that was enrolled",)
    with Gallery.open(file) as gallery:  # the way out that is told
        assert gallery.remove("Zoë").verified
        assert gallery.search(probe())
    assert Gallery.check_file(file).sound


def test_a_template_of_another_owner_is_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE templates SET person = 3 WHERE id = 1")  # as no facelign writes it
    with pytest.raises(GalleryCorrupt, match="row 1 of its templates"):
        Gallery.open(file)
    with (
        Gallery.open(file, damaged=True) as gallery,
        pytest.raises(GalleryCorrupt, match="template 1 of Zoë"),
    ):
        gallery.search(probe())


@pytest.mark.parametrize(
    ("old", "new", "table"),
    [
        (b"Rob2", b"Rab2", "people"),
        (b"photos/3.jpg", b"photos/4.jpg", "templates"),
        (b"m/l/five", b"m/l/live", "spaces"),
    ],
)
def test_a_row_with_another_byte_is_told(file: Path, old: bytes, new: bytes, table: str) -> None:
    changed(file, old, new)
    with pytest.raises(GalleryCorrupt, match=f"row .* of its {table}|damaged"):
        Gallery.open(file)
    assert not Gallery.check_file(file).sound


def test_somebody_whose_row_is_damaged_can_be_removed(file: Path) -> None:
    changed(file, b"photos/6.jpg", b"photos/x.jpg")
    with pytest.raises(GalleryCorrupt):
        Gallery.open(file)
    with Gallery.open(file, damaged=True) as gallery:
        assert gallery.remove("Zoë").verified
    with Gallery.open(file) as gallery:
        assert {p.name for p in gallery.people()} == {"Ann", "Rob"}


def test_rows_that_belong_to_nothing_are_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DELETE FROM vectors WHERE template = 5")
        db.execute("INSERT INTO people (id, name, created) VALUES (99, 'Nobody', '')")
        db.execute("UPDATE state SET next_template = 2")
    found = {one.check: one.found for one in Gallery.check_file(file).findings}
    assert "template 5 of Ann has no vector" in found["links"]
    assert "Nobody has no template" in found["links"]
    assert "the counters of the gallery are behind its rows" in found["links"]
    assert any("row 99 (Nobody)" in text for text in found["rows"])


def test_vectors_of_another_length_are_told(tmp_path: Path) -> None:
    path = tmp_path / "g.db"
    with Gallery.open(path) as gallery:
        wrong = (3 * vectors(1)[0], vectors(1)[0][:7], np.full(SPACE.dim, np.nan, np.float32))
        for i, vector in enumerate(wrong):
            photo = PhotoRef("", f"{i:064x}")
            gallery.store.enroll([Row("Ada", vector, photo)], SPACE)
        found = {one.check: one.found for one in gallery.check().findings}["vectors"]
    assert [text.partition(" of Ada ")[2] for text in found] == [
        "has the length 3, not 1",
        "has 7 numbers, not the 32 of its space",
        "holds numbers that are not finite",
    ]


def test_a_layout_that_lacks_something_is_told(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DROP INDEX templates_by_photo")
        db.execute("DROP TRIGGER vectors_stay")
    found = {one.check: one.found for one in Gallery.check_file(file).findings}["tables"]
    assert set(found) == {"templates_by_photo is missing", "vectors_stay is missing"}


def test_what_lies_elsewhere_and_is_gone_is_told_and_is_no_damage(file: Path) -> None:
    export = file.with_name("e.npz")
    with Gallery.open(file) as gallery:
        gallery.export(export)
        assert gallery.check().findings[-1].state == "sound"
        export.unlink()
        done = gallery.check()
    assert done.sound
    assert done.findings[-1].found == (f"export {export} is not there any more",)


def test_a_removal_that_was_cut_off_is_told(file: Path) -> None:
    with Gallery.open(file) as gallery, gallery.store.transaction():
        gallery.store.remove(gallery.store.person("Ann"), [])
    found = {one.check: one for one in Gallery.check_file(file).findings}["removals"]
    assert (found.state, found.found) == ("note", ("deleted vectors may still lie in the file",))


def test_what_is_no_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="There is no gallery at"):
        Gallery.check_file(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("text")
    with pytest.raises(GalleryCorrupt, match="is no gallery"):
        Gallery.check_file(tmp_path / "text.db")


def test_an_older_gallery_is_given_checksums(path: Path) -> None:
    old_gallery(path)
    before = path.read_bytes()
    found = {one.check: one.state for one in Gallery.check_file(path).findings}
    assert found.pop("layout") == "note"
    assert set(found.values()) == {"sound"}
    space = Space("tiny/crop/box", 4, Metric.EUCLIDEAN, unit=False)
    probe = Embeddings(np.array([[1, 1.25, -1, 1]], np.float32), space, np.ones(1, np.float32))
    with Gallery.open(path, readonly=True) as gallery:  # is read as it is
        assert gallery.search(probe)[0][0].person == "Eva"
        assert len(gallery.history()) == 13
    assert path.read_bytes() == before
    with Gallery.open(path) as gallery:
        assert gallery.search(probe)[0][0].person == "Eva"
    done = Gallery.check_file(path)
    assert {one.state for one in done.findings} == {"sound"}


def old_gallery(path: Path) -> None:
    text = Path(__file__).with_name("old_gallery.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(text)


def test_an_older_gallery_waits_for_who_brings_it_up_to_date(path: Path) -> None:
    old_gallery(path)
    with closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        late = threading.Timer(1.5, lambda: other.execute("COMMIT"))  # SQLite itself waits 0.5 s
        late.start()
        with Gallery.open(path) as gallery:
            assert len(gallery.people()) == 4
        late.join()


def test_a_calibration_beside_an_older_gallery_is_taken_in(path: Path) -> None:
    old_gallery(path)
    shipped = load("default-lfw-dev")
    beside = path.with_name(path.name + ".calibration.json")
    beside.write_text(to_json(shipped), encoding="utf-8")
    with Gallery.open(path, readonly=True) as gallery:
        assert gallery.calibration(shipped.space) is None
    with Gallery.open(path) as gallery:
        (own,) = gallery.calibrations().values()
        assert to_json(own) == to_json(gallery.calibration(shipped.space)) == to_json(shipped)
    assert beside.is_file()
    assert Gallery.check_file(path).sound
    changed(path, b'"non_mated"', b'"non_mateb"')
    with Gallery.open(path) as gallery, pytest.raises(GalleryCorrupt, match="its calibrations"):
        gallery.calibration(shipped.space)


def test_what_lies_beside_an_older_gallery_and_is_no_calibration_is_left(path: Path) -> None:
    old_gallery(path)
    path.with_name(path.name + ".calibration.json").write_text("a letter")
    with Gallery.open(path) as gallery:
        assert gallery.calibrations() == {}
        assert len(gallery.people()) == 4


def test_a_damaged_history_is_told_where_it_is_read(file: Path) -> None:
    changed(file, b"Bob", b"Bab")
    with Gallery.open(file) as gallery:
        assert gallery.search(probe())
        with pytest.raises(GalleryCorrupt, match="its history"):
            gallery.history()
        with pytest.raises(GalleryCorrupt, match="its history"):
            gallery.undo()
    with Gallery.open(file, damaged=True) as gallery:
        assert gallery.remove("Zoë").verified


# -- any byte ------------------------------------------------------------------------------------


def answers(path: Path) -> tuple[object, ...]:
    """Return what the commands that read a gallery tell of it."""
    with Gallery.open(path, create=False, readonly=True) as gallery:
        people = [(p.name, p.templates, p.spaces, p.created) for p in gallery.people()]
        shown = [
            (t.id, t.person, t.photo, t.space, t.face.box, t.created, t.rejected)
            for name, *_ in people
            for t in gallery.templates(name)
        ]
        found = [
            [(c.person, c.template_id, c.score) for c in row] for row in gallery.search(probe())
        ]
        return (people, shown, found)


def flipped(data: bytearray, where: random.Random) -> None:
    data[where.randrange(len(data))] ^= 1 << where.randrange(8)


def cut(data: bytearray, where: random.Random) -> None:
    del data[where.randrange(1, len(data)) :]


def zeroed(data: bytearray, where: random.Random) -> None:
    at, size = where.randrange(len(data)), where.choice((4, 64, 512, 4096))
    data[at : at + size] = bytes(len(data[at : at + size]))


def scrambled(data: bytearray, where: random.Random) -> None:
    at, size = where.randrange(len(data)), where.choice((2, 16, 200))
    data[at : at + size] = where.randbytes(len(data[at : at + size]))


@pytest.mark.parametrize("damage", [flipped, zeroed, scrambled, cut])
def test_a_damaged_gallery_answers_as_before_or_is_told(
    sound: bytes, tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    path = tmp_path / "g.db"
    path.write_bytes(sound)
    wanted = answers(path)
    refused = 0
    for seed in range(100):
        data = bytearray(sound)
        damage(data, random.Random(seed))
        path.write_bytes(data)
        try:
            assert answers(path) == wanted, seed
        except FacelignError:
            refused += 1
            with suppress(GalleryError):  # where the head is damaged
                assert not Gallery.check_file(path).sound
        with suppress(FacelignError), Gallery.open(path) as gallery:  # for writing too
            assert gallery.removals()
        path.unlink()
        for beside in path.parent.glob("g.db-*"):
            beside.unlink()
    assert refused > 10


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_could_not_be_read_is_not_told_to_be_sound(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    done = Gallery.check_file(file)
    assert not done.sound
    assert {one.check: one.state for one in done.findings} == {
        "file": "damaged",
        **dict.fromkeys(("tables", "layout", "rows", "links"), "not checked"),
        **dict.fromkeys(("vectors", "removals", "elsewhere"), "not checked"),
    }
    file.write_bytes(data)
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DROP TABLE rejections")
    states = {one.check: one.state for one in Gallery.check_file(file).findings}
    assert states["tables"] == "damaged"
    assert states["vectors"] == "not checked"
