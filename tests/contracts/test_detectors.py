"""The laws of detectors, over every one that is registered; see types.contracts.Detector."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facelign.geometry.boxes import iou
from facelign.imaging.resize import resized
from facelign.models.catalog import default
from facelign.models.load import load
from facelign.types.contracts import StagedDetector
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import SCHEMES
from facelign.types.specs import DetectorOutput, ModelSpec, Task

pytestmark = pytest.mark.weights

DETECTORS = tuple(default().specs(Task.DETECT))

#: share of the face's height by which boxes and points of a mirrored photo may differ: networks
#: and cascades are not symmetric, and grids have a left end
MIRRORED_WITHIN = 0.15


@pytest.fixture(scope="module", params=DETECTORS, ids=lambda spec: spec.id)
def model(
    request: pytest.FixtureRequest, pulled: Callable[..., Any], usable: Callable[..., object]
) -> Any:
    spec: ModelSpec = request.param
    return usable(spec, lambda: load(spec, pulled(spec)))


@pytest.fixture(scope="module")
def found(model: Any, portrait: Image) -> Faces:
    """What it finds in the portrait: laws that need a face ask for this, so none holds for a
    detector that finds nothing, unless its record says that it looks for other faces.
    """
    faces: Faces = model.detect(portrait)
    if not len(faces) and "frontal" not in model.spec.views:
        pytest.skip(f"finds {' and '.join(model.spec.views)} faces; the portrait's is frontal")
    assert len(faces), "the portrait's face is not found"
    return faces


def assert_same(a: Faces, b: Faces) -> None:
    np.testing.assert_array_equal(a.boxes, b.boxes)
    np.testing.assert_array_equal(a.scores, b.scores)
    assert (a.landmarks is None) == (b.landmarks is None)
    if a.landmarks is not None and b.landmarks is not None:
        np.testing.assert_array_equal(a.landmarks.points, b.landmarks.points)


def mirrored(image: Image) -> Image:
    return Image.from_array(np.ascontiguousarray(image.pixels[:, ::-1]), "rgb")


def test_every_registered_detector_is_here() -> None:
    assert {"yunet", "yunet-n", "haar", "mtcnn"} <= {spec.id for spec in DETECTORS}


def test_a_glance_made_closer_is_what_is_found(model: Any, portrait: Image) -> None:
    """Of all faces and of some, in a photo that is whole and in one that was reduced."""
    small = resized(portrait.pixels, (320, 320))
    for image in (portrait, replace(portrait, pixels=small, scale=320 / 512, reload=None)):
        wanted, seen = model.detect(image), model.glance(image)
        np.testing.assert_array_equal(seen.boxes, wanted.boxes)
        np.testing.assert_array_equal(seen.scores, wanted.scores)
        for part in (slice(None), slice(0, 1)):
            exact = model.closer(image, seen[part])
            np.testing.assert_array_equal(exact.boxes, wanted.boxes[part])
            if wanted.landmarks is not None:
                assert exact.landmarks is not None
                np.testing.assert_allclose(
                    exact.landmarks.points, wanted.landmarks.points[part], atol=0.02
                )
    nothing = model.closer(portrait, model.glance(portrait)[:0])
    assert len(nothing) == 0


def test_the_portrait_has_one_face(found: Faces) -> None:
    face = found[0]
    assert face.box.x1 < 224 < face.box.x2
    assert face.box.y1 < 122 < face.box.y2
    assert 60 < face.box.height < 160


def test_the_result_says_what_the_record_says(model: Any, found: Faces) -> None:
    output = model.spec.output
    assert isinstance(output, DetectorOutput)
    assert found.detector == model.spec.id
    assert found.image_size == (512, 512)
    if output.scheme is None:
        assert found.landmarks is None
    else:
        assert found.landmarks is not None
        assert found.landmarks.scheme is SCHEMES[output.scheme]


def test_points_are_in_the_face_and_in_order(found: Faces) -> None:
    if found.landmarks is None:
        pytest.skip("gives no points")
    groups = found.landmarks.scheme.groups
    part = {name: found.landmarks.points[0][list(index)][0] for name, index in groups.items()}
    right_eye, left_eye, nose = (part[name] for name in ("right_eye", "left_eye", "nose_tip"))
    mouth = [part[name] for name in ("mouth_right", "mouth", "mouth_left") if name in part]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert mouth[0][0] <= mouth[-1][0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(spot[1] for spot in mouth)
    box = found.boxes[0]
    inside = [i for name, index in groups.items() if not name.endswith("ear") for i in index]
    points = found.landmarks.points[0][inside]
    assert (points >= box[:2]).all()
    assert (points <= box[2:]).all()


def test_it_is_deterministic_and_leaves_its_input_alone(
    model: Any, portrait: Image, found: Faces
) -> None:
    before = portrait.pixels.copy()
    assert_same(model.detect(portrait), found)
    np.testing.assert_array_equal(portrait.pixels, before)


def test_a_mirrored_photo_gives_mirrored_faces(model: Any, portrait: Image, found: Faces) -> None:
    other = model.detect(mirrored(portrait))
    assert len(other) >= 1
    width = portrait.width
    boxes = other.boxes.copy()
    boxes[:, [0, 2]] = width - 1 - other.boxes[:, [2, 0]]
    within = MIRRORED_WITHIN * float(found.heights[0])
    i = int(iou(found.boxes[:1].astype(np.float64), boxes.astype(np.float64)).argmax())
    assert np.abs(boxes[i] - found.boxes[0]).max() < within
    if found.landmarks is not None:
        points = other.landmarks.points[i][list(found.landmarks.scheme.mirror)].copy()
        points[:, 0] = width - 1 - points[:, 0]
        assert np.abs(points - found.landmarks.points[0]).max() < within


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_blank_photo_has_no_face(model: Any, value: int) -> None:
    blank = Image.from_array(np.full((240, 320), value, np.uint8), "gray")
    faces = model.detect(blank)
    assert len(faces) == 0
    assert faces.boxes.shape == (0, 4)
    assert faces.image_size == (320, 240)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 40), (40, 1), (2, 3), (11, 12), (12, 12), (31, 33), (7, 400), (400, 7)]
)
def test_tiny_and_thin_photos_do_no_harm(model: Any, found: Faces, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 255, (*shape, 3), dtype=np.uint8)
    faces = model.detect(Image.from_array(noise, "rgb"))
    assert np.isfinite(faces.boxes).all()
    assert faces.image_size == (shape[1], shape[0])
    assert len(found), "by a detector that does find faces"


def test_a_reduced_photo_gives_faces_of_the_file(model: Any, portrait: Image, found: Faces) -> None:
    reduced = Image(portrait.pixels, (2048, 2048), 0.25)
    faces = model.detect(reduced)
    assert faces.image_size == (2048, 2048)
    assert len(faces) == len(found)
    np.testing.assert_allclose(faces.boxes, (found.boxes + 0.5) * 4 - 0.5, atol=0.01)
    if found.landmarks is not None:
        points = (found.landmarks.points + 0.5) * 4 - 0.5
        np.testing.assert_allclose(faces.landmarks.points, points, atol=0.01)


def test_threads_share_it(model: Any, portrait: Image, found: Faces) -> None:
    with ThreadPoolExecutor(4) as pool:
        for faces in pool.map(model.detect, [portrait] * 8):
            assert_same(faces, found)


def test_faces_are_sorted_by_falling_score(model: Any, found: Faces, portrait: Image) -> None:
    # a square, of the surroundings of the face: what looks once at a small picture would hardly
    # see faces in a strip, or far away
    near = portrait.pixels[32:212, 134:314]
    dimmed = (near * 0.6).astype(np.uint8)
    above, below = (
        np.concatenate(pair, axis=1) for pair in ((near, dimmed), (dimmed[:, ::-1], near[:, ::-1]))
    )
    many = np.concatenate([above, below])
    faces = model.detect(Image.from_array(np.ascontiguousarray(many), "rgb"))
    assert len(faces) > len(found)
    assert (np.diff(faces.scores) <= 0).all()


def test_its_traits_make_sense(model: Any, found: Faces) -> None:
    assert model.wants_px is None or model.wants_px >= 32
    assert model.sure_score is None or model.sure_score > model.score_floor
    assert (found.scores >= model.score_floor).all()
    if model.upright_score is not None:
        assert model.score_floor < model.upright_score


def test_its_stages_are_plain_and_lead_to_its_faces(
    model: Any, found: Faces, portrait: Image
) -> None:
    if not isinstance(model, StagedDetector):
        pytest.skip(f"{model.spec.id} has no stages to tell of")
    explained = model.stages(portrait)
    record = explained.record()
    assert json.loads(json.dumps(record)) == record == model.stages(portrait).record()
    assert all(isinstance(line, str) and line.strip() for line in explained.lines())
    assert str(len(found)) in explained.lines()[-1]  # the last stage is the answer
