"""The laws of a GalleryStore, for every store. Another store is one more line in STORES."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.errors import UnknownPerson
from facelign.gallery import removal
from facelign.gallery.stores.sqlite import SqliteStore
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef

STORES = {
    "sqlite": lambda folder: SqliteStore(folder / "g.db", create=True, readonly=False, wait_s=1.0)
}
SPACES = [
    Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True),
    Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False),
    Space("tiny/crop/box", 3, Metric.SQUARED_EUCLIDEAN, unit=False),
]
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.id)


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    opened = STORES[request.param](tmp_path)
    yield opened
    opened.close()


def embeddings(n, seed, space):
    made = np.random.default_rng(seed).normal(size=(n, space.dim)).astype(np.float32)
    norms = np.linalg.norm(made, axis=1)
    return Embeddings(made / norms[:, None] if space.unit else made, space, norms)


def enroll(store, person, seed, space, n=1):
    photo = PhotoRef(f"{seed}.jpg", f"{seed:064x}")
    return store.enroll(person, embeddings(n, seed, space), photo=photo, faces=[FaceRecord()] * n)


def contents(store):
    return (
        [(p.name, p.templates) for p in store.people()],
        [
            (t.ids.tolist(), t.persons.tolist(), t.vectors.tobytes())
            for s in SPACES
            for t in store.templates(s.id)
        ],
        store.revision,
    )


@every_space
def test_vectors_come_back_bit_for_bit(store, space):
    wanted, ids = [], []
    for seed in range(20):
        ids += enroll(store, f"p{seed % 4}", seed, space, n=2)
        wanted.append(embeddings(2, seed, space).vectors)
    found = list(store.templates(space.id))
    assert np.concatenate([t.ids for t in found]).tolist() == ids
    np.testing.assert_array_equal(
        np.concatenate([t.vectors for t in found]), np.concatenate(wanted)
    )
    assert {p.name: p.templates for p in store.people()} == {f"p{i}": 10 for i in range(4)}


def test_ids_rise_and_are_never_used_again(store):
    space = SPACES[0]
    seen = []
    for seed in range(6):
        seen += enroll(store, f"p{seed}", seed, space)
    removal.remove(store, "p5", None)
    seen += enroll(store, "p5", 5, space)
    assert seen == sorted(set(seen))
    assert len(seen) == 7


def test_a_failed_transaction_leaves_no_trace(store):
    space = SPACES[0]
    enroll(store, "Ada", 1, space)
    before = contents(store)
    with pytest.raises(RuntimeError, match="on purpose"):
        fail(store, space)
    assert contents(store) == before
    enroll(store, "Bob", 2, space)  # the space that was new in the failed one is known again
    enroll(store, "Bob", 2, SPACES[1])
    assert store.revision > before[2]


def fail(store, space):
    with store.transaction():
        enroll(store, "Bob", 2, space)
        enroll(store, "Bob", 3, SPACES[1])
        raise RuntimeError("on purpose")


def test_several_changes_in_one_transaction_are_one_revision(store):
    before = store.revision
    with store.transaction():
        for seed in range(5):
            enroll(store, "Ada", seed, SPACES[0])
    assert store.revision == before + 1


def test_spaces_lie_side_by_side(store):
    for space in SPACES:
        enroll(store, "Ada", 1, space)
        enroll(store, "Bob", 2, space)
    assert {s.space: (s.people, s.templates) for s in store.spaces()} == dict.fromkeys(
        SPACES, (2, 2)
    )
    assert all(set(p.spaces) == {s.id for s in SPACES} for p in store.people())


@every_space
def test_removed_means_gone(store, space):
    for seed in range(8):
        enroll(store, f"p{seed % 2}", seed, space)
    receipt = removal.remove(store, "p0", None)
    assert receipt.verified
    assert receipt.templates == 4
    left = np.concatenate([t.vectors for t in store.templates(space.id)])
    wanted = np.concatenate([embeddings(1, seed, space).vectors for seed in (1, 3, 5, 7)])
    np.testing.assert_array_equal(left, wanted)
    with pytest.raises(UnknownPerson):
        store.infos("p0")
