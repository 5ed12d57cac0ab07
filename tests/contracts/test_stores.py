"""The laws of a TemplateStore, for every store that gallery/stores holds and for a toy.

Each law runs over the store itself or over a Gallery with it: whoever keeps these is a store.
"""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from dataclasses import replace

import numpy as np
import pytest

from facelign.errors import DuplicateTemplate, GalleryError, SpaceMismatch, UnknownPerson
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores import open_store
from facelign.gallery.stores.memory import MemoryStore
from facelign.types.changes import Accept, Entry, Merge, PersonRef, Reject, Rename, Split, Withdraw
from facelign.types.contracts import TemplateStore
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.policies import TemplateMode
from facelign.types.templates import FaceRecord, Holder, PhotoRef, Removal, Row
from scanned import classes


class OnPurpose(Exception):
    """What fails a transaction here."""


class LoggingStore(MemoryStore):
    """A toy third store: it counts what is asked of it, and passes the laws."""

    def __init__(self, path):
        super().__init__(path)
        self.asked = 0

    def apply(self, change):
        self.asked += 1
        return super().apply(change)


STORES = {**classes("facelign.gallery.stores", TemplateStore), "toy": LoggingStore}
SPACES = [
    Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True),
    Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False),
    Space("tiny/crop/box", 3, Metric.SQUARED_EUCLIDEAN, unit=False),
]
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.id)


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    opened = STORES[request.param](tmp_path / "g.db")
    yield opened
    opened.close()


@pytest.fixture
def gallery(store):
    return Gallery(store)


def test_a_store_is_found_and_bears_the_name_that_it_is_made_with(tmp_path):
    assert {"memory", "sqlite"} <= set(STORES)
    for kind in STORES.values():
        store = kind(tmp_path / "people.db")
        assert store.name == "people.db"
        store.close()


def embeddings(n, seed, space):
    made = np.random.default_rng(seed).normal(size=(n, space.dim)).astype(np.float32)
    norms = np.linalg.norm(made, axis=1)
    return Embeddings(made / norms[:, None] if space.unit else made, space, norms)


def photo(seed):
    return PhotoRef(f"{seed}.jpg", f"{seed:064x}")


def enroll(store, person, seed, space=SPACES[0], n=1):
    found = embeddings(n, seed, space)
    rows = [
        Row(person, v, photo(seed), float(norm))
        for v, norm in zip(found.vectors, found.norms, strict=True)
    ]
    return tuple(range(*store.enroll(rows, space).templates))


def put(gallery, person, seed, space=SPACES[0], **more):
    found = embeddings(1, seed, space)
    return gallery.enroll(person, found, photo=photo(seed), faces=[FaceRecord()], **more)


def contents(store):
    """Everything that a store tells, except the history and the revision."""
    return (
        [(p.id, p.name, p.templates, p.spaces, p.created) for p in store.people()],
        store.names(),
        [
            (t.ids.tolist(), t.persons.tolist(), t.vectors.tobytes())
            for s in SPACES
            for t in store.vectors(s.id)
        ],
        [
            (t.id, t.person, t.photo, t.space, t.norm, t.created, t.rejected)
            for p in store.people()
            for t in store.templates(PersonRef(p.id, p.name))
        ],
        store.rejections(),
        store.spaces(),
    )


def test_a_calibration_is_kept_of_each_space_and_is_no_change(store):
    enroll(store, "Ada", 1)
    before = store.state()
    assert store.calibrations() == {}
    store.keep_calibration("b", "{}")
    store.keep_calibration("a", '{"wörter": 1}')
    store.keep_calibration("b", "[]")
    assert store.calibrations() == {"a": '{"wörter": 1}', "b": "[]"}
    store.keep_calibration("a", None)
    store.keep_calibration("c", None)
    assert store.calibrations() == {"b": "[]"}
    assert store.state() == before


# -- what is kept --------------------------------------------------------------------------------


