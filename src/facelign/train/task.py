"""What a kind of model tells the loop: its network, its batches, its loss, its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from facelign.train.card import CardTest
from facelign.train.config import TrainConfig
from facelign.types.arrays import Float64Array

#: tensors whose first axis counts the samples of a step
Batch = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class DataFinding:
    """What the check of the data found, in plain words. An "error" stands against the result."""

    text: str
    severity: Literal["note", "warning", "error"] = "warning"


@dataclass(frozen=True, slots=True)
class Exported:
    """What leaves the run: a module, an input to try it with, and what its record says.

    record: keys of the top (task, like, title ...). Sections: input, output, license, defaults.
    """

    module: nn.Module
    example: Tensor
    record: Mapping[str, Any]
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class TrainingTask(Protocol):
    """One kind of model with its data and its configuration.

    The network is everything that learns, heads and class weights too; ``loss`` reaches it by
    calling it, since it may be shared by processes. Another process makes the task again from its
    configuration. Methods that have a default are inherited.
    """

    kind: str
    config: Any
    #: whether "val_loss" is what "loss" is, of other samples, so that one says what the other hides
    same_loss: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.config,)

    def network(self) -> nn.Module:
        """Return the network of the configuration; its weights come from the seed."""
        ...

    def steps_per_epoch(self) -> int:
        """Return how many batches an epoch has."""
        ...

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch from step ``first`` on.

        A sample depends on seed, epoch and sample alone: not on workers, and not on where a run
        was resumed.
        """
        ...

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return "loss", a mean over the batch, and what else is to be logged.

        "share": the part of the batch that the mean was taken over (1 where it is left out), by
        which the means of several parts of a batch are joined.
        """
        ...

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return figures on the validation set; "val_loss" is better when lower."""
        ...

    def test(self, network: nn.Module) -> dict[str, float]:
        """Return figures on the test set."""
        ...

    def findings(self) -> list[DataFinding]:
        """Return what is wrong with the data."""
        ...

    def data(self) -> dict[str, Any]:
        """Return what the data are: files with their digests, sizes of the splits, licenses."""
        ...

    def sizes(self) -> dict[str, Any]:
        """Return what of ``data`` is known without another look at every photo."""
        return self.data()

    def exported(self, network: nn.Module) -> Exported:
        """Return what an export writes."""
        ...

    def named(self, batch: Batch) -> list[str]:
        """Return what the samples of a batch are called, such as their files; [] for no names."""
        return []

    def errors(self, model: Any) -> Float64Array | None:
        """Return the error (n,) of a loaded model on each sample of the test set, lower is better.

        Of a network of this run once it is exported, and of one that it shall replace: the order is
        the same. None where models of this kind are not held against each other.
        """
        return None

    def doubts(self, test: Mapping[str, float]) -> list[CardTest]:
        """Return what the figures of a test, as ``test`` gave them, are held against."""
        return []


def task_of(config: TrainConfig) -> TrainingTask:
    """Return the task of a configuration, its data read and split."""
    made: TrainingTask = import_module(config.task).TASK(config)
    return made


def network_of(config: TrainConfig) -> tuple[nn.Module, tuple[int, int]]:
    """Return the untrained network of a configuration and what it reads, (width, height) px.

    No photo is read: whether there are data does not matter.
    """
    task = import_module(f"facelign.train.{config.kind}.task")
    made: tuple[nn.Module, tuple[int, int]] = task.bare(config)
    return made
