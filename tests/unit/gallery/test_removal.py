"""Removed means gone: out of the answers, the file, its log and the cache."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from facelign.errors import GalleryBusy, GalleryError, UnknownPerson
from facelign.gallery.cache import VectorCache
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores import connection
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Faces
from facelign.types.policies import TemplateMode


def filled(gallery, make, people=4, each=6):
    for i in range(people * each):
        make.put(gallery, f"p{i % people}", i, consent="yes")
        if i % 3 == 0:
            make.put(gallery, f"p{i % people}", i, make.euclidean)


def vectors_of(make, person, people=4, each=6):
    numbers = range(person, people * each, people)
    cosine = [make.vectors(1, i) for i in numbers]
    euclidean = [make.vectors(1, i, make.euclidean) for i in numbers if i % 3 == 0]
    return Embeddings.joined(cosine), Embeddings.joined(euclidean)


def test_no_byte_is_left_after_renames_merges_splits_and_undo(path, gallery, make):
    filled(gallery, make)
    gallery.rename("p0", "Penelope")  # two letters stand somewhere by chance
    gallery.rename("p1", "Leopold")
    gallery.rename("Penelope", "A much longer name than before, so that rows grow")
    gallery.merge("A much longer name than before, so that rows grow", "Leopold")
    gallery.undo()
    gallery.merge("Leopold", "A much longer name than before, so that rows grow")
    gallery.split(
        "A much longer name than before, so that rows grow",
        [t.id for t in gallery.templates("A much longer name than before, so that rows grow")][:2],
        "apart",
    )
    gallery.undo()
    gallery.rename("A much longer name than before, so that rows grow", "short")
    gallery.reject("short", digest=make.digest(4))
    data = make.files(path)
    for person in (0, 1):
        for part in vectors_of(make, person):
            assert make.traces(data, part) == len(part)
    receipt = gallery.remove("short")
    assert (receipt.templates, receipt.photos, receipt.verified) == (16, 12, True)
    assert {f.name for f in receipt.files} >= {"g.db", "g.db-wal"}
    data = make.files(path)
    for person in (0, 1):
        for part in vectors_of(make, person):
            assert make.traces(data, part) == 0
    for part in vectors_of(make, 2):
        assert make.traces(data, part) == len(part)  # the others are all there
    gone = (b"much longer", b"short", b"Penelope", b"Leopold", b"photos/0.jpg", b"photos/1.jpg")
    for word in gone:
        assert word not in data
    assert make.digest(0).encode() not in data
    assert gallery.history()[-1].text == "one person with 16 templates"
    assert {p.name for p in gallery.people()} == {"p2", "p3"}


def test_no_former_name_is_left_in_the_history(path, gallery, make):
    make.put(gallery, "Adele", 1)
    make.put(gallery, "Bob", 2)
    gallery.merge("Adele", "Bob")
    gallery.split("Bob", [1], "Adele")  # another id than the first time
    gallery.rename("Adele", "Carla")
    gallery.remove("Carla")
    assert [c.text for c in gallery.history()] == [
        "1 template of Bob",
        "one person with 1 template",
    ]
    data = make.files(path)
    assert b"Adele" not in data
    assert b"Carla" not in data
    assert b"Bob" in data


def test_the_file_is_rebuilt_without_gaps(path, gallery, make):
    for i in range(60):
        make.put(gallery, f"p{i % 2}", i)
    pages = gallery.store._all("PRAGMA page_count")[0][0]
    gallery.remove("p0")
    assert gallery.store._all("PRAGMA freelist_count")[0][0] == 0
    assert gallery.store._all("PRAGMA page_count")[0][0] < pages
    assert path.with_name("g.db-wal").stat().st_size == 0


def test_without_secure_delete_the_search_finds_them(path, make):
    """The negative control: the proof can fail."""
    with Gallery.open(path) as gallery:
        filled(gallery, make)
        db = gallery.store._db
        db.execute("PRAGMA secure_delete = OFF").fetchall()
        number = gallery.store.person("p0").id
        with gallery.store.transaction():
            db.execute(
                "DELETE FROM vectors WHERE template IN (SELECT id FROM templates WHERE person = ?)",
                (number,),
            )
        assert connection.empty_wal(db, 1)
        cosine, euclidean = vectors_of(make, 0)
        from facelign.gallery.traces import files_with

        pieces = [v.tobytes() for e in (cosine, euclidean) for v in e.vectors]
        assert files_with(pieces, [path]) == (path,)
        assert make.traces(path.read_bytes(), cosine) > 0


def test_an_unverified_removal_is_told(path, gallery, make):
    filled(gallery, make)
    backup = path.with_name("g.db.backup")
    backup.write_bytes(make.files(path))
    receipt = gallery.remove("p0")
    assert not receipt.verified
    assert receipt.found == (backup.resolve(),)


def test_undone_enrollments_leave_no_byte(path, gallery, make):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Bob", 2)
    gallery.undo()
    data = make.files(path)
    assert make.traces(data, make.vectors(1, 2)) == 0
    assert make.traces(data, make.vectors(1, 1)) == 1


def test_a_running_reader_notices_before_its_next_answer(path, gallery, make):
    filled(gallery, make)
    probe = make.vectors(1, 0)
    with Gallery.open(path) as first, Gallery.open(path, readonly=True) as second:
        for reader in (first, second):
            for mode in TemplateMode:
                assert "p0" in [f.person for f in reader.search(probe, mode=mode)[0]]
        assert gallery.remove("p0").verified
        for reader in (first, second):
            for mode in TemplateMode:
                answer = reader.search(probe, mode=mode)[0]
                assert {f.person for f in answer} == {"p1", "p2", "p3"}
                assert answer[0].score < 0.5
            index = reader._searches[probe.space.id].index
            pieces = np.concatenate([b.T for b in index.rows.blocks])
            assert not (pieces @ probe.vectors[0] > 0.99).any()


def test_a_name_can_be_used_again(gallery, make):
    filled(gallery, make)
    ids = {t.id for t in gallery.templates("p0")}
    gallery.remove("p0")
    with pytest.raises(UnknownPerson):
        gallery.templates("p0")
    (new,) = make.put(gallery, "p0", 0)
    assert new not in ids
    assert gallery.search(make.vectors(1, 0))[0][0].person == "p0"
    assert gallery.proof("p0").verified  # what is enrolled again is no trace of what was removed


def test_a_vector_that_another_person_holds_too_stays_theirs(path, gallery, make):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Bob", 1, force=True)
    receipt = gallery.remove("Ada")
    assert receipt.verified
    assert gallery.search(make.vectors(1, 1))[0][0].person == "Bob"


def test_what_is_known_of_others_about_a_removed_photo(gallery, make):
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Bob", 2)
    gallery.reject("Bob", digest=make.digest(1), reference="photos/ada.jpg")
    gallery.remove("Ada")
    rows = gallery.store._db.execute("SELECT digest, reference FROM rejections").fetchall()
    assert rows == [(make.digest(1), "")]  # still not Bob, but where Ada's photo lay is gone


def cached(make, *numbers):
    vectors = Embeddings.joined([make.vectors(1, i) for i in numbers])
    n = len(numbers)
    faces = Faces(
        np.array([[0, 0, 9, 9]] * n, np.float32), np.ones(n, np.float32), None, "test", (10, 10)
    )
    return Analysis(PhotoInfo("", "", (10, 10)), faces, np.arange(n), vectors)


def test_cached_vectors_go_too(path, gallery, make):
    filled(gallery, make)
    with VectorCache(path.parent / "cache" / "vectors.db") as cache:
        cache.put(make.digest(0), "chain 1", cached(make, 0, 500))
        cache.put(make.digest(0), "chain 2", cached(make, 0))
        cache.put(make.digest(1), "chain 1", cached(make, 1))
        receipt = gallery.remove("p0", cache=cache)
        assert (receipt.verified, receipt.cached) == (True, 2)
        assert any(f.name == "vectors.db" for f in receipt.files)
        data = make.files(cache.path)
        assert make.traces(data, Embeddings.joined([make.vectors(1, i) for i in (0, 500)])) == 0
        assert make.traces(data, make.vectors(1, 1)) == 1
        assert cache.get(make.digest(1), "chain 1") is not None


def test_the_same_picture_cached_under_another_digest_is_found(path, gallery, make):
    filled(gallery, make)
    with VectorCache(path.parent / "cache" / "vectors.db") as cache:
        cache.put("f" * 64, "chain 1", cached(make, 0))
        receipt = gallery.remove("p0", cache=cache)
        assert (receipt.verified, receipt.cached) == (True, 1)
        assert make.traces(make.files(cache.path), make.vectors(1, 0)) == 0


def test_a_reader_that_keeps_the_old_bytes_alive_is_named(path, make):
    with Gallery.open(path, wait_s=0.3) as gallery:
        filled(gallery, make)
        code = textwrap.dedent(
            """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1], isolation_level=None)
            db.execute("BEGIN"); db.execute("SELECT * FROM people").fetchall()
            print("reading", flush=True); sys.stdin.read()
            """
        )
        reader = subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert reader.stdout.readline() == b"reading\n"
            with pytest.raises(GalleryBusy, match=r"keeps reading it") as caught:
                gallery.remove("p0")
            if sys.platform == "linux":
                assert str(reader.pid) in caught.value.message
            assert "p0" not in [p.name for p in gallery.people()]
            assert gallery.search(make.vectors(1, 0))[0][0].score < 0.5
            assert not gallery.removals()[-1].verified
            with Gallery.open(path) as other:  # others can work on meanwhile
                assert [p.name for p in other.people()] == ["p1", "p2", "p3"]
        finally:
            reader.communicate(b"")
    # opened again, the removal is finished
    with Gallery.open(path) as gallery:
        data = make.files(path)
        for part in vectors_of(make, 0):
            assert make.traces(data, part) == 0
        assert gallery.store._all("SELECT unscrubbed FROM state")[0][0] == 0


def test_a_removal_that_is_killed_in_the_middle_is_finished_later(path, make):
    with Gallery.open(path) as gallery:
        filled(gallery, make)
    code = textwrap.dedent(
        """
        import os, sys
        from facelign.gallery.gallery import Gallery
        from facelign.gallery.stores import connection
        def kill(*_): os.kill(os.getpid(), 9)
        gallery = Gallery.open(sys.argv[1])
        connection.rebuild = kill
        gallery.remove("p0")
        """
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode == -9
    with Gallery.open(path) as gallery:
        assert "p0" not in [p.name for p in gallery.people()]
        for part in vectors_of(make, 0):
            assert make.traces(make.files(path), part) == 0


def with_classifier(gallery, make):
    """A gallery of people with vectors, and a file with the same vectors where classifiers lie."""
    filled(gallery, make)
    vectors = np.concatenate([make.vectors(1, i).vectors for i in range(0, 24, 4)])
    place = gallery.path.with_name(f"{gallery.path.name}.classifier.npz")
    np.savez(place, table=vectors)
    assert make.traces(place.read_bytes(), vectors_of(make, 0)[0]) > 0
    return place


def test_a_removal_through_a_link_reaches_what_lies_beside_the_file(path, make):
    link = path.parent / "links" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with Gallery.open(path) as gallery:
        classifier = with_classifier(gallery, make)
    beside_link = link.with_name("link.db.classifier.npz")
    beside_link.write_bytes(classifier.read_bytes())
    with Gallery.open(link) as gallery:
        assert gallery.path == path.resolve()
        receipt = gallery.remove("p0")
    assert receipt.verified
    assert path.resolve() in receipt.files
    assert not classifier.exists()
    assert not beside_link.exists()
    data = make.files(path)
    for part in vectors_of(make, 0):
        assert make.traces(data, part) == 0


@pytest.mark.parametrize("folder", [".", "gallery"])
def test_a_removal_reaches_the_file_wherever_the_process_stands(
    path, make, tmp_path, monkeypatch, folder
):
    monkeypatch.chdir(path.parent if folder == "." else tmp_path)
    with Gallery.open("g.db" if folder == "." else "gallery/g.db") as gallery:
        classifier = with_classifier(gallery, make)
        monkeypatch.chdir("/")
        receipt = gallery.remove("p0")
    assert receipt.verified
    assert path in receipt.files
    assert not classifier.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be renamed")
@pytest.mark.parametrize("how", ["renamed", "deleted", "replaced"])
def test_a_file_that_was_moved_while_it_was_open_is_not_written(path, make, how):
    with Gallery.open(path) as gallery:
        filled(gallery, make)
        if how == "deleted":
            path.unlink()
        else:
            path.rename(path.with_name("other.db"))
        if how == "replaced":
            path.write_bytes(path.with_name("other.db").read_bytes())
        with pytest.raises(GalleryError, match="was moved, deleted or replaced"):
            gallery.remove("p0")


def test_a_damaged_cache_stops_no_removal(path, gallery, make):
    filled(gallery, make)
    place = path.parent / "cache" / "vectors.db"
    with VectorCache(place) as cache:
        cache.put(make.digest(0), "chain 1", cached(make, 0))
    data = bytearray(place.read_bytes())
    data[4096:4296] = b"\xff" * 200
    place.write_bytes(data)
    with VectorCache(place) as cache:
        assert gallery.remove("p0", cache=cache).verified
    assert make.traces(make.files(place), make.vectors(1, 0)) == 0


KILLED = """
import os, sys
from facelign.gallery import removal, transfer
from facelign.gallery.cache import VectorCache
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.sqlite import SqliteStore
def kill(*_, **__): os.kill(os.getpid(), 9)
gallery, cache = Gallery.open(sys.argv[1]), VectorCache(sys.argv[2])
owner, name = {"holders": (removal, "_erase_holders"), "cache": (VectorCache, "purge"),
               "erase": (removal, "erase"), "export": (transfer, "without"),
               "scrub": (SqliteStore, "scrub"), "proof": (removal, "_proved")}[sys.argv[3]]
