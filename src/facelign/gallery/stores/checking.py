"""A gallery file looked through as a whole, whatever its size and whatever is damaged in it.

Nothing is written. Each check says what it found, so that one that fails hides none of the others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from facelign.errors import GalleryCorrupt, GalleryError, Remedy
from facelign.files.disk import digest
from facelign.files.owners import at_work
from facelign.gallery.stores import checksums, journal
from facelign.gallery.stores import connection as sql
from facelign.gallery.stores.migrations import APPLICATION_ID, MIGRATIONS, SUMMED, migrate, version
from facelign.types.templates import Checkup, Finding

BACK_UP = "Put a back-up in its place."
_AGAIN = "Put a back-up in its place, or remove these people and enroll them again."
#: how far the length of a vector of a unit space may be from 1: float32 of some thousand numbers
_SLACK = 1e-3
#: findings of one check that are listed
_SHOWN = 20
_UNREAD = "cannot be read"
#: state of a check that damage elsewhere kept from its work
NOT_CHECKED = "not checked"
_WHOSE = "SELECT t.id, coalesce(p.name, '?') FROM templates t LEFT JOIN people p ON p.id = t.person"


def check(path: Path, *, alone: bool = False) -> Checkup:
    """Look a gallery file through. alone: nobody else has it open.

    Raises GalleryError where there is none or it cannot be read,
    GalleryCorrupt where it is none.
    """
    try:
        kind = sql.kind_of(path)
    except FileNotFoundError:
        raise GalleryError(f"There is no gallery at {path}.", Remedy.OTHER_GALLERY) from None
    except OSError as error:
        raise GalleryError(
            f"The gallery {path} cannot be opened: {error.strerror}.",
            "Name a file that may be read.",
        ) from error
    if kind != APPLICATION_ID:
        raise GalleryCorrupt(f"{path} is no gallery, or its head is damaged.", Remedy.OTHER_GALLERY)
    findings: list[Finding] = []
    unread = False
    try:
        with sql.translated(path), closing(sql.connect(path, readonly=True, alone=alone)) as db:
            db.text_factory = lambda text: text.decode("utf-8", "backslashreplace")
            checksums.teach(db)
            db.execute("BEGIN")  # others may write meanwhile
            for name, mend, look in _CHECKS:
                found = _finding(name, mend, partial(look, db))
                unread |= name == "file" and _unread(found)
                if unread and found.state == "sound":  # what it read is not all that there is
                    found = Finding(name, NOT_CHECKED)
                findings.append(found)
                if name == "tables" and found.state == "damaged":
                    break  # the others would ask for what is not there
    except GalleryCorrupt as error:  # not even the list of its tables can be read
        findings = [one for one in findings if one.check != "file"]
        findings.insert(0, Finding("file", "damaged", (error.message,), BACK_UP))
    done = {one.check for one in findings}
    rest = (Finding(name, NOT_CHECKED) for name, _, _ in _CHECKS if name not in done)
    return Checkup(path, (*findings, *rest))


def _unread(found: Finding) -> bool:
    return any(text.startswith(_UNREAD) for text in found.found)


def _finding(name: str, mend: str, look: Callable[[], Iterator[str]]) -> Finding:
    found: list[str] = []
    state = "note" if name in _NOTES else "damaged"
    try:
        found.extend(look())  # what came before an error is kept
    except (sqlite3.Error, TypeError, ValueError, LookupError, OverflowError) as error:
        if isinstance(error, sqlite3.Error) and sql.busy(error):
            raise
        found.append(f"{_UNREAD}: {error}")
        state, mend = "damaged", BACK_UP
    state = state if found else "sound"
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return Finding(name, state, (*found[:_SHOWN], *more), mend if found else "")


def _pages(db: sqlite3.Connection) -> Iterator[str]:
    """Yield where pages and indexes of the file do not fit together."""
    told = (row[0] for row in db.execute("PRAGMA integrity_check"))
    yield from (" ".join(text.split()) for text in told if text != "ok")


def _tables(db: sqlite3.Connection) -> Iterator[str]:
    """Yield what the layout lacks, as the steps of the file's own version make it."""
    done = version(db)
    if not 1 <= done <= len(MIGRATIONS):
        yield f"layout {done} is none that this facelign knows (1 to {len(MIGRATIONS)})"
        return
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, done)
        wanted, there = _layout(fresh), _layout(db)
    for name, text in wanted.items():
        if name not in there:
            yield f"{name} is missing"
        elif there[name] != text:
            yield f"{name} is not as it was made"
    if not db.execute("SELECT 1 FROM state").fetchone():
        yield "state is empty"


def _layout(db: sqlite3.Connection) -> dict[str, str]:
    rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {name: " ".join(text.split()) for name, text in rows}


