"""Batch normalization over all processes, on any device: PyTorch's own needs GPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
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


def shared(network: nn.Module) -> nn.Module:
    """Return the network, its batch normalizations shared by all processes; weights stay."""
    for name, inner in network.named_children():
        setattr(network, name, shared(inner))
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
