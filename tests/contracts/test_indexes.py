"""The laws of an Index, for every index that gallery/indexes holds and for a toy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.compare.scores import score_matrix
from facelign.errors import BadArray
from facelign.gallery.indexes import exact
from facelign.gallery.indexes.exact import ExactIndex
from facelign.types.contracts import Hits, Index
from facelign.types.embeddings import Metric, Space
from scanned import classes


class PlainIndex(Index):
    """A toy second index: a list that is sorted at every question."""

    def __init__(self, space):
        self.space, self._rows = space, ExactIndex(space)

    def __len__(self):
        return len(self._rows)

    def add(self, ids, vectors):
        self._rows.add(ids, vectors)

    def remove(self, ids):
        return self._rows.remove(ids)

    def vectors(self, ids):
        return self._rows.vectors(ids)

    def search(self, vectors, k):
        ids = self._rows.rows.ids
        k_found = min(k, len(ids))
        hits = np.full((len(vectors), k), -1), np.full((len(vectors), k), -np.inf, np.float32)
        for i, probe in enumerate(vectors if len(ids) else ()):
            scores = score_matrix(probe, self.vectors(ids), self.space.metric)[0]
            order = np.argsort(-scores, kind="stable")[:k]
            hits[0][i, :k_found], hits[1][i, :k_found] = ids[order], scores[order]
        return Hits(*hits, np.full(len(vectors), k_found, np.int64))


INDEXES = {**classes("facelign.gallery.indexes", Index), "toy": PlainIndex}
SPACES = [
    Space("a/b/five", 16, Metric.COSINE, unit=True),
    Space("a/b/five/raw", 16, Metric.COSINE, unit=False),
    Space("c/d/five", 16, Metric.EUCLIDEAN, unit=False),
    Space("e/f/five", 16, Metric.SQUARED_EUCLIDEAN, unit=False),
]
SIZES = [0, 1, 9, 700, 7000]
every_index = pytest.mark.parametrize("name", INDEXES)
every_space = pytest.mark.parametrize("space", SPACES, ids=lambda s: s.id)


def vectors(n, seed, space):
    made = np.random.default_rng(seed).normal(size=(n, space.dim)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True) if space.unit else made


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, each of which grows, without a hundred thousand vectors."""
    monkeypatch.setattr(exact, "BLOCK", 128)
    monkeypatch.setattr(exact, "FIRST", 8)


@every_index
@every_space
@pytest.mark.parametrize("n", SIZES)
def test_recall_and_scores_against_compare(name, space, n):
    index = INDEXES[name](space)
    ids = 3 * np.arange(n, dtype=np.int64) + 7
    data = vectors(n, 1, space)
    for start in range(0, n, 333):
        index.add(ids[start : start + 333], data[start : start + 333])
    assert len(index) == n
    probes = vectors(5, 2, space)
    for k in (1, 4, 50):
        hits = index.search(probes, k)
        assert hits.ids.shape == hits.scores.shape == (5, k)
        assert hits.ids.dtype == np.int64
        assert hits.scores.dtype == np.float32
        np.testing.assert_array_equal(hits.counts, min(k, n))
        assert (hits.ids[:, min(k, n) :] == -1).all()
        if not n:
            continue
        table = np.asarray(score_matrix(probes, data, space.metric))
        order = np.argsort(-table, axis=1, kind="stable")[:, :k]
        found = hits.ids[:, : min(k, n)]
        same = np.mean(
            [len(set(a) & set(ids[b])) / len(b) for a, b in zip(found, order, strict=True)]
        )
        assert same >= index.recall
        if index.exact:
            np.testing.assert_array_equal(found, ids[order])
            np.testing.assert_allclose(
                hits.scores[:, : min(k, n)], np.take_along_axis(table, order, 1), atol=2e-6
            )


