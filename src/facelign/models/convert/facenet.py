"""FaceNet's Inception-ResNet-v1, PyTorch's or Keras's file of weights in, ONNX out.

Architecture: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections
on Learning", AAAI 2017, in the form of davidsandberg/facenet, with the names of
timesler/facenet-pytorch (models/inception_resnet_v1.py). Keras's names are those of
faustomorales/keras-facenet and of serengil/deepface, which numbers some branches otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import named_arrays
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

SIDE, DIM, DIM_2017 = 160, 512, 128
_EPSILON = 1e-3

#: a convolution: rows and columns of its kernel, step, pad ("same" or none), channels out
_Layer = tuple[tuple[int, int], int, bool, int]
_ONE, _THREE = (1, 1), (3, 3)


def _same(kernel: tuple[int, int], out: int) -> _Layer:
    return kernel, 1, True, out


def _down(out: int) -> _Layer:
    return _THREE, 2, False, out


_BLOCK_35 = (
    [_same(_ONE, 32)],
    [_same(_ONE, 32), _same(_THREE, 32)],
    [_same(_ONE, 32), _same(_THREE, 32), _same(_THREE, 32)],
)
_BLOCK_17 = ([_same(_ONE, 128)], [_same(_ONE, 128), _same((1, 7), 128), _same((7, 1), 128)])
_BLOCK_8 = ([_same(_ONE, 192)], [_same(_ONE, 192), _same((1, 3), 192), _same((3, 1), 192)])
_MIXED_6 = ([_down(384)], [_same(_ONE, 192), _same(_THREE, 192), _down(256)])
_MIXED_7 = (
    [_same(_ONE, 256), _down(384)],
    [_same(_ONE, 256), _down(256)],
    [_same(_ONE, 256), _same(_THREE, 256), _down(256)],
)
_Branches = tuple[list[_Layer], ...]


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 160, 160) float32, RGB, (x - 127.5) / 128. Output ``vector``:
    (n, 512), before it is brought to length 1.
    """
    _converted(graph(named_arrays.read(raw)), out)


def convert_2017(raw: Path, out: Path) -> None:
    """The same for the models of 2017, which give 128 numbers and take each photo by itself.

    Input ``picture``: (n, 3, 160, 160) float32, RGB, 0 to 255.
    """
    _converted(graph(named_arrays.read(raw), DIM_2017, whitened=True), out)


def _converted(made: Graph, out: Path) -> None:
    data = serialize(made)
    Session(data).open()
    disk.write(out, data)


def graph(arrays: Mapping[str, AnyArray], dim: int = DIM, *, whitened: bool = False) -> Graph:
    """Return the network with these weights, by their names in the file.

    whitened: pixels lose the mean of their photo, and are divided by its spread.
    """
    arrays = _as_torch(arrays) if f"{_FIRST}.weight" in arrays else arrays
    pour = Pour(arrays, Value("picture", FLOAT32, ["n", 3, SIDE, SIDE]))
    x = _whitened(pour, "picture") if whitened else "picture"
    x = _layer(pour, x, "conv2d_1a", 3, _down(32))
    x = _layer(pour, x, "conv2d_2a", 32, (_THREE, 1, False, 32))
    x = _layer(pour, x, "conv2d_2b", 32, _same(_THREE, 64))
    x = _pooled(pour, x)
    x = _layer(pour, x, "conv2d_3b", 64, _same(_ONE, 80))
    x = _layer(pour, x, "conv2d_4a", 80, (_THREE, 1, False, 192))
    x = _layer(pour, x, "conv2d_4b", 192, _down(256))
    for i in range(5):
        x = _residual(pour, x, f"repeat_1.{i}", 256, _BLOCK_35, 0.17)
    x = _reduced(pour, x, "mixed_6a", 256, _MIXED_6)
    for i in range(10):
        x = _residual(pour, x, f"repeat_2.{i}", 896, _BLOCK_17, 0.10)
    x = _reduced(pour, x, "mixed_7a", 896, _MIXED_7)
    for i in range(5):
        x = _residual(pour, x, f"repeat_3.{i}", 1792, _BLOCK_8, 0.20)
    x = _residual(pour, x, "block8", 1792, _BLOCK_8, 1.0, last=True)
    x = _dense(pour, pour.add("Flatten", pour.add("GlobalAveragePool", x), axis=1), dim)
    # the classes that it was trained to tell apart are not asked for
    pour.left("num_batches_tracked", "logits.weight", "logits.bias")
    return pour.end({"vector": (x, ["n", dim])})


def _whitened(pour: Pour, x: str) -> str:
    """Add the scaling of each photo by itself (davidsandberg/facenet src/facenet.py, prewhiten)."""
    every = {"axes": [1, 2, 3], "keepdims": 1}
    x = pour.add("Sub", x, pour.add("ReduceMean", x, **every))
    spread = pour.add("Sqrt", pour.add("ReduceMean", pour.add("Mul", x, x), **every))
    least = np.array((SIDE * SIDE * 3) ** -0.5, np.float32)
    return pour.add("Div", x, pour.add("Max", spread, pour.constant(least)))


