"""The view of a space that follows a store by its revision."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from facelign.gallery.search import Centers, IndexFactory, View, centers_of
from facelign.types.arrays import IntArray
from facelign.types.contracts import Index, TemplateStore
from facelign.types.embeddings import Space
from facelign.types.policies import TemplateMode
from facelign.types.templates import State, TemplateVectors


@dataclass(slots=True, eq=False)
class Follower:
    """One space of a store, kept in an index. Called by one thread at a time; the views that it
    gave stay right while others search them.
    """

    space: Space
    make: IndexFactory
    index: Index = field(init=False)
    state: State = field(default_factory=lambda: State(-1, -1))
    view: View = field(init=False)
    #: ids of the templates in the index, rising
    ids: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    #: centers by mode, and the view that they were made of
    centers: dict[TemplateMode, tuple[View, Centers]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.index = self.make(self.space)
        self.view = View(self.index, np.zeros(1, np.int64), {}, {})

    def follow(self, store: TemplateStore) -> View:
        """Return the space as the store holds it now, having read only what changed."""
        if store.state() == self.state:
            return self.view
        with store.reading():
            state = store.state()
            if state.reshaped > self.state.revision:
                self.centers.clear()  # they hold on to vectors that may be removed
                self._reshape(store)
            else:
                # the names first: a search may come upon a template once it is in the index
                names = self.view.names
                names.update(store.names(after=next(reversed(names), 0)))
            for part in store.vectors(self.space.id, self._last):
                self._add(part)
            self.state = state
        return self.view

    @property
    def _last(self) -> int:
        return int(self.ids[-1]) if len(self.ids) else 0

    def _reshape(self, store: TemplateStore) -> None:
        """Take out what is gone and look up all owners again.

        What came back (a rejection was undone) is older than what is there, and ids only rise in
        an index: then it is filled anew.
        """
        ids, persons = store.owners(self.space.id)
        old = ids <= self._last
        ids, persons = ids[old], persons[old]
        if len(np.setdiff1d(ids, self.ids, assume_unique=True)):
            self.index, self.ids = self.make(self.space), np.zeros(0, np.int64)
            ids, persons = self.ids, self.ids
        else:
            self.index.remove(np.setdiff1d(self.ids, ids, assume_unique=True))
            self.ids = ids
        owners = np.zeros(len(self.view.owners), np.int64)
        owners[ids] = persons
        self.view = View(self.index, owners, store.names(), store.rejections())

    def _add(self, part: TemplateVectors) -> None:
        owners = self.view.owners
        if part.ids[-1] >= len(owners):
            owners = np.zeros(int(part.ids[-1]) + 1 + len(owners) // 8 + 64, np.int64)
            owners[: len(self.view.owners)] = self.view.owners
        owners[part.ids] = part.persons
        self.view = View(self.index, owners, self.view.names, self.view.rejections)
        self.index.add(part.ids, part.vectors)
        self.ids = np.concatenate([self.ids, part.ids])

    def centers_of(self, mode: TemplateMode) -> Centers:
        """Return the centers of everybody, made at the first question after a change."""
        known = self.centers.get(mode)
        if known is None or known[0] is not self.view:
            known = self.centers[mode] = (self.view, centers_of(self.view, mode, self.make))
        return known[1]
