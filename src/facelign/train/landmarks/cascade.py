"""A classic baseline: cascades of regression trees, trained by dlib on the crops of a study.

Kazemi and Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR
2014. It learns from the same faces in the same crops as the networks beside it, and from their
mirror images; it is not augmented otherwise, since its trees draw their own first shapes. dlib
knows no hidden points, so it is told the place of the mean face, laid on those that are seen.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facelign.errors import InputError, Refused
from facelign.geometry.transforms import apply, similarity
from facelign.landmark.regressor import Cascades
from facelign.models.convert.dlib import convert_shape
from facelign.runtime import dlib
from facelign.train.landmarks.config import LandmarkConfig
from facelign.train.landmarks.crops import Crops
from facelign.train.landmarks.networks.network import LandmarkNetwork
from facelign.train.landmarks.task import LandmarkTask
from facelign.train.run_folder import RunFolder

#: what it is called among the models of a study, and what stands for its optimizer
CASCADE, BOOSTING = "cascade", "boosting"
#: side of its crops, px: dlib learns and places whole pixels, which are finer in a large crop
_SIDE = 256


class TrainedCascade(LandmarkNetwork):
    """Trees that stand where a network does: the same pictures, the same read-out.

    path: tables of ``models.convert``. mean, spread: what the pictures were normalized with.
    """

    def __init__(self, path: Path, task: LandmarkTask) -> None:
        super().__init__()
        self.side = task.side
        self._cascades, self._rectangle = Cascades(path), rectangle(task)
        # tells where it works, as the weights of a network do
        self.nothing = torch.nn.Parameter(torch.zeros(0), requires_grad=False)
        with np.load(path, allow_pickle=False) as tables:
            self.numbers = sum(int(tables[name].size) for name in tables.files)
        self._task = task

    def forward(self, pictures: Tensor) -> Tensor:
        """Return shares (n, 2 k) of the crop."""
        pixels = self._task.pixels(pictures)
        box = np.array([self._rectangle], np.int64)
        placed = np.concatenate([self._cascades.locate(one, box) for one in pixels])
        shares = ((placed + 0.5) / self.side).astype(np.float32)
        return torch.from_numpy(shares.reshape(len(shares), -1))


def cascade_task(config: LandmarkConfig, crops: Crops | None = None) -> LandmarkTask:
    """Return the task whose crops the trees read."""
    side = config.model.side or _SIDE
    model = dataclasses.replace(config.model, name="light", side=max(side, _SIDE), initial="")
    return LandmarkTask(dataclasses.replace(config, model=model), crops)


def trained(task: LandmarkTask, folder: RunFolder) -> tuple[TrainedCascade, Mapping[str, float]]:
    """Return the trees of a folder, trained where they are not yet, and what came of them.

    ``folder.path`` gets ``cascade.dat`` (dlib's own file), its tables ``cascade.npz``, and
    ``cascade.json``. Raises ExtraMissing without dlib, Refused for another configuration.
    """
    table, record = folder.path / "cascade.npz", folder.path / "cascade.json"
    asked = json.loads(json.dumps(_asked(task)))
    if record.is_file():
        try:
            held = json.loads(record.read_text(encoding="utf-8"))
            asked_then, seconds = held["asked"], float(held["seconds"])
        except (OSError, ValueError, KeyError) as problem:
            raise InputError(
                f"{record} cannot be read: {problem}.", "Name another folder for the study."
            ) from problem
        if asked_then != asked:
            raise Refused(
                f"The trees in {folder.path} were trained with another configuration.",
                "Name another folder for the study.",
            )
    else:
        begun = time.perf_counter()
        _train(task, folder.path / "cascade.dat", table)
        seconds = time.perf_counter() - begun
        folder.write(record.name, {"asked": asked, "seconds": seconds})
    network = TrainedCascade(table, task)
    row = {"epoch": 1.0, "loss": task.looked(network, task.rows["train"])["loss"]}
    return network, {**row, **task.validate(network), "seconds": seconds}


def rectangle(task: LandmarkTask) -> tuple[int, int, int, int]:
    """Return the detector's box in every crop: left, top, right, bottom, px, inclusive."""
    margin = max(task.config.model.margin, 0.0)
    low = round(task.side * margin / (1 + 2 * margin))
    return low, low, task.side - 1 - low, task.side - 1 - low


def _asked(task: LandmarkTask) -> dict[str, Any]:
    config = task.config
    return {
        "data": task.data(),
        "cascade": dataclasses.asdict(config.cascade),
        "mirrored": config.augment.flip > 0,
        "margin": config.model.margin,
        "side": task.side,
        "seed": config.seed,
    }


def _train(task: LandmarkTask, dat: Path, out: Path) -> None:
    """Train on crops as they are and, where faces are mirrored in training, on mirrored ones."""
    asked, mirror = task.config.cascade, list(task.scheme.mirror)
    mean = task.mean_face()
    pictures, points = [], []
    for row in task.rows["train"]:
        picture, marks, seen = task.square(int(row))
        if 2 <= seen.sum() < len(seen):
            marks[~seen] = apply(similarity(mean[seen], marks[seen]), mean[~seen])
        pictures.append(picture)
        points.append(marks)
        if task.config.augment.flip > 0:
            order = mirror if task.config.augment.swap else slice(None)
            pictures.append(np.ascontiguousarray(picture[:, ::-1]))
            points.append(np.c_[task.side - 1 - marks[:, 0], marks[:, 1]][order])
    whole = np.rint(np.stack(points)).astype(np.int64)
    dlib.train_shape_predictor(
        pictures,
        rectangle(task),
        whole,
        dat,
        cascade_depth=asked.levels,
        num_trees_per_cascade_level=asked.trees,
        tree_depth=asked.depth,
        oversampling_amount=asked.starts,
        nu=asked.rate,
        random_seed=str(task.config.seed),
        num_threads=task.config.machine.threads,
    )
    convert_shape(dat, out)
