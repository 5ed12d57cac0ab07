"""Arrays out of Torch7's ``.t7`` files of networks, from their bytes alone.

Format: torch.save in its binary form (torch7 File.lua, lib/TH and generic/Tensor.c): a tree of
numbers, texts, tables, tensors and objects of Lua classes, each object once and referred to by its
index afterwards. Functions are stored as Lua's bytecode, which Torch would load and run; here
their bytes are stepped over.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.models.convert.torch_file import viewed
from facelign.types.arrays import AnyArray

#: the largest file that is read, bytes
MOST_BYTES = 1 << 30
#: numbers of all arrays together: an array may be said to repeat a few that lie in the file
MOST_NUMBERS = 1 << 27
#: values of all kinds: a network of a few hundred layers has some ten thousand
MOST_VALUES = 500_000
MOST_DEPTH = 80
MOST_AXES = 8
MOST_NAME = 1000
# what a value begins with (File.lua)
_NIL, _NUMBER, _TEXT, _TABLE, _OBJECT, _BOOLEAN = range(6)
_FUNCTIONS = (6, 7, 8)
#: how a file of a network begins: an object of a class, the first of the file, of a version
MAGIC = struct.pack("<iii", _OBJECT, 1, 3) + b"V "
_KINDS = {
    "Float": "<f4",
    "Cuda": "<f4",
    "Double": "<f8",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "|i1",
    "Byte": "|u1",
}


@dataclass(slots=True)
class _Table:
    """A table of Lua, or an object of one of its classes."""

    kind: str = ""
    entries: dict[str | float, object] = field(default_factory=dict)


def corrupt(what: str) -> WeightsCorrupt:
    """Return the error for a file that is no file of Torch7's networks."""
    return WeightsCorrupt(
        f"The file of Torch7 weights is not usable: it holds {what}.",
        "Get the file again; if that does not help, report it.",
    )


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a network by the places of their layers, in the order of these.

    ``14.1.2.4.weight`` is that of the fourth layer in the second of the first of the fourteenth.
    Weights of convolutions have four axes, variances are variances, whatever age the file has.
    Raises WeightsCorrupt.
    """
    if path.stat().st_size > MOST_BYTES:
        raise corrupt(f"more than {MOST_BYTES >> 20} MB")
    network = _Reader(path.read_bytes()).value(0)
    found = dict(_layers(network, "", 0))
    if not found:
        raise corrupt("no layers with weights")
    return found


class _Reader:
    """What is left of a file; nothing is taken that is not there."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._known: dict[int, object] = {}
        self._left, self._numbers = MOST_VALUES, MOST_NUMBERS

    def _take(self, count: int) -> int:
        """Step over bytes; return where they begin."""
        if not 0 <= count <= len(self._data) - self._at:
            raise corrupt("less than it says: it ends too early")
        self._at += count
        return self._at - count

    def _integer(self, form: str = "<i") -> int:
        return int(struct.unpack_from(form, self._data, self._take(struct.calcsize(form)))[0])

    def _text(self, most: int = MOST_BYTES) -> str:
        length = self._integer()
        if length > most:
            raise corrupt(f"a name of {length} letters")
        at = self._take(length)
        return self._data[at : at + length].decode("latin-1")

    def value(self, depth: int) -> object:
        """Return the next value."""
        self._left -= 1
        if depth > MOST_DEPTH or self._left < 0:
            raise corrupt("too many values, or values in values without an end")
        kind = self._integer()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return float(struct.unpack_from("<d", self._data, self._take(8))[0])
        if kind == _TEXT:
            return self._text()
        if kind == _BOOLEAN:
            return self._integer() == 1
        if kind not in (_TABLE, _OBJECT, *_FUNCTIONS):
            raise corrupt(f"a value of the unknown kind {kind}; the form in letters is not read")
        if kind == _FUNCTIONS[0]:  # of the first version, which had no index
            self._step_over_function(depth)
            return None
        index = self._integer()
        if index in self._known:
            return self._known[index]
        if kind in _FUNCTIONS:
            self._known[index] = None
            self._step_over_function(depth)
            return None
        return self._table(index, depth) if kind == _TABLE else self._object(index, depth)

    def _step_over_function(self, depth: int) -> None:
        self._take(self._integer())
        self.value(depth + 1)

    def _table(self, index: int, depth: int) -> _Table:
        made = self._known[index] = _Table()
        for _ in range(self._integer()):
            key, value = self.value(depth + 1), self.value(depth + 1)
            if isinstance(key, str | float):
                made.entries[key] = value
        return made

    def _object(self, index: int, depth: int) -> object:
        name = self._text(MOST_NAME)
        if name.startswith("V "):
            name = self._text(MOST_NAME)
        kind, _, what = name.removeprefix("torch.").partition("Tensor")
        if name.startswith("torch.") and kind in _KINDS and not what:
            return self._tensor(index, kind, depth)
        kind, _, what = name.removeprefix("torch.").partition("Storage")
        if name.startswith("torch.") and kind in _KINDS and not what:
            return self._storage(index, kind)
        made = self._known[index] = _Table(name)
        state = self.value(depth + 1)
        if not isinstance(state, _Table):
            raise corrupt(f"an object of {name} that is no table")
        made.entries = state.entries
        return made

    def _storage(self, index: int, kind: str) -> AnyArray:
        count, dtype = self._integer("<q"), np.dtype(_KINDS[kind])
        if not 0 <= count <= len(self._data):
            raise corrupt("less than it says: it ends too early")
        at = self._take(count * dtype.itemsize)
        numbers = np.frombuffer(self._data, dtype, count, at if count else 0)
        self._known[index] = numbers
        return numbers

    def _tensor(self, index: int, kind: str, depth: int) -> AnyArray:
        axes = self._integer()
        if not 0 <= axes <= MOST_AXES:
            raise corrupt(f"an array of {axes} axes")
        shape, steps = (tuple(self._integer("<q") for _ in range(axes)) for _ in range(2))
        start = self._integer("<q") - 1
        numbers = self.value(depth + 1)
        empty = np.zeros(0, _KINDS[kind])
        if not axes or numbers is None:  # how Lua writes a tensor of nothing
            self._known[index] = empty
            return empty
        if not isinstance(numbers, np.ndarray) or numbers.dtype != empty.dtype:
            raise corrupt("an array without numbers of its kind")
        if min(*shape, *steps, start) < 0 or max(*shape, *steps, start) > MOST_NUMBERS:
            raise corrupt("an array of a shape that weights do not have")
        self._numbers -= math.prod(shape)
        found = None if self._numbers < 0 else viewed(numbers, start, shape, steps)
        if found is None:
            raise corrupt("an array that reaches beyond its numbers, or too many numbers")
        self._known[index] = found
        return found


