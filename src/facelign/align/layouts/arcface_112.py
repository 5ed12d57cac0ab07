"""arcface-112: five points onto the template of ArcFace, by a similarity fitted photo -> chip.

The layout of SFace, MobileFaceNet, ArcFace and most recognizers since SphereFace.
The direction of the fit and pixel centers at whole numbers are those of the published code
(insightface face_align.py; OpenCV's FaceRecognizerSF.alignCrop gives the same matrix to 1e-3 px).
"""

from __future__ import annotations

import numpy as np

from facelign.align.fitting import check_face, each, landmarks_by
from facelign.errors import ConfigError
from facelign.geometry.templates import ARCFACE_FIVE
from facelign.geometry.transforms import similarity
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces


class Arcface112(Layout):
    """The ArcFace layout. 68 points are reduced to five; other schemes have no mouth corners."""

    needs: tuple[str, ...] = ("five", "ibug-68")

    def __init__(self, *, size: int = 112) -> None:
        self.template = template(size)
        self.id = f"arcface-{size}"
        self.size = (size, size)

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        five = landmarks_by(self.needs, faces).as_scheme("five")

        def one(index: int) -> Float64Array:
            check_face(five.points[index], "five")
            return similarity(five.points[index], self.template)

        return each(len(faces), one)


def template(size: int) -> Float64Array:
    """Return the five points (5, 2) on a chip of ``size`` px.

    A multiple of 112 scales the template; a multiple of 128 scales it by size/128 and moves it by
    8 px of a 128 px chip to the right, as insightface does. Other sizes are refused: ConfigError.
    """
    if size > 0 and size % 112 == 0:
        scale, right = size / 112, 0.0
    elif size > 0 and size % 128 == 0:
        scale, right = size / 128, 8.0
    else:
        raise ConfigError(
            f"The ArcFace template is defined for multiples of 112 and of 128 px, not for {size}.",
            "Take 112, 128, 224 or 256.",
        )
    points: Float64Array = (ARCFACE_FIVE + np.array([right, 0.0])) * scale
    return points


LAYOUTS = (Arcface112,)
