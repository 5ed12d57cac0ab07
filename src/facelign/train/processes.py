"""A run in several processes: each looks at its part of every batch, and all take the same step.

The processes are new ones; whoever began the run stays out of it, hears how it goes and may end it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.multiprocessing
from lightning_fabric import Fabric

from facelign.errors import FacelignError
from facelign.train.config import TrainConfig
from facelign.train.told import Told

_PRECISIONS: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
#: seconds between two looks at whether the run is to end
_LOOK = 0.2


def launched(config: TrainConfig, work: Callable[..., Any], told: Told, *more: Any) -> Any:
    """Return what ``work(fabric, config, told, *more)`` returns in the first process."""
    machine = config.machine
    fabric = Fabric(
        accelerator=machine.device,
        devices=machine.processes,
        strategy="auto" if machine.processes == 1 else "ddp_spawn",
        precision=_PRECISIONS[machine.precision],
    )
    if machine.processes == 1:
        fabric.launch()
        return work(fabric, config, told, *more)
    context = torch.multiprocessing.get_context("spawn")
    said, ending, over = context.SimpleQueue(), context.Event(), threading.Event()

    def listen() -> None:
        while (word := said.get()) is not None:
            name, value = word
            getattr(told, name)(value)

    def look() -> None:
        while not over.wait(_LOOK):
            if told.stopped():
                ending.set()

    threads = [threading.Thread(target=listen, daemon=True), threading.Thread(target=look)]
    for thread in threads:
        thread.start()
    try:
        # as one whole: Fabric takes arguments apart, and values here are frozen
        one = partial(_one, config=config, work=work, said=said, ending=ending, more=more)
        result, problem = fabric.launch(one)
    finally:
        over.set()
        said.put(None)
        for thread in threads:
            thread.join()
    if problem is not None:
        raise problem
    return result


def _one(
    fabric: Fabric, config: TrainConfig, work: Callable[..., Any], said: Any, ending: Any, more: Any
) -> tuple[Any, BaseException | None]:
    """Do the part of one process; what it refuses is told by the one that began the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ended by ``ending``
    silent = Told(stopped=ending.is_set)
    told = Told(
        epoch=lambda row: said.put(("epoch", dict(row))),
        step=lambda images: said.put(("step", images)),
        stopped=ending.is_set,
    )
    try:
        return work(fabric, config, told if fabric.is_global_zero else silent, *more), None
    except (FacelignError, KeyboardInterrupt) as problem:
        return None, problem
    finally:
        # its threads end here: left to the end of the process, they abort it now and then
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def agreed(fabric: Fabric, *numbers: float) -> list[float]:
    """Return the sums of numbers over all processes."""
    if fabric.world_size == 1:
        return list(numbers)
    mine = torch.tensor(numbers, dtype=torch.float64, device="cpu")
    if fabric.device.type != "cpu":
        mine = mine.float().to(fabric.device)
    summed = fabric.all_reduce(mine, reduce_op="sum")
    return [float(value) for value in summed]
