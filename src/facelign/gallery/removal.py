"""Removal that reaches every byte, and the proof of it.

A removal is a job that is written down: the rows are deleted and the job begun in one transaction;
then every file that holds vectors is erased, the gallery is scrubbed, and what was removed is
looked for. Whatever cuts it off, the same command or the next opening of the gallery finishes it,
and the proof can be asked again. Enrollments that are undone go the same way.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

from facelign.errors import (
    DatasetMalformed,
    FacelignError,
    GalleryBusy,
    GalleryError,
    UnknownPerson,
)
from facelign.files.disk import digest, erase
from facelign.files.home import expanded, store_address
from facelign.files.owners import at_work, worker
from facelign.gallery import history, traces
from facelign.gallery.cache import VectorCache
from facelign.gallery.rules import known
from facelign.gallery.stores import open_store
from facelign.types.changes import Entry, Erased, PersonRef, Remove, Withdraw
from facelign.types.contracts import TemplateStore
from facelign.types.templates import Holder, Receipt, Removal, now

NOTE = (
    "Exports and back-ups that the gallery does not know of, such as copies made by hand, photos, "
    "folders and tables that carry the name, and snapshots of the disk are outside of this proof "
    "and are yours to delete. Vectors of photos that were only looked at may be cached: facelign "
    "cache clear."
)
CLASSIFIER, EXPORT, BACKUP, CACHE = "classifier", "export", "backup", "cache"
_CLASSIFIER = ".classifier.npz"
#: more vectors than these are looked for by their prints, in one pass over the files
_MANY = 4096
_LOG = logging.getLogger(__name__)


def remove(store: TemplateStore, name: str, cache: VectorCache | None) -> Receipt:
    """Delete a person from gallery and cache, overwrite their bytes, and search for them.

    Of somebody who was removed before, the proof is given again, and what was cut off is finished.
    Raises UnknownPerson, and GalleryBusy when another program keeps the old bytes alive; the person
    is deleted by then, and the rest is done by the same call or by the next opening.
    """
    if store.person(name) is None and known_by(store, name) is not None:
        return proof(store, name, cache)
    with store.transaction():
        person = known(store, name)
        erased = store.remove(person, history.about(list(store.history()), person))
        store.record(Entry(now(), Remove(), erased.templates))
        job = begin(store, erased, name)
    return finish(store, job, cache, erased.vectors, name)


def begin(store: TemplateStore, erased: Erased, name: str = "") -> Removal:
    """Write down that templates are removed, in the transaction that deletes them."""
    salt = os.urandom(16)
    theirs = store.shared(set(erased.vectors))  # of others, from the same photo
    gone = [vector for vector in erased.vectors if vector not in theirs]
    job = Removal(
        os.urandom(6).hex(),
        now(),
        salt,
        _who(name, salt),
        erased.templates,
        len(erased.digests),
        b"".join(sorted(traces.prints(gone, salt, sparse=erased.templates > _MANY))),
        erased.digests,
        worker=worker(),
    )
    store.keep(job)
    return job


def finish(
    store: TemplateStore,
    job: Removal,
    cache: VectorCache | None = None,
    vectors: Sequence[bytes] = (),
    name: str = "",
    wait_s: float | None = None,
) -> Receipt:
    """Erase what holds the vectors of a removal, scrub the gallery, and prove it.

    vectors: where they are still known; else they are looked for by their prints. wait_s: how long
    a reader of the gallery is waited for, instead of the store's own.
    """
    job = replace(job, worker=worker())
    try:
        with _caches(store, cache) as caches:
            job = _erase_holders(store, job, caches)
            store.keep(job)
            store.scrub(wait_s)
            busy = [one for one in job.holders if one.state == "busy"]
            if busy:
                raise GalleryError(
                    f"{busy[0].path} holds removed vectors and could not be erased.",
                    "Close the program that uses it, then run the same command again.",
                )
            receipt = _proved(store, job, caches, vectors, name)
            if set(receipt.found) & {file for one in caches for file in one.files()}:
                # The same picture under another digest: what is cached can be computed again.
                job = replace(job, cached=job.cached + sum(one.clear() for one in caches))
                receipt = _proved(store, job, caches, vectors, name)
    except BaseException:
        with suppress(FacelignError):
            store.keep(replace(job, worker=""))
        raise
    store.keep(replace(job, worker="", verified=receipt.verified))
    return receipt


def resume(store: TemplateStore) -> None:
    """Finish what was cut off; where that has to wait, it is told and left to the next opening."""
    if store.readonly:
        return
    for job in store.removals():
        if job.verified is None and not at_work(job.worker):
            try:
                finish(store, job, wait_s=1.0)
            except (FacelignError, OSError) as problem:
                _LOG.warning("A removal of %s could not be finished: %s", job.time[:10], problem)


def proof(store: TemplateStore, which: str, cache: VectorCache | None = None) -> Receipt:
    """Look again for what a removal took away, by the id of its receipt or by the name.

    Raises UnknownPerson where no removal is known by it.
    """
    job = known_by(store, which)
    if job is None:
        raise UnknownPerson(
            f"No removal is known by '{which}'.",
            "Give the name that was removed, or a receipt's id.",
        )
    name = "" if job.id == which else which
    if not job.verified:
        return finish(store, job, cache, name=name)
    with _caches(store, cache) as caches:
        return _proved(store, job, caches, (), name)


def known_by(store: TemplateStore, which: str) -> Removal | None:
    """Return the last removal of a receipt's id or a name, or None."""
    return next((job for job in store.removals() if job.id == which or _is(job, which)), None)


