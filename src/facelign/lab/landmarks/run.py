"""Landmarkers and detectors' points on annotated photos, end to end.

A detector finds the face, as it will in use; a face that is not found, or found elsewhere, is
missed and stays a failure in every figure. Points are compared in the richest scheme that both
sides have, or in one that is asked for: means over other points are other figures, and no best
model can be told from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.errors import ConfigError, FacelignError, Refused
from facelign.geometry.boxes import iou
from facelign.imaging.read import read
from facelign.lab.landmarks import figures
from facelign.lab.landmarks.figures import LandmarkReport, Normalizer
from facelign.lab.plain import told
from facelign.lab.statistics.rates import percent
from facelign.types.arrays import BoolArray, Float64Array, IntArray
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import FIVE, REDUCTIONS, SCHEMES

#: a detection belongs to an annotated face from this overlap with the box around its points: that
#: box and a detector's differ by half of either, a neighbor's hardly overlaps at all
OVERLAP = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkRun:
    """A landmarker on a set. compared: the scheme in which points were compared. rows: (m,) the
    annotated faces that were found; ``report.errors`` belong to them. unread: photos that could
    not be read, with the reason; their faces are missed.
    """

    model: str
    detector: str
    compared: str
    report: LandmarkReport
    rows: IntArray
    unread: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        head = told(self, "model detector compared_as=compared")
        return {**head, **self.report.to_dict(), "unread": dict(self.unread)}

    def cells(self) -> tuple[str, ...]:
        """Return a row of a table: names, points, NME and median, AUC and FR at limits, missed."""
        plain = self.report.to_dict()
        means = [percent(plain.get(k)) for k in ("nme", "nme_median")]
        rates = [f"{plain[k]:.3f}" for k in ("auc_0.08", "auc_0.10")]
        rates += [percent(plain[k], 1) for k in ("fr_0.08", "fr_0.10")]
        head = [self.model, self.detector, self.compared]
        return (*head, *means, *rates, str(self.report.missed))


def run(
    truth: PointTable,
    locate: Callable[[Image], Faces],
    *,
    model: str,
    detector: str,
    normalizer: Normalizer = Normalizer.INTER_OCULAR,
    scheme: str = "",
    done: Callable[[int], None] | None = None,
) -> LandmarkRun:
    """Return the errors of the points that ``locate`` gives for every face of a photo.

    The normalizer is taken from all annotated points, whatever scheme is compared. Faces whose
    normalizer is hidden are left out, and said so by ``report.faces``. scheme: in which points are
    compared; the richest that both sides have when empty. Raises ConfigError for points that
    cannot be compared, Refused when no photo can be read or every normalizer is hidden.
    """
    by_file: dict[Path, list[int]] = {}
    for row, path in enumerate(truth.files):
        by_file.setdefault(path, []).append(row)
    usable = figures.usable(truth.visible, normalizer, truth.scheme)
    if not usable.any():
        raise Refused(
            f"No face of {truth.name} shows the points that {normalizer} needs.",
            "Take the normalizer box, which needs no eyes.",
        )
    placed: dict[int, Float64Array] = {}
    compared = ""
    unread: dict[str, str] = {}
    for path, rows in by_file.items():
        try:
            faces = locate(read(path))
        except FacelignError as error:
            unread[str(path)] = error.message
            faces = None
        marks = faces.landmarks if faces is not None and len(faces) else None
        if faces is not None and marks is not None:
            compared = comparable(marks.scheme.id, truth.scheme, scheme, faces.detector)
            points = reduced(marks.points.astype(np.float64), marks.scheme.id, compared)
            for row, index in matched(truth, rows, faces).items():
                placed[row] = points[index]
        if done:
            done(len(rows))
    if len(unread) == len(by_file):
        first = next(iter(unread.values()), "there are none")
        raise Refused(
            f"None of {len(by_file)} photos could be read: {first}",
            "Check the folder of the photos.",
        )
    rows_found = np.array([row for row in sorted(placed) if usable[row]], np.int64)
    report = _report(truth, rows_found, placed, compared, int(usable.sum()), normalizer)
    return LandmarkRun(model, detector, compared or scheme or "none", report, rows_found, unread)


def comparable(given: str | None, truth: str, wanted: str = "", who: str = "The model") -> str:
    """Return the scheme in which points of scheme ``given`` are compared with annotations.

    given: id of a scheme, or None for a detector without points. truth: scheme of the annotations.
    wanted: a scheme that is asked for; the richest that both have when empty. Raises ConfigError.

    >>> comparable("ibug-68", "ibug-68"), comparable("ibug-68", "ibug-68", "five")
    ('ibug-68', 'five')
    """
    if given is None:
        raise ConfigError(
            f"{who} gives boxes and no points, so there is nothing to compare.",
            "Name a landmarker for its boxes, such as face-api-68.",
        )
    if wanted and wanted not in SCHEMES:
        raise ConfigError(f"There are no points '{wanted}'.", f"There are: {', '.join(SCHEMES)}.")
    for scheme in (wanted,) if wanted else (given, FIVE.id):
        if scheme in _becomes(given) and scheme in _becomes(truth):
            return scheme
    reason = f"{who} gives points '{given}', which cannot be compared with annotations of '{truth}'"
    raise ConfigError(
        f"{reason} as '{wanted}'." if wanted else f"{reason}.",
        "MUCT's points compare with five points only: a detector's, or 68 reduced to them.",
    )


def _becomes(scheme: str) -> list[str]:
    """Return the schemes that points of ``scheme`` can be told in, itself first."""
    return [scheme, *(wanted for source, wanted in REDUCTIONS if source == scheme)]


def reduced(table: Float64Array | BoolArray, scheme: str, wanted: str) -> Float64Array:
    """Return points (n, k, 2), or which of them are seen (n, k), in a poorer scheme, as means.

    wanted: a scheme that ``comparable`` allows for points of ``scheme``. A point that is the mean
    of several is seen where the share of its parts that are is 1.
    """
    parts = [(k,) for k in range(table.shape[1])]
    groups = parts if scheme == wanted else REDUCTIONS[scheme, wanted]
    return np.stack([table[:, list(part)].mean(axis=1) for part in groups], axis=1)


def _report(
    truth: PointTable,
    rows: IntArray,
    placed: Mapping[int, Float64Array],
    scheme: str,
    faces: int,
    normalizer: Normalizer,
) -> LandmarkReport:
    missed = faces - len(rows)
    if not len(rows):
        return LandmarkReport(normalizer, faces, missed, np.zeros(0), np.zeros(0), {})
    scale = figures.scales(truth.points[rows], normalizer, truth.scheme, truth.visible[rows])
    seen = reduced(truth.visible[rows], truth.scheme, scheme) == 1
    shown = seen.any(axis=1)
    part = truth.points[rows][shown]
    compared = (
        np.stack([placed[int(row)] for row in rows])[shown],
        reduced(part, truth.scheme, scheme),
        scale[shown],
        seen[shown],
    )
    errors, points = figures.nme(*compared)
    turns = figures.yaw_proxy(reduced(part, truth.scheme, FIVE.id))
    return LandmarkReport(normalizer, faces, missed, errors, points, figures.by_yaw(errors, turns))


def matched(truth: PointTable, rows: Sequence[int], faces: Faces) -> dict[int, int]:
    """Return annotated face -> detection: best overlaps first, each detection once."""
    boxes = np.array([around(truth.points[r], truth.visible[r]) for r in rows])
    table = iou(boxes, faces.boxes.astype(np.float64))
    taken: dict[int, int] = {}
    used: set[int] = set()
    for flat in np.argsort(-table, axis=None, kind="stable"):
        i, j = divmod(int(flat), table.shape[1])
        if table[i, j] < OVERLAP:
            break
        if rows[i] not in taken and j not in used:
            taken[rows[i]] = j
            used.add(j)
    return taken


def around(points: Float64Array, visible: BoolArray) -> Float64Array:
    """Return the box (4,) around the points (k, 2) that are visible, or around all if none is."""
    seen = points[visible] if visible.any() else points
    return np.concatenate([seen.min(axis=0), seen.max(axis=0)])
