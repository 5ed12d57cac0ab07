"""The laws of embedders, for every one that is registered; see types.contracts.Embedder."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from facelign.align.chips import chips
from facelign.errors import DatasetMalformed, ModelMismatch
from facelign.gallery.descriptors import refuse_others
from facelign.models.catalog import default
from facelign.models.load import load
from facelign.types.chips import Chips
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE
from facelign.types.specs import EmbedderOutput, ModelSpec, Task

pytestmark = pytest.mark.weights

EMBEDDERS = tuple(default().specs(Task.EMBED))

#: YuNet's five points of the portrait
PORTRAIT_FIVE = [[200.1, 101.8], [247.2, 102.6], [220.3, 124.7], [198.9, 143.2], [239.8, 143.9]]

Loaded = Callable[..., Any]


@pytest.fixture(scope="module", params=EMBEDDERS, ids=lambda spec: spec.id)
def loaded(
    request: pytest.FixtureRequest, pulled: Callable[..., Any], usable: Callable[..., Any]
) -> Loaded:
    """Call with options to load the model; one of each set of options."""
    spec: ModelSpec = request.param
    made: dict[str, Any] = {}
    store = usable(spec, lambda: pulled(spec))

    def make(**options: object) -> Any:
        key = repr(sorted(options.items()))
        if key not in made:
            made[key] = load(spec, store, options=options)
        return made[key]

    return make


@pytest.fixture(scope="module")
def faces(loaded: Loaded, portrait: Image) -> Chips:
    """Five chips of the native layout: the portrait, shifted, turned, darker, mirrored, coarse."""
    layout = default().layout(loaded().spec.output.layout)
    points = np.array(PORTRAIT_FIVE, np.float32)
    box = np.array([[178, 62, 268, 176]], np.float32)
    mirrored = points[list(FIVE.mirror)] * [-1, 1] + [511, 0]
    pixels = portrait.pixels
    photos = [
        (pixels, points),
        (pixels, points + np.float32(4)),
        (pixels // 3, points),
        (pixels[:, ::-1], mirrored),
        (np.repeat(np.repeat(pixels[::4, ::4], 4, 0), 4, 1), points),
    ]
    parts = []
    for photo, five in photos:
        found = Faces(
            box + np.float32(4 if five is photos[1][1] else 0),
            np.ones(1, np.float32),
            Landmarks(np.asarray(five, np.float32)[None], FIVE),
            "by hand",
            (512, 512),
        )
        parts.append(chips(Image.from_array(photo, "rgb"), found, layout)[0])
    return Chips.joined(parts)


def test_the_vectors_are_those_of_the_space(loaded: Loaded, faces: Chips) -> None:
    model = loaded()
    output = model.spec.output
    assert isinstance(output, EmbedderOutput)
    found = model.embed(faces)
    assert found.space == model.space
    assert found.vectors.shape == (5, output.dim)
    assert model.space.id == f"{output.stands_for or model.spec.id}/{output.layout}/five"
    assert (model.space.metric, model.space.unit) == (output.metric, output.unit)
    assert (found.norms > 0).all()
    assert np.linalg.matrix_rank(found.vectors) == 5, "five pictures, five vectors"


def test_only_the_vectors_of_dlib_are_taken_for_dlibs(loaded: Loaded, faces: Chips) -> None:
    raw = loaded(unit=False).embed(faces).vectors
    if raw.shape[1] != 128:
        pytest.skip("vectors of another length are refused before anybody looks at them")
    if loaded().space.id.startswith("dlib-resnet/"):
        refuse_others(raw, "vectors")
        with pytest.raises(DatasetMalformed, match="5 of 5 vectors"):
            refuse_others(loaded(unit=True).embed(faces).vectors, "vectors")
    else:
        for vectors in (raw, loaded(unit=True).embed(faces).vectors):
            with pytest.raises(DatasetMalformed, match="5 of 5 vectors"):
                refuse_others(vectors, "vectors")
            alike = 1.4 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            with pytest.raises(DatasetMalformed, match="5 of 5 vectors"):
                refuse_others(alike, "vectors")


@pytest.mark.parametrize("flip", [False, True])
def test_unit_length_exactly_when_the_space_says_so(
    loaded: Loaded, faces: Chips, flip: bool
) -> None:
    unit, raw = loaded(unit=True, flip=flip), loaded(unit=False, flip=flip)
    assert unit.space.id != raw.space.id
    ones, lengths = unit.embed(faces), raw.embed(faces)
    assert np.allclose(np.linalg.norm(ones.vectors, axis=1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(lengths.vectors, axis=1), lengths.norms, rtol=1e-5)
    assert np.abs(lengths.norms - 1).max() > 1e-3
    assert np.allclose(ones.norms, lengths.norms, rtol=1e-6), "the raw length is kept"
    assert np.allclose(ones.vectors * ones.norms[:, None], lengths.vectors, atol=1e-5)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("batch", [2, 64])
def test_a_batch_gives_what_single_chips_give_in_their_order(
    loaded: Loaded, faces: Chips, batch: int, flip: bool
) -> None:
    model = loaded(batch=batch, flip=flip)
    singles = np.concatenate([loaded(flip=flip).embed(faces[i]).vectors for i in range(5)])
    assert np.abs(model.embed(faces).vectors - singles).max() <= 1e-5
    order = [3, 0, 4, 4, 1]
    assert np.abs(model.embed(faces[order]).vectors - singles[order]).max() <= 1e-5


def test_flip_makes_a_face_and_its_mirror_image_one_vector(loaded: Loaded, faces: Chips) -> None:
    mirrored = Chips(faces.pixels[:, :, ::-1], faces.layout, faces.to_chip, faces.points_scheme)
    model, plain = loaded(flip=True), loaded()
    assert model.space.id == f"{plain.space.id}/flip"
    assert np.abs(model.embed(faces).vectors - model.embed(mirrored).vectors).max() < 1e-5
    assert np.abs(plain.embed(faces).vectors - plain.embed(mirrored).vectors).max() > 1e-3
    raw, average = loaded(unit=False), loaded(unit=False, flip=True)
    mean = (raw.embed(faces).vectors + raw.embed(mirrored).vectors) / 2
    assert np.allclose(average.embed(faces).vectors, mean, atol=1e-5)


def test_foreign_chips_are_refused(loaded: Loaded, faces: Chips) -> None:
    model = loaded()
    with pytest.raises(ModelMismatch, match="other-layout"):
        model.embed(Chips(faces.pixels, "other-layout", faces.to_chip))
    with pytest.raises(ModelMismatch, match="placed by 'box'"):
        model.embed(Chips(faces.pixels, faces.layout, faces.to_chip, "box"))
    with pytest.raises(ModelMismatch, match="px"):
        model.embed(Chips(faces.pixels[:, :64], faces.layout, faces.to_chip))
    # Said beforehand, the same chips are another space.
    other = loaded(layout="other-layout", points="box", preprocessing="gamma=1.5")
    output = model.spec.output
    assert isinstance(output, EmbedderOutput)
    assert other.space.id == f"{output.stands_for or model.spec.id}/other-layout/box/gamma=1.5"
    assert len(other.embed(Chips(faces.pixels, "other-layout", faces.to_chip, "box"))) == 5


def test_no_chips_give_no_vectors(loaded: Loaded, faces: Chips) -> None:
    model = loaded()
    assert model.embed(faces[:0]).vectors.shape == (0, model.space.dim)


def test_one_model_serves_several_threads_and_repeats_itself(loaded: Loaded, faces: Chips) -> None:
    model = loaded()
    before = faces.pixels.copy()
    first = model.embed(faces).vectors
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda _: model.embed(faces).vectors, range(3)):
            assert (found == first).all()
    assert (faces.pixels == before).all()


def test_one_face_is_nearer_to_itself_than_to_noise(loaded: Loaded, faces: Chips) -> None:
    model = loaded(unit=True)
    noise = np.random.default_rng(0).integers(0, 256, faces.pixels[:1].shape, np.uint8)
    strange = model.embed(Chips(noise, faces.layout, faces.to_chip[:1], "five")).vectors[0]
    vectors = model.embed(faces).vectors
    assert (vectors[1:] @ vectors[0]).min() > strange @ vectors[0] + 0.05