@every_space
def test_vectors_come_back_bit_for_bit(store, space):
    wanted, ids = [], []
    for seed in range(20):
        ids += enroll(store, f"p{seed % 4}", seed, space, n=2)
        wanted.append(embeddings(2, seed, space).vectors)
    found = list(store.vectors(space.id))
    assert np.concatenate([t.ids for t in found]).tolist() == ids
    np.testing.assert_array_equal(
        np.concatenate([t.vectors for t in found]), np.concatenate(wanted)
    )
    assert {p.name: p.templates for p in store.people()} == {f"p{i}": 10 for i in range(4)}
    late = [i for t in store.vectors(space.id, ids[-3]) for i in t.ids.tolist()]
    assert late == ids[-2:]
    owned, owners = store.owners(space.id)
    assert owned.tolist() == ids
    assert [store.names()[i] for i in owners.tolist()] == [
        f"p{s % 4}" for s in range(20) for _ in "xx"
    ]


def test_everything_about_a_template_is_kept(store):
    face = FaceRecord((1, 2, 31, 42), np.ones((5, 2), np.float32), "five", 0.5, 40.0)
    row = Row("Ada", np.array([1, 2, 3], np.float32), photo(7), 3.5, face, "signed")
    store.enroll([row], SPACES[2])
    (info,) = store.templates(store.person("Ada"))
    assert (info.person, info.photo, info.space) == ("Ada", photo(7), SPACES[2].id)
    assert (info.norm, info.consent, info.rejected) == (3.5, "signed", False)
    assert (info.face.box, info.face.scheme, info.face.score) == ((1, 2, 31, 42), "five", 0.5)
    np.testing.assert_array_equal(info.face.points, face.points)
    (found,) = store.photos([photo(7).digest, photo(8).digest], SPACES[2].id)
    assert (found.digest, found.person, found.box) == (photo(7).digest, "Ada", (1, 2, 31, 42))
    assert store.photos([photo(7).digest], SPACES[0].id) == []
    assert store.person("Bob") is None


def test_spaces_lie_side_by_side(store):
    for space in SPACES:
        enroll(store, "Ada", 1, space)
        enroll(store, "Bob", 2, space)
    assert {s.space: (s.people, s.templates) for s in store.spaces()} == dict.fromkeys(
        SPACES, (2, 2)
    )
    assert all(set(p.spaces) == {s.id for s in SPACES} for p in store.people())


def test_one_id_is_one_space(store):
    enroll(store, "Ada", 1)
    before = contents(store)
    with pytest.raises(SpaceMismatch):
        enroll(store, "Bob", 2, Space(SPACES[0].id, 64, Metric.COSINE, unit=True))
    assert contents(store) == before


def test_ids_rise_and_are_never_used_again(gallery):
    seen = []
    for seed in range(6):
        seen += put(gallery, f"p{seed}", seed)
    people = set(gallery.store.names())
    gallery.remove("p5")
    seen += put(gallery, "p5", 5)
    gallery.undo()
    seen += put(gallery, "p5", 5)
    assert seen == sorted(set(seen))
    assert len(seen) == 8
    assert max(gallery.store.names()) > max(people)


# -- transactions --------------------------------------------------------------------------------


def test_a_failed_transaction_leaves_no_trace(store):
    enroll(store, "Ada", 1)
    before = contents(store), store.state()
    with suppress(OnPurpose), store.transaction():
        enroll(store, "Bob", 2)
        enroll(store, "Bob", 3, SPACES[1])
        store.record(Entry("now", Rename(PersonRef(1, "Ada"), "Eve"), 0))
        raise OnPurpose
    assert (contents(store), store.state()) == before
    assert list(store.history()) == []
    enroll(store, "Bob", 2)  # the space that was new in the failed one is known again
    enroll(store, "Bob", 2, SPACES[1])
    assert store.state().revision > before[1].revision


def test_an_inner_transaction_that_is_caught_leaves_no_trace(store):
    enroll(store, "Ada", 1)
    revision = store.state().revision
    with store.transaction():
        enroll(store, "Bob", 2)
        with suppress(OnPurpose), store.transaction():
            enroll(store, "Carl", 3, SPACES[1])
            with store.transaction():
                store.apply(Rename(store.person("Ada"), "Eve"))
            raise OnPurpose
        enroll(store, "Dora", 4, SPACES[1])
    assert sorted(store.names().values()) == ["Ada", "Bob", "Dora"]
    assert {s.id: s.templates for s in store.spaces()} == {SPACES[0].id: 2, SPACES[1].id: 1}
    state = store.state()
    assert (state.revision, state.reshaped) == (revision + 1, 0)


def test_an_inner_transaction_that_holds_is_part_of_the_outer_one(store):
    with suppress(OnPurpose), store.transaction():
        with store.transaction():
            enroll(store, "Bob", 2)
        assert store.person("Bob") is not None
        raise OnPurpose
    assert store.people() == []


