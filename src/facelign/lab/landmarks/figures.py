"""Landmark errors: NME, CED, area under it, failure rate. Missing points are left out of both mean
and count; a face that was not found is a failure, never dropped.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.types.arrays import BoolArray, Float64Array


class Normalizer(StrEnum):
    """What an error is divided by; figures of two normalizers are never compared.

    INTER_OCULAR: distance of the outer eye corners. INTER_PUPIL: of the centers of the eyes.
    BOX: root of width times height of the box around the true points (for profiles).
    """

    INTER_OCULAR = "inter-ocular"
    INTER_PUPIL = "inter-pupil"
    BOX = "box"


@dataclass(frozen=True, slots=True)
class Eyes:
    """Indices of one scheme: outer corners (subject's right, left) and the points of each eye."""

    outer: tuple[int, int]
    right: tuple[int, ...]
    left: tuple[int, ...]


#: STANDARDS 2.2 and 2.3: 300-W 36-45 and the means of 36..41 and 42..47; MUCT's pupils are points
IBUG_68 = Eyes((36, 45), tuple(range(36, 42)), tuple(range(42, 48)))
MUCT = Eyes((27, 32), (31,), (36,))


def scales(
    truth: npt.ArrayLike,
    normalizer: Normalizer,
    eyes: Eyes | None = None,
    visible: BoolArray | None = None,
) -> Float64Array:
    """Return (n,) px that errors of each face are divided by.

    truth: (n, k, 2). Raises BadArray where the points that it needs are not visible, or coincide.
    """
    points = _points("truth", truth)
    seen = np.ones(points.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    if normalizer is Normalizer.BOX:
        hidden = np.where(seen[..., None], points, np.nan)
        if not seen.any(axis=1).all():
            raise BadArray("landmarks: a face has no visible point.")
        sides = np.nanmax(hidden, axis=1) - np.nanmin(hidden, axis=1)
        sizes = np.sqrt(sides[:, 0] * sides[:, 1])
    else:
        if eyes is None:
            raise BadArray(f"landmarks: {normalizer} needs to know which points are the eyes.")
        ocular = normalizer is Normalizer.INTER_OCULAR
        right, left = ((eyes.outer[0],), (eyes.outer[1],)) if ocular else (eyes.right, eyes.left)
        if not seen[:, [*right, *left]].all():
            raise BadArray(f"landmarks: {normalizer} needs eyes that are visible.")
        gap = points[:, list(right)].mean(axis=1) - points[:, list(left)].mean(axis=1)
        sizes = np.linalg.norm(gap, axis=1)
    if not (sizes > 0).all():
        raise BadArray("landmarks: a face has no size to divide by.")
    found: Float64Array = sizes
    return found


def nme(
    predicted: npt.ArrayLike,
    truth: npt.ArrayLike,
    scale: npt.ArrayLike,
    visible: BoolArray | None = None,
) -> Float64Array:
    """Return (n,) mean point distance over visible points, divided by ``scale`` (n,) px."""
    errors, seen = _errors(predicted, truth, visible)
    counts = seen.sum(axis=1)
    if not (counts > 0).all():
        raise BadArray("landmarks: a face has no visible point.")
    means: Float64Array = (errors * seen).sum(axis=1) / counts / np.asarray(scale, np.float64)
    return means


def per_point(
    predicted: npt.ArrayLike,
    truth: npt.ArrayLike,
    scale: npt.ArrayLike,
    visible: BoolArray | None = None,
) -> Float64Array:
    """Return (k,) mean normalized error of each point over the faces that show it; 0 for none."""
    errors, seen = _errors(predicted, truth, visible)
    scaled = errors / np.asarray(scale, np.float64)[:, None]
    counts = seen.sum(axis=0)
    means: Float64Array = (scaled * seen).sum(axis=0) / np.maximum(counts, 1)
    return means


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


def failure_rate(errors: npt.ArrayLike, limit: float, *, missed: int = 0) -> float:
    """Return the share of faces with NME above ``limit``, missed faces included."""
    return 1 - float(ced(errors, [limit], missed=missed)[0])


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
        plain: dict[str, Any] = {
            "normalizer": str(self.normalizer),
            "faces": self.faces,
            "missed": self.missed,
            "per_point": self.points.tolist(),
            "by_yaw": dict(self.by_yaw),
        }
        if len(self.errors):
            plain |= {"nme": float(self.errors.mean()), "nme_median": float(np.median(self.errors))}
        for limit in (0.08, 0.10):
            plain[f"auc_{limit:.2f}"] = auc(self.errors, limit, missed=self.missed)
            plain[f"fr_{limit:.2f}"] = failure_rate(self.errors, limit, missed=self.missed)
        return plain


def evaluate(
    predicted: npt.ArrayLike,
    truth: npt.ArrayLike,
    normalizer: Normalizer,
    *,
    eyes: Eyes | None = None,
    visible: BoolArray | None = None,
    missed: int = 0,
    yaw_deg: npt.ArrayLike | None = None,
    yaw_edges: Sequence[float] = (0, 15, 30, 45, 90),
) -> LandmarkReport:
    """Return every landmark figure.

    predicted, truth: (n, k, 2) px of the faces that were found; missed: how many were not. yaw_deg:
    (n,) head turns, told apart by size at ``yaw_edges``.
    """
    scale = scales(truth, normalizer, eyes, visible)
    errors = nme(predicted, truth, scale, visible)
    turns: dict[str, float] = {}
    if yaw_deg is not None:
        size = np.abs(np.asarray(yaw_deg, np.float64))
        if size.shape != errors.shape:
            raise BadArray("landmarks: wanted one yaw for each face.")
        for low, high in itertools.pairwise(yaw_edges):
            held = (size >= low) & (size < high)
            if held.any():
                turns[f"{low:g}-{high:g} deg"] = float(errors[held].mean())
    return LandmarkReport(
        normalizer,
        len(errors) + missed,
        missed,
        errors,
        per_point(predicted, truth, scale, visible),
        turns,
    )


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


def _errors(
    predicted: npt.ArrayLike, truth: npt.ArrayLike, visible: BoolArray | None
) -> tuple[Float64Array, BoolArray]:
    said, true = _points("predicted", predicted), _points("truth", truth)
    if said.shape != true.shape:
        raise BadArray(f"landmarks: wanted the same faces, got {said.shape} and {true.shape}.")
    seen = np.ones(said.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    if seen.shape != said.shape[:2]:
        raise BadArray(f"visible: wanted {said.shape[:2]}, got {seen.shape}.")
    return np.linalg.norm(said - true, axis=2), seen
