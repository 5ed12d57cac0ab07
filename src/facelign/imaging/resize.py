"""Pictures in another size or place: the one rule for all rooms."""

from __future__ import annotations

import math

import cv2
import numpy as np

from facelign.geometry.transforms import apply, invert
from facelign.types.arrays import ByteArray, Float64Array


def resized(
    pixels: ByteArray, size: tuple[int, int], *, enlarge: int = cv2.INTER_LINEAR
) -> ByteArray:
    """Return the picture (h, w) or (h, w, 3) uint8 in ``size`` (width, height); itself if it fits.

    By area when it then has fewer pixels (sampling would skip some of them), else by ``enlarge``.
    Corners lie on corners: x -> (x + 0.5) * s - 0.5 (``geometry.transforms.scaling``).
    """
    tall, wide = pixels.shape[:2]
    if (wide, tall) == size:
        return pixels
    how = cv2.INTER_AREA if size[0] * size[1] < wide * tall else enlarge
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


#: a picture is long when its sides differ by more than this; what counts of a longer one at most
_LONG, _LONGEST = 2.0, 100.0


def long_side(size: tuple[int, int], longest: int) -> float:
    """Return the long side that shows as much of a picture of ``size`` as ``longest`` of others.

    That is ``longest``. A panorama or a strip of a film would then be so low that nothing is left
    in it, so what is longer than 2:1 keeps as many pixels as a picture of 4:3.

    >>> long_side((4000, 3000), 2000), round(long_side((20_000, 1_000), 2000))
    (2000.0, 7746)
    """
    aspect = max(size) / min(size)
    if aspect <= _LONG:
        return float(longest)
    return longest * math.sqrt(0.75 * min(aspect, _LONGEST))


def scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return ``size`` (width, height) times ``factor`` in whole pixels, at least one each."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


#: sides from which on OpenCV warps nothing (SHRT_MAX)
_TOO_LONG = 32_767


def warped(pixels: ByteArray, matrix: Float64Array, size: tuple[int, int]) -> ByteArray:
    """Return a picture of ``size`` (width, height) out of (h, w, 3) uint8, bilinear, black outside.

    matrix: (2, 3), pixel of ``pixels`` -> pixel of the picture.
    """
    tall, wide = pixels.shape[:2]
    if max(tall, wide) >= _TOO_LONG:  # what lies under the picture will do
        right, bottom = size
        corners = np.array([[-1.0, -1.0], [right, -1.0], [-1.0, bottom], [right, bottom]])
        under = apply(invert(matrix), corners)
        x, y = (max(0, math.floor(low) - 1) for low in under.min(axis=0))
        right, bottom = (max(0, math.ceil(high) + 2) for high in under.max(axis=0))
        pixels = np.ascontiguousarray(pixels[y:bottom, x:right])
        if not pixels.size:
            return np.zeros((size[1], size[0], 3), np.uint8)
        matrix = matrix.copy()
        matrix[:, 2] += matrix[:, :2] @ (x, y)
    drawn = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR)
    return np.asarray(drawn, np.uint8)