def _layers(value: object, place: str, depth: int) -> Iterator[tuple[str, AnyArray]]:
    """Yield the arrays of a layer and of the layers in it."""
    if not isinstance(value, _Table) or not value.kind:
        raise corrupt("something else than a network")
    if depth > MOST_DEPTH:
        raise corrupt("layers in layers without an end")
    inner = value.entries.get("modules")
    if isinstance(inner, _Table):
        for i in range(1, len(inner.entries) + 1):
            if float(i) in inner.entries:
                yield from _layers(inner.entries[float(i)], f"{place}{i}.", depth + 1)
        return
    for name, change in _WEIGHTS.items():
        array = value.entries.get(name)
        if isinstance(array, np.ndarray) and array.size:
            told, changed = change(array, value)
            yield place + told, changed


_Change = Callable[[AnyArray, _Table], tuple[str, AnyArray]]


def _weight(array: AnyArray, layer: _Table) -> tuple[str, AnyArray]:
    """Return the weight of a layer; a convolution by matrices has rows instead of four axes."""
    sizes = [layer.entries.get(key) for key in ("nInputPlane", "kH", "kW")]
    whole = [int(size) for size in sizes if isinstance(size, float) and 0 < size < MOST_NUMBERS]
    if array.ndim == 2 and len(whole) == 3 and math.prod(whole) == array.shape[1]:
        array = array.reshape(len(array), *whole)
    return "weight", array


def _variance(array: AnyArray, layer: _Table) -> tuple[str, AnyArray]:
    """Return the variance of files from before 2016, which keep 1 / sqrt(variance + epsilon)."""
    epsilon = layer.entries.get("eps")
    with np.errstate(all="ignore"):
        spread = array.astype(np.float64) ** -2
    return "running_var", spread - (epsilon if isinstance(epsilon, float) else 1e-5)


_WEIGHTS: dict[str, _Change] = {
    "weight": _weight,
    "bias": lambda array, _: ("bias", array),
    "running_mean": lambda array, _: ("running_mean", array),
    "running_var": lambda array, _: ("running_var", array),
    "running_std": _variance,
}
