"""``pip``: the cell that a point lies in, its place in the cell, and what ten neighbors say.

Jin, Liao and Shao, "Pixel-in-Pixel Net: Towards Efficient Facial Landmark Detection in the Wild",
IJCV 2021: one coarse map, no decoder. Neighbors are those of the mean face of the training set,
which the network keeps, so that a model is one file. ``landmark/models/pipnet.py`` reads the
authors' own files.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facelign.train.landmarks.networks.network import LandmarkNetwork, Residual, convolution

#: neighbors of a point, and how much the maps count beside the places: the authors' own
NEAR, WEIGHT_OF_MAPS = 10, 10.0
#: channels after each halving, and residual blocks there
_STAGES = ((24, 0), (48, 1), (96, 2), (160, 2))


class Pip(LandmarkNetwork):
    """Cells of a sixteenth of the side.

    mean_face: (k, 2), any unit. near: neighbors of a point, fewer where there are fewer points.
    """

    def __init__(self, mean_face: Tensor, side: int = 128, near: int = NEAR) -> None:
        super().__init__()
        self.k, self.side = len(mean_face), side
        self.near_count = min(near, self.k - 1)
        blocks: list[nn.Module] = []
        width = 3
        for out, count in _STAGES:
            blocks += [convolution(width, out, stride=2), *(Residual(out) for _ in range(count))]
            width = out
        self.features = nn.Sequential(*blocks)
        self.head = nn.Conv2d(width, self.k * (3 + 2 * self.near_count), 1)
        self.cells = -(-side // 16)
        apart = torch.cdist(mean_face.double(), mean_face.double())
        nearest = apart.argsort(dim=1, stable=True)[:, 1 : self.near_count + 1]
        self.register_buffer("near", nearest)
        self.near: Tensor
        # how often a point is told: by itself, and by each point that it is near to
        times = torch.ones(self.k).index_add_(0, nearest.flatten(), torch.ones(nearest.numel()))
        self.register_buffer("times", times, persistent=False)
        said = torch.zeros(self.k * self.near_count, self.k)
        said[torch.arange(self.k * self.near_count), nearest.flatten()] = 1
        self.register_buffer("said", said, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return scores, places x and y, places of the neighbors x and y: (n, c, cells, cells)."""
        out: Tensor = self.head(self.features(pictures))
        return out

    def parts(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores (n, k, s), places (n, k, s, 2), neighbors (n, k, near, s, 2), s cells."""
        n, k, near = raw.shape[0], self.k, self.near_count
        flat = raw.flatten(2)
        scores, own = flat[:, :k], flat[:, k : 3 * k].reshape(n, 2, k, -1)
        theirs = flat[:, 3 * k :].reshape(n, 2, k, near, -1)
        return scores, own.permute(0, 2, 3, 1), theirs.permute(0, 2, 3, 4, 1)

    def points(self, raw: Tensor) -> Tensor:
        """Return for each point the mean of what it and those that it is near to say (n, k, 2)."""
        scores, own, theirs = self.parts(raw)
        n, k, near = raw.shape[0], self.k, self.near_count
        best = scores.argmax(dim=2)
        cell = torch.stack([best % self.cells, best // self.cells], dim=2).to(raw.dtype)
        at = best[:, :, None, None].expand(n, k, 1, 2)
        mine = own.gather(2, at)[:, :, 0] + cell
        others = theirs.gather(3, best[:, :, None, None, None].expand(n, k, near, 1, 2))[:, :, :, 0]
        told = (others + cell[:, :, None]).flatten(1, 2)
        total = mine + (told.transpose(1, 2) @ self.said.to(raw.dtype)).transpose(1, 2)
        return total / self.times[:, None] / self.cells

    def own_loss(self, raw: Tensor, true: Tensor, mask: Tensor) -> Tensor | None:
        """Return 10 times the squared error of the maps and the absolute error of places."""
        scores, own, theirs = self.parts(raw.float())
        n, k, near = raw.shape[0], self.k, self.near_count
        safe = torch.where(mask[..., None], true, 0.5) * self.cells
        cell = safe.floor().clamp(0, self.cells - 1)
        index = (cell[..., 1] * self.cells + cell[..., 0]).long()
        wanted = torch.zeros_like(scores).scatter_(2, index[..., None], 1.0)
        maps = ((scores - wanted) ** 2).mean(dim=2)[mask]
        mine = own.gather(2, index[:, :, None, None].expand(n, k, 1, 2))[:, :, 0]
        places = (mine - (safe - cell)).abs()[mask]
        at = index[:, :, None, None, None].expand(n, k, near, 1, 2)
        others = theirs.gather(3, at)[:, :, :, 0]
        apart = (others - (safe[:, self.near] - cell[:, :, None])).abs()
        # a neighbor that is hidden has no place to be told
        known = mask[:, :, None] & mask[:, self.near]
        if not mask.any():
            return raw.sum() * 0.0
        about = apart[known].mean() if bool(known.any()) else raw.sum() * 0.0
        return WEIGHT_OF_MAPS * maps.mean() + places.mean() + about

    def weight_of_points(self) -> float:
        """Return 0: what is read out has no gradient that leads to another cell."""
        return 0.0