def test_what_changed_nothing_is_no_revision(store):
    enroll(store, "Ada", 1)
    revision = store.state().revision
    with store.transaction():
        store.people()
    with store.transaction(), suppress(OnPurpose), store.transaction():
        enroll(store, "Bob", 2)
        raise OnPurpose
    assert store.state().revision == revision


def test_several_changes_in_one_transaction_are_one_revision(store):
    before = store.state().revision
    with store.transaction():
        for seed in range(5):
            enroll(store, "Ada", seed)
    assert store.state().revision == before + 1


def test_only_more_than_an_addition_reshapes(store):
    enroll(store, "Ada", 1)
    enroll(store, "Ada", 2)
    assert store.state().reshaped == 0
    store.apply(Rename(store.person("Ada"), "Eve"))
    assert store.state() == type(store.state())(3, 3)
    enroll(store, "Eve", 3)
    assert (store.state().revision, store.state().reshaped) == (4, 3)


def test_threads_write_one_after_another(store):
    def work(name):
        for seed in range(10):
            enroll(store, name, seed)

    threads = [threading.Thread(target=work, args=(f"p{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {p.name: p.templates for p in store.people()} == {f"p{i}": 10 for i in range(4)}
    assert store.state().revision == 40


# -- changes -------------------------------------------------------------------------------------


def filled(store):
    for seed in range(6):
        enroll(store, ("Ada", "Bob")[seed % 2], seed)
    enroll(store, "Ada", 1)  # a photo of Bob, too
    for name, digest in (("Ada", "a"), ("Ada", "b"), ("Bob", "b"), ("Bob", photo(3).digest)):
        store.apply(Reject(store.person(name), digest, "x.jpg"))
    return store.person("Ada"), store.person("Bob")


CHANGES = {
    "rename": lambda ada, bob: Rename(ada, "Eve"),
    "merge": lambda ada, bob: Merge(ada, bob),
    "merge back": lambda ada, bob: Merge(bob, ada),
    "split": lambda ada, bob: Split(ada, (1, 5), PersonRef(0, "Eve")),
    "reject": lambda ada, bob: Reject(bob, photo(1).digest, "1.jpg"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_an_inverse_leads_back_and_its_inverse_there_again(store, kind):
    before, people = filled(store), contents(store)
    inverse = store.apply(CHANGES[kind](*before))
    after = contents(store)
    assert after != people
    again = store.apply(inverse)
    assert contents(store) == people
    store.apply(again)
    assert without_times(contents(store)) == without_times(after)


def without_times(found):
    """Who was made anew bears another day, and another id."""
    return [(name, templates) for _, name, templates, *_ in found[0]], sorted(found[4])


def test_a_change_that_changes_nothing_has_no_inverse(store):
    ada, _ = filled(store)
    before = contents(store)
    assert store.apply(Reject(ada, "a", "elsewhere.jpg")) is None
    assert store.rejected(ada) == {"a": "x.jpg", "b": "x.jpg"}
    assert store.apply(Accept(ada, "never")) is None
    assert contents(store) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda ada, bob: Rename(ada, "Bob"),
        lambda ada, bob: Split(ada, (1,), PersonRef(0, "Bob")),
    ],
)
def test_a_name_that_is_taken_is_refused_and_leaves_no_trace(store, change):
    people = filled(store)
    before = contents(store), store.state()
    with pytest.raises(GalleryError, match="There is a 'Bob' already"):
        store.apply(change(*people))
    assert (contents(store), store.state()) == before


def test_withdrawn_templates_are_gone_and_so_is_who_came_with_them(store):
    enroll(store, "Ada", 1)
    before = contents(store)
    found = embeddings(3, 9, SPACES[0])
    rows = [
        Row(name, vector, photo(90 + i))
        for i, (name, vector) in enumerate(zip(("Ada", "Bob", "Cleo"), found.vectors, strict=True))
    ]
    done = store.enroll(rows, SPACES[0])
    assert done.person is None
    assert done.templates == (2, 5)
    assert store.apply(Withdraw(done.templates, done.people)) is None
    assert contents(store) == before


def test_the_history_is_kept_newest_first(store):
    ada, bob = filled(store)
    inverse = store.apply(Merge(ada, bob))
    entries = [
        Entry("t1", Rename(ada, "Eve"), 0, Rename(PersonRef(ada.id, "Eve"), "Ada"), "run"),
        Entry("t2", Merge(ada, bob), 4, inverse),
    ]
    for entry in entries:
        store.record(entry)
    second, first = store.history()
    assert (first.number, second.number) == (1, 2)
    assert (first.change, first.inverse, first.run, first.time) == (
        entries[0].change,
        entries[0].inverse,
        "run",
        "t1",
    )
    assert (second.change, second.inverse, second.templates) == (entries[1].change, inverse, 4)
    store.record(replace(first, undone="t3"))
    assert [entry.undone for entry in store.history()] == [None, "t3"]


# -- removal -------------------------------------------------------------------------------------


@every_space
def test_removed_means_gone(gallery, space):
    for seed in range(8):
        put(gallery, f"p{seed % 2}", seed, space)
    gallery.rename("p0", "Ada")
    receipt = gallery.remove("Ada")
    assert receipt.verified
    assert receipt.templates == 4
    assert receipt.files == tuple(gallery.store.files())
    left = np.concatenate([t.vectors for t in gallery.store.vectors(space.id)])
    wanted = np.concatenate([embeddings(1, seed, space).vectors for seed in (1, 3, 5, 7)])
    np.testing.assert_array_equal(left, wanted)
    with pytest.raises(UnknownPerson):
        gallery.templates("Ada")
    told = [entry.text for entry in gallery.history()]
    assert told == 4 * ["1 template of p1"] + ["one person with 4 templates"]


def test_what_was_erased_is_handed_over(store):
    ada, _ = filled(store)
    erased = store.remove(ada, [])
    assert erased.templates == 4
    assert set(erased.digests) == {photo(seed).digest for seed in (0, 2, 4, 1)}
    wanted = [embeddings(1, seed, SPACES[0]).vectors.astype("<f4").tobytes() for seed in (0, 2, 4)]
    assert set(wanted) < set(erased.vectors)
    shared = embeddings(1, 1, SPACES[0]).vectors.tobytes()
    assert store.shared(set(erased.vectors)) == {shared}
    assert set(store.names().values()) == {"Bob"}
    assert set(store.rejections()) == {"b", photo(3).digest}


# -- the rules of a gallery hold over every store ------------------------------------------------


def test_a_whole_life(gallery):
    steps = [
        lambda: put(gallery, "Ada", 1, run="monday"),
        lambda: put(gallery, "Ada", 2, run="tuesday"),
        lambda: put(gallery, "Bob", 3),
        lambda: gallery.rename("Bob", "Robert"),
        lambda: gallery.merge("Ada", "Robert"),
        lambda: gallery.split("Robert", [gallery.templates("Robert")[0].id], "Ada"),
        lambda: gallery.reject("Robert", digest=photo(3).digest),
    ]
    states = [contents(gallery.store)]
    for step in steps:
        step()
        states.append(contents(gallery.store))
    assert [entry.action for entry in gallery.history()] == [
        "enroll",
        "enroll",
        "enroll",
        "rename",
        "merge",
        "split",
        "reject",
    ]
    while states[1:]:
        found, wanted = contents(gallery.store), states.pop()
        assert found == wanted
        gallery.undo()
    assert contents(gallery.store)[0] == []
    with pytest.raises(GalleryError, match="nothing to undo"):
        gallery.undo()


def test_who_is_found(gallery):
    for seed in range(12):
        put(gallery, f"p{seed % 4}", seed)
    probe = embeddings(1, 6, SPACES[0])
    for mode in TemplateMode:
        answer = gallery.search(probe, k=4, mode=mode)[0]
        assert answer[0].person == "p2"
        assert {c.person for c in answer} == {"p0", "p1", "p2", "p3"}
        assert [c.rank for c in answer] == [1, 2, 3, 4]
    gallery.reject("p2", digest=photo(6).digest)
    assert gallery.search(probe)[0][0].score < 0.9
    gallery.undo()
    assert gallery.search(probe)[0][0].score > 0.999
    gallery.remove("p2")
    assert {c.person for c in gallery.search(probe)[0]} == {"p0", "p1", "p3"}


def test_a_photo_is_enrolled_once(gallery):
    put(gallery, "Ada", 1)
    with pytest.raises(DuplicateTemplate, match="already enrolled as Ada"):
        put(gallery, "Bob", 1)
    rows = [Row("Ada", embeddings(1, s, SPACES[0]).vectors[0], photo(s)) for s in (1, 2, 2, 3)]
    done = gallery.enroll_many(rows, SPACES[0])
    assert (done.enrolled, [i for i, _ in done.skipped]) == (2, [0, 2])
    gallery.undo()
    assert gallery.count(SPACES[0].id) == (1, 1)


def test_what_is_exported_is_imported(gallery, tmp_path):
    from facelign.gallery import transfer

    for seed in range(4):
        put(gallery, f"p{seed % 2}", seed, SPACES[2])
    assert gallery.export(tmp_path / "out.npz") == 4
    other = Gallery(MemoryStore())
    assert other.import_batch(transfer.read(tmp_path / "out.npz")).enrolled == 4
    assert [p.name for p in other.people()] == ["p0", "p1"]
    assert other.history()[0].action == "import"


# -- files elsewhere that hold its vectors -------------------------------------------------------


def test_files_elsewhere_are_known_by_path_and_are_no_change(store, tmp_path):
    enroll(store, "Ada", 1)
    before, (a, b) = store.state(), (tmp_path / "a.npz", tmp_path / "b.npz")
    assert store.holders() == []
    store.hold(Holder(b, "export"))
    store.hold(Holder(a, "backup"))
    store.hold(Holder(b, "export", "abc"))
    assert store.holders() == [Holder(a, "backup"), Holder(b, "export", "abc")]
    with suppress(OnPurpose), store.transaction():
        store.let_go(a)
        raise OnPurpose
    store.let_go(b)
    store.let_go(tmp_path / "nobody knows it")
    assert store.holders() == [Holder(a, "backup")]
    assert store.state() == before


def test_removals_are_known_newest_first_by_their_id_and_are_no_change(store):
    enroll(store, "Ada", 1)
    before = store.state()
    old, new = (Removal(i, "t", b"salt", b"who", 1, 1, b"prints", ("d",)) for i in "ba")
    for job in (old, new, replace(old, verified=True, digests=())):
        store.keep(job)
    with suppress(OnPurpose), store.transaction():
        store.keep(replace(new, verified=False))
        raise OnPurpose
    assert store.removals() == [new, replace(old, verified=True, digests=())]
    assert store.state() == before


def test_every_vector_is_looked_through_those_that_are_set_aside_too(gallery):
    for seed in range(3):
        put(gallery, "Ada", seed)
    gallery.reject("Ada", digest=photo(1).digest)
    number = gallery.store.person("Ada").id
    seen = [row for part in gallery.store.every_vector() for row in part]
    wanted = [embeddings(1, seed, SPACES[0]).vectors.astype("<f4").tobytes() for seed in range(3)]
    assert {person for _, person, _ in seen} == {number}
    assert [vector for _, _, vector in sorted(seen)] == wanted


def test_a_removal_reaches_what_was_exported(gallery, tmp_path):
    for seed in range(4):
        put(gallery, f"p{seed % 2}", seed)
    out = tmp_path / "out.npz"
    gallery.export(out)
    assert [holder.kind for holder in gallery.holders()] == ["export"]
    receipt = gallery.remove("p0")
    assert receipt.verified
    assert out in receipt.files
    with np.load(out) as left:
        assert {*left["persons"].tolist()} == {"p1"}
    assert gallery.was_removed("p0")
    assert gallery.proof("p0").id == receipt.id


def test_a_back_up_is_a_gallery_that_removals_reach_or_is_refused(gallery, tmp_path):
    for seed in range(4):
        put(gallery, f"p{seed % 2}", seed)
    gallery.reject("p0", digest=photo(2).digest)
    copy = tmp_path / "copy.db"
    if not gallery.store.backs_up:
        with pytest.raises(GalleryError, match="makes no back-up of itself"):
            gallery.backup(copy)
        assert not copy.exists()
        assert gallery.holders() == []
        return
    assert gallery.backup(copy).sound
    with closing(open_store(copy, create=False)) as opened:
        assert contents(opened) == contents(gallery.store)
    assert gallery.remove("p0").verified
    with closing(open_store(copy, create=False)) as opened:
        assert set(opened.names().values()) == {"p1"}
        assert contents(opened) == contents(gallery.store)


def test_a_store_with_a_place_names_the_files_of_its_vectors(store):
    assert bool(store.files()) == (store.location is not None)
