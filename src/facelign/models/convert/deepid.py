"""DeepID's network in deepface's form, Keras's file of weights in, ONNX out.

Architecture: Sun, Wang, Tang, "Deep Learning Face Representation from Predicting 10,000 Classes",
CVPR 2014, one network of its sixty, as serengil/deepface (models/facial_recognition/DeepID.py) has
it: no normalization, the dropouts of its training left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facelign.files import disk
from facelign.models.convert import named_arrays
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

WIDTH, HEIGHT, DIM = 47, 55, 160


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 55, 47) float32, 0 to 1. Output ``vector``: (n, 160), not of unit
    length.
    """
    data = serialize(graph(named_arrays.read(raw)))
    Session(data).open()
    disk.write(out, data)


def graph(arrays: Mapping[str, AnyArray]) -> Graph:
    """Return the network with these weights, by the names of deepface's layers."""
    pour = Pour(arrays, Value("picture", FLOAT32, ["n", 3, HEIGHT, WIDTH]))
    x, wide = "picture", 3
    for name, kernel, out in (("Conv1", 4, 20), ("Conv2", 3, 40), ("Conv3", 3, 60)):
        x = pour.add("Relu", pour.convolved(x, name, (wide, out), kernel=kernel, bias=True))
        x = pour.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        wide = out
    near = pour.dense(pour.flat(x), "fc11", 5 * 4 * 60, DIM)
    y = pour.add("Relu", pour.convolved(x, "Conv4", (60, 80), kernel=2, bias=True))
    far = pour.dense(pour.flat(y), "fc12", 4 * 3 * 80, DIM)
    pour.left()
    return pour.end({"vector": (pour.add("Relu", pour.add("Add", near, far)), ["n", DIM])})
