"""What an epoch costs: time, images a second, the share spent waiting for data, memory, money."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from facelign.train.task import Batch

_MB = 1 << 20


class EpochMeter:
    """Watches the time of one epoch. price: of an hour, 0 for none."""

    def __init__(self, price: float) -> None:
        self._price = price
        self._began = self._saved = time.monotonic()
        self._waited, self._images = 0.0, 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time in here as spent waiting for data."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    def count(self, batch: Batch) -> int:
        """Count the images of a batch; return how many."""
        images = len(next(iter(batch.values())))
        self._images += images
        return images

    @property
    def unsaved(self) -> float:
        """Seconds since the run was saved."""
        return time.monotonic() - self._saved

    def saved(self) -> None:
        """Say that the run was saved."""
        self._saved = time.monotonic()

    def told(self) -> dict[str, float]:
        """Return the figures of the epoch."""
        took = time.monotonic() - self._began
        told = {
            "seconds": round(took, 3),
            "images_per_second": round(self._images / max(took, 1e-9), 2),
            "waiting": round(self._waited / max(took, 1e-9), 4),
            "memory_mb": round(_peak_memory() / _MB, 1),
        }
        if torch.cuda.is_available():
            told["gpu_memory_mb"] = round(torch.cuda.max_memory_allocated() / _MB, 1)
        if self._price:
            told["cost"] = round(self._price * took / 3600, 6)
        return told


def _peak_memory() -> int:
    """Return the most memory that this process had, bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
