"""What a history says: which changes are taken back together, and what tells of a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from facelign.errors import GalleryError
from facelign.gallery.rejections import digest_of
from facelign.types.changes import Enroll, Entry, Merge, PersonRef, Reject, Remove
from facelign.types.contracts import TemplateStore


def last(newest_first: Iterable[Entry]) -> list[Entry]:
    """Return what is taken back next: the last change, or all changes of its run.

    Enrollments of other runs, made at the same time, are passed over. Raises GalleryError when
    there is nothing, or when it is a removal.
    """
    chosen: list[Entry] = []
    for entry in newest_first:
        if entry.undone is not None:
            continue
        if chosen and entry.run != chosen[0].run:
            if isinstance(entry.change, Enroll) and isinstance(chosen[0].change, Enroll):
                continue
            break
        chosen.append(entry)
        if entry.run is None:
            break
    if not chosen:
        raise GalleryError("There is nothing to undo.", "See: facelign people history")
    if isinstance(chosen[0].change, Remove):
        raise GalleryError(
            "The last change was a removal, which cannot be undone.", "Enroll the person again."
        )
    return chosen


def undone(newest_first: Iterable[Entry]) -> list[Entry]:
    """Return what is done again next, oldest first: what the last undo took back.

    Raises GalleryError when there is nothing, when something was changed since, or when it was an
    enrollment, whose vectors are gone.
    """
    entries = list(newest_first)
    time = max((entry.undone for entry in entries if entry.undone), default=None)
    taken = [entry for entry in reversed(entries) if time and entry.undone == time]
    if not taken:
        raise GalleryError("There is nothing to do again.", "See: facelign people history")
    oldest = taken[0]  # of several undos within a millisecond, the last took back the oldest
    if isinstance(oldest.change, Enroll):
        raise GalleryError(
            "The last undo took an enrollment back, and its vectors were erased.",
            "Enroll the photos again.",
        )
    if any(entry.undone is None and entry.number > oldest.number for entry in entries):
        raise GalleryError(
            "Something was changed since the last undo.", "See: facelign people history"
        )
    return [e for e in taken if e is oldest or (oldest.run is not None and e.run == oldest.run)]


def told(entries: Sequence[Entry]) -> str:
    """Return what was done in one run, in words."""
    first = entries[0]
    if len(entries) == 1:
        return f"{first.action}, {first.text}"
    names = list(dict.fromkeys(ref.name for entry in entries for ref in entry.people))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    count = sum(entry.templates for entry in entries)
    return f"{first.action}, {count} templates of {', '.join(names[:3])}{more}"


def photos(store: TemplateStore, entries: Iterable[Entry]) -> dict[int, str]:
    """Return which photo each entry is about, by its number, where that is known still."""
    places: dict[str, str] = {}  # by digest
    enrolled: dict[int, str] = {}  # by template
    for number, name in store.names().items():
        person = PersonRef(number, name)
        places |= {digest_of(key): place for key, place in store.rejected(person).items()}
        for info in store.templates(person):
            enrolled[info.id] = places[info.photo.digest] = info.photo.reference
    found = {}
    for entry in entries:
        match entry.change:
            case Enroll(_, (start, end)):
                here = [enrolled[i] for i in range(start, end) if i in enrolled]
            case Reject(_, key):
                here = [place] if (place := places.get(digest_of(key))) else []
            case _:
                here = []
        if here:
            found[entry.number] = here[0] + (f" and {len(here) - 1} more" if here[1:] else "")
    return found


def about(entries: Sequence[Entry], person: PersonRef) -> set[int]:
    """Return the numbers of the entries that tell of a person, under any id or name of theirs.

    Ids become a person by merges; names are all that one of these ids ever had.
    """
    ids, before = {person.id}, 0
    while len(ids) > before:
        before = len(ids)
        ids |= {
            entry.change.source.id
            for entry in entries
            if isinstance(entry.change, Merge) and entry.change.target.id in ids
        }
    names = {person.name}
    names |= {ref.name for entry in entries for ref in entry.people if ref.id in ids}
    return {
        entry.number
        for entry in entries
        if any(ref.id in ids or ref.name in names for ref in entry.people)
    }
