"""Removal that reaches every byte, and the proof of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from facelign.gallery.cache import VectorCache
from facelign.gallery.stores import history
from facelign.gallery.stores.sqlite import SqliteStore, now
from facelign.gallery.traces import files_with
from facelign.types.templates import Receipt

NOTE = (
    "Exports, back-ups and snapshots of the disk are outside of this proof and are yours to "
    "delete. Vectors of photos that were only looked at may be cached: facelign cache clear."
)


#: bytes overwritten at a time
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class _Deleted:
    templates: int
    vectors: tuple[bytes, ...]
    digests: tuple[str, ...]
    time: str


def remove(store: SqliteStore, person: str, cache: VectorCache | None) -> Receipt:
    """Delete a person from gallery and cache, overwrite their bytes, and search for them.

    Raises UnknownPerson, and GalleryBusy when another program keeps the old bytes alive; where the
    person is deleted by then, the next command that opens the gallery rewrites the file.
    """
    # The cache first: should it be busy, nothing has happened yet and the command can be repeated.
    cached = 0 if cache is None else cache.purge(_digests(store, person))
    deleted = _delete(store, person)
    _erase(classifier_path(store.path))
    store.scrub()
    files = [*siblings(store.path), *(cache.files() if cache is not None else ())]
    found = files_with(deleted.vectors, files)
    if cache is not None and set(found) & set(cache.files()):
        # The same picture under another digest: what is cached can be computed again.
        cached += cache.clear()
        files = [*siblings(store.path), *cache.files()]
        found = files_with(deleted.vectors, files)
    if found:
        # Another person may hold the very same vector, from the same photo: that one is theirs.
        kept = _kept(store, deleted.vectors)
        found = files_with([v for v in deleted.vectors if v not in kept], found)
    return Receipt(
        person,
        deleted.templates,
        len(deleted.digests),
        cached,
        not found,
        tuple(files),
        found,
        deleted.time,
        NOTE,
    )


def classifier_path(gallery: Path) -> Path:
    """Return where the classifier of a gallery lies: beside it, its name with an ending."""
    return gallery.with_name(f"{gallery.name}.classifier.npz")


def _erase(path: Path) -> None:
    """Overwrite a file and delete it: a classifier holds vectors, or sums of them."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        left = path.stat().st_size
        while left > 0:
            left -= file.write(bytes(min(left, _PIECE)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def siblings(path: Path) -> list[Path]:
    """Return the gallery's files: itself, its log, its lock note, copies named after it."""
    return sorted(
        file
        for file in path.resolve().parent.iterdir()
        if file.is_file() and file.name.startswith((path.name, f".{path.name}."))
    )


def _digests(store: SqliteStore, person: str) -> set[str]:
    return {info.photo.digest for info in store.infos(person)} - {""}


def _delete(store: SqliteStore, person: str) -> _Deleted:
    with store.reshaping() as db:
        number = store.person_id(person)
        time = now()
        query = (
            "SELECT v.vector, t.digest FROM templates t JOIN vectors v ON v.template = t.id"
            " WHERE t.person = ?"
        )
        rows = db.execute(query, (number,)).fetchall()
        digests = tuple(dict.fromkeys(digest for _, digest in rows if digest))
        db.execute(
            "DELETE FROM vectors WHERE template IN (SELECT id FROM templates WHERE person = ?)",
            (number,),
        )
        db.execute("DELETE FROM templates WHERE person = ?", (number,))
        db.execute("DELETE FROM rejections WHERE person = ?", (number,))
        # "This photo is not Bob" stays true, but where the photo of a removed person lay is gone.
        db.executemany(
            "UPDATE rejections SET reference = '' WHERE digest = ?1"
            " AND NOT EXISTS (SELECT 1 FROM templates WHERE digest = ?1)",
            [(digest,) for digest in digests],
        )
        name = db.execute("SELECT name FROM people WHERE id = ?", (number,)).fetchone()[0]
        db.execute("DELETE FROM people WHERE id = ?", (number,))
        history.removed(db, time, number, name, len(rows))
        db.execute("UPDATE state SET unscrubbed = 1")
    vectors = tuple(dict.fromkeys(bytes(vector) for vector, _ in rows))
    return _Deleted(len(rows), vectors, digests, time)


def _kept(store: SqliteStore, vectors: tuple[bytes, ...]) -> set[bytes]:
    """Return those of the vectors that other people's templates hold too."""
    wanted = set(vectors)
    with store.reading() as db:
        return {v for (v,) in db.execute("SELECT vector FROM vectors") if v in wanted}
