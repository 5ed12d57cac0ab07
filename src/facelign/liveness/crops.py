"""Faces with what is around them: a print has edges, a telephone a frame."""

from __future__ import annotations

import cv2
import numpy as np

from facelign.errors import BadArray
from facelign.imaging.resize import resized
from facelign.types.arrays import AnyArray, BoolArray, ByteArray, Float64Array, IntArray
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


def sampled_square(image: Image, box: AnyArray, factor: float, fine: int, side: int) -> ByteArray:
    """Return a square around a face, (side, side, 3) uint8 RGB, black outside of the photo.

    factor: how many times the longer side of the box the square is wide. Points are taken as Human
    takes them (src/face/facemeshutil.ts, in TensorFlow's cropAndResize and resizeBilinear): from a
    grid of ``fine`` a side, of which every so many-th counts. Nothing is averaged, for its networks
    see nothing else.
    """
    cut = edges(image, box)
    tall, wide = image.pixels.shape[:2]
    half = factor * max(cut[2] - cut[0], cut[3] - cut[1]) / 2
    (low_x, part_x, in_x), (low_y, part_y, in_y) = (
        _sampled((first + last) / 2, half, length, fine, side)
        for first, last, length in ((cut[0], cut[2], wide), (cut[1], cut[3], tall))
    )
    rows = [image.pixels[np.minimum(low_y + i, tall - 1)] for i in (0, 1)]
    mixed = np.zeros((side, side, 3))
    for i, weight_y in enumerate((1 - part_y, part_y)):
        for j, weight_x in enumerate((1 - part_x, part_x)):
            pixels = rows[i][:, np.minimum(low_x + j, wide - 1)]
            mixed += pixels * (weight_y[:, None] * weight_x)[..., None]
    mixed *= (in_y[:, None] & in_x)[..., None]
    return np.asarray(mixed.round(), np.uint8)


def _sampled(
    middle: float, half: float, length: int, fine: int, side: int
) -> tuple[IntArray, Float64Array, BoolArray]:
    """Return, of the points of a line, the pixel before each, the way past it, what lies inside."""
    first, last = np.round(middle - half), np.round(middle + half)
    step = (last - first) / (fine - 1) * (fine / side)
    places = (first + step * np.arange(side)) * (length - 1) / length
    low = np.clip(np.floor(places), 0, length - 1).astype(np.int64)
    return low, np.clip(places - low, 0, 1), (places >= 0) & (places <= length - 1)


def _mirrored(start: int, count: int, size: int) -> AnyArray:
    """Return the places of ``count`` pixels from ``start`` on in a line of ``size``, mirrored."""
    period = max(1, 2 * (size - 1))
    places = np.arange(start, start + count) % period
    return np.minimum(places, period - places)
