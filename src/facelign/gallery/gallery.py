"""The gallery: who is enrolled, and who in it is most like a probe."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from facelign.compare.calibrations import from_json, to_json
from facelign.errors import BadArray, GalleryError
from facelign.files.home import expanded, store_address
from facelign.gallery import history, removal, rules
from facelign.gallery.cache import VectorCache
from facelign.gallery.following import Follower
from facelign.gallery.indexes.exact import ExactIndex
from facelign.gallery.rejections import bars, key_of
from facelign.gallery.search import IndexFactory, by_best, by_center
from facelign.gallery.stores import backing, checking, open_store
from facelign.gallery.stores.connection import WAIT_S
from facelign.gallery.stores.sqlite import real
from facelign.types import changes as c
from facelign.types import templates as t
from facelign.types.arrays import AnyArray
from facelign.types.calibrations import Calibration
from facelign.types.closing import Closing
from facelign.types.contracts import TemplateStore
from facelign.types.decisions import Candidate, CandidateList
from facelign.types.embeddings import Embeddings, Space, same_space
from facelign.types.policies import TOP_K, TemplateMode

if TYPE_CHECKING:
    from facelign.gallery import transfer

#: rows of a bulk enrollment that are written at a time
_CHUNK = 1000


class Gallery(Closing):
    """A store of templates and the matrices that search it; threads and processes may share it.

    Templates of several spaces may lie side by side; a search uses one. What another process
    changes is noticed before the next answer.

    Example:
        >>> with Gallery.open("people.db") as gallery:  # doctest: +SKIP
        ...     [person.name for person in gallery.people()]
        ['Eileen']
    """

    def __init__(self, store: TemplateStore, index: IndexFactory = ExactIndex) -> None:
        self.store = store
        #: what people call it: the name of the file
        self.name = store.name
        self._index = index
        self._lock = threading.RLock()
        self._searches: dict[str, Follower] = {}
        #: the spaces, as counted at a revision
        self._counted: tuple[int, list[t.SpaceCount]] = (-1, [])
        #: the people without a template in a space, as looked up at a revision
        self._without: tuple[tuple[int, str], tuple[t.Person, ...]] = ((-1, ""), ())
        removal.resume(store)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        readonly: bool = False,
        wait_s: float = WAIT_S,
        damaged: bool = False,
        index: IndexFactory = ExactIndex,
    ) -> Self:
        """Return the gallery at ``path``, made when it is not there (unless ``create`` is False).

        wait_s: how long a change waits for another writer. damaged: open it although values
        in rows are not as they were written, so that whose they are can be removed. index: what
        searches the templates. Raises GalleryError when there is none, GalleryCorrupt for another
        kind of file or a damaged one, SchemaTooNew.
        """
        how = {"create": create, "readonly": readonly, "damaged": damaged}
        return cls(open_store(path, wait_s=wait_s, **how), index)

    def close(self) -> None:
        """Close the file and let the matrices go."""
        with self._lock:
            self._searches.clear()
            self.store.close()

    @property
    def path(self) -> Path:
        """The file; raises GalleryError for a gallery that is none."""
        if self.store.location is None:
            raise GalleryError(f"The gallery '{self.name}' is no file.", "Open one from a file.")
        return self.store.location

    @property
    def place(self) -> str:
        """What a message calls it: the file with its folder, or the name where it is no file."""
        return str(self.store.location or self.name)

    @property
    def revision(self) -> int:
        """Grows with every committed change, whoever made it."""
        return self.store.state().revision

    # -- enrollment ------------------------------------------------------------------------------

    def enroll(
        self,
        person: str,
        embeddings: Embeddings,
        *,
        photo: t.PhotoRef,
        faces: Sequence[t.FaceRecord],
        consent: str | None = None,
        force: bool = False,
        run: str | None = None,
    ) -> tuple[int, ...]:
        """Keep the vectors of one photo as templates of a person; they are on disk on return.

        embeddings: n vectors; faces: n records. run: enrollments that name the same run, one after
        another, are taken back together by ``undo``. Returns the ids of the templates. Raises
        DuplicateTemplate when the photo is enrolled already for this person, when it was rejected
        as this person's, or when this face of it is enrolled for another one (``force`` overrules
        the last); GalleryBusy; GalleryError for a full disk.
        """
        name, note = t.person_name(person), None if consent is None else t.spelled(consent)
        if len(faces) != len(embeddings):
            raise BadArray(f"faces: wanted {len(embeddings)} records, got {len(faces)}.")
        rules.check_unit(embeddings)
        rows = [
            t.Row(name, vector, photo, float(norm), face, note)
            for vector, norm, face in zip(embeddings.vectors, embeddings.norms, faces, strict=True)
        ]
        with self.store.transaction():
            rules.refuse_duplicates(self.store, name, photo, embeddings.space.id, faces, force)
            done = self.store.enroll(rows, embeddings.space)
            self._record(done, len(rows), c.Withdraw(done.templates, done.people), run)
        return tuple(range(*done.templates))

    def enroll_many(self, rows: Iterable[t.Row], space: Space) -> t.Bulk:
        """Keep many templates in one transaction: all or none; the lock is held until the end.

        Memory does not grow with their number. Rows whose photo is enrolled already in this space,
        or was rejected as this person's, are skipped with a reason.
        """
        return self._enroll_many(rows, space, c.Enroll)

    def _enroll_many(self, rows: Iterable[t.Row], space: Space, kind: type[c.Enroll]) -> t.Bulk:
        skipped: list[tuple[int, str]] = []
        done: list[c.Enroll] = []
        source, seen = iter(rows), 0
        with self.store.transaction():
            while chunk := list(islice(source, _CHUNK)):
                fresh = rules.fresh(self.store, chunk, space, seen, skipped)
                seen += len(chunk)
                if fresh:
                    done.append(self.store.enroll(fresh, space))
            if done:
                templates = (done[0].templates[0], done[-1].templates[1])
                people = (done[0].people[0], done[-1].people[1])
                change = kind(None, templates, people)
                self._record(change, templates[1] - templates[0], c.Withdraw(templates, people))
        return t.Bulk(seen - len(skipped), tuple(skipped))

    def has_photo(self, digest: str, space_id: str) -> str | None:
        """Return who a photo is enrolled as in a space, or None."""
        return next((photo.person for photo in self.store.photos([digest], space_id)), None)

    def was_rejected(self, person: str, digest: str, box: Sequence[float] | None = None) -> bool:
        """Return whether a photo was rejected as a person's, or the face in ``box`` of it."""
        return rules.was_rejected(self.store, t.person_name(person), digest, box)

    # -- who is there ----------------------------------------------------------------------------

    def people(self) -> list[t.Person]:
        """Return everybody who is enrolled, by name."""
        return self.store.people()

    def templates(self, person: str) -> list[t.TemplateInfo]:
        """Return what is kept with each template of a person; raises UnknownPerson."""
        with self.store.reading():
            return self.store.templates(rules.known(self.store, person))

    def spaces(self) -> list[t.SpaceCount]:
        """Return the spaces that hold templates, most templates first."""
        with self._lock:
            revision = self.store.state().revision
            if self._counted[0] != revision:
                self._counted = (revision, self.store.spaces())
            return list(self._counted[1])

    def count(self, space_id: str) -> tuple[int, int]:
        """Return (people, templates) of a space."""
        return next(((s.people, s.templates) for s in self.spaces() if s.id == space_id), (0, 0))

    def people_without(self, space_id: str) -> tuple[t.Person, ...]:
        """Return the people whose templates in use all lie in other spaces, which no search in
        this one sees.
        """
        if {space.id for space in self.spaces()} <= {space_id}:
            return ()
        with self._lock:
            key = (self.store.state().revision, space_id)
            if self._without[0] != key:
                away = (p for p in self.people() if p.spaces and space_id not in p.spaces)
                self._without = (key, tuple(away))
            return self._without[1]

    def require_space(self, space_id: str) -> None:
        """Raise SpaceMismatch, naming both, when only other spaces hold templates."""
        ids = [space.id for space in self.spaces()]
        if ids and space_id not in ids:
            same_space(space_id, "' and '".join(ids), f"gallery '{self.name}'")

    # -- search ----------------------------------------------------------------------------------

    def search(
        self,
        probes: Embeddings,
        *,
        k: int = TOP_K,
        mode: TemplateMode = TemplateMode.BEST,
        photo_digest: str | Sequence[str] = "",
        boxes: AnyArray | None = None,
    ) -> list[list[Candidate]]:
        """Return the k people most like each probe, best first.

        photo_digest: of the photo of the probes (or one for each); people that were rejected for
        it are left out. boxes: (n, 4) of the faces, px of the file: who was rejected for a face of
        it is left out where it overlaps. An empty list for each probe when the space holds no
        templates.
        """
        digests = [photo_digest] * len(probes) if isinstance(photo_digest, str) else photo_digest
        if not len(probes) or k < 1:
            return [[] for _ in range(len(probes))]
        with self._lock:
            follower = self._follower(probes.space)
            if follower is None:
                return [[] for _ in range(len(probes))]
            view = follower.follow(self.store)
            centers = None if mode is TemplateMode.BEST else follower.centers_of(mode)
        known = [None] * len(probes) if boxes is None else boxes.tolist()
        barred = [view.barred(digest, box) for digest, box in zip(digests, known, strict=True)]
        if centers is None:
            return by_best(view, probes, k, barred)
        return by_center(view, centers, probes, k, barred)

    def candidates(
        self,
        probes: Embeddings,
        *,
        k: int | None = TOP_K,
        mode: TemplateMode = TemplateMode.BEST,
        photo_digest: str = "",
        boxes: AnyArray | None = None,
    ) -> tuple[list[CandidateList], tuple[int, int], int]:
        """Return all that the gallery says about probes: (a list a probe, still without a name,
        (people, templates) that were searched, how many people lie in other spaces only).

        See ``search``; k: None lists everybody. Raises SpaceMismatch, naming both, when only other
        spaces hold templates.
        """
        space, spaces = probes.space.id, self.spaces()
        people, templates = next(((s.people, s.templates) for s in spaces if s.id == space), (0, 0))
        if not templates:
            self.require_space(space)
        k = people if k is None else k
        found = self.search(probes, k=k, mode=mode, photo_digest=photo_digest, boxes=boxes)
        others = any(other.id != space for other in spaces)
        exact, away = self.exact, len(self.people_without(space)) if others else 0
        lists = [CandidateList(tuple(c), None, "", None, templates, exact=exact) for c in found]
        return lists, (people, templates), away

    def vectors(self, person: str, space: Space) -> tuple[list[int], Embeddings]:
        """Return the ids of a person's templates in use of a space, and their vectors as they are
        compared; none of somebody who is not enrolled.
        """
        with self._lock:
            follower, known = self._follower(space), self.store.person(t.person_name(person))
            if follower is None or known is None:
                return [], Embeddings.none(space)
            view = follower.follow(self.store)
            ids = np.flatnonzero(view.owners == known.id)
            found = view.index.vectors(ids)
        norms = np.ones(len(ids), np.float32)
        return ids.tolist(), Embeddings(found, follower.space, norms)

    def searched(self, space: Space) -> int:
        """Return how many templates a search in a space looks at; ``count`` asks the store."""
        with self._lock:
            follower = self._follower(space)
            return 0 if follower is None else len(follower.follow(self.store).index)

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
        name = t.person_name(new)
        with self.store.transaction():
            person = rules.known(self.store, old)
            if person.name != name:
                self._apply(c.Rename(person, name), 0)

    def merge(self, source: str, target: str) -> int:
        """Make two people one: ``target`` stays and takes what is known of the other.

        Returns how many templates moved. Raises UnknownPerson.
        """
        with self.store.transaction():
            first, second = rules.known(self.store, source), rules.known(self.store, target)
            if first == second:
                raise GalleryError("A person cannot be merged with themselves.", "Name two people.")
            count = len(self.store.templates(first))
            self._apply(c.Merge(first, second), count)
        return count

    def split(self, person: str, template_ids: Sequence[int], new_name: str) -> None:
        """Make a new person of some templates of another one.

        Raises UnknownPerson, and GalleryError for templates that are not theirs, for all of them
        (that is a rename), or for a name that is taken.
        """
        name, going = t.person_name(new_name), tuple(sorted(set(template_ids)))
        with self.store.transaction():
            owner = rules.known(self.store, person)
            theirs = {info.id for info in self.store.templates(owner)}
            wrong = [str(i) for i in going if i not in theirs]
            if wrong or not going:
                raise GalleryError(
                    f"{person} has no template {', '.join(wrong) or 'among those named'}.",
                    f"See: facelign people show '{person}'",
                )
            if len(going) == len(theirs):
                raise GalleryError(
                    f"These are all templates of {person}.", "Use: facelign people rename"
                )
            self._apply(c.Split(owner, going, c.PersonRef(0, name)), len(going))

    def reject(
        self,
        person: str,
        *,
        digest: str,
        reference: str = "",
        box: Sequence[float] | None = None,
        run: str | None = None,
    ) -> int:
        """Write down that a photo does not show a person: it is never proposed as them again.

        Templates of that photo are set aside: they take no part in searches. Returns how many.
        digest: SHA-256 of the photo's bytes. box: of the face that is meant, (x1, y1, x2, y2) px of
        the upright file; without it every face of the photo is. run: see ``enroll``.
        """
        if not digest:
            raise GalleryError("A rejection needs the digest of the photo.", "Name a photo file.")
        with self.store.transaction():
            owner = rules.known(self.store, person)
            infos = self.store.templates(owner)
            of_photo = [i for i in infos if i.photo.digest == digest]
            key, count = key_of(digest, box), sum(not i.rejected for i in of_photo)
            if box is not None:
                places = [i.face.box for i in of_photo if bars(key, digest, i.face.box)]
                # a template is set aside by its own box
                key = key_of(digest, places[0] if places else box)
                count = sum(not i.rejected and bars(key, digest, i.face.box) for i in of_photo)
            self._apply(c.Reject(owner, key, t.spelled(reference)), count, run)
        return count

    def _apply(self, change: c.Change, templates: int, run: str | None = None) -> None:
        inverse = self.store.apply(change)
        if inverse is None:
            return  # nothing changed
        if isinstance(change, c.Split) and isinstance(inverse, c.Merge):
            change = replace(change, new=inverse.source)  # whose id the store has chosen
        self._record(change, templates, inverse, run)

    def _record(
        self, change: c.Change, templates: int, inverse: c.Change, run: str | None = None
    ) -> None:
        self.store.record(c.Entry(t.now(), change, templates, inverse, run))

    def history(self) -> list[c.Entry]:
        """Return every change, oldest first."""
        return list(self.store.history())[::-1]

    def photos_of(self, entries: Iterable[c.Entry]) -> dict[int, str]:
        """Return which photo each entry of the history is about, by its number, where known."""
        with self.store.reading():
            return history.photos(self.store, entries)

    def last(self) -> list[c.Entry]:
        """Return what ``undo`` would take back, oldest first; raises GalleryError as it does."""
        return history.last(self.store.history())[::-1]

    def redo(self) -> list[c.Entry]:
        """Do again what the last ``undo`` took back, and return it, oldest first.

        Raises GalleryError when there is nothing, when something was changed since, or when it was
        an enrollment, whose vectors are gone.
        """
        with self.store.transaction():
            done = [replace(e, undone=None) for e in history.undone(self.store.history())]
            for entry in done:
                self.store.apply(entry.change)
                self.store.record(entry)
        return done

    def undo(self, *, cache: VectorCache | None = None) -> list[c.Entry]:
        """Take the last change back and return what was undone; the changes of a run are one.

        Vectors of undone enrollments are erased wherever those of a removed person would be. Raises
        GalleryError when there is nothing to undo, or when the last change was a removal.
        """
        job = None
        with self.store.transaction():
            time = t.now()
            undone = [replace(e, undone=time) for e in history.last(self.store.history())]
            ranges = [e.inverse.templates for e in undone if isinstance(e.inverse, c.Withdraw)]
            erased = c.Erased.joined([self.store.kept(*templates) for templates in ranges])
            for entry in undone:
                if entry.inverse is not None:
                    self.store.apply(entry.inverse)
                self.store.record(entry)
            if erased.templates:
                job = removal.begin(self.store, erased)
        if job is not None:
            removal.finish(self.store, job, cache, erased.vectors)
        return undone[::-1]

    # -- removal ---------------------------------------------------------------------------------

    def remove(self, person: str, *, cache: VectorCache | None = None) -> t.Receipt:
        """Remove a person from every byte of the gallery and the cache; returns the proof.

        Every file that the gallery knows to hold their vectors is erased (a classifier), or loses
        what is theirs (an export, a cache). It cannot be undone. Of somebody who was removed before
        the proof is given again. Raises UnknownPerson, GalleryBusy.
        """
        receipt = removal.remove(self.store, t.person_name(person), cache)
        with self._lock:
            for search in self._searches.values():
                search.follow(self.store)
        return receipt

    def proof(self, which: str, *, cache: VectorCache | None = None) -> t.Receipt:
        """Look again for what a removal took away, and return its receipt as of now.

        which: the name that was removed, or the id of a receipt. Raises UnknownPerson.
        """
        return removal.proof(self.store, which, cache)

    def was_removed(self, person: str) -> bool:
        """Say whether somebody of that name was removed."""
        return removal.known_by(self.store, t.person_name(person)) is not None

    def removals(self) -> list[t.Removal]:
        """Return what is known of removals and undone enrollments, newest first: no names."""
        return self.store.removals()

    def holders(self) -> list[t.Holder]:
        """Return the files elsewhere that hold vectors of this gallery, by path."""
        return self.store.holders()

    def holding(self, path: str | Path, kind: str) -> AbstractContextManager[None]:
        """Write inside of this what holds vectors of the gallery, so that a removal reaches it.

        path: of the file. kind: "classifier" (erased whole), "export" (of ``export``), "backup"
        (of ``backup``).
        """
        return removal.holding(self.store, expanded(path), kind)

    def hold_cache(self, cache: VectorCache) -> None:
        """Write down a cache in which vectors of this gallery may lie."""
        self.store.hold(t.Holder(cache.path, removal.CACHE))

    # -- calibrations ----------------------------------------------------------------------------

    def calibrations(self) -> dict[str, Calibration]:
        """Return the calibrations that the gallery holds, by space: made on its owner's photos,
        they take the place of those that ship with facelign.
        """
        kept = self.store.calibrations()
        return {space: from_json(text, source=self._own(space)) for space, text in kept.items()}

    def calibration(self, space_id: str) -> Calibration | None:
        """Return the gallery's own calibration of a space, or None."""
        text = self.store.calibrations().get(space_id)
        return None if text is None else from_json(text, source=self._own(space_id))

    def _own(self, space_id: str) -> str:
        return f"the calibration of '{space_id}' in {self.name}"

    def keep_calibration(self, record: Calibration) -> None:
        """Keep a calibration, in the place of the one of its space if there is one."""
        self.store.keep_calibration(record.space, to_json(record))

    def forget_calibration(self, space_id: str) -> bool:
        """Drop the gallery's own calibration of a space; returns whether there was one."""
        there = space_id in self.store.calibrations()
        if there:
            self.store.keep_calibration(space_id, None)
        return there

    # -- damage ----------------------------------------------------------------------------------

    def check(self) -> t.Checkup:
        """Look the whole gallery through, without changing it: bytes against their checksums,
        vectors against their spaces, rows that belong to nothing, removals that were cut off.
        """
        return self.store.check()

    @staticmethod
    def check_file(path: str | Path) -> t.Checkup:
        """Look a gallery file through that need not even open; see ``check``.

        Raises GalleryError where there is none, GalleryCorrupt where it is none.
        """
        if store_address(path):
            with closing(open_store(path, create=False, readonly=True)) as store:
                return store.check()
        return checking.check(expanded(path))

    def backup(
        self,
        path: str | Path,
        *,
        replace: bool = False,
        told: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> t.Checkup:
        """Copy the gallery to a file, readable by its owner only, also while others write.

        The copy is checked before it is there; what the check found is returned. The gallery knows
        of it: whoever is removed from the gallery is removed from the copy. replace: whether a file
        that is there may be replaced. told: called with the bytes done and the bytes of all. Raises
        GalleryError for a file that is there and for a gallery that is kept elsewhere than in a
        file of facelign, GalleryCorrupt for a damaged gallery, InputError.
        """
        if not self.store.backs_up:
            raise GalleryError(
                f"The gallery '{self.name}' makes no back-up of itself.",
                "Copy it with the tools of what it is kept in.",
            )
        target = real(expanded(path))
        backing.refuse_taken(self.store.location, target, replace)
        with self.holding(target, removal.BACKUP):
            return self.store.back_up(target, told)

    # -- exchange --------------------------------------------------------------------------------

    def export(self, path: str | Path, space_id: str | None = None) -> int:
        """Write the templates of a space to an .npz that holds no pickles; returns how many.

        Raises GalleryError when there is none, or when there are several spaces and none is named.
        """
        from facelign.gallery import transfer

        place = expanded(path)
        with self.holding(place, removal.EXPORT):
            return transfer.export(self.store, place, space_id)

    def import_batch(self, batch: transfer.Batch) -> t.Bulk:
        """Enroll what ``transfer.read`` returned, in one transaction; see ``enroll_many``."""
        return self._enroll_many(batch.rows, batch.space, c.Import)
