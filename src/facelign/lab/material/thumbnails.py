"""Small pictures of faces and photos for reports."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.errors import FacelignError
from facelign.imaging.draw import fitted
from facelign.imaging.read import read
from facelign.imaging.write import encode
from facelign.lab.material.photos import Embedded
from facelign.report.page import Thumbnail
from facelign.types.arrays import ByteArray
from facelign.types.image import Image

#: side of a face in a wall of pairs and of one that appears under the pointer, px
FACE, SMALL = 112, 64
#: how much of its surroundings is shown with a face, of its height
MARGIN = 0.25


class Thumbnails:
    """Faces of the photos that were embedded, each cut once; photos that are gone give None."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded
        self._photo_of = embedded.photo_of
        self._cut: dict[tuple[int, int], Thumbnail | None] = {}

    def of_vector(self, row: int, side: int = FACE) -> Thumbnail | None:
        """Return the face that vector ``row`` is of."""
        place = self._photo_of.get(row)
        return None if place is None else self.face(place, side)

    def face(self, photo: int, side: int = FACE, caption: str | None = None) -> Thumbnail | None:
        """Return the chosen face of photo ``photo``, or the whole photo where none was found."""
        key = (photo, side)
        if key not in self._cut:
            self._cut[key] = self._made(photo, side)
        found = self._cut[key]
        if found is None or caption is None:
            return found
        return Thumbnail(found.data, caption)

    def _made(self, photo: int, side: int) -> Thumbnail | None:
        entry = self._embedded.photos[photo]
        row = int(self._embedded.rows[photo])
        try:
            image = read(entry.path)
        except FacelignError:
            return None
        face = self._embedded.faces[row] if row >= 0 else None
        pixels = fitted(image.pixels, side) if face is None else _square(image, face, side)
        return Thumbnail(encode(pixels, "jpeg", quality=80), entry.path.stem)


def whole(path: str | Path, side: int = 160) -> Thumbnail | None:
    """Return a whole photo, its long side reduced to ``side``; None where it cannot be read."""
    try:
        image = read(path)
    except FacelignError:
        return None
    return Thumbnail(encode(fitted(image.pixels, side), "jpeg", quality=80), Path(path).name)


def _square(image: Image, box: tuple[float, float, float, float], side: int) -> ByteArray:
    """Return a square around a face, filled with gray where the photo ends."""
    x1, y1, x2, y2 = ((edge + 0.5) * image.scale for edge in box)
    half = max(1.0, max(x2 - x1, y2 - y1) * (0.5 + MARGIN))
    left, top = round((x1 + x2) / 2 - half), round((y1 + y2) / 2 - half)
    edge = max(2, round(2 * half))
    tall, wide = image.pixels.shape[:2]
    canvas = np.full((edge, edge, 3), 128, np.uint8)
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + edge, wide), min(top + edge, tall)
    if right > x and bottom > y:
        canvas[y - top : bottom - top, x - left : right - left] = image.pixels[y:bottom, x:right]
    return fitted(canvas, side)
