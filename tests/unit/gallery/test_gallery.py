"""What a gallery keeps, finds, corrects and takes back."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facelign.compare.scores import score_matrix
from facelign.errors import (
    BadArray,
    ConfigError,
    DuplicateTemplate,
    GalleryCorrupt,
    GalleryError,
    SchemaTooNew,
    SpaceMismatch,
    UnknownPerson,
)
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores import connection
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.policies import TemplateMode
from facelign.types.templates import FaceRecord, PhotoRef, Row

posix = pytest.mark.skipif(os.name == "nt", reason="file modes of POSIX")


# -- the file ------------------------------------------------------------------------------------


@posix
def test_files_belong_to_the_owner_alone(path, make):
    old = os.umask(0)
    try:
        with Gallery.open(path) as gallery:
            make.put(gallery, "Ada", 1)
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert set(modes) >= {"g.db", "g.db-wal", "g.db-shm"}
    assert set(modes.values()) == {0o600}


@posix
def test_a_gallery_that_was_open_to_others_is_closed_to_them(path, make):
    Gallery.open(path).close()
    path.chmod(0o644)
    Gallery.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_durable_private_and_checked(gallery):
    def ask(name):
        return gallery.store._db.execute(f"PRAGMA {name}").fetchone()[0]

    assert ask("journal_mode") == "wal"
    assert ask("synchronous") == 2
    assert ask("secure_delete") == 1
    assert ask("foreign_keys") == 1


def test_a_missing_gallery_is_made_only_when_asked(path):
    with pytest.raises(GalleryError, match="no gallery"):
        Gallery.open(path, create=False)
    assert not path.exists()
    Gallery.open(path).close()
    assert [p.name for p in path.parent.iterdir()] == ["g.db"]


@pytest.mark.parametrize("content", [b"", b"no database at all", b"\xff" * 5000])
def test_a_file_of_another_kind_is_refused_and_not_touched(path, content):
    path.write_bytes(content)
    with pytest.raises(GalleryCorrupt, match="not touched"):
        Gallery.open(path)
    assert path.read_bytes() == content
    assert len(list(path.parent.iterdir())) == 1


def test_a_database_of_another_program_is_refused_and_not_touched(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (title)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(GalleryCorrupt, match="another program"):
        Gallery.open(path)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_a_newer_layout_is_refused(path):
    Gallery.open(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SchemaTooNew, match="newer"):
        Gallery.open(path)


def test_a_damaged_gallery_says_so(path, make):
    with Gallery.open(path) as gallery:
        for i in range(50):
            make.put(gallery, f"p{i}", i)
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(GalleryCorrupt, match="damaged"), Gallery.open(path) as gallery:
        gallery.people()


def test_a_folder_is_no_gallery(tmp_path):
    with pytest.raises(GalleryError, match="cannot be opened"):
        Gallery.open(tmp_path)


def test_this_folder_is_no_gallery(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GalleryError, match="is a folder"):
        Gallery.open(".")


def test_a_place_that_takes_no_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GalleryError, match=r"cannot be (made|opened)"):
        Gallery.open(tmp_path / "file" / "g.db")


@pytest.mark.parametrize("code", [8, 14, 1544, 520])
def test_a_readonly_folder_can_be_read(path, make, monkeypatch, code):
    """SQLite says why with extended codes, such as SQLITE_READONLY_DIRECTORY (1544)."""
    with Gallery.open(path) as gallery:
        make.put(gallery, "Ada", 1)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    plain = connection._configured

    def refusing(address, file):
        if "immutable" not in address:
            error = sqlite3.OperationalError("attempt to write a readonly database")
            error.sqlite_errorcode = code
            raise error
        return plain(address, file)

    monkeypatch.setattr(connection, "_configured", refusing)
    with Gallery.open(path, readonly=True) as reader:
        assert [p.name for p in reader.people()] == ["Ada"]


def test_reading_only(path, make):
    with Gallery.open(path) as gallery:
        make.put(gallery, "Ada", 1)
    with Gallery.open(path, readonly=True) as reader:
        assert [p.name for p in reader.people()] == ["Ada"]
        assert reader.search(make.vectors(1, 1))[0][0].person == "Ada"
        with pytest.raises(GalleryError, match="reading only"):
            make.put(reader, "Bob", 2)


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() == 0, reason="root may write anything")
def test_a_gallery_on_a_read_only_disk_is_readable(path, make):
    with Gallery.open(path) as gallery:
        make.put(gallery, "Ada", 1)
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        with Gallery.open(path, readonly=True) as reader:
            assert [p.name for p in reader.people()] == ["Ada"]
    finally:
        path.parent.chmod(0o700)


def test_migrations_are_written_down(gallery):
    rows = gallery.store._db.execute("SELECT step, name FROM migrations").fetchall()
    assert rows == [
        (1, "first_tables"),
        (2, "row_checksums"),
        (3, "own_calibrations"),
        (4, "removals_and_holders"),
    ]


def test_vectors_cannot_be_updated(gallery, make):
    make.put(gallery, "Ada", 1)
    with pytest.raises(sqlite3.IntegrityError, match="never updated"):
        gallery.store._db.execute("UPDATE vectors SET vector = zeroblob(512)")


# -- enrollment ----------------------------------------------------------------------------------


def test_everything_about_a_template_is_kept(gallery, make):
    ids = make.put(gallery, "Ada", 7, consent="signed 2026-01-02")
    (info,) = gallery.templates("Ada")
    assert (info.id,) == ids
    assert info.photo == make.photo(7)
    assert info.space == make.cosine.id
    assert info.face.box == (10.5, 20.5, 90.5, 120.5)
    np.testing.assert_array_equal(info.face.points, make.face(7).points)
    assert (info.face.scheme, info.face.score, info.face.height) == ("five", 0.9, 100.0)
    assert info.norm == pytest.approx(float(make.vectors(1, 7).norms[0]))
    assert info.consent == "signed 2026-01-02"
    assert info.created.endswith("+00:00")


def test_a_photo_is_not_enrolled_twice(gallery, make):
    make.put(gallery, "Ada", 1)
    revision = gallery.revision
    with pytest.raises(DuplicateTemplate, match="already enrolled as Ada"):
        make.put(gallery, "Ada", 1)
    assert gallery.has_photo(make.digest(1), make.cosine.id) == "Ada"
    assert gallery.has_photo(make.digest(1), make.euclidean.id) is None
    assert gallery.revision == revision
    make.put(gallery, "Ada", 1, make.euclidean)  # another space is another template
    assert gallery.count(make.euclidean.id) == (1, 1)


def test_a_face_that_is_enrolled_for_another_is_held_back(gallery, make):
    make.put(gallery, "Ada", 1)
    with pytest.raises(DuplicateTemplate, match="already enrolled as Ada"):
        make.put(gallery, "Bob", 1)
    make.put(gallery, "Bob", 1, force=True)
    assert gallery.count(make.cosine.id) == (2, 2)


def test_two_faces_of_one_photo_may_be_two_people(gallery, make):
    photo = make.photo(1)
    left = FaceRecord((0, 0, 50, 60), None, None, 0.9, 60)
    right = FaceRecord((100, 0, 150, 60), None, None, 0.9, 60)
    gallery.enroll("Ada", make.vectors(1, 1), photo=photo, faces=[left])
    gallery.enroll("Bob", make.vectors(1, 2), photo=photo, faces=[right])
    assert gallery.count(make.cosine.id) == (2, 2)


def test_names_are_one_spelling(gallery, make):
    make.put(gallery, unicodedata.normalize("NFD", "Zoë"), 1)
    make.put(gallery, " \u202aZoë\u200e ", 2)
    assert [p.name for p in gallery.people()] == ["Zoë"]
    assert len(gallery.templates(unicodedata.normalize("NFD", "Zoë"))) == 2


@pytest.mark.parametrize("name", ["", "  ", "\u200e", "a\nb", "x" * 201])
def test_what_is_no_name_is_refused(gallery, make, name):
    with pytest.raises(ConfigError):
        make.put(gallery, name, 1)
    assert gallery.people() == []


def test_an_unknown_person_is_told_who_is_near(gallery, make):
    make.put(gallery, "Eileen", 1)
    with pytest.raises(UnknownPerson, match="Did you mean Eileen"):
        gallery.templates("Eilen")


def test_vectors_must_fit_their_space(gallery, make):
    long = Embeddings(3 * make.vectors(1, 1).vectors, make.cosine, np.ones(1, np.float32))
    with pytest.raises(BadArray, match="unit vectors"):
        gallery.enroll("Ada", long, photo=make.photo(1), faces=[make.face()])
    with pytest.raises(BadArray, match="records"):
        gallery.enroll("Ada", make.vectors(2, 1), photo=make.photo(1), faces=[make.face()])
    make.put(gallery, "Ada", 1)
    other = Space(make.cosine.id, 64, Metric.COSINE, unit=True)
    with pytest.raises(SpaceMismatch):
        make.put(gallery, "Bob", 2, other)
    assert [p.name for p in gallery.people()] == ["Ada"]


def test_bulk(gallery, make):
    every = make.vectors(2500, 3)
    rows = [Row(f"p{i // 5}", every.vectors[i], make.photo(i)) for i in range(2500)]
    done = gallery.enroll_many(iter(rows), make.cosine)
    assert (done.enrolled, done.skipped) == (2500, ())
    assert gallery.count(make.cosine.id) == (500, 2500)
    again = gallery.enroll_many(
        [*rows[:3], Row("new", every.vectors[0], make.photo(9999))] * 2, make.cosine
    )
    assert again.enrolled == 1
    assert [i for i, _ in again.skipped] == [0, 1, 2, 4, 5, 6, 7]
    assert gallery.search(every[2:3])[0][0].person == "p0"


def test_bulk_is_all_or_nothing(gallery, make):
    def rows():
        for i in range(3000):
            yield Row("p", make.vectors(1, i).vectors[0], make.photo(i))
        raise OSError("the reader failed")

    with pytest.raises(OSError, match="reader"):
        gallery.enroll_many(rows(), make.cosine)
    assert gallery.people() == []
    assert gallery.history() == []


def test_a_full_disk_loses_nothing_that_was_acknowledged(gallery, make):
    db = gallery.store._db
    kept = []

    def enroll_all():
        for i in range(500):
            make.put(gallery, f"p{i}", i)
            kept.append(i)

    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + 6}")
    with pytest.raises(GalleryError, match="disk is full"):
        enroll_all()
    assert 0 < len(kept) < 500
    assert gallery.count(make.cosine.id) == (len(kept), len(kept))
    db.execute("PRAGMA max_page_count = 100000")
    make.put(gallery, f"p{len(kept)}", len(kept))
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert gallery.search(make.vectors(1, kept[-1]))[0][0].person == f"p{kept[-1]}"


# -- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_scores_are_those_of_compare(gallery, make, name):
    space = getattr(make, name)
    for i in range(30):
        make.put(gallery, f"p{i // 3}", i, space)
    every = Embeddings.joined([make.vectors(1, i, space) for i in range(30)])
    probes = make.vectors(4, 99, space)
    answers = gallery.search(probes, k=4)
    table = np.asarray(score_matrix(probes, every)).reshape(4, 10, 3)
    for i, answer in enumerate(answers):
        best = table[i].max(axis=1)
        order = np.argsort(-best)[:4]
        assert [a.person for a in answer] == [f"p{j}" for j in order]
        np.testing.assert_allclose([a.score for a in answer], best[order], atol=1e-6)
        assert [a.template_id - 1 for a in answer] == [
            3 * j + int(table[i, j].argmax()) for j in order
        ]
        expected = 1 - best[order] if name == "cosine" else -best[order]
        np.testing.assert_allclose([a.distance for a in answer], expected, atol=1e-6)


def test_modes_make_one_score_of_many_templates(gallery, make):
    for i in range(4):
        gallery.enroll("Ada", make.near(5, 0.3, i), photo=make.photo(i), faces=[make.face()])
    make.put(gallery, "Ada", 77)  # a wrong photo among her templates
    make.put(gallery, "Bob", 78)
    probe = make.vectors(1, 5)
    scores = {mode: gallery.search(probe, k=1, mode=mode)[0][0] for mode in TemplateMode}
    assert {s.person for s in scores.values()} == {"Ada"}
    vectors = np.concatenate(
        [make.near(5, 0.3, i).vectors for i in range(4)] + [make.vectors(1, 77).vectors]
    )
    mean = vectors.mean(axis=0)
    wanted = float(mean @ probe.vectors[0] / np.linalg.norm(mean))
    assert scores[TemplateMode.MEAN].score == pytest.approx(wanted, abs=1e-5)
    # the geometric median is hardly moved by the wrong photo
    assert scores[TemplateMode.ROBUST].score > scores[TemplateMode.MEAN].score + 0.005


def test_one_template_gives_one_score_in_every_mode(gallery, make):
    for i in range(5):
        make.put(gallery, f"p{i}", i, make.euclidean)
    probe = make.vectors(1, 50, make.euclidean)
    answers = [gallery.search(probe, k=5, mode=mode)[0] for mode in TemplateMode]
    assert [[a.person for a in x] for x in answers].count([a.person for a in answers[0]]) == 3
    for answer in answers[1:]:
        np.testing.assert_allclose(
            [a.score for a in answer], [a.score for a in answers[0]], atol=1e-5
        )


def test_a_person_with_many_templates_does_not_hide_the_others(gallery, make):
    rows = [Row("Ada", make.near(1, 0.2, i).vectors[0], make.photo(i)) for i in range(1500)]
    gallery.enroll_many(rows, make.cosine)
    for i in range(3):
        make.put(gallery, f"p{i}", 5000 + i)
    answer = gallery.search(make.vectors(1, 1), k=4)[0]
    assert answer[0].person == "Ada"
    assert {a.person for a in answer[1:]} == {"p0", "p1", "p2"}


def test_an_empty_or_foreign_space_gives_no_candidates(gallery, make):
    assert gallery.search(make.vectors(2, 1)) == [[], []]
    gallery.require_space(make.cosine.id)
    make.put(gallery, "Ada", 1)
    assert gallery.search(make.vectors(1, 1, make.euclidean)) == [[]]
    assert gallery.search(Embeddings.none(make.cosine)) == []
    with pytest.raises(SpaceMismatch, match=r"dlib-resnet.*sface"):
        gallery.require_space(make.euclidean.id)


def test_a_search_sees_what_another_process_changed(path, gallery, make):
    for i in range(6):
        make.put(gallery, f"p{i % 3}", i)
    with Gallery.open(path) as reader:
        assert reader.search(make.vectors(1, 4))[0][0].person == "p1"
        gallery.rename("p1", "Zoë")
        assert reader.search(make.vectors(1, 4))[0][0].person == "Zoë"
        make.put(gallery, "late", 50)
        assert reader.search(make.vectors(1, 50))[0][0].person == "late"
        gallery.merge("late", "p0")
        assert reader.search(make.vectors(1, 50))[0][0].person == "p0"
        gallery.undo()
        assert reader.search(make.vectors(1, 50))[0][0].person == "late"
        for mode in TemplateMode:
            assert reader.search(make.vectors(1, 50), mode=mode)[0][0].person == "late"
        gallery.undo()
        for mode in TemplateMode:
            assert reader.search(make.vectors(1, 50), mode=mode)[0][0].score < 0.5


def test_threads_may_search_while_others_write(path, gallery, make):
    for i in range(50):
        make.put(gallery, f"p{i}", i)
    wrong: list[str] = []

    def search(seed):
        for _ in range(40):
            found = gallery.search(make.vectors(1, seed), k=1)[0][0]
            if found.person != f"p{seed}" or found.score < 0.999:
                wrong.append(found.person)

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for i in range(60, 90):
        make.put(gallery, "new", i)
    gallery.merge("p30", "p31")
    gallery.remove("new")
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_journal_of_removals_waits_for_other_threads(gallery, make):
    """It empties the log, which no other thread's transaction may be in the midst of."""
    for i in range(20):
        make.put(gallery, f"p{i}", i)
    wrong: list[BaseException] = []

    def search(seed):
        try:
            for _ in range(150):
                gallery.search(make.vectors(1, seed), k=1)
        except BaseException as error:  # noqa: BLE001 - whatever it is
            wrong.append(error)

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for i in range(20):
        gallery.remove(f"p{i}") if i > 2 else make.put(gallery, "new", 90 + i)
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [person.name for person in gallery.people()] == ["new", "p0", "p1", "p2"]


