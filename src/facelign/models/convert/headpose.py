"""Lightweight head pose: PyTorch's file of weights in, ONNX out.

Architecture: seven blocks of a grouped, a depthwise and a full convolution (after Howard et al.,
"Searching for MobileNetV3", ICCV 2019, with its hard swish in the last four), the mean of the map,
and for each angle a softmax over 66 bins of 3 degrees, whose mean is the angle
(Shaw-git/Lightweight-Head-Pose-Estimation network/network.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import named_arrays
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

_SIDE = 224
#: channels in and out, side of the depthwise kernel and its stride, of each block
_BLOCKS = (
    (16, 32, 3, 2),
    (32, 64, 3, 2),
    (64, 96, 3, 1),
    (96, 96, 5, 2),
    (96, 128, 5, 1),
    (128, 128, 5, 2),
    (128, 128, 3, 1),
)
#: from which block on hard swish follows a convolution, ReLU before
_SWISH = 4
_GROUPS, _BINS, _DEGREES, _FARTHEST = 4, 66, 3.0, 99.0


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 224, 224) float32, RGB by ImageNet's mean and spread. Output
    ``angles``: (n, 3), roll, yaw and pitch, degrees, as 300W-LP counts.
    """
    data = serialize(graph(named_arrays.read(raw)))
    Session(data).open()
    disk.write(out, data)


def graph(arrays: dict[str, AnyArray]) -> Graph:
    """Return the network with these weights."""
    pour = Pour(arrays, Value("picture", FLOAT32, ["n", 3, _SIDE, _SIDE]))
    x = pour.convolved(
        "picture", "features.0.0", (3, 16), kernel=3, stride=2, pad=1, norm="features.0.1"
    )
    x = pour.add("Relu", x)
    for i, (into, out, kernel, stride) in enumerate(_BLOCKS, start=1):
        wide, bend = 2 * into, "HardSwish" if i >= _SWISH else "Relu"
        for part, channels, side, step, groups in (
            ("exp_conv", (into, wide), 1, 1, _GROUPS),
            ("dw_conv", (wide, wide), kernel, stride, wide),
            ("pw_conv", (wide, out), 1, 1, 1),
        ):
            name = f"features.{i}.{part}"
            x = pour.convolved(
                x, f"{name}.0", channels,
                kernel=side, stride=step, pad=side // 2, groups=groups, norm=f"{name}.1",
            )  # fmt: skip
            x = pour.add(bend, x)
    x = pour.add("Flatten", pour.add("Relu", pour.add("GlobalAveragePool", x)), axis=1)
    middles = (np.arange(_BINS) + 0.5) * _DEGREES - _FARTHEST
    bins = pour.constant(middles.astype(np.float32)[:, None])
    angles = [_angle(pour, x, f"fc_{name}", bins) for name in ("roll", "yaw", "pitch")]
    pour.left("num_batches_tracked")
    return pour.end({"angles": (pour.add("Concat", *angles, axis=1), ["n", 3])})


def _angle(pour: Pour, x: str, name: str, bins: str) -> str:
    """Add the mean of the bins by their chances."""
    x = pour.dense(x, name, _BLOCKS[-1][1], _BINS)
    return pour.add("MatMul", pour.add("Softmax", x, axis=1), bins)
