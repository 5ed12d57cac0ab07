"""What a network of landmarks is shown: a square around the box of a detector, black outside.

In use a detector finds the face, so it finds it in training as well. A face that it misses is not
left out: its crop is made around the box that the detector would have given as a rule, told from
the label, and the run says how many those are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.errors import FacelignError
from facelign.imaging.read import read
from facelign.lab.landmarks.run import around, matched
from facelign.types.arrays import BoolArray, Float64Array, check
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.wording import counted


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Boxes of n annotated faces.

    boxes: (n, 4) px of the photo. found: (n,) bool, false where the box is told from the label.
    absent: (n,) bool, true where the photo cannot be read; ``reasons`` says why, by photo.
    astray: (n,) bool, true where most points of the label lie outside of the photo.
    """

    boxes: Float64Array
    found: BoolArray
    absent: BoolArray
    astray: BoolArray
    reasons: dict[Path, str]

    def __post_init__(self) -> None:
        check(self, np.float64, boxes=("n", 4))
        check(self, np.bool_, found=("n",), absent=("n",), astray=("n",))

    @property
    def gone(self) -> BoolArray:
        """(n,) which faces nothing can be learned of or tested on."""
        return self.absent | self.astray

    @property
    def missed(self) -> BoolArray:
        """(n,) which faces are cut by their labels, since the detector does not see them."""
        return ~self.found & ~self.gone

    @property
    def outside(self) -> str:
        """How many labels lie outside of their photos."""
        lie = counted(int(self.astray.sum()), "label lies", "labels lie")
        return f"{lie} outside of the photo"

    @property
    def unread(self) -> str:
        """How many photos cannot be read, and why one of them; "" where all can."""
        if not self.reasons:
            return ""
        path, reason = next(iter(self.reasons.items()))
        return (
            f"{counted(len(self.reasons), 'photo')} not to be read, such as {path.name}: {reason}"
        )


def detected(
    table: PointTable,
    find: Callable[[Image], Faces],
    done: Callable[[int], None] | None = None,
) -> Crops:
    """Return the boxes that a detector gives for the faces of a table.

    A face belongs to the detection that overlaps most with the box around its points
    (``lab.landmarks.run``).
    """
    labels = _labels(table)
    boxes, found = labels.copy(), np.zeros(len(table), bool)

    def look(rows: list[int], image: Image) -> None:
        faces = find(image)
        for row, index in matched(table, rows, faces).items():
            boxes[row], found[row] = faces.boxes[index], True
        if done:
            done(len(rows))

    absent, far, reasons = _each(table, look)
    lost = ~found
    boxes[lost] = as_detected(labels[lost], labels[found], boxes[found])
    return Crops(boxes, found, absent, far, reasons)


def by_label(table: PointTable) -> Crops:
    """Return the boxes around the points themselves; photos are read to tell which cannot be."""
    absent, far, reasons = _each(table, lambda _rows, _image: None)
    return Crops(_labels(table), ~absent, absent, far, reasons)


def _labels(table: PointTable) -> Float64Array:
    """Return the boxes (n, 4) around the points, px."""
    each = [around(points, seen) for points, seen in zip(table.points, table.visible, strict=True)]
    return np.array(each, np.float64).reshape(len(table), 4)


def _each(
    table: PointTable, look: Callable[[list[int], Image], None]
) -> tuple[BoolArray, BoolArray, dict[Path, str]]:
    """Look at each photo with the rows of its faces that lie in it.

    Return which faces (n,) have no photo, which (n,) lie outside of theirs, and why photos cannot
    be read.
    """
    absent, far = np.zeros((2, len(table)), bool)
    reasons: dict[Path, str] = {}
    for path, rows in by_photo(table).items():
        try:
            image = read(path)
            far[rows] = [_astray(table, row, image.size) for row in rows]
            inside = [row for row in rows if not far[row]]
            if inside:
                look(inside, image)
        except FacelignError as error:
            reasons[path] = error.message
            absent[rows] = True
    return absent, far, reasons


def _astray(table: PointTable, row: int, size: tuple[int, int]) -> bool:
    """Whether most known points of a face lie outside of its photo of ``size``, px."""
    points = table.points[row][table.visible[row]] + 0.5
    inside = ((points >= 0) & (points <= size)).all(axis=1)
    return bool(inside.sum() * 2 < len(points))


def by_photo(table: PointTable) -> dict[Path, list[int]]:
    """Return the rows of each photo, in the order of first use."""
    rows: dict[Path, list[int]] = {}
    for row, path in enumerate(table.files):
        rows.setdefault(path, []).append(row)
    return rows


def as_detected(labels: Float64Array, known: Float64Array, given: Float64Array) -> Float64Array:
    """Return label boxes (m, 4), moved and scaled as a detector's ``given`` lie to ``known``.

    known, given: (n, 4) label and detector boxes of the same faces; with none, labels as they are.
    """
    if not len(known):
        return labels
    size = _sizes(known)
    middles = ((_middles(given) - _middles(known)) / size).reshape(-1, 2)
    shift, scale = np.median(middles, axis=0), np.median(_sizes(given) / size, axis=0)
    middle, half = _middles(labels) + shift * _sizes(labels), scale * _sizes(labels) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def onto_crop(box: Float64Array, side: int, reach: float) -> Float64Array:
    """Return the map (2, 3) from px of the photo to px of the crop (side, side).

    box: (4,) px. reach: how many times the longer side of the box the crop shows; what lies
    outside of the photo is black. A share of 0 is the crop's edge, half a pixel before its first.
    """
    scale = side / (reach * max(box[2] - box[0], box[3] - box[1], 1e-3))
    x, y = (side - 1) / 2 - scale * (box[:2] + box[2:]) / 2
    return np.array([[scale, 0.0, x], [0.0, scale, y]])


def _middles(boxes: Float64Array) -> Float64Array:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _sizes(boxes: Float64Array) -> Float64Array:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
