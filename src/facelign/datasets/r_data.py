"""Tables in R's own files (``.rda``, ``.rds``): the numbers of a matrix or a data frame, no code.

R Internals, section 1.8 "Serialization Formats": XDR, versions 2 and 3, plain or compressed by
gzip, bzip2 or xz. What is no number, text, list or attribute (closures, environments, promises) is
refused, so nothing of a file can run.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facelign.datasets.records import existing
from facelign.errors import DatasetMalformed
from facelign.types.arrays import Float64Array

#: MUCT's whole table has 7,510 rows of 152 numbers
_MOST_BYTES = 256 << 20
_DEEPEST = 100
_NIL, _SYMBOL, _PAIRS, _TEXT, _LOGICAL, _INTEGER, _REAL, _TEXTS, _LIST = (
    *(254, 1, 2, 9, 10, 13, 14, 16, 19),
)
_REFERENCE, _GLOBAL, _BASE, _EMPTY = 255, 253, 241, 242
#: how R writes a missing whole number
_MISSING = -(1 << 31)


@dataclass(slots=True)
class _Value:
    data: Any
    attributes: dict[str, Any] = field(default_factory=dict)


def read_r_table(path: str | Path) -> tuple[Sequence[str], Sequence[str], Float64Array]:
    """Return names of rows, names of columns and numbers (n, m) of the first table of a file.

    Names of rows are those of the table, or its one column of texts. Raises DatasetMalformed.
    """
    source = existing(path)
    try:
        reader = _Reader(_opened(source))
        for value in reader.values():
            table = _table(value)
            if table is not None:
                return table
    except (
        *(OSError, EOFError, ValueError, struct.error, IndexError, KeyError, UnicodeDecodeError),
        *(lzma.LZMAError, zlib.error, RecursionError, TypeError, OverflowError),
    ) as error:
        raise DatasetMalformed(
            f"{source} is no file of R that can be read ({error}).", "Give the .csv of the set."
        ) from error
    raise DatasetMalformed(f"{source} holds no table of numbers.", "Give the .csv of the set.")


def _opened(source: Path) -> bytes:
    data = source.read_bytes()
    for magic, module in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma)):
        if data.startswith(magic):
            with module.open(source) as stream:
                data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError("it is too large")
    return data[5:] if data.startswith((b"RDX2\n", b"RDX3\n")) else data


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._symbols: list[str] = []
        self._depth = 0
        if self._take(2) != b"X\n":
            raise ValueError("it is not in R's XDR form")
        version = self._int()
        self._int(), self._int()
        if version == 3:
            self._take(self._count(self._int(), 1))
        elif version != 2:
            raise ValueError(f"version {version} is not known")

    def values(self) -> list[_Value]:
        """Return the values of the file: of .rda those of its names, of .rds the one."""
        first = self._item()
        if isinstance(first.data, dict):
            return list(first.data.values())
        return [first]

    def _take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) != count:
            raise EOFError("it ends early")
        self._at += count
        return part

    def _int(self) -> int:
        return int(struct.unpack(">i", self._take(4))[0])

    def _count(self, count: int, size: int) -> int:
        """Return a length once so much is known to be there."""
        if count < 0 or count * size > len(self._data) - self._at:
            raise EOFError("a length is larger than the file")
        return count

    def _item(self) -> _Value:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("it is nested too deep")
        flags = self._int()
        kind = flags & 0xFF
        value = self._of_kind(kind, flags)
        if flags & 0x200 and kind not in (_PAIRS, _TEXT):
            attributes = self._item().data
            value.attributes = attributes if isinstance(attributes, dict) else {}
        self._depth -= 1
        return value

    def _of_kind(self, kind: int, flags: int) -> _Value:
        if kind in (_NIL, _GLOBAL, _BASE, _EMPTY):
            return _Value(None)
        if kind == _SYMBOL:
            self._symbols.append(str(self._item().data))
            return _Value(self._symbols[-1])
        if kind == _REFERENCE:
            return _Value(self._symbols[(flags >> 8 or self._int()) - 1])
        if kind == _PAIRS:
            return _Value(self._pairs(flags))
        if kind == _TEXT:
            length = self._int()
            return _Value("" if length == -1 else self._take(self._count(length, 1)).decode())
        return _Value(self._vector(kind))

    def _vector(self, kind: int) -> Any:
        length = self._int()
        if kind == _REAL:
            raw = self._take(8 * self._count(length, 8))
            return np.frombuffer(raw, ">f8").astype(np.float64)
        if kind in (_INTEGER, _LOGICAL):
            raw = self._take(4 * self._count(length, 4))
            return np.frombuffer(raw, ">i4").astype(np.int64)
        if kind == _TEXTS:
            return [str(self._item().data) for _ in range(self._count(length, 8))]
        if kind == _LIST:
            return [self._item() for _ in range(self._count(length, 4))]
        raise ValueError(f"it holds a value of kind {kind}, which is no number, text or list")

    def _pairs(self, flags: int) -> dict[str, Any]:
        """Return a list of pairs: name -> value; the tail follows as an item of its own."""
        found: dict[str, Any] = {}
        while flags & 0xFF == _PAIRS:
            if flags & 0x200:
                self._item()
            name = str(self._item().data) if flags & 0x400 else str(len(found))
            found[name] = self._item()
            flags = self._int()
        if flags & 0xFF != _NIL:
            raise ValueError("a list does not end")
        return found


def _told(value: _Value, name: str) -> Any:
    """Return an attribute of a value, bare."""
    held = value.attributes.get(name)
    return held.data if isinstance(held, _Value) else None


def _table(value: Any) -> tuple[Sequence[str], Sequence[str], Float64Array] | None:
    if not isinstance(value, _Value):
        return None
    if isinstance(value.data, list) and all(isinstance(part, _Value) for part in value.data):
        return _of_frame(value)
    sides, names = _told(value, "dim"), _told(value, "dimnames")
    if not isinstance(value.data, np.ndarray) or sides is None or len(sides) != 2 or not names:
        return None
    rows, columns = (part.data for part in names)
    numbers = np.where(value.data == _MISSING, np.nan, value.data.astype(np.float64))
    # R lays a matrix down by columns
    return rows or [], columns or [], np.ascontiguousarray(numbers.reshape(sides[::-1]).T)


def _of_frame(value: _Value) -> tuple[Sequence[str], Sequence[str], Float64Array] | None:
    columns = _told(value, "names")
    if not columns or len(columns) != len(value.data):
        return None
    numbers: dict[str, Any] = {}
    texts: list[str] = []
    rows = _told(value, "row.names")
    for name, part in zip(columns, value.data, strict=True):
        levels = _told(part, "levels")
        if levels is not None:  # a factor: whole numbers that stand for texts
            texts = texts or [levels[int(i) - 1] for i in part.data]
        elif isinstance(part.data, np.ndarray):
            numbers[name] = np.where(part.data == _MISSING, np.nan, part.data.astype(np.float64))
        elif isinstance(part.data, list):
            texts = texts or [str(cell) for cell in part.data]
    if not numbers or len({len(column) for column in numbers.values()}) != 1:
        return None
    named = rows if isinstance(rows, list) else texts
    return named, list(numbers), np.stack(list(numbers.values()), axis=1)
