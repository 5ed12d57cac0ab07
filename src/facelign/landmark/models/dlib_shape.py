"""dlib's shape predictors: 5 points (eye corners, nose base) and the 68 of 300-W.

Paper: Kazemi, Sullivan, "One millisecond face alignment with an ensemble of regression trees",
CVPR 2014. Input: any photo and the box of a detector; gray is (R + G + B) // 3. Output: whole
pixels, the very points of dlib given the same box. Known limits: trained on the boxes of dlib's
detectors (68: HOG), other boxes give worse points; near-frontal faces.
"""

from __future__ import annotations

import numpy as np

from facelign.errors import ModelMismatch
from facelign.geometry.letterbox import PlaneMap
from facelign.landmark.by_box import scheme_of
from facelign.landmark.regressor import Cascades
from facelign.runtime.onnx import OnnxOptions
from facelign.types import dlib_models, specs
from facelign.types.arrays import Float32Array, IntArray
from facelign.types.contracts import Landmarker, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.options import NoOptions


def _record(
    points: int, scheme: str, sha256: str, size: int, *, title: str, license: specs.License
) -> specs.ModelSpec:
    """Return the record of the predictor of so many points."""
    name = f"shape_predictor_{points}_face_landmarks.dat"
    weights = dlib_models.weights(name, sha256, size, "dlib-shape")
    return specs.ModelSpec.of(
        f"dlib-{points}",
        "facelign.landmark.models.dlib_shape:DlibShape",
        weights,
        engine=specs.Engine.NUMPY,
        output=specs.LandmarkerOutput(scheme),
        license=license,
        title=title,
        paper="Kazemi, Sullivan: One millisecond face alignment with regression trees, CVPR 2014, "
        "https://doi.org/10.1109/CVPR.2014.241",
        origin=f"davisking/dlib-models {name}",
    )


SPECS = (
    _record(
        5,
        "dlib-5",
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        9_150_489,
        title="dlib shape predictor, 5 points",
        license=dlib_models.free(
            "dlib 5-point face landmark data set, 7,198 faces, made by the author", note=""
        ),
    ),
    _record(
        68,
        "ibug-68",
        "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        99_693_937,
        title="dlib shape predictor, 68 points of 300-W (research only)",
        license=specs.License.closed(
            dlib_models.CODE,
            "research only: trained on 300-W, whose license excludes commercial use",
            "iBUG 300-W",
            "dlib-models README: ask Imperial College London before any commercial use.",
        ),
    ),
)


class DlibShape(Landmarker):
    """Places dlib's 5 or 68 points inside the boxes of faces."""

    Options = NoOptions

    def __init__(
        self, spec: specs.ModelSpec, files: WeightPaths, options: NoOptions, engine: OnnxOptions
    ) -> None:
        self.scheme = scheme_of(spec)
        self.spec = spec
        self.options = options
        self._cascades = Cascades(files[spec.weights[0].name])
        if self._cascades.points != self.scheme.k:
            raise ModelMismatch(
                f"'{spec.id}' should give {self.scheme.k} points, "
                f"its file gives {self._cascades.points}."
            )

    def locate(self, image: Image, faces: Faces) -> Faces:
        """Return the same faces with dlib's points, whole pixels of the file."""
        image = image.full()
        if image.scale == 1:
            wholes = self._cascades.locate(image.pixels, whole_rectangles(faces.boxes))
            return faces.with_landmarks(Landmarks(wholes.astype(np.float32), self.scheme))
        plane = PlaneMap((image.scale, image.scale))  # no full size can be had
        boxes = plane.forward(faces.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
        wholes = self._cascades.locate(image.pixels, whole_rectangles(boxes))
        points = plane.back(wholes.astype(np.float32))
        return faces.with_landmarks(Landmarks(points, self.scheme))


def whole_rectangles(boxes: Float32Array) -> IntArray:
    """Return dlib's rectangles (n, 4) int64, inclusive whole pixels, of boxes (n, 4).

    The exact inverse of what dlib's detectors become as boxes: pixels l..r cover the edges
    l - 0.5 to r + 0.5. Other boxes are rounded; a rectangle is at least two pixels wide.
    """
    low = np.floor(boxes[:, :2].astype(np.float64) + 1.0).astype(np.int64)
    high = np.floor(boxes[:, 2:].astype(np.float64)).astype(np.int64)
    return np.concatenate([low, np.maximum(high, low + 1)], axis=1)
