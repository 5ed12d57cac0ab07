"""RetinaFace's forms of 1 MB, PyTorch's file of weights in, ONNX out.

Architecture: biubug6/Face-Detector-1MB-with-landmark: separable convolutions throughout, four
levels, no pyramid (models/net_slim.py); in the other form the first level ends with a receptive
field block (models/net_rfb.py; Liu et al., "Receptive Field Block Net", ECCV 2018).
"""

from __future__ import annotations

from pathlib import Path

from facelign.models.convert import torch_file
from facelign.models.convert.graph import FLOAT32, Graph, Value
from facelign.models.convert.pouring import Pour
from facelign.models.convert.retinaface import ended, write
from facelign.types.arrays import AnyArray

#: channels and stride of the separable layers conv2 to conv13, and those that end a level
_LAYERS = (
    (16, 32, 1), (32, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1), (64, 64, 1),
    (64, 128, 2), (128, 128, 1), (128, 128, 1), (128, 256, 2), (256, 256, 1),
)  # fmt: skip
_ENDS = (8, 11, 13)
#: the layer that may be a receptive field block, its channels, and those that its branches begin
#: with
_FIELD, _FIELD_WIDTH, _FIELD_NARROW = "conv8", 64, 8
#: of each branch: channels of its convolutions of 3 x 3, the last of which is spread so far
_BRANCHES = (((16, 16), 2), ((16, 16), 3), ((12, 16, 16), 5))
#: channels and anchors a cell of the four levels
LEVELS = ((64, 3), (128, 2), (256, 2), (256, 3))
#: heads, what each output is called, and the numbers that it gives an anchor
HEADS = (("loc", "boxes", 4), ("conf", "scores", 2), ("landm", "points", 10))


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (1, 3, H, W) float32, BGR less its mean, H and W multiples of 32. Outputs,
    level by level, row by row, anchor by anchor: ``boxes`` (1, n, 4), ``scores`` (1, n, 2) after
    softmax, ``points`` (1, n, 10).
    """
    write(graph(torch_file.read(raw)), out)


def graph(arrays: dict[str, AnyArray]) -> Graph:
    """Return the network with these weights, by their names in the file.

    It has a receptive field block where there are weights of one.
    """
    arrays = {name.removeprefix("module."): value for name, value in arrays.items()}
    pour = Pour(arrays, Value("picture", FLOAT32, [1, 3, "H", "W"]))
    x = pour.convolved("picture", "conv1.0", (3, 16), kernel=3, stride=2, pad=1, norm="conv1.1")
    x = pour.add("Relu", x)
    maps = []
    for number, (into, wide, stride) in enumerate(_LAYERS, start=2):
        name = f"conv{number}"
        if name == _FIELD and f"{name}.shortcut.conv.weight" in arrays:
            x = _field(pour, x, name)
        else:
            x = _separable(pour, x, name, into, wide, stride)
        if number in _ENDS:
            maps.append(x)
    x = pour.add("Relu", pour.convolved(x, "conv14.0", (256, 64), bias=True))
    maps.append(pour.add("Relu", _spread(pour, x, "conv14.2", (64, 256), stride=2)))

    def head(name: str, level: int, numbers: int) -> str:
        into, anchors = LEVELS[level]
        x, named, channels = maps[level], f"{name}.{level}", (into, anchors * numbers)
        if level == len(LEVELS) - 1:
            return pour.convolved(x, named, channels, kernel=3, pad=1, bias=True)
        return _spread(pour, x, named, channels)

    return ended(pour, HEADS, len(maps), head)


def _separable(pour: Pour, x: str, name: str, into: int, out: int, stride: int) -> str:
    """Add a depthwise convolution and one of single pixels, each normalized, with ReLU."""
    x = pour.convolved(
        x, f"{name}.0", (into, into), kernel=3, stride=stride, pad=1, groups=into, norm=f"{name}.1"
    )
    x = pour.convolved(pour.add("Relu", x), f"{name}.3", (into, out), norm=f"{name}.4")
    return pour.add("Relu", x)


def _field(pour: Pour, x: str, name: str) -> str:
    """Add a receptive field block: branches that see ever farther, side by side, and a shortcut."""
    seen = []
    for number, (widths, far) in enumerate(_BRANCHES):
        branch, into = f"{name}.branch{number}", _FIELD_NARROW
        y = _plain(pour, x, f"{branch}.0", (_FIELD_WIDTH, into))
        for i, out in enumerate(widths, start=1):
            last = i == len(widths)
            y = _plain(pour, y, f"{branch}.{i}", (into, out), kernel=3, far=far if last else 1)
            y, into = y if last else pour.add("Relu", y), out
        seen.append(y)
    every = sum(widths[-1] for widths, _ in _BRANCHES)
    together = pour.add("Concat", *seen, axis=1)
    y = _plain(pour, together, f"{name}.ConvLinear", (every, _FIELD_WIDTH))
    short = _plain(pour, x, f"{name}.shortcut", (_FIELD_WIDTH, _FIELD_WIDTH))
    return pour.add("Relu", pour.add("Add", y, short))


def _plain(
    pour: Pour, x: str, name: str, channels: tuple[int, int], *, kernel: int = 1, far: int = 1
) -> str:
    """Add a convolution, its pixels ``far`` apart, and batch normalization."""
    pad = far if kernel > 1 else 0
    return pour.convolved(
        x, f"{name}.conv", channels, kernel=kernel, pad=pad, dilation=far, norm=f"{name}.bn"
    )


def _spread(pour: Pour, x: str, name: str, channels: tuple[int, int], stride: int = 1) -> str:
    """Add a depthwise convolution with ReLU and one of single pixels, both with a bias."""
    into, _ = channels
    x = pour.convolved(
        x, f"{name}.0", (into, into), kernel=3, stride=stride, pad=1, groups=into, bias=True
    )
    return pour.convolved(pour.add("Relu", x), f"{name}.2", channels, bias=True)
