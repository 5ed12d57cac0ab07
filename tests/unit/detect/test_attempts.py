"""Second tries: planes are mapped back exactly, and they make no false faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.detect.attempts import find, turned_back, turned_with
from facelign.errors import ConfigError
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.policies import Attempts
from facelign.types.schemes import FIVE

quarters = st.sampled_from([0, 90, 180, 270])


@given(seed=st.integers(0, 10_000), degrees=quarters, w=st.integers(1, 90), h=st.integers(1, 90))
def test_turning_there_and_back_is_the_identity(seed: int, degrees: int, w: int, h: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(-20, 60, (3, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 40, (3, 2))], axis=1).astype(np.float32)
    points = rng.uniform(-20, 90, (3, 5, 2)).astype(np.float32)
    faces = Faces(boxes, np.ones(3, np.float32), Landmarks(points, FIVE), "any", (w, h))
    there = turned_with(faces, degrees)
    assert there.image_size == ((w, h) if degrees % 180 == 0 else (h, w))
    back = turned_back(there, degrees, (w, h))
    np.testing.assert_allclose(back.boxes, boxes, atol=1e-4)
    assert back.landmarks is not None
    np.testing.assert_allclose(back.landmarks.points, points, atol=1e-4)


@given(degrees=quarters, x=st.integers(0, 6), y=st.integers(0, 4))
def test_points_turn_as_pixels_do(degrees: Any, x: int, y: int) -> None:
    pixels = np.zeros((5, 7, 3), np.uint8)
    pixels[y, x] = 255
    turned = Image.from_array(pixels, "rgb").turned(degrees)
    at = np.argwhere(turned.pixels[:, :, 0])[0][::-1]
    points = np.broadcast_to(at, (1, 5, 2)).astype(np.float32)
    box = np.array([[at[0] - 0.5, at[1] - 0.5, at[0] + 0.5, at[1] + 0.5]], np.float32)
    faces = Faces(box, np.ones(1, np.float32), Landmarks(points, FIVE), "any", turned.size)
    back = turned_back(faces, degrees, (7, 5))
    assert back.landmarks is not None
    np.testing.assert_allclose(back.landmarks.points[0, 0], [x, y])
    np.testing.assert_allclose(back.boxes[0], [x - 0.5, y - 0.5, x + 0.5, y + 0.5])


@pytest.mark.weights
@pytest.mark.parametrize("name", ["yunet", "yunet-n", "mtcnn", "haar"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_photo_on_its_side_gives_the_faces_of_the_upright_one(
    detector: Any, portrait: Image, name: str, degrees: Any
) -> None:
    mine = detector(name)
    upright = find(mine, portrait)
    assert upright.attempts == ()
    lying = find(mine, portrait.turned(degrees))
    assert lying.found_by == f"turned-{360 - degrees}"
    assert lying.found_by in lying.attempts
    assert lying.turned_deg == 360 - degrees
    want = turned_with(upright.faces, degrees)
    np.testing.assert_allclose(lying.faces.boxes, want.boxes, atol=1e-3)
    if want.landmarks is not None:
        assert lying.faces.landmarks is not None
        np.testing.assert_allclose(lying.faces.landmarks.points, want.landmarks.points, atol=1e-3)
    assert lying.faces.image_size == portrait.turned(degrees).size


@pytest.mark.weights
def test_tries_can_be_switched_off(detector: Any, portrait: Image) -> None:
    haar, lying = detector("haar"), portrait.turned(180)
    assert find(haar, lying, Attempts(padded=False, turned=False)).attempts == ()
    only_padded = find(haar, lying, Attempts(turned=False))
    assert only_padded.attempts == ("padded",)
    assert len(only_padded.faces) == 0
    assert find(haar, lying, Attempts(padded=False)).attempts == (
        "turned-90",
        "turned-180",
        "turned-270",
    )


@pytest.mark.weights
@pytest.mark.parametrize(("name", "margin"), [("haar", -9), ("mtcnn", -10)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_face_cut_by_the_edges_is_found_with_a_border(
    detector: Any, portrait: Image, name: str, margin: int, scale: float
) -> None:
    """Tight crops of a face that these detectors miss without a border."""
    mine = detector(name)
    whole = mine.detect(portrait)
    x1, y1, x2, y2 = (round(float(v)) for v in whole.boxes[0])
    x1, y1, x2, y2 = x1 - margin, y1 - margin, x2 + margin, y2 + margin
    cut = np.ascontiguousarray(portrait.pixels[y1:y2, x1:x2])
    # a file of twice that size which was decoded reduced
    image = Image(cut, (round((x2 - x1) / scale), round((y2 - y1) / scale)), scale)
    assert len(mine.detect(image)) == 0
    seen = find(mine, image)
    assert seen.found_by == "padded"
    assert seen.attempts == ("padded",)
    want = (whole.boxes[0] - np.array([x1, y1, x1, y1]) + 0.5) / scale - 0.5
    size = (x2 - x1) / scale
    np.testing.assert_allclose(seen.faces.boxes[0], want, atol=0.25 * size)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["yunet", "yunet-n", "mtcnn", "haar"])
def test_tries_find_nothing_where_nothing_is(detector: Any, name: str) -> None:
    from skimage import data

    mine = detector(name)
    rng = np.random.default_rng(3)
    pictures = [
        np.full((240, 320), 90, np.uint8),
        rng.integers(0, 255, (240, 320), dtype=np.uint8),
        data.brick(),
        data.grass(),
        data.page(),
    ]
    for picture in pictures:
        seen = find(mine, Image.from_array(picture, "gray"))
        assert len(seen.faces) == 0
        assert seen.attempts == ("padded", "turned-90", "turned-180", "turned-270")


@pytest.mark.weights
@pytest.mark.shared
def test_one_person_who_lies_does_not_turn_the_photo(
    detector: Any, recognition: Path, portrait: Image
) -> None:
    picture = np.full((600, 1500, 3), 128, np.uint8)
    picture[40:552, 0:512] = portrait.pixels[:512]
    picture[40:552, 500:1012] = portrait.pixels[:512]
    picture[200:420, 1100:1320] = portrait.turned(90).pixels[120:340, 280:500]
    seen = find(detector("yunet"), Image.from_array(picture, "rgb"))
    assert seen.attempts == ()
    assert len(seen.faces) >= 2


@pytest.mark.parametrize("wrong", [{"border": 0}, {"border": 9}, {"margin": -1}])
def test_options_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Attempts(**wrong)
