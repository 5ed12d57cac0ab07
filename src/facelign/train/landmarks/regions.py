"""The part of a photo around a face, kept in memory up to a limit and read again beyond it."""

from __future__ import annotations

import threading

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.geometry.letterbox import PlaneMap
from facelign.geometry.transforms import apply, compose
from facelign.imaging.read import read
from facelign.imaging.warp import warp
from facelign.landmark.square import squared
from facelign.train.landmarks.crops import onto_crop
from facelign.types.arrays import ByteArray, Float64Array

#: how much of the crop's side a region shows around its middle, so that a turned and moved crop
#: still lies in it; how many times the crop's pixels it has
_AROUND, _FINER = 1.7, 1.5
#: bytes of regions that are kept; a run on more photos reads the others each time
_MOST_BYTES = 512 << 20


class Regions:
    """Regions of the faces of a table, safe to share by threads.

    boxes: (n, 4) px of the photo. side: of the crop, px. margin: beyond the box (``squared``).
    """

    def __init__(self, table: PointTable, boxes: Float64Array, side: int, margin: float) -> None:
        self._table, self._boxes, self._side, self._margin = table, boxes, side, margin
        self._kept: dict[int, tuple[ByteArray, Float64Array, Float64Array]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def region(self, row: int) -> tuple[ByteArray, Float64Array, Float64Array]:
        """Return the region of a face (h, w, 3), the map (2, 3) from it to the crop, its points.

        The points (k, 2) are px of the region. It is no finer than one and a half crops, nor than
        the photo.
        """
        kept = self._kept.get(row)
        if kept is not None:
            return kept
        pixels = read(self._table.files[row]).full().pixels
        onto = onto_crop(self._boxes[row], self._side, 1 + 2 * self._margin)
        fine = min(_FINER, 1 / onto[0, 0])
        wide = round(_AROUND * self._side * fine)
        # crop -> region: finer about the same middle
        shift = (wide - 1) / 2 - fine * (self._side - 1) / 2
        to_region = np.array([[fine, 0.0, shift], [0.0, fine, shift]])
        whole = compose(to_region, onto)
        part = warp(pixels, whole, (wide, wide))
        back = np.array([[1 / fine, 0.0, -shift / fine], [0.0, 1 / fine, -shift / fine]])
        made = part, back, apply(whole, self._table.points[row])
        with self._lock:
            if row not in self._kept and self._bytes + part.nbytes <= _MOST_BYTES:
                self._kept[row] = made
                self._bytes += part.nbytes
        return made

    def square(self, row: int) -> tuple[ByteArray, PlaneMap]:
        """Return the crop of a face and the map onto it, as the model has them in use."""
        pixels = read(self._table.files[row]).full().pixels
        return squared(pixels, self._boxes[row], self._margin, self._side)
