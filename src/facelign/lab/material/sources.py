"""What a measurement is made of: pairs or people, out of folders, lists, sets and saved vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facelign.datasets.insightface_bin import BinSet
from facelign.datasets.records import PairList, PeopleFolder, Photo
from facelign.datasets.saved import SavedEmbeddings
from facelign.errors import ConfigError, GalleryError
from facelign.gallery.gallery import Gallery
from facelign.lab.material import photos as walk
from facelign.lab.material.named import Named
from facelign.lab.material.photos import Embedded
from facelign.lab.statistics import resampling
from facelign.lab.verification.figures import Failure, PairScores
from facelign.recognition.recognizer import Recognizer
from facelign.recognition.selection import FacePolicy
from facelign.types.arrays import Float64Array, IntArray
from facelign.types.embeddings import Metric, Space

Done = Callable[[int], None] | None


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Pairs with everything that a report wants to know about them.

    name: of the set. protocol: how pairs came about, in words. digest: SHA-256 that names photos
    and pairs. embedded: the vectors of the n photos. first, second: (p,) the photos of each pair.
    people: name of each number in ``pairs.a`` and ``pairs.b``. development: pairs that choose the
    threshold, where the protocol has such. missing: photos that are listed and not
    there; they are among the failures too. opened:
    whether the photos can be opened again, for pictures in a report.
    """

    name: str
    protocol: str
    digest: str
    pairs: PairScores
    embedded: Embedded
    first: IntArray
    second: IntArray
    people: tuple[str, ...]
    development: PairScores | None = None
    missing: int = 0
    opened: bool = True
    notes: tuple[str, ...] = field(default=())

    @property
    def named(self) -> Named:
        """The vectors."""
        return self.embedded.named

    @property
    def heights(self) -> Float64Array:
        """(p, 2) face heights, px; NaN where a photo has no face."""
        held = self.named.heights
        if held is None:
            return np.full((len(self.pairs), 2), np.nan)
        known = np.append(np.asarray(held, np.float64), np.nan)
        rows = self.embedded.rows
        return np.stack([known[rows[self.first]], known[rows[self.second]]], axis=1)

    def photo(self, number: int) -> Photo:
        """Return a photo."""
        return self.embedded.photos[number]

    def group_labels(self, groups: Mapping[str, str]) -> list[str]:
        """Return the group of each pair, "" where its photos belong to two groups or to none.

        groups: by path, file name or person. Raises ConfigError when nothing fits.
        """
        labels = [_label(photo, groups) for photo in self.embedded.photos]
        if not any(labels):
            raise ConfigError(
                "None of the photos or people is in the file of groups.",
                "Its first column must hold people, file names or paths as they are.",
            )
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return [labels[i] if labels[i] == labels[j] else "" for i, j in pairs]


def of_list(
    recognizer: Recognizer,
    pairs: PairList,
    policy: FacePolicy = FacePolicy.CENTRAL,
    *,
    done: Done = None,
    raw_fallback: bool = False,
    development: PairList | None = None,
    name: str = "",
) -> Material:
    """Return listed pairs with their scores; photos are looked at once each."""
    photos = _photos_of(pairs, development)
    embedded = walk.embed(recognizer, photos, policy, done=done, raw_fallback=raw_fallback)
    return _listed(name or pairs.name, pairs, development, embedded)


def of_folder(
    recognizer: Recognizer,
    folder: PeopleFolder,
    policy: FacePolicy = FacePolicy.CENTRAL,
    *,
    done: Done = None,
    raw_fallback: bool = False,
) -> Material:
    """Return all pairs of the photos of a folder of people."""
    embedded = walk.embed(recognizer, folder.photos, policy, done=done, raw_fallback=raw_fallback)
    return _all_pairs(set_name(folder.root), embedded)


def set_name(images: Path) -> str:
    """Return what a set is called after its folder; that of ``lfw/images`` is lfw."""
    folder = images.resolve()
    return folder.parent.name if folder.name.lower() in ("images", "photos") else folder.name