# -- corrections ---------------------------------------------------------------------------------


def test_rename_refuses_a_name_that_is_taken(gallery, make, templates_of):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Bob", 2)
    with pytest.raises(GalleryError, match="already"):
        gallery.rename("Ada", "Bob")
    with pytest.raises(UnknownPerson):
        gallery.rename("Carl", "Dora")
    gallery.rename("Ada", "Ada")
    assert templates_of(gallery) == {"Ada": 1, "Bob": 1}
    assert [c.action for c in gallery.history()] == ["enroll", "enroll"]


def test_split(gallery, make, templates_of):
    ids = [make.put(gallery, "Ada", i)[0] for i in range(4)]
    other = make.put(gallery, "Bob", 9)[0]
    for wrong in ([], [other], ids):
        with pytest.raises(GalleryError):
            gallery.split("Ada", wrong, "Carla")
    gallery.split("Ada", ids[2:], "Carla")
    assert templates_of(gallery) == {"Ada": 2, "Bob": 1, "Carla": 2}
    assert gallery.search(make.vectors(1, 3))[0][0].person == "Carla"
    gallery.undo()
    assert templates_of(gallery) == {"Ada": 4, "Bob": 1}


def test_a_rejected_photo_is_never_proposed_again(gallery, make):
    for i in range(3):
        make.put(gallery, "Ada", i)
        make.put(gallery, "Bob", 10 + i)
    probe, digest = make.near(1, 0.2, 1), "a" * 64
    assert gallery.search(probe, photo_digest=digest)[0][0].person == "Ada"
    assert gallery.reject("Ada", digest=digest) == 0
    for mode in TemplateMode:
        found = gallery.search(probe, mode=mode, photo_digest=digest)[0]
        assert [f.person for f in found] == ["Bob"]
        assert gallery.search(probe, mode=mode)[0][0].person == "Ada"
    gallery.rename("Ada", "Adele")
    gallery.merge("Adele", "Bob")  # now Bob is the person that the photo does not show
    assert gallery.search(probe, photo_digest=digest) == [[]]
    gallery.undo()
    assert [f.person for f in gallery.search(probe, photo_digest=digest)[0]] == ["Bob"]


