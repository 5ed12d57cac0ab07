"""The laws of head pose, for every model that is registered and a toy; see types.contracts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facelign import models
from facelign.models.weights.store import Store
from facelign.types.arrays import Float32Array
from facelign.types.contracts import HeadPose
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE
from facelign.types.specs import ModelSpec, Task

pytestmark = pytest.mark.weights


class Aside(HeadPose):
    """Takes the share of light on the left of a box for a turn: a toy, one file, no weights."""

    def estimate(self, image: Image, faces: Faces) -> Float32Array:
        angles = np.zeros((len(faces), 3), np.float32)
        for i, box in enumerate(faces.boxes.round().astype(int)):
            x1, y1, x2, y2 = np.maximum(box, 0)
            part = image.pixels[y1 : y2 + 1, x1 : x2 + 1].astype(np.float32).mean(axis=(0, 2))
            half = len(part) // 2
            angles[i, 0] = part[:half].mean() - part[-half:].mean() if half else 0.0
        return angles


SPECS = tuple(models.default().specs(Task.POSE))
BOXES = np.array([[178, 62, 268, 176], [200, 80, 250, 150]], np.float32)
FIVE_POINTS = np.array(
    [[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]], np.float32
)
MARKS = Landmarks(np.stack([FIVE_POINTS, FIVE_POINTS * 0.9 + 20]).astype(np.float32), FIVE)
FACES = Faces(BOXES, np.ones(2, np.float32), MARKS, "by hand", (512, 512))


@pytest.fixture(params=[None, *SPECS], ids=lambda spec: spec.id if spec else "toy")
def model(
    request: pytest.FixtureRequest, pulled: Callable[..., Store], usable: Callable[..., object]
) -> HeadPose:
    spec: ModelSpec | None = request.param
    if spec is None:
        return Aside()
    made: HeadPose = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    return made


def test_three_finite_angles_a_face_in_their_order(model: HeadPose, portrait: Image) -> None:
    angles = model.estimate(portrait, FACES)
    assert (angles.shape, angles.dtype) == ((2, 3), np.float32)
    assert np.isfinite(angles).all()
    np.testing.assert_array_equal(model.estimate(portrait, FACES[[1, 0]]), angles[::-1])
    assert model.estimate(portrait, FACES[:0]).shape == (0, 3)


def test_a_mirrored_photo_looks_and_leans_the_other_way(model: HeadPose, portrait: Image) -> None:
    mirrored = Image.from_array(np.ascontiguousarray(portrait.pixels[:, ::-1]), "rgb")
    boxes = np.stack([511 - BOXES[:, 2], BOXES[:, 1], 511 - BOXES[:, 0], BOXES[:, 3]], axis=1)
    points = MARKS.points[:, list(FIVE.mirror)] * np.float32([-1, 1]) + np.float32([511, 0])
    there = Faces(boxes, FACES.scores, Landmarks(points, FIVE), "by hand", (512, 512))
    straight = model.estimate(portrait, FACES)[0]
    # a network is not perfectly even-handed, and the second box holds a part of a face only
    gap = np.abs(model.estimate(mirrored, there)[0] * [-1, 1, -1] - straight)
    assert gap.max() < 4


def test_it_is_deterministic_and_leaves_its_input_alone(model: HeadPose, portrait: Image) -> None:
    before = portrait.pixels.copy()
    first, second = (model.estimate(portrait, FACES) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(portrait.pixels, before)