def of_bin(recognizer: Recognizer, found: BinSet, *, done: Done = None) -> Material:
    """Return the pairs of a ``.bin`` set; its pictures are chips."""
    embedded = walk.embed_pictures(recognizer, found.pictures, done=done)
    first = np.arange(0, 2 * len(found), 2)
    second = first + 1
    a, b = embedded.rows[first], embedded.rows[second]
    # a picture that occurs twice shows the same person: that joins pairs
    digests = [hashlib.sha256(picture).hexdigest() for picture in found.pictures]
    contradictions = int(resampling.contradicted(digests[0::2], digests[1::2], found.same).sum())
    scored = PairScores.of(
        walk.scores_of(embedded.named, a, b),
        found.same,
        photos=(digests[0::2], digests[1::2]),
        folds=found.folds,
        failed=(a < 0) | (b < 0),
    )
    told = hashlib.sha256("\n".join([*digests, *map(str, found.same.tolist())]).encode())
    return Material(
        found.name,
        f"{len(found):,} pairs of chips, {len(np.unique(found.folds))} folds",
        told.hexdigest(),
        scored,
        embedded,
        first,
        second,
        (),
        opened=False,
        notes=(
            f"{contradictions:,} pairs are labeled non-mated although mated pairs join their "
            "pictures; they count as labeled.",
        )
        * (contradictions > 0),
    )


def of_saved(saved: SavedEmbeddings, name: str, metric: Metric = Metric.COSINE) -> Material:
    """Return all pairs of saved embeddings, one of each photo."""
    one = saved.one_a_photo()
    named = named_of_saved(one, name, metric)
    files = one.files or tuple(f"row {number}" for number in range(len(one.people)))
    photos = tuple(Photo(Path(f), p) for f, p in zip(files, one.people, strict=True))
    rows = np.arange(len(photos), dtype=np.int64)
    found = _all_pairs(name, Embedded(named, rows, photos, (), (), _boxes(one)))
    return replace(found, opened=False, notes=_several(saved, one))


def of_saved_list(
    saved: SavedEmbeddings,
    pairs: PairList,
    name: str,
    metric: Metric = Metric.COSINE,
    *,
    development: PairList | None = None,
) -> Material:
    """Return listed pairs of saved embeddings, found on a ``datasets.shelf.SavedShelf``.

    A photo of which no vector was saved is a failure, as one without a face is.
    """
    one = saved.one_a_photo()
    named = named_of_saved(one, name, metric)
    place = {Path(file): row for row, file in enumerate(one.files)}
    photos = _photos_of(pairs, development)
    rows = np.array([place.get(photo.path, -1) for photo in photos], np.int64)
    failures = tuple(
        Failure(str(photo.path), "No vector of it was saved.")
        for photo, row in zip(photos, rows.tolist(), strict=True)
        if row < 0
    )
    embedded = Embedded(named, rows, photos, failures, (), _boxes(one))
    found = _listed(name, pairs, development, embedded)
    return replace(found, opened=False, notes=(*found.notes, *_several(saved, one)))


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
        raise GalleryError(f"Nobody is enrolled in {gallery.path}.", "Enroll people first.")
    if space_id is None and len(held) > 1:
        raise GalleryError(
            f"{gallery.path} holds templates of {len(held)} spaces: {', '.join(sorted(held))}.",
            "Say which with --space.",
        )
    chosen = space_id or next(iter(held))
    if chosen not in held:
        raise GalleryError(
            f"{gallery.path} holds nothing in space '{chosen}'.", f"It holds: {', '.join(held)}."
        )
    parts = list(gallery.store.templates(chosen))
    infos = {t.id: t for person in gallery.people() for t in gallery.templates(person.name)}
    known = [infos[int(i)] for part in parts for i in part.ids]
    heights = [t.face.height for t in known]
    return Named(
        held[chosen],
        np.concatenate([part.vectors for part in parts]),
        tuple(t.person for t in known),
        None if None in heights else np.array(heights, np.float64),
        tuple(t.photo.digest for t in known),
    )


def overlapping(people: Sequence[str], known: Mapping[str, frozenset[str]]) -> dict[str, int]:
    """Return how many of ``people`` are in each list of a training set; lists without any are out.

    Names are compared as LFW spells them, with underscores.
    """
    names = {person.replace(" ", "_") for person in people}
    counts = {name: len(names & others) for name, others in known.items()}
    return {name: count for name, count in counts.items() if count}


