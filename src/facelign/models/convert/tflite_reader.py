"""Reads TensorFlow Lite models from their bytes alone, without trusting one of them.

The form is a FlatBuffer (google.github.io/flatbuffers: tables, vectors and offsets, little
endian) laid out as tensorflow/lite/schema/schema.fbs says; the numbers of fields, kinds and
operators here are those of that file. Every offset is compared with the bytes that are there before
it is followed, every count before anything is made of it, and nothing is recursive.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray, IntArray

#: bytes of a file; the largest of MediaPipe's for faces has 2.6 MB
MOST_BYTES = 64 << 20
#: numbers in one tensor, and in all of them together (256 MB of float32)
MOST_NUMBERS, MOST_TOGETHER = 1 << 24, 1 << 26
MOST_TENSORS = 4096
MOST_AXES = 8
#: tensors that one operator reads or makes
MOST_PORTS = 64
#: characters of a name that are kept
_NAME = 80

#: TensorType -> dtype, of the kinds that networks in floating point use
_KINDS: Mapping[int, str] = MappingProxyType({0: "<f4", 1: "<f2", 2: "<i4", 4: "<i8"})
#: BuiltinOperator of what is read here, and of what is likely to be met beside it: it is named then
_OPERATORS: Mapping[int, str] = MappingProxyType(
    {
        0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
        5: "DEPTH_TO_SPACE", 6: "DEQUANTIZE", 9: "FULLY_CONNECTED", 14: "LOGISTIC",
        17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 21: "RELU6", 22: "RESHAPE",
        23: "RESIZE_BILINEAR", 25: "SOFTMAX", 28: "TANH", 34: "PAD", 36: "GATHER", 39: "TRANSPOSE",
        40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE", 45: "STRIDED_SLICE", 49: "SPLIT",
        53: "CAST", 54: "PRELU", 67: "TRANSPOSE_CONV", 97: "RESIZE_NEAREST_NEIGHBOR",
        98: "LEAKY_RELU", 114: "QUANTIZE", 117: "HARD_SWISH", 124: "DENSIFY",
    }
)  # fmt: skip
_CUSTOM = 32


def refuse(what: str) -> WeightsCorrupt:
    """Return the error for a file that is not what it should be."""
    return WeightsCorrupt(
        f"The TFLite file is not usable: {what}.",
        "Pull the file again; if that does not help, report it.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class FlatTable:
    """A table of the file: where it begins, and where each of its fields lies."""

    data: bytes
    at: int

    def unpack(self, form: str, at: int) -> int:
        """Return the number at a place of the file; form: as ``struct`` names it."""
        if not 0 <= at <= len(self.data) - struct.calcsize(form):
            raise refuse(f"it points to byte {at} of {len(self.data)}")
        return int(struct.unpack_from(form, self.data, at)[0])

    def place(self, field: int) -> int | None:
        """Return where a field lies, or None where the table leaves it out."""
        known = self.at - self.unpack("<i", self.at)
        size = self.unpack("<H", known)
        if 4 + 2 * field + 2 > size:
            return None
        offset = self.unpack("<H", known + 4 + 2 * field)
        return self.at + offset if offset else None

    def number(self, field: int, form: str = "<i", default: int = 0) -> int:
        """Return a whole number."""
        place = self.place(field)
        return default if place is None else self.unpack(form, place)

    def table(self, field: int) -> FlatTable | None:
        """Return the table that a field points to."""
        place = self.place(field)
        return None if place is None else FlatTable(self.data, place + self.unpack("<I", place))

    def vector(self, field: int, size: int, most: int) -> tuple[int, int]:
        """Return where the entries of a vector begin, and how many there are, of ``size`` bytes."""
        place = self.place(field)
        if place is None:
            return 0, 0
        start = place + self.unpack("<I", place)
        count = self.unpack("<I", start)
        if count > most or start + 4 + count * size > len(self.data):
            raise refuse(f"it speaks of {count} entries at byte {start}")
        return start + 4, count

    def tables(self, field: int, most: int) -> list[FlatTable]:
        """Return the tables that a vector points to."""
        start, count = self.vector(field, 4, most)
        places = range(start, start + 4 * count, 4)
        return [FlatTable(self.data, place + self.unpack("<I", place)) for place in places]

    def array(self, field: int, dtype: str, most: int) -> AnyArray:
        """Return a vector of numbers."""
        start, count = self.vector(field, np.dtype(dtype).itemsize, most)
        return np.frombuffer(self.data, dtype, count, start)

    def integers(self, field: int, most: int) -> tuple[int, ...]:
        """Return a short vector of whole numbers."""
        return tuple(self.array(field, "<i4", most).tolist())

    def text(self, field: int) -> str:
        """Return a name, as far as it can be shown."""
        start, count = self.vector(field, 1, len(self.data))
        raw = self.data[start : start + min(count, _NAME)]
        return "".join(c for c in raw.decode("ascii", "replace") if c.isprintable())


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A value of the network. shape: as declared, () for one number.

    data: its numbers where they lie in the file, else None. packed: how those of a sparse one are
    packed; ``data`` is flat then.
    """

    name: str
    shape: tuple[int, ...]
    data: AnyArray | None
    packed: FlatTable | None

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """A step. inputs, outputs: numbers of tensors, -1 for an input that is left out.

    options: the table of its options; an empty one where it has none.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: FlatTable


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A whole network: tensors by number, and steps in their order."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(path: Path) -> Model:
    """Return the model in a file; raises WeightsCorrupt for anything that is not as it should."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise refuse(f"it has {size} bytes, at most {MOST_BYTES} are read")
    return parse(path.read_bytes())


