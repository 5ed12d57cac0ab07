"""dlib-150: the chip of dlib's face recognition, 150 x 150 px, padding 0.25.

From dlib's 5 or 68 points it is dlib's own chip, byte for byte (``align.dlib_chip``). From five
points (eye centers, nose tip, mouth corners) it is an ordinary warp in the same frame: the places
are those of dlib's 68-point mean shape, fitted from the template to the photo, and the template
moved by half a pixel, because dlib's chip pixel i stands for template coordinate i + 0.5. Either
of the two left out moves descriptors by 0.05 to 0.2 (MEASURED 4, 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facelign.align.dlib_chip import PADDING, SIZE, TEMPLATES, rectangle_of, to_photo
from facelign.errors import DegenerateLandmarks, ModelMismatch
from facelign.geometry.transforms import invert, similarity
from facelign.types.arrays import Float64Array, FloatArray
from facelign.types.contracts import Sampling
from facelign.types.faces import Faces

#: right eye, left eye, nose tip, right and left mouth corner in the face's square (MEASURED 4)
_FIVE = np.array(
    [[0.2255, 0.2155], [0.7547, 0.2155], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]]
)
#: the same in chip px (5, 2)
FIVE_ON_CHIP: Float64Array = (PADDING + _FIVE) / (2 * PADDING + 1) * SIZE - 0.5


@dataclass(frozen=True, slots=True)
class Dlib150:
    """The layout dlib-150; it has no options, because other chips would be another layout."""

    id: ClassVar[str] = "dlib-150"
    size: ClassVar[tuple[int, int]] = (SIZE, SIZE)
    needs: ClassVar[tuple[str, ...]] = ("dlib-5", "ibug-68", "five")
    #: dlib's own sampling for dlib's points; ``align.chips`` warps when ``five`` placed the chip
    sampling: ClassVar[Sampling] = Sampling("dlib")

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        landmarks = faces.landmarks
        if landmarks is None:
            raise ModelMismatch(
                "The layout dlib-150 aligns by points, and these faces have none.",
                "Choose a detector that gives points, or the landmarker dlib-5.",
            )
        scheme = landmarks.scheme.id
        if scheme not in TEMPLATES:
            landmarks, scheme = landmarks.as_scheme("five"), "five"
        matrices, failed = np.zeros((len(faces), 2, 3)), []
        for index, points in enumerate(landmarks.points):
            try:
                matrices[index] = _to_chip(points, scheme)
            except DegenerateLandmarks:
                failed.append(index)
        if failed:
            raise DegenerateLandmarks(
                f"{len(failed)} of {len(faces)} faces have points that no chip fits.",
                "Leave them out, or look at the photo with another detector.",
                failed,
            )
        return matrices


def _to_chip(points: FloatArray, scheme: str) -> Float64Array:
    if scheme == "five":
        return invert(similarity(FIVE_ON_CHIP, points))
    return invert(to_photo(rectangle_of(points, scheme)))


LAYOUTS = (Dlib150,)