def test_a_rejected_template_is_set_aside_and_comes_back_with_undo(gallery, make, templates_of):
    for i in range(3):
        make.put(gallery, "Ada", i)
    make.put(gallery, "Bob", 10)
    before = gallery.search(make.vectors(1, 1))[0][0]
    assert gallery.reject("Ada", digest=make.digest(1)) == 1
    assert templates_of(gallery) == {"Ada": 2, "Bob": 1}
    assert gallery.search(make.vectors(1, 1))[0][0].score < 0.5
    assert [t.rejected for t in gallery.templates("Ada")] == [False, True, False]
    assert gallery.has_photo(make.digest(1), make.cosine.id) is None
    with pytest.raises(DuplicateTemplate, match="rejected"):
        make.put(gallery, "Ada", 1)
    gallery.undo()
    assert gallery.search(make.vectors(1, 1))[0][0] == before


def test_a_rejected_photo_may_be_enrolled_as_somebody_else(gallery, make):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Ada", 2)
    gallery.reject("Ada", digest=make.digest(1))
    make.put(gallery, "Bob", 1)
    assert gallery.search(make.vectors(1, 1))[0][0].person == "Bob"


# -- undo ----------------------------------------------------------------------------------------


def test_undo_goes_back_step_by_step(gallery, make, templates_of):
    states = [templates_of(gallery)]

    def did(*_):
        states.append(templates_of(gallery))

    did(make.put(gallery, "Ada", 1))
    did(make.put(gallery, "Ada", 2))
    did(make.put(gallery, "Bob", 3))
    did(gallery.rename("Bob", "Robert"))
    did(gallery.merge("Ada", "Robert"))
    did(gallery.split("Robert", [gallery.templates("Robert")[0].id], "Ada"))
    did(gallery.reject("Robert", digest=make.digest(3)))
    while states[1:]:
        assert templates_of(gallery) == states.pop()
        gallery.undo()
    assert templates_of(gallery) == {}
    with pytest.raises(GalleryError, match="nothing to undo"):
        gallery.undo()
    assert all(change.undone for change in gallery.history())


