"""What every network of landmarks has, and the blocks that those of facelign's own share."""

from __future__ import annotations

from torch import Tensor, nn


class LandmarkNetwork(nn.Module):
    """A network from pictures (n, 3, side, side) to what its read-out makes points of.

    ``forward`` gives one tensor, so that several processes and the exporter see a plain module;
    ``points`` reads (n, k, 2) shares of the crop out of it, 0 at its left and upper edge, 1 at the
    right and lower one, not clipped. side: px that it reads.
    """

    side: int

    def points(self, raw: Tensor) -> Tensor:
        """Return points (n, k, 2) of what ``forward`` gave."""
        return raw.unflatten(1, (-1, 2))

    def own_loss(self, raw: Tensor, true: Tensor, mask: Tensor) -> Tensor | None:
        """Return what the read-out asks for beside the loss on points, if anything."""
        return None

    def weight_of_points(self) -> float:
        """Return how much the loss on points counts beside the network's own."""
        return 1.0


def convolution(width: int, out: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalization and ReLU, of the size of its input / stride."""
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        self.second = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same size and width."""
        return nn.functional.relu(x + self.second(self.first(x)))
