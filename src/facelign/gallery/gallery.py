"""The gallery: who is enrolled, and who in it is most like a probe."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from facelign.errors import GalleryError
from facelign.files.disk import digest
from facelign.gallery import removal, transfer
from facelign.gallery.cache import VectorCache
from facelign.gallery.following import Follower
from facelign.gallery.indexes.exact import ExactIndex
from facelign.gallery.search import IndexFactory, by_best, by_center
from facelign.gallery.stores import history
from facelign.gallery.stores.connection import WAIT_S
from facelign.gallery.stores.sqlite import SqliteStore, now
from facelign.types.decisions import Candidate
from facelign.types.embeddings import Embeddings, Space, same_space
from facelign.types.policies import TemplateMode
from facelign.types.templates import (
    Bulk,
    Change,
    FaceRecord,
    Person,
    PhotoRef,
    Receipt,
    Row,
    SpaceCount,
    TemplateInfo,
    person_name,
)

__all__ = [
    "Bulk",
    "Change",
    "FaceRecord",
    "Gallery",
    "Person",
    "PhotoRef",
    "Receipt",
    "Row",
    "SpaceCount",
    "TemplateInfo",
]


class Gallery:
    """A store of templates and the matrices that search it; threads and processes may share it.

    Templates of several spaces may lie side by side; a search uses one. What another process
    changes is noticed before the next answer.

    Example:
        >>> with Gallery.open("people.db") as gallery:  # doctest: +SKIP
        ...     [person.name for person in gallery.people()]
        ['Eileen']
    """

    def __init__(self, store: SqliteStore, index: IndexFactory = ExactIndex) -> None:
        self._store = store
        self._index = index
        self._lock = threading.RLock()
        self._searches: dict[str, Follower] = {}
        #: the spaces, as counted at a revision
        self._counted: tuple[int, list[SpaceCount]] = (-1, [])

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        readonly: bool = False,
        wait_s: float = WAIT_S,
    ) -> Self:
        """Return the gallery at ``path``, made when it is not there (unless ``create`` is False).

        wait_s: how long a change waits for another writer. Raises GalleryError when there is none,
        GalleryCorrupt for another kind of file, SchemaTooNew.
        """
        return cls(SqliteStore(Path(path), create=create, readonly=readonly, wait_s=wait_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let the matrices go."""
        with self._lock:
            self._searches.clear()
            self._store.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self._store.path

    @property
    def revision(self) -> int:
        """Grows with every committed change, whoever made it."""
        return self._store.revision

    @property
    def store(self) -> SqliteStore:
        """The store behind the gallery."""
        return self._store

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
        """Keep the vectors of one photo as templates of a person; they are on disk on return.

        embeddings: n vectors; faces: n records. run: enrollments that name the same run, one after
        another, are taken back together by ``undo``. Returns the ids of the templates. Raises
        DuplicateTemplate (see SqliteStore.enroll), GalleryBusy, GalleryError for a full disk.
        """
        return self._store.enroll(
            person, embeddings, photo=photo, faces=faces, consent=consent, force=force, run=run
        )

    def enroll_many(self, rows: Iterable[Row], space: Space) -> Bulk:
        """Keep many templates in one transaction: all or none; the lock is held until the end."""
        return self._store.enroll_many(rows, space)

    def has_photo(self, digest: str, space_id: str) -> str | None:
        """Return who a photo is enrolled as in a space, or None."""
        return self._store.has_photo(digest, space_id)

    # -- who is there ----------------------------------------------------------------------------

    def people(self) -> list[Person]:
        """Return everybody who is enrolled, by name."""
        return self._store.people()

    def templates(self, person: str) -> list[TemplateInfo]:
        """Return what is kept with each template of a person; raises UnknownPerson."""
        return self._store.infos(person)

    def spaces(self) -> list[SpaceCount]:
        """Return the spaces that hold templates, most templates first."""
        with self._lock:
            revision = self._store.revision
            if self._counted[0] != revision:
                self._counted = (revision, self._store.spaces())
            return list(self._counted[1])

    def count(self, space_id: str) -> tuple[int, int]:
        """Return (people, templates) of a space."""
        return next(((s.people, s.templates) for s in self.spaces() if s.id == space_id), (0, 0))

    def require_space(self, space_id: str) -> None:
        """Raise SpaceMismatch, naming both, when only other spaces hold templates."""
        held = [space.id for space in self.spaces()]
        if held and space_id not in held:
            same_space(space_id, "' and '".join(held), f"gallery '{self.path.name}'")

    # -- search ----------------------------------------------------------------------------------

    def search(
        self,
        probes: Embeddings,
        *,
        k: int = 5,
        mode: TemplateMode = TemplateMode.BEST,
        photo_digest: str | Sequence[str] = "",
    ) -> list[list[Candidate]]:
        """Return the k people most like each probe, best first.

        photo_digest: of the photo of the probes (or one for each); people that were rejected for
        it are left out. An empty list for each probe when the space holds no templates.
        """
        digests = [photo_digest] * len(probes) if isinstance(photo_digest, str) else photo_digest
        if not len(probes) or k < 1:
            return [[] for _ in range(len(probes))]
        with self._lock:
            follower = self._follower(probes.space)
            if follower is None:
                return [[] for _ in range(len(probes))]
            view = follower.follow(self._store)
            centers = None if mode is TemplateMode.BEST else follower.centers_of(mode)
        if centers is None:
            return by_best(view, probes, k, digests)
        return by_center(view, centers, probes, k, digests)

    @property
    def exact(self) -> bool:
        """Whether the searches so far looked at every template: an index may be approximate."""
        with self._lock:
            return all(follower.index.exact for follower in self._searches.values())

    def _follower(self, space: Space) -> Follower | None:
        follower = self._searches.get(space.id)
        if follower is None:
            kept = next((count.space for count in self.spaces() if count.id == space.id), None)
            if kept is None:
                return None
            follower = self._searches[space.id] = Follower(kept, self._index)
        if follower.space != space:
            same_space(f"{space.id} ({space.dim})", f"{follower.space.id} ({follower.space.dim})")
        return follower

    # -- corrections -----------------------------------------------------------------------------

    def rename(self, old: str, new: str) -> None:
        """Give a person another name; raises UnknownPerson, and GalleryError when it is taken."""
        name = person_name(new)
        with self._store.reshaping() as db:
            number = self._store.person_id(old)
            if person_name(old) != name:
                history.rename(db, now(), (number, person_name(old)), name)

    def merge(self, source: str, target: str) -> int:
        """Make two people one: ``target`` stays and takes what is known of the other.

        Returns how many templates moved. Raises UnknownPerson.
        """
        with self._store.reshaping() as db:
            first, second = self._store.person_id(source), self._store.person_id(target)
            if first == second:
                raise GalleryError("A person cannot be merged with themselves.", "Name two people.")
            return history.merge(
                db, now(), (first, person_name(source)), (second, person_name(target))
            )

    def split(self, person: str, template_ids: Sequence[int], new_name: str) -> None:
        """Make a new person of some templates of another one.

        Raises UnknownPerson, and GalleryError for templates that are not theirs, for all of them
        (that is a rename), or for a name that is taken.
        """
        name, chosen = person_name(new_name), sorted(set(template_ids))
        with self._store.reshaping() as db:
            number = self._store.person_id(person)
            held = {info.id for info in self._store.infos(person)}
            wrong = [str(i) for i in chosen if i not in held]
            if wrong or not chosen:
                raise GalleryError(
                    f"{person} has no template {', '.join(wrong) or 'among those named'}.",
                    f"See: facelign people show '{person}'",
                )
            if len(chosen) == len(held):
                raise GalleryError(
                    f"These are all templates of {person}.", "Use: facelign people rename"
                )
            new = self._store.new_id()
            history.split(db, now(), (number, person_name(person)), (new, name), chosen)

    def reject(self, person: str, *, digest: str, reference: str = "") -> int:
        """Write down that a photo does not show a person: it is never proposed as them again.

        Templates of that photo are set aside: they take no part in searches. Returns how many.
        digest: SHA-256 of the photo's bytes.
        """
        if not digest:
            raise GalleryError("A rejection needs the digest of the photo.", "Name a photo file.")
        with self._store.reshaping() as db:
            number = self._store.person_id(person)
            infos = self._store.infos(person)
            count = sum(i.photo.digest == digest and not i.rejected for i in infos)
            owner = (number, person_name(person))
            history.reject(db, now(), owner, digest, reference, count)
        return count

    def history(self) -> list[Change]:
        """Return every change, oldest first."""
        with self._store.reading() as db:
            return history.changes(db)

    def undo(self) -> list[Change]:
        """Take the last change back and return what was undone; a run of enrollments is one.

        Vectors of undone enrollments are overwritten in the file. Raises GalleryError when there
        is nothing to undo, or when the last change was a removal.
        """
        with self._store.reshaping() as db:
            undone = history.undo(db, now())
        if any(change.action in ("enroll", "import") for change in undone):
            self._store.scrub()
        return undone

    # -- removal ---------------------------------------------------------------------------------

    def remove(self, person: str, *, cache: VectorCache | None = None) -> Receipt:
        """Remove a person from every byte of the gallery and the cache; returns the proof.

        It cannot be undone. Raises UnknownPerson, GalleryBusy.
        """
        receipt = removal.remove(self._store, person_name(person), cache)
        with self._lock:
            for search in self._searches.values():
                search.follow(self._store)
        return receipt

    # -- exchange --------------------------------------------------------------------------------

    def export(self, path: str | Path, space_id: str | None = None) -> int:
        """Write the templates of a space to an .npz that holds no pickles; returns how many.

        Raises GalleryError when there is none, or when there are several spaces and none is named.
        """
        return transfer.export(self._store, Path(path), space_id)

    def import_(self, path: str | Path, *, labels: str | Path | None = None) -> Bulk:
        """Enroll the templates of a file: our .npz, or vectors and names of other programs.

        See ``gallery.transfer.read`` for the forms. Nothing in the file is executed; what was
        imported before is skipped. Raises DatasetMalformed.
        """
        batch = transfer.read(Path(path), None if labels is None else Path(labels))
        return self.import_batch(batch)

    def import_batch(self, batch: transfer.Batch) -> Bulk:
        """Enroll what ``transfer.read`` returned, in one transaction."""
        return self._store.enroll_many(batch.rows(), batch.space, action="import")


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, as photos are known by in a gallery."""
    return digest(Path(path))
