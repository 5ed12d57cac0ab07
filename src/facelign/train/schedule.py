"""The learning rate of a step, as a share of the largest: a function of what was done so far.

Nothing is kept between steps, so that a resumed run has the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from facelign.train.config import ScheduleOptions


def share(
    options: ScheduleOptions, step: int, steps: int, epoch: int, losses: Sequence[float]
) -> float:
    """Return the share of the largest rate for a step.

    step: counted from 0, of ``steps`` in all. epoch: counted from 0. losses: of the validations so
    far.

    >>> [round(share(ScheduleOptions(warm_up=2), step, 6, 0, ()), 2) for step in range(6)]
    [0.5, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < options.warm_up:
        return (step + 1) / options.warm_up
    if options.name == "cosine":
        done = (step - options.warm_up) / max(1, steps - options.warm_up)
        high = (1 + math.cos(math.pi * min(1.0, done))) / 2
        return options.least + (1 - options.least) * high
    if options.name == "step":
        return max(options.least, options.factor ** (epoch // options.every))
    if options.name == "plateau":
        return max(options.least, options.factor ** falls(losses, options.patience))
    return 1.0


def falls(losses: Sequence[float], patience: int) -> int:
    """Return how often ``patience`` validations in a row brought nothing better.

    >>> falls([3, 2, 2, 2, 1, 1, 1, 1, 1], patience=2)
    3
    """
    best, waited, count = math.inf, 0, 0
    for loss in losses:
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
            if waited == patience:
                waited, count = 0, count + 1
    return count


def since_best(losses: Sequence[float], least: float = 0.0) -> int:
    """Return how many validations came after the best; less than ``least`` lower is not better.

    >>> since_best([3, 2, 1.95, 2.5], least=0.1)
    2
    """
    best, waited = math.inf, 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best - least else (best, waited + 1)
    return waited
