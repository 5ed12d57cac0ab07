"""Landmarks of n faces in one scheme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facelign.errors import ModelMismatch
from facelign.types.arrays import Arrays, Float32Array, Selector, check, picked
from facelign.types.schemes import REDUCTIONS, SCHEMES, Scheme
from facelign.types.wording import counted


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks(Arrays):
    """Points of n faces, in the photo's plane.

    points: (n, k, 2) float32, px, x right, y down, integers are pixel centers.
    visibility: (n, k) float32 in [0, 1], or None when the model does not say.
    depth: (n, k) float32, px, smaller is nearer to the camera, or None.
    """

    points: Float32Array
    scheme: Scheme
    visibility: Float32Array | None = None
    depth: Float32Array | None = None

    def __post_init__(self) -> None:
        k = self.scheme.k
        check(self, np.float32, points=("n", k, 2), visibility=("n", k), depth=("n", k))

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"Landmarks({counted(len(self), 'face')}, scheme={self.scheme.id!r})"

    def __getitem__(self, index: int | Selector) -> Landmarks:
        pick = picked("face", index, len(self))
        return Landmarks(
            self.points[pick],
            self.scheme,
            None if self.visibility is None else self.visibility[pick],
            None if self.depth is None else self.depth[pick],
        )

    def as_scheme(self, scheme_id: str) -> Landmarks:
        """Return the same faces in a poorer scheme.

        Raises ModelMismatch where that would invent points.
        """
        if scheme_id == self.scheme.id:
            return self
        groups = REDUCTIONS.get((self.scheme.id, scheme_id))
        if groups is None:
            raise ModelMismatch(
                f"Landmarks of scheme '{self.scheme.id}' cannot be turned into '{scheme_id}'.",
                "Choose a detector or landmarker that gives these points.",
            )
        points = np.stack([self.points[:, list(group)].mean(axis=1) for group in groups], axis=1)
        return Landmarks(points.astype(np.float32), SCHEMES[scheme_id])
