"""dlib-150: the chip of dlib's face recognition, 150 x 150 px, padding 0.25.

From dlib's 5 or 68 points it is dlib's own chip, byte for byte (``align.dlib_chip``). From five
points (eye centers, nose tip, mouth corners) it is an ordinary warp in the same frame: the places
are those of dlib's 68-point mean shape, fitted from the template to the photo, and the template
moved by half a pixel, because dlib's chip pixel i stands for template coordinate i + 0.5. Either
of the two left out moves descriptors by 0.05 to 0.2.
"""

from __future__ import annotations

import numpy as np

from facelign.align.dlib_chip import PADDING, SIZE, rectangle_of, to_photo
from facelign.align.fitting import check_face, each, landmarks_by
from facelign.geometry.transforms import invert, similarity
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces
from facelign.types.schemes import FIVE

#: right eye, left eye, nose tip, right and left mouth corner in the face's square
_FIVE = np.array(
    [[0.2255, 0.2155], [0.7547, 0.2155], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]]
)
#: the same in chip px (5, 2)
FIVE_ON_CHIP: Float64Array = (PADDING + _FIVE) / (2 * PADDING + 1) * SIZE - 0.5


class Dlib150(Layout):
    """The layout dlib-150; it has no options, because other chips would be another layout."""

    id = "dlib-150"
    size = (SIZE, SIZE)
    needs: tuple[str, ...] = ("dlib-5", "ibug-68", "five")
    #: dlib's own sampling for dlib's points; ``align.chips`` warps when ``five`` placed the chip
    sampling = "dlib"
    #: where the five points lie on the chip, px
    template = FIVE_ON_CHIP

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        landmarks = landmarks_by(self.needs, faces)
        scheme = landmarks.scheme.id

        def one(index: int) -> Float64Array:
            points = landmarks.points[index]
            if scheme == FIVE.id:
                check_face(points, scheme)
                return invert(similarity(FIVE_ON_CHIP, points))
            # dlib's points are not judged: dlib gives a chip for whatever they are
            return invert(to_photo(rectangle_of(points, scheme)))

        return each(len(faces), one)


LAYOUTS = (Dlib150,)