def _older(db: sqlite3.Connection) -> Iterator[str]:
    if version(db) < len(MIGRATIONS):
        yield "written by an older facelign: rows and vectors have no checksums yet"


def _rows(db: sqlite3.Connection) -> Iterator[str]:
    """Yield rows that are none, or not as they were written."""
    yield from sql.unsound(db)
    person = "SELECT id, name FROM people p WHERE p.id = ?"
    names = {"people": person, "rejections": person, "templates": f"{_WHOSE} WHERE t.id = ?"}
    for table in checksums.KEYS:
        for key in checksums.wrong(db, table):
            known = db.execute(names[table], key[:1]).fetchone() if table in names else None
            whose = f" ({known[1]})" if known else ""
            yield f"{table}: row {' '.join(map(str, key))}{whose} is not as it was written"


def _links(db: sqlite3.Connection) -> Iterator[str]:
    """Yield rows that belong to nothing."""
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check").fetchall():
        yield f"{table}: row {row} belongs to none of the {parent}"
    lonely = " WHERE t.id NOT IN (SELECT template FROM vectors)"
    for number, name in db.execute(_WHOSE + lonely):
        yield f"template {number} of {name} has no vector"
    query = (
        "SELECT name FROM people WHERE id NOT IN (SELECT person FROM templates)"
        " AND id NOT IN (SELECT person FROM rejections)"
    )
    for (name,) in db.execute(query):
        yield f"{name} has no template"
    query = (
        "SELECT next_template > (SELECT coalesce(max(id), 0) FROM templates)"
        " AND next_person > (SELECT coalesce(max(id), 0) FROM people)"
        " AND reshaped <= revision FROM state"
    )
    if not db.execute(query).fetchone()[0]:
        yield "the counters of the gallery are behind its rows"


def _vectors(db: sqlite3.Connection) -> Iterator[str]:
    """Yield vectors that are not those that were enrolled, or none of their space."""
    told = "t.vector_checksum" if version(db) >= SUMMED else "NULL"
    rows = db.execute(
        f"SELECT t.id, t.person, v.vector, {told}, s.dim, s.unit, p.name FROM templates t"  # noqa: S608
        " JOIN vectors v ON v.template = t.id JOIN spaces s ON s.number = t.space"
        " LEFT JOIN people p ON p.id = t.person ORDER BY t.id"
    )
    for number, person, vector, wanted, dim, unit, name in rows:
        wrong = ""
        if wanted is not None and checksums.of_vector(number, person, vector) != wanted:
            wrong = "is not the one that was enrolled"
        elif len(vector) != 4 * dim:
            wrong = f"has {len(vector) / 4:g} numbers, not the {dim} of its space"
        else:
            numbers = np.frombuffer(vector, "<f4").astype(np.float64)
            length = np.sqrt(numbers @ numbers)
            if not np.isfinite(length):
                wrong = "holds numbers that are not finite"
            elif unit and abs(length - 1) > _SLACK:
                wrong = f"has the length {length:.4g}, not 1"
        if wrong:
            yield f"the vector of template {number} of {name} {wrong}"


def _removals(db: sqlite3.Connection) -> Iterator[str]:
    """Yield removals that are not finished."""
    removals = journal.removals(db) if journal.there(db) else []
    for job in removals:
        if job.verified is None and not at_work(job.worker):
            yield f"the removal {job.id} of {job.time[:10]} was cut off"
    if db.execute("SELECT unscrubbed FROM state").fetchone()[0]:
        yield "deleted vectors may still lie in the file"


def _elsewhere(db: sqlite3.Connection) -> Iterator[str]:
    """Yield files that hold vectors and are not where they were, or not what they were."""
    for holder in journal.holders(db) if journal.there(db) else []:
        if holder.kind == "cache":
            continue  # may be deleted any time
        if not holder.path.is_file():
            yield f"{holder.kind} {holder.path} is not there any more"
        elif holder.digest and digest(holder.path) != holder.digest:
            yield f"{holder.kind} {holder.path} is another file by now"


_CHECKS: tuple[tuple[str, str, Callable[[sqlite3.Connection], Iterator[str]]], ...] = (
    ("file", BACK_UP, _pages),
    ("tables", BACK_UP, _tables),
    ("layout", "The next command that changes the gallery brings it up to date.", _older),
    ("rows", _AGAIN, _rows),
    ("links", _AGAIN, _links),
    ("vectors", _AGAIN, _vectors),
    ("removals", "The next command that changes the gallery finishes them.", _removals),
    (
        "elsewhere",
        "Copies that were moved are yours to delete when somebody is removed.",
        _elsewhere,
    ),
)
_NOTES = frozenset({"layout", "removals", "elsewhere"})
