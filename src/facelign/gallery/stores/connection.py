"""SQLite files that hold vectors: how they are made, opened, waited for and scrubbed."""

from __future__ import annotations

import atexit
import os
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from facelign.errors import GalleryBusy, GalleryCorrupt, GalleryError
from facelign.files import owners
from facelign.files.disk import sync_folder

#: how long a writer waits for another one, seconds
WAIT_S = 30.0
#: SQLite waits this long by itself; longer waits are loops here, so that Ctrl-C is heard
_STEP_MS = 500
_MAGIC = b"SQLite format 3\0"
#: pages kept in memory at most, kB: the photo index of a bulk enrollment is written at random
_CACHE_KB = 16_000
#: VACUUM rebuilds the file in a temporary one; up to this size that one stays in memory, so that
#: no vector is written anywhere else
_IN_MEMORY_BYTES = 256 << 20


class _Connection(sqlite3.Connection):
    """A connection that can be remembered without being kept alive."""


_connections: WeakSet[_Connection] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Close what is open when the process ends: else a log with vectors stays beside the file."""
    for connection in list(_connections):
        with suppress(sqlite3.Error):
            connection.close()


def kind_of(path: Path) -> int | None:
    """Return the application id in the header of a SQLite file, or None for any other file.

    Nothing is opened through SQLite, so a file of another program is not touched
    (offset 68 of the header, sqlite.org/fileformat2).
    """
    with path.open("rb") as file:
        head = file.read(100)
    if len(head) < 100 or not head.startswith(_MAGIC):
        return None
    return int(struct.unpack(">I", head[68:72])[0])


def connect(path: Path, *, readonly: bool = False, alone: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode that overwrites what it deletes.

    alone: nobody else can have the file open, which is only read: no file is made beside it.

    Foreign keys are on, a commit is on the disk when it returns, and secure_delete is set whatever
    the build's default is (Debian builds it on, others off).
    """
    address = path.resolve().as_uri() + ("?mode=ro" if readonly or alone else "?mode=rw")
    if alone:
        return _configured(address + "&immutable=1", path)
    try:
        return _configured(address, path)
    except sqlite3.OperationalError as error:
        wal = path.with_name(path.name + "-wal")
        if not readonly or error.sqlite_errorcode & 0xFF not in (8, 14) or wal.exists():
            raise
        # A read-only folder has no room for the shared-memory file; without a WAL nobody writes.
        return _configured(address + "&immutable=1", path)