def _all_pairs(name: str, embedded: Embedded) -> Material:
    pairs, first, second = walk.all_pairs(embedded)
    people = tuple(np.unique(np.array([p.person for p in embedded.photos], dtype=str)).tolist())
    protocol = f"all pairs of {len(embedded.photos):,} photos of {len(people):,} people"
    return Material(name, protocol, embedded.named.digest, pairs, embedded, first, second, people)


def _photos_of(pairs: PairList, development: PairList | None) -> tuple[Photo, ...]:
    """Return every photo of the lists once."""
    person: dict[Path, str] = {}
    for pair in (*pairs, *(development or ())):
        person.setdefault(pair.a, pair.person_a)
        person.setdefault(pair.b, pair.person_b)
    return tuple(Photo(path, name) for path, name in person.items())


def _listed(
    name: str, pairs: PairList, development: PairList | None, embedded: Embedded
) -> Material:
    scored = walk.pairs_of(pairs, embedded)
    place = {photo.path: number for number, photo in enumerate(embedded.photos)}
    first = np.array([place[pair.a] for pair in pairs], np.int64)
    second = np.array([place[pair.b] for pair in pairs], np.int64)
    return Material(
        name,
        f"{len(pairs):,} pairs of {pairs.name}, {pairs.folds} fold{'s' * (pairs.folds > 1)}",
        _digest_of_list(pairs, embedded),
        scored,
        embedded,
        first,
        second,
        _names(scored, embedded, first, second),
        None if development is None else walk.pairs_of(development, embedded),
        len({*pairs.missing, *(development.missing if development else ())}),
        notes=tuple(_oddities(pairs)),
    )


def _oddities(pairs: PairList) -> Iterator[str]:
    """Yield what is odd about a list; nothing of it is left out."""
    twins = [pair for pair in pairs if pair.a == pair.b]
    if twins:
        yield (
            f"{len(twins):,} pairs are of a photo with itself, such as line {twins[0].line}; they "
            "count as listed."
        )
    again = len(pairs) - len({frozenset((pair.a, pair.b)) for pair in pairs})
    if again:
        yield f"{again:,} pairs are listed more than once and count as often."
    if all(pair.person_a and pair.person_b for pair in pairs):
        return
    sides = [str(pair.a) for pair in pairs], [str(pair.b) for pair in pairs]
    found = resampling.contradicted(*sides, np.array([pair.same for pair in pairs]))
    if found.any():
        wrong = pairs.pairs[int(np.flatnonzero(found)[0])]
        yield (
            f"{int(found.sum()):,} pairs are listed as non-mated although mated pairs join their "
            f"photos, such as line {wrong.line}: {wrong.a.name}, {wrong.b.name}. They count as "
            "listed; check the labels."
        )


def _digest_of_list(pairs: PairList, embedded: Embedded) -> str:
    digests = embedded.named.photos
    known = {path: digests[row] for path, row in embedded.row_of().items() if row >= 0}
    lines = (
        f"{known.get(p.a, p.a.name)}\t{known.get(p.b, p.b.name)}\t{p.same}\t{p.fold}" for p in pairs
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _names(
    pairs: PairScores, embedded: Embedded, first: IntArray, second: IntArray
) -> tuple[str, ...]:
    """Return the name of every number; that of a photo where people are known by pairs only."""
    names = [""] * (int(max(pairs.a.max(initial=-1), pairs.b.max(initial=-1))) + 1)
    for numbers, photos in ((pairs.a, first), (pairs.b, second)):
        for number, photo in zip(numbers.tolist(), photos.tolist(), strict=True):
            one = embedded.photos[photo]
            names[number] = names[number] or one.person or one.path.stem
    return tuple(names)


def _label(photo: Photo, groups: Mapping[str, str]) -> str:
    path = photo.path
    tries = (path.as_posix(), "/".join(path.parts[-2:]), path.name, path.stem, photo.person)
    return next((groups[name] for name in tries if name in groups), "")
