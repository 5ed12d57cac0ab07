"""Thresholds that others have published, by name, each with its model, scale and source.

They are here for comparison and for galleries that come from elsewhere; none says on which data,
with which error rate. A published number is valid for one model, one scale and one normalization
only, so it is refused for any other space (AX-4).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
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


@cache
def thresholds() -> Mapping[str, Published]:
    """Return all of them by id, as ``published.json`` holds them.

    deepface's table (as of 2026) has four columns, tuned one by one: changing the measure there
    changes the decision.
    """
    rows = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
    entries = (
        Published(**{**row, "measure": Measure(row["measure"]), "models": tuple(row["models"])})
        for row in rows
    )
    return MappingProxyType({entry.id: entry for entry in entries})


#: other names by which a threshold is known
_ALIASES: Mapping[str, str] = MappingProxyType({"dlib-0.6": "dlib"})


def published(name: str, model: str = "") -> Published:
    """Return a published threshold by name.

    Raises ConfigError, which lists near names, or else those for ``model`` (empty: all).
    """
    name = _ALIASES.get(name, name)
    known = thresholds()
    if name in known:
        return known[name]
    near = get_close_matches(name, [*_ALIASES, *known], n=3)
    fitting = [entry.id for entry in known.values() if not model or model in entry.models]
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
