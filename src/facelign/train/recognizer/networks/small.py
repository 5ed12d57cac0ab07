"""A small residual network that two processor cores can train: 0.51 million parameters.

Dense 3x3 convolutions on few places: PyTorch on a processor runs them several times faster for
the same sums than the depthwise ones of MobileFaceNet. Its end is that network's: a depthwise
convolution over all places and a linear layer. Input: 112x112 px, RGB, (x - 127.5) / 127.5.
Output: 128 numbers.
"""

from __future__ import annotations

from torch import Tensor, nn

_WIDTHS = (32, 64, 128)


class Small(nn.Module):
    """(n, 3, 112, 112) float32 -> (n, dim) float32."""

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        self.stem = _Conv(3, 24, stride=2)
        width, blocks = 24, []
        for planes in _WIDTHS:
            blocks += [_Conv(width, planes, stride=2), _Block(planes)]
            width = planes
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.Sequential(
            nn.Conv2d(width, width, 7, groups=width, bias=False), nn.BatchNorm2d(width)
        )
        self.linear = nn.Linear(width, dim, bias=False)
        self.bn = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        y: Tensor = self.bn(self.linear(self.pool(self.blocks(self.stem(x))).flatten(1)))
        return y


class _Conv(nn.Sequential):
    def __init__(self, inner: int, outer: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outer),
            nn.PReLU(outer),
        )


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            _Conv(width, width),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x)
