"""Pairs of photos with their scores, their truth and the people in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from facelign.compare.curves import ScoreSet
from facelign.errors import BadArray
from facelign.types.arrays import BoolArray, Float64Array, IntArray, check


class Failures(StrEnum):
    """How pairs count of which a photo gave no face.

    DIFFERENT: decided "different", as a product would. LEFT_OUT: not counted. RAW: the caller gave
    the raw photo to the model, so the pair has a score like any other.
    """

    DIFFERENT = "different"
    LEFT_OUT = "left out"
    RAW = "raw photo"


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """Scores of n pairs with their truth.

    scores: (n,) float64, larger is more alike; of a failed pair the number is ignored. same: (n,)
    bool. a, b: (n,) int64 numbers of the people (a == b exactly for mated pairs). folds: (n,)
    int64, all 0 where the list has none. failed: (n,) bool.
    """

    scores: Float64Array
    same: BoolArray
    a: IntArray
    b: IntArray
    folds: IntArray
    failed: BoolArray

    def __post_init__(self) -> None:
        n = len(self.scores)
        check(self, np.float64, scores=(n,))
        check(self, np.bool_, same=(n,), failed=(n,))
        check(self, np.int64, a=(n,), b=(n,), folds=(n,))
        if ((self.a == self.b) != self.same).any():
            raise BadArray("pairs: a pair is mated exactly if both photos show one person.")

    @classmethod
    def of(
        cls,
        scores: npt.ArrayLike,
        same: npt.ArrayLike,
        *,
        people: tuple[Sequence[str], Sequence[str]] | None = None,
        photos: tuple[Sequence[str], Sequence[str]] | None = None,
        folds: npt.ArrayLike | None = None,
        failed: npt.ArrayLike | None = None,
    ) -> PairScores:
        """Return pairs whose people are known by name, or only by which photos are mated.

        Where a non-mated pair joins photos that mated pairs say show one person, its second photo
        counts as somebody else's: the truth of the list is kept (``contradicted``).
        """
        values, truth = np.asarray(scores, np.float64), np.asarray(same, bool)
        n = len(values)
        if people is not None:
            names = np.array([*people[0], *people[1]], dtype=str)
            codes = np.unique(names, return_inverse=True)[1].astype(np.int64)
            a, b = codes[:n], codes[n:]
        elif photos is not None:
            a, b = people_of_pairs(*photos, truth)
        else:  # every pair stands for itself
            a = np.arange(n)
            b = np.where(truth, a, a + n)
        nothing = np.zeros(n)
        return cls(
            values,
            truth,
            a,
            b,
            nothing.astype(np.int64) if folds is None else np.asarray(folds),
            nothing.astype(bool) if failed is None else np.asarray(failed),
        )

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, mask: BoolArray) -> PairScores:
        """Return the pairs of ``mask`` (n,) bool."""
        return PairScores(*(getattr(self, name)[mask] for name in self.__slots__))

    def counted(self, how: Failures) -> PairScores:
        """Return the pairs as they count: failed ones out, or below every threshold."""
        if not self.failed.any() or how is Failures.RAW:
            return self
        if how is Failures.LEFT_OUT:
            return self.where(~self.failed)
        usable = self.scores[~self.failed]
        low = float(usable.min()) - 1 if len(usable) else -1.0
        return replace(self, scores=np.where(self.failed, low, self.scores))

    @property
    def set(self) -> ScoreSet:
        """The scores by truth; raises BadArray without both kinds of pairs."""
        return ScoreSet.labeled(self.scores, self.same)

    @property
    def people(self) -> IntArray:
        """(2, n) int64 numbers of the people of each pair, from 0 without a gap, in their order."""
        codes = np.unique(np.concatenate([self.a, self.b]), return_inverse=True)[1]
        return codes.astype(np.int64).reshape(2, len(self))

    @property
    def subjects(self) -> int:
        """How many people take part."""
        return len(np.unique(np.concatenate([self.a, self.b])))


def people_of_pairs(
    a: Sequence[str], b: Sequence[str], same: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return person numbers (n,), (n,) of pairs of photos, where only the pairs are known.

    Photos that are joined by mated pairs show one person. The numbers are equal exactly for mated
    pairs: the second photo of a pair that contradicts others gets a number of its own.
    """
    first, second = _joined(a, b, same)
    wrong = (first == second) & ~np.asarray(same, bool)
    free = int(max(first.max(initial=-1), second.max(initial=-1))) + 1
    second[wrong] = np.arange(free, free + int(wrong.sum()))
    return first, second


def contradicted(a: Sequence[str], b: Sequence[str], same: BoolArray) -> BoolArray:
    """Return (n,) which non-mated pairs join photos that mated pairs say show one person."""
    first, second = _joined(a, b, same)
    against: BoolArray = (first == second) & ~np.asarray(same, bool)
    return against


def _joined(a: Sequence[str], b: Sequence[str], same: BoolArray) -> tuple[IntArray, IntArray]:
    """Return the connected part that each photo is in, numbered by the first name in it."""
    names, codes = np.unique(np.array([*a, *b], dtype=str), return_inverse=True)
    first, second = codes[: len(a)], codes[len(a) :]
    mated = np.asarray(same, bool)
    left, right = first[mated], second[mated]
    # every photo points at the smallest that it is known to be joined to, until nothing moves
    smallest = np.arange(len(names))
    while True:
        lower = np.minimum(smallest[left], smallest[right])
        nearer = smallest.copy()
        for joined in (left, right, smallest[left], smallest[right]):
            np.minimum.at(nearer, joined, lower)
        nearer = nearer[nearer]
        if (nearer == smallest).all():
            break
        smallest = nearer
    numbers = np.unique(smallest, return_inverse=True)[1].astype(np.int64)
    return numbers[first], numbers[second]
