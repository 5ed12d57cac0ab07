"""Cascades of regression trees that push a mean shape onto a face, as dlib runs them.

Kazemi and Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR
2014. The points are dlib's own to the last pixel, which needs its float32 sums in
its order: a sum in another order puts some point of every fourth face one pixel elsewhere.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray, ByteArray, Float32Array, Float64Array, IntArray

#: faces that go through the trees together: 68 points take 272 kB of leaves a face
TOGETHER = 32
_HINT = "Run 'facelign models verify' to find damaged files."
_NAMES = ("initial", "pairs", "thresholds", "leaves", "anchors", "deltas")


class Cascades:
    """A shape predictor, ready to run; read-only, so threads may share it.

    points: number of points k. The tables are those of ``weights.convert`` ("dlib-shape").
    """

    def __init__(self, path: Path) -> None:
        tables = _load(path)
        self._initial: Float32Array = tables["initial"]
        self.points = len(self._initial) // 2
        #: columns of x of the points that pixels hang on; y is the next column
        self._anchors: IntArray = 2 * tables["anchors"].astype(np.intp)
        self._dx = np.ascontiguousarray(tables["deltas"][:, :, 0])
        self._dy = np.ascontiguousarray(tables["deltas"][:, :, 1])
        self._turning = _turning(self._initial)
        cascades, trees, splits, _ = tables["pairs"].shape
        self._splits = splits
        self._depth = (splits + 1).bit_length() - 1
        pairs = tables["pairs"].reshape(cascades, trees * splits, 2)
        self._first: IntArray = np.ascontiguousarray(pairs[:, :, 0], np.intp)
        self._second: IntArray = np.ascontiguousarray(pairs[:, :, 1], np.intp)
        # Differences of pixels are whole numbers in -255..255: "> t" is "> floor(t)".
        limits = np.clip(np.floor(tables["thresholds"]), -256, 256).astype(np.int16)
        self._limits = limits.reshape(cascades, trees * splits)
        self._leaves: Float32Array = tables["leaves"].reshape(cascades, -1, 2 * self.points)
        # Where a tree's splits and leaves start; the walk ends at split + node, off by ``splits``.
        self._tree_splits = np.arange(trees)[None, :] * splits
        self._tree_leaves = np.arange(trees)[None, :] * (splits + 1) - splits

    def locate(self, pixels: ByteArray, rectangles: IntArray) -> IntArray:
        """Return points (n, k, 2) int64, px of ``pixels``.

        pixels: (h, w, 3) uint8 RGB. rectangles: (n, 4) int64, left, top, right, bottom, whole
        pixels, inclusive as dlib's, right > left and bottom > top; they may leave the picture.
        """
        parts = [
            self._located(pixels, rectangles[i : i + TOGETHER])
            for i in range(0, len(rectangles), TOGETHER)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.points, 2), np.int64)

    def _located(self, pixels: ByteArray, rectangles: IntArray) -> IntArray:
        n = len(rectangles)
        corner = rectangles[:, :2, None].astype(np.float64)
        side = (rectangles[:, 2:, None] - rectangles[:, :2, None]).astype(np.float64)
        shapes = np.repeat(self._initial[None], n, axis=0)
        trees = self._tree_leaves.shape[1]
        sums = np.empty((1 + trees, n, 2 * self.points), np.float32)
        for c in range(len(self._dx)):
            values = self._looked_at(pixels, shapes, c, corner, side)
            leaves = self._walked(values, c)
            sums[0] = shapes
            np.take(self._leaves[c], leaves.T, axis=0, out=sums[1:], mode="clip")
            # One row after the other, as dlib adds: numpy's reduction along the first axis of a
            # C-contiguous array does that.
            shapes = np.add.reduce(sums, axis=0)
        x = _whole(shapes[:, 0::2], side[:, 0], corner[:, 0])
        y = _whole(shapes[:, 1::2], side[:, 1], corner[:, 1])
        return np.stack([x, y], axis=2)

    def _looked_at(
        self,
        pixels: ByteArray,
        shapes: Float32Array,
        cascade: int,
        corner: Float64Array,
        side: Float64Array,
    ) -> AnyArray:
        """Return the gray values (n, p) int16 that the cascade compares; outside is 0."""
        # real and imaginary part of the best turn, in double, then cut to float32 as dlib does
        turn = (shapes.astype(np.float64) @ self._turning).astype(np.float32)
        real, imag = turn[:, :1], turn[:, 1:]
        dx, dy = self._dx[cascade], self._dy[cascade]
        anchors = self._anchors[cascade]
        x = _whole((real * dx - imag * dy) + shapes[:, anchors], side[:, 0], corner[:, 0])
        y = _whole((imag * dx + real * dy) + shapes[:, anchors + 1], side[:, 1], corner[:, 1])
        h, w = pixels.shape[:2]
        inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
        index = (y * w + x) * (3 * inside)
        flat = pixels.reshape(-1)
        gray = np.take(flat, index).astype(np.int16)
        gray += np.take(flat, index + 1)
        gray += np.take(flat, index + 2)
        gray //= np.int16(3)
        gray *= inside
        return np.asarray(gray)

    def _walked(self, values: AnyArray, cascade: int) -> IntArray:
        """Return the leaf (n, t) that each tree ends in, as a row of this cascade's leaves."""
        first = np.take(values, self._first[cascade], axis=1)
        second = np.take(values, self._second[cascade], axis=1)
        goes_left = (first - second) > self._limits[cascade]
        flat = goes_left.reshape(-1)
        start = self._tree_splits + (np.arange(len(values)) * goes_left.shape[1])[:, None]
        node = 2 - flat[start].astype(np.intp)
        for _ in range(self._depth - 1):
            node = 2 * node + 2 - flat[start + node]
        return np.asarray(node + self._tree_leaves)


def _whole(places: Float32Array, side: Float64Array, corner: Float64Array) -> IntArray:
    """Return whole pixels of coordinates (n, m) in rectangles (0..1), rounded as dlib does."""
    return np.floor(places * side + corner + 0.5).astype(np.int64)


def _turning(initial: Float32Array) -> Float64Array:
    """Return the (2k, 2) matrix that takes a shape to its turn and scale from the mean shape.

    The similarity of Umeyama 1991 in its closed form for the plane is linear in the shape:
    real part sum(p q) / sum(p p), imaginary part sum(p x q) / sum(p p), p the centered mean shape.
    """
    p = initial.reshape(-1, 2).astype(np.float64)
    p = p - p.mean(axis=0)
    spread = float((p * p).sum())
    if spread <= 0:
        raise WeightsCorrupt("The mean shape is a single point.", _HINT)
    imag = np.stack([-p[:, 1], p[:, 0]], axis=1)
    return np.stack([p.reshape(-1), imag.reshape(-1)], axis=1) / spread


def _load(path: Path) -> dict[str, AnyArray]:
    try:
        with np.load(path, allow_pickle=False) as tables:
            return {name: tables[name] for name in _NAMES}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as problem:
        raise WeightsCorrupt(
            f"{path.name} holds no shape predictor ({problem}).",
            _HINT,
        ) from problem
