"""Records of files as dataclasses, strictly: no value is taken for what it does not say."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

#: what a value of that kind is called, and a list of them
_NOUNS: Mapping[Any, tuple[str, str]] = {
    str: ("text", "list of names"),
    bool: ("truth value", "list of truth values"),
    int: ("whole number", "list of whole numbers"),
    float: ("finite number", "finite number"),
}


class Misfit(ValueError):
    """A value that is not what its field asks for. name: of the field. wanted: such as "text"."""

    def __init__(self, name: str, wanted: str, value: object) -> None:
        super().__init__(f"{name} is no {wanted}")
        self.name, self.wanted, self.value = name, wanted, value


def record(kind: type[T], table: object, name: str = "the record", /, **given: Any) -> T:
    """Return the dataclass ``kind`` out of a table of a JSON or TOML file, a key for each field.

    A field says by its type what its value must be: str, bool, int, float (finite; a whole number
    is one too), Literal, ``| None``, tuple (a list; its texts are not empty) or a dataclass.
    name: what the table is called in errors. given: fields that are had by other means. Keys that
    are no field are left to the caller. Raises KeyError for a field that is not there, Misfit for
    one of another kind, and what ``kind`` raises.
    """
    if not isinstance(table, Mapping):
        raise Misfit(name, "table", table)
    made: Any = kind
    hints = _hints(made)
    read = {key: _value(hints[key], table[key], key) for key in hints if key not in given}
    return kind(**given, **read)


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    """Return the type of every field that is asked for when one is made."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _value(kind: Any, value: Any, name: str) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _values(parts, value, name)
    if origin is UnionType and NoneType in parts:
        return None if value is None else _value(parts[0], value, name)
    if origin is Literal:
        if value not in parts:
            raise Misfit(name, " or ".join(map(repr, parts)), value)
        return value
    if dataclasses.is_dataclass(kind):
        inner: Any = kind
        return record(inner, value, name)
    return _plain(kind, value, name, _NOUNS[kind][0])


def _values(parts: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise Misfit(name, "list", value)
    if parts[-1] is not Ellipsis:
        if len(value) != len(parts):
            raise Misfit(name, f"list of {len(parts)}", value)
        return tuple(_value(part, entry, name) for part, entry in zip(parts, value, strict=True))
    if parts[0] not in _NOUNS:
        return tuple(_value(parts[0], entry, name) for entry in value)
    if parts[0] is str and not all(value):
        raise Misfit(name, _NOUNS[str][1], value)
    return tuple(_plain(parts[0], entry, name, _NOUNS[parts[0]][1]) for entry in value)


def _plain(kind: type, value: Any, name: str, noun: str) -> Any:
    # true is a number to Python and none to whoever reads the file; Infinity is JSON to Python only
    wanted = (int, float) if kind is float else (kind,)
    if type(value) not in wanted or (kind is float and not abs(value) <= sys.float_info.max):
        raise Misfit(name, noun, value)
    return kind(value)
