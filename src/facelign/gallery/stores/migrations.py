"""The layout of a gallery file, as the steps that lead to it. Steps are added, never changed.

Vectors have a table of their own whose rows are never updated: rows that grow leave pieces of
their old selves in gaps of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from facelign.compare.calibrations import load, to_json
from facelign.errors import FacelignError
from facelign.gallery.stores import checksums, journal
from facelign.gallery.stores.connection import committed

#: "FLGA", in the header of every gallery: no file of another program is taken for one
APPLICATION_ID = 0x464C4741


def first_tables(connection: sqlite3.Connection) -> None:
    """People, spaces, templates and their vectors, rejections, history, counters."""
    for statement in (
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
        " created TEXT NOT NULL)",
        "CREATE TABLE spaces (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
        " dim INTEGER NOT NULL, metric TEXT NOT NULL, unit INTEGER NOT NULL)",
        "CREATE TABLE templates (id INTEGER PRIMARY KEY,"
        " person INTEGER NOT NULL REFERENCES people(id),"
        " space INTEGER NOT NULL REFERENCES spaces(number),"
        " reference TEXT NOT NULL, digest TEXT NOT NULL,"
        " x1 REAL, y1 REAL, x2 REAL, y2 REAL, points BLOB, scheme TEXT, score REAL, height REAL,"
        " norm REAL NOT NULL, created TEXT NOT NULL, consent TEXT)",
        "CREATE INDEX templates_by_person ON templates(person)",
        "CREATE INDEX templates_by_photo ON templates(digest)",
        # little-endian float32, dim of the space
        "CREATE TABLE vectors (template INTEGER PRIMARY KEY REFERENCES templates(id),"
        " vector BLOB NOT NULL)",
        "CREATE TRIGGER vectors_stay BEFORE UPDATE ON vectors"
        " BEGIN SELECT RAISE(ABORT, 'vectors are never updated'); END",
        "CREATE TABLE rejections (person INTEGER NOT NULL REFERENCES people(id),"
        " digest TEXT NOT NULL, reference TEXT NOT NULL, created TEXT NOT NULL,"
        " PRIMARY KEY (person, digest)) WITHOUT ROWID",
        # the templates that take part in searches and counts
        "CREATE VIEW used AS SELECT t.* FROM templates t WHERE NOT EXISTS"
        " (SELECT 1 FROM rejections r WHERE r.person = t.person AND r.digest = t.digest)",
        # person, other: ids that outlive their rows; detail: JSON, numbers and digests only
        "CREATE TABLE history (number INTEGER PRIMARY KEY, time TEXT NOT NULL,"
        " action TEXT NOT NULL, person INTEGER, name TEXT, other INTEGER, other_name TEXT,"
        " templates INTEGER NOT NULL, detail TEXT NOT NULL, run TEXT, undone TEXT)",
        # revision: grows with every change; reshaped: the last one that was more than an addition;
        # unscrubbed: deleted vectors may still lie in the file or its log
        "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL,"
        " reshaped INTEGER NOT NULL, next_template INTEGER NOT NULL,"
        " next_person INTEGER NOT NULL, unscrubbed INTEGER NOT NULL)",
        "INSERT INTO state VALUES (1, 0, 0, 1, 1, 0)",
    ):
        connection.execute(statement)


def row_checksums(connection: sqlite3.Connection) -> None:
    """A checksum of every row, and of every vector with its owner.

    Rows grow by it, which leaves pieces of their old selves in gaps of the file: no vectors.
    """
    checksums.add_to_vectors(connection)
    checksums.add(connection, ("people", "spaces", "templates", "rejections", "history"))


def own_calibrations(connection: sqlite3.Connection) -> None:
    """Calibrations made on the templates, one a space; that which lies beside the file is one."""
    checksums.teach(connection)
    connection.execute(
        "CREATE TABLE calibrations (space TEXT PRIMARY KEY NOT NULL, record TEXT NOT NULL,"
        " checksum INTEGER NOT NULL DEFAULT 0)"
    )
    place = next(file for _, name, file in connection.execute("PRAGMA database_list"))
    beside = calibration_path(Path(place)) if place else None
    if beside is None or not beside.is_file():
        return
    with suppress(FacelignError, OSError):  # what is none stays where it is, and is told when used
        record = load(beside)
        row = (record.space, to_json(record))
        connection.execute("INSERT INTO calibrations (space, record) VALUES (?, ?)", row)
        checksums.fill(connection, "calibrations")


def removals_and_holders(connection: sqlite3.Connection) -> None:
    """Files elsewhere that hold vectors, and removals; some older programs made these tables."""
    journal.make(connection)
    checksums.add(connection, ("holders", "removals", "prints"))


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    first_tables,
    row_checksums,
    own_calibrations,
    removals_and_holders,
)
#: files of this many steps have checksums
SUMMED = 2
#: files of this many steps hold their own calibrations
CALIBRATED = 3


def calibration_path(gallery: Path) -> Path:
    """Return where the calibration of a gallery lay before galleries held it: beside the file
    itself (not beside a link to it), its name with an ending.
    """
    real = gallery.resolve()
    return real.with_name(f"{real.name}.calibration.json")


def version(connection: sqlite3.Connection) -> int:
    """Return how many steps a file has taken."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, last: int = len(MIGRATIONS), wait_s: float = 0.0
) -> None:
    """Take the steps that a file lacks, up to ``last``, all or none, and write them down in it."""
    with committed(connection, wait_s):
        done = version(connection)  # asked under the lock: another process may have been faster
        connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (step INTEGER PRIMARY KEY, name TEXT NOT NULL, applied TEXT NOT NULL)"
        )
        for step, function in enumerate(MIGRATIONS[done:last], start=done + 1):
            function(connection)
            row = (step, function.__name__, datetime.now(UTC).isoformat(timespec="seconds"))
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", row)
            connection.execute(f"PRAGMA user_version = {step:d}")
