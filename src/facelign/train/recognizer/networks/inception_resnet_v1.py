"""Inception-ResNet-v1, the network of FaceNet's published models.

Papers: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet", AAAI 2017; Schroff,
Kalenichenko, Philbin, "FaceNet", CVPR 2015. Parameters are called as in timesler/facenet-pytorch,
so that its checkpoints load (their ``logits`` is left out). Input: 160x160 px, RGB,
(x - 127.5) / 128. Output: 512 numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: that of the published models, which come from TensorFlow
_EPS = 0.001


class InceptionResnetV1(nn.Module):
    """(n, 3, h, w) float32, 75 px or more a side -> (n, dim) float32."""

    def __init__(self, dim: int = 512, dropout: float = 0.6) -> None:
        super().__init__()
        self.conv2d_1a = _Conv(3, 32, 3, stride=2)
        self.conv2d_2a = _Conv(32, 32, 3)
        self.conv2d_2b = _Conv(32, 64, 3, padding=1)
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = _Conv(64, 80, 1)
        self.conv2d_4a = _Conv(80, 192, 3)
        self.conv2d_4b = _Conv(192, 256, 3, stride=2)
        self.repeat_1 = nn.Sequential(*(_block35() for _ in range(5)))
        self.mixed_6a = _reduction_a()
        self.repeat_2 = nn.Sequential(*(_block17() for _ in range(10)))
        self.mixed_7a = _reduction_b()
        self.repeat_3 = nn.Sequential(*(_block8(0.2) for _ in range(5)))
        self.block8 = _block8(1.0, last=True)
        self.avgpool_1a = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(1792, dim, bias=False)
        self.last_bn = nn.BatchNorm1d(dim, eps=_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        x = self.maxpool_3a(self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x))))
        x = self.repeat_1(self.conv2d_4b(self.conv2d_4a(self.conv2d_3b(x))))
        x = self.repeat_2(self.mixed_6a(x))
        x = self.block8(self.repeat_3(self.mixed_7a(x)))
        x = self.dropout(self.avgpool_1a(x).flatten(1))
        y: Tensor = self.last_bn(self.last_linear(x))
        return y


class _Conv(nn.Module):
    def __init__(
        self,
        inner: int,
        outer: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outer, eps=_EPS)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y


class _Branches(nn.Module):
    """Branches side by side, joined by channel; ``branch0``, ``branch1`` ... by name."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        for number, branch in enumerate(branches):
            self.add_module(f"branch{number}", branch)
        self.count = len(branches)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.get_submodule(f"branch{number}")(x) for number in range(self.count)]
        return torch.cat(parts, 1)


class _Residual(_Branches):
    """Branches, brought back to the width of the input, scaled and added to it."""

    def __init__(
        self, width: int, joined: int, scale: float, *branches: nn.Module, last: bool = False
    ) -> None:
        super().__init__(*branches)
        self.scale = scale
        self.conv2d = nn.Conv2d(joined, width, 1)
        self.relu: nn.Module = nn.Identity() if last else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.conv2d(super().forward(x)) * self.scale + x)
        return y


def _block35() -> _Residual:
    return _Residual(
        256,
        96,
        0.17,
        _Conv(256, 32, 1),
        nn.Sequential(_Conv(256, 32, 1), _Conv(32, 32, 3, padding=1)),
        nn.Sequential(_Conv(256, 32, 1), _Conv(32, 32, 3, padding=1), _Conv(32, 32, 3, padding=1)),
    )


def _block17() -> _Residual:
    far = nn.Sequential(
        _Conv(896, 128, 1),
        _Conv(128, 128, (1, 7), padding=(0, 3)),
        _Conv(128, 128, (7, 1), padding=(3, 0)),
    )
    return _Residual(896, 256, 0.1, _Conv(896, 128, 1), far)


def _block8(scale: float, *, last: bool = False) -> _Residual:
    far = nn.Sequential(
        _Conv(1792, 192, 1),
        _Conv(192, 192, (1, 3), padding=(0, 1)),
        _Conv(192, 192, (3, 1), padding=(1, 0)),
    )
    return _Residual(1792, 384, scale, _Conv(1792, 192, 1), far, last=last)


def _reduction_a() -> _Branches:
    deep = nn.Sequential(
        _Conv(256, 192, 1), _Conv(192, 192, 3, padding=1), _Conv(192, 256, 3, stride=2)
    )
    return _Branches(_Conv(256, 384, 3, stride=2), deep, nn.MaxPool2d(3, stride=2))


def _reduction_b() -> _Branches:
    deep = nn.Sequential(
        _Conv(896, 256, 1), _Conv(256, 256, 3, padding=1), _Conv(256, 256, 3, stride=2)
    )
    return _Branches(
        nn.Sequential(_Conv(896, 256, 1), _Conv(256, 384, 3, stride=2)),
        nn.Sequential(_Conv(896, 256, 1), _Conv(256, 256, 3, stride=2)),
        deep,
        nn.MaxPool2d(3, stride=2),
    )
