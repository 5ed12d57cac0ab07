"""The laws of landmarkers, for every one that is registered and a toy one; see types.contracts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from facelign import models
from facelign.models.weights.store import Store
from facelign.types.contracts import Landmarker
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, SCHEMES
from facelign.types.specs import (
    Engine,
    InputSpec,
    LandmarkerOutput,
    License,
    ModelSpec,
    Task,
)

pytestmark = pytest.mark.weights

#: dlib's box of the portrait's face, and two that hold none: landmarkers answer all the same
BOXES = np.array(
    [[172.5, 62.5, 279.5, 169.5], [10.5, 300.5, 90.5, 380.5], [-20.5, -30.5, 99.5, 89.5]],
    np.float32,
)
#: px by which points of a mirrored face may differ, as a share of its height: regressors learn
#: each side by itself
MIRRORED_WITHIN = 0.12


class Toy:
    """Five points at fixed places in the box, the nose at the brightest row: one file is enough."""

    def __init__(self) -> None:
        self.spec = ModelSpec(
            "toy",
            Task.LANDMARK,
            "none:Toy",
            Engine.NUMPY,
            (),
            InputSpec(None),
            LandmarkerOutput("five"),
            License("MIT", "MIT", "none", "yes"),
        )
        self.scheme = FIVE

    def locate(self, image: Image, faces: Faces) -> Faces:
        places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        low, size = faces.boxes[:, None, :2], (faces.boxes[:, 2:] - faces.boxes[:, :2])[:, None]
        return faces.with_landmarks(Landmarks(low + places * size, FIVE))


SPECS = (Toy().spec, *models.default().specs(Task.LANDMARK))


@pytest.fixture(scope="module", params=SPECS, ids=lambda spec: spec.id)
def model(
    request: pytest.FixtureRequest, pulled: Callable[..., Store], usable: Callable[..., object]
) -> Landmarker:
    spec: ModelSpec = request.param
    if spec.id == "toy":
        return Toy()
    return usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[return-value]


def boxes_of(image: Image, boxes: np.ndarray = BOXES) -> Faces:
    return Faces(boxes, np.linspace(0.9, 0.1, len(boxes)), None, "by hand", image.size)


def points_of(faces: Faces) -> np.ndarray:
    assert faces.landmarks is not None
    return faces.landmarks.points


def test_the_registered_ones_are_here() -> None:
    assert {"dlib-5", "dlib-68"} <= {spec.id for spec in SPECS}


def test_it_gives_the_scheme_of_its_record(model: Landmarker) -> None:
    assert isinstance(model.spec.output, LandmarkerOutput)
    assert model.scheme is SCHEMES[model.spec.output.scheme]


def test_only_points_are_new(model: Landmarker, portrait: Image) -> None:
    given = boxes_of(portrait)
    located = model.locate(portrait, given)
    assert (located.boxes == given.boxes).all()
    assert (located.scores == given.scores).all()
    assert (located.detector, located.image_size) == (given.detector, given.image_size)
    assert points_of(located).shape == (3, model.scheme.k, 2)
    assert given.landmarks is None, "what was handed in stays"


def test_no_faces_give_no_points(model: Landmarker, portrait: Image) -> None:
    located = model.locate(portrait, Faces.none("by hand", portrait.size))
    assert points_of(located).shape == (0, model.scheme.k, 2)


def test_points_lie_in_the_face_and_are_the_subjects_own_sides(
    model: Landmarker, portrait: Image
) -> None:
    points = points_of(model.locate(portrait, boxes_of(portrait)))[0]
    box = BOXES[0]
    height = box[3] - box[1]
    assert (points > box[:2] - 0.3 * height).all()
    assert (points < box[2:] + 0.3 * height).all()
    groups = model.scheme.groups
    right, left = (points[list(groups[f"{side}_eye"])].mean(axis=0) for side in ("right", "left"))
    assert left[0] - right[0] > 0.2 * height, "her right eye is at the left of the picture"
    assert abs(left[1] - right[1]) < 0.15 * height
    assert points[:, 1].max() > max(left[1], right[1]) + 0.1 * height, "something is below the eyes"


def test_it_is_deterministic_and_leaves_its_input_alone(model: Landmarker, portrait: Image) -> None:
    before = portrait.pixels.copy()
    first = points_of(model.locate(portrait, boxes_of(portrait)))
    with ThreadPoolExecutor(3) as pool:
        for again in pool.map(lambda _: model.locate(portrait, boxes_of(portrait)), range(4)):
            assert (points_of(again) == first).all()
    assert (portrait.pixels == before).all()


def test_faces_together_are_the_same_as_one_by_one(model: Landmarker, portrait: Image) -> None:
    together = points_of(model.locate(portrait, boxes_of(portrait)))
    for i in range(len(BOXES)):
        alone = points_of(model.locate(portrait, boxes_of(portrait, BOXES[i : i + 1])))
        assert (alone[0] == together[i]).all()
    order = [2, 0, 1]
    turned = points_of(model.locate(portrait, boxes_of(portrait, BOXES[order])))
    assert (turned == together[order]).all()


def test_a_shifted_photo_gives_shifted_points(model: Landmarker, portrait: Image) -> None:
    here = points_of(model.locate(portrait, boxes_of(portrait, BOXES[:1])))
    moved = Image.from_array(np.pad(portrait.pixels, ((13, 0), (21, 0), (0, 0))), "rgb")
    shift = np.array([21.0, 13, 21, 13], np.float32)
    there = points_of(model.locate(moved, boxes_of(moved, BOXES[:1] + shift)))
    assert np.abs(there - here - shift[:2]).max() <= 1e-3


def test_a_mirrored_photo_gives_mirrored_points(model: Landmarker, portrait: Image) -> None:
    here = points_of(model.locate(portrait, boxes_of(portrait, BOXES[:1])))[0]
    mirrored = Image.from_array(np.ascontiguousarray(portrait.pixels[:, ::-1]), "rgb")
    width = portrait.width - 1
    boxes = BOXES[:1].copy()
    boxes[:, [0, 2]] = width - BOXES[:1][:, [2, 0]]
    there = points_of(model.locate(mirrored, boxes_of(mirrored, boxes)))[0]
    back = there[list(model.scheme.mirror)] * [-1, 1] + [width, 0]
    height = float(BOXES[0, 3] - BOXES[0, 1])
    assert np.abs(back - here).max() <= MIRRORED_WITHIN * height


def test_points_of_a_reduced_photo_are_those_of_the_file(
    model: Landmarker, portrait: Image
) -> None:
    here = points_of(model.locate(portrait, boxes_of(portrait, BOXES[:1])))
    reduced = Image(portrait.pixels, (1024, 1024), 0.5)
    larger = (BOXES[:1] + 0.5) * 2 - 0.5
    there = model.locate(reduced, replace(boxes_of(reduced, larger), image_size=(1024, 1024)))
    assert np.abs(points_of(there) - ((here + 0.5) * 2 - 0.5)).max() <= 1.0
