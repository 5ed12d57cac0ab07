"""Figures of a run as curves for TensorBoard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facelign.train.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable


@contextmanager
def curves(run: RunFolder, epochs: int) -> Iterator[Callable[[Mapping[str, float]], None]]:
    """Yield what writes the row of an epoch. epochs: done so far; what comes after is dropped."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run.tensorboard), purge_step=epochs + 1) as writer:

        def write(row: Mapping[str, float]) -> None:
            for name, value in row.items():
                if name != "epoch":
                    writer.add_scalar(name, value, int(row["epoch"]))
            writer.flush()

        yield write
