"""Thresholds that others have published, by name, each with its model, scale and source.

They are here for comparison and for galleries that come from elsewhere; none says on which data,
with which error rate. A published number is valid for one model, one scale and one normalization
only, so it is refused for any other space (SEEDS AX-4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from facelign.compare.scores import Measure, converted, score_of
from facelign.compare.thresholds import uncalibrated
from facelign.errors import ConfigError, SpaceMismatch
from facelign.types.decisions import Threshold
from facelign.types.embeddings import Space


@dataclass(frozen=True, slots=True)
class Published:
    """One published threshold: the same person if the distance is at most ``distance``.

    model: as its publisher names it. models: ids of models here that give the same vectors.
    unit: whether its vectors were of unit length. strict: the publisher's own code refuses
    equality; here the border belongs to the match everywhere (AX-6).
    """

    id: str
    model: str
    measure: Measure
    distance: float
    unit: bool
    source: str
    models: tuple[str, ...] = ()
    strict: bool = False


_OPENFACE = ("openface-nn4-small2",)
_DLIB = ("dlib-resnet", "dlib-resnet-int8")
_SFACE = ("sface", "sface-int8")

# STANDARDS 5.3: deepface's table as of 2026, columns cosine, euclidean, euclidean_l2, angular.
# Its rows are tuned one by one: changing the scale changes the decision.
_DEEPFACE: Mapping[str, tuple[tuple[str, ...], tuple[float, float, float, float]]] = {
    "VGG-Face": ((), (0.68, 1.17, 1.17, 0.39)),
    "Facenet": ((), (0.40, 10, 0.80, 0.33)),
    "Facenet512": ((), (0.30, 23.56, 1.04, 0.35)),
    "ArcFace": ((), (0.68, 4.15, 1.13, 0.39)),
    "Dlib": (_DLIB, (0.07, 0.6, 0.4, 0.12)),
    "SFace": (_SFACE, (0.593, 10.734, 1.055, 0.36)),
    "OpenFace": (_OPENFACE, (0.10, 0.55, 0.55, 0.11)),
    "DeepFace": ((), (0.23, 64, 0.64, 0.12)),
    "DeepID": ((), (0.015, 45, 0.17, 0.04)),
    "GhostFaceNet": ((), (0.65, 35.71, 1.10, 0.38)),
    "Buffalo_L": ((), (0.55, 0.6, 1.1, 0.45)),
}
_COLUMNS = (
    ("cosine", Measure.COSINE),
    ("euclidean", Measure.EUCLIDEAN),
    ("euclidean_l2", Measure.UNIT_EUCLIDEAN),
    ("angular", Measure.ANGULAR),
)


def _deepface() -> tuple[Published, ...]:
    return tuple(
        Published(
            id=f"deepface-{model.lower()}-{column}",
            model=model,
            measure=scale,
            distance=float(value),
            unit=scale.by_direction,
            source=f"deepface's table, {model}, {column}",
            models=ids,
        )
        for model, (ids, row) in _DEEPFACE.items()
        for (column, scale), value in zip(_COLUMNS, row, strict=True)
    )


def _article(model: str, value: float) -> Published:
    return Published(
        id=f"a1-{model.lower()}",
        model=model,
        measure=Measure.EUCLIDEAN,
        distance=value,
        unit=False,
        source=f"the second article (A1), {model}, Euclidean distance of the outputs as they come",
        models=_OPENFACE if model == "OpenFace" else (),
    )


_ALL = (
    Published(
        id="dlib",
        model="dlib ResNet-29",
        measure=Measure.EUCLIDEAN,
        distance=0.6,
        unit=False,
        source="dlib's own rule for its ResNet-29, Euclidean distance of the raw vectors",
        models=_DLIB,
    ),
    Published(
        id="a4-dlib",
        model="dlib ResNet-29",
        measure=Measure.EUCLIDEAN,
        distance=0.5,
        unit=False,
        source="the fifth article (A4), Euclidean distance of dlib's raw vectors",
        models=_DLIB,
    ),
    Published(
        id="a3-openface",
        model="OpenFace nn4.small2.v1",
        measure=Measure.SQUARED_UNIT_EUCLIDEAN,
        distance=0.56,
        unit=True,
        source="the fourth article (A3), squared Euclidean distance of unit vectors, best F1 on "
        "its own 4,950 pairs",
        models=_OPENFACE,
        strict=True,
    ),
    *(
        _article(model, value)
        for model, value in (
            ("VGG-Face", 0.55),
            ("OpenFace", 0.55),
            ("Facenet", 10),
            ("DeepFace", 64),
        )
    ),
    Published(
        id="opencv-sface-cosine",
        model="SFace",
        measure=Measure.COSINE,
        distance=1 - 0.363,
        unit=True,
        source="OpenCV's zoo, SFace, cosine similarity of at least 0.363",
        models=_SFACE,
    ),
    Published(
        id="opencv-sface-l2",
        model="SFace",
        measure=Measure.UNIT_EUCLIDEAN,
        distance=1.128,
        unit=True,
        source="OpenCV's zoo, SFace, Euclidean distance of unit vectors of at most 1.128",
        models=_SFACE,
    ),
    *_deepface(),
)

PUBLISHED: Mapping[str, Published] = MappingProxyType({entry.id: entry for entry in _ALL})


#: other names by which a threshold is known
_ALIASES: Mapping[str, str] = MappingProxyType({"dlib-0.6": "dlib"})


def published(name: str, model: str = "") -> Published:
    """Return a published threshold by name.

    Raises ConfigError, which lists near names, or else those for ``model`` (empty: all).
    """
    name = _ALIASES.get(name, name)
    if name in PUBLISHED:
        return PUBLISHED[name]
    near = get_close_matches(name, PUBLISHED, n=3)
    fitting = [entry.id for entry in _ALL if not model or model in entry.models]
    hint = f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(fitting)}."
    if not near and not fitting:
        hint = f"None is published for {model}: give a score."
    raise ConfigError(f"There is no published threshold '{name}'.", hint)


def published_threshold(name: str, space: Space) -> Threshold:
    """Return a published threshold as a score of ``space``, marked as uncalibrated.

    Raises SpaceMismatch unless the space holds vectors of that model on a scale that tells the
    same distance.
    """
    model = space.id.split("/")[0]
    entry = published(name, model)
    if model not in entry.models:
        raise SpaceMismatch(
            f"Threshold '{name}' is for {entry.model}, and the vectors are in space '{space.id}'.",
            "A threshold is valid for the vectors of one model only.",
        )
    scale = Measure(str(space.metric))
    if space.unit:  # of unit vectors the plain distance and that of the directions are one
        scale = {
            Measure.EUCLIDEAN: Measure.UNIT_EUCLIDEAN,
            Measure.SQUARED_EUCLIDEAN: Measure.SQUARED_UNIT_EUCLIDEAN,
        }.get(scale, scale)
    if scale.by_direction != entry.measure.by_direction:
        raise SpaceMismatch(
            f"Threshold '{name}' is a distance of measure {entry.measure}, and space '{space.id}' "
            f"is compared by {scale}.",
            "A distance of raw vectors and one of their directions cannot be told as each other.",
        )
    distance = converted(entry.distance, entry.measure, scale)
    return uncalibrated(score_of(distance, space.metric), f"{entry.source} (no data behind it)")
