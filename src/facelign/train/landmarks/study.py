"""Landmark models and optimizers under one budget, on one split, beside the table of article A2.

The article is named in docs/articles.md. An arm is a network, an optimizer and a seed; all arms see
the same faces in the same crops. The article's losses are on other data (all of MUCT, flipped test
photos), so they stand beside and are not compared.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
from torch import nn

from facelign.errors import ConfigError, Refused
from facelign.runtime.dlib import needs
from facelign.train.config import changed
from facelign.train.landmarks.cascade import (
    BOOSTING,
    CASCADE,
    TrainedCascade,
    cascade_task,
    trained,
)
from facelign.train.landmarks.config import LandmarkConfig, ModelOptions
from facelign.train.landmarks.crops import Crops
from facelign.train.landmarks.task import LandmarkTask
from facelign.train.loop import best_network, fit, steps_of
from facelign.train.run_folder import RunFolder
from facelign.train.told import Told
from facelign.types.arrays import IntArray
from facelign.types.options import hints

#: training and validation loss (MSE) of article A2's table
ARTICLE: Mapping[str, tuple[float, float]] = {
    "scratch": (0.01547, 0.02588),
    "inception-bottleneck": (0.03599, 0.03567),
    "inception-2": (0.0001108, 0.003932),
    "inception-4": (0.0002229, 0.003802),
    "resnet50-0": (0.01, 0.013),
    "resnet50-2": (0.00005033, 0.003779),
}
#: rates that an optimizer begins with where none is given: Keras's, which the article kept
RATES: Mapping[str, float] = {
    "sgd": 0.01,
    "rmsprop": 0.001,
    "adam": 0.001,
    "nadam": 0.001,
    "adamw": 0.002,
}
#: points whose spread is below this share of the true one have collapsed into the middle
COLLAPSED = 0.25
#: what follows the name of a network: blocks, or kernels of scratch
_REST = re.compile(r"\d{1,2}(?:\+\d{1,2})*|all")
#: sections and keys that all arms share, or that name them
_SAME = ("kind", "data", "model.name", "seed", "machine", "checkpoint")
#: networks by name
NETWORKS: tuple[str, ...] = get_args(get_args(hints(ModelOptions)["name"])[0])


@dataclass(frozen=True, slots=True)
class LandmarkArm:
    """One way to train. model: a network, "-" and its blocks or kernels, such as inception-4.

    tried: changes of the configuration, such as "optimizer.learning_rate=0.01", that are searched.
    """

    model: str
    optimizer: str
    seed: int
    tried: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in tables and folders."""
        return ", ".join([self.model, self.optimizer, *self.tried, f"seed {self.seed}"])

    def changed(self, config: LandmarkConfig) -> LandmarkConfig:
        """Return the configuration of the arm; raises ConfigError for a model that is none.

        Raises ExtraMissing for ``cascade`` without dlib.
        """
        if self.model == CASCADE:
            needs()
            return self._searched(dataclasses.replace(config, seed=self.seed))
        name, _, rest = self.model.rpartition("-")
        if self.model in NETWORKS:
            name, rest = self.model, ""
        known = self.model in NETWORKS or (name in NETWORKS and _REST.fullmatch(rest))
        if not known or self.optimizer not in RATES:
            raise ConfigError(
                f"'{self.model}' with '{self.optimizer}' cannot be trained.",
                f"Models: {', '.join((*NETWORKS, CASCADE))}, such as inception-4; optimizers: "
                f"{', '.join(RATES)}.",
            )
        told: dict[str, Any] = {"name": name}
        if rest and name == "scratch":
            told["kernels"] = tuple(int(part) for part in rest.split("+"))
        elif rest:
            told["blocks"] = -1 if rest == "all" else int(rest.split("+")[0])
        model = dataclasses.replace(config.model, **told)
        stepped: dict[str, Any] = {"name": self.optimizer, "learning_rate": RATES[self.optimizer]}
        optimizer = dataclasses.replace(config.optimizer, **stepped)
        made = dataclasses.replace(config, model=model, optimizer=optimizer, seed=self.seed)
        return self._searched(made)

    def _searched(self, config: LandmarkConfig) -> LandmarkConfig:
        """Return a configuration with what is tried; raises ConfigError for other data."""
        for change in self.tried:
            key = change.partition("=")[0].strip()
            if {key, key.split(".")[0]} & {*_SAME}:
                raise ConfigError(
                    f"'{change}' would give arms other faces or another name.",
                    f"What is searched is not of {', '.join(_SAME)}.",
                )
        found: LandmarkConfig = changed(config, self.tried)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkResult:
    """What an arm came to. rows: an epoch each. test: figures of the test set.

    flipped: NME of the same faces mirrored, and upside down. spread: of the points that it places,
    over that of the true ones; near 0 they have collapsed. parameters: all, and those that learn.
    """

    arm: LandmarkArm
    rows: Sequence[Mapping[str, float]]
    best: Mapping[str, float]
    test: Mapping[str, float]
    flipped: Mapping[str, float]
    spread: float
    parameters: tuple[int, int]
    seconds: float

    @property
    def collapsed(self) -> bool:
        """Whether all its points lie in the middle."""
        return self.spread < COLLAPSED

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "model": self.arm.model,
            "optimizer": self.arm.optimizer,
            "seed": self.arm.seed,
            "tried": list(self.arm.tried),
            "best": dict(self.best),
            "test": dict(self.test),
            "nme_flipped": dict(self.flipped),
            "spread": self.spread,
            "collapsed": self.collapsed,
            "parameters": self.parameters[0],
            "learning": self.parameters[1],
            "epochs": len(self.rows),
            "seconds": self.seconds,
            "article": ARTICLE.get(self.arm.model),
        }


