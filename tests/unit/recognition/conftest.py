"""A detector, a landmarker and an embedder that say what they are told to, and real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facelign.detect.models import haar, yunet
from facelign.errors import ModelMismatch
from facelign.imaging.write import write
from facelign.landmark.models import dlib_shape
from facelign.models import default
from facelign.models.weights.store import Store
from facelign.recognition.presets import PRESETS
from facelign.recognition.recognizer import Recognizer
from facelign.types.chips import Chips
from facelign.types.contracts import Detector, Embedder, Landmarker
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, SCHEMES

#: YuNet's five points of the portrait, and its box
FIVE_POINTS = [[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]]
BOX = [178.0, 62.0, 268.0, 176.0]


class Told(Detector):
    """Finds the faces that it is told, and remembers the pictures that it saw."""

    def __init__(self, faces: Faces, *, points: bool = True) -> None:
        self.spec = (yunet if points else haar).SPECS[0]
        self.faces = faces if points else replace(faces, landmarks=None)
        self.seen: list[Image] = []

    def detect(self, image: Image) -> Faces:
        self.seen.append(image)
        return replace(self.faces, image_size=image.size)


class Corners(Landmarker):
    """Places all points in the upper left corner of each box."""

    def __init__(self) -> None:
        self.spec = next(s for s in dlib_shape.SPECS if s.id == "dlib-5")
        self.scheme = SCHEMES["dlib-5"]
        self.seen: list[Image] = []

    def locate(self, image: Image, faces: Faces) -> Faces:
        self.seen.append(image)
        points = np.repeat(faces.boxes[:, None, :2], self.scheme.k, axis=1)
        return faces.with_landmarks(Landmarks(points, self.scheme))


class Means(Embedder):
    """The mean color of each chip, of one layout."""

    def __init__(self, layout: str) -> None:
        self.space = Space(f"means/{layout}/five", 3, Metric.EUCLIDEAN, unit=False)
        self.layouts = (layout,)
        self.batches: list[int] = []

    def embed(self, *chips: Chips) -> Embeddings:
        (only,) = chips
        if only.layout not in self.layouts:
            raise ModelMismatch(f"wants {self.layouts}, got {only.layout}")
        self.batches.append(len(only))
        vectors = only.pixels.astype(np.float32).mean(axis=(1, 2))
        return Embeddings(vectors, self.space, np.linalg.norm(vectors, axis=1))


def faces_of(*shifts: Sequence[float]) -> Faces:
    """Return the portrait's face, moved by (x, y); (nan, nan) puts all its points on one."""
    boxes = np.array([BOX] * len(shifts), np.float32).reshape(-1, 4)
    points = np.array([FIVE_POINTS] * len(shifts), np.float32).reshape(-1, 5, 2)
    for i, (x, y) in enumerate(shifts):
        if np.isnan(x):
            points[i] = points[i, 0]
        else:
            points[i] += (x, y)
            boxes[i] += (x, y, x, y)
    scores = np.linspace(0.9, 0.8, len(shifts), dtype=np.float32)
    return Faces(boxes, scores, Landmarks(points, FIVE), "told", (512, 512))


@pytest.fixture(scope="session")
def weights(pulled: Callable[..., Store]) -> Store:
    """The weights of the default preset."""
    models = default()
    return pulled(*(models.spec(*model) for model in PRESETS["default"].models))


@pytest.fixture(scope="session")
def recognizer(weights: Store) -> Recognizer:
    return Recognizer(store=weights, workers=2)


@pytest.fixture
def photo(tmp_path: Path, portrait: Image) -> Path:
    """The portrait as a file."""
    path = tmp_path / "portrait.png"
    write(path, portrait.pixels)
    return path