_FIRST = "Conv2d_1a_3x3"
_PARTS = {"Block35": "repeat_1", "Block17": "repeat_2", "Block8": "repeat_3"}
#: steps of a branch by the letters of Keras; the last of a branch that goes down is 1a
_STEPS = {"0a": "0", "0b": "1", "0c": "2"}
_KERAS = re.compile(
    r"(?:(Block\d+)_(\d+)_|(Mixed_\da)_)?(?:Branch_(\d+)_)?Conv2d(?:_(\d\w))?_\dx\d(_BatchNorm)?"
)


def _as_torch(arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Return the arrays of Keras by PyTorch's names; normalizations there have no factor."""
    found: dict[str, AnyArray] = {}
    for name, value in arrays.items():
        layer, _, what = name.rpartition(".")
        found[f"{_named(layer)}.{what}"] = value
    lacking = [
        name.removesuffix(".running_mean")
        for name in found
        if name.endswith(".running_mean")
        and f"{name.removesuffix('.running_mean')}.weight" not in found
    ]
    ones = {f"{name}.weight": np.ones_like(found[f"{name}.running_mean"]) for name in lacking}
    return found | ones


def _named(layer: str) -> str:
    """Return PyTorch's name of a layer of Keras."""
    if layer.startswith("Bottleneck"):
        return "last_bn" if layer.endswith("_BatchNorm") else "last_linear"
    place = _KERAS.fullmatch(layer)
    if place is None:
        return layer
    block, number, mixed, branch, step, norm = place.groups()
    end = "bn" if norm else "conv"
    if mixed:
        chain = _MIXED_6 if mixed.endswith("6a") else _MIXED_7
        length = len(chain[int(branch or 0)]) if int(branch or 0) < len(chain) else 0
        at = _STEPS.get(step or "", str(length - 1))
        own = f"{mixed.lower()}.branch{branch}" + (f".{at}" if length > 1 else "")
        return f"{own}.{end}"
    if not block:
        return f"conv2d_{step}.{end}"
    last = block == "Block8" and number == "6"
    own = "block8" if last else f"{_PARTS.get(block, block)}.{int(number) - 1}"
    if branch is None:
        return f"{own}.conv2d"
    if step is None:
        return f"{own}.branch0.{end}"
    # deepface counts the second branch of these as high as the block
    which = branch if block == "Block35" else "1"
    return f"{own}.branch{which}.{_STEPS.get(step, step)}.{end}"


def _layer(pour: Pour, x: str, name: str, into: int, layer: _Layer) -> str:
    """Add convolution, batch normalization and ReLU."""
    kernel, stride, same, out = layer
    pad = (kernel[0] // 2, kernel[1] // 2) if same else 0
    x = pour.convolved(
        x, f"{name}.conv", (into, out),
        kernel=kernel, stride=stride, pad=pad, norm=f"{name}.bn", epsilon=_EPSILON,
    )  # fmt: skip
    return pour.add("Relu", x)


def _pooled(pour: Pour, x: str) -> str:
    return pour.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])


def _branched(pour: Pour, x: str, name: str, into: int, branches: _Branches) -> list[str]:
    """Add branches side by side; one of a single layer has no number of its own in the names."""
    ends = []
    for i, layers in enumerate(branches):
        y, wide = x, into
        for j, layer in enumerate(layers):
            own = f"{name}.branch{i}" + (f".{j}" if len(layers) > 1 else "")
            y, wide = _layer(pour, y, own, wide, layer), layer[-1]
        ends.append(y)
    return ends


def _residual(
    pour: Pour,
    x: str,
    name: str,
    channels: int,
    branches: _Branches,
    scale: float,
    *,
    last: bool = False,
) -> str:
    """Add branches, brought back to the channels and added to what they read, scaled."""
    joined = pour.add("Concat", *_branched(pour, x, name, channels, branches), axis=1)
    wide = sum(layers[-1][-1] for layers in branches)
    y = pour.convolved(joined, f"{name}.conv2d", (wide, channels), bias=True)
    y = pour.add("Mul", y, pour.constant(np.array(scale, np.float32)))
    y = pour.add("Add", y, x)
    return y if last else pour.add("Relu", y)


def _reduced(pour: Pour, x: str, name: str, into: int, branches: _Branches) -> str:
    """Add branches that halve the map, and the largest of it beside them."""
    ends = _branched(pour, x, name, into, branches)
    return pour.add("Concat", *ends, _pooled(pour, x), axis=1)


def _dense(pour: Pour, x: str, dim: int) -> str:
    """Add the dense layer, folded with its batch normalization."""
    matrix = pour.take("last_linear.weight", dim, 1792).astype(np.float64)
    parts = ("weight", "bias", "running_mean", "running_var")
    gain, offset, mean, spread = (
        pour.take(f"last_bn.{part}", dim).astype(np.float64) for part in parts
    )
    factor = gain / np.sqrt(spread + _EPSILON)
    x = pour.add("MatMul", x, pour.constant((matrix * factor[:, None]).T.astype(np.float32)))
    return pour.add("Add", x, pour.constant((offset - mean * factor).astype(np.float32)))
