"""The laws of quality measures, for ours, every one that is registered and a toy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pytest

from facelign import models
from facelign.models.weights.store import Store
from facelign.quality.measure import PlainQuality
from facelign.types.arrays import Float32Array
from facelign.types.chips import Chips
from facelign.types.contracts import Quality
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE
from facelign.types.specs import ModelSpec, Task

pytestmark = pytest.mark.weights


class Area(Quality):
    """The smallest measure there can be: one file, one number."""

    names = ("area_px",)

    def measure(
        self, image: Image, faces: Faces, chips: Chips | None = None
    ) -> Mapping[str, Float32Array]:
        sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
        return {"area_px": np.prod(sides, axis=1, dtype=np.float32)}


MEASURES = (PlainQuality, Area, *models.default().specs(Task.QUALITY))
BOXES = np.array([[178, 62, 268, 176], [-20, 300, 60, 420], [300, 300, 304, 305]], np.float32)


@pytest.fixture(params=MEASURES, ids=lambda one: getattr(one, "id", None) or one.__name__)
def quality(
    request: pytest.FixtureRequest, pulled: Callable[..., Store], usable: Callable[..., object]
) -> Quality:
    one = request.param
    if isinstance(one, ModelSpec):
        one = partial(usable, one, lambda spec=one: models.load(spec, pulled(spec)))
    made: Quality = one()
    return made


def faces(*, points: bool = True, n: int = 3) -> Faces:
    marks = None
    if points:
        shape = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        sides = BOXES[:, None, 2:] - BOXES[:, None, :2]
        marks = Landmarks((BOXES[:, None, :2] + shape * sides).astype(np.float32), FIVE)
    return Faces(BOXES, np.ones(3, np.float32), marks, "by hand", (512, 512))[:n]


def test_one_finite_number_a_face_and_name(quality: Quality, portrait: Image) -> None:
    numbers = quality.measure(portrait, faces())
    assert set(numbers) == set(quality.names)
    for name, values in numbers.items():
        assert values.shape == (3,), name
        assert values.dtype == np.float32, name
        assert np.isfinite(values).all(), name


def test_measures_of_points_are_left_out_where_there_are_none(
    quality: Quality, portrait: Image
) -> None:
    without = quality.measure(portrait, faces(points=False))
    assert set(without) <= set(quality.names)
    with_points = quality.measure(portrait, faces())
    for name, values in without.items():
        np.testing.assert_array_equal(values, with_points[name])


def test_no_face_has_no_number(quality: Quality, portrait: Image) -> None:
    assert {v.shape for v in quality.measure(portrait, faces(n=0)).values()} == {(0,)}


def test_faces_keep_their_order(quality: Quality, portrait: Image) -> None:
    straight, other = (quality.measure(portrait, faces()[order]) for order in ([0, 1, 2], [2, 0]))
    for name, values in other.items():
        np.testing.assert_array_equal(values, straight[name][[2, 0]])


def test_it_is_deterministic_and_leaves_its_input_alone(quality: Quality, portrait: Image) -> None:
    before = portrait.pixels.copy()
    first, second = (quality.measure(portrait, faces()) for _ in range(2))
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    np.testing.assert_array_equal(portrait.pixels, before)
