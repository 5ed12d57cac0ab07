"""ResNet-50 without its last layer, ended by batch normalization and the mean over all places.

Paper: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, with the
stride in the 3x3 convolution of a block as torchvision has it; parameters are called as there, so
that ImageNet's checkpoints load (their ``fc`` is left out). The end is that of the source article:
batch normalization, then global average pooling; dropout and the dense layer over the people belong
to the loss (``losses.Softmax``). Input: 112x112 px give 4x4 places. Output: 2,048 numbers.
"""

from __future__ import annotations

from torch import Tensor, nn

_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_EXPANSION = 4


class ResNet50(nn.Module):
    """(n, 3, h, w) float32 -> (n, 2048) float32."""

    def __init__(self, dim: int = 2048) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        width = 64
        for number, (planes, count, stride) in enumerate(_STAGES, 1):
            blocks = [_Bottleneck(width, planes, stride)]
            width = planes * _EXPANSION
            blocks += [_Bottleneck(width, planes, 1) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.last_bn = nn.BatchNorm2d(width)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(1, len(_STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        y: Tensor = self.avgpool(self.last_bn(x)).flatten(1)
        return y


class _Bottleneck(nn.Module):
    def __init__(self, width: int, planes: int, stride: int) -> None:
        super().__init__()
        out = planes * _EXPANSION
        self.conv1 = nn.Conv2d(width, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or width != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(y + shortcut)
        return out
