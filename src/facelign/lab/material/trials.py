"""Photos and the comparisons among them: the one thing that all arms of a measurement share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.compare.scores import pair_scores, score_matrix
from facelign.datasets.records import PairList, PeopleFolder, Photo
from facelign.errors import BadArray, Refused
from facelign.lab.material.sources import set_name
from facelign.lab.statistics import resampling
from facelign.lab.verification.figures import PairScores
from facelign.types.arrays import BoolArray, Float64Array, FloatArray, IntArray
from facelign.types.embeddings import Metric

#: photos whose pairs fit into memory all at once (18 million pairs)
MOST_PHOTOS = 6000
#: pairs scored at a time
_STEP = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Photos of a set and its comparisons.

    photos: n photos, each once. a, b: (p,) int64 indices into them. same: (p,) bool. person_a,
    person_b: (p,) int64 numbers of people (equal exactly for mated pairs). folds: (p,) int64, all
    0 where the list has none. people: names by number, or () where only the pairs are known.
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

    def __len__(self) -> int:
        return len(self.a)

    def digest(self) -> str:
        """Return a SHA-256 over photos (person and bytes, in any order): names the set.

        A photo that cannot be read counts by its person alone.
        """
        lines = sorted(f"{photo.person}\t{_sha256(photo.path)}" for photo in self.photos)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @classmethod
    def all_pairs(cls, folder: PeopleFolder) -> Trials:
        """Return every pair of photos of a folder of people once; Refused for too many photos."""
        photos = folder.photos
        if len(photos) > MOST_PHOTOS:
            raise Refused(
                f"All pairs of {len(photos):,} photos do not fit into memory "
                f"({MOST_PHOTOS:,} photos do).",
                "Give a list of pairs.",
            )
        people = folder.people
        numbers = {person: number for number, person in enumerate(people)}
        codes = np.array([numbers[photo.person] for photo in photos], np.int64)
        i, j = (v.astype(np.int64) for v in np.triu_indices(len(photos), 1))
        made = cls(
            f"all pairs of {set_name(folder.root)}",
            photos,
            i,
            j,
            codes[i] == codes[j],
            codes[i],
            codes[j],
            np.zeros(len(i), np.int64),
            people,
        )
        return made._checked()

    @classmethod
    def listed(cls, pairs: PairList) -> Trials:
        """Return the pairs of a list. Where it names no people, mated pairs join photos to one."""
        paths = pairs.photos
        place = {path: number for number, path in enumerate(paths)}
        a = np.array([place[pair.a] for pair in pairs], np.int64)
        b = np.array([place[pair.b] for pair in pairs], np.int64)
        same = np.array([pair.same for pair in pairs], bool)
        names = [""] * len(paths)
        for pair in pairs:
            names[place[pair.a]], names[place[pair.b]] = pair.person_a, pair.person_b
        people: tuple[str, ...] = ()
        if all(names):
            people = tuple(dict.fromkeys(names))
            numbers = {person: number for number, person in enumerate(people)}
            codes = np.array([numbers[name] for name in names], np.int64)
            person_a, person_b = codes[a], codes[b]
        else:
            person_a, person_b = resampling.people_of_pairs(
                [str(pair.a) for pair in pairs], [str(pair.b) for pair in pairs], same
            )
        if ((person_a == person_b) & ~same).any():
            raise BadArray("pairs: a pair of one person is listed as non-mated.")
        folds = np.array([pair.fold for pair in pairs], np.int64)
        photos = tuple(Photo(path, name) for path, name in zip(paths, names, strict=True))
        made = cls(pairs.name, photos, a, b, same, person_a, person_b, folds, people)
        return made._checked()

    def _checked(self) -> Trials:
        if not self.same.any() or self.same.all():
            raise Refused(
                f"{self.name} has {int(self.same.sum())} mated and {int((~self.same).sum())} "
                "non-mated pairs, and both kinds are needed.",
                "Give at least two people, one of them with two photos.",
            )
        return self

    @property
    def subjects(self) -> int:
        """How many people take part."""
        return len(np.unique(np.concatenate([self.person_a, self.person_b])))

    def scores(self, vectors: FloatArray, metric: Metric) -> Float64Array:
        """Return (p,) scores of the vectors (n, d) of all photos, larger is more alike.

        A photo without a vector has zeros; its pairs get 0.
        """
        there: BoolArray = np.linalg.norm(vectors, axis=1) > 0
        usable = there[self.a] & there[self.b]
        scores = np.zeros(len(self))
        n = len(self.photos)
        if len(self) > n * n // 4:  # nearly every pair: the whole matrix is cheaper
            table = np.zeros((n, n))
            held = np.flatnonzero(there)
            if len(held):
                table[np.ix_(held, held)] = score_matrix(vectors[held], vectors[held], metric)
            return np.where(usable, table[self.a, self.b], 0.0)
        places = np.flatnonzero(usable)
        for start in range(0, len(places), _STEP):
            part = places[start : start + _STEP]
            scores[part] = pair_scores(vectors[self.a[part]], vectors[self.b[part]], metric)
        return scores

    def measured(self, scores: Float64Array, failed_photos: BoolArray) -> PairScores:
        """Return the pairs with scores (p,) and the photos (n,) that gave no face."""
        failed = failed_photos[self.a] | failed_photos[self.b]
        return PairScores(scores, self.same, self.person_a, self.person_b, self.folds, failed)

    def halves(self, seed: int = resampling.SEED) -> tuple[BoolArray, BoolArray]:
        """Return the pairs of two disjoint halves of the people: masks (p,), (p,).

        Pairs between the halves are in neither.
        """
        people = np.unique(np.concatenate([self.person_a, self.person_b]))
        shuffled = np.random.default_rng(seed).permutation(people)
        first = shuffled[: len(people) // 2]
        a, b = np.isin(self.person_a, first), np.isin(self.person_b, first)
        return a & b, ~a & ~b


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
