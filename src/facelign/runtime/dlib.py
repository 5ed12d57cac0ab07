"""dlib as an engine: the only module that imports it (extra ``dlib``)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from facelign.errors import ExtraMissing
from facelign.types.arrays import ByteArray, Float64Array, IntArray


class FrontalFaceDetector:
    """dlib's HOG detector, whose weights are part of dlib itself.

    A detector keeps scratch memory of its own: use one per thread.
    """

    def __init__(self) -> None:
        try:
            dlib: Any = import_module("dlib")
        except ImportError as problem:
            raise ExtraMissing(
                "This needs dlib, which is not installed.", "Run: pip install 'facelign[dlib]'"
            ) from problem
        self._detector = dlib.get_frontal_face_detector()

    def run(
        self, pixels: ByteArray, upsample: int, threshold: float
    ) -> tuple[IntArray, Float64Array]:
        """Return rectangles (n, 4) int64, left, top, right, bottom, inclusive, and scores (n,).

        pixels: (h, w, 3) uint8 RGB. upsample: how often the photo is doubled first. threshold:
        smallest score. Rectangles may leave the photo.
        """
        found, scores, _ = self._detector.run(np.ascontiguousarray(pixels), upsample, threshold)
        rectangles = [(r.left(), r.top(), r.right(), r.bottom()) for r in found]
        return (
            np.array(rectangles, np.int64).reshape(-1, 4),
            np.array(list(scores), np.float64).reshape(-1),
        )
