"""``heatmap``: a map of chances for each point, read out below the pixel.

Fully convolutional: an encoder and a decoder with lateral connections (Lin et al., "Feature Pyramid
Networks", CVPR 2017). A point is the mean place of its map after a softmax, so no map has to be as
fine as the answer (Nibali et al., "Numerical Coordinate Regression with Convolutional Neural
Networks", 2018, which also holds the map to a Gaussian around the truth).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelign.train.landmarks.networks.network import LandmarkNetwork, Residual, convolution

#: spread of the Gaussian that a map is held to, cells
SPREAD = 1.0
#: channels after each halving from the second on, and residual blocks there
_STAGES = ((48, 1), (96, 2), (128, 2), (160, 1))
_WIDTH = 64


class Heatmap(LandmarkNetwork):
    """Maps of a quarter of the side, one for each point."""

    def __init__(self, k: int, side: int = 128) -> None:
        super().__init__()
        self.side, self.cells = side, side // 4
        self.stem = convolution(3, 24, stride=2)
        self.down = nn.ModuleList()
        width = 24
        for out, blocks in _STAGES:
            self.down.append(
                nn.Sequential(
                    convolution(width, out, stride=2), *(Residual(out) for _ in range(blocks))
                )
            )
            width = out
        self.lateral = nn.ModuleList(nn.Conv2d(out, _WIDTH, 1) for out, _ in _STAGES)
        self.smooth = nn.ModuleList(convolution(_WIDTH, _WIDTH) for _ in _STAGES[1:])
        self.head = nn.Conv2d(_WIDTH, k, 1)
        places = (torch.arange(self.cells, dtype=torch.float32) + 0.5) / self.cells
        self.register_buffer("places", places, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits of the maps (n, k, cells, cells)."""
        x, seen = self.stem(pictures), []
        for stage in self.down:
            x = stage(x)
            seen.append(x)
        above = self.lateral[-1](seen[-1])
        for level in range(len(seen) - 2, -1, -1):
            above = nn.functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = self.smooth[level](above + self.lateral[level](seen[level]))
        out: Tensor = self.head(above)
        return out

    def points(self, raw: Tensor) -> Tensor:
        """Return the mean places (n, k, 2) of the maps."""
        chances = raw.float().flatten(2).softmax(dim=2).reshape(raw.shape)
        places = self.places
        x = (chances.sum(dim=2) * places).sum(dim=2)
        y = (chances.sum(dim=3) * places).sum(dim=2)
        return torch.stack([x, y], dim=2)

    def own_loss(self, raw: Tensor, true: Tensor, mask: Tensor) -> Tensor | None:
        """Return the cross entropy of the maps with Gaussians around the true points."""
        logits = raw.float().flatten(2).log_softmax(dim=2)[mask]
        if not len(logits):
            return raw.sum() * 0.0
        apart = (self.places - true[mask][..., None]) * self.cells
        x, y = (-(apart.clamp(-1e3, 1e3) ** 2) / (2 * SPREAD**2)).unbind(dim=1)
        wanted = (y[:, :, None] + x[:, None, :]).flatten(1).softmax(dim=1)
        return -(wanted * logits).sum(dim=1).mean()

    def weight_of_points(self) -> float:
        """Return how much the loss on points counts beside that on maps."""
        return 10.0
