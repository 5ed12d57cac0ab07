"""Arrays out of Keras's ``.h5`` files of weights or of whole models, from their bytes alone.

Format: HDF5 File Format Specification, version 1.1, in the part of it that Keras writes: groups as
symbol tables, arrays that lie in one piece. A reader of this part is a page, checks every address
before it follows it and executes nothing; the whole of HDF5 in C is an engine of filters, external
files and types of one's own, which a file of weights needs none of. What such a file does not need
is refused by name: filters, chunks, links, numbers in other files.

The description of the network, where there is one, is never looked at: it may hold code.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray

MAGIC = b"\x89HDF\r\n\x1a\n"
#: the largest file that is read, bytes: VGG-Face has 580 MB
MOST_BYTES = 1 << 30
MOST_OBJECTS = 20_000
MOST_MESSAGES = 4_000
MOST_DEPTH = 16
MOST_AXES = 8
_NOWHERE = (1 << 64) - 1
# kinds of messages of an object header
_SPACE, _TYPE, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUED, _TABLE = (
    0x01, 0x03, 0x07, 0x08, 0x0B, 0x0C, 0x10, 0x11,
)  # fmt: skip
#: links of the form that came with HDF5 1.8
_NEW_LINKS = (0x02, 0x06)
#: width, exponent and mantissa in bits of the numbers of IEEE 754
_FLOATS = {2: (5, 10), 4: (8, 23), 8: (11, 52)}


def corrupt(what: str, hint: str = "") -> WeightsCorrupt:
    """Return the error for a file that is no file of Keras's weights."""
    return WeightsCorrupt(
        f"The file of Keras weights is not usable: it holds {what}.",
        hint or "Get the file again; if that does not help, report it.",
    )


@dataclass(frozen=True, slots=True)
class _Object:
    """A group or an array: its messages by kind, each from where to where."""

    messages: tuple[tuple[int, int, int], ...]

    def of(self, kind: int) -> Iterator[tuple[int, int]]:
        return ((start, end) for each, start, end in self.messages if each == kind)

    def has(self, *kinds: int) -> bool:
        return any(each in kinds for each, _, _ in self.messages)


