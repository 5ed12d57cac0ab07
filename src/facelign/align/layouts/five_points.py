"""five points: the template of ArcFace on a chip of any size, for models whose layout is another.

No model was trained on it, so it is in no list of layouts (it has no ``LAYOUTS``): it is there for
comparing alignments.
"""

from __future__ import annotations

from facelign.align.layouts.arcface_112 import Arcface112
from facelign.geometry.templates import ARCFACE_FIVE


class FivePoints(Arcface112):
    """ArcFace's five points; 68 points are reduced to five."""

    def __init__(self, size: int) -> None:
        self.id = f"five-{size}"
        self.size = (size, size)
        self.template = (ARCFACE_FIVE + 0.5) * (size / 112) - 0.5
