"""A gallery in one SQLite file: the truth about people and their templates."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np

from facelign.errors import (
    BadArray,
    DuplicateTemplate,
    GalleryBusy,
    GalleryCorrupt,
    GalleryError,
    Remedy,
    SchemaTooNew,
    SpaceMismatch,
    UnknownPerson,
)
from facelign.gallery.stores import connection as sql
from facelign.gallery.stores import history
from facelign.gallery.stores.lock import HolderNote, users
from facelign.gallery.stores.migrations import APPLICATION_ID, MIGRATIONS, migrate, version
from facelign.types.arrays import IntArray
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.templates import (
    Bulk,
    FaceRecord,
    Person,
    PhotoRef,
    Row,
    SpaceCount,
    State,
    TemplateInfo,
    TemplateVectors,
    person_name,
)

_LOG = logging.getLogger(__name__)
#: rows of a bulk enrollment that are written at a time
_CHUNK = 1000
#: two boxes that overlap more than this (IoU) are the same face of a photo
_SAME_FACE_IOU = 0.3
_INSERT_TEMPLATE = "INSERT INTO templates VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_VECTOR = "INSERT INTO vectors VALUES (?, ?)"


def now() -> str:
    """Return the time as ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class SqliteStore:
    """People, templates and their history in one file; threads may share it.

    Vectors come back bit for bit; a failed transaction leaves no trace; what was removed is gone
    from the bytes of the file once ``scrub`` has returned.
    """

    def __init__(self, path: Path, *, create: bool, readonly: bool, wait_s: float) -> None:
        if path.is_dir():
            raise GalleryError(
                f"The gallery {path} cannot be opened: it is a folder.", "Name a file."
            )
        self.path = path
        self.readonly = readonly
        self.wait_s = wait_s
        self._lock = threading.RLock()
        self._depth = 0
        self._reshaped = False
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

        Raises GalleryBusy, which names the holder, when others write for longer than the wait.
        """
        with self._lock:
            if self._depth:
                yield
                return
            if self.readonly:
                raise GalleryError(
                    f"{self.path.name} was opened for reading only.", "Open it for writing."
                )
            with sql.translated(self.path, self._note.holder):
                sql.begin(self._db, self.wait_s)
                self._note.put()
                self._depth, self._reshaped = 1, False
                before = self._db.total_changes
                try:
                    yield
                    if self._db.total_changes != before:
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

    def _raise_revision(self) -> None:
        self._db.execute("UPDATE state SET revision = revision + 1")
        if self._reshaped:
            self._db.execute("UPDATE state SET reshaped = revision")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give several reads one and the same state of the file."""
        with self._lock, sql.translated(self.path, self._note.holder):
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                self._db.execute("ROLLBACK")

    @contextmanager
    def reshaping(self) -> Iterator[sqlite3.Connection]:
        """A transaction that does more than add templates; gives the connection."""
        with self.transaction():
            self._reshaped = True
            yield self._db

    def _value(self, query: str, *values: object) -> int:
        row = self._db.execute(query, values).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])

    @property
    def revision(self) -> int:
        """Grows with every committed change, whoever made it."""
        return self.state().revision

    def state(self) -> State:
        """Return where the gallery stands now."""
        with self._lock, sql.translated(self.path, self._note.holder):
            row = self._db.execute("SELECT revision, reshaped FROM state").fetchone()
        return State(*row)

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

    # -- enrollment ------------------------------------------------------------------------------

    def enroll(
        self,
        person: str,
        embeddings: Embeddings,
        *,
        photo: PhotoRef,
        faces: Sequence[FaceRecord],
        consent: str | None = None,
        force: bool = False,
        run: str | None = None,
    ) -> tuple[int, ...]:
        """Keep the vectors of one photo as templates of a person; returns their ids.

        Raises DuplicateTemplate when the photo is enrolled already for this person, when it was
        rejected as this person's, or when this face of it is enrolled for another one (``force``
        overrules the last).
        """
        name = person_name(person)
        if len(faces) != len(embeddings):
            raise BadArray(f"faces: wanted {len(embeddings)} records, got {len(faces)}.")
        _check_unit(embeddings)
        with self.transaction():
            space = self._space(embeddings.space)
            self._refuse_duplicates(name, photo, space, faces, force)
            row = self._db.execute("SELECT id FROM people WHERE name = ?", (name,)).fetchone()
            created = row is None
            owner = self._new_person(name) if created else int(row[0])
            first = self._claim("next_template", len(embeddings))
            ids = tuple(range(first, first + len(embeddings)))
            time = now()
            blobs = np.ascontiguousarray(embeddings.vectors, "<f4")
            for i, template in enumerate(ids):
                norm = float(embeddings.norms[i])
                values = _template(template, owner, space, photo, faces[i], norm, time, consent)
                self._db.execute(_INSERT_TEMPLATE, values)
                self._db.execute(_INSERT_VECTOR, (template, blobs[i].tobytes()))
            history.enrolled(
                self._db,
                time,
                person=(owner, name),
                templates=(first, first + len(ids)),
                people=(owner, owner + created),
                run=run,
            )
        return ids

    def enroll_many(
        self, rows: Iterable[Row], space: Space, *, run: str | None = None, action: str = "enroll"
    ) -> Bulk:
        """Keep many templates in one transaction; memory does not grow with their number.

        Rows whose photo is enrolled already in this space, or was rejected as this person's, are
        skipped with a reason.
        """
        skipped: list[tuple[int, str]] = []
        count, source, time = 0, iter(rows), now()
        with self.transaction():
            number = self._space(space)
            people = {name: int(i) for i, name in self._db.execute("SELECT id, name FROM people")}
            first = template = self._value("SELECT next_template FROM state")
            first_person = person = self._value("SELECT next_person FROM state")
            while chunk := [(person_name(r.person), r) for r in islice(source, _CHUNK)]:
                fresh = self._fresh(chunk, number, count, skipped)
                count += len(chunk)
                new = [name for name in dict.fromkeys(n for n, _ in fresh) if name not in people]
                people.update(zip(new, range(person, person + len(new)), strict=True))
                values = [(people[name], name, time) for name in new]
                self._db.executemany("INSERT INTO people VALUES (?, ?, ?)", values)
                person += len(new)
                owned = [(people[name], row) for name, row in fresh]
                self._insert_chunk(owned, template, space, number, time)
                template += len(fresh)
            self._db.execute(
                "UPDATE state SET next_template = ?, next_person = ?", (template, person)
            )
            if template > first:
                history.enrolled(
                    self._db,
                    time,
                    person=None,
                    templates=(first, template),
                    people=(first_person, person),
                    run=run,
                    action=action,
                )
        return Bulk(template - first, tuple(skipped))

    def _fresh(
        self,
        chunk: list[tuple[str, Row]],
        space: int,
        start: int,
        skipped: list[tuple[int, str]],
    ) -> list[tuple[str, Row]]:
        """Return the (name, row) that may be kept; the others are added to ``skipped``."""
        digests = [row.photo.digest for _, row in chunk if row.photo.digest]
        listed = json.dumps(digests)
        query = (
            "SELECT digest FROM used WHERE space = ? AND digest IN (SELECT value FROM json_each(?))"
        )
        known = {row[0] for row in self._db.execute(query, (space, listed))}
        query = (
            "SELECT p.name, r.digest FROM rejections r JOIN people p ON p.id = r.person"
            " WHERE r.digest IN (SELECT value FROM json_each(?))"
        )
        rejected = set(self._db.execute(query, (listed,)))
        fresh = []
        for index, (name, row) in enumerate(chunk, start=start):
            digest = row.photo.digest
            if digest in known:
                skipped.append((index, "already enrolled"))
            elif (name, digest) in rejected:
                skipped.append((index, f"was rejected as {name}"))
            else:
                fresh.append((name, row))
                if digest:
                    known.add(digest)
        return fresh

    def _insert_chunk(
        self, rows: list[tuple[int, Row]], first: int, space: Space, number: int, time: str
    ) -> None:
        if not rows:
            return
        norms = np.array([row.norm for _, row in rows], np.float32)
        embeddings = Embeddings(np.stack([row.vector for _, row in rows]), space, norms)
        _check_unit(embeddings)
        blobs = np.ascontiguousarray(embeddings.vectors, "<f4")
        self._db.executemany(
            _INSERT_TEMPLATE,
            [
                _template(i, owner, number, r.photo, r.face, r.norm, time, r.consent)
                for i, (owner, r) in enumerate(rows, start=first)
            ],
        )
        vectors = [(first + i, blobs[i].tobytes()) for i in range(len(rows))]
        self._db.executemany(_INSERT_VECTOR, vectors)

    def _refuse_duplicates(
        self, name: str, photo: PhotoRef, space: int, faces: Sequence[FaceRecord], force: bool
    ) -> None:
        if not photo.digest:
            return
        query = (
            "SELECT 1 FROM rejections r JOIN people p ON p.id = r.person"
            " WHERE p.name = ? AND r.digest = ?"
        )
        if self._value(query, name, photo.digest):
            raise DuplicateTemplate(
                f"{photo.reference} was rejected as {name}.",
                "If that was a mistake: facelign people undo, while it is the last change.",
            )
        query = (
            "SELECT p.name, t.x1, t.y1, t.x2, t.y2 FROM used t JOIN people p"
            " ON p.id = t.person WHERE t.digest = ? AND t.space = ?"
        )
        for holder, *box in self._db.execute(query, (photo.digest, space)).fetchall():
            if holder == name:
                raise DuplicateTemplate(
                    f"{photo.reference} is already enrolled as {holder}.", "Nothing was changed."
                )
            if not force and any(_same_face(box, face.box) for face in faces):
                raise DuplicateTemplate(
                    f"{photo.reference} is already enrolled as {holder}.",
                    f"If it shows {name}, not {holder}: facelign people reject.",
                )

    def new_id(self) -> int:
        """Return an id for a new person, inside of a transaction."""
        return self._claim("next_person", 1)

    def _new_person(self, name: str) -> int:
        number = self.new_id()
        self._db.execute("INSERT INTO people VALUES (?, ?, ?)", (number, name, now()))
        return number

    def _claim(self, counter: str, count: int) -> int:
        """Return the first of ``count`` ids that were never used before."""
        self._db.execute(f"UPDATE state SET {counter} = {counter} + ?", (count,))  # noqa: S608
        return self._value(f"SELECT {counter} FROM state") - count  # noqa: S608

    def _space(self, space: Space) -> int:
        """Return the number of a space, which is written down when it is new."""
        known = self._spaces.get(space.id)
        if known is None:
            self._db.execute(
                "INSERT OR IGNORE INTO spaces (id, dim, metric, unit) VALUES (?, ?, ?, ?)",
                (space.id, space.dim, space.metric.value, int(space.unit)),
            )
            known = self._spaces[space.id] = self._read_space(space.id)
        if known[1] != space:
            raise SpaceMismatch(
                f"Space '{space.id}' is {known[1].dim} numbers, {known[1].metric} in the gallery, "
                f"and {space.dim} numbers, {space.metric} in the probe.",
                "Two models share one id: give one of them another.",
            )
        return known[0]

    def _read_space(self, space_id: str) -> tuple[int, Space]:
        query = "SELECT number, id, dim, metric, unit FROM spaces WHERE id = ?"
        number, name, dim, metric, unit = self._db.execute(query, (space_id,)).fetchone()
        return int(number), Space(name, dim, Metric(metric), bool(unit))

    # -- reading ---------------------------------------------------------------------------------

    def person_id(self, name: str) -> int:
        """Return the id behind a name; raises UnknownPerson with the names that are near."""
        import difflib

        wanted = person_name(name)
        with self.reading() as db:
            row = db.execute("SELECT id FROM people WHERE name = ?", (wanted,)).fetchone()
            if row is not None:
                return int(row[0])
            names = [r[0] for r in db.execute("SELECT name FROM people")]
        near = difflib.get_close_matches(wanted, names, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "See: facelign people list"
        raise UnknownPerson(f"Nobody named '{wanted}' is enrolled.", hint)

    def people(self) -> list[Person]:
        """Return everybody, by name."""
        query = (
            "SELECT p.id, p.name, count(t.id), group_concat(DISTINCT t.space), p.created"
            " FROM people p LEFT JOIN used t ON t.person = p.id"
            " GROUP BY p.id ORDER BY p.name"
        )
        with self.reading() as db:
            ids = {str(n): i for n, i in db.execute("SELECT number, id FROM spaces")}
            return [
                Person(i, name, count, tuple(ids[n] for n in (held or "").split(",") if n), created)
                for i, name, count, held, created in db.execute(query)
            ]

    def infos(self, person: str) -> list[TemplateInfo]:
        """Return what is kept with each template of a person; raises UnknownPerson."""
        query = (
            "SELECT t.id, p.name, t.reference, t.digest, s.id, t.x1, t.y1, t.x2, t.y2, t.points,"
            " t.scheme, t.score, t.height, t.norm, t.created, t.consent,"
            " NOT EXISTS (SELECT 1 FROM used u WHERE u.id = t.id)"
            " FROM templates t JOIN people p ON p.id = t.person JOIN spaces s ON s.number = t.space"
            " WHERE t.person = ? ORDER BY t.id"
        )
        with self.reading() as db:
            return [_info(row) for row in db.execute(query, (self.person_id(person),))]

    def has_photo(self, digest: str, space_id: str) -> str | None:
        """Return who a photo is enrolled as in a space, or None."""
        query = (
            "SELECT p.name FROM used t JOIN people p ON p.id = t.person JOIN spaces s"
            " ON s.number = t.space WHERE t.digest = ? AND s.id = ? LIMIT 1"
        )
        with self.reading() as db:
            row = db.execute(query, (digest, space_id)).fetchone()
        return None if row is None else str(row[0])

    def spaces(self) -> list[SpaceCount]:
        """Return the spaces that hold templates, most templates first."""
        query = (
            "SELECT s.id, s.dim, s.metric, s.unit, count(DISTINCT t.person), count(t.id)"
            " FROM spaces s JOIN used t ON t.space = s.number"
            " GROUP BY s.number ORDER BY count(t.id) DESC, s.id"
        )
        with self.reading() as db:
            return [
                SpaceCount(Space(name, dim, Metric(metric), bool(unit)), people, templates)
                for name, dim, metric, unit, people, templates in db.execute(query)
            ]

    def space(self, space_id: str) -> Space | None:
        """Return a space by its id, or None when no template was ever kept in it."""
        with self.reading() as db:
            row = db.execute("SELECT 1 FROM spaces WHERE id = ?", (space_id,)).fetchone()
            return None if row is None else self._read_space(space_id)[1]

    def owners(self, space_id: str) -> tuple[IntArray, IntArray]:
        """Return (template ids rising, person ids) of the templates in use of a space."""
        query = (
            "SELECT t.id, t.person FROM used t JOIN spaces s ON s.number = t.space"
            " WHERE s.id = ? ORDER BY t.id"
        )
        with self.reading() as db:
            pairs = np.array(db.execute(query, (space_id,)).fetchall(), np.int64).reshape(-1, 2)
        return pairs[:, 0].copy(), pairs[:, 1].copy()

    def templates(self, space_id: str, after: int = 0) -> Iterator[TemplateVectors]:
        """Yield the templates in use with an id over ``after``, a few thousand at a time."""
        query = (
            "SELECT t.id, t.person, v.vector FROM used t JOIN vectors v ON v.template = t.id"
            " JOIN spaces s ON s.number = t.space WHERE t.id > ? AND s.id = ?"
            " ORDER BY t.id"
        )
        with self.reading() as db:
            cursor = db.execute(query, (after, space_id))
            while rows := cursor.fetchmany(4096):
                yield _templates(rows)

    def picked(self, space_id: str, ids: IntArray) -> TemplateVectors:
        """Return the templates of the given rising ids."""
        query = (
            "SELECT t.id, t.person, v.vector FROM used t JOIN vectors v ON v.template = t.id"
            " JOIN spaces s ON s.number = t.space"
            " WHERE s.id = ? AND t.id IN (SELECT value FROM json_each(?)) ORDER BY t.id"
        )
        with self.reading() as db:
            return _templates(db.execute(query, (space_id, json.dumps(ids.tolist()))).fetchall())

    def names(self, after: int = 0) -> dict[int, str]:
        """Return the names of the people with an id over ``after``, by rising id."""
        query = "SELECT id, name FROM people WHERE id > ? ORDER BY id"
        with self.reading() as db:
            return {int(i): name for i, name in db.execute(query, (after,))}

    def rejections(self) -> dict[str, frozenset[int]]:
        """Return, by photo digest, the ids of the people that the photo does not show."""
        found: dict[str, set[int]] = {}
        with self.reading() as db:
            for person, digest in db.execute("SELECT person, digest FROM rejections"):
                found.setdefault(digest, set()).add(int(person))
        return {digest: frozenset(people) for digest, people in found.items()}


def _template(
    template: int,
    person: int,
    space: int,
    photo: PhotoRef,
    face: FaceRecord,
    norm: float,
    time: str,
    consent: str | None,
) -> tuple[object, ...]:
    box = face.box or (None, None, None, None)
    points = None if face.points is None else np.ascontiguousarray(face.points, "<f4").tobytes()
    rest = (face.scheme, face.score, face.height, float(norm), time, consent)
    return (template, person, space, photo.reference, photo.digest, *box, points, *rest)


def _info(row: tuple[object, ...]) -> TemplateInfo:
    (template, person, reference, digest, space, x1, y1, x2, y2, points, scheme) = row[:11]
    (score, height, norm, created, consent, rejected) = row[11:]
    box = None if x1 is None else (float(x1), float(y1), float(x2), float(y2))  # type: ignore[arg-type]
    array = None
    if isinstance(points, bytes):
        array = np.frombuffer(points, "<f4").reshape(-1, 2)
    face = FaceRecord(box, array, scheme, score, height)  # type: ignore[arg-type]
    photo = PhotoRef(str(reference), str(digest))
    return TemplateInfo(
        int(template),  # type: ignore[call-overload]
        str(person),
        photo,
        str(space),
        face,
        float(norm),  # type: ignore[arg-type]
        str(created),
        None if consent is None else str(consent),
        bool(rejected),
    )


def _templates(rows: Sequence[tuple[int, int, bytes]]) -> TemplateVectors:
    numbers = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
    flat = np.frombuffer(b"".join(row[2] for row in rows), "<f4")
    vectors = flat.reshape(len(rows), -1) if rows else flat.reshape(0, 0)
    return TemplateVectors(numbers[:, 0], numbers[:, 1], vectors)


def _same_face(box: Sequence[float | None], other: Sequence[float] | None) -> bool:
    """Return whether two boxes of a photo are one face; unknown boxes are taken for the same."""
    if other is None or box[0] is None:
        return True
    a = np.array(box, np.float64)
    b = np.array(other, np.float64)
    sides = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    both = float(np.prod(sides))
    union = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both
    return both > _SAME_FACE_IOU * union


def _check_unit(embeddings: Embeddings) -> None:
    """Refuse vectors that are not of unit length in a space that says they are."""
    if embeddings.space.unit and len(embeddings):
        lengths = np.linalg.norm(embeddings.vectors, axis=1)
        if np.abs(lengths - 1).max() > 1e-3:
            raise BadArray(
                f"vectors: space '{embeddings.space.id}' holds unit vectors, got lengths "
                f"{lengths.min():.3f} to {lengths.max():.3f}."
            )
