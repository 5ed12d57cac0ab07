"""MobileFaceNet: depthwise bottlenecks and a depthwise convolution in place of a mean at the end.

Paper: Chen, Liu, Gao, Han, "MobileFaceNets", CCBR 2018, table 1. Two forms:

- ``PlainMobileFaceNet``: the paper's, 0.99 million parameters; parameters are called as in
  TreB1eN/InsightFace_Pytorch;
- ``WideMobileFaceNet``: insightface's ``mbf`` (the model of its buffalo_s), twice as wide, whose
  second convolution has 64 groups of two channels; parameters are called as there.

Input: 112x112 px, RGB, (x - 127.5) / 127.5. Output: 128 numbers as published, 512 for the wide one.
"""

from __future__ import annotations

from torch import Tensor, nn


class PlainMobileFaceNet(nn.Module):
    """(n, 3, 112, 112) float32 -> (n, dim) float32."""

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        self.conv1 = _Conv(3, 64, 3, 2, 1)
        self.conv2_dw = _Conv(64, 64, 3, 1, 1, groups=64)
        self.conv_23 = _Bottleneck(64, 64, 128, stride=2)
        self.conv_3 = _Residual(64, 128, 4)
        self.conv_34 = _Bottleneck(64, 128, 256, stride=2)
        self.conv_4 = _Residual(128, 256, 6)
        self.conv_45 = _Bottleneck(128, 128, 512, stride=2)
        self.conv_5 = _Residual(128, 256, 2)
        self.conv_6_sep = _Conv(128, 512)
        self.conv_6_dw = _Conv(512, 512, 7, groups=512, linear=True)
        self.linear = nn.Linear(512, dim, bias=False)
        self.bn = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        x = self.conv_3(self.conv_23(self.conv2_dw(self.conv1(x))))
        x = self.conv_5(self.conv_45(self.conv_4(self.conv_34(x))))
        y: Tensor = self.bn(self.linear(self.conv_6_dw(self.conv_6_sep(x)).flatten(1)))
        return y


class _Conv(nn.Module):
    """A convolution, batch normalization, and PReLU unless it is ``linear``."""

    def __init__(
        self,
        inner: int,
        outer: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        *,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, outer, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outer)
        self.prelu: nn.Module = nn.Identity() if linear else nn.PReLU(outer)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.prelu(self.bn(self.conv(x)))
        return y


class _Bottleneck(nn.Module):
    """Wider by 1x1, depthwise 3x3, narrower by 1x1; with the sum where it is residual."""

    def __init__(
        self, inner: int, outer: int, wide: int, *, stride: int = 1, residual: bool = False
    ) -> None:
        super().__init__()
        self.conv = _Conv(inner, wide)
        self.conv_dw = _Conv(wide, wide, 3, stride, 1, groups=wide)
        self.project = _Conv(wide, outer, linear=True)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.conv_dw(self.conv(x)))
        return x + y if self.residual else y


class _Residual(nn.Module):
    def __init__(self, width: int, wide: int, count: int) -> None:
        super().__init__()
        blocks = (_Bottleneck(width, width, wide, residual=True) for _ in range(count))
        self.model = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        return y


class WideMobileFaceNet(nn.Module):
    """(n, 3, 112, 112) float32 -> (n, dim) float32."""

    def __init__(self, dim: int = 512) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            (
                _Layers(3, 128, 3, 2, 1),
                _Layers(128, 128, 3, 1, 1, groups=64),
                _WideBottleneck(128, 128, 128, stride=2),
                _WideResidual(128, 128, 4),
                _WideBottleneck(128, 256, 256, stride=2),
                _WideResidual(256, 256, 6),
                _WideBottleneck(256, 256, 512, stride=2),
                _WideResidual(256, 256, 2),
            )
        )
        self.conv_sep = _Layers(256, 512)
        self.features = _Wrapped(
            _Layers(512, 512, 7, groups=512, linear=True),
            nn.Flatten(),
            nn.Linear(512, dim, bias=False),
            nn.BatchNorm1d(dim),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        for layer in self.layers:
            x = layer(x)
        y: Tensor = self.features(self.conv_sep(x))
        return y


class _Wrapped(nn.Module):
    """Modules one after the other, under the name ``layers`` that upstream gives them."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y


class _Layers(_Wrapped):
    def __init__(
        self,
        inner: int,
        outer: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        *,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        conv = nn.Conv2d(inner, outer, kernel, stride, padding, groups=groups, bias=False)
        end = () if linear else (nn.PReLU(outer),)
        super().__init__(conv, nn.BatchNorm2d(outer), *end)


class _WideBottleneck(_Wrapped):
    def __init__(
        self, inner: int, outer: int, wide: int, *, stride: int = 1, residual: bool = False
    ) -> None:
        super().__init__(
            _Layers(inner, wide),
            _Layers(wide, wide, 3, stride, 1, groups=wide),
            _Layers(wide, outer, linear=True),
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class _WideResidual(_Wrapped):
    def __init__(self, width: int, wide: int, count: int) -> None:
        blocks = (_WideBottleneck(width, width, wide, residual=True) for _ in range(count))
        super().__init__(*blocks)