setattr(owner, name, kill)
gallery.undo(cache=cache) if sys.argv[4] == "undo" else gallery.remove("p0", cache=cache)
"""


def held(path, make):
    """A gallery with a classifier, an export and a cache, all with vectors of p0."""
    cache = VectorCache(path.parent / "cache" / "vectors.db")
    with Gallery.open(path) as gallery, cache:
        filled(gallery, make, people=2)
        for i in (50, 52):  # the last command enrolled p0 again
            make.put(gallery, "p0", i, run="last")
        cache.put(make.digest(0), "chain", cached(make, 0))
        cache.put(make.digest(50), "chain", cached(make, 50))
        cache.put(make.digest(1), "chain", cached(make, 1))
        gallery.hold_cache(cache)
        export, classifier = path.with_name("people.npz"), path.with_name("elsewhere.npz")
        gallery.export(export, make.vectors(1, 0).space.id)
        with gallery.holding(classifier, "classifier"):
            classifier.write_bytes(export.read_bytes())
    return export, classifier, cache.path


@pytest.mark.parametrize("how", ["remove", "undo"])
@pytest.mark.parametrize("where", ["holders", "cache", "erase", "export", "scrub", "proof"])
def test_what_was_cut_off_anywhere_is_finished_by_the_next_opening(path, make, where, how):
    export, classifier, cache = held(path, make)
    words = [sys.executable, "-c", KILLED, str(path), str(cache), where, how]
    assert subprocess.run(words, check=False).returncode == -9
    gone = [0, 2, 4, 50, 52] if how == "remove" else [50, 52]
    with Gallery.open(path) as gallery:
        (job,) = gallery.removals()
        assert job.verified
        assert (job.worker, job.digests) == ("", ())
        states = {one.path: one.state for one in job.holders}
        assert states == {export: "erased", classifier: "erased", cache: "erased"}
        receipt = gallery.proof(job.id)
        assert receipt.verified
        assert {path, export, cache} <= set(receipt.files)
        if how == "remove":
            assert gallery.remove("p0").verified  # asked for again
    assert not classifier.exists()
    everything = make.files(path) + make.files(cache) + export.read_bytes()
    for i in gone:
        assert make.traces(everything, make.vectors(1, i)) == 0
        assert make.digest(i).encode() not in everything
    assert make.traces(export.read_bytes(), make.vectors(1, 1)) == 1
    assert make.traces(make.files(cache), make.vectors(1, 1)) == 1


def test_an_undone_enrollment_is_erased_like_a_removed_person(path, make):
    export, classifier, place = held(path, make)
    with Gallery.open(path) as gallery, VectorCache(place) as cache:
        gallery.undo(cache=cache)
        (job,) = gallery.removals()
    assert (job.templates, job.photos, job.verified) == (2, 2, True)
    assert not classifier.exists()
    for data in (make.files(path), make.files(place), export.read_bytes()):
        assert make.traces(data, make.vectors(1, 50)) == 0
    assert make.traces(export.read_bytes(), make.vectors(1, 0)) == 1


def test_the_receipt_lists_what_is_gone_from_where_it_was_and_what_is_another_file(path, make):
    export, classifier, _ = held(path, make)
    moved = export.rename(export.with_name("moved.npz"))
    vectors = make.vectors(1, 0).vectors.tobytes()
    classifier.write_bytes(b"of somebody else" + vectors)
    with Gallery.open(path) as gallery:
        receipt = gallery.remove("p0")
        states = {one.path: one.state for one in receipt.holders}
        assert (states[export], states[classifier]) == ("gone", "changed")
        assert (receipt.verified, receipt.found) == (False, (classifier,))
        assert moved.exists()
        classifier.unlink()
        again = gallery.proof("p0")
        assert again.verified
        assert again.id == receipt.id


def test_a_gallery_that_was_renamed_knows_its_files(path, make):
    with Gallery.open(path) as gallery:
        classifier = with_classifier(gallery, make)
        data = classifier.read_bytes()
        with gallery.holding(classifier, "classifier"):
            classifier.write_bytes(data)
    other = path.with_name("other.db")
    path.rename(other)
    with Gallery.open(other) as gallery:
        receipt = gallery.remove("p0")
    assert receipt.verified
    assert [one.state for one in receipt.holders] == ["erased"]
    assert not classifier.exists()


def test_a_proof_that_is_asked_again_finds_what_came_back(path, gallery, make):
    filled(gallery, make)
    export = path.with_name("people.npz")
    gallery.export(export, make.vectors(1, 0).space.id)
    copy = export.read_bytes()
    first = gallery.remove("p0")
    assert first.verified
    export.write_bytes(b"-" + copy)  # the back-up was put in its place, at an odd address
    again = gallery.proof("p0")
    assert (again.verified, again.found) == (False, (export,))
    export.unlink()
    assert gallery.proof(first.id).verified
    with pytest.raises(UnknownPerson, match="No removal is known"):
        gallery.proof("nobody")


def test_a_file_that_failed_to_be_written_is_not_taken_for_ones_own(path, gallery, make):
    filled(gallery, make)
    other = path.with_name("mine.txt")
    other.write_text("mine")
    with pytest.raises(ZeroDivisionError), gallery.holding(other, "classifier"):
        raise ZeroDivisionError
    assert gallery.holders() == []
    gallery.remove("p0")
    assert other.read_text() == "mine"


def test_knowing_a_file_is_no_change_of_the_gallery(path, gallery, make):
    filled(gallery, make)
    before = gallery.revision
    gallery.export(path.with_name("people.npz"), make.vectors(1, 0).space.id)
    assert len(gallery.holders()) == 1
    assert gallery.revision == before
