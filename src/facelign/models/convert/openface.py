"""OpenFace's nn4.small2.v1, a file of its weights in, ONNX out.

The same weights are about in four forms: Torch7's file of the publisher, PyTorch's of
thnkim/OpenFacePytorch, Keras's and a folder of CSV files of iwantooxxoox/Keras-OpenFace.

Architecture: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, and Schroff et al.,
"FaceNet", CVPR 2015 (nn4), made small by OpenFace. The published weights are not those of its own
definition in Lua (cmusatyalab/openface docs/models-and-accuracies.md): pools step and shrink, and
their maps are brought back to size by zeros, as thnkim/OpenFacePytorch loadOpenFace.py has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.files import disk
from facelign.models.convert import named_arrays
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

SIDE, DIM = 96, 128
#: local response normalization: Krizhevsky et al., NIPS 2012, with alpha over the size as in Torch
_LRN = {"size": 5, "alpha": 1e-4, "beta": 0.75, "bias": 1.0}
_MAX, _NORM = "MaxPool", "LpPool"


@dataclass(frozen=True, slots=True)
class _Inception:
    """A module. convolutions: kernel, channels between and out. pool: its kind, and channels out.

    single: channels of the branch of single pixels, 0 for none. side: of the map that it reads.
    """

    name: str
    into: int
    side: int
    convolutions: tuple[tuple[int, int, int], ...]
    pool: tuple[str, int]
    single: int = 0
    stride: int = 1

    @property
    def out(self) -> int:
        pooled = self.pool[1] or self.into
        return sum(out for _, _, out in self.convolutions) + pooled + self.single


_MODULES = (
    _Inception("layer14", 192, 12, ((3, 96, 128), (5, 16, 32)), (_MAX, 32), 64),
    _Inception("layer15", 256, 12, ((3, 96, 128), (5, 32, 64)), (_NORM, 64), 64),
    _Inception("layer16", 320, 12, ((3, 128, 256), (5, 32, 64)), (_MAX, 0), stride=2),
    _Inception("layer17", 640, 6, ((3, 96, 192), (5, 32, 64)), (_NORM, 128), 256),
    _Inception("layer18", 640, 6, ((3, 160, 256), (5, 64, 128)), (_MAX, 0), stride=2),
    _Inception("layer19", 1024, 3, ((3, 96, 384),), (_NORM, 96), 256),
    _Inception("layer21", 736, 3, ((3, 96, 384),), (_MAX, 96), 256),
)


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 96, 96) float32, RGB, 0 to 1. Output ``vector``: (n, 128), before it
    is brought to length 1.
    """
    data = serialize(graph(named_arrays.read(raw)))
    Session(data).open()
    disk.write(out, data)


def graph(arrays: Mapping[str, AnyArray]) -> Graph:
    """Return the network with these weights, by their names in the file, whichever it is."""
    arrays, flat = _as_torch(arrays)
    pour = Pour(arrays, Value("picture", FLOAT32, ["n", 3, SIDE, SIDE]), flat=flat)
    halved = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    x = _layer(pour, "picture", ("layer1", "layer2"), (3, 64), kernel=7, stride=2)
    x = pour.add("LRN", pour.add(_MAX, x, **halved), **_LRN)
    x = _layer(pour, x, ("layer6", "layer7"), (64, 64))
    x = _layer(pour, x, ("layer9", "layer10"), (64, 192), kernel=3)
    x = pour.add(_MAX, pour.add("LRN", x, **_LRN), **halved)
    for module in _MODULES:
        x = _inception(pour, x, module)
    x = pour.add("Flatten", pour.add("GlobalAveragePool", x), axis=1)
    x = pour.dense(x, "layer25", _MODULES[-1].out, DIM)
    pour.left("num_batches_tracked")
    return pour.end({"vector": (x, ["n", DIM])})


def layers() -> dict[str, str]:
    """Return the layers with weights in the order of Torch7: PyTorch's name, then Keras's."""
    found = {"layer1": "conv1", "layer2": "bn1", "layer6": "conv2", "layer7": "bn2"}
    found |= {"layer9": "conv3", "layer10": "bn3"}
    for module, title in zip(_MODULES, ("3a", "3b", "3c", "4a", "4e", "5a", "5b"), strict=True):
        own, theirs = f"{module.name}.seq_list", f"inception_{title}"
        for i, (kernel, _, _) in enumerate(module.convolutions):
            branch = f"{theirs}_{kernel}x{kernel}"
            found |= {f"{own}.{i}.1_conv": f"{branch}_conv1", f"{own}.{i}.2_bn": f"{branch}_bn1"}
            found |= {f"{own}.{i}.4_conv": f"{branch}_conv2", f"{own}.{i}.5_bn": f"{branch}_bn2"}
        i = len(module.convolutions)
        if module.pool[1]:
            found[f"{own}.{i}.2_conv"] = f"{theirs}_pool_conv"
            found[f"{own}.{i}.3_bn"] = f"{theirs}_pool_bn"
        if module.single:
            found[f"{own}.{i + 1}.1_conv"] = f"{theirs}_1x1_conv"
            found[f"{own}.{i + 1}.2_bn"] = f"{theirs}_1x1_bn"
    return found | {"layer25": "dense_layer"}


