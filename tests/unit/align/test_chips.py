"""Chips from pixels: sampling, reduction, reduced pictures, and OpenCV as the referee."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelign.align.chips import chips, warp
from facelign.align.dlib_chip import extract
from facelign.align.layouts.arcface_112 import Arcface112
from facelign.align.layouts.crop import Crop
from facelign.align.layouts.dlib_150 import Dlib150
from facelign.errors import FacelignError
from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.models.catalog import default
from facelign.models.load import load
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE, Scheme

FIVE_POINTS = np.array(
    [[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]]
)
DLIB_POINTS = np.array([[257, 103], [238, 104], [191, 102], [211, 103], [219, 131]], float)


def portrait_face(
    points: np.ndarray = FIVE_POINTS, scheme: Scheme = FIVE, scale: float = 1.0, size: int = 512
) -> Faces:
    placed = apply(scaling(scale), points)
    box = apply(scaling(scale), np.array([[178.0, 62.6], [268.4, 176.4]])).reshape(1, 4)
    side = round(size * scale)
    return Faces(
        box.astype(np.float32),
        np.ones(1, np.float32),
        Landmarks(placed[None].astype(np.float32), scheme),
        "by hand",
        (side, side),
    )


def test_bilinear_sampling_against_numbers_by_hand() -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[1, 1], pixels[1, 2] = (100, 50, 200), (200, 150, 100)
    half = np.array([[1.0, 0, -0.5], [0, 1.0, 0]])  # chip pixel x is photo x + 0.5
    chip = warp(pixels, half, (4, 4))
    assert chip[1, 1].tolist() == [150, 100, 150]
    assert chip[0].max() == 0, "black outside and between"


def test_a_large_face_is_reduced_by_area_first(portrait: Image) -> None:
    rng = np.random.default_rng(0)
    factor = 6
    large = np.repeat(np.repeat(portrait.pixels[40:200, 140:300], factor, 0), factor, 1)
    noisy = np.clip(large + rng.normal(0, 40, large.shape), 0, 255).astype(np.uint8)
    onto = np.array([[0.7 / factor, 0, 0], [0, 0.7 / factor, 0]])
    clean = warp(large, onto, (112, 112)).astype(float)
    reduced = warp(noisy, onto, (112, 112)).astype(float)
    direct = cv2.warpAffine(noisy, onto, (112, 112), flags=cv2.INTER_LINEAR).astype(float)
    # 36 to 64 pixels averaged leave a sixth of the noise; sampling four of them leaves much more
    assert np.abs(reduced - clean).mean() < 0.45 * np.abs(direct - clean).mean()


@pytest.mark.parametrize("factor", [2, 3, 5, 8])
@pytest.mark.parametrize("start", [(0, 0), (3, 1), (57, 203)])
def test_reduction_moves_nothing(factor: int, start: tuple[int, int]) -> None:
    # A ramp stays a ramp under any averaging, so a shift of a fraction of a pixel would show.
    h, w = 700, 900
    y, x = np.mgrid[:h, :w]
    pixels = np.stack([x * 255 / w, y * 255 / h, (x + y) * 255 / (w + h)], axis=-1)
    pixels = np.round(pixels).astype(np.uint8)
    scale = 1 / (factor + 0.3)
    onto = np.array([[scale, 0, -start[0] * scale], [0, scale, -start[1] * scale]])
    size = (40, 40)
    chip = warp(pixels, onto, size).astype(float)
    cy, cx = np.mgrid[:40, :40]
    where = apply(invert(onto), np.stack([cx, cy], axis=-1))
    expected = np.stack(
        [where[..., 0] * 255 / w, where[..., 1] * 255 / h, where.sum(axis=-1) * 255 / (w + h)],
        axis=-1,
    )
    # the outermost pixels may mix with the black around the photo
    assert np.abs(chip - expected)[2:-2, 2:-2].max() < 1.6


def test_axes_of_a_stretched_crop_are_reduced_each_by_its_own_factor() -> None:
    pixels = np.zeros((64, 1024, 3), np.uint8)
    pixels[:, ::2] = 200  # stripes that only averaging along x can remove
    faces = Faces(
        np.array([[-0.5, -0.5, 1023.5, 63.5]], np.float32),
        np.ones(1, np.float32),
        None,
        "x",
        (1024, 64),
    )
    made, _, _ = chips(Image.from_array(pixels, "rgb"), faces, Crop(size=64, margin=0))
    assert np.abs(made.pixels[0].astype(int) - 100).max() <= 1


def test_reduced_pixels_serve_while_they_have_the_resolution(portrait: Image) -> None:
    loads: list[int] = []
    full = Image(
        cv2.resize(portrait.pixels, (2048, 2048), interpolation=cv2.INTER_CUBIC), (2048, 2048)
    )

    def reload() -> Image:
        loads.append(1)
        return full

    def reduced(scale: float) -> Image:
        side = round(2048 * scale)
        pixels = cv2.resize(full.pixels, (side, side), interpolation=cv2.INTER_AREA)
        return replace(full, pixels=pixels, scale=scale, reload=reload)

    faces = portrait_face(scale=4.0)
    layout = Arcface112()  # wants 0.19 px for each px of the file
    wanted, _, _ = chips(full, faces, layout)
    got, _, _ = chips(reduced(0.25), faces, layout)
    assert not loads
    assert np.allclose(got.to_chip, wanted.to_chip), "the map is that of the file"
    assert np.abs(got.pixels.astype(int) - wanted.pixels).mean() < 1.5
    got, _, _ = chips(reduced(0.125), faces, layout)
    assert loads == [1]
    assert (got.pixels == wanted.pixels).all()
    # Pixels that cannot be decoded again are used as they are.
    alone = replace(reduced(0.125), reload=None)
    coarse, _, _ = chips(alone, faces, layout)
    assert np.abs(coarse.pixels.astype(int) - wanted.pixels).mean() < 8


def test_dlibs_points_are_sampled_as_dlib_does(portrait: Image) -> None:
    layout = Dlib150()
    made, kept, _ = chips(portrait, portrait_face(DLIB_POINTS, DLIB_5), layout)
    chip, matrix = extract(portrait.pixels, DLIB_POINTS, "dlib-5")
    assert kept.tolist() == [0]
    assert (made.pixels[0] == chip).all()
    assert np.allclose(made.to_chip[0], matrix)
    assert made.points_scheme == "dlib-5"
    assert np.allclose(matrix, layout.fit(portrait_face(DLIB_POINTS, DLIB_5))[0])
    # five points on the same layout: an ordinary warp
    five, _, _ = chips(portrait, portrait_face(), layout)
    assert five.points_scheme == "five"
    ordinary = warp(portrait.pixels, five.to_chip[0], (150, 150))
    assert (five.pixels[0] == ordinary).all()
    # dlib's chip wants every pixel of the file
    half = Image(portrait.pixels[::2, ::2], portrait.size, 0.5, reload=lambda: portrait)
    again, _, _ = chips(half, portrait_face(DLIB_POINTS, DLIB_5), layout)
    assert (again.pixels[0] == chip).all()


def test_a_face_beside_others_is_cut_as_if_alone(portrait: Image) -> None:
    alone = portrait_face()
    small = FIVE_POINTS * 0.3 + 20
    both = Faces(
        np.repeat(alone.boxes, 2, axis=0),
        np.ones(2, np.float32),
        Landmarks(np.stack([small, FIVE_POINTS]).astype(np.float32), FIVE),
        "x",
        alone.image_size,
    )
    for layout in (Arcface112(), Dlib150()):
        single, _, _ = chips(portrait, alone, layout)
        pair, kept, _ = chips(portrait, both, layout)
        assert kept.tolist() == [0, 1]
        assert (pair.pixels[1] == single.pixels[0]).all()


@pytest.mark.weights
@pytest.mark.shared
def test_opencv_aligns_and_embeds_the_same(recognition: Path, pulled: Callable[..., Any]) -> None:
    """cv2.FaceRecognizerSF: its alignCrop and its features, on the same points."""
    yunet, sface = (
        default().spec(task, name) for task, name in (("detect", "yunet"), ("embed", "sface"))
    )
    store = pulled(yunet, sface)
    detector, embedder = load(yunet, store), load(sface, store)
    raw = next(iter(store.raw_files(sface)))[2]
    referee = cv2.FaceRecognizerSF.create(str(raw), "")
    for path in sorted((recognition / "lfw_100" / "images").rglob("*.jpg"))[::9]:
        bgr = cv2.imread(str(path))
        faces = detector.detect(Image.from_array(bgr, "bgr"))[:1]
        box = faces.boxes[0]
        row = [*box[:2], *(box[2:] - box[:2]), *faces.landmarks.points[0].ravel(), faces.scores[0]]
        theirs = referee.alignCrop(bgr, np.array([row], np.float32))
        ours, _, _ = chips(Image.from_array(bgr, "bgr"), faces, Arcface112())
        off = np.abs(theirs[:, :, ::-1].astype(int) - ours.pixels[0])
        assert off.mean() < 0.01
        assert off.max() <= 4
        feature = referee.feature(theirs)[0]
        cosine = embedder.embed(ours).vectors[0] @ feature / np.linalg.norm(feature)
        assert cosine > 0.9999


def test_an_unknown_layout_names_near_ones() -> None:
    with pytest.raises(FacelignError, match="arcface-112"):
        default().layout("arcface-111")


def test_maps_compose_as_the_warp_does(portrait: Image) -> None:
    # to_chip of a crop of the photo is to_chip of the photo after the shift
    made, _, _ = chips(portrait, portrait_face(), Arcface112())
    shift = np.array([[1.0, 0, 30], [0, 1.0, 10]])
    part = Image.from_array(portrait.pixels[10:300, 30:400], "rgb")
    moved = FIVE_POINTS - [30, 10]
    faces = replace(portrait_face(moved), image_size=(370, 290))
    again, _, _ = chips(part, faces, Arcface112())
    assert np.allclose(compose(made.to_chip[0], shift), again.to_chip[0], atol=1e-4)
    assert np.abs(made.pixels.astype(int) - again.pixels).max() <= 2
