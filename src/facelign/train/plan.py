"""What a run would be, before it is begun: sizes, memory and time, measured on a few steps."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

from lightning_fabric import Fabric

from facelign.train.config import TrainConfig
from facelign.train.learner import Learner
from facelign.train.loop import steps_of
from facelign.train.meter import EpochMeter
from facelign.train.processes import launched
from facelign.train.task import TrainingTask
from facelign.train.told import Told

#: steps that are taken, and of them those that are measured: the first brings memory and kernels
_TAKEN, _MEASURED = 4, 3


def plan(task: TrainingTask, config: TrainConfig) -> dict[str, Any]:
    """Return what the run of a configuration would be; nothing is written."""
    return launched(config, _planned, Told(), task)


def _planned(fabric: Fabric, config: TrainConfig, _: Told, task: TrainingTask) -> dict[str, Any]:
    learner = Learner(fabric, config, task)
    per_epoch = task.steps_per_epoch()
    steps, epochs = steps_of(config, per_epoch)
    meter = EpochMeter(0.0)
    waited, took = 0.0, []
    batches = islice(task.batches(0, 0), _TAKEN)
    asked = time.monotonic()
    for batch in batches:
        given = time.monotonic()
        learner.step(task, learner.part_of(batch), 1e-9)
        waited += given - asked
        took.append(time.monotonic() - asked)
        asked = time.monotonic()
    step = sum(took[-_MEASURED:]) / len(took[-_MEASURED:])
    hours = step * steps / 3600
    weights = list(learner.judged.parameters())
    told = {
        "kind": task.kind,
        "data": task.sizes(),
        "parameters": sum(weight.numel() for weight in weights),
        "learning": sum(weight.numel() for weight in weights if weight.requires_grad),
        "weights_mb": round(sum(w.numel() * w.element_size() for w in weights) / (1 << 20), 2),
        "steps_per_epoch": per_epoch,
        "epochs": epochs,
        "steps": steps,
        "seconds_per_epoch": round(step * min(per_epoch, steps), 2),
        "hours": round(hours, 4),
        "waiting": round(waited / sum(took), 4),
        "memory_mb": meter.told()["memory_mb"],
    }
    if config.machine.price:
        told["cost"] = round(hours * config.machine.price, 4)
    return told
