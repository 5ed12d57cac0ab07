"""Checksums of the rows of a gallery: a byte that changed on the disk is told, never believed.

SQLite finds pages that are no pages; a name or a vector with another byte in it is as good to it as
the one that was written. So every row has the CRC-32 of its values, which temporary triggers keep
(an older program refuses the file), and every template that of its vector, its owner and its id. A
CRC-32 tells every burst of up to 32 bits, and 1 - 2^-32 of the rest (Koopman, "32-bit cyclic
redundancy codes for Internet applications", DSN 2002). It is no seal against forgers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any
from zlib import crc32

#: tables whose rows have a checksum, and the columns by which a row is known
KEYS = MappingProxyType(
    {
        "people": ("id",),
        "spaces": ("number",),
        "templates": ("id",),
        "rejections": ("person", "digest"),
        "history": ("number",),
        "calibrations": ("space",),
        "holders": ("path",),
        "removals": ("number",),
        "prints": ("id",),
    }
)
#: those that decide an answer, and those of them that have few rows
OPENED = ("people", "spaces", "rejections", "templates")
OF_FEW = OPENED[:3]
#: spreads ids over 32 bits (Knuth, TAOCP 3, 6.4), so that id and owner are told apart
_SPREAD = 0x9E3779B1


def of_row(*values: object) -> int:
    """Return the checksum of the values of a row; texts come as bytes, since damaged ones may be
    no UTF-8.
    """
    return crc32(repr(values).encode())


def of_vector(template: int, person: int, vector: bytes) -> int:
    """Return the checksum of a vector that is a template of a person; -1 of damaged values."""
    try:
        return crc32(vector, (template * _SPREAD + person) & 0xFFFFFFFF)
    except TypeError:
        return -1


def changed(rows: Iterable[Sequence[Any]]) -> list[int]:
    """Return the ids of those templates whose vector or owner is not as it was written, of rows of
    (id, person, vector, checksum).
    """
    return [number for number, *more, told in rows if of_vector(number, *more) != told]


def teach(db: sqlite3.Connection) -> None:
    """Let a connection compute both checksums."""
    db.create_function("row_checksum", -1, of_row, deterministic=True)
    db.create_function("vector_checksum", 3, of_vector, deterministic=True)


def add_to_vectors(db: sqlite3.Connection) -> None:
    """Give every vector of a file its checksum."""
    teach(db)
    db.execute("ALTER TABLE templates ADD COLUMN vector_checksum INTEGER NOT NULL DEFAULT 0")
    db.execute(
        "UPDATE templates SET vector_checksum = coalesce((SELECT vector_checksum(id, person,"
        " v.vector) FROM vectors v WHERE v.template = id), 0)"
    )


def add(db: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Give every row of some tables of a file its checksum."""
    teach(db)
    for table in tables:
        db.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
        fill(db, table)


def fill(db: sqlite3.Connection, table: str) -> None:
    """Write the checksum of every row of a table."""
    db.execute(f"UPDATE {table} SET checksum = {_expression(db, table)}")  # noqa: S608


def keep(db: sqlite3.Connection) -> None:
    """Keep the checksums right while the connection is open, whatever it writes."""
    for table, keys in KEYS.items():
        columns = ", ".join(name for name, _ in _columns(db, table))
        same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
        for name, event in (("added", "INSERT"), ("written", f"UPDATE OF {columns}")):
            db.execute(
                f"CREATE TEMP TRIGGER {table}_{name} AFTER {event} ON main.{table} BEGIN"  # noqa: S608
                f" UPDATE {table} SET checksum = {_expression(db, table, 'NEW.')} WHERE {same}; END"
            )


def wrong(db: sqlite3.Connection, table: str) -> list[tuple[int | str, ...]]:
    """Return the keys of the rows of a table that are not as they were written."""
    if not _summed(db, table):
        return []  # of an older layout
    query = f"SELECT {', '.join(KEYS[table])} FROM {table}"  # noqa: S608
    return db.execute(f"{query} WHERE checksum IS NOT {_expression(db, table)}").fetchall()


def _columns(db: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    rows = db.execute(f"PRAGMA main.table_info({table})").fetchall()
    return [(name, kind) for _, name, kind, *_ in rows if name != "checksum"]


def _summed(db: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM pragma_table_info(?) WHERE name = 'checksum'"
    return db.execute(query, (table,)).fetchone() is not None


def _expression(db: sqlite3.Connection, table: str, row: str = "") -> str:
    values = (
        f"CAST({row}{name} AS BLOB)" if kind == "TEXT" else f"{row}{name}"
        for name, kind in _columns(db, table)
    )
    return f"row_checksum({', '.join(values)})"
