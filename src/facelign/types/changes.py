"""Changes of a gallery as data: a store applies them and gives back what takes them back.

``Enroll`` and ``Import`` come from a store, which kept the vectors (``TemplateStore.enroll``); the
others are applied. History, undo and audit are lists of ``Entry``. No change holds a vector.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A person by id, which outlives every renaming, and by the name they had at that moment."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Enroll:
    """Templates were kept. person: whose, or None for several. templates, people: first id and the
    one after the last new one.
    """

    person: PersonRef | None
    templates: tuple[int, int]
    people: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Import(Enroll):
    """Templates of a file were kept."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Delete what an enrollment brought, people too who have nothing left. Taken back by nothing:
    the vectors are gone.
    """

    templates: tuple[int, int]
    people: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a person another name."""

    person: PersonRef
    name: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Give the templates and rejections of ``source`` to ``target``."""

    source: PersonRef
    target: PersonRef


@dataclass(frozen=True, slots=True)
class Split:
    """Make a person of some templates of another one.

    new: id 0 for somebody new, else the id of who is parted from ``person`` again, with their own
    day (``created``) and rejections: digests ``rejected`` go along, those of ``both`` stay too.
    """

    person: PersonRef
    templates: tuple[int, ...]
    new: PersonRef
    created: str = ""
    rejected: tuple[str, ...] = ()
    both: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """Write down that a photo does not show a person.

    digest: of the photo, or the key of one face of it (``gallery.rejections``).
    """

    person: PersonRef
    digest: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Accept:
    """Take a rejection back."""

    person: PersonRef
    digest: str


@dataclass(frozen=True, slots=True)
class Remove:
    """A person was removed; nothing else is known of them."""


Change = Enroll | Rename | Merge | Split | Reject | Remove | Accept | Withdraw

#: what people call the changes that stand in a history
ACTIONS: dict[type[Change], str] = {
    Enroll: "enroll",
    Import: "import",
    Rename: "rename",
    Merge: "merge",
    Split: "split",
    Reject: "reject",
    Remove: "remove",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a history. number: counts from 1, 0 before a store has given it one.

    time: ISO 8601, UTC. change: what was done, to ``templates`` templates; inverse: what takes it
    back, or None. run: entries of one run are taken back together. undone: when, or None.
    """

    time: str
    change: Change
    templates: int
    inverse: Change | None = None
    run: str | None = None
    undone: str | None = None
    number: int = 0

    @property
    def action(self) -> str:
        """What people call the change."""
        return ACTIONS[type(self.change)]

    @property
    def text(self) -> str:
        """The change in words."""
        count = f"{self.templates} template{'' if self.templates == 1 else 's'}"
        match self.change:
            case Import():
                return count
            case Enroll(person):
                return f"{count} of {person.name if person else 'several people'}"
            case Rename(person, name):
                return f"{person.name} is now {name}"
            case Merge(source, target):
                return f"{source.name} went into {target.name}, with {count}"
            case Split(person, _, new):
                return f"{count} of {person.name} became {new.name}"
            case Reject(person):
                aside = f", {count} set aside" if self.templates else ""
                what = "a face of a photo" if "@" in self.change.digest else "a photo"
                return f"{what} is not {person.name}{aside}"
        return f"one person with {count}"

    @property
    def people(self) -> tuple[PersonRef, ...]:
        """Whom it is about, under every name that it tells; in a merge, the source first."""
        match self.change:
            case Enroll(person):
                return (person,) if person else ()
            case Rename(person, name):
                return (person, PersonRef(person.id, name))
            case Merge(source, target):
                return (source, target)
            case Split(person, _, new):
                return (person, new)
            case Reject(person):
                return (person,)
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Erased:
    """What a removal deleted: how many templates, their vectors as little-endian float32, and the
    digests of their photos.
    """

    templates: int
    vectors: tuple[bytes, ...] = field(repr=False)
    digests: tuple[str, ...]

    @classmethod
    def of(cls, kept: Collection[tuple[str, bytes]]) -> Self:
        """Return it for (digest, vector) of templates."""
        vectors = tuple(dict.fromkeys(vector for _, vector in kept))
        return cls(len(kept), vectors, tuple(dict.fromkeys(d for d, _ in kept if d)))

    @classmethod
    def joined(cls, parts: Collection[Self]) -> Self:
        """Return several as one."""
        vectors = tuple(dict.fromkeys(v for part in parts for v in part.vectors))
        digests = tuple(dict.fromkeys(d for part in parts for d in part.digests))
        return cls(sum(part.templates for part in parts), vectors, digests)
