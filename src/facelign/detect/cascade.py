"""Boosted cascades over a sliding window, run by OpenCV: what detectors of any view share.

A model file holds the record of its cascade file and a class that names what it finds. Viola and
Jones, CVPR 2001; Lienhart and Maydt, ICIP 2002.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import cv2
import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.pyramid import copy_of
from facelign.errors import ConfigError
from facelign.geometry.boxes import from_xywh
from facelign.runtime.onnx import OnnxOptions
from facelign.runtime.opencv import cascade
from facelign.types import specs
from facelign.types.contracts import Detector, WeightPaths
from facelign.types.faces import Faces
from facelign.types.image import Image


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


class CascadeDetector(Detector):
    """Finds faces of one view, upright, without points."""

    Options = CascadeOptions

    def __init__(
        self,
        spec: specs.ModelSpec,
        files: WeightPaths,
        options: CascadeOptions,
        engine: OnnxOptions,
    ) -> None:
        self.spec = spec
        self.options = options
        self.wants_px = options.max_side
        self.score_floor = options.score_threshold
        self.sure_score = max(0.85, options.score_threshold)
        self._path = files[spec.weights[0].name]
        # a classifier has scratch memory of its own, so every thread gets one
        self._threads = threading.local()
        self._classifier()

    def detect(self, image: Image) -> Faces:
        """Return the faces of ``image`` by falling score, in the plane of ``image.size``."""
        h, w = image.pixels.shape[:2]
        o = self.options
        copy = copy_of((w, h), o.max_side, strip_px=w * h + 1, overlap=1)
        gray = cv2.cvtColor(copy.render(image.pixels), cv2.COLOR_RGB2GRAY)
        rectangles, _, weights = self._classifier().detectMultiScale3(
            gray, o.scale_factor, o.neighbors, 0, (o.min_px, o.min_px), outputRejectLevels=True
        )
        boxes = from_xywh(np.asarray(rectangles, np.float32).reshape(-1, 4))
        scores = score_of(np.asarray(weights, np.float64).reshape(-1))
        keep = np.flatnonzero(scores >= o.score_threshold)
        points = np.zeros((len(boxes), 0, 2), np.float32)
        found = Candidates(boxes, scores, points)[keep].back(copy.plane)
        return found.faces(self.spec.id, image, None)

    def _classifier(self) -> cv2.CascadeClassifier:
        mine: cv2.CascadeClassifier | None = getattr(self._threads, "cascade", None)
        if mine is None:
            mine = self._threads.cascade = cascade(self._path)
        return mine


def score_of(
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return scores in (0, 1) of stage weights (n,): 0.5 where half of the windows are faces."""
    bent = np.clip(_SLOPE * (weights - _MIDDLE), -math.log(1e6), math.log(1e6))
    return (1.0 / (1.0 + np.exp(-bent))).astype(np.float32)
