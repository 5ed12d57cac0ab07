"""A square around the box of a face, as a network for points reads it."""

from __future__ import annotations

import math

import numpy as np

from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized
from facelign.types.arrays import AnyArray, ByteArray


def squared(
    pixels: ByteArray, box: AnyArray, margin: float, side: int
) -> tuple[ByteArray, PlaneMap]:
    """Return the square (side, side, 3) around a box, black outside, and the map onto it.

    pixels: (h, w, 3) uint8. box: (4,) px of ``pixels``. margin: what is shown beyond the box on
    every side, as a share of its longer side; it may be below 0. The square begins and ends between
    pixels, so that points go there and back exactly.
    """
    left, top, right, bottom = (float(edge) + 0.5 for edge in box)
    length = max(1, round(max(right - left, bottom - top) * (1 + 2 * margin)))
    x = math.floor((left + right - length) / 2 + 0.5)
    y = math.floor((top + bottom - length) / 2 + 0.5)
    tall, wide = pixels.shape[:2]
    canvas = np.zeros((length, length, 3), np.uint8)
    seen = pixels[max(y, 0) : min(y + length, tall), max(x, 0) : min(x + length, wide)]
    if seen.size:
        down, over = max(-y, 0), max(-x, 0)
        canvas[down : down + seen.shape[0], over : over + seen.shape[1]] = seen
    cut = PlaneMap((1.0, 1.0), (float(-x), float(-y)))
    return resized(canvas, (side, side)), cut.then(PlaneMap((side / length, side / length)))
