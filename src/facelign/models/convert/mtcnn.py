"""MTCNN's networks: the files of the common port in, which NumPy wrote around a pickle, ONNX out.

A file holds a table of layers (``conv1``, ``PReLU1`` or ``prelu1``, ``conv4-1`` ...), and each
layer its arrays as TensorFlow lays them. The networks read width before height, as the port feeds
them.
Architecture: Zhang et al., IEEE Signal Processing Letters 23(10), 2016
(davidsandberg/facenet src/align/detect_face.py). Nothing in a file is executed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from facelign.errors import DatasetMalformed, WeightsCorrupt
from facelign.files import disk
from facelign.files.pickles import read_plain
from facelign.models.convert import rewrites
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

#: the largest of the three has 1.6 MB
MOST_BYTES = 16 << 20
#: of each network: side of its window (0: any), the name of its input, its convolutions (channels,
#: side) with the pooling behind each (side, whether the edge counts), width of its dense layer, and
#: heads with the name of each output and its numbers; the first head tells the chance of a face
_NETS: dict[str, tuple[Any, ...]] = {
    "p": (
        0, "input_1", ((10, 3, (2, True)), (16, 3, None), (32, 3, None)), 0,
        (("conv4-1", "softmax", 2), ("conv4-2", "conv2d_4", 4)),
    ),
    "r": (
        24, "input_2", ((28, 3, (3, True)), (48, 3, (3, False)), (64, 2, None)), 128,
        (("conv5-1", "softmax_1", 2), ("conv5-2", "dense_2", 4)),
    ),
    "o": (
        48, "input_3",
        ((32, 3, (3, True)), (64, 3, (3, False)), (64, 3, (2, True)), (128, 2, None)), 256,
        (("conv6-1", "softmax_2", 2), ("conv6-2", "dense_5", 4), ("conv6-3", "dense_6", 10)),
    ),
}  # fmt: skip


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt. Which of the three it is its layers tell.

    Input: (n, width, height, 3) float32, RGB, (x - 127.5) / 128. Outputs as those of the other
    files of MTCNN.
    """
    made = graph(arrays(raw))
    rewrites.rewrite_prelu(made)
    data = serialize(made)
    Session(data).open()
    disk.write(out, data)


def arrays(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file as "layer.name", in small letters; raises WeightsCorrupt."""
    if path.stat().st_size > MOST_BYTES:
        raise _corrupt(f"more than {MOST_BYTES >> 20} MB")
    stream = io.BytesIO(path.read_bytes())
    try:
        if npy.read_magic(stream) != (1, 0):
            raise _corrupt("another version of NumPy's form")
        shape, _, dtype = npy.read_array_header_1_0(stream)
        table = read_plain(stream) if dtype.hasobject and shape == () else None
    except (DatasetMalformed, ValueError, TypeError, SyntaxError, EOFError) as problem:
        raise _corrupt(f"something else than weights ({problem})") from problem
    if not isinstance(table, dict):
        raise _corrupt("no table of layers")
    found: dict[str, AnyArray] = {}
    for layer, parts in table.items():
        if not isinstance(parts, dict):
            raise _corrupt("a layer without arrays")
        for name, value in parts.items():
            if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
                raise _corrupt("an array that holds no numbers")
            found[f"{_text(layer).lower()}.{_text(name)}"] = value
    return found


def graph(weights: dict[str, AnyArray]) -> Graph:
    """Return the network with these weights; its heads say which one it is."""
    which = next((name for name, net in _NETS.items() if f"{net[4][-1][0]}.weights" in weights), "")
    if not which or (which == "r" and "conv6-1.weights" in weights):
        raise _corrupt("no network of MTCNN")
    side, feed, layers, dense, heads = _NETS[which]
    sides: list[int | str] = [side, side] if side else ["W", "H"]
    pour = Pour(_as_torch(weights), Value(feed, FLOAT32, ["n", *sides, 3]))
    x, into, left = pour.add("Transpose", feed, perm=[0, 3, 1, 2]), 3, side
    for number, (out, kernel, pool) in enumerate(layers, start=1):
        x = pour.convolved(x, f"conv{number}", (into, out), kernel=kernel, bias=True)
        x = _bent(pour, x, f"prelu{number}", out, (out, 1, 1))
        into, left = out, left - kernel + 1
        if pool is not None:
            wide, edge = pool
            x = pour.add(
                "MaxPool", x, kernel_shape=[wide] * 2, strides=[2, 2],
                auto_pad=b"SAME_UPPER" if edge else b"VALID",
            )  # fmt: skip
            left = -(-left // 2) if edge else (left - wide) // 2 + 1
    if dense:
        number = len(layers) + 1
        x = pour.dense(pour.flat(x), f"conv{number}", into * left * left, dense)
        x, into = _bent(pour, x, f"prelu{number}", dense, (dense,)), dense
    outputs: dict[str, tuple[str, list[int | str]]] = {}
    for name, output, numbers in heads:
        if dense:
            y, axes = pour.dense(x, name, into, numbers), []
        else:
            y = pour.convolved(x, name, (into, numbers), bias=True)
            y, axes = pour.add("Transpose", y, perm=[0, 2, 3, 1]), [f"w{output}", f"h{output}"]
        if output.startswith("softmax"):
            y = pour.add("Softmax", y, axis=-1)
        outputs[output] = (y, ["n", *axes, numbers])
    pour.left()
    return pour.end(outputs)


def _bent(pour: Pour, x: str, name: str, channels: int, shape: tuple[int, ...]) -> str:
    slope = pour.take(f"{name}.alpha", channels)
    return pour.add("PRelu", x, pour.constant(slope.reshape(shape)))


def _as_torch(weights: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the arrays by PyTorch's names and order of axes: outputs first."""
    turned = {2: (1, 0), 4: (3, 2, 0, 1)}
    found = {}
    for name, value in weights.items():
        layer, _, part = name.rpartition(".")
        if part == "weights":
            if value.ndim not in turned:
                raise _corrupt(f"{value.ndim} axes in the array {name}")
            found[f"{layer}.weight"] = value.transpose(turned[value.ndim])
        else:
            found[f"{layer}.bias" if part == "biases" else name] = value
    return found


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        raise _corrupt("a layer without a name")
    return value


def _corrupt(what: str) -> WeightsCorrupt:
    return WeightsCorrupt(
        f"The file of MTCNN's weights is not usable: it holds {what}.", "Pull the file again."
    )
