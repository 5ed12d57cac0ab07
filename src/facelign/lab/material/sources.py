"""What is measured, out of ``.bin`` sets, saved vectors and galleries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from facelign.compare.pairs import contradicted, people_of_pairs
from facelign.datasets.insightface_bin import BinSet
from facelign.datasets.records import Photo
from facelign.datasets.saved import SavedEmbeddings
from facelign.errors import GalleryError, Remedy
from facelign.files.home import may_write
from facelign.gallery import transfer
from facelign.gallery.gallery import Gallery
from facelign.gallery.removal import CLASSIFIER
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Embedded, Failure, embed_pictures
from facelign.lab.material.trials import Trials
from facelign.recognition.recognizer import Recognizer
from facelign.types.embeddings import Metric, Space


def of_bin(
    recognizer: Recognizer, chips: BinSet, *, done: Callable[[int], None] | None = None
) -> tuple[Trials, Embedded]:
    """Return the pairs of a ``.bin`` set with the vectors of its pictures, which are chips."""
    embedded = embed_pictures(recognizer, chips.pictures, done=done)
    # a picture that occurs twice shows the same person: that joins pairs
    digests = [hashlib.sha256(picture).hexdigest() for picture in chips.pictures]
    sides = digests[0::2], digests[1::2]
    contradictions = int(contradicted(*sides, chips.same).sum())
    told = hashlib.sha256("\n".join([*digests, *map(str, chips.same.tolist())]).encode())
    first = np.arange(0, 2 * len(chips), 2)
    trials = Trials(
        chips.name,
        embedded.photos,
        first,
        first + 1,
        chips.same,
        *people_of_pairs(*sides, chips.same),
        chips.folds,
        protocol=f"{len(chips):,} pairs of chips, {len(np.unique(chips.folds))} folds",
        listed=True,
        opened=False,
        notes=(
            f"{contradictions:,} pairs are labeled non-mated although mated pairs join their "
            "pictures; they count as labeled.",
        )
        * (contradictions > 0),
        known_digest=told.hexdigest(),
    )
    return trials, embedded


def of_saved(
    saved: SavedEmbeddings, name: str, metric: Metric = Metric.COSINE
) -> tuple[Trials, Embedded]:
    """Return all pairs of saved embeddings, one of each photo."""
    one = saved.one_a_photo()
    files = one.files or tuple(f"row {number}" for number in range(len(one.people)))
    photos = tuple(Photo(Path(f), p) for f, p in zip(files, one.people, strict=True))
    trials = replace(Trials.among(photos, name), opened=False, notes=_several(saved, one))
    rows = np.arange(len(photos), dtype=np.int64)
    return trials, Embedded(named_of_saved(one, name, metric), rows, photos, (), (), _boxes(one))


def of_saved_list(
    saved: SavedEmbeddings, trials: Trials, name: str, metric: Metric = Metric.COSINE
) -> tuple[Trials, Embedded]:
    """Return listed pairs with saved embeddings, found on a ``datasets.shelf.SavedShelf``.

    A photo of which no vector was saved is a failure, as one without a face is.
    """
    one = saved.one_a_photo()
    place = {Path(file): row for row, file in enumerate(one.files)}
    rows = np.array([place.get(photo.path, -1) for photo in trials.photos], np.int64)
    failures = tuple(
        Failure(str(photo.path), "No vector of it was saved.")
        for photo, row in zip(trials.photos, rows.tolist(), strict=True)
        if row < 0
    )
    named = named_of_saved(one, name, metric)
    embedded = Embedded(named, rows, trials.photos, failures, (), _boxes(one))
    notes = (*trials.notes, *_several(saved, one))
    return replace(trials, name=name, opened=False, notes=notes), embedded


def _several(saved: SavedEmbeddings, one: SavedEmbeddings) -> tuple[str, ...]:
    """Return what is said about photos of which several vectors were saved."""
    count = len(saved.people) - len(one.people)
    kept = "first" if saved.boxes is None else "largest face"
    return (f"{count:,} further vectors of the same photos are not used: the {kept} counts.",) * (
        count > 0
    )


def _boxes(saved: SavedEmbeddings) -> tuple[tuple[float, float, float, float], ...]:
    if saved.boxes is None:
        return ()
    return tuple((x1, y1, x2, y2) for x1, y1, x2, y2 in saved.boxes.tolist())


def named_of_saved(saved: SavedEmbeddings, name: str, metric: Metric = Metric.COSINE) -> Named:
    """Return saved embeddings with their people; vectors of a space that is not said get a name."""
    lengths = np.linalg.norm(saved.vectors, axis=1)
    unit = bool(np.allclose(lengths, 1, atol=1e-3))
    space = Space(saved.space or f"saved/{name}", saved.vectors.shape[1], metric, unit)
    # without files the vectors themselves tell sets apart
    photos = saved.files or tuple(hashlib.sha256(v.tobytes()).hexdigest() for v in saved.vectors)
    heights = None if saved.boxes is None else np.diff(saved.boxes[:, 1::2], axis=1)[:, 0]
    return Named(
        space,
        saved.vectors,
        saved.people,
        None if heights is None else heights.astype(np.float64),
        photos,
    )


def of_gallery(gallery: Gallery, space_id: str | None = None) -> Named:
    """Return the templates of a gallery that are in use, in the only space or in the named one."""
    held = {count.space.id: count.space for count in gallery.spaces() if count.templates}
    if not held:
        raise GalleryError(f"Nobody is enrolled in {gallery.place}.", "Enroll people first.")
    if space_id is None and len(held) > 1:
        raise GalleryError(
            f"{gallery.place} holds templates of {len(held)} spaces: {', '.join(sorted(held))}.",
            Remedy.SPACE,
        )
    chosen = space_id or next(iter(held))
    if chosen not in held:
        raise GalleryError(
            f"{gallery.place} holds nothing in space '{chosen}'.", f"It holds: {', '.join(held)}."
        )
    revision = gallery.revision
    vectors, known = transfer.in_use(gallery.store, held[chosen])
    heights = [t.face.height for t in known]
    return Named(
        held[chosen],
        vectors,
        tuple(t.person for t in known),
        None if None in heights else np.array(heights, np.float64),
        tuple(t.photo.digest for t in known),
        None if gallery.store.location is None else partial(_holding, gallery.path, revision),
    )


@contextmanager
def _holding(path: Path, revision: int, file: Path) -> Iterator[None]:
    """Write a file of vectors inside, of which the gallery knows, whoever has it open by then."""
    with Gallery.open(path, create=False, readonly=not may_write(path)) as gallery:
        if gallery.revision != revision:  # somebody may have been removed
            raise GalleryError(
                f"{path} has changed since its vectors were read.", "Fit the classifier again."
            )
        with gallery.holding(file, CLASSIFIER):
            yield


def overlapping(people: Sequence[str], known: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Return how many of ``people`` are in each list of a training set; lists without any are out.

    Names are compared as LFW spells them, with underscores.
    """
    names = {person.replace(" ", "_") for person in people}
    counts = {name: len(names & others) for name, others in known.items()}
    return {name: count for name, count in counts.items() if count}
