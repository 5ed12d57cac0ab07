"""MobileFace V2, MXNet's file of weights in, ONNX out.

Architecture: inverted residuals (Sandler et al., "MobileNetV2", CVPR 2018) three times as wide as
what they read, then one dense layer over the whole map (becauseofAI/MobileFace
MobileFace_Identification/MobileFace_Identification_V2-symbol.json).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import mxnet_file, named_arrays
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

#: channels of the four stages; each has three blocks, of which the first halves the map
_STAGES, _BLOCKS, _WIDER = (32, 32, 64, 128), 3, 3
_SIDE, _LAST, DIM = 112, 4, 256
#: MXNet's own where a layer says nothing
_EPSILON = 1e-3


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 112, 112) float32, RGB, (x - 127.5) / 128. Output ``vector``:
    (n, 256).
    """
    data = serialize(graph(named_arrays.read(raw)))
    Session(data).open()
    disk.write(out, data)


def graph(arrays: dict[str, AnyArray]) -> Graph:
    """Return the network with these weights, by their names in MXNet."""
    pour = Pour(mxnet_file.as_torch(arrays), Value("picture", FLOAT32, ["n", 3, _SIDE, _SIDE]))
    low, high = (pour.constant(np.array(edge, np.float32)) for edge in (0, 6))
    x = pour.convolved(
        "picture", "conv1", (3, 32),
        kernel=3, stride=2, pad=1, norm="bn1", bias=True, epsilon=_EPSILON,
    )  # fmt: skip
    x = pour.add("Clip", x, low, high)
    layer, into = 0, 32
    for out in _STAGES:
        for block in range(_BLOCKS):
            wide, stride = into * _WIDER, 1 if block else 2
            y = x
            for kernel, channels, groups in ((1, (into, wide), 1), (3, (wide, wide), wide)):
                y = pour.convolved(
                    y, f"convolution{layer}", channels,
                    kernel=kernel, stride=stride if groups > 1 else 1, pad=kernel // 2,
                    groups=groups, norm=f"batchnorm{layer}", epsilon=_EPSILON,
                )  # fmt: skip
                y = pour.add("Clip", y, low, high)
                layer += 1
            y = pour.convolved(
                y, f"convolution{layer}", (wide, out), norm=f"batchnorm{layer}", epsilon=_EPSILON
            )
            layer += 1
            x, into = pour.add("Add", x, y) if block else y, out
    x = _dense(pour, pour.add("Flatten", x, axis=1), into * _LAST**2)
    pour.left()
    return pour.end({"vector": (x, ["n", DIM])})


def _dense(pour: Pour, x: str, count: int) -> str:
    """Add the dense layer, folded with its batch normalization."""
    matrix = pour.take("fc5.weight", DIM, count).astype(np.float64)
    parts = ("weight", "bias", "running_mean", "running_var")
    gain, offset, mean, spread = (
        pour.take(f"fc5_bn.{part}", DIM).astype(np.float64) for part in parts
    )
    factor = gain / np.sqrt(spread + _EPSILON)
    matrix, shift = matrix * factor[:, None], offset - mean * factor
    x = pour.add("MatMul", x, pour.constant(matrix.T.astype(np.float32)))
    return pour.add("Add", x, pour.constant(shift.astype(np.float32)))
