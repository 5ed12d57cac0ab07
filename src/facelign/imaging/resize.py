"""Pictures in another size: the one rule for all rooms."""

from __future__ import annotations

import cv2
import numpy as np

from facelign.types.arrays import ByteArray


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


def scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return ``size`` (width, height) times ``factor`` in whole pixels, at least one each."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
