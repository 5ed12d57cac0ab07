"""Candidates of a detector, and the cells that dense detectors predict from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from facelign.geometry.boxes import iou, nms
from facelign.geometry.letterbox import PlaneMap
from facelign.types.arrays import BoolArray, Float32Array, FloatArray, IntArray
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import Scheme

#: overlap with the best cell of a face, and share of its score, from which a cell has a say
_AGREE = np.float32(0.5)
#: faces of a crowd that are blended at once, which bounds memory
_SOME = 64


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

    def __getitem__(self, index: IntArray | BoolArray | slice) -> Candidates:
        return Candidates(self.boxes[index], self.scores[index], self.points[index])

    @property
    def heights(self) -> Float32Array:
        """(n,) float32: box heights, px."""
        heights: Float32Array = self.boxes[:, 3] - self.boxes[:, 1]
        return heights

    def back(self, plane: PlaneMap) -> Candidates:
        """Return the candidates in the photo that ``plane`` maps from."""
        if plane.same:
            return self
        return Candidates(plane.boxes_back(self.boxes), self.scores, plane.back(self.points))

    def suppressed(self, threshold: float) -> Candidates:
        """Return what is left after non-maximum suppression by score."""
        return self if len(self) < 2 else self[nms(self.boxes, self.scores, threshold)]

    def averaged(self, threshold: float) -> Candidates:
        """Return what is left when every best one becomes the mean, by score, of what it hides.

        That is what overlaps it by more than ``threshold``, itself too; its score stays (MediaPipe,
        mediapipe/calculators/util/non_max_suppression_calculator.cc, weighted).
        """
        left, parts = self[np.argsort(-self.scores, kind="stable")], []
        while len(left):
            near = iou(left.boxes[:1], left.boxes)[0] > threshold
            near[0] = True
            some = left[near]
            share = some.scores / some.scores.sum()
            boxes = np.tensordot(share, some.boxes, 1)[None].astype(np.float32)
            points = np.tensordot(share, some.points, 1)[None].astype(np.float32)
            parts.append(Candidates(boxes, some.scores[:1], points))
            left = left[~near]
        return Candidates.joined(parts, self.points.shape[1])

    def best_over(self, box: FloatArray, overlap: float) -> Candidates | None:
        """Return the best candidate with at least ``overlap`` with ``box``, blended, or None."""
        near = (iou(np.asarray(box, np.float32)[None], self.boxes)[0] >= overlap).nonzero()[0]
        if not near.size:
            return None
        best = near[self.scores[near].argmax()]
        return self.blended(best[None])

    def blended(self, kept: IntArray) -> Candidates:
        """Return the candidates ``kept`` with the points on which all cells of a face agree.

        A face is seen by about nine cells of a dense detector, each with its own noise: the points
        are their mean, weighted by score, over cells whose box overlaps the kept one by half and
        whose score is at least half of its score. Boxes and scores stay those of the kept ones.
        """
        found = self[kept]
        if not found.points.size:
            return found
        flat = self.points.reshape(len(self), -1)
        if len(found) <= _SOME:
            points = self._weights(found) @ flat
        else:
            some = [found[at : at + _SOME] for at in range(0, len(found), _SOME)]
            points = np.concatenate([self._weights(part) @ flat for part in some])
        shape = found.points.shape
        return Candidates(found.boxes, found.scores, points.reshape(shape).astype(np.float32))

    def _weights(self, best: Candidates) -> Float32Array:
        """Return (n, m): what each of all m candidates says about n that are among them."""
        agree = iou(best.boxes, self.boxes) >= _AGREE
        agree &= self.scores >= _AGREE * best.scores[:, None]
        weights: Float32Array = np.maximum(self.scores, np.float32(1e-6)) * agree
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

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


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Where the cells of an anchor-free detector lie: all levels, row by row, one after another.

    corners: (cells, 2) float32 px of the picture. strides: (cells,) float32 px.
    """

    corners: Float32Array
    strides: Float32Array

    @classmethod
    @lru_cache(maxsize=64)
    def of(cls, width: int, height: int, strides: tuple[int, ...]) -> Cells:
        """Return the cells of a picture whose sides are multiples of every stride."""
        corners, steps = [], []
        for stride in strides:
            rows, columns = height // stride, width // stride
            grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
            corners.append(grid.reshape(-1, 2) * stride)
            steps.append(np.full(rows * columns, stride))
        return cls(
            np.concatenate(corners).astype(np.float32), np.concatenate(steps).astype(np.float32)
        )


def decode_free(heads: FloatArray, cells: Cells, *, threshold: float) -> Candidates:
    """Return the candidates of an anchor-free detector (YuNet) in one picture.

    heads: (6 + 2k, cells), one prediction a cell: class and object as logits, center offset
    (2), log size (2), offsets of k points (2k), all in units of the cell's stride.
    score = sqrt(sigmoid(class) * sigmoid(object)); center = corner + offset * stride;
    size = exp(log size) * stride. Source: OpenCV, modules/objdetect/src/face_detect.cpp.
    """
    # most cells see nothing: where one factor is below the square, so is the product
    square = threshold * threshold
    floor = np.float32(math.log(square / (1.0 - square))) if square < 1.0 else np.float32(np.inf)
    hit = (np.minimum(heads[0], heads[1]) >= floor).nonzero()[0]
    raw = heads[:, hit].T
    odds = 1.0 / (1.0 + np.exp(-raw[:, :2].astype(np.float64)))
    product = odds[:, 0] * odds[:, 1]
    sure = product >= square
    if not sure.all():
        hit, raw, product = hit[sure], raw[sure], product[sure]
    if not hit.size:
        return Candidates.none((heads.shape[0] - 6) // 2)
    stride = cells.strides[hit, None]
    # center, size and points as pairs: where the corner has no part in the size, it is not asked
    pairs = (raw[:, 2:] * stride).reshape(len(hit), -1, 2) + cells.corners[hit, None]
    half = np.exp(raw[:, 4:6]) * (stride / 2)
    boxes = np.concatenate([pairs[:, 0] - half, pairs[:, 0] + half], axis=1)
    return Candidates(
        boxes.astype(np.float32, copy=False),
        np.sqrt(product).astype(np.float32),
        pairs[:, 2:].astype(np.float32, copy=False),
    )
