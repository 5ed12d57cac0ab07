"""Cameras in a file: TOML that says of each where it is, what it is called and what is told of it.

::

    [[camera]]
    source_env = "FRONT_DOOR"        # the address stands in this variable; or: source = "rtsp://..."
    name = "front door"
    least_height = 60
    only_zones = true

    [camera.zones]
    porch = [[0.0, 0.4], [0.6, 0.4], [0.6, 1.0], [0.0, 1.0]]
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facelign.errors import ConfigError
from facelign.types.options import hints
from facelign.video.events import EventRules, Zone
from facelign.video.sources.camera import CameraOptions

#: a file of cameras is a page of text
_MOST_BYTES = 1 << 20
#: fields of the rules that are no key of a camera
_NO_KEYS = frozenset({"zones", "ignored", "live_required"})
_OWN = ("source", "source_env", "name", "zones")


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """A camera. word: its source, secret. name: what it is called, or "" for its public name."""

    word: str = field(repr=False)
    name: str = ""
    rules: EventRules = field(default_factory=EventRules)
    options: CameraOptions = field(default_factory=CameraOptions)


def read_plans(path: Path, rules: EventRules) -> list[CameraPlan]:
    """Return the cameras of a file. rules: hold where the file says nothing.

    Raises ConfigError in one sentence for what cannot be meant; no sentence tells an address.
    """
    table = _table(path)
    cameras = table.get("camera")
    if set(table) != {"camera"} or not isinstance(cameras, list) or not cameras:
        raise ConfigError(f"{path} names no cameras.", "Begin each with [[camera]].")
    plans = [_plan(f"{path}, camera {number}", one, rules) for number, one in enumerate(cameras, 1)]
    names = [plan.name for plan in plans if plan.name]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path} calls two cameras {twice}.", "Give each a name of its own.")
    return plans


def _table(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} is too large for a file of cameras.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        where = str(problem) if isinstance(problem, tomllib.TOMLDecodeError) else "it is no text"
        # a sentence of the reader tells the place and never the text that stands there
        raise ConfigError(f"{path} is no TOML: {where}.") from None


def _plan(place: str, table: Any, rules: EventRules) -> CameraPlan:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place} is no table.", "Begin it with [[camera]].")
    _known(place, table)
    given = {key: table[key] for key in table if key not in _OWN}
    name = table.get("name", "")
    if not isinstance(name, str):
        raise ConfigError(f"{place}: name is no text.")
    zones = _zones(place, table.get("zones", {}))
    try:
        changed = dataclasses.replace(
            rules, zones=zones or rules.zones, **_values(EventRules, given)
        )
        options = CameraOptions(**_values(CameraOptions, given))
    except ConfigError as error:
        raise ConfigError(f"{place}: {error.message}", error.hint) from None
    return CameraPlan(_word(place, table), name, changed, options)


def _known(place: str, table: Mapping[str, Any]) -> None:
    keys = [*_OWN, *_keys(EventRules), *_keys(CameraOptions)]
    for key in table:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"Is {near[0]} meant?" if near else f"There are: {', '.join(sorted(keys))}."
            raise ConfigError(f"{place}: {key} is not known.", hint)


def _keys(kind: Any) -> list[str]:
    return [one.name for one in dataclasses.fields(kind) if one.name not in _NO_KEYS]


def _values(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values that are fields of a set of options, each of its type."""
    types = hints(kind)
    return {key: _value(key, types[key], given[key]) for key in _keys(kind) if key in given}


def _value(what: str, hint: Any, value: Any) -> Any:
    wanted = getattr(hint, "__origin__", hint)
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is not wanted:
        raise ConfigError(f"{what} is no {_NOUNS.get(wanted, 'such value')}.")
    return value


_NOUNS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def _zones(place: str, table: Any) -> tuple[Zone, ...]:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{place}: zones is no table.", "Write [camera.zones] above them.")
    zones = []
    for name, corners in table.items():
        if not isinstance(corners, Sequence) or not all(map(_is_corner, corners)):
            raise ConfigError(
                f"{place}: the zone {name} is no list of corners.",
                "Write porch = [[0, 0], [0.5, 0], [0.5, 1]].",
            )
        zones.append(Zone(name, tuple((float(x), float(y)) for x, y in corners)))
    return tuple(zones)


def _is_corner(corner: Any) -> bool:
    return (
        isinstance(corner, list)
        and len(corner) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in corner)
    )


def _word(place: str, table: Mapping[str, Any]) -> str:
    word, variable = table.get("source"), table.get("source_env")
    if (word is None) == (variable is None):
        raise ConfigError(f"{place} needs either source or source_env.")
    if variable is not None:
        word = os.environ.get(str(variable), "")
        if not word:
            raise ConfigError(f"{place}: the variable {variable} is not set.")
    if isinstance(word, int) and not isinstance(word, bool):
        word = str(word)  # a webcam
    if not isinstance(word, str) or not word:
        raise ConfigError(f"{place}: source is no text.")
    return word
