"""Landmark errors: NME, CED, area under it, failure rate. Missing points are left out of both mean
and count; a face that was not found is a failure, never dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.lab.plain import told
from facelign.types.arrays import BoolArray, Float64Array
from facelign.types.schemes import FIVE, REDUCTIONS, SCHEMES


class Normalizer(StrEnum):
    """What an error is divided by; figures of two normalizers are never compared.

    INTER_OCULAR: distance of the outer eye corners. INTER_PUPIL: of the centers of the eyes.
    BOX: root of width times height of the box around the true points (for profiles).
    """

    INTER_OCULAR = "inter-ocular"
    INTER_PUPIL = "inter-pupil"
    BOX = "box"


#: outer eye corners (subject's right, left) by scheme of annotation: 300-W divides by the distance
#: of points 36 and 45 (Sagonas et al., 2016)
CORNERS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {scheme.id: scheme.eye_corners for scheme in SCHEMES.values() if scheme.eye_corners}
)
#: edges of the yaw proxy (nose beside the middle of the eyes, over their distance)
YAW_EDGES = (0.0, 0.1, 0.2, 0.35, 0.6, np.inf)


def eyes(scheme: str, normalizer: Normalizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the points whose means are the ends of a distance: right and left.

    A pupil is the mean of an eye's six points, or a point of its own (MUCT).
    """
    if normalizer is Normalizer.INTER_OCULAR:
        right, left = CORNERS[scheme]
        return (right,), (left,)
    return REDUCTIONS[scheme, FIVE.id][0], REDUCTIONS[scheme, FIVE.id][1]


def usable(visible: BoolArray, normalizer: Normalizer, scheme: str) -> BoolArray:
    """Return (n,) bool: whether a face shows the points that the normalizer needs."""
    if normalizer is Normalizer.BOX:
        return np.asarray(visible.any(axis=1), bool)
    right, left = eyes(scheme, normalizer)
    return np.asarray(visible[:, [*right, *left]].all(axis=1), bool)


def scales(
    truth: npt.ArrayLike, normalizer: Normalizer, scheme: str, visible: BoolArray | None = None
) -> Float64Array:
    """Return (n,) px that errors of each face are divided by.

    truth: (n, k, 2). Raises BadArray where the points that it needs are not visible, or coincide.
    """
    points = _points("truth", truth)
    seen = np.ones(points.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    if not usable(seen, normalizer, scheme).all():
        raise BadArray(f"landmarks: {normalizer} needs points that are visible.")
    if normalizer is Normalizer.BOX:
        hidden = np.where(seen[..., None], points, np.nan)
        sides = np.nanmax(hidden, axis=1) - np.nanmin(hidden, axis=1)
        sizes: Float64Array = np.sqrt(sides[:, 0] * sides[:, 1])
    else:
        right, left = eyes(scheme, normalizer)
        gap = points[:, list(right)].mean(axis=1) - points[:, list(left)].mean(axis=1)
        sizes = np.linalg.norm(gap, axis=1)
    if not (sizes > 0).all():
        raise BadArray("landmarks: a face has no size to divide by.")
    return sizes


def nme(
    predicted: npt.ArrayLike,
    truth: npt.ArrayLike,
    scale: npt.ArrayLike,
    visible: BoolArray | None = None,
) -> tuple[Float64Array, Float64Array]:
    """Return mean point distances, divided by ``scale`` (n,) px: (n,) of faces, (k,) of points.

    Each over what is visible; 0 for a point that no face shows.
    """
    said, true = _points("predicted", predicted), _points("truth", truth)
    if said.shape != true.shape:
        raise BadArray(f"landmarks: wanted the same faces, got {said.shape} and {true.shape}.")
    seen = np.ones(said.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    if seen.shape != said.shape[:2]:
        raise BadArray(f"visible: wanted {said.shape[:2]}, got {seen.shape}.")
    if not seen.any(axis=1).all():
        raise BadArray("landmarks: a face has no visible point.")
    errors, sizes = np.linalg.norm(said - true, axis=2), np.asarray(scale, np.float64)
    of_faces = (errors * seen).sum(axis=1) / seen.sum(axis=1) / sizes
    of_points = (errors / sizes[:, None] * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return of_faces, of_points


def ced(errors: npt.ArrayLike, limits: npt.ArrayLike, *, missed: int = 0) -> Float64Array:
    """Return the share of faces with NME at or below each limit; missed faces never are."""
    values = np.sort(_faces(errors))
    found = np.searchsorted(values, np.asarray(limits, np.float64), side="right")
    shares: Float64Array = found / max(len(values) + missed, 1)
    return shares


def auc(errors: npt.ArrayLike, limit: float, *, missed: int = 0) -> float:
    """Return the area under the CED up to ``limit``, divided by it: 1 perfect, 0 useless. Exact."""
    values = _faces(errors)
    faces = len(values) + missed
    if limit <= 0 or not faces:
        raise BadArray("landmarks: wanted faces and a limit above 0.")
    return float(np.maximum(limit - values, 0).sum() / faces / limit)


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkReport:
    """The record of a landmark run; ``to_dict`` gives plain data.

    errors: (n,) NME of the faces that were found. missed: true faces that were not.
    """

    normalizer: Normalizer
    faces: int
    missed: int
    errors: Float64Array
    points: Float64Array
    by_yaw: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        plain = told(self, "normalizer faces missed per_point=points by_yaw")
        if len(self.errors):
            plain |= {"nme": float(self.errors.mean()), "nme_median": float(np.median(self.errors))}
        for limit in (0.08, 0.10):
            plain[f"auc_{limit:.2f}"] = auc(self.errors, limit, missed=self.missed)
            plain[f"fr_{limit:.2f}"] = 1 - float(ced(self.errors, [limit], missed=self.missed)[0])
        return plain


def yaw_proxy(five: Float64Array) -> Float64Array:
    """Return (n,) how far the nose tip lies beside the middle of the eyes, over their distance.

    five: (n, 5, 2) px, as scheme "five". 0 when frontal, larger the more a head is turned (either
    way): an order of poses, no angle.
    """
    across = five[:, 1] - five[:, 0]
    length = np.maximum((across**2).sum(axis=1), 1e-9)
    aside = ((five[:, 2] - five[:, :2].mean(axis=1)) * across).sum(axis=1) / length
    offset: Float64Array = np.abs(aside)
    return offset


def by_yaw(errors: Float64Array, turns: Float64Array) -> dict[str, float]:
    """Return the mean of errors (n,) by ``yaw_proxy`` (n,), with the number of faces in the name.

    >>> by_yaw(np.array([0.02, 0.04, 0.06]), np.array([0.0, 0.05, 0.7]))
    {'0-0.1 (2 faces)': 0.03, '0.6 and more (1 faces)': 0.06}
    """
    means: dict[str, float] = {}
    for low, high in itertools.pairwise(YAW_EDGES):
        inside = (turns >= low) & (turns < high)
        if inside.any():
            name = f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g} and more"
            means[f"{name} ({int(inside.sum())} faces)"] = float(errors[inside].mean())
    return means


def _faces(errors: npt.ArrayLike) -> Float64Array:
    values = np.asarray(errors, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any():
        raise BadArray("landmarks: wanted finite errors of 0 or more; count missed faces apart.")
    return values


def _points(name: str, value: npt.ArrayLike) -> Float64Array:
    points = np.asarray(value, np.float64)
    if points.ndim != 3 or points.shape[2] != 2 or not np.isfinite(points).all():
        raise BadArray(f"{name}: wanted finite (n, k, 2), got {points.shape}.")
    return points
