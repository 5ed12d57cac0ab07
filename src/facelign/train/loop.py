"""The loop: both kinds of model are trained by this page.

What a step does depends on the configuration, the seed and the number of the step alone, and a
checkpoint holds all else that was made, so that a run that was killed ends where it would have.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from facelign.errors import Refused
from facelign.train import checkpoint, schedule
from facelign.train.config import OptimizerOptions, TrainConfig
from facelign.train.run_folder import RunFolder
from facelign.train.task import Batch, TrainingTask

_PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}


@dataclass(slots=True)
class Where:
    """How far a run is: the next step, what the epoch brought so far, the epochs before.

    sums: of each figure, its sum and the samples that it was summed over.
    """

    epoch: int = 0
    step: int = 0
    done: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)

    @property
    def losses(self) -> list[float]:
        """Losses of the validations so far."""
        return [row["val_loss"] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told how a run goes. epoch: of each row. step: of each step, with the images of it."""

    epoch: Callable[[Mapping[str, float]], object] = lambda _row: None
    step: Callable[[int], object] = lambda _images: None
    stopped: Callable[[], bool] = lambda: False


def steps_of(config: TrainConfig, per_epoch: int) -> tuple[int, int]:
    """Return how many steps and epochs a run has."""
    steps = config.epochs * per_epoch
    if config.steps:
        steps = min(steps, config.steps)
    return steps, math.ceil(steps / per_epoch)


def fit(
    task: TrainingTask, config: TrainConfig, run: RunFolder, told: Told = Told()
) -> dict[str, Any]:
    """Train until the end, from where the run folder is; return its last record.

    Raises Refused for a loss that is not finite, InputError where the disk takes no more, and
    KeyboardInterrupt when ``told.stopped`` says so; what was done until then is kept.
    """
    fabric, network, optimizer, average = _made(task, config)
    at = _resumed(fabric, run, network, optimizer, average)
    per_epoch = task.steps_per_epoch()
    steps, epochs = steps_of(config, per_epoch)

    def keep() -> None:
        _save(fabric, run, at, network, optimizer, average)

    while at.epoch < epochs and not _stopped_early(config, at):
        network.train()
        saved = began = time.monotonic()
        waited, images = 0.0, 0
        batches = task.batches(at.epoch, at.step)
        while at.step < per_epoch and at.done < steps:
            asked = time.monotonic()
            batch = fabric.to_device(_share_of(next(batches), fabric))
            waited += time.monotonic() - asked
            torch.manual_seed(_seed(config.seed, at.epoch, at.step, fabric.global_rank))
            share = schedule.share(config.schedule, at.done, steps, at.epoch, at.losses)
            for group in optimizer.param_groups:
                group["lr"] = config.optimizer.learning_rate * share
            seen = _step(fabric, task, network, optimizer, batch, config.optimizer)
            if average is not None:
                average.update_parameters(network)
            _add(at.sums, seen, _size(batch))
            if not math.isfinite(seen["loss"]):
                raise _not_finite(run, at, batch)
            at.step, at.done = at.step + 1, at.done + 1
            images += _size(batch)
            told.step(_size(batch))
            if told.stopped():
                keep()
                raise KeyboardInterrupt
            if _due(config, at, saved) and at.step < per_epoch:
                keep()
                saved = time.monotonic()
        row = {"epoch": at.epoch + 1, **{n: s / c for n, (s, c) in at.sums.items()}}
        row |= _validated(fabric, task, average or network)
        took = time.monotonic() - began
        row |= {"lr": optimizer.param_groups[0]["lr"], "seconds": round(took, 3)}
        row |= {"images_per_second": round(images / took, 2), "waiting": round(waited / took, 4)}
        at.rows.append(row)
        at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
        if row["val_loss"] < at.best.get("val_loss", math.inf):
            at.best = {"epoch": row["epoch"], "val_loss": row["val_loss"]}
            _save_best(run, at, average or network)
        run.write_metrics(at.rows)
        keep()
        told.epoch(row)
    return _ended(fabric, task, run, at, network)


def _made(
    task: TrainingTask, config: TrainConfig
) -> tuple[Fabric, nn.Module, torch.optim.Optimizer, AveragedModel | None]:
    """Return the devices, and what learns on them."""
    if config.machine.threads:
        torch.set_num_threads(config.machine.threads)
    fabric = Fabric(
        accelerator=config.machine.device,
        devices=1,
        precision=_PRECISIONS[config.machine.precision],
    )
    fabric.launch()
    torch.manual_seed(config.seed)
    plain = task.network()
    network, optimizer = fabric.setup(plain, optimizer_of(config.optimizer, plain))
    average = None
    if config.average.decay:
        smooth = get_ema_multi_avg_fn(config.average.decay)
        average = AveragedModel(network.module, multi_avg_fn=smooth, use_buffers=True)
    return fabric, network, optimizer, average


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


