"""dlib shape predictors (cascades of regression trees) as plain arrays.

Kazemi and Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR
2014. The order of the fields was read from published files.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from facelign.files.disk import atomic
from facelign.models.convert.dlib_reader import DatReader, as_reals, corrupt
from facelign.types.arrays import Float32Array

Int32Array = npt.NDArray[np.int32]

#: numbers looked at together; a cascade of the 68-point file would be 2.2 million
TOKENS_AT_ONCE = 300_000
#: limits that no known file comes near, so that a count in a header cannot ask for the moon
MOST_POINTS, MOST_CASCADES, MOST_TREES, MOST_SPLITS, MOST_PIXELS = 1000, 100, 20_000, 255, 30_000


@dataclass(frozen=True, slots=True)
class ShapeTables:
    """A shape predictor; c cascades of t trees with s splits and s + 1 leaves, p pixels, k points.

    initial: (2k,) float32, x and y in turn, in the face's rectangle (0..1).
    pairs: (c, t, s, 2) int32, which two pixels a split compares; thresholds: (c, t, s) float32.
    leaves: (c, t, s + 1, 2k) float32, what a leaf adds to the shape.
    anchors: (c, p) int32, the point a pixel hangs on; deltas: (c, p, 2) float32, how far from it.
    """

    initial: Float32Array
    pairs: Int32Array
    thresholds: Float32Array
    leaves: Float32Array
    anchors: Int32Array
    deltas: Float32Array


def parse_shape(data: bytes) -> ShapeTables:
    """Return the tables of a shape predictor; every byte is consumed.

    Raises WeightsCorrupt.
    """
    reader = DatReader(data)
    reader.expect(1, "the version")
    initial = _column(reader)
    width = len(initial)
    if width < 4 or width % 2 or width > 2 * MOST_POINTS:
        raise corrupt(f"a shape of {width} numbers")
    cascades = reader.count(MOST_CASCADES, "cascades")
    parts = [_cascade(reader, width) for _ in range(cascades)]
    if not parts or len({(p[0].shape, p[2].shape) for p in parts}) != 1:
        raise corrupt("its cascades differ in shape, or there are none")
    reader.expect(cascades, "the number of lists of anchors")
    anchors = [reader.integers(_pixels(reader)) for _ in range(cascades)]
    reader.expect(cascades, "the number of lists of offsets")
    deltas = [reader.reals(2 * _pixels(reader)).reshape(-1, 2) for _ in range(cascades)]
    reader.finish()
    if len({len(a) for a in anchors} | {len(d) for d in deltas}) != 1:
        raise corrupt("its cascades look at different numbers of pixels")
    pairs, thresholds, leaves = (np.stack(part) for part in zip(*parts, strict=True))
    anchored = np.stack(anchors).astype(np.int32)
    tables = ShapeTables(initial, pairs, thresholds, leaves, anchored, np.stack(deltas))
    _check_indices(tables)
    return tables


def _pixels(reader: DatReader) -> int:
    return reader.count(MOST_PIXELS, "pixels")


def _check_indices(tables: ShapeTables) -> None:
    points, pixels = len(tables.initial) // 2, tables.anchors.shape[1]
    for indices, limit in ((tables.anchors, points), (tables.pairs, pixels)):
        if int(indices.min()) < 0 or int(indices.max()) >= limit:
            raise corrupt("an index points outside its table")


def _column(reader: DatReader) -> Float32Array:
    """Return a matrix of one column; dlib writes rows and columns negated."""
    rows = -reader.integer()
    reader.expect(-1, "the negated number of columns")
    if not 0 <= rows <= 2 * MOST_POINTS:
        raise corrupt(f"a column of {rows} numbers")
    return reader.reals(rows)


def _cascade(reader: DatReader, width: int) -> tuple[Int32Array, Float32Array, Float32Array]:
    """Return pairs (t, s, 2), thresholds (t, s) and leaves (t, s + 1, width) of one cascade.

    All trees of a known file have one shape, so a tree is a fixed number of integers; that the
    headers between them say the same is checked tree by tree.
    """
    trees = reader.count(MOST_TREES, "trees")
    if trees == 0:
        raise corrupt("a cascade without trees")
    before = reader.position
    splits = reader.count(MOST_SPLITS, "splits")
    reader.position = before
    leaves = splits + 1
    if splits == 0 or leaves & splits:
        raise corrupt(f"a tree with {splits} splits is not full")
    per_leaf = 2 + 2 * width
    per_tree = 1 + 4 * splits + 1 + leaves * per_leaf
    reader.need(2 * trees * per_tree)
    pairs = np.empty((trees, splits, 2), np.int32)
    thresholds = np.empty((trees, splits), np.float32)
    values = np.empty((trees, leaves, width), np.float32)
    step = max(1, TOKENS_AT_ONCE // per_tree)
    for first in range(0, trees, step):
        part = slice(first, min(first + step, trees))
        rows = part.stop - first
        tokens = reader.integers(rows * per_tree).reshape(rows, per_tree)
        head, body = tokens[:, : 2 + 4 * splits], tokens[:, 2 + 4 * splits :]
        leaf = body.reshape(rows, leaves, per_leaf)
        if (
            (head[:, 0] != splits).any()
            or (head[:, -1] != leaves).any()
            or (leaf[:, :, 0] != -width).any()
            or (leaf[:, :, 1] != -1).any()
        ):
            raise corrupt("a tree has another shape than the first one")
        split = head[:, 1:-1].reshape(rows, splits, 4)
        if int(split[:, :, :2].min()) < 0 or int(split[:, :, :2].max()) > MOST_PIXELS:
            raise corrupt("a split looks at a pixel that cannot be")
        pairs[part] = split[:, :, :2]
        thresholds[part] = as_reals(split[:, :, 2:])
        values[part] = as_reals(leaf[:, :, 2:].reshape(rows, leaves, width, 2))
    return pairs, thresholds, values


def write_shape(tables: ShapeTables, out: Path) -> None:
    """Write the tables as an ``.npz`` without pickles (``np.load(..., allow_pickle=False)``)."""
    with atomic(out, sync=False) as stream:
        np.savez(stream, **{field.name: getattr(tables, field.name) for field in fields(tables)})
