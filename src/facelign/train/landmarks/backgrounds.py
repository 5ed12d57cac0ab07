"""Other pictures behind annotated faces: a set from one studio teaches its wall with its faces.

What is kept of a face is the hull of its points, reached up for the forehead and with a soft edge;
of a scheme without points of the jaw the hull is widened, and is a guess.
No network cuts it out, so hair, ears and neck go with the wall, and a halo may stay: that is enough
to take the wall from what is learned, and no picture of a person elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from facelign.errors import ConfigError, FacelignError
from facelign.files import disk
from facelign.files.home import expanded
from facelign.imaging.listing import photos
from facelign.imaging.read import read
from facelign.imaging.resize import resized
from facelign.types.arrays import BoolArray, ByteArray, Float64Array
from facelign.types.schemes import FIVE, REDUCTIONS, SCHEMES
from facelign.types.wording import counted

#: bytes of pictures that are held; of a larger folder as many as fit, evenly spread
_MOST = 128 << 20
#: a picture is held larger than the crop, so that each time another part of it is seen
_LARGER = 1.3
#: how much the hull is widened, with points of the jaw and without, how far it reaches up (share of
#: its height), and the softness of its edge (of the side)
_WIDER, _BARE, _FOREHEAD, _SOFT = 1.08, 1.9, 0.3, 0.02
#: scheme -> the points that each of five is the middle of
_FIVE_OF = {scheme: groups for (scheme, to), groups in REDUCTIONS.items() if to == FIVE.id}


class Backgrounds:
    """Pictures of a folder, ready to stand behind faces in squares of ``side`` px.

    digest: SHA-256 of all files. unread: how many could not be read.
    """

    def __init__(self, folder: str, side: int) -> None:
        """Read the pictures; raises ConfigError where there are none."""
        place = expanded(folder)
        files = [Path(path) for path in photos([place]).files] if place.is_dir() else []
        self.side, self.unread = side, 0
        large = round(side * _LARGER)
        most = max(1, _MOST // (3 * large * large))
        if len(files) > most:
            files = [files[n] for n in np.linspace(0, len(files) - 1, most).astype(int)]
        self.pictures: list[ByteArray] = []
        for path in files:
            try:
                self.pictures.append(_square(read(path).full().pixels, large))
            except FacelignError:
                self.unread += 1
        if not self.pictures:
            raise ConfigError(
                f"There are no pictures in {place}.",
                "Name a folder of them in augment.backgrounds.",
            )
        self.digest = disk.digest("".join(map(disk.digest, files)).encode())

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def words(self) -> str:
        """How many there are, in words."""
        unread = f"; {self.unread} could not be read" if self.unread else ""
        return f"{counted(len(self), 'picture')} may stand behind faces{unread}."

    def one(self, rng: np.random.Generator) -> ByteArray:
        """Return a part (side, side, 3) of one of the pictures, mirrored or not."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        x, y = rng.integers(0, len(picture) - self.side + 1, 2)
        part = picture[y : y + self.side, x : x + self.side]
        return part[:, ::-1] if rng.random() < 0.5 else part


def placed_before(
    background: ByteArray,
    picture: ByteArray,
    points: Float64Array,
    seen: BoolArray,
    scheme: str,
) -> ByteArray:
    """Return a crop (side, side, 3) with its face before another background.

    points: (k, 2) px of the crop, of ``scheme``. A face of which fewer than three points are seen
    stays as it is.
    """
    if seen.sum() < 3:
        return picture
    mask = face_mask(points, seen, scheme, len(picture))[..., None]
    return np.rint(picture * mask + background * (1 - mask)).astype(np.uint8)


def face_mask(points: Float64Array, seen: BoolArray, scheme: str, side: int) -> Float64Array:
    """Return (side, side), 1 where the face is and 0 where it is not, soft at the edge."""
    up = _upwards(points, seen, scheme)
    known = points[seen]
    middle = (known.min(axis=0) + known.max(axis=0)) / 2
    outlined = bool({"jaw", "oval"} & SCHEMES[scheme].groups.keys())
    wide = middle + (_WIDER if outlined else _BARE) * (known - middle)
    tall = np.ptp(known @ up)
    both = np.concatenate([wide, wide + _FOREHEAD * tall * up]).clip(-4 * side, 5 * side)
    mask = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(both).astype(np.int32)), 255)
    soft = cv2.GaussianBlur(mask.astype(np.float64) / 255, (0, 0), max(_SOFT * side, 0.5))
    return np.asarray(soft, np.float64)


def _upwards(points: Float64Array, seen: BoolArray, scheme: str) -> Float64Array:
    """Return the direction (2,) from mouth to eyes; that of the picture where it is not told."""
    groups = _FIVE_OF.get(scheme)
    if groups is not None and all(seen[list(group)].any() for group in groups):
        five = np.stack([points[[i for i in g if seen[i]]].mean(axis=0) for g in groups])
        along = five[:2].mean(axis=0) - five[3:].mean(axis=0)
        length = float(np.linalg.norm(along))
        if length > 1e-6:
            return np.asarray(along / length, np.float64)
    return np.array([0.0, -1.0])


def _square(pixels: ByteArray, side: int) -> ByteArray:
    """Return the middle square of a picture, of a side."""
    short = min(pixels.shape[:2])
    top, left = ((length - short) // 2 for length in pixels.shape[:2])
    return resized(pixels[top : top + short, left : left + short], (side, side))
