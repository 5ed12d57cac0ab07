"""square: the upright square over the longer side of the box, as ``eyes`` without the turn.

No model was trained on it, so it is in no list of layouts (it has no ``LAYOUTS``): it is there for
comparing alignments.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from facelign.align.fitting import each
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces


class Square(Layout):
    """The square over the longer side of the box. Faces that are turned stay turned."""

    needs: tuple[str, ...] = ("box",)
    scaled_by: Literal["points", "box"] = "box"

    def __init__(self, size: int) -> None:
        self.id = f"square-{size}"
        self.size = (size, size)

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px."""

        def one(index: int) -> Float64Array:
            box = faces.boxes[index].astype(np.float64)
            side = max(box[2] - box[0], box[3] - box[1])
            scale, center = self.size[0] / side, (box[:2] + box[2:]) / 2
            shift = (self.size[0] - 1) / 2 - scale * center
            return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])

        return each(len(faces), one)
