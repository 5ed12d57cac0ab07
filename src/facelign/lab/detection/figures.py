"""Detection errors: average precision by WIDER FACE's rules, recall by size, false faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from facelign.errors import BadArray
from facelign.geometry.boxes import iou
from facelign.lab.plain import told
from facelign.lab.statistics.bands import band_names, bands
from facelign.types.arrays import BoolArray, Float64Array

#: overlap from which a box counts as found (WIDER FACE, PASCAL VOC)
OVERLAP = 0.5
#: face heights, px, at which recall is told apart
HEIGHTS = (0, 10, 16, 24, 32, 48, 64, 96, 160, 320)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The faces of one photo: boxes (n, 4) xyxy px; ignore (n,) bool: neither found nor missed."""

    boxes: npt.NDArray[np.floating[Any]]
    ignore: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector says of one photo: boxes (m, 4) xyxy px, scores (m,)."""

    boxes: npt.NDArray[np.floating[Any]]
    scores: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Detections of a set of photos, by falling score, and the faces they found.

    scores: (m,) falling; true: (m,) bool; detections on ignored faces are left out. faces: how
    many there are to find. heights: (faces,) px; found: (faces,) score of the detection, or -inf.
    """

    scores: Float64Array
    true: BoolArray
    faces: int
    heights: Float64Array
    found: Float64Array
    photos: int

    def recall(self, threshold: float = -np.inf) -> float:
        """Return the share of faces found at or above a score."""
        return float(((self.found >= threshold) & np.isfinite(self.found)).sum() / self.faces)

    def false_faces(self, threshold: float = -np.inf) -> int:
        """Return how many detections at or above a score are no faces."""
        return int((~self.true & (self.scores >= threshold)).sum())

    def to_dict(self) -> dict[str, Any]:
        """Return every figure as plain data."""
        return {
            **told(self, "photos faces"),
            "detections": len(self.scores),
            "overlap": OVERLAP,
            "ap": average_precision(self),
            "threshold": float(self.scores.min()) if len(self.scores) else 0.0,
            "recall": self.recall() if self.faces else None,
            "false_faces": self.false_faces(),
            "recall_by_height": recall_by_height(self),
        }


def match(found: Sequence[Detections], truth: Sequence[Truth]) -> Matched:
    """Return what was found, photo by photo.

    By falling score each detection takes the face that it overlaps most. A first detection of at
    least ``OVERLAP`` finds that face, a second one of the same face is false, one on an ignored
    face does not count at all.
    """
    if len(found) != len(truth):
        raise BadArray(f"detection: wanted the same photos, got {len(found)} and {len(truth)}.")
    scores: list[float] = []
    true: list[bool] = []
    heights: list[float] = []
    hits: list[float] = []
    for said, real in zip(found, truth, strict=True):
        best = np.full(len(real.boxes), -np.inf)
        for score, right in _photo(said, real, best):
            scores.append(score)
            true.append(right)
        count = ~np.asarray(real.ignore, bool)
        boxes = np.asarray(real.boxes, np.float64).reshape(-1, 4)[count]
        heights.extend((boxes[:, 3] - boxes[:, 1]).tolist())
        hits.extend(best[count].tolist())
    order = np.argsort(-np.array(scores), kind="stable")
    return Matched(
        np.array(scores, np.float64)[order],
        np.array(true, bool)[order],
        len(heights),
        np.array(heights, np.float64),
        np.array(hits, np.float64),
        len(truth),
    )


def _photo(said: Detections, real: Truth, best: Float64Array) -> list[tuple[float, bool]]:
    """Return (score, true) of the detections that count; writes the finders' scores to ``best``."""
    counted: list[tuple[float, bool]] = []
    order = np.argsort(-np.asarray(said.scores, np.float64), kind="stable")
    faces = np.asarray(real.boxes, np.float64).reshape(-1, 4)
    table = iou(np.asarray(said.boxes, np.float64).reshape(-1, 4), faces)
    for i in order:
        score = float(said.scores[i])
        face = int(table[i].argmax()) if len(faces) else -1
        if face < 0 or table[i, face] < OVERLAP:
            counted.append((score, False))
        elif not real.ignore[face]:
            counted.append((score, not np.isfinite(best[face])))
            best[face] = max(best[face], score)
    return counted


def precision_recall(matched: Matched) -> tuple[Float64Array, Float64Array]:
    """Return (precision, recall) after each distinct score, from the highest down."""
    true = np.cumsum(matched.true)
    every = np.arange(1, len(matched.true) + 1)
    ends = np.append(np.flatnonzero(np.diff(matched.scores)), len(matched.scores) - 1)
    if not len(matched.scores):
        return np.zeros(0), np.zeros(0)
    return (true / every)[ends], (true / max(matched.faces, 1))[ends]


def average_precision(matched: Matched) -> float:
    """Return the area under precision over recall, precision never rising (VOC 2010 and WIDER)."""
    precision, recall = precision_recall(matched)
    if not len(precision):
        return 0.0
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def recall_by_height(matched: Matched) -> dict[str, dict[str, float]]:
    """Return recall and number of faces by face height, px, for the heights that occur."""
    place = bands(matched.heights, HEIGHTS)
    hit = np.isfinite(matched.found)
    return {
        name: {"recall": float(hit[place == number].mean()), "faces": int((place == number).sum())}
        for number, name in enumerate(band_names(HEIGHTS))
        if (place == number).any()
    }


def score_meaning(matched: Matched) -> tuple[Float64Array, Float64Array]:
    """Return scores (k,) rising and the share of true faces (k,) among detections of each, rising.

    The monotone fit of truth on score (pool adjacent violators).
    """
    if not len(matched.scores):
        raise BadArray("score meaning: there are no detections.")
    rising, true = matched.scores[::-1], matched.true[::-1].astype(np.float64)
    fitted = np.asarray(IsotonicRegression().fit_transform(rising, true), np.float64)
    values, first = np.unique(rising, return_index=True)
    return values, fitted[first]


def evaluate(
    found: Sequence[Detections], truth: Sequence[Truth], *, smallest: float = 0.0
) -> Matched:
    """Return what was found; faces under ``smallest`` px are ignored, not missed."""
    counted = [
        Truth(real.boxes, np.asarray(real.ignore, bool) | _shorter(real.boxes, smallest))
        for real in truth
    ]
    return match(found, counted)


def _shorter(boxes: npt.ArrayLike, smallest: float) -> BoolArray:
    table = np.asarray(boxes, np.float64).reshape(-1, 4)
    short: BoolArray = (table[:, 3] - table[:, 1]) < smallest
    return short
