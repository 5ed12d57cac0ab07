"""A small network learns what larger ones say of faces: photos are enough, nobody is named.

Two losses. Each face's vector is brought to where its teacher has it (by cosine), and the distances
between the faces of a batch to those that the teacher sees: Park et al., "Relational Knowledge
Distillation", CVPR 2019, with cosines in the place of Euclidean distances, since faces are compared
by these. Validation is by the first one on photos held out; pairs, where there is a list, at the
end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from facelign.errors import ConfigError
from facelign.files.home import expanded
from facelign.train.loader import ahead
from facelign.train.recognizer import samplers
from facelign.train.recognizer.augment import augmented
from facelign.train.recognizer.config import RecognizerConfig
from facelign.train.recognizer.lessons import lessons
from facelign.train.recognizer.shards import Aligner, ChipShards, FreshChips, PhotoPaths
from facelign.train.recognizer.task import (
    DRAWS,
    OwnData,
    RecognizerNetwork,
    embedder_of,
    embedder_record,
    figures_of,
    spec_of,
    tested,
)
from facelign.train.recognizer.validation import PairSet, listed_trials
from facelign.train.task import Batch, DataFinding, Exported, TrainingTask
from facelign.types.arrays import ByteArray, IntArray

#: fewer faces than this teach one thing by heart
FEW_FACES = 1000


class Imitation(nn.Module):
    """The losses of a student. targets: (n, dim), of length 1."""

    def __init__(self, cosine: float, relation: float) -> None:
        super().__init__()
        self.cosine, self.relation = cosine, relation

    def forward(self, vectors: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss, the mean distance to the teacher and that of the relations."""
        found = F.normalize(vectors)
        apart = (1 - (found * targets).sum(1)).mean()
        count = len(found)
        squares = (found @ found.T - targets @ targets.T).square().sum()
        relation = squares / max(count * (count - 1), 1)
        loss = self.cosine * apart + self.relation * relation
        return {"loss": loss, "to_teacher": apart, "relation": relation}


