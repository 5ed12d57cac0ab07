"""Records of measurements as plain data for JSON, under the names of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, ClassVar

import numpy as np


class PlainRecord:
    """A dataclass with ``to_dict``.

    TOLD: the fields and properties that it tells, in their order; "key=name" tells one under
    another key. All of its fields where nothing is said.
    """

    __slots__ = ()
    TOLD: ClassVar[str] = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return told(self, self.TOLD)


def told(record: Any, names: str = "") -> dict[str, Any]:
    """Return what a record tells: the names, as ``PlainRecord`` spells them, or all its fields.

    >>> told(3 + 4j, "real im=imag")
    {'real': 3.0, 'im': 4.0}
    """
    split = names.split() or [field.name for field in fields(record)]
    pairs = [name.split("=") for name in split]
    return {pair[0]: plain(getattr(record, pair[-1])) for pair in pairs}


def plain(value: Any) -> Any:
    """Return a value with the records, arrays and names in it as plain data."""
    if isinstance(value, PlainRecord):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return str(value)
    return told(value) if is_dataclass(value) else value
