"""Whether a cut lies between two frames of a film: another scene has both other forms and colors.

Forms: the middle of one frame is looked for in the other, moved by up to a fifth, and each block of
one is looked for near its place in the other, both by normalized correlation, which a change of
light leaves as it is. A pan moves the whole, a face that comes close hides a part: one of the two
still finds what it knew. Colors: the histogram of their hues, whatever their brightness. Where both
frames are gray, forms alone decide and must differ more.

A frame that shows nothing (black, white, fog) is passed over, and what comes after it is held
against what was before: a flash or a blink of the camera is no cut, a fade through black is one.
A dissolve, in which no two frames differ much, is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facelign.imaging.resize import resized, scaled
from facelign.types.arrays import Arrays, ByteArray, Float32Array
from facelign.types.contracts import Frame

# Chosen on 147 cuts between photos of people, the three of a film and some 1,100 pairs of one
# scene: pans, zooms, flashes, faces that come in, frames up to half a second apart.
#: long side of what is compared, px; side of a block, and how far around it is looked, px
_LONG_PX, _BLOCK, _AROUND = 96, 16, 8
#: share of the sides that the middle has
_MIDDLE = 0.6
#: standard deviation of the gray levels of a block, or of a frame, that shows something
_SHOWN, _SEEN = 4.0, 3.0
#: from which difference on, in [0, 1], forms and colors are others; forms where all is gray
_OTHER_FORMS, _OTHER_COLORS, _OTHER_GRAYS = 0.22, 0.3, 0.35
#: mean spread of the color channels below which a frame is gray
_GRAY = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class _Glance(Arrays):
    """What is kept of a frame: gray levels (h, w) and the histogram of its hues, (24, 24)."""

    gray: ByteArray
    hues: Float32Array
    colored: bool


class Cuts:
    """Tells where scenes begin, frame by frame."""

    def __init__(self) -> None:
        self._before: _Glance | None = None

    def between(self, frame: Frame) -> bool:
        """Return whether a cut lies between the frame of the last call and this one."""
        now = _glance(frame.image.pixels)
        if float(now.gray.std()) < _SEEN:
            return False
        before, self._before = self._before, now
        if before is None:
            return False
        return before.gray.shape != now.gray.shape or _is_other(before, now)


def _glance(pixels: ByteArray) -> _Glance:
    size = (pixels.shape[1], pixels.shape[0])
    small = resized(pixels, scaled(size, _LONG_PX / max(size)))
    gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    levels = small.astype(np.float32) + 4  # the hue of what is nearly black is noise
    shares = np.ascontiguousarray((levels / levels.sum(axis=2, keepdims=True))[..., :2])
    hues = cv2.calcHist([shares], [0, 1], None, [24, 24], [0.1, 0.7, 0.1, 0.7])
    colored = float((small.max(axis=2) - small.min(axis=2)).mean()) >= _GRAY
    return _Glance(gray, np.asarray(hues / gray.size, np.float32), colored)


def _is_other(a: _Glance, b: _Glance) -> bool:
    colored = a.colored or b.colored
    if colored and float(np.abs(a.hues - b.hues).sum()) / 2 <= _OTHER_COLORS:
        return False  # as in nearly every frame: the rest costs as much again
    forms = min(_unlike_middle(a.gray, b.gray), _unlike_blocks(a.gray, b.gray))
    return forms > (_OTHER_FORMS if colored else _OTHER_GRAYS)


def _unlike_middle(a: ByteArray, b: ByteArray) -> float:
    """Return how unlike the middle of one is to the best place in the other, the better way."""
    return 1 - max(_found(a, _middle(b)), _found(b, _middle(a)))


def _middle(gray: ByteArray) -> ByteArray:
    tall, wide = gray.shape
    y, x = int(tall * (1 - _MIDDLE) / 2), int(wide * (1 - _MIDDLE) / 2)
    return gray[y : tall - y, x : wide - x]


def _unlike_blocks(a: ByteArray, b: ByteArray) -> float:
    """Return how unlike half of the blocks of ``b`` are, at least, to any place near in ``a``."""
    tall, wide = b.shape
    alike = []
    for y in range(0, tall - _BLOCK + 1, _BLOCK):
        for x in range(0, wide - _BLOCK + 1, _BLOCK):
            block = b[y : y + _BLOCK, x : x + _BLOCK]
            if block.std() >= _SHOWN:
                low, left = max(0, y - _AROUND), max(0, x - _AROUND)
                near = a[low : y + _BLOCK + _AROUND, left : x + _BLOCK + _AROUND]
                alike.append(_found(near, block))
    return 1 - float(np.median(alike)) if alike else 1.0


def _found(where: ByteArray, what: ByteArray) -> float:
    """Return the best normalized correlation of ``what`` with any place of ``where``, -1 to 1."""
    return float(cv2.matchTemplate(where, what, cv2.TM_CCOEFF_NORMED).max())
