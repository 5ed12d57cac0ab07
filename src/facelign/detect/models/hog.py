"""dlib's HOG face detector: histograms of gradients under five linear windows, one per pose.

Paper: Dalal, Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005; King,
"Max-Margin Object Detection", arXiv 1502.00046. Runs in dlib itself (extra ``dlib``), which
carries the weights. Input: RGB. Output: square boxes, whole pixels, which may leave the photo.
Known limits: no face under about 80 px unless the photo is doubled (once by default, as
face_recognition does: 40 px); upright faces only.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import numpy as np

from facelign.detect.pyramid import doublings
from facelign.errors import ConfigError
from facelign.geometry.boxes import from_inclusive
from facelign.geometry.letterbox import PlaneMap
from facelign.runtime.dlib import FrontalFaceDetector
from facelign.runtime.onnx import OnnxOptions
from facelign.types import dlib_models, specs
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image

SPECS = (
    specs.ModelSpec.of(
        "hog",
        "facelign.detect.models.hog:Hog",
        engine=specs.Engine.DLIB,
        output=specs.DetectorOutput(scheme=None, smallest_px=40),
        license=specs.License(
            code=dlib_models.CODE,
            weights="Boost Software License 1.0 (part of dlib)",
            training_data="LFW photos, labeled by the author",
            commercial="yes",
        ),
        title="dlib HOG frontal face detector",
        paper="Dalal, Triggs: Histograms of Oriented Gradients for Human Detection, CVPR 2005, "
        "https://doi.org/10.1109/CVPR.2005.177",
        origin="davisking/dlib dlib/image_processing/frontal_face_detector.h",
        extra="dlib",
    ),
)


@dataclass(frozen=True, slots=True)
class HogOptions:
    """Options of the detector.

    upsample: how often the photo is doubled first (1 as face_recognition; 0 as dlib itself).
    score_threshold: dlib's is 0. max_pixels: a photo is not doubled beyond this; 0 for no bound.
    """

    upsample: int = 1
    score_threshold: float = 0.0
    max_pixels: int = 60_000_000

    def __post_init__(self) -> None:
        if not 0 <= self.upsample <= 4:
            raise ConfigError(f"upsample: wanted 0 to 4, got {self.upsample}.")
        if self.max_pixels < 0:
            raise ConfigError(f"max_pixels: wanted 0 or more, got {self.max_pixels}.")
        if not math.isfinite(self.score_threshold):
            raise ConfigError(f"score_threshold: wanted a number, got {self.score_threshold}.")


class _OwnDetector(threading.local):
    """A detector for every thread that asks: each has scratch memory of its own."""

    def __init__(self) -> None:
        self.detector = FrontalFaceDetector()


class Hog(Detector):
    """Finds upright faces as ``dlib.get_frontal_face_detector()`` does."""

    Options = HogOptions

    def __init__(
        self, spec: specs.ModelSpec, files: WeightPaths, options: HogOptions, engine: OnnxOptions
    ) -> None:
        self.spec = spec
        self.options = options
        self.score_floor = options.score_threshold
        self.sure_score = max(0.5, options.score_threshold)
        self._own = _OwnDetector()

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        image = image.full()
        o = self.options
        times = doublings(image, o.upsample, o.max_pixels or math.inf)
        rectangles, scores = self._own.detector.run(image.pixels, times, o.score_threshold)
        boxes = from_inclusive(rectangles)
        if image.scale != 1:  # no full size can be had
            boxes = PlaneMap((image.scale, image.scale)).boxes_back(boxes)
        return Faces(boxes, scores.astype(np.float32), None, self.spec.id, image.size).sorted()
