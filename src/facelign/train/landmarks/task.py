"""Landmark models as a task of the loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from facelign.datasets.points import read_annotated
from facelign.errors import ConfigError
from facelign.files import disk
from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.read import read
from facelign.lab.landmarks import figures
from facelign.lab.landmarks.run import comparable, reduced
from facelign.train.card import CardTest
from facelign.train.landmarks import augment, crops, losses
from facelign.train.landmarks.backgrounds import Backgrounds, placed_before
from facelign.train.landmarks.config import LABEL, LandmarkConfig
from facelign.train.landmarks.networks.named import check, network_of, side_of
from facelign.train.landmarks.networks.network import LandmarkNetwork
from facelign.train.landmarks.regions import Regions
from facelign.train.landmarks.report import findings
from facelign.train.landmarks.sets import PARTS, Sets, read_sets
from facelign.train.loader import ahead
from facelign.train.task import Batch, DataFinding, Exported, TrainingTask
from facelign.types.arrays import BoolArray, ByteArray, Float32Array, Float64Array, IntArray
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import FIVE, IBUG_68, REDUCTIONS, SCHEMES

#: what a network reads: (x - MEAN) / SPREAD; of ImageNet's files their own
_MEAN, _SPREAD = (127.5, 127.5, 127.5), (64.0, 64.0, 64.0)
_IMAGENET = ((0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))

#: share of the validation faces that may be called unlike the others; a set of which surely more
#: than twice as many are is told
_FEW = 0.05

#: what the test calls its faces before other backgrounds, and the numbers that choose these
OTHER, _SCENE = "other backgrounds", 0x5CE0

#: how a crop is flipped before it is looked at
Flip = Literal["", "horizontal", "vertical"]
Sample = tuple[ByteArray, Float32Array, BoolArray]


class LandmarkTask(TrainingTask):
    """Points of one scheme in squares around faces."""

    kind = "landmarks"
    same_loss = True

    def __init__(self, config: LandmarkConfig, found: crops.Crops | None = None) -> None:
        """Read and part the faces. found: their boxes, where another task has found them."""
        self.config = config
        check(config.model)
        self.side = side_of(config.model)
        asked = config.augment.backgrounds
        self.backgrounds = Backgrounds(asked, self.side) if asked else None
        self.sets: Sets = read_sets(config.data)
        self.scheme = SCHEMES[self.sets.table.scheme]
        self.crops = found or self._found()
        gone = self.crops.gone
        self.rows = {name: rows[~gone[rows]] for name, rows in self.sets.rows.items()}
        self.beside = {name: rows[~gone[rows]] for name, rows in self.sets.beside.items()}
        if min(map(len, self.rows.values())) == 0 or self.steps_per_epoch() == 0:
            sizes = ", ".join(f"{len(self.rows[name])} {name}" for name in PARTS)
            hint = "Take more photos, or a smaller batch."
            if self.crops.reasons:
                sizes += f"; {self.crops.unread.rstrip('.')}"
                hint = "Name the folder of the photos with data.images, or take more of them."
            if self.crops.astray.any():
                sizes += f"; {self.crops.outside}"
            raise ConfigError(f"{len(self.sets.table)} faces are too few: {sizes}.", hint)
        self._loss = losses.named(config.loss.name, self.scheme.eye_corners)
        imagenet = config.model.name in ("resnet50", "inception", "inception-bottleneck")
        self._mean, self._spread = _IMAGENET if imagenet else (_MEAN, _SPREAD)
        self._regions = Regions(self.sets.table, self.crops.boxes, self.side, config.model.margin)

    def network(self) -> nn.Module:
        """Return the network, its weights from the seed."""
        torch.manual_seed(self.config.seed)
        return network_of(self.config.model, torch.from_numpy(self.mean_face()))

    def mean_face(self) -> Float64Array:
        """Return the mean (k, 2) of the training points in their crops, where they are known."""
        table, rows = self.sets.table, self.rows["train"]
        boxes = self.crops.boxes[rows]
        size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        shares = (table.points[rows] - middle[:, None]) / size[:, None, None]
        seen = table.visible[rows][..., None]
        mean: Float64Array = (shares * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        return mean

    def steps_per_epoch(self) -> int:
        """Return how many whole batches the training photos give."""
        return len(self.rows["train"]) // self.config.batch

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, prepared while the network works."""
        rows, size = self.rows["train"], self.config.batch
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(rows))

        def batch(step: int) -> Batch:
            chosen = [int(rows[i]) for i in order[step * size : (step + 1) * size]]
            return self._batch([self._sample(row, epoch) for row in chosen], chosen)

        return ahead(batch, range(first, self.steps_per_epoch()), self.config.machine.loaders)

    def named(self, batch: Batch) -> list[str]:
        """Return the photos of a batch."""
        return [str(self.sets.table.files[int(row)]) for row in batch["row"]]

    def errors(self, model: Any) -> Float64Array:
        """Return the error of a landmarker on each test face that can be told, in this run's boxes.

        In the scheme of the set, or in five points where the model has another.
        """
        table, found = self.sets.table, []
        divisor, rows = self._told(self.rows["test"])
        scales = figures.scales(table.points[rows], divisor, self.scheme.id, table.visible[rows])
        for row, scale in zip(rows, scales, strict=True):
            image = read(table.files[row])
            box = self.crops.boxes[row][None].astype(np.float32)
            face = Faces(box, np.ones(1, np.float32), None, "crops", image.size)
            marks = model.locate(image, face).landmarks
            scheme = comparable(marks.scheme.id, self.scheme.id)
            placed = reduced(marks.points.astype(np.float64), marks.scheme.id, scheme)
            truth = reduced(table.points[row][None], self.scheme.id, scheme)
            seen = reduced(table.visible[row][None], self.scheme.id, scheme) == 1
            found.append(figures.nme(placed, truth, [scale], seen)[0][0] if seen.any() else 0.0)
        return np.array(found)

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the loss on the points that are known, and that of the read-out where it has one.

        "share": the part of the points that is known.
        """
        raw = network(batch["pictures"]).float()
        bare = _bare(network)
        points, seen = batch["points"], batch["visible"]
        said = self._loss(bare.points(raw), points, seen)
        own = bare.own_loss(raw, points, seen)
        told = {"points": said}
        if own is not None:
            told["maps"] = own
            said = said * bare.weight_of_points() + own
        return {"loss": said, **told, "share": seen.float().mean()}

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return loss and NME on the validation faces."""
        found = self.looked(network, self.rows["validation"])
        return {"val_loss": found["loss"], "val_nme": found["nme"]}

    def test(self, network: nn.Module) -> dict[str, float]:
        """Return figures on the test faces and on the sets beside.

        NME, of the distance of the outer eye corners, its interval over faces, AUC and failures at
        0.08, by turn of the head; a face that the detector missed is cut by its label, and counted.
        """
        found = self.looked(network, self.rows["test"], more=True)
        cameras = self.sets.table.cameras
        shown = {cameras[row] for row in self.rows["test"]} - {""} if cameras else ()
        for camera in sorted(shown) if len(shown) > 1 else ():
            rows = np.array([row for row in self.rows["test"] if cameras[row] == camera])
            found[f"nme_camera {camera}"] = self.looked(network, rows)["nme"]
        for name, rows in self.beside.items():
            if len(rows):
                found[f"nme_{name}"] = self.looked(network, rows)["nme"]
        if self.backgrounds is not None:
            moved = self.looked(network, self.rows["test"], other_background=True)
            found[f"nme_{OTHER}"] = moved["nme"]
        return found | self._unlike(network)

    def mirror_errors(
        self, network: nn.Module, rows: IntArray, *, other_background: bool = False
    ) -> Float64Array:
        """Return how far (n,) points of faces lie from those of their mirror images: a mean over
        the points, as a share of the box's longer side.

        It needs no annotation and grows where a face is unlike what was learned (Yang and Patras,
        "Mirror, mirror on the wall, tell me, is the error small?", CVPR 2015). It says nothing of a
        network that puts all points into the middle.
        """
        how = {"other_background": other_background}
        plain, _ = self.placed(network, rows, **how)
        mirrored, _ = self.placed(network, rows, "horizontal", **how)
        boxes = self.crops.boxes[rows]
        apart = np.linalg.norm(plain - mirrored, axis=2).mean(axis=1)
        size = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1e-6)
        return np.asarray(apart / size, np.float64)

    def _unlike(self, network: nn.Module) -> dict[str, float]:
        """Return the mirror error that few validation faces have, and the shares of others beyond.

        "unlike": of the test faces; "unlike_NAME": of a set beside; "_low": where a 95 % interval
        begins, by the normal distribution.
        """
        usual = self.mirror_errors(network, self.rows["validation"])
        limit = float(np.quantile(usual, 1 - _FEW))
        found = {"mirror_limit": limit}
        for name, rows in {"": self.rows["test"], **self.beside}.items():
            if len(rows):
                beyond = self.mirror_errors(network, rows) > limit
                found |= _share(f"unlike_{name}" if name else "unlike", beyond)
        if self.backgrounds is not None:
            errors = self.mirror_errors(network, self.rows["test"], other_background=True)
            found |= _share(f"unlike_{OTHER}", errors > limit)
        return found

    def doubts(self, test: Mapping[str, float]) -> list[CardTest]:
        """Return whether most test faces are placed well, and whether those of the test and of each
        set beside are like validation's.
        """
        told = []
        if "fr_0.08" in test:
            placed = 1 - test["fr_0.08"]
            told.append(
                CardTest(
                    "most faces of the test set are placed with an error of at most 8 % of the "
                    f"distance of the eyes ({placed:.0%})",
                    placed > 0.5,
                    "anything: its points lie wrong on most faces",
                )
            )
        for key, low in test.items():
            if key.startswith("unlike") and key.endswith("_low"):
                name = key.removesuffix("_low")
                who = name.removeprefix("unlike").removeprefix("_") or "the test set"
                told.append(
                    CardTest(
                        f"faces of {who} look like those of validation "
                        f"({100 * test[name]:.0f} % are beyond the mirror error of "
                        f"{100 * _FEW:.0f} % of those)",
                        low <= 2 * _FEW,
                        "faces unlike those that it was trained on",
                    )
                )
        return told

    def findings(self) -> list[DataFinding]:
        """Return what is wrong with the data."""
        told = findings(self.sets, self.rows, self.crops, self.config)
        if self.backgrounds is not None:
            told.append(DataFinding(self.backgrounds.words, "note"))
        return told

    def data(self) -> dict[str, Any]:
        """Return files, digests and sizes."""
        whole = hashlib.sha256()
        for path, row in zip(self.sets.table.files, ~self.crops.absent, strict=True):
            if row:
                whole.update(disk.digest(path).encode())
        return {**self.sizes(), "photos_sha256": whole.hexdigest()}

    def sizes(self) -> dict[str, Any]:
        """Return the sizes; of the photos no digest."""
        asked = self.config.data
        sources = [Path(s) for s in (asked.source, *asked.more, *asked.beside)]
        digests = ", ".join(disk.digest(path) if path.is_file() else "" for path in sources)
        return {
            "name": self.sets.table.name,
            "sha256": digests,
            "license": asked.license or "not stated",
            "scheme": self.scheme.id,
            "detector": asked.detector,
            "missed_by_detector": int(self.crops.missed.sum()),
            "absent": int(self.crops.absent.sum()),
            "labels_outside": int(self.crops.astray.sum()),
            "kept_together": self.sets.grouped,
            **{name: len(self.rows[name]) for name in PARTS},
            **({} if self.backgrounds is None else {"backgrounds": self.backgrounds.digest}),
        }

    def exported(self, network: nn.Module) -> Exported:
        """Return the network with the record of a landmarker that reads squares."""
        side, name = self.side, self.config.model.name
        return Exported(
            ReadOut(network),
            torch.zeros(1, 3, side, side),
            {
                "task": "landmark",
                "like": "square",
                "title": f"{name}, {self.scheme.k} points, trained here",
            },
            {
                "input": {"size": [side, side], "mean": [*self._mean], "std": [*self._spread]},
                "output": {"scheme": self.scheme.id},
                "license": {
                    "weights": self.config.data.license or "not stated",
                    "training_data": self.sets.table.name,
                },
                "defaults": {"margin": self.config.model.margin},
            },
        )

    def looked(
        self,
        network: nn.Module,
        rows: IntArray,
        *,
        more: bool = False,
        flip: Flip = "",
        other_background: bool = False,
    ) -> dict[str, float]:
        """Return loss and NME of faces as they are, flipped, or before another background.

        more: figures for a report.
        """
        placed, loss = self.placed(network, rows, flip, other_background=other_background)
        table = self.sets.table
        divisor, told = self._told(rows)
        truth, seen = table.points[told], table.visible[told]
        scale = figures.scales(truth, divisor, self.scheme.id, seen)
        errors, _ = figures.nme(placed[np.isin(rows, told)], truth, scale, seen)
        found = {"loss": loss, "nme": float(errors.mean())}
        if more:
            found |= _more(errors, truth, self.scheme.id)
            found["faces"] = float(len(rows))
            found["missed_by_detector"] = float((~self.crops.found[rows]).sum())
        return found

    def _told(self, rows: IntArray) -> tuple[figures.Normalizer, IntArray]:
        """Return what errors are divided by, and the rows that show the points that it needs."""
        divisor = figures.Normalizer.INTER_OCULAR
        if self.scheme.id not in figures.CORNERS:
            divisor = figures.Normalizer.BOX
        usable = figures.usable(self.sets.table.visible[rows], divisor, self.scheme.id)
        return divisor, rows[usable]

    @torch.inference_mode()
    def placed(
        self,
        network: nn.Module,
        rows: IntArray,
        flip: Flip = "",
        *,
        other_background: bool = False,
    ) -> tuple[Float64Array, float]:
        """Return points (n, k, 2) px of the photos, and the loss in the crops.

        The crops are cut as the model will cut them in use. flip: look at flipped crops; the points
        are those of the photo all the same. other_background: each face before one of the pictures
        of ``augment.backgrounds``, always the same.
        """
        device = next(network.parameters()).device
        bare, table, found, total = _bare(network), self.sets.table, [], 0.0
        order = list(self.scheme.mirror) if flip else slice(None)
        axis = 1 if flip == "vertical" else 0
        for begin in range(0, len(rows), 32):
            part = [int(row) for row in rows[begin : begin + 32]]
            cut = [self.looking(row) for row in part]
            samples = []
            for row, (picture, onto) in zip(part, cut, strict=True):
                if other_background:
                    picture = self._moved(row, picture, onto)
                truth = onto.forward(table.points[row]) + np.float32(0.5)
                shares = (truth / np.float32(self.side))[order]
                if flip:
                    shares[:, axis] = 1 - shares[:, axis]
                    picture = np.flip(picture, 1 - axis)
                samples.append((picture, shares, table.visible[row][order]))
            batch = {name: value.to(device) for name, value in self._batch(samples, part).items()}
            said = bare.points(network(batch["pictures"]).float())
            loss = self._loss(said, batch["points"], batch["visible"])
            total += float(loss) * len(part)
            points = said.cpu().numpy().astype(np.float64)
            if flip:
                points[..., axis] = 1 - points[..., axis]
                points = points[:, order]
            points = points * self.side - 0.5
            found += [onto.back(p) for p, (_, onto) in zip(points, cut, strict=True)]
        return np.stack(found).astype(np.float64), total / len(rows)

    def square(self, row: int) -> tuple[ByteArray, Float64Array, BoolArray]:
        """Return the crop of a face as the model has it in use, its points (k, 2) px, and mask."""
        picture, onto = self.looking(row)
        points = np.asarray(onto.forward(self.sets.table.points[row]), np.float64)
        return picture, points, self.sets.table.visible[row]

    def looking(self, row: int) -> tuple[ByteArray, PlaneMap]:
        """Return the crop of a face as the model has it in use, and the map onto it."""
        return self._regions.square(row)

    def pixels(self, pictures: Tensor) -> ByteArray:
        """Return the pixels (n, side, side, 3) of what a network reads."""
        mean, spread = (np.array(v).reshape(1, 3, 1, 1) for v in (self._mean, self._spread))
        values = np.rint(pictures.cpu().numpy() * spread + mean)
        return np.ascontiguousarray(values.transpose(0, 2, 3, 1)).astype(np.uint8)

    def _found(self) -> crops.Crops:
        """Return the boxes of all faces, by detector or label."""
        table = self.sets.table
        if self.config.data.detector == LABEL:
            return crops.by_label(table)
        return crops.detected(table, _finder(self.config.data.detector))

    def _sample(self, row: int, epoch: int) -> Sample:
        pixels, onto, points = self._regions.region(row)
        visible = self.sets.table.visible[row]
        rng = np.random.default_rng([self.config.seed, epoch, row])
        # of its own numbers, so that a view is turned and lit as it is without other backgrounds
        scene = np.random.default_rng([self.config.seed, epoch, row, _SCENE])
        other = scene.random() < self.config.augment.background
        picture, moved, seen = augment.view(
            pixels,
            points,
            visible if self.config.data.masked else np.ones_like(visible),
            onto,
            self.side,
            self.scheme.mirror,
            self.config.augment,
            rng,
            self._behind(scene) if other else None,
        )
        return picture, ((moved + 0.5) / self.side).astype(np.float32), seen

    def _behind(
        self, rng: np.random.Generator
    ) -> Callable[[ByteArray, Float64Array, BoolArray], ByteArray] | None:
        """Return what puts a crop before one of the backgrounds, None where there are none."""
        if self.backgrounds is None:
            return None
        background = self.backgrounds.one(rng)

        def put(picture: ByteArray, points: Float64Array, seen: BoolArray) -> ByteArray:
            return placed_before(background, picture, points, seen, self.scheme.id)

        return put

    def _moved(self, row: int, picture: ByteArray, onto: PlaneMap) -> ByteArray:
        """Return the crop of a test face before a background that is always the same."""
        behind = self._behind(np.random.default_rng([row, _SCENE]))
        points = np.asarray(onto.forward(self.sets.table.points[row]), np.float64)
        return picture if behind is None else behind(picture, points, self.sets.table.visible[row])

    def _batch(self, samples: Sequence[Sample], rows: Sequence[int]) -> dict[str, Tensor]:
        pictures, points, visible = zip(*samples, strict=True)
        blob = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32)
        mean, spread = (
            np.array(v, np.float32).reshape(1, 3, 1, 1) for v in (self._mean, self._spread)
        )
        return {
            "pictures": torch.from_numpy(np.ascontiguousarray((blob - mean) / spread)),
            "points": torch.from_numpy(np.stack(points).astype(np.float32)),
            "visible": torch.from_numpy(np.stack(visible)),
            "row": torch.tensor(rows),
        }


