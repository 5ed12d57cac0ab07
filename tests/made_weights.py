"""Files of weights as other programs write them, made here from arrays: Keras's and Torch7's.

What they write was read back with h5py 3.16 and torchfile 0.1; ``tests/golden/keras-weights.h5``
was written by h5py itself.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]


class _Hdf5:
    """HDF5 in its oldest form: every group a symbol table, every array in one piece."""

    def __init__(self) -> None:
        self.data = bytearray(b"\x89HDF\r\n\x1a\n" + bytes(88))

    def put(self, block: bytes) -> int:
        self.data += bytes(-len(self.data) % 8)
        self.data += block
        return len(self.data) - len(block)

    def header(self, messages: list[tuple[int, bytes]]) -> int:
        body = b""
        for kind, data in messages:
            data += bytes(-len(data) % 8)
            body += struct.pack("<HHB3x", kind, len(data), 0) + data
        return self.put(struct.pack("<BxHII4x", 1, len(messages), 1, len(body)) + body)

    def array(self, value: np.ndarray) -> int:
        at = self.put(value.tobytes())
        place = struct.pack("<BBQQ", 3, 1, at, value.nbytes)
        return self.header([(1, _space(value)), (3, _float32()), (8, place)])

    def group(self, members: Mapping[str, int], texts: Mapping[str, list[str]]) -> int:
        names, offsets = bytearray(8), {}
        for name in sorted(members):  # links are in the order of their names
            offsets[name] = len(names)
            names += name.encode() + b"\0"
            names += bytes(-len(names) % 8)
        segment = self.put(bytes(names))
        heap = self.put(struct.pack("<4sB3xQQQ", b"HEAP", 0, len(names), 1, segment))
        leaves = []
        every = sorted(members)
        for first in range(0, len(every), 8):
            part = every[first : first + 8]
            entries = b"".join(
                struct.pack("<QQI4x16x", offsets[name], members[name], 0) for name in part
            )
            node = struct.pack("<4sBxH", b"SNOD", 1, len(part)) + entries
            leaves.append((self.put(node.ljust(8 + 8 * 40, b"\0")), part))
        tree = struct.pack("<4sBBHQQQ", b"TREE", 0, 0, len(leaves), 2**64 - 1, 2**64 - 1, 0)
        for leaf, part in leaves:
            tree += struct.pack("<QQ", leaf, offsets[part[-1]])
        table = struct.pack("<QQ", self.put(tree.ljust(24 + 65 * 8, b"\0")), heap)
        return self.header([(17, table), *((12, _texts(k, v)) for k, v in texts.items())])

    def end(self, root: int) -> bytes:
        first = struct.pack("<BBBxBBBxHHI", 0, 0, 0, 0, 8, 8, 4, 16, 0)
        nowhere = 2**64 - 1
        first += struct.pack("<QQQQ", 0, nowhere, len(self.data), nowhere)
        first += struct.pack("<QQI4x16x", 0, root, 0)
        self.data[8 : 8 + len(first)] = first
        return bytes(self.data)


def _space(value: np.ndarray) -> bytes:
    return struct.pack("<BBB5x", 1, value.ndim, 0) + struct.pack(f"<{value.ndim}Q", *value.shape)


def _float32() -> bytes:
    return (
        struct.pack("<BBBBI", 0x11, 0x20, 31, 0, 4)
        + bytes([0, 0, 32, 0, 23, 8, 0, 23])
        + (struct.pack("<I", 127))
    )


def _texts(name: str, texts: list[str]) -> bytes:
    width = max(map(len, texts), default=1)
    kind = struct.pack("<BBBBI", 0x13, 0, 0, 0, width)
    parts = [name.encode() + b"\0", kind, _space(np.empty(len(texts)))]
    packed = b"".join(part + bytes(-len(part) % 8) for part in parts)
    data = b"".join(text.encode().ljust(width, b"\0") for text in texts)
    return struct.pack("<BxHHH", 1, *map(len, parts)) + packed + data


def keras(arrays: Arrays, *, whole: bool = False) -> bytes:
    """A file of Keras 2 of arrays by ``layer/weight``. whole: of a model instead of weights."""
    file, layers = _Hdf5(), {}
    for name, value in arrays.items():
        layer, _, what = name.partition("/")
        layers.setdefault(layer, {})[what] = np.ascontiguousarray(value, np.float32)
    groups = {}
    for layer, weights in layers.items():
        inner = {f"{what}:0": file.array(value) for what, value in weights.items()}
        folder = file.group(inner, {})
        listed = [f"{layer}/{what}:0" for what in weights]
        groups[layer] = file.group({layer: folder}, {"weight_names": listed})
    root = file.group(groups, {"layer_names": list(layers)})
    return file.end(file.group({"model_weights": root}, {}) if whole else root)


class _Torch7:
    """Torch's objects in its binary form, each once."""

    def __init__(self) -> None:
        self.data, self.count = bytearray(), 0
        self.known: dict[int, tuple[int, object]] = {}

    def integer(self, *values: int) -> None:
        self.data += struct.pack(f"<{len(values)}i", *values)

    def text(self, text: str) -> None:
        self.integer(len(text))
        self.data += text.encode()

    def first(self, thing: object) -> bool:
        """Write the index of an object; say whether it was not written before."""
        new = id(thing) not in self.known
        if new:
            self.count += 1
            self.known[id(thing)] = (self.count, thing)
        self.integer(self.known[id(thing)][0])
        return new

    def value(self, value: object) -> None:
        if value is None:
            self.integer(0)
        elif isinstance(value, bool):
            self.integer(5, int(value))
        elif isinstance(value, int | float):
            self.integer(1)
            self.data += struct.pack("<d", value)
        elif isinstance(value, str):
            self.integer(2)
            self.text(value)
        elif isinstance(value, np.ndarray):
            self.tensor(value)
        else:
            self.referred(value)

    def referred(self, value: object) -> None:
        """Write a function (bytes), an object (class, table) or a table."""
        kind = 8 if isinstance(value, bytes) else 4 if isinstance(value, tuple) else 3
        self.integer(kind)
        if not self.first(value):
            return
        if isinstance(value, bytes):
            self.integer(len(value))
            self.data += value
            self.value({})
        elif isinstance(value, tuple):
            self.text("V 1")
            self.text(value[0])
            self.value(value[1])
        elif isinstance(value, dict):
            self.integer(len(value))
            for pair in value.items():
                for part in pair:
                    self.value(part)

    def tensor(self, value: np.ndarray) -> None:
        kind = {"f4": "Float", "f8": "Double", "i8": "Long"}[value.dtype.str[1:]]
        self.integer(4)
        if not self.first(value):
            return
        self.text("V 1")
        self.text(f"torch.{kind}Tensor")
        self.integer(value.ndim)
        steps = [step // value.itemsize for step in value.strides]
        self.data += struct.pack(f"<{2 * value.ndim + 1}q", *value.shape, *steps, 1)
        self.count += 1
        self.integer(4, self.count)
        self.text("V 1")
        self.text(f"torch.{kind}Storage")
        self.data += struct.pack("<q", value.size) + value.tobytes("A")


def torch7(network: object) -> bytes:
    """A file of Torch7 of a network: dicts are tables, tuples (class, table), bytes functions."""
    file = _Torch7()
    file.value(network)
    return bytes(file.data)
