"""Candidates of a detector, and the cells that dense detectors predict from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facelign.geometry.boxes import iou, nms
from facelign.geometry.letterbox import PlaneMap
from facelign.types.arrays import BoolArray, Float32Array, FloatArray, IntArray
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import Scheme


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """n candidates in one plane, not yet faces: a detector's private currency.

    boxes: (n, 4) float32 xyxy px. scores: (n,) float32. points: (n, k, 2) float32 px; k = 0 for
    detectors that give none.
    """

    boxes: Float32Array
    scores: Float32Array
    points: Float32Array

    @classmethod
    def none(cls, k: int = 0) -> Candidates:
        """Return the empty set of a detector with ``k`` points."""
        return cls(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, k, 2), np.float32)
        )

    @classmethod
    def joined(cls, parts: Sequence[Candidates], k: int = 0) -> Candidates:
        """Return the candidates of several looks, one after another."""
        if not parts:
            return cls.none(k)
        return cls(
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.scores for p in parts]),
            np.concatenate([p.points for p in parts]),
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: IntArray | BoolArray) -> Candidates:
        return Candidates(self.boxes[index], self.scores[index], self.points[index])

    @property
    def heights(self) -> Float32Array:
        """(n,) float32: box heights, px."""
        heights: Float32Array = self.boxes[:, 3] - self.boxes[:, 1]
        return heights

    def back(self, plane: PlaneMap) -> Candidates:
        """Return the candidates in the photo that ``plane`` maps from."""
        return Candidates(plane.boxes_back(self.boxes), self.scores, plane.back(self.points))

    def suppressed(self, threshold: float) -> Candidates:
        """Return what is left after non-maximum suppression by score."""
        return self if len(self) < 2 else self[nms(self.boxes, self.scores, threshold)]

    def best_over(self, box: FloatArray, overlap: float) -> Candidates | None:
        """Return the best candidate with at least ``overlap`` with ``box``, or None."""
        near = np.flatnonzero(iou(np.asarray(box, np.float32)[None], self.boxes)[0] >= overlap)
        if not near.size:
            return None
        return self[near[[int(np.argmax(self.scores[near]))]]]

    def mirrored(self, width: int, scheme: Scheme) -> Candidates:
        """Return the candidates of a mirrored picture of ``width`` in the picture itself."""
        boxes = self.boxes.copy()
        boxes[:, [0, 2]] = (width - 1) - self.boxes[:, [2, 0]]
        points = self.points[:, list(scheme.mirror)].copy()
        points[:, :, 0] = (width - 1) - points[:, :, 0]
        return Candidates(boxes, self.scores, points)

    def faces(self, detector: str, image: Image, scheme: Scheme | None) -> Faces:
        """Return faces in the plane of ``image.size``; self is in the plane of its pixels."""
        if not len(self):
            return Faces.none(detector, image.size)
        whole = self if image.scale == 1.0 else self.back(PlaneMap((image.scale, image.scale)))
        sound = (whole.boxes[:, 2:] > whole.boxes[:, :2]).all(axis=1)
        if not sound.all():
            whole = whole[np.flatnonzero(sound)]
        order = np.argsort(-whole.scores, kind="stable")
        points = None if scheme is None else Landmarks(whole.points[order], scheme)
        return Faces(whole.boxes[order], whole.scores[order], points, detector, image.size)


def decode_free(
    classes: FloatArray,
    objects: FloatArray,
    boxes: FloatArray,
    points: FloatArray,
    *,
    stride: int,
    columns: int,
    threshold: float,
) -> Candidates:
    """Return the candidates of one level of an anchor-free detector (YuNet).

    classes, objects: (cells,) in 0..1 (clipped here). boxes: (cells, 4) center offset and log
    size, points: (cells, 2k) offsets, all in units of ``stride``. Cells run row by row, one
    prediction each. score = sqrt(class * object); center = (cell + offset) * stride;
    size = exp(log size) * stride. Source: OpenCV, modules/objdetect/src/face_detect.cpp.
    """
    product = np.clip(classes, 0.0, 1.0) * np.clip(objects, 0.0, 1.0)
    hit = np.flatnonzero(product >= threshold * threshold)
    if not hit.size:
        return Candidates.none(points.shape[1] // 2)
    rows, cols = np.divmod(hit, columns)
    cells = np.stack([cols, rows], axis=1).astype(np.float32)
    raw = boxes[hit]
    center = (cells + raw[:, :2]) * stride
    half = np.exp(raw[:, 2:]) * (stride / 2)
    spots = (points[hit].reshape(len(hit), -1, 2) + cells[:, None]) * stride
    return Candidates(
        np.concatenate([center - half, center + half], axis=1).astype(np.float32),
        np.sqrt(product[hit]).astype(np.float32),
        spots.astype(np.float32),
    )
