"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """Calls of a run. epoch: with each row. step: with the images of each step. stopped: says
    whether the run shall end after the step.
    """

    epoch: Callable[[Mapping[str, float]], object] = lambda _row: None
    step: Callable[[int], object] = lambda _images: None
    stopped: Callable[[], bool] = lambda: False
