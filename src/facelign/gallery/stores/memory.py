"""A gallery that lives as long as its process: for tests, and for people who are soon forgotten."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from facelign.gallery.rejections import digest_of, keys_of
from facelign.gallery.stores.changing import ChangingStore, refuse_other
from facelign.types import templates as t
from facelign.types.arrays import Float32Array, IntArray
from facelign.types.changes import Entry, Erased, PersonRef
from facelign.types.embeddings import Space


@dataclass(slots=True)
class _Tables:
    """Everything, by id. Values are never changed, so a copy of the mappings is a savepoint."""

    #: (name, since when) of people, (person, record, vector) of templates
    people: dict[int, tuple[str, str]] = field(default_factory=dict)
    templates: dict[int, tuple[int, t.TemplateInfo, Float32Array]] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    #: (where the photo lay, since when) by person and digest
    rejections: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    next_ids: tuple[int, int] = (1, 1)
    state: t.State = field(default_factory=lambda: t.State(0, 0))
    #: no revision comes of the rest: calibrations by space, files with vectors by path, removals
    #: by id
    calibrations: dict[str, str] = field(default_factory=dict, compare=False)
    holders: dict[Path, t.Holder] = field(default_factory=dict, compare=False)
    removals: dict[str, t.Removal] = field(default_factory=dict, compare=False)
    reshaped: bool = field(default=False, compare=False)

    def used(self, space_id: str | None = None) -> list[tuple[int, int, t.TemplateInfo]]:
        """Return (template, person, record) of the templates that take part in searches."""
        return [
            (number, person, info)
            for number, (person, info, _) in sorted(self.templates.items())
            if space_id in (None, info.space)
            and not any(
                (person, key) in self.rejections
                for key in keys_of(info.photo.digest, info.face.box)
            )
        ]


def _aside(info: t.TemplateInfo, rejected: Collection[str]) -> bool:
    return any(key in rejected for key in keys_of(info.photo.digest, info.face.box))


class MemoryStore(ChangingStore):
    """A store without a file; threads may share it.

    Example:
        >>> from facelign.gallery.gallery import Gallery
        >>> Gallery(MemoryStore()).people()
        []
    """

    def __init__(self, name: str | Path = "memory") -> None:
        self.name = Path(name).name
        self._lock = threading.RLock()
        self._depth = 0
        self._now = _Tables()

    def close(self) -> None:
        """Let everything go."""
        self._now = _Tables()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what is done inside as one change, or leave no trace of it."""
        with self._lock:
            before, self._depth = self._now, self._depth + 1
            self._now = _Tables(*(copy(getattr(before, f.name)) for f in fields(_Tables)))
            try:
                yield
            except BaseException:
                self._now = before
                raise
            finally:
                self._depth -= 1
            if not self._depth:
                self._count(before)

    def _count(self, before: _Tables) -> None:
        """Say which revision this is, when a transaction ends."""
        now = self._now
        if now != before:
            revision = before.state.revision + 1
            now.state = t.State(revision, revision if now.reshaped else before.state.reshaped)
        now.reshaped = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Give several reads one and the same state."""
        with self._lock:
            yield

    def state(self) -> t.State:
        """Return where the gallery stands now."""
        return self._now.state

    # -- what is kept ----------------------------------------------------------------------------

    def names(self, after: int = 0) -> dict[int, str]:
        """Return the names of the people with an id over ``after``, by rising id."""
        return {i: name for i, (name, _) in sorted(self._now.people.items()) if i > after}

    def people(self) -> list[t.Person]:
        """Return everybody, by name."""
        spaces: dict[int, Counter[str]] = {number: Counter() for number in self._now.people}
        for _, person, info in self._now.used():
            spaces[person][info.space] += 1
        people = [
            t.Person(number, name, spaces[number].total(), tuple(spaces[number]), created)
            for number, (name, created) in self._now.people.items()
        ]
        return sorted(people, key=lambda person: person.name)

    def spaces(self) -> list[t.SpaceCount]:
        """Return the spaces that hold templates in use, most templates first."""
        owners = {i: [person for _, person, _ in self._now.used(i)] for i in self._now.spaces}
        counts = [
            t.SpaceCount(self._now.spaces[i], len(set(people)), len(people))
            for i, people in owners.items()
            if people
        ]
        return sorted(counts, key=lambda count: (-count.templates, count.id))

    def templates(self, person: PersonRef) -> list[t.TemplateInfo]:
        """Return what is kept with each template of a person, by rising id."""
        name, rejected = self._now.people[person.id][0], self._rejected(person.id)
        return [
            replace(info, person=name, rejected=_aside(info, rejected))
            for _, (owner, info, _) in sorted(self._now.templates.items())
            if owner == person.id
        ]

    def photos(self, digests: Sequence[str], space_id: str) -> list[t.EnrolledPhoto]:
        """Return the templates in use of some photos in a space."""
        return [
            t.EnrolledPhoto(info.photo.digest, self._now.people[person][0], info.face.box)
            for _, person, info in self._now.used(space_id)
            if info.photo.digest in digests
        ]

    def rejections(self, digests: Sequence[str] | None = None) -> dict[str, frozenset[int]]:
        """Return, by digest (of some photos, or all), the ids of people it does not show."""
        people: dict[str, frozenset[int]] = {}
        for person, key in self._now.rejections:
            if digests is None or digest_of(key) in digests:
                people[key] = people.get(key, frozenset()) | {person}
        return people

    def owners(self, space_id: str) -> tuple[IntArray, IntArray]:
        """Return (template ids rising, person ids) of the templates in use of a space."""
        used = [row[:2] for row in self._now.used(space_id)]
        ids, persons = np.array(used, np.int64).reshape(-1, 2).T.copy()
        return ids, persons

    def vectors(self, space_id: str, after: int = 0) -> Iterator[t.TemplateVectors]:
        """Yield the templates in use with an id over ``after``."""
        with self._lock:
            ids, persons = self.owners(space_id)
            late = ids > after
            found = [self._now.templates[number][2] for number in ids[late].tolist()]
        if found:
            yield t.TemplateVectors(ids[late], persons[late], np.stack(found))

    def history(self) -> Iterator[Entry]:
        """Yield the history, newest first."""
        yield from [entry for _, entry in sorted(self._now.entries.items(), reverse=True)]

    def record(self, entry: Entry) -> None:
        """Write down a new entry (number 0), or when one of the history was undone."""
        with self.transaction():
            number = entry.number or max(self._now.entries, default=0) + 1
            self._now.entries[number] = replace(entry, number=number)

    def calibrations(self) -> dict[str, str]:
        """Return the calibrations that were made for the spaces, as JSON, by space."""
        return dict(sorted(self._now.calibrations.items()))

    def keep_calibration(self, space_id: str, record: str | None) -> None:
        """Keep the calibration of a space in the place of one before, or None; no revision."""
        with self.transaction():
            self._now.calibrations.pop(space_id, None)
            if record is not None:
                self._now.calibrations[space_id] = record

    def every_vector(self) -> Iterator[list[tuple[int, int, bytes]]]:
        """Yield (template, person, vector) of all, those that are set aside too."""
        yield [(i, who, v.tobytes()) for i, (who, _, v) in sorted(self._now.templates.items())]

    def shared(self, vectors: Collection[bytes]) -> set[bytes]:
        """Return those vectors that a template holds now."""
        return {vector for part in self.every_vector() for *_, vector in part} & {*vectors}

    def holders(self) -> list[t.Holder]:
        """Return the files elsewhere that hold vectors of the gallery, by path."""
        return [holder for _, holder in sorted(self._now.holders.items())]

    def hold(self, holder: t.Holder) -> None:
        """Write down such a file, by its path; no revision comes of it."""
        with self.transaction():
            self._now.holders[holder.path] = holder

    def let_go(self, path: Path) -> None:
        """Forget such a file."""
        with self.transaction():
            self._now.holders.pop(path, None)

    def removals(self) -> list[t.Removal]:
        """Return what is known of removals, newest first."""
        return [*reversed(self._now.removals.values())]

    def keep(self, removal: t.Removal) -> None:
        """Write down how far a removal is, by its id; no revision comes of it."""
        with self.transaction():
            self._now.removals[removal.id] = removal

    # -- steps of changes ------------------------------------------------------------------------

    @contextmanager
    def _writing(self, *, reshapes: bool = False) -> Iterator[None]:
        with self.transaction():
            self._now.reshaped |= reshapes
            yield

    def _ids(self, names: Collection[str]) -> dict[str, int]:
        return {name: i for i, (name, _) in self._now.people.items() if name in names}

    def _take(self, templates: int, people: int) -> tuple[int, int]:
        first, first_person = self._now.next_ids
        self._now.next_ids = (first + templates, first_person + people)
        return first, first_person

    def _name(self, people: Mapping[str, int], time: str) -> None:
        for name, number in people.items():
            _, created = self._now.people.get(number, ("", time))
            self._now.people[number] = (name, created)

    def _created(self, person: int) -> str:
        return self._now.people[person][1]

    def _drop(self, people: Iterable[int]) -> None:
        busy = {person for person, _, _ in self._now.templates.values()}
        for number in {*people} - busy - {person for person, _ in self._now.rejections}:
            self._now.people.pop(number, None)

    def _keep(self, first: int, rows: list[tuple[int, t.Row]], space: Space, time: str) -> None:
        refuse_other(self._now.spaces.setdefault(space.id, space), space)
        for number, (person, row) in enumerate(rows, start=first):
            kept = (row.person, row.photo, space.id, row.face, float(row.norm), time, row.consent)
            info = t.TemplateInfo(number, *kept, rejected=False)
            self._now.templates[number] = (person, info, np.array(row.vector, "<f4"))

    def _kept(self, person: int) -> list[tuple[int, str, bytes]]:
        return [
            (number, info.photo.digest, vector.tobytes())
            for number, (owner, info, vector) in sorted(self._now.templates.items())
            if owner == person
        ]

    def _give(self, templates: Collection[int], person: int) -> None:
        for number in templates:
            self._now.templates[number] = (person, *self._now.templates[number][1:])

    def kept(self, first: int, end: int) -> Erased:
        """Return what is kept as the templates with ids from ``first`` to before ``end``."""
        here = sorted(i for i in self._now.templates if first <= i < end)
        kept = (self._now.templates[i] for i in here)
        return Erased.of([(info.photo.digest, vector.tobytes()) for _, info, vector in kept])

    def _delete(self, templates: Collection[int]) -> set[int]:
        here = [number for number in templates if number in self._now.templates]
        return {self._now.templates.pop(number)[0] for number in here}

    def _rejected(self, person: int) -> dict[str, tuple[str, str]]:
        return {d: row for (owner, d), row in self._now.rejections.items() if owner == person}

    def _reject(self, person: int, photos: Mapping[str, tuple[str, str]]) -> None:
        self._now.rejections |= {(person, digest): row for digest, row in photos.items()}

    def _accept(self, person: int, digests: Iterable[str]) -> None:
        for digest in digests:
            self._now.rejections.pop((person, digest), None)

    def _forget(self, entries: Iterable[int], digests: Iterable[str]) -> None:
        for number in entries:
            del self._now.entries[number]
        gone = {*digests} - {info.photo.digest for _, info, _ in self._now.templates.values()}
        for key, (_, created) in self._now.rejections.items():
            if digest_of(key[1]) in gone:
                self._now.rejections[key] = ("", created)
