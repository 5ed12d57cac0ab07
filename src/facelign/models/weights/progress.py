"""What a download says while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """A state of the work on one file.

    step: "fetch" (bytes arrive), "note" (``text`` says something worth reading), "convert",
    "done". done, total: bytes; total is 0 when unknown. rate: bytes a second. left_s: seconds,
    or None while nothing can be said.
    """

    step: str
    file: str
    done: int = 0
    total: int = 0
    rate: float = 0.0
    left_s: float | None = None
    text: str = ""


OnProgress = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Say nothing."""


@dataclass(slots=True)
class Meter:
    """Turns byte counts into Progress, at most ten times a second."""

    file: str
    total: int
    on_progress: OnProgress
    start: int = 0
    _began: float = field(default_factory=time.monotonic)
    _last: float = 0.0

    def __call__(self, done: int) -> None:
        """Tell that ``done`` bytes are there."""
        now = time.monotonic()
        if now - self._last < 0.1 and done < self.total:
            return
        self._last = now
        spent = max(now - self._began, 1e-6)
        rate = max(0, done - self.start) / spent
        left = (self.total - done) / rate if rate > 0 and self.total else None
        self.on_progress(Progress("fetch", self.file, done, self.total, rate, left))
