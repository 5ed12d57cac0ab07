"""A small regressor of coordinates: five halvings by 3 x 3 convolutions, then one dense layer."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class Light(nn.Module):
    """Gives points (n, k, 2) as shares of the side, linear.

    side: px of the pictures (n, 3, side, side), a multiple of 32.
    """

    def __init__(self, side: int, points: int) -> None:
        super().__init__()
        widths = (3, 32, 64, 96, 128, 128)
        self.body = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(inplace=True),
                )
                for before, after in pairwise(widths)
            )
        )
        cells = -(-side // 32)
        self.head = nn.Linear(widths[-1] * cells * cells, 2 * points)
        nn.init.zeros_(self.head.weight)
        nn.init.constant_(self.head.bias, 0.5)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the points."""
        return self.head(self.body(pictures).flatten(1)).unflatten(1, (-1, 2))


def network(side: int, points: int) -> nn.Module:
    """Return the network with random weights; see ``Light``."""
    return Light(side, points)
