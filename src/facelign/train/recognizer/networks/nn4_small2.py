"""nn4.small2, the network of OpenFace: FaceNet's NN4 made small, 3,733,968 parameters.

Papers: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015 (NN4); Szegedy et al., "Going Deeper
with Convolutions", CVPR 2015 (its modules); Amos, Ludwiczuk, Satyanarayanan, "OpenFace",
CMU-CS-16-118, 2016. Parameters are called as in thnkim/OpenFacePytorch, so that its file loads.
Input: 96x96 px of layout openface-96, RGB, x / 255. Output: 128 numbers; OpenFace compares squared
distances at length 1.

The pools of its modules are about in two forms. ``released``: those that the published weights were
trained with; they step and shrink, and zeros about their maps bring these back to size.
``published``: those of the papers, which keep the size of the map. Parameters are the same.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

Pooling = Literal["released", "published"]
#: sums of squares below it give no gradient, where that of a root has no end
_LEAST = 1e-20


class NN4Small2(nn.Module):
    """(n, 3, 96, 96) float32 -> (n, dim) float32."""

    def __init__(self, dim: int = 128, pooling: Pooling = "released") -> None:
        super().__init__()
        largest, norm = partial(_largest, pooling), partial(_norm, pooling)
        self.layer1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.layer2 = nn.BatchNorm2d(64)
        self.layer6 = nn.Conv2d(64, 64, 1)
        self.layer7 = nn.BatchNorm2d(64)
        self.layer9 = nn.Conv2d(64, 192, 3, padding=1)
        self.layer10 = nn.BatchNorm2d(192)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer14 = _Inception(192, ((3, 96, 128), (5, 16, 32)), largest(12, 32), 64)
        self.layer15 = _Inception(256, ((3, 96, 128), (5, 32, 64)), norm(12, 64), 64)
        self.layer16 = _Inception(320, ((3, 128, 256), (5, 32, 64)), largest(12, 0, 2), stride=2)
        self.layer17 = _Inception(640, ((3, 96, 192), (5, 32, 64)), norm(6, 128), 256)
        self.layer18 = _Inception(640, ((3, 160, 256), (5, 64, 128)), largest(6, 0, 2), stride=2)
        self.layer19 = _Inception(1024, ((3, 96, 384),), norm(3, 96), 256)
        self.layer21 = _Inception(736, ((3, 96, 384),), largest(3, 96), 256)
        self.layer25 = nn.Linear(736, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        x = _evened(self.pool(F.relu(self.layer2(self.layer1(x)))))
        x = F.relu(self.layer7(self.layer6(x)))
        x = self.pool(_evened(F.relu(self.layer10(self.layer9(x)))))
        x = self.layer17(self.layer16(self.layer15(self.layer14(x))))
        x = self.layer21(self.layer19(self.layer18(x)))
        y: Tensor = self.layer25(x.mean((2, 3)))
        return y


class PublishedNN4Small2(NN4Small2):
    """The same with the pools of the papers."""

    def __init__(self, dim: int = 128) -> None:
        super().__init__(dim, "published")


class _Norm(nn.Module):
    """The root of the sum of squares in a window of 3x3."""

    def __init__(self, stride: int, padding: int) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        mean = F.avg_pool2d(x * x, 3, self.stride, self.padding)
        return (mean * 9).clamp_min(_LEAST).sqrt()


def _evened(x: Tensor) -> Tensor:
    """Local response normalization over five channels (Krizhevsky et al., NIPS 2012).

    alpha, 1e-4, is over the channels, as in Torch. PyTorch's own takes a detour by three axes,
    which leaves branches in an export.
    """
    squares = F.pad(x * x, (0, 0, 0, 0, 2, 2))
    around = sum(squares[:, i : i + x.shape[1]] for i in range(5))
    return x / (1 + 1e-4 / 5 * around) ** 0.75


@dataclass(frozen=True, slots=True)
class _Pool:
    """A pool, what it lacks in size to the maps beside it, and channels out, 0 for those it has."""

    layer: nn.Module
    lacks: int
    out: int


def _largest(pooling: Pooling, side: int, out: int, stride: int = 1) -> _Pool:
    """side: of the map that is read. stride: of the convolutions beside it."""
    if pooling == "published":
        return _Pool(nn.MaxPool2d(3, stride, 1), 0, out)
    return _Pool(nn.MaxPool2d(3, 2), side // stride - ((side - 3) // 2 + 1), out)


def _norm(pooling: Pooling, side: int, out: int) -> _Pool:
    if pooling == "published":
        return _Pool(_Norm(1, 1), 0, out)
    return _Pool(_Norm(3, 0), side - side // 3, out)


class _Inception(nn.Module):
    """Convolutions of several sizes, a pool and single pixels side by side.

    convolutions: size, channels between and out. single: channels of the branch of single pixels, 0
    for none.
    """

    def __init__(
        self,
        into: int,
        convolutions: tuple[tuple[int, int, int], ...],
        pool: _Pool,
        single: int = 0,
        *,
        stride: int = 1,
    ) -> None:
        super().__init__()
        branches: list[dict[str, nn.Module]] = [
            _layer(into, between, 1)
            | _layer(between, out, 4, kernel=kernel, stride=stride, padding=kernel // 2)
            for kernel, between, out in convolutions
        ]
        pooled: dict[str, nn.Module] = {"1_pool": pool.layer}
        if pool.out:
            pooled |= _layer(into, pool.out, 2)
        if pool.lacks:
            before, after = pool.lacks // 2, pool.lacks - pool.lacks // 2
            pooled["5_zeros"] = nn.ZeroPad2d((before, after, before, after))
        branches.append(pooled)
        if single:
            branches.append(_layer(into, single, 1))
        self.seq_list = nn.ModuleList(nn.Sequential(OrderedDict(branch)) for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps of all branches."""
        return torch.cat([branch(x) for branch in self.seq_list], 1)


def _layer(
    into: int, out: int, number: int, *, kernel: int = 1, stride: int = 1, padding: int = 0
) -> dict[str, nn.Module]:
    """Return convolution, batch normalization and ReLU by their names from a number on."""
    return {
        f"{number}_conv": nn.Conv2d(into, out, kernel, stride, padding),
        f"{number + 1}_bn": nn.BatchNorm2d(out),
        f"{number + 2}_relu": nn.ReLU(),
    }
