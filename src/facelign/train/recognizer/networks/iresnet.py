"""iResNet, the network of ArcFace: no activation after a sum, batch normalization before all.

Papers: Duta et al., "Improved residual networks", ICPR 2020; Deng et al., "ArcFace", CVPR 2019.
Parameters are called as in insightface's ``arcface_torch``, so that its checkpoints load. Input:
112x112 px, RGB, (x - 127.5) / 127.5. Output: 512 numbers; the scale of the last normalization is
held at 1, as there.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

#: what 112 px are after four strides of 2
_SIDE = 7


class IResNet(nn.Module):
    """(n, 3, 112, 112) float32 -> (n, dim) float32. layers: blocks of the four stages."""

    def __init__(self, layers: Sequence[int], dim: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        width = 64
        for number, (planes, count) in enumerate(zip((64, 128, 256, 512), layers, strict=True), 1):
            blocks = [_Block(width, planes, 2)] + [_Block(planes, planes) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            width = planes
        self.bn2 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width * _SIDE * _SIDE, dim)
        self.features = nn.BatchNorm1d(dim)
        self.features.weight.requires_grad = False
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        y: Tensor = self.features(self.fc(self.dropout(self.bn2(x).flatten(1))))
        return y


class _Block(nn.Module):
    def __init__(self, width: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(width, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.prelu = nn.PReLU(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or width != planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(width, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        y = self.bn3(self.conv2(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = y + shortcut
        return out


def iresnet18(dim: int = 512) -> IResNet:
    """Return iResNet-18."""
    return IResNet((2, 2, 2, 2), dim)


def iresnet34(dim: int = 512) -> IResNet:
    """Return iResNet-34."""
    return IResNet((3, 4, 6, 3), dim)


def iresnet50(dim: int = 512) -> IResNet:
    """Return iResNet-50."""
    return IResNet((3, 4, 14, 3), dim)


def iresnet100(dim: int = 512) -> IResNet:
    """Return iResNet-100."""
    return IResNet((3, 13, 30, 3), dim)