def _configured(address: str, path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address,
        uri=True,
        timeout=_STEP_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=_Connection,
    )
    _connections.add(connection)
    try:
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")  # nothing spills into a file elsewhere
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        if path.stat().st_size <= _IN_MEMORY_BYTES:
            connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path, application_id: int, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a database at ``path``, complete and readable by its owner only, or leave no file.

    It is made under another name and linked into place, so two processes that start together
    get one file, and nobody sees a half-made one. A file that is there already is left alone.
    """
    part = owners.scratch(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise GalleryError(
            f"{path} cannot be made: {error.strerror or error}.", "Name another place."
        ) from error
    try:
        with closing(connect(part)) as connection:
            connection.execute(f"PRAGMA application_id = {application_id:d}")
            fill(connection)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        try:
            os.link(part, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            if not path.exists():
                part.replace(path)
        sync_folder(path.parent)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def keep_private(path: Path) -> None:
    """Take the access of group and others from a file (its WAL takes over the file's mode)."""
    with suppress(OSError):
        mode = path.stat().st_mode & 0o777
        if os.name != "nt" and mode & 0o077:
            path.chmod(mode & 0o700)


@contextmanager
def translated(path: Path, holder: Callable[[], str] = lambda: "another program") -> Iterator[None]:
    """Turn SQLite's errors into ours, which say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise told(error, path, holder) from error
    except UnicodeDecodeError as error:  # SQLite's own words, which quote the damaged bytes
        raise GalleryCorrupt(f"{path.name} is damaged: a text is none.", _BACK_UP) from error


def told(error: sqlite3.Error, path: Path, holder: Callable[[], str]) -> GalleryError:
    """Return the error of ours for one of SQLite's (primary result codes, sqlite.org/rescode)."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = path.name
    if busy(error):
        return GalleryBusy(
            f"{name} is being written by {holder()}.", "Wait until it is done, then try again."
        )
    if code == 13:
        return GalleryError(
            f"The disk is full: nothing more was written to {name}; what was confirmed is kept.",
            "Make room, then run the same command again.",
        )
    if code == 8:
        return GalleryError(f"{name} may not be written.", "Check the rights of file and folder.")
    if code in (10, 14):
        return GalleryError(
            f"{name} cannot be read or written: {error}.", "Check the disk and the rights."
        )
    if damaged(error):
        return GalleryCorrupt(f"{name} is damaged: {error}.", _BACK_UP)
    return GalleryError(f"{name}: {error}.", "Report this with the command that led to it.")


#: what a value may be by the declared type of its column (sqlite.org/datatype3)
_KINDS = {
    "INTEGER": "'integer'",
    "TEXT": "'text'",
    "REAL": "'real', 'integer'",
    "BLOB": "'blob'",
}


def refuse_broken(connection: sqlite3.Connection, path: Path) -> None:
    """Raise GalleryCorrupt where pages or indexes of a file do not fit together."""
    told = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if told != "ok":
        raise GalleryCorrupt(f"{path.name} is damaged: {' '.join(told.split())}.", _BACK_UP)


def refuse_unsound(connection: sqlite3.Connection, path: Path) -> None:
    """Raise GalleryCorrupt where a row holds what its table does not allow, or leads nowhere."""
    for told in unsound(connection):
        raise GalleryCorrupt(f"{path.name} is damaged: {told}.", _BACK_UP)
    astray = connection.execute("PRAGMA foreign_key_check").fetchone()
    if astray:
        raise GalleryCorrupt(
            f"{path.name} is damaged: a row of its {astray[0]} belongs to none of its {astray[2]}.",
            _BACK_UP,
        )


def unsound(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield which tables have rows that hold what these do not allow.

    SQLite finds such rows in no query: a damaged page reads as rows of NULL, or of other types.
    """
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in connection.execute(query).fetchall():
        wrong = []
        for _, column, kind, needed, _, key in connection.execute(
            f"PRAGMA table_info({table})"
        ).fetchall():
            if kind in _KINDS:
                allowed = _KINDS[kind] if needed or key else f"{_KINDS[kind]}, 'null'"
                wrong.append(f"typeof({column}) NOT IN ({allowed})")
        query = f"SELECT 1 FROM {table} WHERE {' OR '.join(wrong) or '0'} LIMIT 1"  # noqa: S608
        if connection.execute(query).fetchone():
            yield f"a row of its {table} is none"


_BACK_UP = "Put a back-up in its place; nothing was changed."


def damaged(error: sqlite3.Error) -> bool:
    """Return whether the bytes of a file are no sound database.

    SQLITE_CORRUPT, SQLITE_NOTADB, and text that is none.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (11, 26) or "Could not decode to UTF-8" in str(error)


def busy(error: sqlite3.Error) -> bool:
    """Return whether another connection is in the way (SQLITE_BUSY, SQLITE_LOCKED)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (5, 6)


@contextmanager
def committed(connection: sqlite3.Connection, wait_s: float = 0.0) -> Iterator[None]:
    """Write what is done inside, or leave no trace of it; waits for other writers."""
    if not _patiently(lambda: bool(connection.execute("BEGIN IMMEDIATE")), wait_s):
        connection.execute("BEGIN IMMEDIATE")  # raises what is in the way
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends the transaction by itself
            connection.execute("ROLLBACK")
        raise


def _patiently(step: Callable[[], bool], wait_s: float) -> bool:
    """Try a step until it says that it is done; False where others are in the way for so long."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            if step():
                return True
            time.sleep(0.02)
        except sqlite3.OperationalError as error:
            if not busy(error):
                raise
        if time.monotonic() >= deadline:
            return False


def empty_wal(connection: sqlite3.Connection, wait_s: float) -> bool:
    """Copy the write-ahead log into the file and cut it to zero bytes; False if readers hold it."""
    # busy comes as a row, without an exception
    query = "PRAGMA wal_checkpoint(TRUNCATE)"
    return _patiently(lambda: not connection.execute(query).fetchone()[0], wait_s)


def rebuild(connection: sqlite3.Connection, wait_s: float) -> bool:
    """Overwrite deleted rows in the file, rebuild it without gaps, cut the log; False if busy.

    Deleted pages are overwritten first and given back to the file system after that. VACUUM is
    needed because rows that grew leave pieces in gaps that secure_delete does not reach.
    """
    deadline = time.monotonic() + wait_s
    return (
        empty_wal(connection, wait_s)
        and _patiently(lambda: bool(connection.execute("VACUUM")), deadline - time.monotonic())
        and empty_wal(connection, max(1.0, deadline - time.monotonic()))
    )
