"""RetinaFace with MobileNetV1 x 0.25, PyTorch's file of weights in, ONNX out.

Architecture: Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR
2020, in the form of biubug6/Pytorch_Retinaface (models/net.py, models/retinaface.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import torch_file
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

#: channels of the layers of the trunk, and where its three levels end (strides 8, 16, 32)
_TRUNK = (
    (("stage1.1", 8, 16, 1), ("stage1.2", 16, 32, 2), ("stage1.3", 32, 32, 1),
     ("stage1.4", 32, 64, 2), ("stage1.5", 64, 64, 1)),
    (("stage2.0", 64, 128, 2), *((f"stage2.{i}", 128, 128, 1) for i in range(1, 6))),
    (("stage3.0", 128, 256, 2), ("stage3.1", 256, 256, 1)),
)  # fmt: skip
_LEVELS, _WIDTH, _ANCHORS, _LEAK = (64, 128, 256), 64, 2, 0.1
_TWICE = np.array([1, 1, 2, 2], np.float32)
_NEAREST = {
    "mode": b"nearest",
    "coordinate_transformation_mode": b"asymmetric",
    "nearest_mode": b"floor",
}
#: heads, with the numbers that each gives an anchor
HEADS = (("BboxHead", "boxes", 4), ("ClassHead", "scores", 2), ("LandmarkHead", "points", 10))


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (1, 3, H, W) float32, BGR less its mean, H and W multiples of 32. Outputs,
    level by level, row by row, two anchors a cell: ``boxes`` (1, n, 4), ``scores`` (1, n, 2) after
    softmax, ``points`` (1, n, 10).
    """
    write(graph(torch_file.read(raw)), out)


def write(network: Graph, out: Path) -> None:
    """Write a network that an engine opens."""
    data = serialize(network)
    Session(data).open()
    disk.write(out, data)


def graph(arrays: dict[str, AnyArray]) -> Graph:
    """Return the network with these weights, by their names in the file."""
    arrays = {name.removeprefix("module."): value for name, value in arrays.items()}
    pour = Pour(arrays, Value("picture", FLOAT32, [1, 3, "H", "W"]))
    x = _block(pour, "picture", "body.stage1.0", (3, 8), kernel=3, stride=2)
    maps = []
    for level in _TRUNK:
        for name, into, wide, stride in level:
            x = _separable(pour, x, f"body.{name}", into, wide, stride)
        maps.append(x)
    maps = [
        _block(pour, one, f"fpn.output{i + 1}", (channels, _WIDTH))
        for i, (one, channels) in enumerate(zip(maps, _LEVELS, strict=True))
    ]
    for i in (1, 0):  # what a coarser level sees is added to the finer one
        up = pour.add("Resize", maps[i + 1], "", pour.constant(_TWICE), **_NEAREST)
        both = pour.add("Add", maps[i], up)
        maps[i] = _block(pour, both, f"fpn.merge{i + 1}", (_WIDTH, _WIDTH), kernel=3)
    maps = [_context(pour, one, f"ssh{i + 1}") for i, one in enumerate(maps)]

    def head(name: str, level: int, numbers: int) -> str:
        channels = (_WIDTH, _ANCHORS * numbers)
        return pour.convolved(maps[level], f"{name}.{level}.conv1x1", channels, bias=True)

    return ended(pour, HEADS, len(maps), head)


def ended(
    pour: Pour,
    heads: tuple[tuple[str, str, int], ...],
    levels: int,
    head: Callable[[str, int, int], str],
) -> Graph:
    """Return the network with a row of numbers for every anchor of every cell of all levels.

    heads: name of each in the file, name of its output, and the numbers that it gives an anchor.
    head: adds the map of a head on a level, and so many numbers an anchor.
    """
    outputs: dict[str, tuple[str, list[int | str]]] = {}
    for name, output, numbers in heads:
        rows = []
        for level in range(levels):
            x = pour.add("Transpose", head(name, level, numbers), perm=[0, 2, 3, 1])
            shape = pour.constant(np.array([1, -1, numbers], np.int64))
            rows.append(pour.add("Reshape", x, shape))
        every = pour.add("Concat", *rows, axis=1)
        if output == "scores":
            every = pour.add("Softmax", every, axis=2)
        outputs[output] = (every, [1, "n", numbers])
    pour.left("num_batches_tracked")
    return pour.end(outputs)


def _block(
    pour: Pour,
    x: str,
    name: str,
    channels: tuple[int, int],
    *,
    kernel: int = 1,
    stride: int = 1,
    leak: float | None = _LEAK,
) -> str:
    """Add convolution, batch normalization and leaky ReLU (none where ``leak`` is None)."""
    x = pour.convolved(
        x, f"{name}.0", channels, kernel=kernel, stride=stride, pad=kernel // 2, norm=f"{name}.1"
    )
    return x if leak is None else pour.add("LeakyRelu", x, alpha=leak)


def _separable(pour: Pour, x: str, name: str, into: int, out: int, stride: int) -> str:
    """Add a depthwise convolution and one of single pixels, each normalized and leaky."""
    x = pour.convolved(
        x, f"{name}.0", (into, into), kernel=3, stride=stride, pad=1, groups=into, norm=f"{name}.1"
    )
    x = pour.add("LeakyRelu", x, alpha=_LEAK)
    x = pour.convolved(x, f"{name}.3", (into, out), norm=f"{name}.4")
    return pour.add("LeakyRelu", x, alpha=_LEAK)


def _context(pour: Pour, x: str, name: str) -> str:
    """Add the context module: 3 x 3, and 5 x 5 and 7 x 7 made of several 3 x 3."""
    half, quarter = _WIDTH // 2, _WIDTH // 4
    three = _block(pour, x, f"{name}.conv3X3", (_WIDTH, half), kernel=3, leak=None)
    first = _block(pour, x, f"{name}.conv5X5_1", (_WIDTH, quarter), kernel=3)
    five = _block(pour, first, f"{name}.conv5X5_2", (quarter, quarter), kernel=3, leak=None)
    second = _block(pour, first, f"{name}.conv7X7_2", (quarter, quarter), kernel=3)
    seven = _block(pour, second, f"{name}.conv7x7_3", (quarter, quarter), kernel=3, leak=None)
    return pour.add("Relu", pour.add("Concat", three, five, seven, axis=1))
