"""What a history says: which changes are taken back together, and what tells of a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from facelign.errors import GalleryError
from facelign.types.changes import Enroll, Entry, Merge, PersonRef, Remove


def last(newest_first: Iterable[Entry]) -> list[Entry]:
    """Return what is taken back next: the last change, or all enrollments of its run.

    Those of other runs, enrolled at the same time, are passed over. Raises GalleryError when there
    is nothing, or when it is a removal.
    """
    chosen: list[Entry] = []
    for entry in newest_first:
        if entry.undone is not None:
            continue
        adding = isinstance(entry.change, Enroll)
        if chosen and not (adding and entry.run == chosen[0].run):
            if adding:
                continue
            break
        chosen.append(entry)
        if not adding or entry.run is None:
            break
    if not chosen:
        raise GalleryError("There is nothing to undo.", "See: facelign people history")
    if isinstance(chosen[0].change, Remove):
        raise GalleryError(
            "The last change was a removal, which cannot be undone.", "Enroll the person again."
        )
    return chosen


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