def test_undo_of_a_merge_gives_rejections_back_to_whom_they_belonged(gallery, make):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Bob", 2)
    gallery.reject("Ada", digest="a" * 64)
    gallery.reject("Ada", digest="b" * 64)
    gallery.reject("Bob", digest="b" * 64)
    before = gallery.store.rejections()
    gallery.merge("Ada", "Bob")
    assert gallery.store.rejections() == {"a" * 64: {2}, "b" * 64: {2}}
    gallery.undo()
    assert gallery.store.rejections() == before


def test_a_run_of_enrollments_is_undone_together(gallery, make, templates_of):
    make.put(gallery, "Ada", 1, run="monday")
    gallery.rename("Ada", "Adele")
    make.put(gallery, "Bob", 2, run="tuesday")
    make.put(gallery, "Cleo", 3, run="elsewhere")
    make.put(gallery, "Cleo", 4, run="tuesday")
    assert len(gallery.undo()) == 2
    assert templates_of(gallery) == {"Adele": 1, "Cleo": 1}
    assert len(gallery.undo()) == 1
    assert templates_of(gallery) == {"Adele": 1}
    gallery.undo()
    assert templates_of(gallery) == {"Ada": 1}


def test_a_removal_is_not_undone(gallery, make):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Bob", 2)
    gallery.remove("Bob")
    with pytest.raises(GalleryError, match="removal"):
        gallery.undo()


def test_the_revision_grows_with_every_change_and_only_with_changes(gallery, make):
    seen = [gallery.revision]
    for change in (
        lambda: make.put(gallery, "Ada", 1),
        lambda: make.put(gallery, "Bob", 2),
        lambda: gallery.rename("Ada", "Adele"),
        lambda: gallery.merge("Adele", "Bob"),
        gallery.undo,
        lambda: gallery.remove("Bob"),
    ):
        change()
        seen.append(gallery.revision)
    assert all(b > a for a, b in pairwise(seen))
    gallery.people()
    gallery.search(make.vectors(1, 1))
    with pytest.raises(UnknownPerson):
        gallery.merge("Nobody", "Adele")
    assert gallery.revision == seen[-1]


def test_a_photo_may_be_gone(gallery, make):
    assert not Path(make.photo(1).reference).exists()
    make.put(gallery, "Ada", 1)
    assert gallery.search(make.vectors(1, 1))[0][0].person == "Ada"


def test_photos_without_a_digest_are_not_duplicates(gallery, make):
    for i in range(2):
        gallery.enroll(
            "Ada", make.vectors(1, i), photo=PhotoRef("camera", ""), faces=[FaceRecord()]
        )
    assert len(gallery.templates("Ada")) == 2
