"""Tables beside those of a gallery: files elsewhere that hold its vectors, and removals.

Older programs made them when something was first written into them, so that a gallery that may not
be written may lack them.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facelign.errors import GalleryCorrupt
from facelign.types.templates import Holder, Removal

_BACK_UP = "Put a back-up in its place."

_TABLES = (
    "CREATE TABLE IF NOT EXISTS holders (path TEXT PRIMARY KEY, kind TEXT NOT NULL,"
    " digest TEXT NOT NULL)",
    # record: JSON of all but the prints, which have rows of their own that are never written again
    "CREATE TABLE IF NOT EXISTS removals (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS prints (id TEXT PRIMARY KEY, prints BLOB NOT NULL)",
)


def make(db: sqlite3.Connection) -> None:
    """Make the tables that are not there."""
    for statement in _TABLES:
        db.execute(statement)


def there(db: sqlite3.Connection) -> bool:
    """Say whether a gallery has them."""
    query = "SELECT 1 FROM sqlite_master WHERE name = 'removals'"
    return db.execute(query).fetchone() is not None


def hold(db: sqlite3.Connection, holder: Holder) -> None:
    """Write down a file by its path."""
    row = (_text(holder.path), holder.kind, holder.digest)
    db.execute("INSERT OR REPLACE INTO holders (path, kind, digest) VALUES (?, ?, ?)", row)


def let_go(db: sqlite3.Connection, path: Path) -> None:
    """Forget a file."""
    db.execute("DELETE FROM holders WHERE path = ?", (_text(path),))


def holders(db: sqlite3.Connection) -> list[Holder]:
    """Return the files, by path."""
    rows = db.execute("SELECT path, kind, digest FROM holders ORDER BY path")
    return [Holder(_path(place), kind, digest) for place, kind, digest in rows]


def keep(db: sqlite3.Connection, removal: Removal) -> None:
    """Write down how far a removal is."""
    record = asdict(removal) | {"salt": removal.salt.hex(), "who": removal.who.hex()}
    del record["prints"]
    record["holders"] = [
        [_text(one.path), one.kind, one.digest, one.state] for one in removal.holders
    ]
    db.execute(
        "INSERT INTO removals (id, record) VALUES (?, ?)"
        " ON CONFLICT (id) DO UPDATE SET record = excluded.record",
        (removal.id, json.dumps(record)),
    )
    query = "INSERT OR IGNORE INTO prints (id, prints) VALUES (?, ?)"
    db.execute(query, (removal.id, removal.prints))


def removals(db: sqlite3.Connection) -> list[Removal]:
    """Return all removals, newest first."""
    query = "SELECT p.prints, r.record FROM removals r JOIN prints p USING (id)"
    rows = db.execute(f"{query} ORDER BY r.number DESC")
    return [_removal(prints, record) for prints, record in rows]


def _removal(prints: bytes, text: str) -> Removal:
    try:
        record: dict[str, Any] = json.loads(text)
        places = [Holder(_path(place), *rest) for place, *rest in record["holders"]]
        own = {"holders": tuple(places), "digests": tuple(record["digests"]), "prints": prints}
        keys = {"salt": bytes.fromhex(record["salt"]), "who": bytes.fromhex(record["who"])}
        return Removal(**record | own | keys)
    except (ValueError, TypeError, LookupError) as error:
        raise GalleryCorrupt("The gallery is damaged: a row is no removal.", _BACK_UP) from error


def _text(path: Path) -> str:
    return json.dumps(str(path))  # names that are no UTF-8 too


def _path(text: str) -> Path:
    return Path(json.loads(text))
