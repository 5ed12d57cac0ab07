"""A task of the loop that learns a line through made points within a second."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from facelign.train.task import DataFinding, Exported, TrainingTask

SAMPLES, WIDTH = 64, 6


class Toy(TrainingTask):
    """Rows of numbers in, their weighted sum out; with dropout and batch norm, as networks have."""

    kind = "landmarks"

    def __init__(
        self, config, broken: int = -1, samples: int = SAMPLES, dropout: float = 0.2
    ) -> None:
        self.config, self.broken, self.samples, self.dropout = config, broken, samples, dropout

    def __reduce__(self):
        return type(self), (self.config, self.broken, self.samples, self.dropout)

    def network(self) -> nn.Module:
        torch.manual_seed(self.config.seed)
        return nn.Sequential(
            nn.Linear(WIDTH, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(self.dropout),
            nn.Linear(8, 1),
        )

    def steps_per_epoch(self) -> int:
        return self.samples // self.config.batch

    def rows(self, numbers) -> tuple[torch.Tensor, torch.Tensor]:
        made = [np.random.default_rng([7, int(i)]).normal(size=WIDTH) for i in numbers]
        x = np.stack(made).astype(np.float32)
        return torch.from_numpy(x), torch.from_numpy(x @ np.arange(WIDTH, dtype=np.float32))

    def batches(self, epoch: int, first: int) -> Iterator[dict[str, torch.Tensor]]:
        order = np.random.default_rng([self.config.seed, epoch]).permutation(self.samples)
        for step in range(first, self.steps_per_epoch()):
            x, y = self.rows(order[step * self.config.batch : (step + 1) * self.config.batch])
            if epoch * self.steps_per_epoch() + step == self.broken:
                x[0, 0] = float("nan")
            yield {"x": x, "y": y}

    def loss(self, network, batch):
        apart = network(batch["x"])[:, 0] - batch["y"]
        return {"loss": apart.square().mean(), "far": apart.abs().max()}

    def validate(self, network) -> dict[str, float]:
        x, y = self.rows(range(1000, 1032))
        return {"val_loss": float((network(x)[:, 0] - y).square().mean())}

    def test(self, network) -> dict[str, float]:
        x, y = self.rows(range(2000, 2032))
        return {"error": float((network(x)[:, 0] - y).abs().mean())}

    def findings(self) -> list[DataFinding]:
        return []

    def data(self) -> dict[str, object]:
        return {"name": "made"}

    def exported(self, network) -> Exported:
        return Exported(network, torch.zeros(1, WIDTH), {"task": "landmark"})