def parse(data: bytes) -> Model:
    """Return the model in ``data``."""
    if data[4:8] != b"TFL3":
        raise refuse("it does not begin as TFLite files do")
    start = FlatTable(data, 0)
    root = FlatTable(data, start.unpack("<I", 0))
    parts = root.tables(2, 16)
    if len(parts) != 1:
        raise refuse(f"it has {len(parts)} networks, wanted one")
    buffers = root.tables(4, 2 * MOST_TENSORS)
    tensors = tuple(_tensor(table, buffers) for table in parts[0].tables(0, MOST_TENSORS))
    if sum(tensor.count for tensor in tensors) > MOST_TOGETHER:
        raise refuse("its tensors take too much memory")
    names = [_name(table) for table in root.tables(1, MOST_TENSORS)]
    steps = tuple(_operator(table, names) for table in parts[0].tables(3, MOST_TENSORS))
    inputs, outputs = (parts[0].integers(field, MOST_PORTS) for field in (1, 2))
    used = [*inputs, *outputs, *(i for step in steps for i in (*step.inputs, *step.outputs))]
    if any(not -1 <= i < len(tensors) for i in used) or -1 in (*inputs, *outputs):
        raise refuse("a step reads or makes a tensor that it has not")
    return Model(tensors, steps, inputs, outputs)


def _name(table: FlatTable) -> str:
    # codes above 127 did not fit the field that once held them (schema.fbs, OperatorCode)
    code = max(table.number(0, "<b"), table.number(3))
    return f"custom {table.text(1)}" if code == _CUSTOM else _OPERATORS.get(code, f"number {code}")


def _operator(table: FlatTable, names: list[str]) -> Operator:
    code = table.number(0, "<I")
    if code >= len(names):
        raise refuse(f"an operator has the number {code} of {len(names)}")
    inputs, outputs = (table.integers(field, MOST_PORTS) for field in (1, 2))
    if not outputs or min(outputs) < 0:
        raise refuse(f"the operator {names[code]} makes nothing")
    # four zero bytes and a table over them: one without fields
    options = table.table(4) or FlatTable(b"\4\0\4\0\4\0\0\0", 4)
    return Operator(names[code], inputs, outputs, options)


def _tensor(table: FlatTable, buffers: list[FlatTable]) -> Tensor:
    name = table.text(3)
    shape = table.integers(0, MOST_AXES)
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count > MOST_NUMBERS:
        raise refuse(f"the tensor {name!r} has the shape {shape}")
    kind, number = table.number(1, "<b"), table.number(2, "<I")
    if number >= len(buffers):
        raise refuse(f"the tensor {name!r} lies in part {number} of {len(buffers)}")
    start, size = buffers[number].vector(0, 1, MOST_BYTES)
    if not size:
        return Tensor(name, shape, None, None)
    if kind not in _KINDS:
        raise refuse(f"the tensor {name!r} is of the kind {kind}, which is not read")
    dtype = np.dtype(_KINDS[kind])
    packed = table.table(6)
    held = size // dtype.itemsize
    if size % dtype.itemsize or (held > count if packed else held != count):
        raise refuse(f"the tensor {name!r} has {size} bytes for {count} numbers")
    data = np.frombuffer(buffers[number].data, dtype, held, start)
    if dtype.kind == "f" and not np.isfinite(data).all():
        raise refuse(f"the tensor {name!r} holds NaN or infinity")
    return Tensor(name, shape, data if packed else data.reshape(shape), packed)


