"""MiniFASNet V2 and V1SE: the publisher's file of weights in, ONNX out.

Architecture: MobileFaceNet (Chen et al., CCBR 2018) with the channels that Minivision's pruning
left, V1SE with squeeze and excitation (Hu et al., CVPR 2018) in the last block of each stage
(minivision-ai/Silent-Face-Anti-Spoofing src/model_lib/MiniFASNet.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facelign.files import disk
from facelign.models.convert import named_arrays, rewrites
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

#: side of what it reads, px, and of the last map, which is a sixteenth of it
_SIDE, _LAST = 80, 5
#: the step into each stage and its blocks: name, channels in and out, and widths between
_V2 = (
    ("23", "3", 32, 64, 103, (13, 13, 13, 13)),
    ("34", "4", 64, 128, 231, (231, 52, 26, 77, 26, 26)),
    ("45", "5", 128, 128, 308, (26, 26)),
)
_V1SE = (
    ("23", "3", 32, 64, 103, (13, 26, 13, 52)),
    ("34", "4", 64, 128, 231, (154, 52, 26, 52, 26, 26)),
    ("45", "5", 128, 128, 308, (26, 26)),
)
#: by how much squeeze and excitation narrows
_REDUCTION = 4


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 80, 80) float32, BGR 0 to 255. Output ``classes``: (n, 3), after
    softmax; the second is the living face.
    """
    made = graph(named_arrays.read(raw))
    rewrites.rewrite_prelu(made)
    data = serialize(made)
    Session(data).open()
    disk.write(out, data)


def graph(arrays: dict[str, AnyArray]) -> Graph:
    """Return the network with these weights, V1SE where there are such of excitation."""
    excited = any(".se_module." in name for name in arrays)
    pour = Pour(arrays, Value("picture", FLOAT32, ["n", 3, _SIDE, _SIDE]))
    x = _block(pour, "picture", "conv1", (3, 32), kernel=3, stride=2, pad=1)
    x = _block(pour, x, "conv2_dw", (32, 32), kernel=3, pad=1, groups=32)
    for step, stage, into, out, wide, widths in _V1SE if excited else _V2:
        x = _bottleneck(pour, x, f"conv_{step}", (into, wide, out), stride=2)
        for i, width in enumerate(widths):
            name = f"conv_{stage}.model.{i}"
            more = _bottleneck(pour, x, name, (out, width, out))
            if excited and i == len(widths) - 1:
                more = _excited(pour, more, f"{name}.se_module", out)
            x = pour.add("Add", x, more)
    x = _block(pour, x, "conv_6_sep", (128, 512))
    x = pour.convolved(
        x, "conv_6_dw.conv", (512, 512), kernel=_LAST, groups=512, norm="conv_6_dw.bn"
    )
    x = pour.add("Softmax", _decided(pour, pour.add("Flatten", x, axis=1)), axis=1)
    pour.left("num_batches_tracked")
    return pour.end({"classes": (x, ["n", 3])})


def _block(pour: Pour, x: str, name: str, channels: tuple[int, int], **window: Any) -> str:
    """Add convolution, batch normalization and PReLU. window: see ``Pour.convolved``."""
    x = pour.convolved(x, f"{name}.conv", channels, norm=f"{name}.bn", **window)
    slope = pour.take(f"{name}.prelu.weight", channels[1])
    return pour.add("PRelu", x, pour.constant(slope.reshape(-1, 1, 1)))


def _bottleneck(
    pour: Pour, x: str, name: str, channels: tuple[int, int, int], *, stride: int = 1
) -> str:
    """Add a convolution of single pixels, a depthwise one, and one of single pixels again."""
    into, wide, out = channels
    x = _block(pour, x, f"{name}.conv", (into, wide))
    x = _block(
        pour, x, f"{name}.conv_dw", (wide, wide), kernel=3, stride=stride, pad=1, groups=wide
    )
    return pour.convolved(x, f"{name}.project.conv", (wide, out), norm=f"{name}.project.bn")


def _excited(pour: Pour, x: str, name: str, channels: int) -> str:
    """Weigh channels by what their means say."""
    narrow = channels // _REDUCTION
    y = pour.add("GlobalAveragePool", x)
    y = pour.convolved(y, f"{name}.fc1", (channels, narrow), norm=f"{name}.bn1")
    y = pour.add("Relu", y)
    y = pour.convolved(y, f"{name}.fc2", (narrow, channels), norm=f"{name}.bn2")
    return pour.add("Mul", x, pour.add("Sigmoid", y))


def _decided(pour: Pour, x: str) -> str:
    """Add the two layers at the end, with the batch normalization between them, as one."""
    first = pour.take("linear.weight", 128, 512).astype(np.float64)
    parts = ("weight", "bias", "running_mean", "running_var")
    gain, offset, mean, spread = (pour.take(f"bn.{part}", 128).astype(np.float64) for part in parts)
    factor = gain / np.sqrt(spread + 1e-5)
    last = pour.take("prob.weight", 3, 128).astype(np.float64)
    matrix = (last * factor) @ first
    shift = last @ (offset - mean * factor)
    x = pour.add("MatMul", x, pour.constant(matrix.T.astype(np.float32)))
    return pour.add("Add", x, pour.constant(shift.astype(np.float32)))
