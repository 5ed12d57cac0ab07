"""``light``: a small regressor of coordinates, for two cores and for phones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelign.train.landmarks.networks.network import LandmarkNetwork, Residual, convolution

#: channels after each halving
_WIDTHS = (24, 48, 96, 128, 160)


class Light(LandmarkNetwork):
    """Five halvings with a residual block each, then one linear layer to the coordinates.

    The last bias begins as the middle of the crop, so that training starts with points in it.
    """

    def __init__(self, k: int, side: int = 112) -> None:
        super().__init__()
        self.side = side
        blocks: list[nn.Module] = []
        width = 3
        for step, out in enumerate(_WIDTHS):
            blocks.append(convolution(width, out, stride=2))
            if step:
                blocks.append(Residual(out))
            width = out
        self.features = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(0.1)
        cells = -(-side // 32)
        self.head = nn.Linear(width * cells * cells, 2 * k)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.constant_(self.head.bias, 0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return coordinates (n, 2 k)."""
        out: Tensor = self.head(self.dropout(torch.flatten(self.features(pictures), 1)))
        return out
