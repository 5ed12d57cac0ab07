"""What learns: a network with its optimizer and, if wanted, the moving average of its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from facelign.train.config import OptimizerOptions, TrainConfig
from facelign.train.processes import agreed
from facelign.train.task import Batch, TrainingTask
from facelign.train.whole_batch import shared


class Learner:
    """A network on its devices, and the steps that it takes."""

    def __init__(self, fabric: Fabric, config: TrainConfig, task: TrainingTask) -> None:
        if config.machine.threads:
            torch.set_num_threads(config.machine.threads)
        self._fabric, self._options = fabric, config.optimizer
        #: whether this process writes what all have made
        self.first = bool(fabric.is_global_zero)
        torch.manual_seed(config.seed)
        plain = task.network()
        if fabric.world_size > 1:
            plain = shared(plain)
        self._optimizer: Any
        self._network, self._optimizer = fabric.setup(plain, optimizer_of(config.optimizer, plain))
        self._average = None
        if config.average.decay:
            smooth = _smoothing(config.average.decay)
            self._average = AveragedModel(
                self._network.module, multi_avg_fn=smooth, use_buffers=True
            )

    @property
    def judged(self) -> nn.Module:
        """The network that is validated, tested and exported."""
        return self._network.module if self._average is None else self._average.module

    @property
    def rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._optimizer.param_groups[0]["lr"])

    def part_of(self, batch: Batch) -> Batch:
        """Return what this process looks at of a batch, on its device."""
        world = self._fabric.world_size
        mine = parts(batch, world)[self._fabric.global_rank] if world > 1 else batch
        return self._fabric.to_device(mine)

    def step(self, task: TrainingTask, batch: Batch, share: float) -> dict[str, float]:
        """Change the weights by one batch; return the means of what its loss told.

        share: of the largest learning rate. A loss that is not finite changes nothing.
        """
        self._network.train()
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.learning_rate * share
        self._optimizer.zero_grad(set_to_none=True)
        size, counted = _size(batch), 0.0
        seen: dict[str, float] = {}
        pieces = parts(batch, self._options.accumulate)
        for number, piece in enumerate(pieces, 1):
            quiet = self._fabric.no_backward_sync(self._network, enabled=number < len(pieces))
            with quiet if self._fabric.world_size > 1 else nullcontext():
                found = task.loss(self._network, piece)
                weight = float(found.pop("share", torch.tensor(1.0))) * _size(piece) / size
                counted += weight
                # one mean over the whole batch, also where parts have more and less that counts
                self._fabric.backward(found["loss"] * weight)
            for name, value in found.items():
                seen[name] = seen.get(name, 0.0) + float(value.detach()) * _size(piece) / size
        self._mend(counted)
        if self._options.clip:
            self._fabric.clip_gradients(
                self._network,
                self._optimizer,
                max_norm=self._options.clip,
                error_if_nonfinite=False,
            )
        bad = agreed(self._fabric, not math.isfinite(seen["loss"]))[0]
        if not bad:
            self._optimizer.step()
            if self._average is not None:
                self._average.update_parameters(self._network.module)
        return seen

    def _mend(self, counted: float) -> None:
        """Make the gradients those of one mean over what all parts in all processes counted."""
        world = self._fabric.world_size
        total = agreed(self._fabric, counted)[0]
        if total in (0.0, float(world)):
            return
        for weight in self._network.parameters():
            if weight.grad is not None:
                weight.grad.mul_(world / total)

    def validated(self, task: TrainingTask) -> dict[str, float]:
        """Return the figures on the validation set; one process looks at it."""
        return self._looked(task.validate)

    def tested(self, task: TrainingTask) -> dict[str, float]:
        """Return the figures on the test set."""
        return self._looked(task.test)

    def _looked(self, look: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        if self.first:
            with judging(self.judged) as network:
                found = look(network)
        return self._fabric.broadcast(found)

    def state(self) -> dict[str, Any]:
        """Return all that learned so far."""
        average = {} if self._average is None else self._average.state_dict()
        return {
            "network": self._network.module.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": average,
            "precision": self._fabric.strategy.precision.state_dict(),
        }

    def take(self, state: Mapping[str, Any]) -> None:
        """Become what ``state`` gave."""
        self._network.module.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        # the state brings the settings of its time, and the run may have others since
        for group in self._optimizer.param_groups:
            group["weight_decay"] = self._options.weight_decay
            if "momentum" in group:
                group["momentum"] = self._options.momentum
        if state["precision"]:  # numbers of other sizes keep none
            self._fabric.strategy.precision.load_state_dict(state["precision"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])


def _smoothing(decay: float) -> Callable[[Any, Any, Any], None]:
    """Return what moves an average; it follows fast at first, so that it forgets the begin."""

    def move(averages: Any, weights: Any, count: Any) -> None:
        share = min(decay, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(share)(averages, weights, count)

    return move


def optimizer_of(options: OptimizerOptions, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of the weights of a network that learn."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    rate, decay = options.learning_rate, options.weight_decay
    if options.name == "sgd":
        return torch.optim.SGD(weights, rate, momentum=options.momentum, weight_decay=decay)
    if options.name == "rmsprop":
        return torch.optim.RMSprop(weights, rate, momentum=options.momentum, weight_decay=decay)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "nadam": torch.optim.NAdam}
    return kinds[options.name](weights, rate, weight_decay=decay)


@contextmanager
def judging(network: nn.Module) -> Iterator[nn.Module]:
    """Yield a network that is looked at and does not learn meanwhile."""
    learning = network.training
    network.eval()
    with torch.inference_mode():
        yield network
    network.train(learning)


def parts(batch: Batch, count: int) -> list[Batch]:
    """Return a batch in so many parts, one after the other."""
    if count == 1:
        return [batch]
    cut = {name: value.tensor_split(min(count, _size(batch))) for name, value in batch.items()}
    return [dict(zip(cut, pieces, strict=True)) for pieces in zip(*cut.values(), strict=True)]


def seeded(*numbers: int) -> int:
    """Return a seed that no other numbers give."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _size(batch: Batch) -> int:
    return len(next(iter(batch.values())))
