"""Arrays out of MXNet's ``.params`` files, from their bytes alone.

Format: NDArray::Save of MXNet (src/ndarray/ndarray.cc): a list of arrays, then a list of names.
An array is its shape, the device it lay on, its kind and its numbers; the second and third version
begin with a magic number and say that it is dense.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray

#: the largest file that is read, bytes
MOST_BYTES = 1 << 29
MOST_ARRAYS = 10_000
MOST_AXES = 8
MOST_NAME = 1000
#: how a file begins, and an array of the first, second and third version
MAGIC = 0x112
_FIRST, _SECOND, _THIRD = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DENSE = 0
_KINDS = {0: "<f4", 1: "<f8", 2: "<f2", 3: "|u1", 4: "<i4", 5: "|i1", 6: "<i8"}
#: endings of MXNet's names of layers, and PyTorch's, which ``Pour`` knows
_ENDINGS = {
    "_weight": ".weight",
    "_bias": ".bias",
    "_gamma": ".weight",
    "_beta": ".bias",
    "_moving_mean": ".running_mean",
    "_moving_var": ".running_var",
}


def corrupt(what: str) -> WeightsCorrupt:
    """Return the error for a file that is no file of MXNet's weights."""
    return WeightsCorrupt(
        f"The file of MXNet weights is not usable: it holds {what}.",
        "Pull the file again; if that does not help, report it.",
    )


class _Bytes:
    """What is left of a file; nothing is taken that is not there."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise corrupt("less than it says: it ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file by name, without ``arg:`` and ``aux:``; raises WeightsCorrupt."""
    if path.stat().st_size > MOST_BYTES:
        raise corrupt(f"more than {MOST_BYTES >> 20} MB")
    data = _Bytes(path.read_bytes())
    if data.number("<Q") != MAGIC:
        raise corrupt("another magic number")
    data.take(8)  # reserved
    arrays = [_array(data) for _ in range(_count(data))]
    names = [_name(data) for _ in range(_count(data))]
    if len(names) != len(arrays) or len(set(names)) != len(names) or not names:
        raise corrupt(f"{len(arrays)} arrays and {len(set(names))} names")
    return dict(zip(names, arrays, strict=True))


def as_torch(arrays: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the arrays under the names that PyTorch would give them: bn1_gamma, bn1.weight."""
    found: dict[str, AnyArray] = {}
    for name, value in arrays.items():
        ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
        found[name.removesuffix(ending) + _ENDINGS.get(ending, "")] = value
    return found


def _count(data: _Bytes) -> int:
    count = data.number("<Q")
    if count > MOST_ARRAYS:
        raise corrupt(f"{count} arrays")
    return count


def _name(data: _Bytes) -> str:
    length = data.number("<Q")
    if length > MOST_NAME:
        raise corrupt(f"a name of {length} letters")
    try:
        name = data.take(length).decode()
    except UnicodeDecodeError as problem:
        raise corrupt("a name that is no text") from problem
    return name.removeprefix("arg:").removeprefix("aux:")


def _array(data: _Bytes) -> AnyArray:
    first = data.number("<I")
    axis = "<q"
    if first in (_SECOND, _THIRD):
        if data.number("<i") != _DENSE:
            raise corrupt("an array that is not dense")
        axes = data.number("<I")
    elif first == _FIRST:
        axes = data.number("<I")
    else:  # before there were versions
        axes, axis = first, "<I"
    if not 0 < axes <= MOST_AXES:
        raise corrupt(f"an array of {axes} axes")
    shape = tuple(data.number(axis) for _ in range(axes))
    data.take(8)  # the device
    kind = _KINDS.get(data.number("<i"))
    within = math.prod(length for length in shape if length) <= MOST_BYTES
    if kind is None or min(shape) < 0 or not within:
        raise corrupt("an array of a kind or shape that weights do not have")
    count = math.prod(shape)
    return np.frombuffer(data.take(count * np.dtype(kind).itemsize), kind, count).reshape(shape)