TASK = LandmarkTask


def bare(config: LandmarkConfig) -> tuple[nn.Module, tuple[int, int]]:
    """Return the network of a configuration and its (width, height); 68 points without a set."""
    data, side = config.data, side_of(config.model)
    scheme = data.scheme or IBUG_68.id
    if not data.scheme and data.source:
        scheme = read_annotated(data.source, data.images or None).scheme
    torch.manual_seed(config.seed)
    return network_of(config.model, torch.rand(SCHEMES[scheme].k, 2)), (side, side)


class ReadOut(nn.Module):
    """A network and what reads points out of it: what an export holds."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Return points (n, k, 2), shares of the crop."""
        return _bare(self.network).points(self.network(pictures))


def _bare(network: nn.Module) -> LandmarkNetwork:
    """Return the network of landmarks, out of what averages it or shares it among processes."""
    while not isinstance(network, LandmarkNetwork):
        network = network.module
    return network


def _finder(detector: str) -> Callable[[Image], Faces]:
    from facelign.recognition.finding import Finder

    finder = Finder.load(detector)
    return lambda image: finder.find(image).faces


def _share(key: str, beyond: BoolArray) -> dict[str, float]:
    """Return a share and where its 95 % interval begins, by the normal distribution."""
    share = float(beyond.mean())
    low = share - 1.96 * (share * (1 - share) / len(beyond)) ** 0.5
    return {key: share, f"{key}_low": low}


def _more(errors: Float64Array, truth: Float64Array, scheme: str) -> dict[str, float]:
    """Return interval, AUC, failures and means by turn of the head."""
    rng = np.random.default_rng(1)
    means = errors[rng.integers(0, len(errors), (1000, len(errors)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    found = {
        "nme_low": float(low),
        "nme_high": float(high),
        "auc_0.08": figures.auc(errors, 0.08),
        "fr_0.08": float((errors > 0.08).mean()),
    }
    groups = REDUCTIONS.get((scheme, FIVE.id))
    if groups is not None:
        five = np.stack([truth[:, list(group)].mean(axis=1) for group in groups], axis=1)
        by_yaw: Mapping[str, float] = figures.by_yaw(errors, figures.yaw_proxy(five))
        found |= {f"nme by yaw {name}": value for name, value in by_yaw.items()}
    return found
