"""Changes of people and templates as small steps, once for every store."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from facelign.errors import GalleryError, SpaceMismatch
from facelign.types import changes as c
from facelign.types.contracts import TemplateStore
from facelign.types.embeddings import Space
from facelign.types.templates import Row, now


class ChangingStore(TemplateStore):
    """A store whose changes are made of the steps at the end of this class, which it gives.

    Each step is done inside of a ``_writing``; people and templates are named by their ids.
    """

    def person(self, name: str) -> c.PersonRef | None:
        """Return the person of a name."""
        number = self._ids([name]).get(name)
        return None if number is None else c.PersonRef(number, name)

    def rejected(self, person: c.PersonRef) -> dict[str, str]:
        """Return where each photo lay that was rejected as a person's, by digest."""
        with self.reading():
            return {digest: place for digest, (place, _) in self._rejected(person.id).items()}

    def enroll(self, rows: Sequence[Row], space: Space) -> c.Enroll:
        """Keep templates; people who are new are made. Raises SpaceMismatch."""
        time, names = now(), dict.fromkeys(row.person for row in rows)
        with self._writing():
            people = self._ids(names)
            new = [name for name in names if name not in people]
            first, first_person = self._take(len(rows), len(new))
            made = dict(zip(new, range(first_person, first_person + len(new)), strict=True))
            self._name(made, time)
            people |= made
            self._keep(first, [(people[row.person], row) for row in rows], space, time)
        ref = None if len(people) != 1 else c.PersonRef(*next((i, n) for n, i in people.items()))
        return c.Enroll(ref, (first, first + len(rows)), (first_person, first_person + len(new)))

    def apply(self, change: c.Change) -> c.Change | None:
        """Do a change and return its inverse, or None where nothing changed or leads back."""
        with self._writing(reshapes=True):
            match change:
                case c.Rename(person, name):
                    self._refuse_taken(name)
                    self._name({name: person.id}, "")
                    return c.Rename(c.PersonRef(person.id, name), person.name)
                case c.Merge(source, target):
                    return self._merge(source, target)
                case c.Split():
                    return self._split(change)
                case c.Reject(person, digest, reference):
                    if digest in self._rejected(person.id):
                        return None
                    self._reject(person.id, {digest: (reference, now())})
                    return c.Accept(person, digest)
                case c.Accept(person, digest):
                    gone = self._rejected(person.id).get(digest)
                    self._accept(person.id, [digest])
                    return c.Reject(person, digest, gone[0]) if gone else None
                case c.Withdraw(templates, people):
                    # Whoever has nothing left came with this enrollment, or with an older one.
                    self._drop(self._delete(range(*templates)) | {*range(*people)})
                    return None
        raise TypeError(
            f"{type(change).__name__} is not applied: see TemplateStore.enroll, remove."
        )

    def _merge(self, source: c.PersonRef, target: c.PersonRef) -> c.Split:
        moved = tuple(number for number, _, _ in self._kept(source.id))
        created = self._created(source.id)
        taken, there = self._rejected(source.id), self._rejected(target.id)
        self._give(moved, target.id)
        self._accept(source.id, taken)
        self._reject(target.id, {digest: taken[digest] for digest in taken if digest not in there})
        self._drop([source.id])
        both = tuple(digest for digest in taken if digest in there)
        return c.Split(target, moved, source, created, tuple(taken), both)

    def _split(self, change: c.Split) -> c.Merge:
        person, new = change.person, change.new
        self._refuse_taken(new.name)
        number = new.id or self._take(0, 1)[1]
        self._name({new.name: number}, change.created or now())
        self._give(change.templates, number)
        there = self._rejected(person.id)
        self._reject(number, {d: there[d] for d in change.rejected if d in there})
        self._accept(person.id, [d for d in change.rejected if d not in change.both])
        return c.Merge(c.PersonRef(number, new.name), person)

    def remove(self, person: c.PersonRef, forget: Collection[int]) -> c.Erased:
        """Delete a person with templates, rejections and the entries numbered ``forget``."""
        with self._writing(reshapes=True):
            kept = self._kept(person.id)
            erased = c.Erased.of([(digest, vector) for _, digest, vector in kept])
            self._delete([number for number, _, _ in kept])
            self._accept(person.id, self._rejected(person.id))
            self._drop([person.id])
            self._forget(forget, erased.digests)
        return erased

    def _refuse_taken(self, name: str) -> None:
        if self.person(name) is not None:
            raise GalleryError(
                f"There is a '{name}' already.", "Choose another name, or merge the two."
            )

    # -- steps -----------------------------------------------------------------------------------

    @abstractmethod
    def _writing(self, *, reshapes: bool = False) -> AbstractContextManager[object]:
        """Be a transaction, or a part of one. reshapes: more is done than templates are added."""

    @abstractmethod
    def _ids(self, names: Collection[str]) -> dict[str, int]:
        """Return the ids of those of the names that are there."""

    @abstractmethod
    def _take(self, templates: int, people: int) -> tuple[int, int]:
        """Take so many new ids, and return the first of each."""

    @abstractmethod
    def _name(self, people: Mapping[str, int], time: str) -> None:
        """Give people their names; those who are new came at ``time``."""

    @abstractmethod
    def _created(self, person: int) -> str:
        """Return when a person came."""

    @abstractmethod
    def _drop(self, people: Iterable[int]) -> None:
        """Delete those of the people who have neither templates nor rejections."""

    @abstractmethod
    def _keep(self, first: int, rows: list[tuple[int, Row]], space: Space, time: str) -> None:
        """Keep the templates of (person, row), numbered from ``first``; raises SpaceMismatch."""

    @abstractmethod
    def _kept(self, person: int) -> list[tuple[int, str, bytes]]:
        """Return (template, digest, little-endian float32 vector) of a person, by rising id."""

    @abstractmethod
    def _give(self, templates: Collection[int], person: int) -> None:
        """Make templates those of a person."""

    @abstractmethod
    def _delete(self, templates: Collection[int]) -> set[int]:
        """Delete those of the templates that are there; returns whose they were."""

    @abstractmethod
    def _rejected(self, person: int) -> dict[str, tuple[str, str]]:
        """Return (where the photo lay, since when) of a person's rejections, by digest."""

    @abstractmethod
    def _reject(self, person: int, photos: Mapping[str, tuple[str, str]]) -> None:
        """Write down rejections, as ``_rejected`` returns them."""

    @abstractmethod
    def _accept(self, person: int, digests: Iterable[str]) -> None:
        """Delete rejections."""

    @abstractmethod
    def _forget(self, entries: Iterable[int], digests: Iterable[str]) -> None:
        """Delete entries of the history, and where rejected photos lay that no template is of."""


def refuse_other(known: Space, space: Space) -> None:
    """Raise SpaceMismatch when a space is another one than that which is known by its id."""
    if known != space:
        raise SpaceMismatch(
            f"Space '{space.id}' is {known.dim} numbers, {known.metric} in the gallery, "
            f"and {space.dim} numbers, {space.metric} in the probe.",
            "Two models share one id: give one of them another.",
        )
