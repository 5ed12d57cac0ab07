"""Layers that look at a whole batch where processes share it, on any device.

Each does what PyTorch's own does with the batch in one process: normalizes by the mean and spread
of all of it (PyTorch's own for several processes needs GPUs), and drops what would be dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """As PyTorch's, with the mean and spread of what all processes see together."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"wanted two axes or more, got {x.dim()}")

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` normalized, along the second axis."""
        if not self.training:
            return super().forward(x)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        lie = [1, -1, *(1 for _ in axes[1:])]
        count = x.numel() // x.shape[1]
        seen = torch.cat([x.sum(axes), x.square().sum(axes), x.new_tensor([float(count)])])
        total = all_reduce(seen)
        number = total[-1]
        mean, square = (total[:-1] / number).chunk(2)
        spread = (square - mean.square()).clamp(min=0)
        self._remember(mean.detach(), spread.detach() * number / (number - 1).clamp(min=1))
        scaled = (x - mean.view(lie)) * torch.rsqrt(spread + self.eps).view(lie)
        if self.affine:
            scaled = scaled * self.weight.view(lie) + self.bias.view(lie)
        return scaled

    def _remember(self, mean: Tensor, spread: Tensor) -> None:
        if not self.track_running_stats:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(spread.to(self.running_var), share)


class SharedDropout(nn.Dropout):
    """As PyTorch's, with the part of the mask that is this process's of the whole batch.

    All processes have the same seed, and parts of one size.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` with some numbers dropped."""
        if not self.training:
            return x
        rank, world = distributed.get_rank(), distributed.get_world_size()
        whole = super().forward(x.new_ones((world * len(x), *x.shape[1:])))
        return x * whole[rank * len(x) : (rank + 1) * len(x)]


def shared(network: nn.Module) -> nn.Module:
    """Return the network, its layers that look at a batch shared by all processes; weights stay."""
    for name, inner in network.named_children():
        setattr(network, name, shared(inner))
    if type(network) is nn.Dropout:
        return SharedDropout(network.p).train(network.training)
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    if not isinstance(network, kinds):
        return network
    made = SharedBatchNorm(
        network.num_features,
        network.eps,
        network.momentum,
        network.affine,
        network.track_running_stats,
    )
    made.load_state_dict(network.state_dict())
    for old, new in zip(network.parameters(), made.parameters(), strict=True):
        new.requires_grad = old.requires_grad
    made.training = network.training
    return made
