"""A gallery that lives as long as its process: for tests, and for people who are soon forgotten."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from facelign.errors import GalleryError, SpaceMismatch
from facelign.types.arrays import Float32Array, IntArray
from facelign.types.changes import (
    Accept,
    Change,
    Enroll,
    Entry,
    Erased,
    Merge,
    PersonRef,
    Reject,
    Rename,
    Split,
    Withdraw,
)
from facelign.types.contracts import TemplateStore
from facelign.types.embeddings import Space
from facelign.types.templates import (
    EnrolledPhoto,
    Person,
    Row,
    SpaceCount,
    State,
    TemplateInfo,
    TemplateVectors,
    now,
)


@dataclass(slots=True)
class _Tables:
    """Everything, by id. Values are never changed, so a copy of the mappings is a savepoint."""

    #: (name, since when) of people, (person, record, vector) of templates
    people: dict[int, tuple[str, str]] = field(default_factory=dict)
    templates: dict[int, tuple[int, TemplateInfo, Float32Array]] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    #: (where the photo lay, since when) by (person, digest)
    rejections: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    state: State = field(default_factory=lambda: State(0, 0))
    next_template: int = 1
    next_person: int = 1
    changed: bool = False
    reshaped: bool = False

    def copy(self) -> _Tables:
        return replace(
            self,
            people=dict(self.people),
            templates=dict(self.templates),
            spaces=dict(self.spaces),
            rejections=dict(self.rejections),
            entries=dict(self.entries),
        )

    def used(self, space_id: str | None = None) -> list[tuple[int, int, TemplateInfo]]:
        """Return (template, person, record) of the templates that take part in searches."""
        return [
            (number, person, info)
            for number, (person, info, _) in sorted(self.templates.items())
            if (person, info.photo.digest) not in self.rejections and space_id in (None, info.space)
        ]


class MemoryStore(TemplateStore):
    """A store without a file; threads may share it.

    Example:
        >>> from facelign.gallery.gallery import Gallery
        >>> Gallery(MemoryStore()).people()
        []
    """

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._lock = threading.RLock()
        self._depth = 0
        self._now = _Tables()

    def close(self) -> None:
        """Let everything go."""
        with self._lock:
            self._now = _Tables()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what is done inside as one change, or leave no trace of it."""
        with self._lock:
            before = self._now
            self._now = before.copy()
            self._depth += 1
            try:
                yield
            except BaseException:
                self._now = before
                raise
            finally:
                self._depth -= 1
            if not self._depth and self._now.changed:
                tables, revision = self._now, before.state.revision + 1
                tables.state = State(
                    revision, revision if tables.reshaped else before.state.reshaped
                )
                tables.changed = tables.reshaped = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Give several reads one and the same state."""
        with self._lock:
            yield

    @contextmanager
    def _writing(self, *, reshaped: bool = True) -> Iterator[_Tables]:
        with self.transaction():
            self._now.changed = True
            self._now.reshaped |= reshaped
            yield self._now

    # -- what is kept ----------------------------------------------------------------------------

    def state(self) -> State:
        """Return where the gallery stands now."""
        return self._now.state

    def person(self, name: str) -> PersonRef | None:
        """Return the person of a name."""
        return next((PersonRef(i, n) for i, n in self.names().items() if n == name), None)

    def names(self, after: int = 0) -> dict[int, str]:
        """Return the names of the people with an id over ``after``, by rising id."""
        return {i: name for i, (name, _) in sorted(self._now.people.items()) if i > after}

    def people(self) -> list[Person]:
        """Return everybody, by name."""
        used, people = self._now.used(), []
        for number, (name, created) in self._now.people.items():
            spaces = [info.space for _, person, info in used if person == number]
            people.append(Person(number, name, len(spaces), tuple(dict.fromkeys(spaces)), created))
        return sorted(people, key=lambda person: person.name)

    def spaces(self) -> list[SpaceCount]:
        """Return the spaces that hold templates in use, most templates first."""
        counts = []
        for space in self._now.spaces.values():
            owners = [person for _, person, _ in self._now.used(space.id)]
            if owners:
                counts.append(SpaceCount(space, len(set(owners)), len(owners)))
        return sorted(counts, key=lambda count: (-count.templates, count.id))

    def templates(self, person: PersonRef) -> list[TemplateInfo]:
        """Return what is kept with each template of a person, by rising id."""
        tables, used = self._now, {number for number, _, _ in self._now.used()}
        name = tables.people[person.id][0]
        return [
            replace(info, person=name, rejected=number not in used)
            for number, (owner, info, _) in sorted(tables.templates.items())
            if owner == person.id
        ]

    def photos(self, digests: Sequence[str], space_id: str) -> list[EnrolledPhoto]:
        """Return the templates in use of some photos in a space."""
        return [
            EnrolledPhoto(info.photo.digest, self._now.people[person][0], info.face.box)
            for _, person, info in self._now.used(space_id)
            if info.photo.digest in digests
        ]

    def rejections(self, digests: Sequence[str] | None = None) -> dict[str, frozenset[int]]:
        """Return, by digest (of some photos, or all), the ids of people it does not show."""
        people: dict[str, frozenset[int]] = {}
        for person, digest in self._now.rejections:
            if digests is None or digest in digests:
                people[digest] = people.get(digest, frozenset()) | {person}
        return people

    def owners(self, space_id: str) -> tuple[IntArray, IntArray]:
        """Return (template ids rising, person ids) of the templates in use of a space."""
        used = self._now.used(space_id)
        pairs = np.array([row[:2] for row in used], np.int64).reshape(-1, 2)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    def vectors(self, space_id: str, after: int = 0) -> Iterator[TemplateVectors]:
        """Yield the templates in use with an id over ``after``."""
        with self._lock:
            ids, persons = self.owners(space_id)
            late = ids > after
            found = [self._now.templates[number][2] for number in ids[late].tolist()]
        if found:
            yield TemplateVectors(ids[late], persons[late], np.stack(found))

    # -- changes ---------------------------------------------------------------------------------

    def enroll(self, rows: Sequence[Row], space: Space) -> Enroll:
        """Keep templates; people who are new are made."""
        with self._writing(reshaped=False) as tables:
            if tables.spaces.setdefault(space.id, space) != space:
                raise SpaceMismatch(
                    f"Space '{space.id}' is another one in the gallery.",
                    "Two models share one id: give one of them another.",
                )
            first, first_person, time = tables.next_template, tables.next_person, now()
            ids = {name: number for number, (name, _) in tables.people.items()}
            for number, row in enumerate(rows, start=first):
                if row.person not in ids:
                    ids[row.person] = self._new(row.person, time)
                info = TemplateInfo(
                    number,
                    row.person,
                    row.photo,
                    space.id,
                    row.face,
                    float(row.norm),
                    time,
                    row.consent,
                    rejected=False,
                )
                vector = np.array(row.vector, np.float32)
                tables.templates[number] = (ids[row.person], info, vector)
            tables.next_template += len(rows)
            names = {row.person for row in rows}
            person = PersonRef(ids[rows[0].person], rows[0].person) if len(names) == 1 else None
            new = (first_person, tables.next_person)
            return Enroll(person, (first, tables.next_template), new)

    def _new(self, name: str, time: str, number: int = 0) -> int:
        tables = self._now
        if name in self.names().values():
            raise GalleryError(
                f"There is a '{name}' already.", "Choose another name, or merge the two."
            )
        if not number:
            number, tables.next_person = tables.next_person, tables.next_person + 1
        tables.people[number] = (name, time)
        return number

    def apply(self, change: Change) -> Change | None:
        """Do a change and return its inverse, or None where nothing changed or leads back."""
        with self._writing() as tables:
            match change:
                case Rename(person, name):
                    _, created = tables.people.pop(person.id)
                    self._new(name, created, person.id)
                    return Rename(PersonRef(person.id, name), person.name)
                case Merge():
                    return self._merge(change)
                case Split():
                    return self._split(change)
                case Reject(person, digest, reference):
                    if (person.id, digest) in tables.rejections:
                        return None
                    tables.rejections[person.id, digest] = (reference, now())
                    return Accept(person, digest)
                case Accept(person, digest):
                    gone = tables.rejections.pop((person.id, digest), None)
                    return Reject(person, digest, gone[0]) if gone else None
                case Withdraw():
                    self._withdraw(change)
                    return None
        raise TypeError(f"{type(change).__name__} is not applied.")

    def _merge(self, change: Merge) -> Split:
        source, target, rejections = change.source, change.target, self._now.rejections
        moved = self._give(source.id, target.id)
        digests = tuple(digest for person, digest in rejections if person == source.id)
        both = tuple(digest for digest in digests if (target.id, digest) in rejections)
        for digest in digests:
            rejections.setdefault((target.id, digest), rejections[source.id, digest])
            del rejections[source.id, digest]
        _, created = self._now.people.pop(source.id)
        return Split(target, moved, source, created, digests, both)

    def _split(self, change: Split) -> Merge:
        person, new, rejections = change.person, change.new, self._now.rejections
        number = self._new(new.name, change.created or now(), new.id)
        self._give(person.id, number, change.templates)
        for digest in change.rejected:
            rejections[number, digest] = rejections[person.id, digest]
            if digest not in change.both:
                del rejections[person.id, digest]
        return Merge(PersonRef(number, new.name), person)

    def _withdraw(self, change: Withdraw) -> None:
        """Delete templates, and those people who have neither templates nor rejections left."""
        tables = self._now
        here = [number for number in range(*change.templates) if number in tables.templates]
        gone = [tables.templates.pop(number) for number in here]
        busy = {row[0] for row in tables.templates.values()} | {p for p, _ in tables.rejections}
        for number in ({row[0] for row in gone} | {*range(*change.people)}) - busy:
            tables.people.pop(number, None)

    def _give(
        self, source: int, target: int, numbers: Collection[int] | None = None
    ) -> tuple[int, ...]:
        """Give templates (all when not named) to another person; returns which."""
        tables = self._now.templates
        moved = tuple(
            number
            for number, (owner, _, _) in tables.items()
            if owner == source and (numbers is None or number in numbers)
        )
        for number in moved:
            tables[number] = (target, *tables[number][1:])
        return moved

    def remove(self, person: PersonRef, forget: Collection[int]) -> Erased:
        """Delete a person with templates, rejections and the entries numbered ``forget``."""
        with self._writing() as tables:
            gone = [row for row in tables.templates.values() if row[0] == person.id]
            for _, info, _ in gone:
                del tables.templates[info.id]
            left = {info.photo.digest for _, info, _ in tables.templates.values()}
            digests = tuple(dict.fromkeys(i.photo.digest for _, i, _ in gone if i.photo.digest))
            for key, (_, created) in list(tables.rejections.items()):
                if key[0] == person.id:
                    del tables.rejections[key]
                elif key[1] in digests and key[1] not in left:
                    tables.rejections[key] = ("", created)
            del tables.people[person.id]
            for number in forget:
                del tables.entries[number]
        vectors = tuple(dict.fromkeys(row[2].astype("<f4").tobytes() for row in gone))
        return Erased(len(gone), vectors, digests)

    def history(self) -> Iterator[Entry]:
        """Yield the history, newest first."""
        yield from [entry for _, entry in sorted(self._now.entries.items(), reverse=True)]

    def record(self, entry: Entry) -> None:
        """Write down a new entry (number 0), or when one of the history was undone."""
        with self._writing(reshaped=False) as tables:
            number = entry.number or max(tables.entries, default=0) + 1
            tables.entries[number] = replace(entry, number=number)
