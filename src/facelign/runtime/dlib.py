"""dlib as an engine: the only module that imports it (extra ``dlib``)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import ExtraMissing
from facelign.files import disk
from facelign.types.arrays import ByteArray, Float64Array, IntArray


def needs() -> Any:
    """Return dlib; raises ExtraMissing where it is not installed."""
    try:
        return import_module("dlib")
    except ImportError as problem:
        raise ExtraMissing(
            "This needs dlib, which is not installed.", "Run: pip install 'facelign[dlib]'"
        ) from problem


class FrontalFaceDetector:
    """dlib's HOG detector, whose weights are part of dlib itself.

    A detector keeps scratch memory of its own: use one per thread.
    """

    def __init__(self) -> None:
        self._detector = needs().get_frontal_face_detector()

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


def train_shape_predictor(
    pictures: Sequence[ByteArray],
    rectangle: tuple[int, int, int, int],
    points: IntArray,
    out: Path,
    **options: Any,
) -> None:
    """Train cascades of regression trees and write them as dlib's file (Kazemi, Sullivan 2014).

    pictures: n of (h, w, 3) uint8 RGB, a face each. rectangle: left, top, right, bottom of that
    face, inclusive, the same in all. points: (n, k, 2) whole px; dlib's sign for a part that is not
    in the picture is not known to its Python side. options: of dlib's
    ``shape_predictor_training_options``. Raises ExtraMissing.
    """
    dlib = needs()
    asked = dlib.shape_predictor_training_options()
    for name, value in options.items():
        setattr(asked, name, value)
    box = dlib.rectangle(*rectangle)
    faces = []
    for marks in points.tolist():
        parts = [dlib.point(*mark) for mark in marks]
        faces.append([dlib.full_object_detection(box, parts)])
    predictor = dlib.train_shape_predictor([*pictures], faces, asked)
    with disk.replacing(out) as place:
        predictor.save(str(place))
