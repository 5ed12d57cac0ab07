"""Networks for points that were trained here: a square around the box goes in, shares come out.

Output: x and y of each point as shares of the side, counted from the edge of the first pixel. Such
a network has a record of its own beside it (``models add``), which is like this one; there is no
model of this name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facelign.errors import ModelMismatch
from facelign.geometry.letterbox import PlaneMap
from facelign.landmark.by_box import LandmarkerByBox
from facelign.landmark.square import squared
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.image import Image
from facelign.types.options import Option, OptionSet

READINGS = (
    specs.ModelSpec.of(
        "square",
        "facelign.landmark.models.square:SquareLandmarker",
        specs.WeightFile("square.onnx", (specs.Source.file("", sha256="", size=0),)),
        input=specs.InputSpec((112, 112), std=(255.0,) * 3),
        output=specs.LandmarkerOutput("ibug-68"),
        license=specs.License("Apache-2.0", "none", "none", "yes"),
    ),
)


@dataclass(frozen=True, slots=True)
class SquareOptions(OptionSet):
    """What the network is shown."""

    margin: Annotated[
        float, Option("Shown beyond the box on every side, as a share of its longer side.")
    ] = 0.25


class SquareLandmarker(LandmarkerByBox):
    """Places points in squares around the boxes of faces."""

    Options = SquareOptions  # type: ignore[assignment]
    options: SquareOptions  # type: ignore[assignment]

    def placed(self, image: Image, box: AnyArray) -> Float32Array:
        """Return the points of a face; see ``LandmarkerByBox``."""
        size = self.spec.input.size
        if size is None or size[0] != size[1]:
            raise ModelMismatch(
                f"The record of '{self.spec.id}' says no square.",
                "Write [input] size = [112, 112].",
            )
        photo = PlaneMap((image.scale, image.scale))
        inner = photo.forward(np.asarray(box, np.float64).reshape(2, 2)).reshape(4)
        picture, onto = squared(image.pixels, inner, self.options.margin, size[0])
        shares = np.asarray(self.run(picture)[0], np.float64).reshape(-1, 2)
        if len(shares) != self.scheme.k:
            raise ModelMismatch(
                f"'{self.spec.id}' gives {len(shares)} points, its record says {self.scheme.k}.",
                "Name the scheme that it was trained on under [output].",
            )
        return photo.then(onto).back(shares * size[0] - 0.5)
