"""Faces with what is around them: a print has edges, a telephone a frame."""

from __future__ import annotations

import cv2
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


def shifted_rectangle(image: Image, box: AnyArray, factor: float, side: int) -> ByteArray:
    """Return the surroundings of a face in the shape of its box, brought to (side, side, 3) uint8.

    factor: how many times the sides of the box the rectangle has, less where the photo does not
    hold that; at an edge of the photo it is shifted inside, never padded. Whole pixels and plain
    bilinear sampling, as Silent-Face-Anti-Spoofing cuts (src/generate_patches.py): its networks saw
    nothing else.
    """
    cut = edges(image, box)
    size = np.array(image.pixels.shape[1::-1], np.float64)
    corner, sides = np.trunc(cut[:2]), np.maximum(np.trunc(cut[2:] - cut[:2]), 1)
    reach = sides * min(factor, *((size - 1) / sides))
    start = corner + sides / 2 - reach / 2
    start = np.minimum(np.maximum(start, 0), size - reach)
    first = start.astype(int)
    last = np.maximum((start + reach).astype(int), first + 1)
    pixels = image.pixels[first[1] : last[1], first[0] : last[0]]
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _mirrored(start: int, count: int, size: int) -> AnyArray:
    """Return the places of ``count`` pixels from ``start`` on in a line of ``size``, mirrored."""
    period = max(1, 2 * (size - 1))
    places = np.arange(start, start + count) % period
    return np.minimum(places, period - places)
