"""A face cut out of its frame, with some of what is around it, for people to look at."""

from __future__ import annotations

import numpy as np

from facelign.imaging.resize import resized, scaled
from facelign.types.arrays import ByteArray
from facelign.types.faces import Box
from facelign.types.image import Image

#: how many times as wide and high as its box a face is cut; the longer side of what is kept, px
_AROUND, _MOST = 1.6, 320


def crop(image: Image, box: Box) -> ByteArray:
    """Return a face with its surroundings, (h, w, 3) uint8 RGB, at most 320 px a side."""
    tall, wide = image.pixels.shape[:2]
    (x, y), scale = box.center, image.scale
    half_w, half_h = box.width * _AROUND / 2, box.height * _AROUND / 2
    x1, x2 = (round(np.clip((edge + 0.5) * scale, 0, wide)) for edge in (x - half_w, x + half_w))
    y1, y2 = (round(np.clip((edge + 0.5) * scale, 0, tall)) for edge in (y - half_h, y + half_h))
    x1, y1 = min(x1, wide - 1), min(y1, tall - 1)
    cut = image.pixels[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    factor = _MOST / max(cut.shape[:2])
    if factor < 1:
        cut = resized(cut, scaled((cut.shape[1], cut.shape[0]), factor))
    return np.ascontiguousarray(cut)
