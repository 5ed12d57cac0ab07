"""Removal that reaches every byte, and the proof of it."""

from __future__ import annotations

from pathlib import Path

from facelign.files.disk import erase
from facelign.gallery import history
from facelign.gallery.cache import VectorCache
from facelign.gallery.rules import known
from facelign.gallery.traces import files_with
from facelign.types.changes import Entry, Remove
from facelign.types.contracts import TemplateStore
from facelign.types.templates import Receipt, now

NOTE = (
    "Exports, back-ups and snapshots of the disk are outside of this proof and are yours to "
    "delete. Vectors of photos that were only looked at may be cached: facelign cache clear."
)
_CLASSIFIER = ".classifier.npz"


def remove(store: TemplateStore, name: str, cache: VectorCache | None) -> Receipt:
    """Delete a person from gallery and cache, overwrite their bytes, and search for them.

    Raises UnknownPerson, and GalleryBusy when another program keeps the old bytes alive; where the
    person is deleted by then, the next command that opens the gallery rewrites the file.
    """
    # The cache first: should it be busy, nothing has happened yet and the command can be repeated.
    infos = store.templates(known(store, name))
    cached = 0 if cache is None else cache.purge({i.photo.digest for i in infos} - {""})
    time = now()
    with store.transaction():
        person = known(store, name)
        erased = store.remove(person, history.about(list(store.history()), person))
        store.record(Entry(time, Remove(), erased.templates))
    for place in store.places:
        erase(place.with_name(place.name + _CLASSIFIER))
    store.scrub()
    files = [*store.files(), *(cache.files() if cache is not None else ())]
    found = files_with(erased.vectors, files)
    if cache is not None and set(found) & set(cache.files()):
        # The same picture under another digest: what is cached can be computed again.
        cached += cache.clear()
        files = [*store.files(), *cache.files()]
        found = files_with(erased.vectors, files)
    if found:
        # Another person may hold the very same vector, from the same photo: that one is theirs.
        theirs = store.shared(set(erased.vectors))
        found = files_with([v for v in erased.vectors if v not in theirs], found)
    return Receipt(
        name,
        erased.templates,
        len(erased.digests),
        cached,
        not found,
        tuple(files),
        found,
        time,
        NOTE,
    )


def classifier_path(gallery: Path) -> Path:
    """Return where the classifier of a gallery lies: beside the file itself (not beside a link to
    it), its name with an ending.
    """
    real = gallery.resolve()
    return real.with_name(real.name + _CLASSIFIER)
