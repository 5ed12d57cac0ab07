"""A gallery in one SQLite file: the truth about people and their templates."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from facelign.errors import (
    GalleryBusy,
    GalleryCorrupt,
    GalleryError,
    Remedy,
    SchemaTooNew,
    SpaceMismatch,
)
from facelign.gallery.stores import codec
from facelign.gallery.stores import connection as sql
from facelign.gallery.stores.changing import ERASING, apply
from facelign.gallery.stores.lock import HolderNote, users
from facelign.gallery.stores.migrations import APPLICATION_ID, MIGRATIONS, migrate, version
from facelign.types.arrays import IntArray
from facelign.types.changes import Change, Enroll, Entry, Erased, PersonRef
from facelign.types.contracts import TemplateStore
from facelign.types.embeddings import Metric, Space
from facelign.types.templates import (
    EnrolledPhoto,
    Person,
    Row,
    SpaceCount,
    State,
    TemplateInfo,
    TemplateVectors,
    now,
)

_LOG = logging.getLogger(__name__)
#: so many values stand in a query one by one; more come as one JSON list
_FEW = 8


def _among(values: Collection[str]) -> tuple[str, list[str]]:
    """Return the list behind an IN, and what is bound to it."""
    if len(values) <= _FEW:
        return f"({', '.join('?' * len(values))})", list(values)
    return "(SELECT value FROM json_each(?))", [json.dumps(list(values))]


class SqliteStore(TemplateStore):
    """People, templates and their history in one file; threads may share it.

    Vectors come back bit for bit; a failed transaction leaves no trace; what was removed is gone
    from the bytes of the file once ``scrub`` has returned.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        readonly: bool = False,
        wait_s: float = sql.WAIT_S,
    ) -> None:
        if path.is_dir():
            raise GalleryError(
                f"The gallery {path} cannot be opened: it is a folder.", "Name a file."
            )
        self.path = self.location = path
        self.name = path.name
        self.readonly = readonly
        self.wait_s = wait_s
        self._lock = threading.RLock()
        self._depth = 0
        self._reshaped = False
        #: changes of transactions inside of others that were taken back
        self._void = 0
        self._spaces: dict[str, tuple[int, Space]] = {}
        self._note = HolderNote(path)
        with sql.translated(path, self._note.holder):
            self._make(create and not readonly)
            if not readonly:
                sql.keep_private(path)
            self._db = sql.connect(path, readonly=readonly)
            try:
                self._check_version()
                if not readonly and self._value("SELECT unscrubbed FROM state"):
                    self._finish_removal()
            except BaseException:
                self.close()
                raise

    def _make(self, create: bool) -> None:
        try:
            kind = sql.kind_of(self.path)
        except FileNotFoundError:
            if not create:
                raise GalleryError(
                    f"There is no gallery at {self.path}.",
                    "Make one with: facelign enroll PHOTOS",
                ) from None
            sql.create(self.path, APPLICATION_ID, migrate)
            kind = sql.kind_of(self.path)
        except OSError as error:
            raise GalleryError(
                f"The gallery {self.path} cannot be opened: {error.strerror}.",
                "Name a file that may be read.",
            ) from error
        if kind != APPLICATION_ID:
            what = "no gallery" if kind is None else "a database of another program"
            raise GalleryCorrupt(
                f"{self.path} is {what}; it was not touched.",
                Remedy.OTHER_GALLERY,
            )

    def _check_version(self) -> None:
        done = version(self._db)
        if done > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{self.path.name} was written by a newer facelign (layout {done}, this one knows "
                f"{len(MIGRATIONS)}).",
                "Upgrade facelign.",
            )
        if done < len(MIGRATIONS):
            if self.readonly:
                raise GalleryError(
                    f"{self.path.name} has an older layout and may not be written.",
                    "Open it once for writing.",
                )
            migrate(self._db)

    def _finish_removal(self) -> None:
        """Finish a removal that was cut off in the middle, unless it would have to wait."""
        try:
            self.scrub(wait_s=1.0)
        except GalleryBusy as error:
            _LOG.warning("%s", error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if hasattr(self, "_db"):
                self._db.close()
            self._note.close()

    # -- transactions ----------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside as one change, or leave no trace of it.

        Inside of another it is a savepoint. Raises GalleryBusy, which names the holder, when others
        write for longer than the wait.
        """
        with self._lock:
            if self.readonly:
                raise GalleryError(
                    f"{self.path.name} was opened for reading only.", "Open it for writing."
                )
            step = self._inner() if self._depth else self._outer()
            with sql.translated(self.path, self._note.holder), step:
                yield

    @contextmanager
    def _outer(self) -> Iterator[None]:
        sql.begin(self._db, self.wait_s)
        self._note.put()
        self._depth, self._reshaped, self._void = 1, False, 0
        before = self._db.total_changes
        try:
            yield
            if self._db.total_changes - self._void != before:
                self._raise_revision()
            self._db.execute("COMMIT")
        except BaseException:
            self._spaces.clear()
            if self._db.in_transaction:  # a full disk ends the transaction by itself
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0
            self._note.clear()

    @contextmanager
    def _inner(self) -> Iterator[None]:
        point = f"inner_{self._depth:d}"
        reshaped, kept = self._reshaped, self._db.total_changes - self._void
        self._db.execute(f"SAVEPOINT {point}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._spaces.clear()
            if self._db.in_transaction:
                self._db.execute(f"ROLLBACK TO {point}")
                self._db.execute(f"RELEASE {point}")
            self._reshaped, self._void = reshaped, self._db.total_changes - kept
            raise
        else:
            self._db.execute(f"RELEASE {point}")
        finally:
            self._depth -= 1

    def _raise_revision(self) -> None:
        self._db.execute("UPDATE state SET revision = revision + 1")
        if self._reshaped:
            self._db.execute("UPDATE state SET reshaped = revision")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Give several reads one and the same state of the file."""
        with self._reader():
            yield

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db.in_transaction:  # whoever began it translates the errors
                yield self._db
                return
            with sql.translated(self.path, self._note.holder):
                self._db.execute("BEGIN")
                try:
                    yield self._db
                finally:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Be part of the transaction there is, or one by itself: a savepoint costs two commands."""
        with self._lock, nullcontext() if self._depth else self.transaction():
            yield self._db

    def _value(self, query: str, *values: object) -> int:
        row = self._db.execute(query, values).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])

    def state(self) -> State:
        """Return where the gallery stands now."""
        with self._lock, sql.translated(self.path, self._note.holder):
            row = self._db.execute("SELECT revision, reshaped FROM state").fetchone()
        return State(*row)

    # -- bytes -----------------------------------------------------------------------------------

    def files(self) -> list[Path]:
        """Return the gallery's files: itself, its log, its lock note, copies named after it."""
        return sorted(
            file
            for file in self.path.resolve().parent.iterdir()
            if file.is_file() and file.name.startswith((self.path.name, f".{self.path.name}."))
        )

    def shared(self, vectors: Collection[bytes]) -> set[bytes]:
        """Return those vectors that a template holds now."""
        with self._reader() as db:
            return {v for (v,) in db.execute("SELECT vector FROM vectors") if v in vectors}

    def scrub(self, wait_s: float | None = None) -> None:
        """Overwrite deleted vectors in the file and empty its log, so that no byte is left.

        Raises GalleryBusy when a reader or writer keeps the file from being rewritten; opening
        the gallery again takes it up where it stopped. wait_s: default that of the store.
        """
        wait_s = self.wait_s if wait_s is None else wait_s
        with self._lock, sql.translated(self.path, self._note.holder):
            done = False
            self._note.put()
            try:
                done = sql.rebuild(self._db, wait_s)
                if done:
                    self._db.execute("UPDATE state SET unscrubbed = 0")
                    done = sql.empty_wal(self._db, wait_s)
            finally:
                self._note.clear()
        if not done:
            others = ", ".join(str(pid) for pid in users(self.path)) or "unknown"
            raise GalleryBusy(
                f"The vectors are deleted, but {self.path.name} could not be rewritten: another "
                f"program keeps reading it (process {others}).",
                "End it; the next command that opens the gallery for writing finishes the removal.",
            )

    # -- changes ---------------------------------------------------------------------------------

    def enroll(self, rows: Sequence[Row], space: Space) -> Enroll:
        """Keep templates; people who are new are made."""
        time = now()
        with self._writing():
            number = self._space(space)
            people = self._ids(dict.fromkeys(row.person for row in rows))
            new = [name for name in dict.fromkeys(r.person for r in rows) if name not in people]
            first, first_person = self._db.execute(
                "SELECT next_template, next_person FROM state"
            ).fetchone()
            end, end_person = first + len(rows), first_person + len(new)
            people.update(zip(new, range(first_person, end_person), strict=True))
            self._db.execute(
                "UPDATE state SET next_template = ?, next_person = ?", (end, end_person)
            )
            self._db.executemany(
                "INSERT INTO people VALUES (?, ?, ?)", [(people[n], n, time) for n in new]
            )
            templates = [
                codec.template(i, people[row.person], number, row, time)
                for i, row in enumerate(rows, start=first)
            ]
            marks = ", ".join("?" * codec.COLUMNS)
            self._db.executemany(f"INSERT INTO templates VALUES ({marks})", templates)  # noqa: S608
            vectors = [
                (i, np.ascontiguousarray(row.vector, "<f4").tobytes())
                for i, row in enumerate(rows, start=first)
            ]
            self._db.executemany("INSERT INTO vectors VALUES (?, ?)", vectors)
        ref = None if len(people) != 1 else PersonRef(*next((i, n) for n, i in people.items()))
        return Enroll(ref, (first, end), (first_person, end_person))

    def apply(self, change: Change) -> Change | None:
        """Do a change and return its inverse, or None where nothing changed or leads back."""
        with self._writing():
            self._reshaped = True
            if isinstance(change, ERASING):
                self._db.execute("UPDATE state SET unscrubbed = 1")
            return apply(self._db, change)

    def remove(self, person: PersonRef, forget: Collection[int]) -> Erased:
        """Delete a person with templates, rejections and the entries numbered ``forget``."""
        with self._writing():
            self._reshaped = True
            db, owner = self._db, (person.id,)
            rows = db.execute(
                "SELECT v.vector, t.digest FROM templates t JOIN vectors v ON v.template = t.id"
                " WHERE t.person = ?",
                owner,
            ).fetchall()
            digests = tuple(dict.fromkeys(digest for _, digest in rows if digest))
            db.execute(
                "DELETE FROM vectors WHERE template IN (SELECT id FROM templates WHERE person = ?)",
                owner,
            )
            db.execute("DELETE FROM templates WHERE person = ?", owner)
            db.execute("DELETE FROM rejections WHERE person = ?", owner)
            # "This photo is not Bob" stays true; where the photo of a removed person lay is gone.
            db.executemany(
                "UPDATE rejections SET reference = '' WHERE digest = ?1"
                " AND NOT EXISTS (SELECT 1 FROM templates WHERE digest = ?1)",
                [(digest,) for digest in digests],
            )
            db.execute("DELETE FROM people WHERE id = ?", owner)
            db.executemany("DELETE FROM history WHERE number = ?", [(n,) for n in forget])
            db.execute("UPDATE state SET unscrubbed = 1")
        vectors = tuple(dict.fromkeys(bytes(vector) for vector, _ in rows))
        return Erased(len(rows), vectors, digests)

    def history(self) -> Iterator[Entry]:
        """Yield the history, newest first."""
        query = f"SELECT number, {codec.HISTORY} FROM history ORDER BY number DESC"  # noqa: S608
        with self._reader() as db:
            for row in db.execute(query):
                yield codec.entry(row)

    def record(self, entry: Entry) -> None:
        """Write down a new entry (number 0), or when one of the history was undone."""
        with self._writing():
            if entry.number:
                query = "UPDATE history SET undone = ? WHERE number = ?"
                self._db.execute(query, (entry.undone, entry.number))
            else:
                row = codec.history(entry)
                marks = ", ".join("?" * len(row))
                self._db.execute(
                    f"INSERT INTO history ({codec.HISTORY}) VALUES ({marks})",  # noqa: S608
                    row,
                )

    def _space(self, space: Space) -> int:
        """Return the number of a space, which is written down when it is new."""
        known = self._spaces.get(space.id)
        if known is None:
            self._db.execute(
                "INSERT OR IGNORE INTO spaces (id, dim, metric, unit) VALUES (?, ?, ?, ?)",
                (space.id, space.dim, space.metric.value, int(space.unit)),
            )
            query = "SELECT number, id, dim, metric, unit FROM spaces WHERE id = ?"
            number, name, dim, metric, unit = self._db.execute(query, (space.id,)).fetchone()
            known = number, Space(name, dim, Metric(metric), bool(unit))
            self._spaces[space.id] = known
        if known[1] != space:
            raise SpaceMismatch(
                f"Space '{space.id}' is {known[1].dim} numbers, {known[1].metric} in the gallery, "
                f"and {space.dim} numbers, {space.metric} in the probe.",
                "Two models share one id: give one of them another.",
            )
        return known[0]

    # -- reading ---------------------------------------------------------------------------------

    def _ids(self, names: Collection[str]) -> dict[str, int]:
        """Return the ids of those of the names that are there."""
        listed, values = _among(names)
        query = f"SELECT name, id FROM people WHERE name IN {listed}"  # noqa: S608
        return dict(self._db.execute(query, values))

    def person(self, name: str) -> PersonRef | None:
        """Return the person of a name."""
        with self._reader() as db:
            row = db.execute("SELECT id, name FROM people WHERE name = ?", (name,)).fetchone()
        return None if row is None else PersonRef(*row)

    def names(self, after: int = 0) -> dict[int, str]:
        """Return the names of the people with an id over ``after``, by rising id."""
        with self._reader() as db:
            return dict(
                db.execute("SELECT id, name FROM people WHERE id > ? ORDER BY id", (after,))
            )

    def people(self) -> list[Person]:
        """Return everybody, by name."""
        query = (
            "SELECT p.id, p.name, count(t.id), group_concat(DISTINCT t.space), p.created"
            " FROM people p LEFT JOIN used t ON t.person = p.id"
            " GROUP BY p.id ORDER BY p.name"
        )
        with self._reader() as db:
            ids = {str(n): i for n, i in db.execute("SELECT number, id FROM spaces")}
            return [
                Person(i, name, count, tuple(ids[n] for n in (kept or "").split(",") if n), created)
                for i, name, count, kept, created in db.execute(query)
            ]

    def templates(self, person: PersonRef) -> list[TemplateInfo]:
        """Return what is kept with each template of a person, by rising id."""
        query = (
            f"SELECT {codec.INFO}, NOT EXISTS (SELECT 1 FROM used u WHERE u.id = t.id)"  # noqa: S608
            " FROM templates t JOIN people p ON p.id = t.person JOIN spaces s ON s.number = t.space"
            " WHERE t.person = ? ORDER BY t.id"
        )
        with self._reader() as db:
            return [codec.info(row) for row in db.execute(query, (person.id,))]

    def photos(self, digests: Sequence[str], space_id: str) -> list[EnrolledPhoto]:
        """Return the templates in use of some photos in a space."""
        listed, values = _among(digests)
        query = (
            "SELECT t.digest, p.name, t.x1, t.y1, t.x2, t.y2 FROM used t"  # noqa: S608
            " JOIN people p ON p.id = t.person JOIN spaces s ON s.number = t.space"
            f" WHERE s.id = ? AND t.digest IN {listed}"
        )
        with self._reader() as db:
            rows = db.execute(query, (space_id, *values)).fetchall()
        return [EnrolledPhoto(d, name, codec.box(*sides)) for d, name, *sides in rows]

    def rejections(self, digests: Sequence[str] | None = None) -> dict[str, frozenset[int]]:
        """Return, by digest (of some photos, or all), the ids of people it does not show."""
        query, values = "SELECT person, digest FROM rejections", list[str]()
        if digests is not None:
            listed, values = _among(digests)
            query = f"{query} WHERE digest IN {listed}"
        found: dict[str, set[int]] = {}
        with self._reader() as db:
            for person, digest in db.execute(query, values):
                found.setdefault(digest, set()).add(int(person))
        return {digest: frozenset(people) for digest, people in found.items()}

    def spaces(self) -> list[SpaceCount]:
        """Return the spaces that hold templates in use, most templates first."""
        query = (
            "SELECT s.id, s.dim, s.metric, s.unit, count(DISTINCT t.person), count(t.id)"
            " FROM spaces s JOIN used t ON t.space = s.number"
            " GROUP BY s.number ORDER BY count(t.id) DESC, s.id"
        )
        with self._reader() as db:
            return [
                SpaceCount(Space(name, dim, Metric(metric), bool(unit)), people, templates)
                for name, dim, metric, unit, people, templates in db.execute(query)
            ]

    def owners(self, space_id: str) -> tuple[IntArray, IntArray]:
        """Return (template ids rising, person ids) of the templates in use of a space."""
        query = (
            "SELECT t.id, t.person FROM used t JOIN spaces s ON s.number = t.space"
            " WHERE s.id = ? ORDER BY t.id"
        )
        with self._reader() as db:
            pairs = np.array(db.execute(query, (space_id,)).fetchall(), np.int64).reshape(-1, 2)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    def vectors(self, space_id: str, after: int = 0) -> Iterator[TemplateVectors]:
        """Yield the templates in use with an id over ``after``, a few thousand at a time."""
        query = (
            "SELECT t.id, t.person, v.vector FROM used t JOIN vectors v ON v.template = t.id"
            " JOIN spaces s ON s.number = t.space WHERE t.id > ? AND s.id = ?"
            " ORDER BY t.id"
        )
        with self._reader() as db:
            cursor = db.execute(query, (after, space_id))
            while rows := cursor.fetchmany(4096):
                yield codec.vectors(rows)