def classifier_path(gallery: Path) -> Path:
    """Return where the classifier of a gallery lies: beside the file itself (not beside a link to
    it), its name with an ending. Raises GalleryError for a gallery that is no file: a removal on
    another machine would not reach what lies on this one.
    """
    address = store_address(gallery)
    if address is not None:
        raise GalleryError(
            f"{'://'.join(address)} is no file, and a classifier lies beside one.",
            "Name people by their nearest templates, which needs no classifier.",
        )
    real = expanded(gallery).resolve()
    return real.with_name(real.name + _CLASSIFIER)


@contextmanager
def holding(store: TemplateStore, path: Path, kind: str) -> Iterator[None]:
    """Write a file that holds vectors of a gallery, which knows of it before its first byte."""
    place = path.resolve()
    before = [one for one in store.holders() if one.path == place]
    store.hold(Holder(place, kind))
    try:
        yield
    except BaseException:  # what lies there, if anything, is not of this call
        for one in before or [Holder(place, "")]:
            store.hold(one) if one.kind else store.let_go(place)
        raise
    store.hold(Holder(place, kind, digest(place)))


# -- the holders ---------------------------------------------------------------------------------


@contextmanager
def _caches(store: TemplateStore, cache: VectorCache | None) -> Iterator[list[VectorCache]]:
    """Yield the caches that may hold vectors: the one named, and those the gallery knows."""
    places = {one.path for one in store.holders() if one.kind == CACHE}
    own = [] if cache is None else [cache]
    others = sorted(p for p in places - {one.path for one in own} if p.is_file())
    opened = [VectorCache(place) for place in others]
    try:
        yield [*own, *opened]
    finally:
        for one in opened:
            one.close()


def _erase_holders(store: TemplateStore, job: Removal, caches: list[VectorCache]) -> Removal:
    """Erase every file that holds vectors; returns the job, which says what became of each."""
    beside = [place.with_name(place.name + _CLASSIFIER) for place in store.places]
    known = {one.path: one for one in store.holders()}
    known |= {path: Holder(path, CLASSIFIER) for path in beside if path.is_file()}
    states = {one.path: one for one in job.holders}  # of the attempt before
    cached = job.cached
    for cache in caches:
        cached += cache.purge(job.digests)
        states[cache.path] = Holder(cache.path, CACHE, state="erased")
        known.pop(cache.path, None)
    for path, holder in known.items():
        states[path] = one = _erased(store, job, holder)
        with store.transaction():
            if one.state == "gone" or (one.kind == CLASSIFIER and one.state == "erased"):
                store.let_go(path)
            store.keep(replace(job, cached=cached, holders=tuple(states.values())))
    return replace(job, cached=cached, holders=tuple(states.values()), digests=())