class DistillTask(TrainingTask):
    """One student with its teachers, photos and configuration."""

    kind = "recognizer"

    def __init__(self, config: RecognizerConfig) -> None:
        self.config = config
        data, names = config.data, config.teacher.names
        self.spec = spec_of(config.model)
        size = self.spec.input.size or (112, 112)
        self.aligner = Aligner(data, data.layout or self.spec.layout, size)
        self.folder = Path(expanded(data.source))
        self.lessons = lessons(
            self.folder, names, self.aligner.layout, size, detector=data.detector, limit=data.limit
        )
        self.dim = self.lessons.targets.shape[1]
        if self._width not in (0, self.dim):
            raise ConfigError(
                f"The teachers give {self.dim} numbers, the network {self._width}.",
                f"Set model.dim = {self.dim}.",
            )
        self.train, self.validation = self._split()
        self.test_set = self._listed()

    @property
    def _width(self) -> int:
        """Numbers that the network must give: 0 where it gives as many as it is asked for."""
        return self.config.model.dim or (0 if self.spec.free_dim else self.spec.dim)

    def network(self) -> nn.Module:
        """Return student and losses; the caller has set the seed."""
        teacher = self.config.teacher
        backbone = self.spec.build(self.dim)
        criterion = Imitation(teacher.cosine, teacher.relation)
        return RecognizerNetwork(backbone, criterion, self.spec.input)

    def steps_per_epoch(self) -> int:
        """Return how many batches an epoch has."""
        return len(self._plan(0))

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield pixels (n, h, w, 3) uint8 and the teachers' vectors (n, dim)."""
        plan = self._plan(epoch)

        def batch(step: int) -> Batch:
            chips = [self._sample(epoch, place) for place in plan[step].tolist()]
            return {
                "pixels": torch.from_numpy(np.stack(chips)),
                "targets": torch.from_numpy(self.lessons.targets[plan[step]]),
            }

        return ahead(batch, range(first, len(plan)), self.config.machine.loaders)

    def _sample(self, epoch: int, place: int) -> ByteArray:
        random = np.random.default_rng((self.config.seed, epoch, place))
        return augmented(np.asarray(self.lessons.chips[place]), self.config.augment, random)

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        found: dict[str, Tensor] = network(batch["pixels"], batch["targets"])
        return found

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return how far the student is from its teachers on photos held out.

        "val_loss" is 1 - the mean cosine.
        """
        row = {"val_loss": self._apart(network)}
        if self.config.test.each and self.test_set is not None:
            row |= figures_of(self.test_set.measured(embedder_of(network)), "test_")
        return row

    def test(self, network: nn.Module) -> dict[str, float]:
        """Return the figures of the list of pairs, where there is one, and the distance."""
        row = {"to_teacher": self._apart(network)}
        if self.test_set is not None:
            row |= tested(self.test_set.measured(embedder_of(network), draws=DRAWS))
        return row

    def findings(self) -> list[DataFinding]:
        """Return what is wrong with the data, in plain words."""
        told = self.lessons
        title, several = " and ".join(self.config.teacher.names), len(self.config.teacher.names) > 1
        found = [
            DataFinding(
                f"{len(self.train)} faces of {len(told.names) - told.without} photos teach what "
                f"{title} {'say' if several else 'says'} of them, {len(self.validation)} are held "
                "out; nobody is named.",
                "note",
            )
        ]
        init = self.config.model.init
        if init in self.config.teacher.names:
            found.append(
                DataFinding(
                    f"The student goes on from {init}, which is its teacher too: there is little "
                    "to learn. Name another network (model.name), or another teacher."
                )
            )
        elif init:
            found.append(
                DataFinding(
                    f"The student goes on from {init} (model.init) and learns the vectors of its "
                    f"{'teachers' if several else 'teacher'} in the place of its own.",
                    "note",
                )
            )
        if told.without:
            found.append(
                DataFinding(f"{told.without} of {len(told.names)} photos show no face.", "note")
            )
        if len(self.train) < FEW_FACES:
            found.append(
                DataFinding(
                    f"{len(self.train)} faces are too few: the student learns them by heart. "
                    f"Add photos; {FEW_FACES} faces are a begin."
                )
            )
        if self.test_set is not None:
            found.append(
                DataFinding(
                    "Photos have no names, so that nobody of the list of the test could be left "
                    "out: leave the photos of these people out of the folder.",
                    "note",
                )
            )
        return found

    def data(self) -> dict[str, Any]:
        """Return what the data are."""
        told = self.lessons
        return {
            "source": str(self.folder),
            "photos": len(told.names),
            "faces": len(told),
            "digest": told.digest,
            "without a face": told.without,
            "teachers": list(self.config.teacher.names),
            "space of the teachers": told.space,
            "faces that train": len(self.train),
            "aligned": self.aligner.id,
            "test": None if self.test_set is None else self.test_set.trials.to_dict(),
        }

    def exported(self, network: nn.Module) -> Exported:
        """Return the student, and what its record says."""
        names = self.config.teacher.names
        how = f"taught by {' and '.join(names)} on {len(self.train)} faces"
        own = OwnData(self.folder.name, self.config.data.license)
        parents = (*names, *filter(None, [self.config.model.init]))
        return embedder_record(network, self.spec, self.aligner, self.dim, how, own, parents)

    def _plan(self, epoch: int) -> list[IntArray]:
        plan = samplers.shuffled(len(self.train), self.config.batch, self.config.seed, epoch)
        return [self.train[places] for places in plan]

    def _split(self) -> tuple[IntArray, IntArray]:
        """Return places that train and that validate; the faces of a photo stay together."""
        random = np.random.default_rng((self.config.seed, 0xD1))
        photos = np.unique(self.lessons.photos)
        held = random.permutation(photos)[
            : max(1, round(self.config.data.validation * len(photos)))
        ]
        out = np.isin(self.lessons.photos, held)
        train, validation = np.flatnonzero(~out), np.flatnonzero(out)
        if not len(train):
            raise ConfigError("No face is left to train on.", "Add photos.")
        return train, validation

    def _listed(self) -> PairSet | None:
        test = self.config.test
        if not test.pairs:
            return None
        listed = listed_trials(test.pairs, test.images)
        kind = ChipShards if self.config.data.cache else FreshChips
        chips = kind(PhotoPaths([photo.path for photo in listed.photos]), self.aligner)
        return PairSet(listed, chips, range(len(listed.photos)))

    def _apart(self, network: nn.Module) -> float:
        """Return 1 - the mean cosine of student and teachers on the faces held out."""
        embed = embedder_of(network)
        cosines = []
        for at in range(0, len(self.validation), 64):
            places = self.validation[at : at + 64]
            found = embed(np.asarray(self.lessons.chips[places]))
            lengths = np.linalg.norm(found, axis=1, keepdims=True)
            unit = found / np.maximum(lengths, 1e-12)
            cosines.append((unit * self.lessons.targets[places]).sum(1))
        return 1 - float(np.concatenate(cosines).mean())


TASK = DistillTask
