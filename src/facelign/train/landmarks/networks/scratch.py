"""``scratch``: article A2's benchmark, two stacks of convolutions side by side.

It says: begun from AlexNet, two identical stacks in parallel with kernels of 6 and of 3, joined
before the dense part, 299 px, linear outputs. Widths, strides and the dense part are not given;
those here are AlexNet's order of sizes at a width that two cores can train.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facelign.train.landmarks.networks.network import LandmarkNetwork

#: channels of a stack's convolutions, each followed by a halving
WIDTHS = (32, 64, 96, 96, 64)
_DENSE = 512


class Scratch(LandmarkNetwork):
    """Stacks that differ in their kernel only. kernels: one for each stack."""

    def __init__(self, k: int, side: int = 299, kernels: Sequence[int] = (6, 3)) -> None:
        super().__init__()
        self.side = side
        self.stacks = nn.ModuleList(_stack(kernel) for kernel in kernels)
        cells = side
        for _ in WIDTHS:
            cells //= 2
        self.dense = nn.Linear(len(kernels) * WIDTHS[-1] * cells * cells, _DENSE)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(_DENSE, 2 * k)
        nn.init.constant_(self.head.bias, 0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return coordinates (n, 2 k)."""
        joined = torch.cat([stack(pictures).flatten(1) for stack in self.stacks], dim=1)
        out: Tensor = self.head(self.dropout(self.dense(joined).relu()))
        return out


def _stack(kernel: int) -> nn.Sequential:
    blocks: list[nn.Module] = []
    width = 3
    for out in WIDTHS:
        # an even kernel has no middle: one row more at the right and below keeps the size
        before, after = (kernel - 1) // 2, kernel // 2
        blocks += [nn.ZeroPad2d((before, after, before, after)), nn.Conv2d(width, out, kernel)]
        blocks += [nn.ReLU(inplace=True), nn.MaxPool2d(2)]
        width = out
    return nn.Sequential(*blocks)
