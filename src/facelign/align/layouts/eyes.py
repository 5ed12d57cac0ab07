"""eyes: the photo is turned until the eyes are level, then the box is cut out.

The alignment of Serengil 2020 (A1-03), and of deepface: trigonometry with the two eyes, a turn
and no scale by the points, so that eyes do not come to lie on fixed pixels. The turn is about the
center of the box, which therefore stays where it is; the square over the longer side of the box
is cut and scaled to the chip. deepface keeps the box's aspect and pads with black instead, and the
article turns the whole photo and detects again; a square with the aspect kept is the same picture
without the black bars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelign.align.fitting import (
    CLOSEST_PX,
    check_chip,
    check_face,
    each,
    eye_centers,
    landmarks_by,
)
from facelign.errors import DegenerateLandmarks
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces

#: times the box that ``eyes-wide`` shows
_WIDE = 1.3


@dataclass(frozen=True, slots=True)
class EyesOptions:
    """size: side of the chip, px. margin: px of the photo that the square grows by, in all."""

    size: int = 224
    margin: float = 0.0

    def __post_init__(self) -> None:
        check_chip(self.size, self.margin, "224 and 0")


class Eyes(Layout):
    """Rotation only, by the centers of the two eyes; eyes end up level and above the mouth."""

    needs: tuple[str, ...] = ("five", "ibug-68", "dlib-5", "blaze-6")
    scaled_by: Literal["points", "box"] = "box"

    def __init__(self, *, size: int = 224, margin: float = 0.0) -> None:
        self.options = EyesOptions(size, margin)
        parts = ["eyes"]
        if self.options != EyesOptions():
            parts += [str(size), f"{margin:g}"]
        self.id = "-".join(parts)
        self.size = (size, size)

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        landmarks = landmarks_by(self.needs, faces)
        if landmarks.scheme.id == "ibug-68":
            landmarks = landmarks.as_scheme("five")

        def one(index: int) -> Float64Array:
            points = landmarks.points[index]
            check_face(points, landmarks.scheme.id)
            right, left = eye_centers(points, landmarks.scheme.id)
            return self._turned(left - right, faces.boxes[index].astype(np.float64))

        return each(len(faces), one)

    def _turned(self, across: Float64Array, box: Float64Array) -> Float64Array:
        if math.hypot(*across) < CLOSEST_PX:
            raise DegenerateLandmarks("The eyes fall together.")
        angle = math.atan2(across[1], across[0])
        side = max(box[2] - box[0], box[3] - box[1]) + self.options.margin
        cos, sin = math.cos(angle), math.sin(angle)
        linear = np.array([[cos, sin], [-sin, cos]]) * (self.size[0] / side)
        center, middle = (box[:2] + box[2:]) / 2, (self.size[0] - 1) / 2
        shift = np.array([middle, middle]) - linear @ center
        return np.concatenate([linear, shift[:, None]], axis=1)


class EyesWide(Eyes):
    """As ``eyes``, with what is around the face: the square of 1.3 times the box, 224 px."""

    def __init__(self, *, size: int = 224) -> None:
        super().__init__(size=size)
        self.id = "eyes-wide" if size == EyesOptions().size else f"eyes-wide-{size}"

    def _turned(self, across: Float64Array, box: Float64Array) -> Float64Array:
        half = (box[2:] - box[:2]) * (_WIDE / 2)
        middle = (box[:2] + box[2:]) / 2
        return super()._turned(across, np.concatenate([middle - half, middle + half]))


LAYOUTS = (Eyes, EyesWide)