def _step(
    fabric: Fabric,
    task: TrainingTask,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    options: OptimizerOptions,
) -> dict[str, float]:
    """Change the weights by one batch; return the means of what its loss told."""
    optimizer.zero_grad(set_to_none=True)
    size, shares = _size(batch), 0.0
    seen: dict[str, list[float]] = {}
    for part in _parts(batch, options.accumulate):
        found = task.loss(network, part)
        share = float(found.pop("share", torch.tensor(1.0))) * _size(part) / size
        shares += share
        # one mean over the whole batch, also where parts have more and less that counts
        fabric.backward(found["loss"] * share)
        _add(seen, {name: float(value.detach()) for name, value in found.items()}, _size(part))
    if shares not in (0.0, 1.0):
        for weight in network.parameters():
            if weight.grad is not None:
                weight.grad.div_(shares)
    if options.clip:
        fabric.clip_gradients(network, optimizer, max_norm=options.clip)
    means = {name: total / count for name, (total, count) in seen.items()}
    if math.isfinite(means["loss"]):
        optimizer.step()
    return means


def _parts(batch: Batch, count: int) -> list[Batch]:
    if count == 1:
        return [batch]
    cut = {name: value.tensor_split(min(count, _size(batch))) for name, value in batch.items()}
    return [
        {name: pieces[i] for name, pieces in cut.items()}
        for i in range(len(next(iter(cut.values()))))
    ]


def _share_of(batch: Batch, fabric: Fabric) -> Batch:
    """Return what this process looks at of a batch."""
    if fabric.world_size == 1:
        return batch
    return _parts(batch, fabric.world_size)[fabric.global_rank]


def _size(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def _add(sums: dict[str, list[float]], seen: Mapping[str, float], count: int) -> None:
    for name, value in seen.items():
        total, counted = sums.get(name, (0.0, 0))
        sums[name] = [total + value * count, counted + count]


def _due(config: TrainConfig, at: Where, saved: float) -> bool:
    """Whether the run is to be saved inside an epoch."""
    steps, seconds = config.checkpoint.steps, config.checkpoint.seconds
    return bool(steps and at.done % steps == 0) or bool(
        seconds and time.monotonic() - saved >= seconds
    )


def _stopped_early(config: TrainConfig, at: Where) -> bool:
    patience = config.stop.patience
    return bool(patience) and schedule.since_best(at.losses, config.stop.least) >= patience


@contextmanager
def judging(network: nn.Module) -> Iterator[nn.Module]:
    """Yield a network that is looked at and does not learn meanwhile."""
    learning = network.training
    network.eval()
    with torch.inference_mode():
        yield network
    network.train(learning)


def _validated(fabric: Fabric, task: TrainingTask, network: nn.Module) -> dict[str, float]:
    with judging(network):
        return task.validate(network)


def _inner(network: nn.Module) -> nn.Module:
    """Return the network of the task, out of what wraps it."""
    while isinstance(inner := getattr(network, "module", None), nn.Module):
        network = inner
    return network


def _save(
    fabric: Fabric,
    run: RunFolder,
    at: Where,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel | None,
) -> None:
    checkpoint.save(
        run.last,
        {
            "network": _inner(network).state_dict(),
            "optimizer": optimizer.state_dict(),
            "average": {} if average is None else average.state_dict(),
            "where": json.dumps(asdict(at)),
        },
    )


def _save_best(run: RunFolder, at: Where, network: nn.Module) -> None:
    checkpoint.save(run.best, {"network": _inner(network).state_dict(), **at.best})


def _resumed(
    fabric: Fabric,
    run: RunFolder,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: AveragedModel | None,
) -> Where:
    """Return how far the run is, with its network as it was then."""
    if not run.last.exists():
        return Where()
    state = checkpoint.load(run.last)
    _inner(network).load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    if average is not None:
        average.load_state_dict(state["average"])
    return Where(**json.loads(state["where"]))


def best_network(task: TrainingTask, run: RunFolder) -> nn.Module:
    """Return the network with the lowest validation loss, ready to be looked at."""
    network = task.network()
    network.load_state_dict(checkpoint.load(run.best)["network"])
    return network.eval()


def _ended(
    fabric: Fabric, task: TrainingTask, run: RunFolder, at: Where, network: nn.Module
) -> dict[str, Any]:
    """Test the best network, write the last record and return it."""
    device = next(network.parameters()).device
    with judging(best_network(task, run).to(device)) as best:
        tested = task.test(best)
    result = {"run": str(run.path), "epochs": at.epoch, "best": at.best, "test": tested}
    run.write("result.json", result)
    return result


def _not_finite(run: RunFolder, at: Where, batch: Mapping[str, Tensor]) -> Refused:
    """Return the refusal of a loss that is not finite; the batch is kept."""
    path = run.path / "batch.pt"
    checkpoint.save(path, {name: value.cpu() for name, value in batch.items()})
    return Refused(
        f"The loss was not finite at step {at.step + 1} of epoch {at.epoch + 1}; the batch is "
        f"kept in {path}.",
        "Lower optimizer.learning_rate, or cut gradients with optimizer.clip.",
    )
