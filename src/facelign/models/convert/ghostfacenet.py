"""GhostFaceNetV1, Keras's file of the whole model in, ONNX out.

Architecture: Alansari et al., "GhostFaceNets: Lightweight Face Recognition Model From Cheap
Operations", IEEE Access 2023, after Han et al., "GhostNet", CVPR 2020; HamadYA/GhostFaceNets
backbones/ghost_model.py at width 1.3. Its layers have no names of their own: Keras counts each kind
in the order in which layers were made, and so they are poured. The activations that are slopes
(PReLU) kept the names of the ReLU that they took the place of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facelign.errors import WeightsCorrupt
from facelign.files import disk
from facelign.models.convert import named_arrays
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

SIDE, DIM = 112, 512
_EPSILON = 1e-3


@dataclass(frozen=True, slots=True)
class _Block:
    """A bottleneck: kernel, step, channels between and out, channels of its gate (0: none)."""

    kernel: int
    stride: int
    between: int
    out: int
    gate: int = 0


#: ghost_model.py's lists, times 1.3 and brought to a multiple of four
_BLOCKS = (
    _Block(3, 1, 20, 20),
    _Block(3, 2, 64, 32),
    _Block(3, 1, 92, 32),
    _Block(5, 2, 92, 52, 24),
    _Block(5, 1, 156, 52, 40),
    _Block(3, 2, 312, 104),
    _Block(3, 1, 260, 104),
    _Block(3, 1, 240, 104),
    _Block(3, 1, 240, 104),
    _Block(3, 1, 624, 144, 156),
    _Block(3, 1, 872, 144, 220),
    _Block(5, 2, 872, 208, 220),
    _Block(5, 1, 1248, 208),
    _Block(5, 1, 1248, 208, 312),
    _Block(5, 1, 1248, 208),
    _Block(5, 1, 664, 208, 168),
)
_STEM, _LAST = 20, 664


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 112, 112) float32, RGB, (x - 127.5) / 128. Output ``vector``:
    (n, 512), not of unit length.
    """
    data = serialize(graph(named_arrays.read(raw)))
    Session(data).open()
    disk.write(out, data)


def graph(arrays: Mapping[str, AnyArray]) -> Graph:
    """Return the network with these weights, by the kinds and numbers of their layers."""
    made = _Ghost(arrays)
    x = made.convolved("picture", (3, _STEM), kernel=3, same=True)
    x = made.slope(x, _STEM)
    wide = _STEM
    for block in _BLOCKS:
        x = made.bottleneck(x, wide, block)
        wide = block.out
    x = made.slope(made.convolved(x, (wide, _LAST)), _LAST)
    pour = made.pour
    x = pour.convolved(
        x, "GDC_dw", (_LAST, _LAST), kernel=7, groups=_LAST, norm="GDC_batchnorm", epsilon=_EPSILON
    )
    x = pour.convolved(
        x, "GDC_conv", (_LAST, DIM), bias=True, norm="pre_embedding", epsilon=_EPSILON
    )
    made.end()
    return pour.end({"vector": (pour.add("Flatten", x, axis=1), ["n", DIM])})


class _Ghost:
    """The network under construction; layers of a kind are taken in the order of their number."""

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        self._waiting: dict[str, list[str]] = {}
        for layer in dict.fromkeys(name.rpartition(".")[0] for name in arrays):
            kind = re.fullmatch(r"([a-z_]+?\d?d?)(?:_(\d+))?", layer)
            if kind and kind[1] in _KINDS:
                self._waiting.setdefault(_KINDS[kind[1]], []).append(layer)
        for layers in self._waiting.values():
            layers.sort(key=_number)
        self.pour = Pour(arrays, Value("picture", FLOAT32, ["n", 3, SIDE, SIDE]))

    def _next(self, kind: str) -> str:
        layers = self._waiting.get(kind)
        if not layers:
            raise WeightsCorrupt(
                f"The file has too few layers of the kind {kind}.",
                "It is a file of another network: give the id of that one.",
            )
        return layers.pop(0)

    def end(self) -> None:
        """Raise WeightsCorrupt when layers are left; the classifier of the training may be."""
        self.pour.left("arcface.weight", "embedding.weight")

    def convolved(
        self, x: str, channels: tuple[int, int], *, kernel: int = 1, same: bool = False
    ) -> str:
        name, norm = self._next("convolution"), self._next("normalization")
        return self.pour.convolved(
            x, name, channels, kernel=kernel, same=same, norm=norm, epsilon=_EPSILON
        )

    def depthwise(self, x: str, wide: int, kernel: int, stride: int = 1) -> str:
        name, norm = self._next("depthwise"), self._next("normalization")
        return self.pour.convolved(
            x, name, (wide, wide),
            kernel=kernel, stride=stride, same=True, groups=wide, norm=norm, epsilon=_EPSILON,
        )  # fmt: skip

    def slope(self, x: str, wide: int) -> str:
        """Add an activation with a slope of its own for each channel."""
        alpha = self.pour.take(f"{self._next('activation')}.weight", wide)
        return self.pour.add("PRelu", x, self.pour.constant(alpha.reshape(wide, 1, 1)))

    def ghost(self, x: str, wide: int, out: int, *, active: bool) -> str:
        """Add half of the channels by a convolution, and the other half made of these cheaply."""
        half = out // 2
        x = self.convolved(x, (wide, half))
        if active:
            x = self.slope(x, half)
        y = self.depthwise(x, half, 3)
        if active:
            y = self.slope(y, half)
        return self.pour.add("Concat", x, y, axis=1)

    def gate(self, x: str, wide: int, between: int) -> str:
        """Add what each channel is multiplied with, by the means of all (Hu et al., CVPR 2018)."""
        pour = self.pour
        y = pour.add("GlobalAveragePool", x)
        y = pour.convolved(y, self._next("convolution"), (wide, between), bias=True)
        y = self.slope(y, between)
        y = pour.convolved(y, self._next("convolution"), (between, wide), bias=True)
        return pour.add("Mul", x, pour.add("HardSigmoid", y, alpha=0.2, beta=0.5))

    def bottleneck(self, x: str, wide: int, block: _Block) -> str:
        y = self.ghost(x, wide, block.between, active=True)
        if block.stride > 1:
            y = self.depthwise(y, block.between, block.kernel, block.stride)
        if block.gate:
            y = self.gate(y, block.between, block.gate)
        y = self.ghost(y, block.between, block.out, active=False)
        if block.stride > 1 or wide != block.out:
            x = self.depthwise(x, wide, block.kernel, block.stride)
            x = self.convolved(x, (wide, block.out))
        return self.pour.add("Add", x, y)


#: names that Keras gives layers without one, and their kinds here
_KINDS = {
    "conv2d": "convolution",
    "depthwise_conv2d": "depthwise",
    "batch_normalization": "normalization",
    "activation": "activation",
    "p_re_lu": "activation",
}


def _number(layer: str) -> int:
    last = layer.rpartition("_")[2]
    return int(last) if last.isdecimal() else 0
