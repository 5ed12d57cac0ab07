"""DeepFace as swghosh/DeepFace trained it, Keras's file of weights in, ONNX out.

Architecture: Taigman, Yang, Ranzato, Wolf, "DeepFace", CVPR 2014, figure 2. Three of its layers are
locally connected: a convolution whose weights are others at every place. ONNX has none; here the
windows of all places are laid out by a convolution that copies, and each place is multiplied with
its own matrix.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import keras_file
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

SIDE, DIM = 152, 4096


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 152, 152) float32, RGB, 0 to 1. Output ``vector``: (n, 4096), F7 after
    its ReLU, not of unit length.
    """
    data = serialize(graph(keras_file.read(raw)))
    Session(data).open()
    disk.write(out, data)


def graph(arrays: Mapping[str, AnyArray], side: int = SIDE, dim: int = DIM) -> Graph:
    """Return the network with these weights, by the names of swghosh's layers.

    side: of the picture, px. dim: numbers of a vector.
    """
    local = {f"{name}.weight": arrays[f"{name}/kernel"] for name in _LOCAL if _has(arrays, name)}
    pour = Pour(
        {**keras_file.as_torch(dict(arrays)), **local},
        Value("picture", FLOAT32, ["n", 3, side, side]),
    )
    x = pour.add("Relu", pour.convolved("picture", "C1", (3, 32), kernel=11, bias=True))
    side = -(-(side - 10) // 2)
    x = pour.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], auto_pad=b"SAME_UPPER")
    x = pour.add("Relu", pour.convolved(x, "C3", (32, 16), kernel=9, bias=True))
    side -= 8
    for name, (kernel, stride) in _LOCAL.items():
        side = (side - kernel) // stride + 1
        x = pour.add("Relu", _local(pour, x, name, kernel, stride, side))
    x = pour.add("Relu", pour.dense(pour.flat(x), "F7", side * side * 16, dim))
    # the people that it was trained to tell apart are not asked for
    pour.left("F8.weight", "F8.bias")
    return pour.end({"vector": (x, ["n", dim])})


#: kernel and step of the locally connected layers
_LOCAL = {"L4": (9, 1), "L5": (7, 2), "L6": (5, 1)}


def _has(arrays: Mapping[str, AnyArray], name: str) -> bool:
    return f"{name}/kernel" in arrays


def _local(pour: Pour, x: str, name: str, kernel: int, stride: int, side: int) -> str:
    """Add a locally connected layer of 16 channels onto a map of that side.

    Keras keeps its weights as (places, rows x columns x channels in, channels out).
    """
    wide, places, window = 16, side * side, kernel * kernel
    weight = pour.take(f"{name}.weight", places, window * wide, wide)
    by_channel = weight.reshape(places, window, wide, wide).transpose(0, 2, 1, 3)
    matrices = np.ascontiguousarray(by_channel.reshape(places, window * wide, wide))
    copies = np.tile(
        np.eye(window, dtype=np.float32).reshape(window, 1, kernel, kernel), (wide,) + (1,) * 3
    )
    y = pour.add(
        "Conv", x, pour.constant(copies),
        kernel_shape=[kernel, kernel], strides=[stride, stride], group=wide,
    )  # fmt: skip
    y = pour.add("Reshape", y, pour.constant(np.array([0, window * wide, places], np.int64)))
    y = pour.add("MatMul", pour.add("Transpose", y, perm=[2, 0, 1]), pour.constant(matrices))
    y = pour.add("Transpose", y, perm=[1, 2, 0])
    y = pour.add("Reshape", y, pour.constant(np.array([0, wide, side, side], np.int64)))
    bias = pour.take(f"{name}.bias", side, side, wide).transpose(2, 0, 1)
    return pour.add("Add", y, pour.constant(np.ascontiguousarray(bias)))
