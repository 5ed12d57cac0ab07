"""The laws of segmenters, for every model that is registered and a toy; see types.contracts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facelign import models
from facelign.models.weights.store import Store
from facelign.types.arrays import Float32Array
from facelign.types.contracts import Segmenter
from facelign.types.image import Image
from facelign.types.specs import ModelSpec, Task

pytestmark = pytest.mark.weights


class Warm(Segmenter):
    """Takes what is more red than blue for a person: a toy, one file, no weights."""

    def segment(self, image: Image) -> Float32Array:
        red, blue = (image.pixels[..., i].astype(np.float32) for i in (0, 2))
        return np.clip((red - blue) / 64, 0, 1)


SPECS = tuple(models.default().specs(Task.SEGMENT))


@pytest.fixture(params=[None, *SPECS], ids=lambda spec: spec.id if spec else "toy")
def model(
    request: pytest.FixtureRequest, pulled: Callable[..., Store], usable: Callable[..., object]
) -> Segmenter:
    spec: ModelSpec | None = request.param
    if spec is None:
        return Warm()
    made: Segmenter = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    return made


@pytest.mark.parametrize("size", [(512, 512), (300, 200), (1, 1), (3, 700)])
def test_one_share_a_pixel(model: Segmenter, portrait: Image, size: tuple[int, int]) -> None:
    wide, tall = size
    pixels = np.ascontiguousarray(np.resize(portrait.pixels, (tall, wide, 3)))
    mask = model.segment(Image.from_array(pixels, "rgb"))
    assert (mask.shape, mask.dtype) == ((tall, wide), np.float32)
    assert np.isfinite(mask).all()
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_her_face_is_a_person(model: Segmenter, portrait: Image) -> None:
    assert model.segment(portrait)[90:160, 190:250].mean() > 0.6


def test_a_mirrored_photo_gives_the_mirrored_mask(model: Segmenter, portrait: Image) -> None:
    mirrored = Image.from_array(np.ascontiguousarray(portrait.pixels[:, ::-1]), "rgb")
    # a network is not perfectly even-handed
    gap = np.abs(model.segment(mirrored)[:, ::-1] - model.segment(portrait))
    assert gap.mean() < 0.08


def test_it_is_deterministic_and_leaves_its_input_alone(model: Segmenter, portrait: Image) -> None:
    before = portrait.pixels.copy()
    first, second = (model.segment(portrait) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(portrait.pixels, before)
