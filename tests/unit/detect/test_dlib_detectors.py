"""MMOD and HOG: dlib's boxes, and photos that dlib was not asked about."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest

from facelign.detect.models import hog, mmod
from facelign.errors import ConfigError, ExtraMissing
from facelign.runtime import dlib as runtime_dlib
from facelign.runtime.onnx import OnnxOptions
from facelign.types.image import Image


@pytest.fixture(scope="module")
def make(files):
    def build(**options: object) -> mmod.Mmod:
        chosen = mmod.MmodOptions(**options)
        return mmod.Mmod(mmod.SPECS[0], files.ready["mmod"], chosen, OnnxOptions())

    return build


def boxes_of(rectangles) -> np.ndarray:
    edges = [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]
    outwards = np.array([-0.5, -0.5, 0.5, 0.5])
    return np.array(edges, np.float64).reshape(-1, 4) + outwards


@pytest.mark.weights
@pytest.mark.shared
def test_boxes_and_scores_are_those_of_dlib(make, referee, photos) -> None:
    model, count = make(), 0
    for image in photos[:8]:  # dlib takes nearly a second each; all 100: benchmarks
        wanted = referee.mmod(image.pixels, 0)
        faces = model.detect(image)
        assert (faces.boxes == boxes_of([w.rect for w in wanted])).all(), image.source
        np.testing.assert_allclose(faces.scores, [w.confidence for w in wanted], atol=1e-4)
        count += len(faces)
    assert count >= 8


@pytest.mark.weights
@pytest.mark.shared
def test_a_doubled_photo_gives_the_boxes_of_dlib(make, referee, photos) -> None:
    image = photos[0]
    small = Image.from_array(cv2.resize(image.pixels, (131, 127)), "rgb")
    wanted = referee.mmod(small.pixels, 1)
    faces = make(upsample=1).detect(small)
    assert len(wanted) == 1
    assert (faces.boxes == boxes_of([w.rect for w in wanted])).all()
    np.testing.assert_allclose(faces.scores, [w.confidence for w in wanted], atol=1e-4)


@pytest.mark.parametrize("size", [(250, 250), (97, 133), (33, 200), (9, 10), (64, 1), (1, 1)])
def test_doubling_is_that_of_dlib(dlib, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    pixels[: size[0] // 2] //= 40  # flat dark regions, where a sum just short of a number tells
    h, w = size
    wanted = dlib.resize_image(np.ascontiguousarray(pixels), 2 * h + 1, 2 * w + 2)
    assert (mmod.doubled(pixels) == wanted).all()


@pytest.mark.weights
def test_strips_change_nothing(make, portrait, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(score_threshold=0.0)
    whole = model.detect(portrait)
    assert len(whole) >= 1
    for most in (200_000, 500_000):
        monkeypatch.setattr(mmod, "STRIP_PIXELS", most)
        strips = model.detect(portrait)
        assert (strips.boxes == whole.boxes).all()
        np.testing.assert_allclose(strips.scores, whole.scores, atol=1e-5)


@pytest.mark.weights
def test_a_large_photo_is_reduced_and_boxes_come_back(make, portrait, caplog) -> None:
    (wanted,) = make().detect(portrait).boxes
    with caplog.at_level(logging.INFO):
        (got,) = make(max_pixels=160_000).detect(portrait).boxes
    assert "max_pixels" in caplog.text
    np.testing.assert_allclose(got, wanted, atol=12)
    assert len(make(upsample=2, max_pixels=300_000).detect(portrait)) == 1


@pytest.mark.weights
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (1, 128), (128, 1), (20, 7), (300, 30)])
def test_blank_photos_of_any_size_hold_no_face(make, size: tuple[int, int]) -> None:
    blank = Image.from_array(np.full((*size, 3), 120, np.uint8), "rgb")
    faces = make().detect(blank)
    assert faces.boxes.shape == (0, 4)
    assert len(make(upsample=1).detect(blank)) == 0


@pytest.mark.parametrize(("height", "width"), [(250, 250), (100, 900), (900, 100), (2336, 3504)])
def test_levels_lie_apart_and_inside(height: int, width: int) -> None:
    plan = mmod.tile_plan(height, width)
    assert plan.levels[0].tolist() == [mmod.AROUND, mmod.AROUND, width, height]
    covered = np.zeros(plan.size, np.uint8)
    for x, y, w, h in plan.levels.tolist():
        assert x >= 0
        assert y >= 0
        region = covered[y : y + h, x : x + w]
        assert region.shape == (h, w)
        assert region.max() == 0
        region[:] = 1


def test_the_plan_of_a_250_px_photo_is_that_of_dlib() -> None:
    assert mmod.tile_plan(250, 250).size == (957, 272)  # as dlib plans it


@pytest.mark.weights
@pytest.mark.shared
def test_hog_gives_the_boxes_of_dlib(referee, photos) -> None:
    for upsample in (0, 1):
        options = hog.HogOptions(upsample=upsample)
        model = hog.Hog(hog.SPECS[0], {}, options, OnnxOptions())
        for image in photos[:4]:
            faces = model.detect(image)
            rectangles, scores, _ = referee.hog.run(image.pixels, upsample, 0.0)
            order = np.argsort(-np.array(list(scores)), kind="stable")
            assert (faces.boxes == boxes_of(rectangles)[order]).all()
            np.testing.assert_allclose(faces.scores, np.array(list(scores))[order], rtol=1e-6)


def test_hog_without_dlib_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(runtime_dlib, "import_module", absent)
    with pytest.raises(ExtraMissing, match=r"facelign\[dlib\]"):
        hog.Hog(hog.SPECS[0], {}, hog.HogOptions(), OnnxOptions())


@pytest.mark.parametrize("options", [{"upsample": 5}, {"upsample": -1}, {"max_pixels": -1}])
def test_options_that_cannot_be_meant_are_refused(options: dict[str, int]) -> None:
    for kind in (mmod.MmodOptions, hog.HogOptions):
        with pytest.raises(ConfigError):
            kind(**options)
    with pytest.raises(ConfigError):
        mmod.MmodOptions(score_threshold=-0.5)