class _File:
    """The bytes of a file; nothing is taken that is not there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._seen: set[int] = set()
        self._messages = 0

    def take(self, at: int, count: int, end: int | None = None) -> bytes:
        end = len(self.data) if end is None else end
        if not (0 <= at <= end <= len(self.data)) or count < 0 or count > end - at:
            raise corrupt("a place beyond its end")
        return self.data[at : at + count]

    def number(self, at: int, size: int, end: int | None = None) -> int:
        return int.from_bytes(self.take(at, size, end), "little")

    def root(self) -> int:
        """Return where the object header of the root lies."""
        if self.take(0, 8) != MAGIC:
            raise corrupt("another magic number")
        version = self.number(8, 1)
        if version > 1:
            raise corrupt(
                f"groups in the form of superblock {version}, which files of Keras 2 do not have",
                "Write it again with h5py.File(..., libver='earliest').",
            )
        if (self.number(13, 1), self.number(14, 1)) != (8, 8):
            raise corrupt("addresses of another width than 8 bytes")
        first = 24 + 4 * version
        if self.number(first, 8):
            raise corrupt("a block before its start")
        return self.number(first + 4 * 8 + 8, 8)

    def object(self, at: int) -> _Object:
        """Return the object whose header lies there; each may be met once."""
        if at in self._seen or len(self._seen) >= MOST_OBJECTS:
            raise corrupt("an object in two places, or too many")
        self._seen.add(at)
        if self.number(at, 1) != 1:
            raise corrupt("an object header of another version")
        count = self.number(at + 2, 2)
        blocks = [(at + 16, self.number(at + 8, 4))]
        found: list[tuple[int, int, int]] = []
        while blocks and len(found) < count:
            start, length = blocks.pop(0)
            end = start + length
            self.take(start, length)
            while start + 8 <= end and len(found) < count:
                kind, size = self.number(start, 2), self.number(start + 2, 2)
                if self.number(start + 4, 1) & 2 and kind in (_SPACE, _TYPE):
                    raise corrupt("a message that is shared")
                self.take(start + 8, size, end)
                found.append((kind, start + 8, start + 8 + size))
                if kind == _CONTINUED:
                    blocks.append((self.number(start + 8, 8), self.number(start + 16, 8)))
                start += 8 + size
            self._messages += len(found)
            if self._messages > MOST_MESSAGES * 10 or len(found) > MOST_MESSAGES:
                raise corrupt("too many messages")
        return _Object(tuple(found))

    def members(self, group: _Object) -> Iterator[tuple[str, int]]:
        """Yield name and place of what a group holds."""
        table = next(group.of(_TABLE), None)
        if table is None:
            if group.has(*_NEW_LINKS):
                raise corrupt(
                    "links of the form of HDF5 1.8, which files of Keras 2 do not have",
                    "Write it again with h5py.File(..., libver='earliest').",
                )
            return
        tree, heap = self.number(table[0], 8, table[1]), self.number(table[0] + 8, 8, table[1])
        if self.take(heap, 4) != b"HEAP":
            raise corrupt("no heap of names")
        size, names = self.number(heap + 8, 8), self.number(heap + 24, 8)
        self.take(names, size)
        for node in self._leaves(tree, 0):
            if self.take(node, 4) != b"SNOD":
                raise corrupt("no list of links")
            for i in range(self.number(node + 6, 2)):
                entry = node + 8 + 40 * i
                if self.number(entry + 16, 4) == 2:
                    raise corrupt("a link to somewhere else")
                yield self._name(names, size, self.number(entry, 8)), self.number(entry + 8, 8)

    def _leaves(self, at: int, depth: int) -> Iterator[int]:
        if self.take(at, 4) != b"TREE" or self.number(at + 4, 1) or depth > MOST_DEPTH:
            raise corrupt("no tree of links")
        if at in self._seen or len(self._seen) >= MOST_OBJECTS:
            raise corrupt("a tree in two places, or too many")
        self._seen.add(at)
        level = self.number(at + 5, 1)
        for i in range(self.number(at + 6, 2)):
            child = self.number(at + 32 + 16 * i, 8)
            if level:
                yield from self._leaves(child, depth + 1)
            else:
                yield child

    def _name(self, heap: int, size: int, offset: int) -> str:
        if offset > size:
            raise corrupt("a name beyond its heap")
        text = self.take(heap + offset, min(size - offset, 1000)).partition(b"\0")[0]
        return _text(text)

    def shape(self, start: int, end: int) -> tuple[int, ...]:
        """Return the shape that a message tells."""
        version, axes, flags = (self.number(start + i, 1, end) for i in range(3))
        if version not in (1, 2) or axes > MOST_AXES or flags > 1:
            raise corrupt("an array of a shape that weights do not have")
        first = start + (8 if version == 1 else 4)
        return tuple(self.number(first + 8 * i, 8, end) for i in range(axes))

    def kind(self, start: int, end: int) -> np.dtype[np.generic]:
        """Return what a message tells of the numbers or texts of an array."""
        which = self.number(start, 1, end) & 15
        bits, size = self.number(start + 1, 3, end), self.number(start + 4, 4, end)
        if which == 0 and size in (1, 2, 4, 8) and not bits & 7:
            return np.dtype(f"<{'i' if bits & 8 else 'u'}{size}")
        if which == 1 and size in _FLOATS and not bits & 0x41:
            told = [self.number(start + 8 + i, 1, end) for i in range(8)]
            exponent, mantissa = _FLOATS[size]
            wanted = [0, 0, 8 * size, 0, mantissa, exponent, 0, mantissa]
            if told == wanted:
                return np.dtype(f"<f{size}")
        if which == 3 and 0 < size <= 1000:
            return np.dtype(f"S{size}")
        raise corrupt("numbers of a kind that weights do not have")

    def array(self, found: _Object) -> AnyArray:
        """Return the numbers of an array; they stay in the bytes of the file."""
        if found.has(_FILTERS, _EXTERNAL):
            raise corrupt(
                "an array that is packed, or lies in another file", "Write it again without."
            )
        parts = [next(found.of(kind), None) for kind in (_SPACE, _TYPE, _LAYOUT)]
        if None in parts:
            raise corrupt("an array without shape, kind or place")
        space, kind, layout = (part for part in parts if part is not None)
        shape, dtype = self.shape(*space), self.kind(*kind)
        wanted = _count(shape) * dtype.itemsize
        version, how = (self.number(layout[0] + i, 1, layout[1]) for i in range(2))
        if version not in (3, 4) or how > 1:
            raise corrupt("an array in chunks", "Write it again without chunks.")
        if how == 0:
            length, at = self.number(layout[0] + 2, 2, layout[1]), layout[0] + 4
            self.take(at, length, layout[1])
        else:
            at = self.number(layout[0] + 2, 8, layout[1])
            length = self.number(layout[0] + 10, 8, layout[1])
        if wanted and (length < wanted or at == _NOWHERE):
            raise corrupt("fewer numbers than it says")
        self.take(at if wanted else 0, wanted)
        return np.frombuffer(self.data, dtype, _count(shape), at if wanted else 0).reshape(shape)

    def texts(self, found: _Object, name: str) -> list[str] | None:
        """Return the list of texts that is an attribute of an object, or None."""
        pieces: dict[str, list[str]] = {}
        for start, end in found.of(_ATTRIBUTE):
            told = self._attribute(start, end, name)
            if told is not None:
                pieces[told[0]] = told[1]
        if name in pieces:
            return pieces[name]
        if f"{name}0" not in pieces:
            return None
        # Keras cuts a list that is too long for one attribute: name0, name1, ...
        return [text for i in range(len(pieces)) for text in pieces.get(f"{name}{i}", [])]

    def _attribute(self, start: int, end: int, wanted: str) -> tuple[str, list[str]] | None:
        """Return name and texts of an attribute whose name begins as wanted."""
        version = self.number(start, 1, end)
        if version not in (1, 2, 3):
            raise corrupt("an attribute of another version")
        sizes = [self.number(start + 2 + 2 * i, 2, end) for i in range(3)]
        at = start + (9 if version == 3 else 8)
        places = []
        for size in sizes:
            self.take(at, size, end)
            places.append((at, at + size))
            at += -(-size // 8) * 8 if version == 1 else size
        name = _text(self.take(places[0][0], sizes[0]).partition(b"\0")[0])
        if name.rstrip("0123456789") != wanted:
            return None
        dtype, shape = self.kind(*places[1]), self.shape(*places[2])
        if dtype.kind != "S" or len(shape) > 1:
            raise corrupt(f"a list {name} that is none")
        data = self.take(at, _count(shape) * dtype.itemsize, end)
        width = dtype.itemsize
        return name, [_text(data[i : i + width].rstrip(b"\0")) for i in range(0, len(data), width)]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        raise corrupt("a name that is no text") from problem


def _count(shape: tuple[int, ...]) -> int:
    if math.prod(max(1, length) for length in shape) > MOST_BYTES:
        raise corrupt("an array that is larger than any file")
    return math.prod(shape)


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file by ``layer/weight``, in the order of its layers.

    A weight is called as in the file, without ``:0`` and the folders about it: ``conv1/kernel``.
    Weights of models in a model are under the layer that holds them. A zip that holds one such file
    is opened. Raises WeightsCorrupt.
    """
    if path.stat().st_size > MOST_BYTES:
        raise corrupt(f"more than {MOST_BYTES >> 20} MB")
    file = _File(_unpacked(path))
    group = file.object(file.root())
    members = dict(file.members(group))
    if "model_weights" in members:
        group = file.object(members["model_weights"])
        members = dict(file.members(group))
    layers = file.texts(group, "layer_names")
    if layers is None:
        raise corrupt("no list of layers")
    found: dict[str, AnyArray] = {}
    bytes_left = len(file.data)
    for layer in layers:
        if layer not in members:
            raise corrupt(f"no layer {layer}, which it lists")
        folder = file.object(members[layer])
        arrays = dict(_arrays(file, folder, "", 0))
        for name in file.texts(folder, "weight_names") or []:
            if name not in arrays:
                raise corrupt(f"no array {name}, which it lists")
            value = arrays.pop(name)
            bytes_left -= value.nbytes
            key = f"{layer}/{name.rpartition('/')[2].partition(':')[0]}"
            if bytes_left < 0 or key in found:
                raise corrupt("more numbers than bytes, or a weight twice")
            found[key] = value
    if not found:
        raise corrupt("no arrays by name")
    return found


