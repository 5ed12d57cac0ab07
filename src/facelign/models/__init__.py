"""Models by id: what there is, and each one loaded, in one line.

A model's options are keywords; ``engine`` says how its network runs. Nothing is downloaded by
loading: ``pull`` does that, as ``facelign models pull`` does.

Example:
    >>> import facelign
    >>> facelign.models.list("dlib*", task="landmark")
    ['dlib-5', 'dlib-68']
    >>> facelign.models.layout("arcface-112", size=224).size
    (224, 224)
    >>> detector = facelign.models.detector("yunet", score_threshold=0.7)  # doctest: +SKIP
    >>> len(detector.detect(facelign.read_image("portrait.jpg")))  # doctest: +SKIP
    1
"""

from __future__ import annotations

import builtins
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from facelign.errors import ConfigError, ModelMismatch
from facelign.models.catalog import Registry, default
from facelign.models.load import load
from facelign.models.weights.store import Store
from facelign.types.embeddings import Space
from facelign.types.specs import EmbedderOutput, Task

if TYPE_CHECKING:
    from facelign.runtime.onnx import OnnxOptions
    from facelign.types.contracts import (
        Detector,
        Embedder,
        HeadPose,
        Landmarker,
        Layout,
        Liveness,
        Quality,
        Segmenter,
    )

#: parts of a space's id that are no preprocessing
_MARKS = ("flip", "unit", "raw")

__all__ = [
    "Registry",
    "Store",
    "default",
    "detector",
    "embedder",
    "landmarker",
    "layout",
    "list",
    "liveness",
    "load",
    "pose",
    "pull",
    "quality",
    "segmenter",
    "space",
]


def list(pattern: str = "*", *, task: Task | str | None = None) -> builtins.list[str]:
    """Return the ids of the models that fit a pattern such as ``"dlib*"``, of all tasks or of one.

    task: "detect", "landmark", "embed", "quality", "liveness", "pose" or "segment".
    """
    wanted = None if task is None else Task(task)
    ids = dict.fromkeys(spec.id for spec in default().specs(wanted))
    return [model for model in ids if fnmatchcase(model, pattern)]


def detector(model: str, /, *, engine: OnnxOptions | None = None, **options: object) -> Detector:
    """Return a detector: ``detect(image)`` gives the faces of a photo.

    Raises UnknownModel (which names near ids), WeightsMissing (the hint is the command that brings
    them), ConfigError for an option that it has not, LicenseRefused and ExtraMissing.
    """
    return _loaded(Task.DETECT, model, engine, options)  # type: ignore[no-any-return]


def landmarker(
    model: str, /, *, engine: OnnxOptions | None = None, **options: object
) -> Landmarker:
    """Return a landmarker: ``locate(image, faces)`` gives the faces their points.

    Raises as ``detector``.
    """
    return _loaded(Task.LANDMARK, model, engine, options)  # type: ignore[no-any-return]


def embedder(model: str, /, *, engine: OnnxOptions | None = None, **options: object) -> Embedder:
    """Return an embedder: ``embed(chips)`` gives vectors of its ``space``.

    Raises as ``detector``.
    """
    return _loaded(Task.EMBED, model, engine, options)  # type: ignore[no-any-return]


def quality(model: str, /, *, engine: OnnxOptions | None = None, **options: object) -> Quality:
    """Return a learned quality measure: ``measure(image, faces)`` gives numbers by name.

    Raises as ``detector``.
    """
    return _loaded(Task.QUALITY, model, engine, options)  # type: ignore[no-any-return]


def liveness(model: str, /, *, engine: OnnxOptions | None = None, **options: object) -> Liveness:
    """Return a liveness model: ``judge(image, faces)`` gives one score a face, 0 to 1.

    Raises as ``detector``.
    """
    return _loaded(Task.LIVENESS, model, engine, options)  # type: ignore[no-any-return]


def pose(model: str, /, *, engine: OnnxOptions | None = None, **options: object) -> HeadPose:
    """Return a model of head pose: ``estimate(image, faces)`` gives yaw, pitch and roll, degrees.

    Raises as ``detector``.
    """
    return _loaded(Task.POSE, model, engine, options)  # type: ignore[no-any-return]


def segmenter(model: str, /, *, engine: OnnxOptions | None = None, **options: object) -> Segmenter:
    """Return a segmenter: ``segment(image)`` gives a mask of people (h, w), 0 to 1.

    Raises as ``detector``.
    """
    return _loaded(Task.SEGMENT, model, engine, options)  # type: ignore[no-any-return]


def layout(layout_id: str, /, **options: object) -> Layout:
    """Return a layout: how faces are cut into chips. Raises UnknownModel and ConfigError."""
    return default().layout(layout_id, **options)


def space(space_id: str, /) -> Space:
    """Return a space by its id, or that of an embedder's id: its own layout and points, no mirror.

    For vectors that were made elsewhere; a loaded embedder has its own, ``embedder(...).space``.
    Raises UnknownModel and ConfigError.

    Example:
        >>> import facelign
        >>> facelign.models.space("dlib-resnet").id
        'dlib-resnet/dlib-150/dlib-5'
    """
    known = default()
    model, *parts = space_id.split("/")
    output = known.spec(Task.EMBED, model).output
    if not isinstance(output, EmbedderOutput):
        raise ModelMismatch(f"The record of '{model}' is not that of an embedder.", "Correct it.")
    layout_id, points, *rest = [*parts, *(output.layout, "")[len(parts) :]]
    made = output.space(
        model,
        layout_id,
        points or known.layout(layout_id).needs[0],
        preprocessing=next((part for part in rest if part not in _MARKS), ""),
        flip="flip" in rest,
        unit=True if "unit" in rest else False if "raw" in rest else None,
    )
    if len(parts) > 1 and made.id != space_id:
        raise ConfigError(f"There is no space '{space_id}'.", f"Such as '{made.id}'.")
    return made


def pull(*models: str) -> None:
    """Bring the weights of models here, where they are not yet; an id of two tasks means both.

    Raises UnknownModel, LicenseRefused and DownloadFailed.
    """
    known = default()
    wanted = [spec for model in models for spec in known.find(model)]
    Store.from_environment().pull_all(wanted, known=known.specs())


def _loaded(task: Task, model: str, engine: OnnxOptions | None, options: dict[str, object]) -> Any:
    spec = default().spec(task, model)
    return load(spec, Store.from_environment(), options=options, engine=engine)
