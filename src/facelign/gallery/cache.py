"""Vectors of photos that were looked at before, in one SQLite file that may be deleted any time.

A key is (digest of the photo's bytes, chain): the chain's id names everything that moves a vector
(detector and options, landmarks, layout, preprocessing, flip, model, chain version). An entry
is an ``Analysis`` without its pixels; which face matters is decided by whoever asks.

A cache must never fail the work it speeds up: a damaged file is set aside and begun anew, a full
disk or a busy file means that nothing is kept, and an entry with another byte, or without its
checksum, is not used. ``purge`` and ``clear`` do fail loudly, because removing a person relies on
them. Photos of people who were removed are never kept again, whoever is at work on them meanwhile;
all that is known of them is a digest of their digest.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from facelign.errors import GalleryBusy, GalleryCorrupt
from facelign.files.disk import erase
from facelign.files.home import expanded
from facelign.gallery.stores import connection as sql
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.closing import Closing
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import SCHEMES

#: "FLVC", in the header of every vector cache
APPLICATION_ID = 0x464C5643
#: raised when the layout of the file changes; an older cache is begun anew
_LAYOUT = 1
#: a gigabyte: about 300,000 photos with two faces of 128 numbers
DEFAULT_LIMIT = 1 << 30
#: the time of the last use is written at most once a day for an entry, to keep reads cheap
_DAY_S = 86_400
#: before the checksum, at the end of an entry's JSON
_SUM = ',"sum":'
#: what is kept of a full cache, so that not every new entry pushes out an old one
_KEPT_SHARE = 0.9
#: in the names of damaged files that were set aside
_ASIDE = ".damaged-"
_REMOVED = "CREATE TABLE IF NOT EXISTS removed (mark TEXT PRIMARY KEY) WITHOUT ROWID"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """The size of a cache. bytes: of vectors, boxes and points; limit_bytes: what is kept."""

    path: Path
    photos: int
    entries: int
    bytes: int
    limit_bytes: int


class VectorCache(Closing):
    """A cache of vectors; threads and processes may share the file.

    path: of the file, made when something is first put. limit_bytes: the entries that were not
    used for longest go when the entries together grow beyond it.
    """

    def __init__(self, path: str | Path, *, limit_bytes: int = DEFAULT_LIMIT) -> None:
        self.path = expanded(path).resolve()
        self.limit_bytes = limit_bytes
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._failed = False

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    # -- photos ----------------------------------------------------------------------------------

    def get(self, digest: str, chain: str) -> Analysis | None:
        """Return what is known about a photo, or None."""
        today = int(time.time()) // _DAY_S
        query = (
            "SELECT e.id, e.used, e.meta, b.data FROM entries e JOIN blobs b ON b.entry = e.id"
            " WHERE e.digest = ? AND e.chain = ?"
        )
        with self._lock:
            try:
                db = self._open(make=False)
                row = None if db is None else db.execute(query, (digest, chain)).fetchone()
                if db is None or row is None:
                    return None
                number, used, meta, data = row
                if _SUM not in meta:  # kept before entries had sums: made again, unless damaged
                    _unpacked(digest, meta, data)
                    return None
                if _sealed(meta.rpartition(_SUM)[0] + "}", digest, chain, data) != meta:
                    raise ValueError("bytes of it have changed")
                found = _unpacked(digest, meta, data)
                if used != today:
                    db.execute("UPDATE entries SET used = ? WHERE id = ?", (today, number))
            except sqlite3.Error as error:
                self._give_up(error)
                return None
            except (ValueError, KeyError, TypeError, IndexError) as error:
                _LOG.warning("An entry of the vector cache is damaged and is not used: %s", error)
                return None
        return found

    def put(self, digest: str, chain: str, photo: Analysis) -> None:
        """Keep what was found in a photo; an entry under the same key is replaced."""
        if not digest:
            return
        meta, data = _packed(photo)
        meta = _sealed(meta, digest, chain, data)
        row = (digest, chain, meta, len(meta) + len(data), int(time.time()) // _DAY_S)
        with self._lock:
            try:
                db = self._open(make=True)
                if db is None:
                    return
                with sql.committed(db, 1.0):
                    query = "SELECT 1 FROM removed WHERE mark = ?"
                    if db.execute(query, (_mark(digest),)).fetchone():
                        return
                    db.execute("DELETE FROM entries WHERE digest = ? AND chain = ?", row[:2])
                    query = "INSERT INTO entries (digest, chain, meta, size, used)"
                    cursor = db.execute(f"{query} VALUES (?, ?, ?, ?, ?)", row)
                    db.execute("INSERT INTO blobs VALUES (?, ?)", (cursor.lastrowid, data))
                    self._evict(db)
            except sqlite3.Error as error:
                self._give_up(error)

    # -- upkeep ----------------------------------------------------------------------------------

    def purge(self, digests: Iterable[str]) -> int:
        """Delete and overwrite every entry of the photos, of all chains; returns how many.

        None of these photos is kept from now on, also by programs that are at work now. A damaged
        file is erased whole. Raises GalleryBusy when another program keeps the file from being
        rewritten.
        """
        wanted = [(digest,) for digest in digests if digest]
        return self._erase("DELETE FROM entries WHERE digest = ?", wanted)

    def clear(self) -> int:
        """Delete and overwrite every entry; returns how many there were."""
        return self._erase("DELETE FROM entries", [()])

    def info(self) -> CacheInfo:
        """Return how much is in the cache."""
        counts = (0, 0, 0)
        with self._lock:
            try:
                db = self._open(make=False)
                if db is not None:
                    query = "SELECT count(DISTINCT digest), count(*), total(size) FROM entries"
                    counts = db.execute(query).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
        photos, entries, size = (int(v) for v in counts)
        return CacheInfo(self.path, photos, entries, size, self.limit_bytes)

    def files(self) -> list[Path]:
        """Return the files in which vectors may lie: the cache, its log, damaged ones set aside."""
        if not self.path.parent.is_dir():
            return []
        folder = self.path.resolve().parent
        return sorted(
            f for f in folder.iterdir() if f.is_file() and f.name.startswith(self.path.name)
        )

    def _erase(self, query: str, rows: Sequence[tuple[str, ...]]) -> int:
        with self._lock, sql.translated(self.path):
            self._failed = False
            try:
                gone = self._deleted(query, rows)
            except sqlite3.DatabaseError as error:
                if not sql.damaged(error):
                    raise
                self._set_aside(str(error))
                gone = self._deleted(query, rows)
            for file in self.files():
                if _ASIDE in file.name:
                    erase(file)
        return gone

    def _deleted(self, query: str, rows: Sequence[tuple[str, ...]]) -> int:
        marks = [(_mark(digest),) for row in rows for digest in row]
        db = self._open(make=bool(marks))
        if db is None or not rows:
            return 0
        before = db.execute("SELECT count(*) FROM entries").fetchone()[0]
        with sql.committed(db, sql.WAIT_S):
            db.executemany("INSERT OR IGNORE INTO removed VALUES (?)", marks)
            db.executemany(query, rows)
        gone = int(before - db.execute("SELECT count(*) FROM entries").fetchone()[0])
        # Also when nothing was deleted: an entry that was replaced may lie in the log.
        if not sql.rebuild(db, sql.WAIT_S):
            raise GalleryBusy(
                f"{self.path.name} could not be rewritten: another program keeps reading it.",
                "End it, then run: facelign cache clear",
            )
        return gone

    def _evict(self, db: sqlite3.Connection) -> None:
        total = db.execute("SELECT bytes FROM filled").fetchone()[0]
        if total <= self.limit_bytes:
            return
        goal = int(self.limit_bytes * _KEPT_SHARE)
        query = "SELECT id, size FROM entries ORDER BY used, id"
        gone = []
        for number, size in db.execute(query):
            if total <= goal:
                break
            total -= size
            gone.append((number,))
        db.executemany("DELETE FROM entries WHERE id = ?", gone)

    # -- the file --------------------------------------------------------------------------------

    def _open(self, *, make: bool) -> sqlite3.Connection | None:
        if self._db is not None or self._failed:
            return self._db
        if not self.path.exists():
            if not make:
                return None
            sql.create(self.path, APPLICATION_ID, _tables)
        self._refuse_foreign()
        try:
            self._db = self._connected()
        except sqlite3.DatabaseError as error:
            # another layout, a table that is missing, damage, no database
            if getattr(error, "sqlite_errorcode", 1) & 0xFF not in (1, 11, 26):
                raise
            self._set_aside(str(error))
            self._db = self._connected()
        return self._db

    def _refuse_foreign(self) -> None:
        kind = sql.kind_of(self.path)
        if kind is None:
            self._set_aside("it is no database")
        elif kind != APPLICATION_ID:
            raise GalleryCorrupt(
                f"{self.path} is a database of another program; it was not touched.",
                "Name another file for the vector cache.",
            )

    def _connected(self) -> sqlite3.Connection:
        db = sql.connect(self.path)
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                raise sqlite3.DatabaseError("it has another layout")
            db.execute("SELECT bytes FROM filled").fetchone()
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'removed'").fetchone():
                db.execute(_REMOVED)  # a cache of an older facelign
            # What is lost when the power fails can be computed again; it stays consistent.
            db.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self, why: str) -> None:
        """Begin the cache anew; the damaged file is erased at the next ``purge`` or ``clear``."""
        self.close()
        aside = self.path.with_name(f"{self.path.name}{_ASIDE}{time.time_ns()}")
        _LOG.warning("The vector cache is begun anew (%s); the old file is %s.", why, aside.name)
        with suppress(FileNotFoundError):
            self.path.replace(aside)
        for suffix in ("-wal", "-shm"):
            erase(self.path.with_name(self.path.name + suffix))
        sql.create(self.path, APPLICATION_ID, _tables)

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without the cache: for this call when it is busy, else for good."""
        if sql.busy(error):
            _LOG.debug("The vector cache is busy: %s", error)
            return
        if sql.damaged(error):
            self._set_aside(str(error))
            return
        _LOG.warning("The vector cache is not used: %s", error)
        self._failed = True
        self.close()


