"""crop: the box and a margin, scaled to a square; no points, no turn.

The facenet aligner (davidsandberg/facenet, align_dataset_mtcnn.py): the box grows by half of
``margin`` on each side, in pixels of the photo, is clipped to the photo and stretched to a square
(the aspect is not kept). 160 and 32 are facenet's; the source article takes 224 and 32. The aligner
cuts at whole pixels; here nothing is rounded, which moves edges by up to a pixel. Margins that grow
with the face (facenet-pytorch) are another thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelign.align.fitting import check_chip, each
from facelign.errors import DegenerateLandmarks
from facelign.geometry.boxes import clip
from facelign.types.arrays import Float64Array
from facelign.types.contracts import Layout
from facelign.types.faces import Faces


@dataclass(frozen=True, slots=True)
class CropOptions:
    """size: side of the chip, px. margin: px of the photo around the box, both sides together.

    height: of a chip that is no square, px; 0 for a square.
    """

    size: int = 160
    margin: float = 32.0
    height: int = 0

    def __post_init__(self) -> None:
        check_chip(self.size, self.margin, "160 and 32, or 224 and 32", height=self.height)


class Crop(Layout):
    """The box with a margin. Faces that are turned in the photo are turned in the chip."""

    needs: tuple[str, ...] = ("box",)
    scaled_by: Literal["points", "box"] = "box"

    def __init__(self, *, size: int = 160, margin: float = 32.0, height: int = 0) -> None:
        self.options = CropOptions(size, margin, height)
        sides = f"{size}x{height}" if height else f"{size}"
        self.id = "crop" if self.options == CropOptions() else f"crop-{sides}-{margin:g}"
        self.size = (size, height or size)

    def fit(self, faces: Faces) -> Float64Array:
        """Return (n, 2, 3) float64, photo px -> chip px.

        Raises DegenerateLandmarks(indices) for boxes that leave less than a pixel in the photo.
        """
        grow = np.array([-1.0, -1.0, 1.0, 1.0]) * (self.options.margin / 2)
        boxes = clip(faces.boxes.astype(np.float64) + grow, faces.image_size)

        def one(index: int) -> Float64Array:
            x1, y1, x2, y2 = boxes[index]
            if x2 - x1 < 1 or y2 - y1 < 1:
                raise DegenerateLandmarks("The box lies outside of the photo.")
            sx, sy = self.size[0] / (x2 - x1), self.size[1] / (y2 - y1)
            # The edge x1 of the box becomes the edge -0.5 of the chip.
            return np.array([[sx, 0.0, -0.5 - sx * x1], [0.0, sy, -0.5 - sy * y1]])

        return each(len(faces), one)


LAYOUTS = (Crop,)