_DENSE, _SPARSE = 0, 1
#: type of a vector of places -> dtype of its entries (SparseIndexVector)
_PLACES: Mapping[int, str] = MappingProxyType({1: "<i4", 2: "<u2", 3: "|u1"})


def unpacked(tensor: Tensor) -> AnyArray:
    """Return all numbers of a tensor, those that a sparse one leaves out as 0, in its shape.

    A sparse tensor is a tree: each level is an axis, or an axis of the blocks that the tensor is
    cut into, either dense or with a list of where something lies (SparsityParameters).
    """
    packed, data = tensor.packed, tensor.data
    if data is None:
        raise refuse(f"the tensor {tensor.name!r} has no numbers in the file")
    if packed is None:
        return data
    rank = len(tensor.shape)
    order, cut = packed.integers(0, 2 * MOST_AXES), packed.integers(1, MOST_AXES)
    levels = packed.tables(2, 2 * MOST_AXES)
    fits = sorted(order) == list(range(rank + len(cut))) and len(levels) == len(order)
    if not fits or len(set(cut)) != len(cut) or any(not 0 <= axis < rank for axis in cut):
        raise refuse(f"the sparse tensor {tensor.name!r} is not packed as it says")
    sizes = {axis: level.number(1) for level, axis in zip(levels, order, strict=True)}
    blocks = [sizes[rank + cut.index(axis)] if axis in cut else 1 for axis in range(rank)]
    if any(b < 1 or n % b for b, n in zip(blocks, tensor.shape, strict=True)):
        raise refuse(f"the sparse tensor {tensor.name!r} is not cut into whole blocks")
    spots: list[IntArray] = []  # along each level, of every branch so far
    branches = 1
    for level, axis in zip(levels, order, strict=True):
        length = blocks[cut[axis - rank]] if axis >= rank else tensor.shape[axis] // blocks[axis]
        repeats, along = _branched(level, branches, length, tensor.name)
        spots = [*(np.repeat(part, repeats) for part in spots), along]
        branches = len(along)
    if branches != data.size:
        raise refuse(f"the sparse tensor {tensor.name!r} has {data.size} numbers, not {branches}")
    along_axis = dict(zip(order, spots, strict=True))
    where = [along_axis[axis] * blocks[axis] for axis in range(rank)]
    for at, axis in enumerate(cut):
        where[axis] = where[axis] + along_axis[rank + at]
    found = np.zeros(tensor.shape, data.dtype)
    found[tuple(where)] = data
    return found


def _branched(level: FlatTable, branches: int, length: int, name: str) -> tuple[AnyArray, IntArray]:
    """Return into how many every branch parts at a level, and where each new one lies in it."""
    form = level.number(0, "<b")
    if form == _DENSE:
        if level.number(1) != length or branches * length > MOST_NUMBERS:
            raise refuse(f"the sparse tensor {name!r} has an axis of {level.number(1)}")
        return np.full(branches, length), np.tile(np.arange(length), branches)
    vectors = []
    for field in (2, 4):
        dtype, table = _PLACES.get(level.number(field, "<B")), level.table(field + 1)
        if dtype is None or table is None:
            raise refuse(f"the sparse tensor {name!r} does not say where its numbers lie")
        vectors.append(table.array(0, dtype, MOST_NUMBERS).astype(np.int64))
    ends, along = vectors
    repeats = np.diff(ends)
    sound = form == _SPARSE and len(ends) == branches + 1 and ends[0] == 0
    if not sound or ends[-1] != len(along) or (repeats < 0).any():
        raise refuse(f"the lists of the sparse tensor {name!r} do not fit each other")
    if along.size and not 0 <= along.min() <= along.max() < length:
        raise refuse(f"the sparse tensor {name!r} has numbers outside of itself")
    return repeats, along
