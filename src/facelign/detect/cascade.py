"""Boosted cascades over a sliding window, run by OpenCV: what detectors of any view share.

A model file holds the record of its cascade file and a class that names what it finds. Viola and
Jones, CVPR 2001; Lienhart and Maydt, ICIP 2002.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.pyramid import reduced
from facelign.errors import ConfigError
from facelign.geometry.boxes import from_xywh
from facelign.runtime.onnx import OnnxOptions
from facelign.runtime.opencv import cascade
from facelign.types.arrays import Float32Array, Float64Array
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import ModelSpec


@dataclass(frozen=True, slots=True)
class CascadeOptions:
    """Options of the cascade.

    scale_factor: step of the pyramid, above 1. neighbors: how many overlapping windows make a
    face. min_px: smallest face, px of the picture that is searched. max_side: longer photos are
    reduced to it. score_threshold: smallest score, 0..1.
    """

    scale_factor: float = 1.1
    neighbors: int = 5
    min_px: int = 24
    max_side: int = 2000
    score_threshold: float = 0.5

    def __post_init__(self) -> None:
        if not self.scale_factor > 1.0:
            raise ConfigError(f"scale_factor: wanted more than 1, got {self.scale_factor}.")
        if self.neighbors < 0 or self.min_px < 1 or self.max_side < 1:
            raise ConfigError("neighbors, min_px, max_side: wanted positive whole numbers.")
        if not 0.0 <= self.score_threshold <= 1.0:
            raise ConfigError(f"score_threshold: wanted 0 to 1, got {self.score_threshold}.")


#: weight of the last stage -> score: logistic fit of "is a face" on 238 rectangles of LFW,
#: mask_voc, dlib_faces and pictures without people; the weight has no unit and no bounds
_MIDDLE, _SLOPE = 2.2, 0.5


class _OwnClassifier(threading.local):
    """A classifier for every thread that asks: each has scratch memory of its own."""

    def __init__(self, path: Path) -> None:
        self.classifier = cascade(path)


class CascadeDetector(Detector):
    """Finds faces of one view, upright, without points."""

    Options = CascadeOptions

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: CascadeOptions, engine: OnnxOptions
    ) -> None:
        self.spec = spec
        self.options = options
        self.wants_px = options.max_side
        self.score_floor = options.score_threshold
        self.sure_score = max(0.85, options.score_threshold)
        self._own = _OwnClassifier(files[spec.weights[0].name])

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        o = self.options
        picture, plane = reduced(image.pixels, o.max_side)
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        rectangles, _, weights = self._own.classifier.detectMultiScale3(
            gray, o.scale_factor, o.neighbors, 0, (o.min_px, o.min_px), outputRejectLevels=True
        )
        boxes = from_xywh(np.asarray(rectangles, np.float32).reshape(-1, 4))
        scores = score_of(np.asarray(weights, np.float64).reshape(-1))
        keep = np.flatnonzero(scores >= o.score_threshold)
        points = np.zeros((len(boxes), 0, 2), np.float32)
        found = Candidates(boxes, scores, points)[keep].back(plane)
        return found.faces(self.spec.id, image, None)


def score_of(weights: Float64Array) -> Float32Array:
    """Return scores in (0, 1) of stage weights (n,): 0.5 where half of the windows are faces."""
    bent = np.clip(_SLOPE * (weights - _MIDDLE), -math.log(1e6), math.log(1e6))
    return np.asarray(1.0 / (1.0 + np.exp(-bent)), np.float32)
