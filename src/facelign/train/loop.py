"""The loop: every kind of model is trained by this page.

What a step does depends on the configuration, the seed and the number of the step alone, and a
checkpoint holds all else that was made, so that a run that was killed ends where it would have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric

from facelign.errors import ConfigError, Refused
from facelign.train import checkpoint, schedule
from facelign.train.config import TrainConfig
from facelign.train.curves import curves
from facelign.train.learner import Learner, seeded
from facelign.train.meter import EpochMeter
from facelign.train.processes import agreed, launched
from facelign.train.run_folder import RunFolder
from facelign.train.task import Batch, TrainingTask
from facelign.train.told import Told
from facelign.types.wording import counted


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


def steps_of(config: TrainConfig, per_epoch: int) -> tuple[int, int]:
    """Return how many steps and epochs a run has."""
    steps = config.epochs * per_epoch
    if config.steps:
        steps = min(steps, config.steps)
    return steps, math.ceil(steps / per_epoch)


def fit(
    task: TrainingTask, config: TrainConfig, run: RunFolder, told: Told | None = None
) -> dict[str, Any]:
    """Train until the end, from where the run folder is; return its last record.

    Raises Refused for a loss that is not finite, InputError where the disk takes no more,
    ConfigError where another process works on the run, and KeyboardInterrupt when ``told.stopped``
    says so; what was done until then is kept.
    """
    with run.held():
        return launched(config, _fit, told or Told(), task, run)


def _fit(
    fabric: Fabric, config: TrainConfig, told: Told, task: TrainingTask, run: RunFolder
) -> dict[str, Any]:
    learner = Learner(fabric, config, task)
    at = _resumed(run, learner)
    per_epoch = task.steps_per_epoch()
    steps, epochs = steps_of(config, per_epoch)
    with ExitStack() as closing:
        write = None
        if fabric.is_global_zero:
            write = closing.enter_context(curves(run, at.epoch))
        while at.epoch < epochs and not _stopped_early(config, at):
            meter = EpochMeter(config.machine.price)
            batches = task.batches(at.epoch, at.step)
            while at.step < per_epoch and at.done < steps:
                with meter.waiting():
                    batch = next(batches)
                mine = learner.part_of(batch)
                torch.manual_seed(seeded(config.seed, at.epoch, at.step))
                share = schedule.share(config.schedule, at.done, steps, at.epoch, at.losses)
                seen = learner.step(task, mine, share)
                bad, ending = agreed(
                    fabric,
                    not math.isfinite(seen["loss"]),
                    fabric.is_global_zero and told.stopped(),
                )
                if bad:
                    raise _not_finite(task, run, at, batch)
                _add(at.sums, seen, len(next(iter(mine.values()))))
                at.step, at.done = at.step + 1, at.done + 1
                told.step(meter.count(batch))
                if ending:
                    _keep(run, at, learner)
                    raise KeyboardInterrupt
                if _due(config, at, meter) and at.step < per_epoch:
                    _keep(run, at, learner)
                    meter.saved()
            row = {"epoch": at.epoch + 1, **_means(fabric, at.sums)}
            row |= learner.validated(task)
            row |= {"lr": learner.rate, **meter.told()}
            _close_epoch(run, at, learner, row)
            if write is not None:
                write(row)
            told.epoch(row)
    return _ended(task, run, at, learner)


def _close_epoch(run: RunFolder, at: Where, learner: Learner, row: dict[str, float]) -> None:
    """Keep the network if it is the best so far, and the run after the epoch."""
    at.rows.append(row)
    at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
    if row["val_loss"] < at.best.get("val_loss", math.inf):
        at.best = {name: row[name] for name in ("epoch", "val_loss", "loss")}
        if learner.first:
            checkpoint.save(run.best, {"network": learner.judged.state_dict(), **at.best})
    if learner.first:
        run.write_metrics(at.rows)
    _keep(run, at, learner)


def _keep(run: RunFolder, at: Where, learner: Learner) -> None:
    if learner.first:
        checkpoint.save(run.last, {**learner.state(), "where": json.dumps(asdict(at))})


def _resumed(run: RunFolder, learner: Learner) -> Where:
    """Return how far the run is, with its network as it was then."""
    if not run.last.exists():
        return Where()
    state = checkpoint.load(run.last)
    learner.take(state)
    return Where(**json.loads(state["where"]))


def where(run: RunFolder) -> Where:
    """Return how far a run is."""
    if not run.last.exists():
        return Where()
    return Where(**json.loads(checkpoint.load(run.last)["where"]))


def longer(config: TrainConfig, at: Where, per_epoch: int) -> str:
    """Return what is to be known of an ended run that goes on with a configuration, "" for nothing.

    Nothing is where every step is what it would be in a run that was begun so. Raises ConfigError
    for a configuration with which it has ended all the same.
    """
    steps, epochs = steps_of(config, per_epoch)
    if _stopped_early(config, at):
        raise ConfigError(
            "The run has ended, as its validation had not become better for "
            f"{counted(config.stop.patience, 'epoch')}.",
            "Raise stop.patience too, or set it to 0.",
        )
    if at.done >= steps or at.epoch >= epochs:
        raise ConfigError(
            f"The run has ended, after {counted(at.epoch, 'epoch')} and "
            f"{counted(at.done, 'step')}.",
            "Give it more epochs (and steps = 0, where steps ended it).",
        )
    if at.done % per_epoch:
        return "It ended within an epoch, the rest of which is left out."
    if config.schedule.name == "cosine":
        rate = config.optimizer.learning_rate
        share = schedule.share(config.schedule, at.done, steps, at.epoch, at.losses)
        return (
            f"Its learning rate had fallen to its end and begins again at {rate * share:.3g}, so "
            f"that it will not be the run that {epochs} epochs from the begin had been."
        )
    return ""


def _ended(task: TrainingTask, run: RunFolder, at: Where, learner: Learner) -> dict[str, Any]:
    """Test the best network, write the last record and return it."""
    if not at.best:
        raise Refused(
            "No validation gave a finite loss, so there is no best network.",
            "Begin a run with a lower optimizer.learning_rate.",
        )
    learner.judged.load_state_dict(checkpoint.load(run.best)["network"])
    tested = learner.tested(task)
    result = {"run": str(run.path), "epochs": at.epoch, "best": at.best, "test": tested}
    result["seconds"] = round(sum(row["seconds"] for row in at.rows), 3)
    if at.rows[-1].get("cost") is not None:
        result["cost"] = round(sum(row["cost"] for row in at.rows), 4)
    if learner.first:
        run.write("result.json", result)
    return result


def best_network(task: TrainingTask, run: RunFolder) -> torch.nn.Module:
    """Return the network with the lowest validation loss, ready to be looked at."""
    network = task.network()
    network.load_state_dict(checkpoint.load(run.best)["network"])
    return network.eval()


def _add(sums: dict[str, list[float]], seen: Mapping[str, float], count: int) -> None:
    for name, value in seen.items():
        total, counted = sums.get(name, (0.0, 0))
        sums[name] = [total + value * count, counted + count]


def _means(fabric: Fabric, sums: Mapping[str, list[float]]) -> dict[str, float]:
    flat = agreed(fabric, *(number for pair in sums.values() for number in pair))
    return {name: flat[2 * i] / flat[2 * i + 1] for i, name in enumerate(sums)}


def _due(config: TrainConfig, at: Where, meter: EpochMeter) -> bool:
    """Whether the run is to be saved inside an epoch."""
    steps, seconds = config.checkpoint.steps, config.checkpoint.seconds
    return bool(steps and at.done % steps == 0) or bool(seconds and meter.unsaved >= seconds)


def _stopped_early(config: TrainConfig, at: Where) -> bool:
    patience = config.stop.patience
    return bool(patience) and schedule.since_best(at.losses, config.stop.least) >= patience


def _not_finite(task: TrainingTask, run: RunFolder, at: Where, batch: Batch) -> Refused:
    """Return the refusal of a loss that is not finite; the batch is kept, the step not taken."""
    path = run.path / "batch.pt"
    checkpoint.save(path, {name: value.cpu() for name, value in batch.items()})
    names = task.named(batch)
    run.write("batch.json", {"epoch": at.epoch + 1, "step": at.step + 1, "samples": names})
    told = f" (of {names[0]} and {len(names) - 1} more)" if names else ""
    return Refused(
        f"The loss was not finite at step {at.step + 1} of epoch {at.epoch + 1}; the batch{told} "
        f"is kept in {path}.",
        "Go on with a lower optimizer.learning_rate, or with optimizer.clip.",
    )