@every_index
@every_space
def test_what_was_added_is_found_first_and_what_was_removed_never(name, space):
    index = INDEXES[name](space)
    data = vectors(600, 3, space)
    index.add(np.arange(600), data)
    before = index.search(data[:3], 5)
    assert index.search(data, 1).ids[:, 0].tolist() == list(range(600))
    gone = np.array([0, 5, 127, 128, 129, 599, 12345])
    assert index.remove(gone) == 6
    assert index.remove(gone) == 0
    assert len(index) == 594
    assert not np.isin(index.search(data, 3).ids, gone).any()
    index.add(np.array([600]), data[:1])
    assert index.search(data[:1], 1).ids[0, 0] == 600
    assert index.remove(np.arange(1, 600)) == 594
    assert index.search(data[:3], 5).ids[:, 0].tolist() == [600] * 3
    assert index.remove(np.array([600])) == 1
    assert index.search(data[:3], 5).counts.tolist() == [0, 0, 0]
    index.add(np.arange(3000, 3600), data)
    np.testing.assert_array_equal(index.search(data[:3], 5).ids, before.ids + 3000)


@every_index
@every_space
def test_batches_give_what_single_probes_give(name, space):
    index = INDEXES[name](space)
    index.add(np.arange(3000), vectors(3000, 4, space))
    probes = vectors(9, 5, space)
    batch = index.search(probes, 10)
    for i in range(9):
        single = index.search(probes[i : i + 1], 10)
        np.testing.assert_array_equal(single.ids[0], batch.ids[i])
        np.testing.assert_array_equal(single.scores[0], batch.scores[i])


@every_index
def test_of_equal_vectors_the_older_comes_first(name):
    space = SPACES[2]
    index = INDEXES[name](space)
    one = vectors(1, 1, space)
    index.add(np.arange(4000), np.repeat(one, 4000, axis=0))
    assert index.search(one, 3).ids[0].tolist() == [0, 1, 2]
    assert index.search(one, 3).scores[0].tolist() == [0, 0, 0]


def test_an_index_is_found():
    assert INDEXES["exact"] is ExactIndex


@every_index
@every_space
def test_vectors_are_given_back_as_they_are_compared(name, space):
    index = INDEXES[name](space)
    data = vectors(500, 8, space)
    index.add(2 * np.arange(500), data)
    index.remove(np.array([0, 400]))
    picked = np.array([998, 4, 250])
    wanted = data[picked // 2]
    if space.metric is Metric.COSINE:
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(index.vectors(picked), wanted, atol=1e-6)


def test_a_search_that_has_begun_is_not_disturbed():
    space = SPACES[0]
    index = ExactIndex(space)
    data = vectors(1500, 6, space)
    index.add(np.arange(1000), data[:1000])
    rows = index.rows
    index.remove(np.arange(0, 1000, 2))
    index.add(np.arange(1000, 1500), data[1000:])
    assert rows.search(data[:1000], 1).ids[:, 0].tolist() == list(range(1000))


@every_index
def test_wrong_input_is_refused(name):
    space = SPACES[0]
    index = INDEXES[name](space)
    index.add(np.array([5, 6]), vectors(2, 1, space))
    for ids, data in (
        ([6], vectors(1, 1, space)),
        ([8, 7], vectors(2, 1, space)),
        ([9], vectors(2, 1, space)),
        ([9], np.zeros((1, 3), np.float32)),
        ([9], np.full((1, 16), np.nan, np.float32)),
    ):
        with pytest.raises(BadArray):
            index.add(np.array(ids), data)
    assert len(index) == 2


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 99)), max_size=6),
    metric=st.sampled_from([SPACES[0], SPACES[2]]),
)
def test_any_history_gives_the_same_as_a_fresh_index(steps, metric):
    index, held, last = ExactIndex(metric), {}, 0
    for count, share in steps:
        data = vectors(count, last, metric)
        index.add(np.arange(last, last + count), data)
        held |= {last + i: v for i, v in enumerate(data)}
        last += count
        gone = np.random.default_rng(last).choice(last, last * share // 100, replace=False)
        assert index.remove(gone) == len(held.keys() & set(gone.tolist()))
        for number in gone.tolist():
            held.pop(number, None)
    assert index.rows.ids.tolist() == sorted(held)
    if held:
        fresh = ExactIndex(metric)
        ids = sorted(held)
        fresh.add(np.array(ids), np.stack([held[i] for i in ids]))
        probes = vectors(2, 77, metric)
        np.testing.assert_array_equal(index.search(probes, 7).ids, fresh.search(probes, 7).ids)