def _unpacked(path: Path) -> bytes:
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [part for part in archive.infolist() if part.filename.endswith(".h5")]
            if len(parts) != 1 or parts[0].file_size > MOST_BYTES:
                raise corrupt("something else than one file of weights")
            return archive.read(parts[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as problem:
        raise corrupt(f"something else than weights ({problem})") from problem


#: what Keras calls weights, and what PyTorch does
_NAMES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "gamma": "weight",
    "alpha": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def as_torch(arrays: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the arrays under the names and with the axes that PyTorch would give them.

    Kernels are (rows, columns, in, out) here and (out, in, rows, columns) there, those of single
    channels (rows, columns, channels, 1), dense ones (in, out). Slopes lose the axes of maps.
    """
    found: dict[str, AnyArray] = {}
    for name, value in arrays.items():
        layer, _, what = name.rpartition("/")
        if what == "kernel" and value.ndim in (2, 4):
            value = value.T if value.ndim == 2 else value.transpose(3, 2, 0, 1)
        elif what == "depthwise_kernel" and value.ndim == 4:
            value = value.transpose(2, 3, 0, 1)
        elif what == "alpha":
            value = value.reshape(-1) if value.ndim == 1 or set(value.shape[:-1]) <= {1} else value
        found[f"{layer}.{_NAMES.get(what, what)}"] = value
    return found


def _arrays(file: _File, group: _Object, prefix: str, depth: int) -> Iterator[tuple[str, AnyArray]]:
    """Yield the arrays below a group by their path in it."""
    if depth > MOST_DEPTH:
        raise corrupt("groups in groups without an end")
    for name, at in file.members(group):
        found = file.object(at)
        if found.has(_LAYOUT):
            yield prefix + name, file.array(found)
        else:
            yield from _arrays(file, found, f"{prefix}{name}/", depth + 1)
