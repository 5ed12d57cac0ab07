"""The laws of liveness models, for every one that is registered and a toy; see types.contracts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facelign import models
from facelign.models.weights.store import Store
from facelign.types.arrays import Float32Array
from facelign.types.contracts import Liveness
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import LivenessOutput, ModelSpec, Task

pytestmark = pytest.mark.weights


class Colorful(Liveness):
    """Takes gray faces for prints: a toy, one file, no weights."""

    id = "colorful"

    def judge(self, image: Image, faces: Faces) -> Float32Array:
        spread = np.zeros(len(faces), np.float32)
        for i, box in enumerate(faces.boxes.round().astype(int)):
            x1, y1, x2, y2 = np.maximum(box, 0)
            part = image.pixels[y1:y2, x1:x2].astype(np.float32)
            spread[i] = part.std(axis=2).mean() / 64 if part.size else 0.0
        return np.clip(spread, 0, 1)


SPECS = tuple(models.default().specs(Task.LIVENESS))
FACES = Faces(
    np.array([[178, 62, 268, 176], [10, 10, 60, 70]], np.float32),
    np.ones(2, np.float32),
    None,
    "by hand",
    (512, 512),
)


#: models that hold a gray print for no less alive; their files say so
TAKEN_IN = {"human-antispoof"}


@pytest.fixture(params=[None, *SPECS], ids=lambda spec: spec.id if spec else "toy")
def model(
    request: pytest.FixtureRequest, pulled: Callable[..., Store], usable: Callable[..., object]
) -> Liveness:
    spec: ModelSpec | None = request.param
    if spec is None:
        return Colorful()
    made: Liveness = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    return made


def test_one_score_a_face_between_0_and_1(model: Liveness, portrait: Image) -> None:
    scores = model.judge(portrait, FACES)
    assert scores.shape == (2,)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    assert model.judge(portrait, FACES[:0]).shape == (0,)
    np.testing.assert_allclose(model.judge(portrait, FACES[[1, 0]]), scores[::-1], atol=1e-6)


def test_it_is_deterministic_and_leaves_its_input_alone(model: Liveness, portrait: Image) -> None:
    before = portrait.pixels.copy()
    np.testing.assert_array_equal(model.judge(portrait, FACES), model.judge(portrait, FACES))
    np.testing.assert_array_equal(portrait.pixels, before)


def test_a_person_looks_more_alive_than_a_gray_print(model: Liveness, portrait: Image) -> None:
    gray = portrait.pixels.mean(axis=2).astype(np.uint8)
    printed = Image.from_array(gray, "gray")
    if model.id in TAKEN_IN:
        pytest.skip(f"{model.id} is taken in by it, as its own program is")
    assert model.judge(portrait, FACES)[0] > model.judge(printed, FACES)[0]


def test_it_says_from_where_on_it_believes(model: Liveness) -> None:
    assert model.id
    assert 0 < model.threshold < 1


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_a_record_says_where_the_model_believes(spec: ModelSpec) -> None:
    assert isinstance(spec.output, LivenessOutput)
    assert 0 < spec.output.threshold < 1


def test_a_face_at_the_edge_and_a_reduced_photo_are_judged_alike(
    model: Liveness, portrait: Image
) -> None:
    outside = Faces(
        np.array([[-30, -20, 60, 80], [450, 440, 700, 700]], np.float32),
        np.ones(2, np.float32), None, "by hand", (512, 512),
    )  # fmt: skip
    assert np.isfinite(model.judge(portrait, outside)).all()
