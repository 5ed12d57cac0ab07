"""Faces with what is around them: a print has edges, a telephone a frame."""

from __future__ import annotations

import numpy as np

from facelign.errors import BadArray
from facelign.imaging.resize import resized
from facelign.types.arrays import AnyArray, ByteArray, Float64Array
from facelign.types.image import Image

#: a box counts up to so many times the sides of the photo, which bounds memory
_FARTHEST = 2


def edges(image: Image, box: AnyArray) -> Float64Array:
    """Return the edges (4,) of a box in px of ``image.pixels``; raises BadArray for no area.

    box: (4,) left, top, right, bottom in the plane of ``image.size``.
    """
    tall, wide = image.pixels.shape[:2]
    cut = (np.asarray(box, np.float64) + 0.5) * image.scale
    far = _FARTHEST * np.array([wide, tall, wide, tall], np.float64)
    cut = np.clip(cut, -far, far)
    if not (cut[2] > cut[0] and cut[3] > cut[1]):
        raise BadArray(f"box {np.round(box).tolist()}: wanted a face with an area.")
    return cut


def mirrored_square(image: Image, box: AnyArray, factor: float, side: int) -> ByteArray:
    """Return a square around a face, (side, side, 3) uint8 RGB.

    factor: how many times the longer side of the box the square is wide. What lies outside the
    photo is the photo mirrored at its edge (without the edge's own pixels).
    """
    left, top, right, bottom = edges(image, box)
    reach = max(2, int(max(right - left, bottom - top) * factor))
    x, y = (int(middle - reach / 2) for middle in ((left + right) / 2, (top + bottom) / 2))
    tall, wide = image.pixels.shape[:2]
    cut = image.pixels[_mirrored(y, reach, tall)[:, None], _mirrored(x, reach, wide)]
    return resized(cut, (side, side))


def _mirrored(start: int, count: int, size: int) -> AnyArray:
    """Return the places of ``count`` pixels from ``start`` on in a line of ``size``, mirrored."""
    period = max(1, 2 * (size - 1))
    places = np.arange(start, start + count) % period
    return np.minimum(places, period - places)
