"""five points: the template of ArcFace on a chip of any size, for models whose layout is another.

No model was trained on it, so it is in no list of layouts (it has no ``LAYOUTS``): it is there for
comparing alignments.
"""

from __future__ import annotations

from facelign.align.fitting import ARCFACE_FIVE, check_face, each, landmarks_by
from facelign.geometry.transforms import similarity
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces


class FivePoints(Layout):
    """ArcFace's five points; 68 points are reduced to five."""

    needs: tuple[str, ...] = ("five", "ibug-68")

    def __init__(self, size: int) -> None:
        self.id = f"five-{size}"
        self.size = (size, size)
        self._template = (ARCFACE_FIVE + 0.5) * (size / 112) - 0.5

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px; raises DegenerateLandmarks(indices)."""
        five = landmarks_by(self.needs, faces).as_scheme("five")

        def one(index: int) -> Float64Array:
            check_face(five.points[index], "five")
            return similarity(five.points[index], self._template)

        return each(len(faces), one)
