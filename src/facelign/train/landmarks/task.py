"""Landmark models as a task of the loop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from facelign.datasets.point_table import PointTable
from facelign.datasets.points import read_annotated
from facelign.errors import ConfigError
from facelign.files import disk
from facelign.imaging.read import read
from facelign.lab.landmarks import figures
from facelign.lab.landmarks.run import reduced
from facelign.landmark.square import squared
from facelign.train.landmarks.config import LandmarkConfig
from facelign.train.loader import ahead
from facelign.train.task import Batch, DataFinding, Exported, TrainingTask
from facelign.types.arrays import AnyArray, BoolArray, ByteArray, Float32Array, Float64Array
from facelign.types.faces import Faces
from facelign.types.schemes import SCHEMES

#: what a detector shows above the brows, and what the square shows around its box
_ABOVE, _MARGIN = 0.2, 0.1
_EYES = figures.Normalizer.INTER_OCULAR


class LandmarkTask(TrainingTask):
    """Points of one scheme in squares around faces."""

    kind = "landmarks"
    same_loss = True

    def __init__(self, config: LandmarkConfig) -> None:
        self.config = config
        asked = config.data
        if not asked.source:
            raise ConfigError("data.source names no photos.", "Name a table, or a folder.")
        table = read_annotated(asked.source, asked.images or None, asked.scheme)
        self.table = table.every(asked.limit)
        if table.scheme not in SCHEMES:
            raise ConfigError(f"Points '{table.scheme}' are not trained.", "Known: ibug-68.")
        self.scheme = SCHEMES[table.scheme]
        self._rows = _split(self.table, asked.validation, asked.test)
        if min(map(len, self._rows.values())) == 0 or self.steps_per_epoch() == 0:
            sizes = ", ".join(f"{len(rows)} {name}" for name, rows in self._rows.items())
            raise ConfigError(
                f"{len(self.table)} faces are too few: {sizes}.",
                "Take more photos, or a smaller batch.",
            )
        self._crops = [self._crop(row) for row in range(len(self.table))]

    def network(self) -> nn.Module:
        """Return the network, its weights from the seed."""
        torch.manual_seed(self.config.seed)
        module = import_module(f"facelign.train.landmarks.networks.{self.config.model.name}")
        made: nn.Module = module.network(self.config.model.side, self.scheme.k)
        return made

    def steps_per_epoch(self) -> int:
        """Return how many whole batches the training photos give."""
        return len(self._rows["train"]) // self.config.batch

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; half of the faces are mirrored."""
        rows, size = self._rows["train"], self.config.batch
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(rows))

        def batch(step: int) -> Batch:
            chosen = [int(rows[i]) for i in order[step * size : (step + 1) * size]]
            return self._batch([self._sample(row, epoch) for row in chosen], chosen)

        return ahead(batch, range(first, self.steps_per_epoch()), self.config.machine.loaders)

    def named(self, batch: Batch) -> list[str]:
        """Return the photos of a batch."""
        return [str(self.table.files[int(row)]) for row in batch["row"]]

    def errors(self, model: Any) -> Float64Array:
        """Return the NME of a landmarker on each test face, in its own crop of the photo."""
        found = []
        for row in self._rows["test"]:
            image, truth = read(self.table.files[row]), self.table.points[row][None]
            visible = self.table.visible[row][None]
            box = _box(truth[0], visible[0])[None].astype(np.float32)
            face = Faces(box, np.ones(1, np.float32), None, "annotation", image.size)
            marks = model.locate(image, face).landmarks
            scale = figures.scales(truth, _EYES, self.scheme.id, visible)
            placed = reduced(marks.points.astype(np.float64), marks.scheme.id, self.scheme.id)
            found.append(figures.nme(placed, truth, scale, visible)[0][0])
        return np.array(found)

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the mean distance along x and y of the points that can be seen."""
        seen = batch["visible"][:, :, None].expand(-1, -1, 2)
        apart = (network(batch["pictures"]) - batch["points"]).abs() * seen
        return {"loss": apart.sum() / seen.sum().clamp(min=1), "share": seen.float().mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return loss and NME on the validation faces."""
        found = self._looked(network, self._rows["validation"])
        return {f"val_{name}": value for name, value in found.items()}

    def test(self, network: nn.Module) -> dict[str, float]:
        """Return loss and NME (of the distance of the outer eye corners) on the test faces."""
        return self._looked(network, self._rows["test"])

    def findings(self) -> list[DataFinding]:
        """Return what is wrong with the data."""
        return []

    def data(self) -> dict[str, Any]:
        """Return files, digests and sizes."""
        source = Path(self.config.data.source)
        whole = hashlib.sha256()
        for path in self.table.files:
            whole.update(disk.digest(path).encode())
        return {
            "name": self.table.name,
            "sha256": disk.digest(source) if source.is_file() else "",
            "photos_sha256": whole.hexdigest(),
            "license": self.config.data.license or "not stated",
            "scheme": self.scheme.id,
            **{name: len(rows) for name, rows in self._rows.items()},
        }

    def exported(self, network: nn.Module) -> Exported:
        """Return the network with the record of a landmarker that reads squares."""
        side = self.config.model.side
        return Exported(
            network,
            torch.zeros(1, 3, side, side),
            {
                "task": "landmark",
                "like": "square",
                "title": f"{self.config.model.name}, {self.scheme.k} points, trained here",
            },
            {
                "input": {"size": [side, side], "mean": [0.0] * 3, "std": [255.0] * 3},
                "output": {"scheme": self.scheme.id},
                "license": {
                    "weights": self.config.data.license or "not stated",
                    "training_data": self.table.name,
                },
                "defaults": {"margin": _MARGIN},
            },
        )

    def _crop(self, row: int) -> tuple[ByteArray, Float32Array]:
        """Return the square of a face, and its points as shares of the side."""
        pixels, points = read(self.table.files[row]).full().pixels, self.table.points[row]
        box = _box(points, self.table.visible[row])
        side = self.config.model.side
        picture, onto = squared(pixels, box, _MARGIN, side)
        return picture, (onto.forward(points) + np.float32(0.5)) / np.float32(side)

    def _sample(self, row: int, epoch: int) -> tuple[ByteArray, Float32Array, BoolArray]:
        picture, points = self._crops[row]
        visible = self.table.visible[row]
        if np.random.default_rng([self.config.seed, epoch, row]).random() < 0.5:
            mirror = list(self.scheme.mirror)
            turned = points[mirror]
            turned[:, 0] = 1 - turned[:, 0]
            return np.ascontiguousarray(picture[:, ::-1]), turned, visible[mirror]
        return picture, points, visible

    def _batch(
        self, samples: list[tuple[ByteArray, Float32Array, BoolArray]], rows: list[int]
    ) -> Batch:
        pictures, points, visible = zip(*samples, strict=True)
        return {
            "pictures": torch.from_numpy(_blob(np.stack(pictures))),
            "points": torch.from_numpy(np.stack(points).astype(np.float32)),
            "visible": torch.from_numpy(np.stack(visible)),
            "row": torch.tensor(rows),
        }

    def _looked(self, network: nn.Module, rows: AnyArray) -> dict[str, float]:
        """Return loss and NME of faces as they are."""
        device = next(network.parameters()).device
        found = []
        for begin in range(0, len(rows), self.config.batch):
            chosen = rows[begin : begin + self.config.batch]
            blob = torch.from_numpy(_blob(np.stack([self._crops[row][0] for row in chosen])))
            found.append(network(blob.to(device)).float().cpu().numpy())
        placed = np.concatenate(found).astype(np.float64)
        truth = np.stack([self._crops[row][1] for row in rows]).astype(np.float64)
        visible = self.table.visible[rows]
        loss = np.abs(placed - truth)[visible].mean()
        scale = figures.scales(truth, _EYES, self.scheme.id, visible)
        errors, _ = figures.nme(placed, truth, scale, visible)
        return {"loss": float(loss), "nme": float(np.mean(errors))}


TASK = LandmarkTask


def _blob(pictures: ByteArray) -> Float32Array:
    scaled: Float32Array = pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(scaled)


def _box(points: Float64Array, visible: BoolArray) -> Float64Array:
    """Return about the box (4,) that a detector gives a face."""
    low, high = points[visible].min(axis=0), points[visible].max(axis=0)
    low[1] -= _ABOVE * (high[1] - low[1])
    return np.concatenate([low, high])


def _split(table: PointTable, validation: float, test: float) -> dict[str, AnyArray]:
    """Return the rows of each part; a photo's name alone says where it belongs."""
    names = [path.name.encode() for path in table.files]
    places = np.array([int(disk.digest(name)[:8], 16) / 16**8 for name in names])
    bounds = {"test": (0.0, test), "validation": (test, test + validation)}
    parts = {n: np.flatnonzero((places >= a) & (places < b)) for n, (a, b) in bounds.items()}
    return {"train": np.flatnonzero(places >= test + validation), **parts}
