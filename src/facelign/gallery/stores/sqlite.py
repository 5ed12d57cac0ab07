"""A gallery in one SQLite file: the truth about people and their templates."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import GalleryBusy, GalleryCorrupt, GalleryError, Remedy, SchemaTooNew
from facelign.files.disk import identity
from facelign.files.home import expanded
from facelign.files.owners import at_work, sweep
from facelign.gallery.stores import backing, checking, checksums, codec, journal
from facelign.gallery.stores import connection as sql
from facelign.gallery.stores.changing import ChangingStore, refuse_other
from facelign.gallery.stores.lock import HolderNote, users
from facelign.gallery.stores.migrations import (
    APPLICATION_ID,
    CALIBRATED,
    MIGRATIONS,
    SUMMED,
    migrate,
    version,
)
from facelign.types import templates as t
from facelign.types.arrays import IntArray
from facelign.types.changes import Entry, Erased, PersonRef
from facelign.types.embeddings import Space

#: up to these sizes, bytes, types and references of a file's rows are looked through when it is
#: opened, and its pages, indexes and every row's checksum too: some ms at most
_LOOKED_THROUGH = 32 << 20
_SUMMED_UP = 4 << 20
_LOG = logging.getLogger(__name__)
#: the values of a JSON list
_LISTED = "(SELECT value FROM json_each(?))"
#: the templates that take part in searches and counts. It stands before the view of that name in
#: the file, which knows no rejections of single faces: so old galleries need no step to be read
_USED = (
    "CREATE TEMP VIEW used AS SELECT t.* FROM main.templates t WHERE NOT EXISTS"
    " (SELECT 1 FROM main.rejections r WHERE r.person = t.person AND r.digest IN (t.digest,"
    " t.digest || '@' || CAST(t.x1 AS INTEGER) || ',' || CAST(t.y1 AS INTEGER)"
    " || ',' || CAST(t.x2 AS INTEGER) || ',' || CAST(t.y2 AS INTEGER)))"
)
#: the digest of the photo that a rejection is about (``gallery.rejections``)
_PHOTO = "substr(digest, 1, instr(digest || '@', '@') - 1)"


class SqliteStore(ChangingStore):
    """People, templates and their history in one file; threads may share it.

    Vectors come back bit for bit; a failed transaction leaves no trace; what was removed is gone
    from the bytes of the file once ``scrub`` has returned.
    """

    backs_up = True

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        readonly: bool = False,
        wait_s: float = sql.WAIT_S,
        damaged: bool = False,
    ) -> None:
        named = expanded(path)
        path = real(named)
        if path.is_dir():
            raise GalleryError(
                f"The gallery {named} cannot be opened: it is a folder.", "Name a file."
            )
        self.path = self.location = path
        self.places = (path, named.absolute())
        self.name = path.name
        self.readonly = readonly
        self.wait_s = wait_s
        self._lock = threading.RLock()
        self._depth = 0
        self._reshaped = False
        #: changes of transactions inside of others that were taken back
        self._void = 0
        self._note = HolderNote(path)
        with sql.translated(path, self._note.holder):
            self._make(create and not readonly)
            if not readonly:
                sql.keep_private(path)
                sweep(path.parent)
            self._db = sql.connect(path, readonly=readonly)
            self._inode = identity(path)
            try:
                checksums.teach(self._db)
                self._refuse_newer()
                self._damaged = damaged
                self._look_through()
                if version(self._db) < len(MIGRATIONS) and not readonly:
                    self._note.put()
                    migrate(self._db, wait_s=wait_s)
                    self._note.clear()
                #: whether it has checksums: one of an older layout is read as it is
                self._summed = version(self._db) >= SUMMED
                self._calibrated = version(self._db) >= CALIBRATED
                if not readonly:
                    checksums.keep(self._db)
                self._db.execute(_USED)
                if not readonly and self._all("SELECT unscrubbed FROM state")[0][0]:
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

    def _refuse_newer(self) -> None:
        done = version(self._db)
        if done > len(MIGRATIONS):
            raise SchemaTooNew(
                f"{self.path.name} was written by a newer facelign (layout {done}, this one knows "
                f"{len(MIGRATIONS)}).",
                "Upgrade facelign.",
            )

    def _look_through(self) -> None:
        """Raise GalleryCorrupt for damage, as far as looking for it costs next to nothing."""
        size = self.path.stat().st_size
        if size <= _LOOKED_THROUGH:
            sql.refuse_unsound(self._db, self.path)
        if size <= _SUMMED_UP:
            sql.refuse_broken(self._db, self.path)
        for table in checksums.OPENED if size <= _SUMMED_UP else checksums.OF_FEW:
            self._refuse_changed(table)

    def _refuse_changed(self, table: str) -> None:
        """Raise GalleryCorrupt where a row of a table is not as it was written, as far as the
        layout tells, unless the gallery was opened all the same.
        """
        wrong = [] if self._damaged else checksums.wrong(self._db, table)
        if wrong:
            row = " ".join(map(str, wrong[0]))
            raise GalleryCorrupt(
                f"{self.path} is damaged: row {row} of its {table} is not as it was written.",
                "Put a back-up in its place; see all of it: facelign gallery check",
            )

    def _finish_removal(self) -> None:
        """Finish a removal that was cut off in the middle, unless it would have to wait."""
        if any(at_work(removal.worker) for removal in self.removals()):
            return  # another process is at it
        try:
            self.scrub(1.0)
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
            self._refuse_moved()
            step = self._inner() if self._depth else self._outer()
            with sql.translated(self.path, self._note.holder), step:
                yield

    def _refuse_moved(self) -> None:
        """Raise GalleryError where the path leads to another file than the one that is open."""
        if not self._depth and identity(self.path) != self._inode:
            raise GalleryError(
                f"{self.path} was moved, deleted or replaced while it was open.",
                "Open the gallery again, at the place where it lies now.",
            )

    @contextmanager
    def _outer(self) -> Iterator[None]:
        try:
            with sql.committed(self._db, self.wait_s):
                self._note.put()
                self._depth, self._reshaped, self._void = 1, False, 0
                before = self._db.total_changes
                yield
                if self._db.total_changes - self._void != before:
                    self._db.execute("UPDATE state SET revision = revision + 1")
                    if self._reshaped:
                        self._db.execute("UPDATE state SET reshaped = revision")
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
            if self._db.in_transaction:
                self._db.execute(f"ROLLBACK TO {point}")
                self._db.execute(f"RELEASE {point}")
            self._reshaped, self._void = reshaped, self._db.total_changes - kept
            raise
        else:
            self._db.execute(f"RELEASE {point}")
        finally:
            self._depth -= 1

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Give several reads one and the same state of the file."""
        with self._lock:
            if self._db.in_transaction:  # whoever began it translates the errors
                yield
                return
            with sql.translated(self.path, self._note.holder):
                self._db.execute("BEGIN")
                try:
                    yield
                finally:
                    self._db.execute("ROLLBACK")

    def _all(self, query: str, *values: object) -> list[Any]:
        with self.reading():
            return self._db.execute(query, values).fetchall()

    def state(self) -> t.State:
        """Return where the gallery stands now."""
        with self._lock, sql.translated(self.path, self._note.holder):
            row = self._db.execute("SELECT revision, reshaped FROM state").fetchone()
        return t.State(*row)

    # -- calibrations ----------------------------------------------------------------------------

    def calibrations(self) -> dict[str, str]:
        """Return the calibrations that were made for the spaces, as JSON, by space."""
        if not self._calibrated:
            return {}
        with self.reading():
            self._refuse_changed("calibrations")
            return dict(self._db.execute("SELECT space, record FROM calibrations ORDER BY space"))

    def keep_calibration(self, space_id: str, record: str | None) -> None:
        """Keep the calibration of a space in the place of one before, or None; no revision."""
        with self._aside():
            self._db.execute("DELETE FROM calibrations WHERE space = ?", (space_id,))
            if record is not None:
                query = "INSERT INTO calibrations (space, record) VALUES (?, ?)"
                self._db.execute(query, (space_id, record))

    # -- bytes -----------------------------------------------------------------------------------

    def check(self) -> t.Checkup:
        """Look the whole file through, without changing it."""
        self._refuse_moved()
        return checking.check(self.path)

    def back_up(self, target: Path, told: Callable[[int, int], None]) -> t.Checkup:
        """Write one state of the file to another, and check it."""
        self._refuse_moved()
        return backing.back_up(self.path, target, told)

    def files(self) -> list[Path]:
        """Return the gallery's files: itself, its log, its lock note, copies named after it.

        Where it was opened by a link, files that are named after the link too. Raises GalleryError
        when it was moved since.
        """
        self._refuse_moved()
        return sorted(
            {
                file.resolve()
                for path in self.places
                for file in path.parent.iterdir()
                if file.is_file() and file.name.startswith((path.name, f".{path.name}."))
            }
        )

    def kept(self, first: int, end: int) -> Erased:
        """Return what is kept as the templates with ids from ``first`` to before ``end``."""
        query = (
            "SELECT t.digest, v.vector FROM templates t JOIN vectors v ON v.template = t.id"
            " WHERE t.id >= ? AND t.id < ? ORDER BY t.id"
        )
        return Erased.of(self._all(query, first, end))

    def every_vector(self) -> Iterator[Sequence[tuple[int, int, bytes]]]:
        """Yield (template, person, vector), those that are set aside too, some thousand at once."""
        query = (
            "SELECT t.id, t.person, v.vector FROM templates t JOIN vectors v ON v.template = t.id"
        )
        with self.reading():
            cursor = self._db.execute(query)
            while rows := cursor.fetchmany(16384):
                yield rows

    def holders(self) -> list[t.Holder]:
        """Return the files elsewhere that hold vectors of the gallery."""
        with self.reading():
            self._refuse_changed("holders")
            return journal.holders(self._db) if journal.there(self._db) else []

    def hold(self, holder: t.Holder) -> None:
        """Write down such a file, where the gallery may be written; no revision comes of it."""
        if not self.readonly and holder not in self.holders():
            with self._aside():
                journal.hold(self._db, holder)

    def let_go(self, path: Path) -> None:
        """Forget such a file."""
        if self.readonly:
            return
        with self._aside():
            journal.let_go(self._db, path)

    def removals(self) -> list[t.Removal]:
        """Return what is known of removals, newest first."""
        with self.reading():
            self._refuse_changed("removals")
            self._refuse_changed("prints")
            return journal.removals(self._db) if journal.there(self._db) else []

    def keep(self, removal: t.Removal) -> None:
        """Write down how far a removal is, by its id; no revision comes of it."""
        with self._lock, sql.translated(self.path, self._note.holder):
            with self._aside():
                journal.keep(self._db, removal)
            if not self._depth:  # the log is as empty as before; where it is not, it is cut later
                sql.empty_wal(self._db, 0)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Write what is no change of people or templates."""
        with self._writing():
            before = self._db.total_changes
            yield
            self._void += self._db.total_changes - before

    def shared(self, vectors: Collection[bytes]) -> set[bytes]:
        """Return those vectors that a template holds now."""
        with self.reading():
            return {v for (v,) in self._db.execute("SELECT vector FROM vectors") if v in vectors}

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

    @contextmanager
    def _writing(self, *, reshapes: bool = False) -> Iterator[None]:
        # a savepoint costs two commands
        with self._lock, nullcontext() if self._depth else self.transaction():
            self._reshaped |= reshapes
            yield

    def _take(self, templates: int, people: int) -> tuple[int, int]:
        query = "SELECT next_template, next_person FROM state"
        first, first_person = self._db.execute(query).fetchone()
        query = "UPDATE state SET next_template = ?, next_person = ?"
        self._db.execute(query, (first + templates, first_person + people))
        return first, first_person

    def _name(self, people: Mapping[str, int], time: str) -> None:
        self._db.executemany(
            "INSERT INTO people (id, name, created) VALUES (?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            [(number, name, time) for name, number in people.items()],
        )

    def _created(self, person: int) -> str:
        query = "SELECT created FROM people WHERE id = ?"
        return str(self._db.execute(query, (person,)).fetchone()[0])

    def _drop(self, people: Iterable[int]) -> None:
        self._db.executemany(
            "DELETE FROM people WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM templates t WHERE t.person = people.id)"
            " AND NOT EXISTS (SELECT 1 FROM rejections r WHERE r.person = people.id)",
            [(person,) for person in people],
        )

    def _keep(self, first: int, rows: list[tuple[int, t.Row]], space: Space, time: str) -> None:
        number = self._space(space)
        vectors = [
            (i, np.ascontiguousarray(row.vector, "<f4").tobytes())
            for i, (_, row) in enumerate(rows, start=first)
        ]
        templates = [
            codec.template(i, person, number, row, time, vector)
            for (i, vector), (person, row) in zip(vectors, rows, strict=True)
        ]
        marks = ", ".join("?" * len(templates[0]))
        query = f"INSERT INTO templates ({codec.TEMPLATE}) VALUES ({marks})"  # noqa: S608
        self._db.executemany(query, templates)
        self._db.executemany("INSERT INTO vectors VALUES (?, ?)", vectors)

    def _space(self, space: Space) -> int:
        """Return the number of a space, which is written down when it is new."""
        self._db.execute(
            "INSERT OR IGNORE INTO spaces (id, dim, metric, unit) VALUES (?, ?, ?, ?)",
            (space.id, space.dim, space.metric.value, int(space.unit)),
        )
        query = "SELECT number, id, dim, metric, unit FROM spaces WHERE id = ?"
        number, *row = self._db.execute(query, (space.id,)).fetchone()
        refuse_other(codec.space(*row), space)
        return int(number)

    def _kept(self, person: int) -> list[tuple[int, str, bytes]]:
        query = (
            "SELECT t.id, t.digest, v.vector FROM templates t JOIN vectors v ON v.template = t.id"
            " WHERE t.person = ? ORDER BY t.id"
        )
        return self._db.execute(query, (person,)).fetchall()

    def _give(self, templates: Collection[int], person: int) -> None:
        query = (
            "UPDATE templates SET person = ?1, vector_checksum = (SELECT vector_checksum(id, ?1,"
            " v.vector) FROM vectors v WHERE v.template = id) WHERE id = ?2"
        )
        self._db.executemany(query, [(person, template) for template in templates])

    def _delete(self, templates: Collection[int]) -> set[int]:
        owners: set[int] = set()
        for part in codec.ranges(templates):
            query = "SELECT DISTINCT person FROM templates WHERE id >= ? AND id < ?"
            owners.update(person for (person,) in self._db.execute(query, part))
            self._db.execute("DELETE FROM vectors WHERE template >= ? AND template < ?", part)
            self._db.execute("DELETE FROM templates WHERE id >= ? AND id < ?", part)
        self._db.execute("UPDATE state SET unscrubbed = 1")
        return owners

    def _rejected(self, person: int) -> dict[str, tuple[str, str]]:
        query = "SELECT digest, reference, created FROM rejections WHERE person = ?"
        return {digest: (place, time) for digest, place, time in self._db.execute(query, (person,))}

    def _reject(self, person: int, photos: Mapping[str, tuple[str, str]]) -> None:
        rows = [(person, digest, *row) for digest, row in photos.items()]
        query = "INSERT INTO rejections (person, digest, reference, created) VALUES (?, ?, ?, ?)"
        self._db.executemany(query, rows)

    def _accept(self, person: int, digests: Iterable[str]) -> None:
        query = "DELETE FROM rejections WHERE person = ? AND digest = ?"
        self._db.executemany(query, [(person, digest) for digest in digests])

    def _forget(self, entries: Iterable[int], digests: Iterable[str]) -> None:
        self._db.executemany("DELETE FROM history WHERE number = ?", [(n,) for n in entries])
        self._db.executemany(
            f"UPDATE rejections SET reference = '' WHERE {_PHOTO} = ?1"  # noqa: S608
            " AND NOT EXISTS (SELECT 1 FROM templates WHERE digest = ?1)",
            [(digest,) for digest in digests],
        )

    def record(self, entry: Entry) -> None:
        """Write down a new entry (number 0), or when one of the history was undone."""
        if entry.number:
            query = "UPDATE history SET undone = ? WHERE number = ?"
            values: tuple[object, ...] = (entry.undone, entry.number)
        else:
            values = codec.history(entry)
            marks = ", ".join("?" * len(values))
            query = f"INSERT INTO history ({codec.HISTORY}) VALUES ({marks})"  # noqa: S608
        with self._writing():
            self._db.execute(query, values)

    # -- reading ---------------------------------------------------------------------------------

    def history(self) -> Iterator[Entry]:
        """Yield the history, newest first."""
        query = f"SELECT number, {codec.HISTORY} FROM history ORDER BY number DESC"  # noqa: S608
        with self.reading():
            self._refuse_changed("history")
            yield from map(codec.entry, self._db.execute(query))

    def _ids(self, names: Collection[str]) -> dict[str, int]:
        query = f"SELECT name, id FROM people WHERE name IN {_LISTED}"  # noqa: S608
        return dict(self._all(query, json.dumps(list(names))))

    def names(self, after: int = 0) -> dict[int, str]:
        """Return the names of the people with an id over ``after``, by rising id."""
        return dict(self._all("SELECT id, name FROM people WHERE id > ? ORDER BY id", after))

    def people(self) -> list[t.Person]:
        """Return everybody, by name."""
        query = (
            "SELECT p.id, p.name, count(t.id), group_concat(DISTINCT t.space), p.created"
            " FROM people p LEFT JOIN used t ON t.person = p.id"
            " GROUP BY p.id ORDER BY p.name"
        )
        with self.reading():
            ids = {str(n): i for n, i in self._all("SELECT number, id FROM spaces")}
            return [
                t.Person(i, name, count, tuple(ids[n] for n in (kept or "").split(",") if n), time)
                for i, name, count, kept, time in self._db.execute(query)
            ]

    def spaces(self) -> list[t.SpaceCount]:
        """Return the spaces that hold templates in use, most templates first."""
        query = (
            "SELECT count(DISTINCT t.person), count(t.id), s.id, s.dim, s.metric, s.unit"
            " FROM spaces s JOIN used t ON t.space = s.number"
            " GROUP BY s.number ORDER BY count(t.id) DESC, s.id"
        )
        return [
            t.SpaceCount(codec.space(*row), people, templates)
            for people, templates, *row in self._all(query)
        ]

    def templates(self, person: PersonRef) -> list[t.TemplateInfo]:
        """Return what is kept with each template of a person, by rising id."""
        query = (
            f"SELECT {codec.INFO}, NOT EXISTS (SELECT 1 FROM used u WHERE u.id = t.id)"  # noqa: S608
            " FROM templates t JOIN people p ON p.id = t.person JOIN spaces s ON s.number = t.space"
            " WHERE t.person = ? ORDER BY t.id"
        )
        return [codec.info(row) for row in self._all(query, person.id)]

    def photos(self, digests: Sequence[str], space_id: str) -> list[t.EnrolledPhoto]:
        """Return the templates in use of some photos in a space."""
        query = (
            "SELECT t.digest, p.name, t.x1, t.y1, t.x2, t.y2 FROM used t"  # noqa: S608
            " JOIN people p ON p.id = t.person JOIN spaces s ON s.number = t.space"
            f" WHERE s.id = ? AND t.digest IN {_LISTED}"
        )
        rows = self._all(query, space_id, json.dumps(list(digests)))
        return [t.EnrolledPhoto(d, name, codec.box(*sides)) for d, name, *sides in rows]

    def rejections(self, digests: Sequence[str] | None = None) -> dict[str, frozenset[int]]:
        """Return, by digest (of some photos, or all), the ids of people it does not show."""
        query = "SELECT digest, person FROM rejections"
        if digests is None:
            rows = self._all(query)
        else:
            listed = f"{query} WHERE {_PHOTO} IN {_LISTED}"
            rows = self._all(listed, json.dumps(list(digests)))
        found: dict[str, frozenset[int]] = {}
        for digest, person in rows:
            found[digest] = found.get(digest, frozenset()) | {person}
        return found

    def owners(self, space_id: str) -> tuple[IntArray, IntArray]:
        """Return (template ids rising, person ids) of the templates in use of a space."""
        query = (
            "SELECT t.id, t.person FROM used t JOIN spaces s ON s.number = t.space"
            " WHERE s.id = ? ORDER BY t.id"
        )
        ids, persons = np.array(self._all(query, space_id), np.int64).reshape(-1, 2).T.copy()
        return ids, persons

    def vectors(self, space_id: str, after: int = 0) -> Iterator[t.TemplateVectors]:
        """Yield the templates in use with an id over ``after``, a few thousand at a time."""
        told = "t.vector_checksum" if self._summed else "vector_checksum(t.id, t.person, v.vector)"
        query = (
            f"SELECT t.id, t.person, v.vector, {told} FROM used t"  # noqa: S608
            " LEFT JOIN vectors v ON v.template = t.id"
            " JOIN spaces s ON s.number = t.space WHERE t.id > ? AND s.id = ?"
            " ORDER BY t.id"
        )
        with self.reading():
            cursor = self._db.execute(query, (after, space_id))
            while rows := cursor.fetchmany(4096):
                if wrong := checksums.changed(rows):
                    raise self._changed(wrong)
                yield codec.vectors(rows)

    def _changed(self, templates: Sequence[int]) -> GalleryCorrupt:
        """Return the error of templates whose vectors or owners are not as they were written."""
        query = "SELECT p.name FROM templates t JOIN people p ON p.id = t.person WHERE t.id = ?"
        name = next((name for (name,) in self._db.execute(query, templates[:1])), "nobody")
        more = f" (and {len(templates) - 1} more)" if len(templates) > 1 else ""
        return GalleryCorrupt(
            f"{self.path} is damaged: the vector of template {templates[0]} of {name}{more} is not "
            "the one that was enrolled.",
            f"Put a back-up in its place, or remove {name} and enroll them again; see them all: "
            "facelign gallery check",
        )


def real(path: Path) -> Path:
    """Return where a file lies, whatever links lead to it and wherever the process goes later."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a ring of links, a NUL
        raise GalleryError(
            f"The gallery {path} cannot be opened: {error}.", "Name a file."
        ) from error


STORE = SqliteStore
