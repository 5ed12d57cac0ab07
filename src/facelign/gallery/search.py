"""From templates to people: the matrix of a space that follows the store, and its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from facelign.compare.scores import distance
from facelign.gallery.indexes.exact import BLOCK, ExactIndex, Rows
from facelign.gallery.records import PersonScore, TemplateMode
from facelign.gallery.stores.sqlite import SqliteStore, State
from facelign.types.arrays import Float32Array, IntArray
from facelign.types.embeddings import Embeddings, Space

#: steps of Weiszfeld's iteration; after 16 the center moves by less than 1e-3 of the spread
_STEPS = 16
#: squared distance that counts as none; float32 squares of unit vectors are off by about 1e-7
_FLOOR = np.float32(1e-6)
#: templates of several people that are worked on at a time, bytes: they stay in the cache
_BLOCK_BYTES = 1 << 20
#: templates read from the rough ranking for each person wanted, at first
_PER_PERSON = 4
#: and some more: those of people who were rejected for the photo may stand before
_SLACK = 16
_NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A space at one moment. owners: person id by template id (0 = none). names: by person id,
    rising; people who come later are added to it.
    """

    rows: Rows
    owners: IntArray
    names: dict[int, str]
    rejections: Mapping[str, frozenset[int]]


@dataclass(slots=True, eq=False)
class Centers:
    """One vector a person. people: (p,) ids. firsts: (p,) their first templates."""

    rows: Rows
    people: IntArray
    firsts: IntArray