class LandmarkStudy:
    """Arms over one split. out: folder of the runs; one that has ended there is taken as it is."""

    def __init__(self, config: LandmarkConfig, out: Path) -> None:
        self.config, self.out = config, out
        self.task = LandmarkTask(config)
        self._crops: Crops = self.task.crops

    def run(self, arm: LandmarkArm, told: Told | None = None) -> LandmarkResult:
        """Train and test an arm, or take up its run; raises what training raises."""
        config, folder = arm.changed(self.config), self._folder(arm)
        if arm.model == CASCADE:
            task = cascade_task(config, self._crops)
            trees, row = trained(task, folder)
            if told:
                told.step(steps_of(config, task.steps_per_epoch())[0] * config.batch)
            return self._result(arm, task, trees, [row], task.test(trees), row)
        task = LandmarkTask(config, self._crops)
        if not folder.config.exists():
            folder.begin(config, task.data(), [])
        elif folder.read() != config:
            raise Refused(
                f"The run in {folder.path} was begun with another configuration.",
                "Name another folder for the study.",
            )
        result = folder.finished() or fit(task, config, folder, told)
        network = best_network(task, folder)
        return self._result(arm, task, network, self._rows(folder), result["test"], result["best"])

    def network(self, arm: LandmarkArm) -> tuple[LandmarkTask, nn.Module]:
        """Return the task and the best network of an arm that was run."""
        config, folder = arm.changed(self.config), self._folder(arm)
        if arm.model == CASCADE:
            task = cascade_task(config, self._crops)
            return task, trained(task, folder)[0]
        task = LandmarkTask(config, self._crops)
        return task, best_network(task, folder)

    def _folder(self, arm: LandmarkArm) -> RunFolder:
        told = re.sub(r"[^\w.=+-]+", "_", arm.name.replace(", ", "-").replace(" ", ""))
        return RunFolder(self.out / told)

    def _result(
        self,
        arm: LandmarkArm,
        task: LandmarkTask,
        network: nn.Module,
        rows: Sequence[Mapping[str, float]],
        test: Mapping[str, float],
        best: Mapping[str, float],
    ) -> LandmarkResult:
        tested = task.rows["test"]
        return LandmarkResult(
            arm,
            rows,
            best,
            test,
            {
                "mirrored": task.looked(network, tested, flip="horizontal")["nme"],
                "upside down": task.looked(network, tested, flip="vertical")["nme"],
            },
            self._spread(task, network, tested),
            _parameters(network),
            sum(row["seconds"] for row in rows),
        )

    @staticmethod
    def _rows(folder: RunFolder) -> list[Mapping[str, float]]:
        """Return the epochs of a run."""
        with (folder.path / "metrics.csv").open(encoding="utf-8", newline="") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]

    @staticmethod
    def _spread(task: LandmarkTask, network: nn.Module, rows: IntArray) -> float:
        """Return how far placed points are apart, over how far the true ones are."""
        placed, _ = task.placed(network, rows)
        true = task.sets.table.points[rows]
        return float(np.std(placed, axis=1).mean() / np.std(true, axis=1).mean())


def _parameters(network: nn.Module) -> tuple[int, int]:
    """Return how many numbers a model has, and how many of them learn: of trees all."""
    if isinstance(network, TrainedCascade):
        return network.numbers, network.numbers
    weights = list(network.parameters())
    return (
        sum(weight.numel() for weight in weights),
        sum(weight.numel() for weight in weights if weight.requires_grad),
    )


def arms_of(
    models: Sequence[str],
    optimizers: Sequence[str],
    seeds: int,
    tried: Sequence[tuple[str, ...]] = ((),),
) -> Iterator[LandmarkArm]:
    """Yield every model with every optimizer, seed and what is ``tried``.

    The cascade has no optimizer to choose.
    """
    for model in models:
        for optimizer in (BOOSTING,) if model == CASCADE else optimizers:
            for changes in tried:
                for seed in range(1, seeds + 1):
                    yield LandmarkArm(model, optimizer, seed, changes)


def tries(searched: Sequence[str], draws: int = 0, seed: int = 1) -> list[tuple[str, ...]]:
    """Return the changes of each arm of a search: all values of every key with all of the others.

    searched: such as "optimizer.learning_rate=0.001|0.01", values parted by "|". draws: so many of
    the combinations, by chance; 0 for all. Raises ConfigError for a key without two values.
    """
    each: list[list[str]] = []
    for entry in searched:
        name, _, values = entry.partition("=")
        told = list(dict.fromkeys(part.strip() for part in values.split("|") if part.strip()))
        if not name.strip() or len(told) < 2:
            raise ConfigError(
                f"'{entry}' names no values to choose from.",
                "Such as optimizer.learning_rate=0.001|0.003|0.01.",
            )
        each.append([f"{name.strip()}={value}" for value in told])
    every = list(product(*each))
    if not 0 < draws < len(every):
        return every
    chosen = np.random.default_rng(seed).choice(len(every), draws, replace=False)
    return [every[n] for n in sorted(chosen.tolist())]