#: what the last letter of a CSV file's name means, by whether its layer normalizes
_LETTERS = {
    False: {"w": "weight", "b": "bias"},
    True: {"w": "weight", "b": "bias", "m": "running_mean", "v": "running_var"},
}


def _as_torch(arrays: Mapping[str, AnyArray]) -> tuple[Mapping[str, AnyArray], bool]:
    """Return the arrays by PyTorch's names, and whether they are rows without a shape."""
    if "conv1.weight" in arrays:
        return _renamed(arrays, {theirs: own for own, theirs in layers().items()}), False
    if "conv1_w" in arrays:
        places = {theirs: own for own, theirs in layers().items()}
        places["dense"] = places.pop("dense_layer")
        named = {}
        for name, value in arrays.items():
            stem, _, letter = name.rpartition("_")
            what = _LETTERS["bn" in stem].get(letter, letter)
            named[f"{places.get(stem, stem)}.{what}"] = value
        return named, True
    if "1.weight" in arrays:  # places of Torch7
        found = dict.fromkeys(name.rpartition(".")[0] for name in arrays)
        wanted = layers()
        if len(found) != len(wanted):
            raise WeightsCorrupt(
                f"The file holds {len(found)} layers with weights, wanted {len(wanted)}.",
                "It is a file of another network: give the id of that one.",
            )
        return _renamed(arrays, dict(zip(found, wanted, strict=True))), False
    return arrays, False


def _renamed(arrays: Mapping[str, AnyArray], names: Mapping[str, str]) -> dict[str, AnyArray]:
    """Return the arrays with the names of their layers changed."""
    parts = ((*name.rpartition("."), value) for name, value in arrays.items())
    return {f"{names.get(layer, layer)}.{what}": value for layer, _, what, value in parts}


def _layer(
    pour: Pour,
    x: str,
    names: tuple[str, str],
    channels: tuple[int, int],
    *,
    kernel: int = 1,
    stride: int = 1,
) -> str:
    """Add a convolution with a bias, batch normalization and ReLU. names: of the first two."""
    x = pour.convolved(
        x, names[0], channels,
        kernel=kernel, stride=stride, pad=kernel // 2, norm=names[1], bias=True,
    )  # fmt: skip
    return pour.add("Relu", x)


def _inception(pour: Pour, x: str, module: _Inception) -> str:
    """Add convolutions of two sizes, a pool and single pixels side by side."""
    ends = []
    for i, (kernel, wide, out) in enumerate(module.convolutions):
        own = f"{module.name}.seq_list.{i}"
        y = _layer(pour, x, (f"{own}.1_conv", f"{own}.2_bn"), (module.into, wide))
        y = _layer(
            pour, y, (f"{own}.4_conv", f"{own}.5_bn"), (wide, out),
            kernel=kernel, stride=module.stride,
        )  # fmt: skip
        ends.append(y)
    ends.append(_pool(pour, x, module))
    if module.single:
        own = f"{module.name}.seq_list.{len(module.convolutions) + 1}"
        names = (f"{own}.1_conv", f"{own}.2_bn")
        ends.append(_layer(pour, x, names, (module.into, module.single)))
    return pour.add("Concat", *ends, axis=1)


def _pool(pour: Pour, x: str, module: _Inception) -> str:
    """Add the pool, what follows it, and zeros around it up to the size of the other maps."""
    (kind, out), stride = module.pool, 2 if module.pool[0] == _MAX else 3
    more = {"p": 2} if kind == _NORM else {}
    y = pour.add(kind, x, kernel_shape=[3, 3], strides=[stride, stride], **more)
    if out:
        own = f"{module.name}.seq_list.{len(module.convolutions)}"
        y = _layer(pour, y, (f"{own}.2_conv", f"{own}.3_bn"), (module.into, out))
    lacks = module.side // module.stride - ((module.side - 3) // stride + 1)
    before, after = lacks // 2, lacks - lacks // 2
    pads = np.array([0, 0, before, before, 0, 0, after, after], np.int64)
    return pour.add("Pad", y, pour.constant(pads))
