"""Every registered model against what its reference gave for the portrait.

The files are made by tools/record_goldens.py, which says who gave the numbers and how far facelign
may be from them (``within``). A model without one fails here: its numbers are held by nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelign import models
from facelign.geometry.transforms import apply
from facelign.models.catalog import own_models
from facelign.models.weights.store import Store
from facelign.types.chips import Chips
from facelign.types.contracts import (
    Detector,
    Embedder,
    HeadPose,
    Landmarker,
    Liveness,
    Quality,
    Segmenter,
)
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE
from facelign.types.specs import EmbedderOutput, Engine, ModelSpec, Task

GOLDEN = Path(__file__).parents[1] / "golden"
EVERY = tuple(entry.spec for entry in own_models())
#: a form in integers is held by the golden of the model that it stands for
SPECS = tuple(spec for spec in EVERY if not getattr(spec.output, "stands_for", ""))
STAND_INS = tuple(spec for spec in EVERY if spec not in SPECS)
#: what a golden holds, by task
ARRAYS = {
    Task.DETECT: {"boxes", "scores"},
    Task.LANDMARK: {"boxes", "points"},
    Task.EMBED: {"points", "chips", "vectors"},
    Task.QUALITY: {"boxes", "points", "numbers"},
    Task.LIVENESS: {"boxes", "scores"},
    Task.POSE: {"boxes", "points", "angles"},
    Task.SEGMENT: {"mask"},
}
#: no golden may be looser than this: share of the face's height, px, 1 - cosine, score, score,
#: degrees, share of a pixel
LOOSEST = {
    Task.DETECT: 0.06,
    Task.LANDMARK: 1.0,
    Task.EMBED: 1e-3,
    Task.QUALITY: 0.01,
    Task.LIVENESS: 0.01,
    Task.POSE: 0.5,
    Task.SEGMENT: 0.01,
}


def golden(spec: ModelSpec) -> dict[str, np.ndarray]:
    path = GOLDEN / f"{spec.id}.npz"
    if not path.is_file():
        pytest.fail(
            f"{path.name} is not there: run tools/record_goldens.py {spec.id}", pytrace=False
        )
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def of_task(task: Task) -> pytest.MarkDecorator:
    specs = [spec for spec in SPECS if spec.task is task]
    return pytest.mark.parametrize("spec", specs, ids=lambda spec: spec.id)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_every_registered_model_has_a_golden(spec: ModelSpec) -> None:
    """One that nobody here could run has none: the record says how it was proved instead."""
    known = golden(spec)
    assert ARRAYS[spec.task] <= set(known)
    assert str(known["made_by"]), "who gave the numbers"
    assert 0 <= float(known["within"]) <= LOOSEST[spec.task]
    if "frontal" in spec.views:  # as the portrait is
        assert all(len(known[name]) for name in ARRAYS[spec.task]), "holds nothing"


def test_no_golden_is_left_of_a_model_that_went() -> None:
    assert {path.stem for path in GOLDEN.glob("*.npz")} == {s.id for s in SPECS if not s.unseen}


@pytest.mark.weights
@of_task(Task.DETECT)
def test_faces(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    model: Detector = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    known = golden(spec)
    faces = model.detect(portrait)
    assert len(faces) == len(known["boxes"])
    within = float(known["within"]) * float(faces.heights[0])
    for box, points in zip(known["boxes"], known.get("points", known["boxes"]), strict=True):
        near = np.abs(faces.boxes - box).max(axis=1)
        face = int(near.argmin())
        assert near[face] <= within
        if "points" in known:
            assert faces.landmarks is not None
            assert np.abs(faces.landmarks.points[face] - points).max() <= within
    if within == 0:
        assert np.abs(faces.scores - known["scores"]).max() <= 1e-4 or spec.engine is Engine.OPENCV


@pytest.mark.weights
@of_task(Task.LANDMARK)
def test_points(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    model: Landmarker = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    known = golden(spec)
    given = Faces(known["boxes"], np.ones(1, np.float32), None, "golden", portrait.size)
    landmarks = model.locate(portrait, given).landmarks
    assert landmarks is not None
    assert np.abs(landmarks.points - known["points"]).max() <= float(known["within"])


@pytest.mark.weights
@of_task(Task.QUALITY)
def test_numbers(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    model: Quality = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    known = golden(spec)
    marks = Landmarks(known["points"], FIVE)
    given = Faces(known["boxes"], np.ones(1, np.float32), marks, "golden", portrait.size)
    (numbers,) = model.measure(portrait, given).values()
    assert np.abs(numbers - known["numbers"]).max() <= float(known["within"])


@pytest.mark.weights
@of_task(Task.EMBED)
def test_vectors(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    known = golden(spec)
    points = "dlib-5" if spec.id == "dlib-resnet" else "five"
    model: Embedder = usable(  # type: ignore[assignment]
        spec, lambda: models.load(spec, pulled(spec), options={"points": points})
    )
    still = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    chips = Chips(known["chips"], model.space.id.split("/")[1], still, points)
    mine, theirs = model.embed(chips).vectors[0], known["vectors"][0]
    cosine = mine @ theirs / np.linalg.norm(mine) / np.linalg.norm(theirs)
    assert 1 - cosine <= float(known["within"])
    if not model.space.unit:
        assert np.abs(mine - theirs).max() <= 1e-5, "the length is part of the vector"


@pytest.mark.weights
@of_task(Task.LIVENESS)
def test_liveness(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    known = golden(spec)
    model: Liveness = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    scores = np.ones(len(known["boxes"]), np.float32)
    given = Faces(known["boxes"], scores, None, "golden", portrait.size)
    assert np.abs(model.judge(portrait, given) - known["scores"]).max() <= float(known["within"])


@pytest.mark.weights
@of_task(Task.POSE)
def test_angles(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    known = golden(spec)
    model: HeadPose = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    scores = np.ones(len(known["boxes"]), np.float32)
    marks = Landmarks(known["points"].astype(np.float32), FIVE)
    given = Faces(known["boxes"].astype(np.float32), scores, marks, "golden", portrait.size)
    gap = np.abs(model.estimate(portrait, given) - known["angles"])
    assert gap.max() <= float(known["within"])


@pytest.mark.weights
@of_task(Task.SEGMENT)
def test_masks(
    spec: ModelSpec, pulled: Callable[..., Store], portrait: Image, usable: Callable[..., object]
) -> None:
    known = golden(spec)
    model: Segmenter = usable(spec, lambda: models.load(spec, pulled(spec)))  # type: ignore[assignment]
    size = known["mask"].shape[::-1]
    small = cv2.resize(portrait.pixels, size, interpolation=cv2.INTER_AREA)
    gap = np.abs(model.segment(Image.from_array(small, "rgb")) - known["mask"] / np.float32(255))
    assert gap.max() <= float(known["within"])


@pytest.mark.parametrize("spec", STAND_INS, ids=lambda spec: spec.id)
def test_a_form_in_integers_stays_near_the_model_that_it_stands_for(
    spec: ModelSpec, pulled: Callable[..., Store], usable: Callable[..., object]
) -> None:
    assert isinstance(spec.output, EmbedderOutput)
    (exact,) = models.default().find(spec.output.stands_for)
    known = golden(exact)
    points = "dlib-5" if exact.id == "dlib-resnet" else "five"
    model: Embedder = usable(  # type: ignore[assignment]
        spec, lambda: models.load(spec, pulled(spec), options={"points": points})
    )
    assert model.space.id.split("/")[0] == exact.id, "one space: galleries serve both"
    still = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    mine = model.embed(Chips(known["chips"], spec.output.layout, still, points)).vectors[0]
    theirs = known["vectors"][0]
    apart = mine / np.linalg.norm(mine) - theirs / np.linalg.norm(theirs)
    assert 0 < np.linalg.norm(apart) <= 2 * spec.output.drift
    if not model.space.unit:
        assert abs(np.linalg.norm(mine) / np.linalg.norm(theirs) - 1) < 0.05


@of_task(Task.EMBED)
def test_chips_are_cut_as_the_reference_cuts_them(spec: ModelSpec, portrait: Image) -> None:
    from facelign.align.chips import chips

    known = golden(spec)
    scheme = DLIB_5 if spec.id == "dlib-resnet" else FIVE
    assert isinstance(spec.output, EmbedderOutput)
    points = known["points"]
    box = np.concatenate([points[0].min(axis=0), points[0].max(axis=0)])[None]
    marks = Landmarks(points, scheme)
    faces = Faces(box, np.ones(1, np.float32), marks, "golden", portrait.size)
    cut = chips(portrait, faces, models.layout(spec.output.layout))[0]
    landed = apply(cut.to_chip[0], points[0])
    assert ((landed > 0) & (landed < cut.pixels.shape[1])).all()
    difference = np.abs(cut.pixels.astype(int) - known["chips"])
    # OpenCV's robust fit of the matrix differs from the least-squares one in the last digits
    assert difference.mean() <= (0.0 if scheme is DLIB_5 else 2.0)