def _erased(store: TemplateStore, job: Removal, holder: Holder) -> Holder:
    """Erase one file, or what it holds of the removed people, and say what became of it."""
    from zipfile import BadZipFile  # needed here alone, and every start would wait for it

    from facelign.gallery import transfer

    path = holder.path
    if not path.is_file():
        return replace(holder, state="gone")
    try:
        if holder.kind == CACHE or holder.digest not in ("", digest(path)):
            return replace(holder, state="changed")
        if holder.kind == EXPORT:
            transfer.without(path, partial(traces.with_prints, _parts(job.prints), job.salt))
            store.hold(replace(holder, digest=digest(path)))
        elif holder.kind == BACKUP:
            _remove_from(path, job)
            store.hold(replace(holder, digest=digest(path)))
        else:
            erase(path)
    except GalleryBusy:
        return replace(holder, state="busy")
    except (GalleryError, BadZipFile, DatasetMalformed, EOFError, KeyError, ValueError):
        return replace(holder, state="changed")
    except OSError:
        return replace(holder, state="busy")
    return replace(holder, state="erased")


def _remove_from(path: Path, job: Removal) -> None:
    """Remove from a copy of the gallery what was removed: people of the name, and templates with
    the vectors, whoever they were when the copy was made.
    """
    with closing(open_store(path, create=False, damaged=True)) as copy:
        wanted, gone, kept = _parts(job.prints), dict[int, list[int]](), set[int]()
        with copy.transaction():
            for part in copy.every_vector():
                found = traces.with_prints(wanted, job.salt, [vector for *_, vector in part])
                for place, (number, person, _) in enumerate(part):
                    if place in found:
                        gone.setdefault(person, []).append(number)
                    else:
                        kept.add(person)
            for person, name in copy.names().items():
                ref, theirs = PersonRef(person, name), gone.get(person, [])
                if _is(job, name) or (theirs and person not in kept):
                    copy.remove(ref, history.about(list(copy.history()), ref))
                else:
                    for number in theirs:
                        copy.apply(Withdraw((number, number + 1), (0, 0)))
        copy.scrub()


def _prints(job: Removal, vectors: Sequence[bytes]) -> set[bytes]:
    return traces.prints(vectors, job.salt, sparse=job.templates > _MANY)


def _parts(prints: bytes) -> set[bytes]:
    size = traces.PRINT_BYTES
    return {prints[i : i + size] for i in range(0, len(prints), size)}


# -- the proof -----------------------------------------------------------------------------------


def _proved(
    store: TemplateStore,
    job: Removal,
    caches: list[VectorCache],
    vectors: Sequence[bytes],
    name: str,
) -> Receipt:
    held = [one.path for one in (*job.holders, *store.holders()) if one.kind != CACHE]
    files = [*store.files(), *(file for one in caches for file in one.files()), *held]
    files = list(dict.fromkeys(file for file in files if file.is_file()))
    found = _found(store, job, vectors, files)
    return Receipt(
        name,
        job.templates,
        job.photos,
        job.cached,
        not found,
        tuple(files),
        found,
        job.time,
        NOTE,
        job.holders,
        job.id,
    )


def _found(
    store: TemplateStore, job: Removal, vectors: Sequence[bytes], files: Collection[Path]
) -> tuple[Path, ...]:
    if 0 < len(vectors) <= _MANY:
        found = traces.files_with(vectors, files)
        if found:
            # Another person may hold the very same vector, from the same photo: that one is theirs.
            theirs = store.shared(set(vectors))
            found = traces.files_with([v for v in vectors if v not in theirs], found)
        return found
    wanted = _parts(job.prints)
    found = traces.files_with_prints(wanted, job.salt, files)
    if found:  # what was enrolled again since
        held = [
            row.tobytes()
            for space in store.spaces()
            for part in store.vectors(space.id)
            for row in part.vectors
        ]
        found = traces.files_with_prints(wanted - _prints(job, held), job.salt, found)
    return found


def _who(name: str, salt: bytes) -> bytes:
    return blake2b(name.encode(), digest_size=16, key=salt).digest() if name else b""


def _is(job: Removal, name: str) -> bool:
    return bool(name) and job.who == _who(name, job.salt)
