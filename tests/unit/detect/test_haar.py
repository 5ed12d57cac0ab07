"""Haar: the same rectangles as OpenCV's plain call, one classifier a thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelign.detect.cascade import CascadeOptions, score_of
from facelign.errors import ConfigError
from facelign.geometry.boxes import from_xywh
from facelign.runtime.opencv import cascade
from facelign.types.image import Image

pytestmark = pytest.mark.weights


def test_rectangles_are_opencvs(detector: Any, portrait: Image) -> None:
    gray = cv2.cvtColor(portrait.pixels, cv2.COLOR_RGB2GRAY)
    plain = cascade("haarcascade_frontalface_default.xml").detectMultiScale(
        gray, 1.1, 5, minSize=(24, 24)
    )
    faces = detector("haar", score_threshold=0.0).detect(portrait)
    assert len(faces) == len(plain)
    want = from_xywh(np.asarray(plain, np.float32))
    np.testing.assert_array_equal(faces.boxes[np.lexsort(faces.boxes.T)], want[np.lexsort(want.T)])


@pytest.mark.shared
def test_most_center_faces_of_lfw_are_found(detector: Any, recognition: Path) -> None:
    mine, hits = detector("haar"), 0
    photos = sorted((recognition / "lfw_100").rglob("*.jpg"))[::4]
    for path in photos:
        faces = mine.detect(Image.from_array(cv2.imread(str(path)), "bgr"))
        hits += any(f.box.x1 < 125 < f.box.x2 and f.box.y1 < 125 < f.box.y2 for f in faces)
    assert hits >= 0.85 * len(photos)


def test_scores_rise_with_the_weight_and_stay_inside() -> None:
    scores = score_of(np.array([-1e9, -5.0, 0.0, 4.0, 9.0, 1e9]))
    assert (np.diff(scores) > 0).all()
    assert scores[0] > 0.0
    assert scores[-1] < 1.0


def test_options_reach_the_cascade(detector: Any, portrait: Image) -> None:
    assert len(detector("haar", min_px=200).detect(portrait)) == 0
    assert len(detector("haar", neighbors=1, score_threshold=0.0).detect(portrait)) >= 1


@pytest.mark.parametrize(
    "wrong", [{"scale_factor": 1.0}, {"neighbors": -1}, {"score_threshold": 2}]
)
def test_options_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CascadeOptions(**wrong)
