"""Changes as SQL: each is done, and what takes it back is returned."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from facelign.errors import GalleryError
from facelign.types.changes import (
    Accept,
    Change,
    Merge,
    PersonRef,
    Reject,
    Rename,
    Split,
    Withdraw,
)
from facelign.types.templates import now

#: changes after which the file has to be scrubbed
ERASING = (Withdraw,)


def apply(db: sqlite3.Connection, change: Change) -> Change | None:
    """Do a change inside of a transaction; see ``TemplateStore.apply``."""
    match change:
        case Rename():
            return _rename(db, change)
        case Merge():
            return _merge(db, change)
        case Split():
            return _split(db, change)
        case Reject(person, digest, reference):
            row = (person.id, digest, reference, now())
            added = db.execute("INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?)", row).rowcount
            return Accept(person, digest) if added else None
        case Accept(person, digest):
            query = "DELETE FROM rejections WHERE person = ? AND digest = ? RETURNING reference"
            gone = db.execute(query, (person.id, digest)).fetchall()
            return Reject(person, digest, gone[0][0]) if gone else None
        case Withdraw():
            _withdraw(db, change)
            return None
    raise TypeError(f"{type(change).__name__} is not applied: see TemplateStore.enroll, remove.")


def _rename(db: sqlite3.Connection, change: Rename) -> Rename:
    person, name = change.person, change.name
    _refuse_taken(db, name)
    db.execute("UPDATE people SET name = ? WHERE id = ?", (name, person.id))
    return Rename(PersonRef(person.id, name), person.name)


def _merge(db: sqlite3.Connection, change: Merge) -> Split:
    source, target = change.source, change.target
    query = "SELECT id FROM templates WHERE person = ? ORDER BY id"
    moved = tuple(row[0] for row in db.execute(query, (source.id,)))
    (created,) = db.execute("SELECT created FROM people WHERE id = ?", (source.id,)).fetchone()
    query = "SELECT digest, reference, created FROM rejections WHERE person = ?"
    taken = db.execute(query, (source.id,)).fetchall()
    kept = {row[0] for row in db.execute(query, (target.id,))}
    db.execute("UPDATE templates SET person = ? WHERE person = ?", (target.id, source.id))
    db.execute("DELETE FROM rejections WHERE person = ?", (source.id,))
    db.executemany(
        "INSERT OR IGNORE INTO rejections VALUES (?, ?, ?, ?)",
        [(target.id, *row) for row in taken],
    )
    db.execute("DELETE FROM people WHERE id = ?", (source.id,))
    rejected = tuple(row[0] for row in taken)
    both = tuple(digest for digest in rejected if digest in kept)
    return Split(target, moved, source, created, rejected, both)


def _split(db: sqlite3.Connection, change: Split) -> Merge:
    person, new = change.person, change.new
    _refuse_taken(db, new.name)
    if not new.id:
        db.execute("UPDATE state SET next_person = next_person + 1")
        (end,) = db.execute("SELECT next_person FROM state").fetchone()
        new = PersonRef(end - 1, new.name)
    row = (new.id, new.name, change.created or now())
    db.execute("INSERT INTO people VALUES (?, ?, ?)", row)
    _give(db, change.templates, new.id)
    for digest in change.rejected:
        db.execute(
            "INSERT INTO rejections SELECT ?, digest, reference, created FROM rejections"
            " WHERE person = ? AND digest = ?",
            (new.id, person.id, digest),
        )
        if digest not in change.both:
            query = "DELETE FROM rejections WHERE person = ? AND digest = ?"
            db.execute(query, (person.id, digest))
    return Merge(new, person)


def _withdraw(db: sqlite3.Connection, change: Withdraw) -> None:
    query = "SELECT DISTINCT person FROM templates WHERE id >= ? AND id < ?"
    owners = {row[0] for row in db.execute(query, change.templates)} | {*range(*change.people)}
    db.execute("DELETE FROM vectors WHERE template >= ? AND template < ?", change.templates)
    db.execute("DELETE FROM templates WHERE id >= ? AND id < ?", change.templates)
    # Whoever has nothing left came with this enrollment, or with one that was undone before it.
    db.executemany(
        "DELETE FROM people WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM templates t WHERE t.person = people.id)"
        " AND NOT EXISTS (SELECT 1 FROM rejections r WHERE r.person = people.id)",
        [(owner,) for owner in owners],
    )


def _refuse_taken(db: sqlite3.Connection, name: str) -> None:
    if db.execute("SELECT 1 FROM people WHERE name = ?", (name,)).fetchone():
        raise GalleryError(
            f"There is a '{name}' already.", "Choose another name, or merge the two."
        )


def _give(db: sqlite3.Connection, templates: Iterable[int], person: int) -> None:
    query = "UPDATE templates SET person = ? WHERE id = ?"
    db.executemany(query, [(person, template) for template in templates])
