"""The search over arrays is the search of a gallery."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.compare.scores import distance
from facelign.errors import SpaceMismatch
from facelign.gallery import search
from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Embeddings
from facelign.types.policies import TemplateMode
from facelign.types.templates import Row

every_mode = pytest.mark.parametrize("mode", TemplateMode)
every_space = pytest.mark.parametrize("name", ["cosine", "euclidean"])


def crowd(make, space, people=40, each=4):
    """Return (templates, their people, probes): every person's vectors lie around one of them."""
    n = people * each
    templates = Embeddings.joined([make.near(i % people, 0.4, i, space) for i in range(n)])
    names = [f"p{i % people:02d}" for i in range(n)]
    probes = Embeddings.joined([make.near(i, 0.4, 1000 + i, space) for i in range(people)])
    return templates, names, probes


@every_mode
@every_space
def test_arrays_and_a_gallery_give_the_same_candidates(gallery, make, mode, name):
    space = getattr(make, name)
    templates, names, probes = crowd(make, space)
    rows = [Row(person, templates.vectors[i], make.photo(i)) for i, person in enumerate(names)]
    gallery.enroll_many(rows, space)
    wanted = gallery.search(probes, k=7, mode=mode)
    assert [[c.rank for c in answer] for answer in wanted] == [list(range(1, 8))] * len(probes)
    found = search.search(probes, templates, names, k=7, mode=mode)
    assert found == wanted
    assert [answer[0].person for answer in found] == [f"p{i:02d}" for i in range(len(probes))]


@every_mode
@every_space
def test_the_table_holds_the_scores_of_a_search_that_lists_all(make, mode, name):
    templates, names, probes = crowd(make, getattr(make, name))
    table, people = search.score_table(probes, templates, names, mode)
    assert people == tuple(sorted(set(names)))
    assert table.shape == (len(probes), len(people))
    answers = search.search(probes, templates, names, k=len(people), mode=mode)
    for row, answer in zip(table, answers, strict=True):
        assert len(answer) == len(people)
        columns = [people.index(c.person) for c in answer]
        np.testing.assert_allclose(row[columns], [c.score for c in answer], atol=2e-6)
        np.testing.assert_array_equal(np.argsort(-row, kind="stable"), columns)
        for candidate in answer:
            assert candidate.distance == distance(candidate.score, templates.space.metric)


def test_the_table_does_not_depend_on_how_many_probes_there_are(make, monkeypatch):
    templates, names, probes = crowd(make, make.cosine)
    table, _ = search.score_table(probes, templates, names)
    monkeypatch.setattr(search, "_PROBES", 7)
    np.testing.assert_allclose(
        search.score_table(probes, templates, names)[0], table, rtol=0, atol=1e-12
    )


def test_nobody_to_search_for_or_among(make):
    templates, names, probes = crowd(make, make.cosine)
    none = Embeddings.none(make.cosine)
    assert search.search(none, templates, names) == []
    assert search.search(probes[:2], none, []) == [[], []]
    assert search.score_table(none, templates, names)[0].shape == (0, 40)


def test_another_space_is_refused(make):
    templates, names, _ = crowd(make, make.cosine)
    with pytest.raises(SpaceMismatch):
        search.search(make.vectors(1, 1, make.euclidean), templates, names)
    with pytest.raises(SpaceMismatch):
        search.score_table(make.vectors(1, 1, make.euclidean), templates, names)


class Forgetful:
    """An approximate index: of what was added it keeps every third vector only."""

    exact = False

    def __init__(self, space):
        from facelign.gallery.indexes.exact import ExactIndex

        self.space, self._kept = space, ExactIndex(space)

    def __len__(self):
        return len(self._kept)

    def add(self, ids, vectors):
        kept = ids % 3 == 0
        self._kept.add(ids[kept], vectors[kept])

    def remove(self, ids):
        return self._kept.remove(ids)

    def search(self, vectors, k):
        return self._kept.search(vectors, k)

    def vectors(self, ids):
        return self._kept.vectors(ids)


def test_an_approximate_index_is_searched_and_told_of(gallery, make):
    for i in range(30):
        make.put(gallery, f"p{i:02d}", i)
    assert len(gallery.search(make.vectors(1, 2), k=30)[0]) == 30
    assert gallery.exact
    rough = Gallery(gallery.store, Forgetful)
    answer = rough.search(make.vectors(1, 2), k=30)[0]
    assert len(answer) == 10
    assert answer[0].person == "p02"  # template 3
    assert not rough.exact


def test_all_that_a_gallery_says_comes_at_once(gallery, make):
    for i in range(5):
        make.put(gallery, f"p{i}", i)
    make.put(gallery, "far", 9, make.euclidean)
    probes = make.vectors(2, 2)
    lists, size, elsewhere = gallery.candidates(probes, k=3)
    assert [list(one.candidates) for one in lists] == gallery.search(probes, k=3)
    assert {(one.person, one.gallery_size, one.exact) for one in lists} == {(None, 5, True)}
    assert (size, elsewhere) == (gallery.count(make.cosine.id), 1)
    everybody, *_ = gallery.candidates(probes, k=None)
    assert [len(one.candidates) for one in everybody] == [5, 5]
    rough, *_ = Gallery(gallery.store, Forgetful).candidates(probes)
    assert not rough[0].exact
    assert gallery.candidates(Embeddings.none(make.cosine)) == ([], (5, 5), 1)
