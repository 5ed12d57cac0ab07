"""Spaces and the vectors that live in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from facelign.errors import BadArray, SpaceMismatch
from facelign.types.arrays import Arrays, Float32Array, Selector, check, picked


class Metric(StrEnum):
    """How two vectors of a space are compared natively."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "squared-euclidean"


@dataclass(frozen=True, slots=True)
class Space:
    """Where vectors live: two vectors may be compared only if their ``Space.id`` are equal.

    id: ``model/layout/points``, and where set ``/preprocessing``, ``/flip``, ``/unit``, ``/raw``.
    dim: length of a vector. metric: the native one. unit: whether vectors have length 1.
    """

    id: str
    dim: int
    metric: Metric
    unit: bool

    @classmethod
    def named(
        cls,
        model: str,
        layout: str,
        points: str,
        *,
        dim: int,
        metric: Metric,
        unit: bool,
        native_unit: bool,
        preprocessing: str = "",
        flip: bool = False,
    ) -> Space:
        """Return the space of a chain, its id spelled in the one canonical way."""
        parts = [model, layout, points]
        if preprocessing:
            parts.append(preprocessing)
        if flip:
            parts.append("flip")
        if unit != native_unit:
            parts.append("unit" if unit else "raw")
        return cls("/".join(parts), dim, metric, unit)


def same_space(probe: str, other: str, where: str = "the gallery") -> None:
    """Raise SpaceMismatch, naming both ids, unless they are equal."""
    if probe != other:
        raise SpaceMismatch(
            f"The probe is in space '{probe}', but {where} holds '{other}'.",
            "Enroll again with the model of the probe, or use the model and preset of the gallery.",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings(Arrays):
    """n vectors of one space.

    vectors: (n, d) float32, of unit length when ``space.unit``, else as the model gave them.
    norms: (n,) float32, length of the raw output (a quality signal for some models).
    """

    vectors: Float32Array
    space: Space
    norms: Float32Array

    def __post_init__(self) -> None:
        check(self, np.float32, vectors=("n", self.space.dim), norms=("n",))

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        # never the numbers: a vector is biometric data, and what is printed ends up in logs
        return f"Embeddings({len(self)} x {self.space.dim}, space={self.space.id!r})"

    def __getitem__(self, index: int | Selector) -> Embeddings:
        pick = picked("vector", index, len(self))
        return Embeddings(self.vectors[pick], self.space, self.norms[pick])

    @classmethod
    def none(cls, space: Space) -> Embeddings:
        """Return the empty set."""
        return cls(np.zeros((0, space.dim), np.float32), space, np.zeros(0, np.float32))

    @classmethod
    def joined(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Return the vectors of several sets as one; raises SpaceMismatch when spaces differ."""
        if not parts:
            raise BadArray("embeddings: nothing to join.")
        if len(parts) == 1:
            return parts[0]
        for part in parts[1:]:
            same_space(part.space.id, parts[0].space.id, "the first set")
        vectors = np.concatenate([p.vectors for p in parts])
        return cls(vectors, parts[0].space, np.concatenate([p.norms for p in parts]))