def _tables(db: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE entries (id INTEGER PRIMARY KEY, digest TEXT NOT NULL, chain TEXT NOT NULL,"
        " meta TEXT NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL,"
        " UNIQUE (digest, chain))",
        "CREATE INDEX entries_by_use ON entries(used)",
        # vectors lie here, in rows that are never updated (see gallery.stores.migrations)
        "CREATE TABLE blobs (entry INTEGER PRIMARY KEY REFERENCES entries(id) ON DELETE CASCADE,"
        " data BLOB NOT NULL)",
        "CREATE TABLE filled (bytes INTEGER NOT NULL)",
        "INSERT INTO filled VALUES (0)",
        "CREATE TRIGGER entry_in AFTER INSERT ON entries"
        " BEGIN UPDATE filled SET bytes = bytes + new.size; END",
        "CREATE TRIGGER entry_out AFTER DELETE ON entries"
        " BEGIN UPDATE filled SET bytes = bytes - old.size; END",
        _REMOVED,
        f"PRAGMA user_version = {_LAYOUT:d}",
    ):
        db.execute(statement)


def _mark(digest: str) -> str:
    """Return what is kept of a removed photo: who has the photo can tell it, nobody else."""
    return sha256(f"removed {digest}".encode()).hexdigest()


# -- entries as JSON and little-endian float32 ---------------------------------------------------


def _sealed(meta: str, digest: str, chain: str, data: bytes) -> str:
    """Return the JSON of an entry with the CRC-32 of all that is kept of it."""
    told = crc32(data, crc32("\n".join((digest, chain, meta)).encode()))
    return f"{meta[:-1]}{_SUM}{told}}}"


def _packed(photo: Analysis) -> tuple[str, bytes]:
    faces = photo.faces
    arrays = [faces.boxes, faces.scores]
    if faces.landmarks is not None:
        arrays.append(faces.landmarks.points)
    embeddings = photo.embeddings
    if embeddings is not None:
        arrays += [embeddings.vectors, embeddings.norms]
    meta: dict[str, Any] = {
        "faces": len(faces),
        "detector": faces.detector,
        "size": faces.image_size,
        "scheme": None if faces.landmarks is None else faces.landmarks.scheme.id,
        "embedded": [int(i) for i in photo.embedded],
        "spaces": [] if embeddings is None else [_spelled(embeddings.space)],
        "dropped": photo.dropped,
        "attempts": photo.attempts,
        "extra": {},
    }
    data = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays)
    return json.dumps(meta, ensure_ascii=False, separators=(",", ":")), data


