"""dlib's published files, the converted ones, and dlib itself as the referee."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from facelign.detect.models import hog, mmod
from facelign.embed.models import dlib_resnet
from facelign.landmark.models import dlib_shape
from facelign.models.weights.store import Store
from facelign.types.image import Image

SPECS = {s.id: s for s in (*mmod.SPECS, *dlib_shape.SPECS, *dlib_resnet.SPECS, *hog.SPECS)}
WITH_FILES = ("mmod", "dlib-5", "dlib-68", "dlib-resnet")


@dataclass(frozen=True)
class Files:
    """Paths by model id: as published, and converted."""

    raw: dict[str, Path]
    ready: dict[str, dict[str, Path]]


@pytest.fixture(scope="session")
def files(pulled: Callable[..., Store]) -> Files:
    specs = [SPECS[name] for name in WITH_FILES]
    store = pulled(*specs)
    raw = {spec.id: next(iter(store.raw_files(spec)))[2] for spec in specs}
    return Files(raw, {spec.id: dict(store.ready(spec)) for spec in specs})


@pytest.fixture(scope="session")
def dlib() -> Any:
    return pytest.importorskip("dlib")


@dataclass(frozen=True)
class Referee:
    """dlib with the published files, and the faces that its HOG detector finds."""

    dlib: Any
    hog: Any
    mmod: Any
    five: Any
    sixty_eight: Any
    resnet: Any

    def points(self, pixels: np.ndarray, rectangle: Any, scheme: str) -> tuple[Any, np.ndarray]:
        shape = (self.five if scheme == "dlib-5" else self.sixty_eight)(pixels, rectangle)
        return shape, np.array([(p.x, p.y) for p in shape.parts()])


@pytest.fixture(scope="session")
def referee(files: Files, dlib: Any) -> Referee:
    return Referee(
        dlib,
        dlib.get_frontal_face_detector(),
        dlib.cnn_face_detection_model_v1(str(files.raw["mmod"])),
        dlib.shape_predictor(str(files.raw["dlib-5"])),
        dlib.shape_predictor(str(files.raw["dlib-68"])),
        dlib.face_recognition_model_v1(str(files.raw["dlib-resnet"])),
    )


@pytest.fixture(scope="session")
def photos(recognition: Path) -> list[Image]:
    """Twelve photos of lfw_100, at least one of each person."""
    paths = sorted((recognition / "lfw_100" / "images").rglob("*.jpg"))
    assert len(paths) == 100
    picked = [*paths[::10], paths[5], paths[55]]
    return [Image.from_array(np.asarray(Pillow.open(p)), "rgb", p.name) for p in picked]