@dataclass(slots=True, eq=False)
class SpaceSearch:
    """The matrix of one space, which follows the store by its revision."""

    space: Space
    index: ExactIndex = field(init=False)
    state: State = field(default_factory=lambda: State(-1, -1))
    owners: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))
    view: View = field(init=False)
    #: centers by mode, and the rows and owners they were made of
    centers: dict[TemplateMode, tuple[View, Centers]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index = ExactIndex(self.space)
        self.view = View(self.index.rows, self.owners, {}, {})

    def follow(self, store: SqliteStore) -> View:
        """Return the space as the store holds it now, having read only what changed."""
        if store.state() == self.state:
            return self.view
        with store.reading():
            state = store.state()
            names, rejections = self.view.names, self.view.rejections
            if state.reshaped > self.state.revision:
                self._reshape(store)
                self.centers.clear()  # they hold on to vectors that may be removed
                names, rejections = store.names(), store.rejections()
            else:
                self._append(store)
                names.update(store.names(after=max(names, default=0)))
            self.view = View(self.index.rows, self.owners, names, rejections)
            self.state = state
        return self.view

    def _append(self, store: SqliteStore) -> None:
        last = int(self.index.rows.ids[-1]) if len(self.index) else 0
        for part in store.templates(self.space.id, last):
            self._add(part.ids, part.persons, part.vectors)

    def _reshape(self, store: SqliteStore) -> None:
        """Take out what is gone, read what is new or came back, and look up all owners again."""
        ids, persons = store.owners(self.space.id)
        held = self.index.rows.ids
        self.index.remove(np.setdiff1d(held, ids, assume_unique=True))
        last = int(held[-1]) if len(held) else 0
        back = np.setdiff1d(ids[ids <= last], self.index.rows.ids, assume_unique=True)
        if len(back):  # a rejection was undone: rows keep their order, so the later ones move
            self._insert(store, back)
        self.owners = np.zeros(len(self.owners), np.int64)
        self._own(ids[ids <= last], persons[ids <= last])
        for part in store.templates(self.space.id, last):
            self._add(part.ids, part.persons, part.vectors)

    def _insert(self, store: SqliteStore, ids: IntArray) -> None:
        old = self.index.rows
        found = store.picked(self.space.id, ids)
        every = np.concatenate([old.ids, found.ids])
        order = np.argsort(every)
        self.index = ExactIndex(self.space)
        for start in range(0, len(order), BLOCK):
            part = order[start : start + BLOCK]
            back = part >= len(old)
            vectors = np.empty((len(part), self.space.dim), np.float32)
            vectors[~back] = old.vectors(part[~back])
            vectors[back] = found.vectors[part[back] - len(old)]
            self.index.add(every[part], vectors)

    def _add(self, ids: IntArray, persons: IntArray, vectors: Float32Array) -> None:
        self._own(ids, persons)
        self.index.add(ids, vectors)

    def _own(self, ids: IntArray, persons: IntArray) -> None:
        if not len(ids):
            return
        if ids[-1] >= len(self.owners):
            grown = np.zeros(int(ids[-1]) + 1 + len(self.owners) // 8 + 64, np.int64)
            grown[: len(self.owners)] = self.owners
            self.owners = grown
        self.owners[ids] = persons

    def centers_of(self, view: View, mode: TemplateMode) -> Centers:
        """Return the centers of everybody, made at the first question after a change."""
        known = self.centers.get(mode)
        if known is None or known[0] is not view:
            known = self.centers[mode] = (view, _centers(view, mode))
        return known[1]


def by_best(
    view: View, probes: Embeddings, k: int, digests: Sequence[str]
) -> list[list[PersonScore]]:
    """Return the k people nearest to each probe by their best template.

    Templates come in order of their scores, so the first of a person is that person's best: the
    list is read down until k people are together, and made longer when it ends too early.
    """
    answers: list[list[PersonScore]] = [[] for _ in range(len(probes))]
    todo, wanted = list(range(len(probes))), _PER_PERSON * k + _SLACK
    while todo:
        hits = view.rows.search(probes.vectors[todo], wanted)
        short = []
        for place, i in enumerate(todo):
            barred = view.rejections.get(digests[i], _NOBODY)
            count = int(hits.counts[place])
            people = view.owners[hits.ids[place, :count]]
            firsts = np.sort(np.unique(people, return_index=True)[1])
            chosen = [int(j) for j in firsts if int(people[j]) not in barred][:k]
            if len(chosen) < k and count < len(view.rows):
                short.append(i)
                continue
            answers[i] = [
                _score(
                    view,
                    int(people[j]),
                    int(hits.ids[place, j]),
                    float(hits.scores[place, j]),
                    probes.space,
                )
                for j in chosen
            ]
        todo, wanted = short, 8 * wanted
    return answers


def by_center(
    view: View, centers: Centers, probes: Embeddings, k: int, digests: Sequence[str]
) -> list[list[PersonScore]]:
    """Return the k people whose center is nearest to each probe."""
    most = max((len(view.rejections.get(d, _NOBODY)) for d in digests), default=0)
    hits = centers.rows.search(probes.vectors, min(k + most, len(centers.rows)))
    answers = []
    for i in range(len(probes)):
        barred = view.rejections.get(digests[i], _NOBODY)
        answer = []
        for place, score in zip(hits.ids[i], hits.scores[i], strict=True):
            person = int(centers.people[place])
            if person not in barred:
                first = int(centers.firsts[place])
                answer.append(_score(view, person, first, float(score), probes.space))
        answers.append(answer[:k])
    return answers


def _score(view: View, person: int, template: int, score: float, space: Space) -> PersonScore:
    return PersonScore(
        view.names.get(person, ""), template, score, float(distance(score, space.metric))
    )


def _centers(view: View, mode: TemplateMode) -> Centers:
    """Return the center of everybody's templates; people with as many of them go together."""
    rows = view.rows
    owners = view.owners[rows.ids]
    order = np.argsort(owners, kind="stable")
    people, starts, counts = np.unique(owners[order], return_index=True, return_counts=True)
    centers = np.empty((len(people), rows.space.dim), np.float32)
    for count in np.unique(counts):
        alike = np.flatnonzero(counts == count)
        step = max(1, _BLOCK_BYTES // (4 * rows.space.dim * int(count)))
        for first in range(0, len(alike), step):
            chosen = alike[first : first + step]
            places = order[(starts[chosen][:, None] + np.arange(count)).ravel()]
            points = rows.vectors(places).reshape(len(chosen), int(count), -1)
            middle: Float32Array = points.mean(axis=1)
            if mode is TemplateMode.ROBUST and count > 2:
                middle = _geometric_medians(points, middle)
            centers[chosen] = middle
    numbers = np.arange(len(people), dtype=np.int64)
    return Centers(Rows.of(numbers, centers, rows.space), people, rows.ids[order[starts]])


def _geometric_medians(points: Float32Array, centers: Float32Array) -> Float32Array:
    """Return, for p people, the point with the least sum of distances to the templates.

    points: (p, n, d); centers: (p, d), where to begin. Weiszfeld's iteration: the mean, weighted
    by one over the distance to the last center. It has no closed form; a floor on the distances
    keeps it from stopping at a template (Vardi and Zhang, PNAS 97, 2000, give the exact treatment,
    which moves the result by less than the floor). Of one or two templates it is the mean.
    """
    squares = np.einsum("pnd,pnd->pn", points, points)
    for _ in range(_STEPS):
        products = np.matmul(points, centers[:, :, None])[:, :, 0]
        gaps = squares - 2 * products + np.einsum("pd,pd->p", centers, centers)[:, None]
        weights = 1 / np.sqrt(np.maximum(gaps, _FLOOR))
        weights /= weights.sum(axis=1, keepdims=True)
        centers = np.matmul(weights[:, None, :], points)[:, 0]
    return centers
