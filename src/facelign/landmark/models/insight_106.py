"""InsightFace's 106 points by coordinates: a small network on a square around the box.

Origin: deepinsight/insightface, 2d106det of its model packs; weights for research only. Input: RGB
as it is (the graph scales), 192 x 192: a square of one and a half times the longer side of the box.
Output: places in -1..1.

Known limits: its numbering is InsightFace's own, not that of JD-landmark; one file, one size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facelign.errors import ModelMismatch
from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.imaging.resize import warped
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array, Float64Array
from facelign.types.contracts import Landmarker, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
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
        license=specs.License(
            code="MIT (InsightFace)",
            weights="non-commercial research only (InsightFace)",
            training_data="not stated",
            commercial="no",
            note="InsightFace's README: its models are for non-commercial research purposes only.",
        ),
        title="InsightFace, 106 points (research only)",
        origin="yakhyo/uniface 2d106det.onnx, a model of InsightFace",
        unseen="its file could not be had: the tests decode the outputs of a made network",
    ),
)


@dataclass(frozen=True, slots=True)
class Insight106Options:
    """It has no options."""


class Insight106(Landmarker):
    """Places 106 points around the boxes of faces."""

    Options = Insight106Options

    def __init__(
        self,
        spec: specs.ModelSpec,
        files: WeightPaths,
        options: Insight106Options,
        engine: OnnxOptions,
    ) -> None:
        if not isinstance(spec.output, specs.LandmarkerOutput):
            raise ModelMismatch(f"The record of '{spec.id}' is not that of a landmarker.")
        self.spec, self.options = spec, options
        self.scheme = INSIGHT_106
        self._session = Session(files[spec.weights[0].name], engine)

    def locate(self, image: Image, faces: Faces) -> Faces:
        """Return the same faces with 106 points, in the plane of ``image.size``."""
        points = [self._placed(image, box) for box in faces.boxes]
        stacked = np.stack(points) if points else np.zeros((0, self.scheme.k, 2), np.float32)
        return faces.with_landmarks(Landmarks(stacked, self.scheme))

    def _placed(self, image: Image, box: AnyArray) -> Float32Array:
        onto = _onto_square(box)
        square = warped(image.pixels, compose(onto, invert(scaling(image.scale))), (_SIDE, _SIDE))
        # one by one: a face has the same points whoever is beside it
        feed = blob_of(square[None], self.spec.input)
        places = self._session.run({self._session.inputs[0].name: feed})[0].reshape(-1, 2)
        points: Float32Array = apply(invert(onto), (places + 1) * (_SIDE / 2)).astype(np.float32)
        return points


def _onto_square(box: AnyArray) -> Float64Array:
    """Return the map of the photo onto the square, the box's middle in its middle, as published."""
    left, top, right, bottom = np.asarray(box, np.float64)
    scale = _SIDE / (max(right - left, bottom - top) * _REACH)
    x, y = _SIDE / 2 - scale * (left + right) / 2, _SIDE / 2 - scale * (top + bottom) / 2
    return np.array([[scale, 0, x], [0, scale, y]])
