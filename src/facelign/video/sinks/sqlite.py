"""Events in one SQLite file, which answers who was here when; several processes may write."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from facelign.errors import GalleryError, SinkError
from facelign.files.disk import identity
from facelign.files.home import expanded
from facelign.gallery.stores import connection as sql
from facelign.types.contracts import EventLog
from facelign.types.events import Event
from facelign.types.templates import spelled
from facelign.video.forgetting import traces
from facelign.wire import values
from facelign.wire.records import Record, event_record

#: "FLev": tells logs of events from galleries and from files of other programs
APPLICATION_ID = 0x464C6576
#: how long another process is waited for, s: a camera does not stand still meanwhile
_WAIT_S = 1.0
#: how long readers are waited for where a name is to leave the bytes of the file, s
_REBUILD_S = 10.0
_COLUMNS = (
    "event", "camera", "time", "visit", "person", "score", "threshold", "looks", "height", "zone",
    "snapshot", "reason", "live", "last_seen", "delay_s", "id",
)  # fmt: skip
_SCHEMA = (
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, camera TEXT NOT NULL,
        time TEXT NOT NULL, visit INTEGER, person TEXT, score REAL, threshold REAL, looks INTEGER,
        height REAL, zone TEXT NOT NULL, snapshot TEXT, reason TEXT NOT NULL, live REAL,
        last_seen TEXT, delay_s REAL, id TEXT NOT NULL UNIQUE)""",
    "CREATE INDEX events_by_time ON events (time)",
    "CREATE INDEX events_by_person ON events (person, time)",
)
_LISTED = ", ".join(_COLUMNS)
_INSERT = (
    f"INSERT INTO events ({_LISTED}) VALUES ({', '.join(':' + name for name in _COLUMNS)})"  # noqa: S608
    " ON CONFLICT (id) DO NOTHING"
)
_SELECT = f"SELECT {_LISTED} FROM events"  # noqa: S608


class SqliteLog(EventLog):
    """The table ``events`` of a file, which only its owner may read. Raises SinkError for a file
    of another program.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(expanded(path)))
        self.name = path.name
        self._guard = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        with self._connected():
            pass

    def put(self, events: Sequence[Event]) -> None:
        """Write events to the disk; see types.contracts.EventSink."""
        if not events:
            return
        with self._connected() as db, sql.committed(db, _WAIT_S):
            db.executemany(_INSERT, [_row(event) for event in events])

    def newest(self) -> Iterator[Event]:
        """Yield the events, the last that was put first."""
        with self._connected() as db:
            rows = db.execute(f"{_SELECT} ORDER BY position DESC")
        for row in rows:
            yield _read(row)

    def between(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        person: str | None = None,
    ) -> list[Event]:
        """Return the events that are meant by their time; see types.contracts.EventLog."""
        terms, given = ["1"], []
        for term, value in (
            ("time >= ?", start and _text(start)),
            ("time < ?", end and _text(end)),
            ("person = ?", person),
        ):
            if value is not None:
                terms.append(term)
                given.append(value)
        query = f"{_SELECT} WHERE {' AND '.join(terms)} ORDER BY time, position"
        with self._connected() as db:
            return [_read(row) for row in db.execute(query, given)]

    def forget(self, person: str) -> int:
        """Take a person out of the rows and out of the bytes of the file."""
        with self._connected() as db:
            with sql.committed(db, _WAIT_S):
                found = traces(map(_read, db.execute(f"{_SELECT} ORDER BY position DESC")), person)
                keys = [(key,) for key in found.events]
                db.executemany("DELETE FROM events WHERE id = ?", keys)
                keys = [(key,) for key in found.mentions]
                db.executemany("UPDATE events SET reason = '' WHERE id = ?", keys)
            if not sql.rebuild(db, _REBUILD_S):
                raise SinkError(
                    f"{self.name} is being read by another program: the rows are deleted, their "
                    "bytes not yet.",
                    "End that program, then do the same again.",
                )
            return len(found.events | found.mentions)

    def drop_before(self, time: datetime) -> int:
        """Delete the events from before a moment."""
        with self._connected() as db, sql.committed(db, _WAIT_S):
            return db.execute("DELETE FROM events WHERE time < ?", (_text(time),)).rowcount

    def close(self) -> None:
        """Let the file go."""
        with self._guard:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to the file that lies there now; told in words of ours."""
        try:
            with self._guard, sql.translated(self.path):
                if self._db is None or identity(self.path) != self._inode:
                    opened = self._open()  # raises where it was moved away while it was written
                    self.close()
                    self._db = opened
                yield self._db
        except GalleryError as problem:
            raise SinkError(problem.message, "Events wait until it can be written.") from problem
        except OSError as problem:
            raise SinkError(
                f"{self.name} cannot be opened: {problem.strerror}.", "Name another file."
            ) from problem

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            newest = self.path.with_name(self.path.name + "-wal")
            if newest.exists():  # SQLite would take it for the new file's own
                raise SinkError(
                    f"{self.name} is gone, but {newest.name} with its newest events is here.",
                    f"Put it back, or delete {newest.name}.",
                )
            sql.create(self.path, APPLICATION_ID, _fill)
        if not self.path.is_file() or sql.kind_of(self.path) != APPLICATION_ID:
            raise SinkError(
                f"{self.name} is no log of events; it was not touched.", "Name another file."
            )
        sql.keep_private(self.path)
        self._inode = identity(self.path)
        return sql.connect(self.path)


def _fill(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        db.execute(statement)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _row(event: Event) -> Record:
    record = event_record(event)
    return {key: spelled(v) if isinstance(v, str) else v for key, v in record.items()}


def _read(row: tuple[object, ...]) -> Event:
    return values.event(dict(zip(_COLUMNS, row, strict=True)))
