"""A network of ImageNet of which a number of blocks is trained anew, counted from its output."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facelign.errors import ConfigError
from facelign.train.landmarks.networks.network import LandmarkNetwork

#: all blocks are trained
ALL = -1
#: what a feature becomes, by name: the branches of article A2's bottleneck
BRANCHES = {"plain": lambda x: x, "square": torch.square, "sine": torch.sin}


class Retrained(LandmarkNetwork):
    """Features of a backbone, in branches with a dense layer each, joined, then coordinates.

    backbone: gives (n, ``features``) and lists its ``blocks`` from the input on. blocks: how many
    of them are trained, from the output; the others keep their weights and the statistics of
    their normalizations. branches: names of ``BRANCHES``.
    """

    def __init__(
        self,
        backbone: nn.Module,
        k: int,
        side: int,
        blocks: int,
        branches: Sequence[str] = ("plain",),
        dense: int = 256,
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = backbone.blocks  # type: ignore[assignment, unused-ignore]
        if not ALL <= blocks <= len(parts):
            raise ConfigError(
                f"{blocks} blocks cannot be retrained.", f"There are {len(parts)}; -1 for all."
            )
        self.side, self.backbone, self.branches = side, backbone, tuple(branches)
        self.frozen = [] if blocks == ALL else parts[: len(parts) - blocks]
        for part in self.frozen:
            part.requires_grad_(False)
        width = int(backbone.features)  # type: ignore[arg-type, unused-ignore]
        self.dense = nn.ModuleList(nn.Linear(width, dense) for _ in self.branches)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(dense * len(self.branches), 2 * k)
        nn.init.constant_(self.head.bias, 0.5)

    def train(self, mode: bool = True) -> Retrained:
        """Set the mode; frozen blocks stay as in use, so that their statistics do not move."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """Return coordinates (n, 2 k)."""
        features = self.backbone(pictures)
        joined = [
            dense(BRANCHES[name](features)).relu()
            for name, dense in zip(self.branches, self.dense, strict=True)
        ]
        out: Tensor = self.head(self.dropout(torch.cat(joined, dim=1)))
        return out