def _unpacked(digest: str, meta: str, data: bytes) -> Analysis:
    record = json.loads(meta)
    numbers = np.frombuffer(data, "<f4")
    place = 0

    def take(*shape: int) -> Any:
        nonlocal place
        count = int(np.prod(shape))
        part = numbers[place : place + count].reshape(shape)
        place += count
        return part

    n, embedded = int(record["faces"]), np.array(record["embedded"], np.int64)
    boxes, scores = take(n, 4), take(n)
    landmarks = None
    if record["scheme"] is not None:
        scheme = SCHEMES[record["scheme"]]
        landmarks = Landmarks(take(n, scheme.k, 2), scheme)
    faces = Faces(boxes, scores, landmarks, record["detector"], tuple(record["size"]))
    embeddings = None
    for name, dim, metric, unit in record["spaces"]:  # one: the chain names its space
        space = Space(name, dim, Metric(metric), unit)
        embeddings = Embeddings(take(len(embedded), dim), space, take(len(embedded)))
    if place != len(numbers):
        raise ValueError("an entry of another length")
    dropped = tuple((int(face), str(reason)) for face, reason in record["dropped"])
    info = PhotoInfo("", digest, faces.image_size)
    tried = tuple(record["attempts"])
    return Analysis(info, faces, embedded, embeddings, dropped, tried, cached=True)


def _spelled(space: Space) -> tuple[str, int, str, bool]:
    return space.id, space.dim, space.metric.value, space.unit
