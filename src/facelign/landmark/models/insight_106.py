"""InsightFace's 106 points by coordinates: a small network on a square around the box.

Origin: deepinsight/insightface, 2d106det of its model packs; weights for research only. Input: RGB
as it is (the graph scales), 192 x 192: a square of one and a half times the longer side of the box.
Output: places in -1..1.

Known limits: its numbering is InsightFace's own, not that of JD-landmark; one file, one size.
"""

from __future__ import annotations

import numpy as np

from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.imaging.resize import warped
from facelign.landmark.by_box import LandmarkerByBox
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array, Float64Array
from facelign.types.image import Image
from facelign.types.insightface_models import researched
from facelign.types.schemes import INSIGHT_106

#: side of what the network reads, px; how many times the longer side of the box it shows
_SIDE, _REACH = 192, 1.5
_RELEASE = "https://github.com/yakhyo/uniface/releases/download/weights"

SPECS = (
    specs.ModelSpec.of(
        "2d106",
        "facelign.landmark.models.insight_106:Insight106",
        specs.WeightFile.same(
            "2d106det.onnx",
            sha256="f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf",
            size=0,
            address=f"{_RELEASE}/2d106det.onnx",
        ),
        input=specs.InputSpec((_SIDE, _SIDE)),
        output=specs.LandmarkerOutput(INSIGHT_106.id),
        license=researched("not stated"),
        title="InsightFace, 106 points (research only)",
        origin="yakhyo/uniface 2d106det.onnx, a model of InsightFace",
        unseen="its file could not be had: the tests decode the outputs of a made network",
    ),
)


class Insight106(LandmarkerByBox):
    """Places 106 points around the boxes of faces."""

    def placed(self, image: Image, box: AnyArray) -> Float32Array:
        """Return the points of a face; see ``LandmarkerByBox``."""
        onto = _onto_square(box)
        square = warped(image.pixels, compose(onto, invert(scaling(image.scale))), (_SIDE, _SIDE))
        places = self.run(square)[0].reshape(-1, 2)
        points: Float32Array = apply(invert(onto), (places + 1) * (_SIDE / 2)).astype(np.float32)
        return points


def _onto_square(box: AnyArray) -> Float64Array:
    """Return the map of the photo onto the square, the box's middle in its middle, as published."""
    left, top, right, bottom = np.asarray(box, np.float64)
    scale = _SIDE / (max(right - left, bottom - top) * _REACH)
    x, y = _SIDE / 2 - scale * (left + right) / 2, _SIDE / 2 - scale * (top + bottom) / 2
    return np.array([[scale, 0, x], [0, scale, y]])
