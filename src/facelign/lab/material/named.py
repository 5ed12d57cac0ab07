"""Vectors of named people, and the scores of all their pairs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facelign.compare.curves import ScoreSet
from facelign.compare.scores import score_matrix
from facelign.errors import BadArray, Refused
from facelign.types.arrays import BoolArray, FloatArray, IntArray
from facelign.types.embeddings import Embeddings, Space

#: rows of the score matrix made at once
_ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Vectors of named people in one space.

    vectors: (n, d). people: n names. heights: (n,) face heights in px, or None. photos: digests or
    names of the photos, for the digest of the set. holding: tells the gallery that they come from,
    if any, of a file that is made of them.
    """

    space: Space
    vectors: FloatArray = field(repr=False)
    people: tuple[str, ...]
    heights: FloatArray | None = None
    photos: tuple[str, ...] = ()
    holding: Callable[[Path], AbstractContextManager[None]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        n = len(self.vectors)
        heights_fit = self.heights is None or len(self.heights) == n
        if len(self.people) != n or not heights_fit or len(self.photos) not in (0, n):
            raise BadArray(f"named vectors: wanted {n} people, heights and photos.")

    @classmethod
    def of(cls, embeddings: Embeddings, people: Sequence[str], **more: Any) -> Named:
        """Return the vectors of ``embeddings`` with their names."""
        return cls(embeddings.space, embeddings.vectors, tuple(people), **more)

    @property
    def codes(self) -> IntArray:
        """(n,) int64: numbers of the people, in the order of their sorted names."""
        return np.unique(np.array(self.people, dtype=str), return_inverse=True)[1].astype(np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 over people and photos, whatever their order: names the set."""
        photos = self.photos or ("",) * len(self.people)
        lines = sorted(
            f"{person}\t{photo}" for person, photo in zip(self.people, photos, strict=True)
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def without(self, people: Sequence[str]) -> Named:
        """Return the vectors of everybody else."""
        out = set(people)
        return self.where(np.array([person not in out for person in self.people]))

    def where(self, mask: BoolArray) -> Named:
        """Return the vectors of ``mask`` (n,) bool."""
        rows = np.flatnonzero(mask)
        return replace(
            self,
            vectors=self.vectors[rows],
            people=tuple(self.people[i] for i in rows),
            heights=None if self.heights is None else self.heights[rows],
            photos=tuple(self.photos[i] for i in rows) if self.photos else (),
        )


def blocks(named: Named) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
    """Yield (i, j, float32 scores) of every pair i < j once, some hundred rows at a time."""
    n = len(named.vectors)
    for start in range(0, n, _ROWS):
        end = min(start + _ROWS, n)
        scores = score_matrix(named.vectors[start:end], named.vectors[start:], named.space.metric)
        i, j = np.triu_indices(end - start, 1, n - start)
        yield i + start, j + start, scores[i, j].astype(np.float32)


def pair_counts(named: Named) -> tuple[int, int]:
    """Return how many mated and non-mated comparisons all pairs of photos give."""
    photos = len(named.people)
    counts = np.bincount(named.codes, minlength=1)
    mated = int((counts * (counts - 1) // 2).sum())
    return mated, photos * (photos - 1) // 2 - mated


def all_scores(named: Named) -> ScoreSet:
    """Return the scores of all pairs of photos; raises Refused without both kinds of pairs."""
    codes = named.codes
    mated_count, non_mated_count = pair_counts(named)
    if not mated_count or not non_mated_count:
        raise Refused(
            f"{len(codes)} photos of {len(set(named.people))} people give {mated_count} mated and "
            f"{non_mated_count} non-mated comparisons.",
            "Give at least two people, one of them with two photos.",
        )
    mated, non_mated = np.empty(mated_count, np.float32), np.empty(non_mated_count, np.float32)
    at = [0, 0]
    for i, j, scores in blocks(named):
        same = codes[i] == codes[j]
        for kind, (target, picked) in enumerate(
            ((mated, scores[same]), (non_mated, scores[~same]))
        ):
            target[at[kind] : at[kind] + len(picked)] = picked
            at[kind] += len(picked)
    mated.sort()
    non_mated.sort()
    return ScoreSet(mated, non_mated)
