"""Which pictures of a photo a detector looks at: reduced copies, and strips of large ones."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import long_side, resized, scaled
from facelign.types.arrays import ByteArray, FloatArray
from facelign.types.image import Image

_log = logging.getLogger(__name__)

#: a copy this much larger than asked for is taken as it is: resampling it would blur more than
#: the saved pixels are worth, and reduced JPEG decoding gives whole fractions only
TOLERANCE = 1.25


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows ``top`` to ``bottom`` of a copy, of which faces centered in ``own`` are taken.

    tallest: height above which a face may be cut by the strip, px of the copy; None when the
    strip is the whole copy.
    """

    top: int
    bottom: int
    own: tuple[float, float]
    tallest: float | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A reduced copy of a photo's pixels: its size, the map into it, and its strips."""

    size: tuple[int, int]
    plane: PlaneMap
    strips: tuple[Strip, ...]

    def render(self, pixels: ByteArray) -> ByteArray:
        """Return the copy of ``pixels`` (h, w, 3): themselves when the size is the same."""
        return resized(pixels, self.size)


def copy_of(size: tuple[int, int], longest: int, *, strip_px: int, overlap: int) -> Copy:
    """Return the copy of a photo of ``size`` (w, h) whose long side is about ``longest``.

    It is never enlarged; one longer than 2:1 keeps more (``imaging.resize.long_side``). A copy of
    more than ``strip_px`` pixels is cut into horizontal strips which share ``overlap`` rows, so
    that the memory of a look is bounded.
    """
    w, h = size
    wanted = long_side(size, longest)
    if max(size) > wanted * TOLERANCE:
        w, h = scaled(size, wanted / max(size))
    plane = PlaneMap((w / size[0], h / size[1]))
    return Copy((w, h), plane, strips((w, h), strip_px, overlap))


def reduced(pixels: ByteArray, longest: int) -> tuple[ByteArray, PlaneMap]:
    """Return pixels (h, w, 3) in one piece with a long side of about ``longest``, and the map.

    See ``copy_of``.
    """
    h, w = pixels.shape[:2]
    copy = copy_of((w, h), longest, strip_px=h * w + 1, overlap=1)
    return copy.render(pixels), copy.plane


def doublings(image: Image, wanted: int, most: float) -> int:
    """Return how often the pixels may be doubled, ``wanted`` times or less, for ``most`` pixels."""
    h, w = image.pixels.shape[:2]
    allowed = wanted
    while allowed and h * w * 4**allowed > most:
        allowed -= 1
    if allowed < wanted:
        _log.warning("%s: doubled %d times only, see max_pixels", image.source, allowed)
    return allowed


def strips(size: tuple[int, int], strip_px: int, overlap: int) -> tuple[Strip, ...]:
    """Return horizontal strips that cover ``size`` (w, h), each of about ``strip_px`` pixels.

    Each strip owns a band of rows; bands meet without a gap, and a strip reaches ``overlap / 2``
    rows beyond its band on either side. A face that is centered in a band and not taller than
    four fifths of ``overlap`` lies whole, with some surroundings, inside the strip.
    """
    w, h = size
    count = max(1, math.ceil(w * h / strip_px))
    # a very wide photo would get strips of overlap only; those are never thinner than this
    count = min(count, max(1, h // (2 * overlap)))
    if count == 1:
        return (Strip(0, h, (-math.inf, math.inf)),)
    edges = [round(h * i / count) for i in range(count + 1)]
    found = []
    for i in range(count):
        own = (
            -math.inf if i == 0 else float(edges[i]),
            math.inf if i == count - 1 else float(edges[i + 1]),
        )
        top = max(0, edges[i] - overlap // 2)
        bottom = min(h, edges[i + 1] + overlap // 2)
        found.append(Strip(top, bottom, own, 0.8 * overlap))
    return tuple(found)


def fitness(heights: FloatArray, best_px: float, loss: float) -> FloatArray:
    """Return factors in [0.1, 1] that prefer the look at which a face has its best height.

    heights: (n,) px in the picture that the network saw. ``loss`` is lost for each doubling or
    halving away from ``best_px``.
    """
    octaves = np.abs(np.log2(np.maximum(heights, 1e-3) / best_px))
    factors: FloatArray = np.maximum(1.0 - loss * octaves, 0.1)
    return factors


def surroundings(
    pixels: ByteArray, box: FloatArray, height: float, margin: float = 0.3
) -> tuple[ByteArray, PlaneMap] | None:
    """Return the surroundings of ``box`` with the face ``height`` px high, and the map into it."""
    h, w = pixels.shape[:2]
    x1, y1, x2, y2 = (float(v) for v in box)
    reach = margin * (y2 - y1)
    left, top = max(0, round(x1 - reach)), max(0, round(y1 - reach))
    right, bottom = min(w, round(x2 + reach)), min(h, round(y2 + reach))
    if right - left < 2 or bottom - top < 2:
        return None
    factor = height / (y2 - y1)
    size = scaled((right - left, bottom - top), factor)
    picture = resized(pixels[top:bottom, left:right], size)
    scale = (size[0] / (right - left), size[1] / (bottom - top))
    return picture, PlaneMap(scale, (-left * scale[0], -top * scale[1]))
