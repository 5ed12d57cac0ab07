"""``inception`` and ``inception-bottleneck``: InceptionV3 with coordinates for its classes.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016. Parameters
have the names of torchvision's ``inception_v3`` (without its auxiliary classes), whose ImageNet
files load; 299 px is its own size. Article A2 retrains two and four blocks, and none in its
bottleneck, which joins the features with their square and their sine.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facelign.train.landmarks.networks.retrained import BRANCHES, Retrained

Kernel = int | tuple[int, int]


class BasicConv2d(nn.Module):
    """A convolution, batch normalization and ReLU."""

    def __init__(
        self, width: int, out: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map."""
        return nn.functional.relu(self.bn(self.conv(x)))


def _pooled(x: Tensor) -> Tensor:
    return nn.functional.avg_pool2d(x, 3, 1, 1)


class InceptionA(nn.Module):
    """35 x 35."""

    def __init__(self, width: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(width, 64, 1)
        self.branch5x5_1 = BasicConv2d(width, 48, 1)
        self.branch5x5_2 = BasicConv2d(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(width, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, padding=1)
        self.branch_pool = BasicConv2d(width, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined branches."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_pooled(x))], dim=1)


class InceptionB(nn.Module):
    """35 x 35 to 17 x 17."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch3x3 = BasicConv2d(width, 384, 3, 2)
        self.branch3x3dbl_1 = BasicConv2d(width, 64, 1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined branches."""
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, nn.functional.max_pool2d(x, 3, 2)], dim=1)


class InceptionC(nn.Module):
    """17 x 17, seven by one and one by seven."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(width, 192, 1)
        self.branch7x7_1 = BasicConv2d(width, inner, 1)
        self.branch7x7_2 = BasicConv2d(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7_3 = BasicConv2d(inner, 192, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = BasicConv2d(width, inner, 1)
        self.branch7x7dbl_2 = BasicConv2d(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = BasicConv2d(inner, inner, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = BasicConv2d(inner, inner, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = BasicConv2d(inner, 192, (1, 7), padding=(0, 3))
        self.branch_pool = BasicConv2d(width, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined branches."""
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_pooled(x))], dim=1)


class InceptionD(nn.Module):
    """17 x 17 to 8 x 8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch3x3_1 = BasicConv2d(width, 192, 1)
        self.branch3x3_2 = BasicConv2d(192, 320, 3, 2)
        self.branch7x7x3_1 = BasicConv2d(width, 192, 1)
        self.branch7x7x3_2 = BasicConv2d(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined branches."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_2(self.branch7x7x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(seven))
        return torch.cat([three, seven, nn.functional.max_pool2d(x, 3, 2)], dim=1)


class InceptionE(nn.Module):
    """8 x 8, with branches that part again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(width, 320, 1)
        self.branch3x3_1 = BasicConv2d(width, 384, 1)
        self.branch3x3_2a = BasicConv2d(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(width, 448, 1)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(width, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined branches."""
        three = self.branch3x3_1(x)
        twice = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)]
        return torch.cat([*parts, self.branch_pool(_pooled(x))], dim=1)


class InceptionV3(nn.Module):
    """The network of ImageNet: ``forward`` gives its pooled features (n, 2048)."""

    features = 2048

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, 3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b = InceptionA(192, 32)
        self.Mixed_5c = InceptionA(256, 64)
        self.Mixed_5d = InceptionA(288, 64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, 128)
        self.Mixed_6c = InceptionC(768, 160)
        self.Mixed_6d = InceptionC(768, 160)
        self.Mixed_6e = InceptionC(768, 192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc: nn.Module = nn.Linear(2048, classes) if classes else nn.Identity()

    @property
    def blocks(self) -> list[nn.Module]:
        """Its blocks from the input on: five convolutions, then eleven of joined branches."""
        return [part for name, part in self.named_children() if name.startswith(("Conv", "Mixed"))]

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, 2048), or logits where it has classes."""
        for name, part in self.named_children():
            if name not in ("avgpool", "fc"):
                x = part(x)
        out: Tensor = self.fc(self.avgpool(x).flatten(1))
        return out


class RetrainedInception(Retrained):
    """InceptionV3 with coordinates for its classes; ``blocks`` are trained, from the output."""

    def __init__(self, k: int, side: int = 299, blocks: int = 2) -> None:
        super().__init__(InceptionV3(), k, side, blocks)


class InceptionBottleneck(Retrained):
    """InceptionV3 as it is; its features, their square and their sine in a dense layer each."""

    def __init__(self, k: int, side: int = 299, branches: Sequence[str] = tuple(BRANCHES)) -> None:
        super().__init__(InceptionV3(), k, side, 0, branches)
