"""Photos and the comparisons among them: the one thing that all arms of a measurement share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facelign.compare.pairs import PairScores, contradicted, people_of_pairs
from facelign.compare.scores import listed_scores
from facelign.datasets.records import PairList, PeopleFolder, Photo
from facelign.errors import BadArray, ConfigError, Refused
from facelign.files import disk
from facelign.lab.material.photos import Embedded
from facelign.types.arrays import BoolArray, Float64Array, FloatArray, IntArray
from facelign.types.embeddings import Metric

#: photos whose pairs fit into memory all at once (18 million pairs, 34 bytes each)
MOST_PHOTOS = 6000


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Photos of a set and its comparisons.

    photos: n photos, each once. a, b: (p,) int64 indices into them. same: (p,) bool. person_a,
    person_b: (p,) int64 numbers of people (equal exactly for mated pairs). folds: (p,) int64, all
    0 where there are none. people: names by number, those of photos where only the pairs are
    known; () where nothing is. protocol: how the pairs came about, in words. listed: whether they
    are those of a list. missing: photos that are listed and not there. opened: whether photos can
    be opened again. notes: what is odd about the pairs. development: pairs of these photos that
    choose the threshold, where the protocol has such. known_digest: of a set that comes with one.
    """

    name: str
    photos: tuple[Photo, ...]
    a: IntArray
    b: IntArray
    same: BoolArray
    person_a: IntArray
    person_b: IntArray
    folds: IntArray
    people: tuple[str, ...] = ()
    protocol: str = ""
    listed: bool = False
    missing: tuple[Path, ...] = ()
    opened: bool = True
    notes: tuple[str, ...] = ()
    development: Trials | None = None
    known_digest: str = ""

    def __post_init__(self) -> None:
        if ((self.person_a == self.person_b) != self.same).any():
            raise BadArray("pairs: a pair is mated exactly if both photos show one person.")

    def __len__(self) -> int:
        return len(self.a)

    # -- where pairs come from -------------------------------------------------------------------

    @classmethod
    def all_pairs(cls, folder: PeopleFolder) -> Trials:
        """Return every pair of photos of a folder of people once; Refused for too many photos."""
        return cls.among(folder.photos, set_name(folder.root))

    @classmethod
    def among(cls, photos: Sequence[Photo], name: str) -> Trials:
        """Return every pair of photos once; Refused for more photos than fit into memory so."""
        n = len(photos)
        if n > MOST_PHOTOS:
            raise Refused(
                f"All pairs of {n:,} photos do not fit into memory ({MOST_PHOTOS:,} photos do).",
                "Give a list of pairs, or use: facelign calibrate, facelign evaluate "
                "identification",
            )
        names = np.array([photo.person for photo in photos], dtype=str)
        people, codes = np.unique(names, return_inverse=True)
        a, b = (side.astype(np.int64) for side in np.triu_indices(n, 1))
        person_a, person_b = (codes[side].astype(np.int64) for side in (a, b))
        return cls(
            name,
            tuple(photos),
            a,
            b,
            person_a == person_b,
            person_a,
            person_b,
            np.zeros(len(a), np.int64),
            tuple(people.tolist()),
            f"all pairs of {n:,} photos of {len(people):,} people",
        )

    @classmethod
    def of_list(
        cls, pairs: PairList, *, people: Sequence[str] = (), photos: Sequence[Photo] = ()
    ) -> Trials:
        """Return the pairs of a list. Where it names no people, mated pairs join photos to one.

        A pair that contradicts others keeps its truth (``compare.pairs.people_of_pairs``), and a
        note says where. people: who is numbered first, in this order; the others follow in that of
        the list. photos: those that are known already.
        """
        person = {photo.path: photo.person for photo in photos}
        for pair in pairs:
            person.setdefault(pair.a, pair.person_a)
            person.setdefault(pair.b, pair.person_b)
        place = {path: number for number, path in enumerate(person)}
        a = np.array([place[pair.a] for pair in pairs], np.int64)
        b = np.array([place[pair.b] for pair in pairs], np.int64)
        same = np.array([pair.same for pair in pairs], bool)
        everyone = tuple(Photo(path, name) for path, name in person.items())
        mine = [person[path] for path in pairs.photos]
        if all(mine):
            names = tuple(dict.fromkeys((*people, *mine)))
            number = {name: n for n, name in enumerate(names)}
            person_a, person_b = (
                np.array([number[everyone[i].person] for i in side.tolist()], np.int64)
                for side in (a, b)
            )
        else:
            sides = [str(pair.a) for pair in pairs], [str(pair.b) for pair in pairs]
            person_a, person_b = people_of_pairs(*sides, same)
            names = _names(everyone, np.append(a, b), np.append(person_a, person_b))
        folds = np.array([pair.fold for pair in pairs], np.int64)
        return cls(
            pairs.name,
            everyone,
            a,
            b,
            same,
            person_a,
            person_b,
            folds,
            names,
            f"{len(pairs):,} pairs of {pairs.name}, {pairs.folds} fold{'s' * (pairs.folds > 1)}",
            listed=True,
            missing=pairs.missing,
            notes=tuple(_oddities(pairs, named=all(mine))),
        )

    def with_development(self, pairs: PairList | None) -> Trials:
        """Return the trials with the pairs, if there are such, that choose the threshold."""
        if pairs is None:
            return self
        other = Trials.of_list(pairs, photos=self.photos)
        missing = tuple(dict.fromkeys((*self.missing, *other.missing)))
        return replace(self, photos=other.photos, development=other, missing=missing)

    def of_both_kinds(self) -> Trials:
        """Return the trials; raises Refused without mated or without non-mated pairs."""
        if not self.same.any() or self.same.all():
            raise Refused(
                f"{self.name} has {int(self.same.sum())} mated and {int((~self.same).sum())} "
                "non-mated pairs, and both kinds are needed.",
                "Give at least two people, one of them with two photos.",
            )
        return self

    # -- with vectors ----------------------------------------------------------------------------

    def scored(self, embedded: Embedded) -> PairScores:
        """Return the pairs with the scores of the photos' vectors.

        A pair is failed where no face was found in a photo. One that was used raw counts as failed
        too: ``Failures.RAW`` counts its score all the same.
        """
        named, rows = embedded.named, embedded.rows
        scores = listed_scores(named.vectors, rows[self.a], rows[self.b], named.space.metric)
        return self.measured(scores, embedded.lost)

    def scores(self, vectors: FloatArray, metric: Metric) -> Float64Array:
        """Return (p,) scores of the vectors (n, d) of all photos, larger is more alike.

        A photo without a vector has zeros; its pairs match at no threshold among the others.
        """
        rows = np.where(np.linalg.norm(vectors, axis=1) > 0, np.arange(len(vectors)), -1)
        return listed_scores(vectors, rows[self.a], rows[self.b], metric)

    def measured(self, scores: Float64Array, failed_photos: BoolArray) -> PairScores:
        """Return the pairs with scores (p,) and the photos (n,) that gave no face."""
        failed = failed_photos[self.a] | failed_photos[self.b]
        return PairScores(scores, self.same, self.person_a, self.person_b, self.folds, failed)

    # -- what is said of them --------------------------------------------------------------------

    @property
    def subjects(self) -> int:
        """How many people take part."""
        return len(np.unique(np.concatenate([self.person_a, self.person_b])))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: what was measured on."""
        return {
            "set": self.name,
            "photos": len(self.photos),
            "subjects": self.subjects,
            "pairs": len(self),
            "mated": int(self.same.sum()),
            "non_mated": int((~self.same).sum()),
            "folds": len(np.unique(self.folds)),
        }

    def digest(self) -> str:
        """Return a SHA-256 over photos (person and bytes, in any order): names the set.

        A photo that cannot be read counts by its person alone.
        """
        lines = sorted(f"{photo.person}\t{_digest_of(photo.path)}" for photo in self.photos)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def digest_of(self, embedded: Embedded) -> str:
        """Return a SHA-256 that names the photos that gave a vector, and the pairs of a list."""
        if self.known_digest or not self.listed:
            return self.known_digest or embedded.named.digest
        digests = embedded.named.photos
        known = [
            digests[row] if row >= 0 else photo.path.name
            for photo, row in zip(self.photos, embedded.rows.tolist(), strict=True)
        ]
        lines = (
            f"{known[a]}\t{known[b]}\t{same}\t{fold}"
            for a, b, same, fold in zip(
                *(column.tolist() for column in (self.a, self.b, self.same, self.folds)),
                strict=True,
            )
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def group_labels(self, groups: Mapping[str, str]) -> list[str]:
        """Return the group of each pair, "" where its photos belong to two groups or to none.

        groups: by path, file name or person. Raises ConfigError when nothing fits.
        """
        labels = [_label(photo, groups) for photo in self.photos]
        if not any(labels):
            raise ConfigError(
                "None of the photos or people is in the file of groups.",
                "Its first column must hold people, file names or paths as they are.",
            )
        pairs = zip(self.a.tolist(), self.b.tolist(), strict=True)
        return [labels[i] if labels[i] == labels[j] else "" for i, j in pairs]


def set_name(images: Path) -> str:
    """Return what a set is called after its folder; that of ``lfw/images`` is lfw."""
    folder = images.resolve()
    return folder.parent.name if folder.name.lower() in ("images", "photos") else folder.name


def _names(photos: Sequence[Photo], places: IntArray, numbers: IntArray) -> tuple[str, ...]:
    """Return what each number is called: after the first photo that shows it."""
    names = [""] * (int(numbers.max(initial=-1)) + 1)
    for place, number in zip(places.tolist(), numbers.tolist(), strict=True):
        names[number] = names[number] or photos[place].person or photos[place].path.stem
    return tuple(names)


def _oddities(pairs: PairList, *, named: bool) -> Iterator[str]:
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
    if named:
        return
    sides = [str(pair.a) for pair in pairs], [str(pair.b) for pair in pairs]
    against = contradicted(*sides, np.array([pair.same for pair in pairs]))
    if against.any():
        wrong = pairs.pairs[int(np.flatnonzero(against)[0])]
        yield (
            f"{int(against.sum()):,} pairs are listed as non-mated although mated pairs join their "
            f"photos, such as line {wrong.line}: {wrong.a.name}, {wrong.b.name}. They count as "
            "listed; check the labels."
        )


def _digest_of(path: Path) -> str:
    try:
        return disk.digest(path)
    except OSError:
        return ""


def _label(photo: Photo, groups: Mapping[str, str]) -> str:
    path = photo.path
    tries = (path.as_posix(), "/".join(path.parts[-2:]), path.name, path.stem, photo.person)
    return next((groups[name] for name in tries if name in groups), "")
