"""The task of an embedder: people's photos, a network, a loss, verification after each epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from facelign.compare.pairs import PairScores
from facelign.errors import ConfigError
from facelign.files.home import expanded
from facelign.lab.material.trials import Trials
from facelign.lab.statistics.paired import System, differences
from facelign.lab.verification.figures import Verification
from facelign.models import catalog
from facelign.train import checkpoint
from facelign.train.loader import ahead
from facelign.train.recognizer import findings, losses, samplers
from facelign.train.recognizer.augment import augmented
from facelign.train.recognizer.config import EmbeddingModelOptions, RecognizerConfig
from facelign.train.recognizer.networks import NetworkSpec, network_spec
from facelign.train.recognizer.people import read_people, split
from facelign.train.recognizer.shards import (
    Aligner,
    ChipShards,
    FreshChips,
    PhotoPaths,
    PictureSource,
    giver_of,
    usable_layout,
)
from facelign.train.recognizer.validation import (
    Embed,
    PairSet,
    held_out_trials,
    listed_trials,
)
from facelign.train.task import Batch, DataFinding, Exported, TrainingTask
from facelign.types.arrays import ByteArray, Float32Array, Float64Array, IntArray
from facelign.types.chips import Chips
from facelign.types.schemes import IBUG_68
from facelign.types.specs import InputSpec, Task

#: draws of people for the intervals of the test, and fewer people than they tell something of:
#: a draw of two of them is one of both, or has no pair of one kind
DRAWS, FEWEST_DRAWN = 200, 5


class RecognizerNetwork(nn.Module):
    """A network with its loss: all that learns. Pixels come as (n, h, w, 3) uint8 RGB.

    Without people it gives vectors (n, dim); with the number of each photo's person the figures of
    the loss.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, criterion: nn.Module, pixels: InputSpec) -> None:
        super().__init__()
        self.backbone, self.criterion = backbone, criterion
        for name, values in (("mean", pixels.mean), ("std", pixels.std)):
            told = torch.tensor(values).reshape(1, 3, 1, 1)
            self.register_buffer(name, told, persistent=False)

    def forward(self, pixels: Tensor, people: Tensor | None = None) -> Any:
        """Return vectors, or the figures of the loss."""
        scaled = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        vectors = self.backbone(scaled)
        # in half precision the angles of a margin loss are lost
        return vectors if people is None else self.criterion(vectors.float(), people)


class RecognizerTask(TrainingTask):
    """One embedder with its data and its configuration."""

    kind = "recognizer"

    def __init__(self, config: RecognizerConfig) -> None:
        self.config = config
        self.spec = spec_of(config.model)
        size = self.spec.input.size or (112, 112)
        self.layout = config.data.layout or usable_layout(self.spec.layout)
        # read before anything is made of it: a damaged file ends no run that has begun
        weights = config.model.weights
        self._weights = _arrays(expanded(weights)) if weights else None
        test = _listed(config.test.pairs, config.test.images)
        validation = _listed(config.validation.pairs, config.validation.images)
        without = test.people if test is not None and config.test.leave_out else ()
        self.people = read_people(config.data, without)
        self.split = split(self.people, config)
        self.aligner = Aligner(config.data, self.layout, size)
        self.chips = self._cut(self.people)
        self.train = self._there(self.split.train)
        self.labels = self._numbered()
        self._listed_test = test
        self.test_set = self._pair_set(test, self.split.test, "the photos held out for the test")
        self.validation_set = self._pair_set(
            validation, self.split.validation, "the photos held out for validation"
        )

    # -- what the loop asks for ------------------------------------------------------------------

    def network(self) -> nn.Module:
        """Return network and loss; the caller has set the seed."""
        config = self.config
        backbone = self.spec.build(config.model.dim)
        if self._weights is not None:
            _fill(backbone, self._weights, config.model.weights)
        criterion = losses.criterion(config.loss, self.dim, self.split.people)
        return RecognizerNetwork(backbone, criterion, self.spec.input)

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self.config.model.dim or self.spec.dim

    def steps_per_epoch(self) -> int:
        """Return how many batches an epoch has."""
        return len(self._plan(0))

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """Yield pixels (n, h, w, 3) uint8 and people (n,) int64."""
        plan = self._plan(epoch)

        def batch(step: int) -> Batch:
            chips = [self._sample(epoch, int(place)) for place in plan[step]]
            return {
                "pixels": torch.from_numpy(np.stack(chips)),
                "people": torch.from_numpy(self.labels[plan[step]]),
                "places": torch.from_numpy(plan[step]),
            }

        return ahead(batch, range(first, len(plan)), self.config.machine.loaders)

    def named(self, batch: Batch) -> list[str]:
        """Return the photos of a batch."""
        return [str(self.people.photos[int(place)].path) for place in batch["places"]]

    def errors(self, model: Any) -> Float64Array | None:
        """Return, for each test pair, 1 where an embedder decides it wrongly, else 0.

        It is fed with faces of its own layout; its threshold is that of other people of the test.
        None for pictures of a .rec file, which are aligned in one way, and where too few people
        are tested to judge a threshold: nothing would be decided wrongly then.
        """
        trials = self.test_set.trials
        if self.people.records is not None and self._listed_test is None:
            return None
        size = model.spec.input.size or self.aligner.size
        aligner = Aligner(self.config.data, model.layout, size)
        pictures = PhotoPaths([photo.path for photo in trials.photos])
        points = model.options.points

        def embed(chips: ByteArray) -> Float32Array:
            made = Chips(chips, model.layout, points_scheme=points)
            vectors: Float32Array = model.embed(made).vectors
            return vectors

        cut = ChipShards(pictures, aligner)
        pairs = PairSet(trials, cut, range(len(pictures))).scored(embed)
        system = System.of(pairs)
        return None if system.decided is None else (~system.right).astype(np.float64)

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the figures of the loss of the configuration."""
        found: dict[str, Tensor] = network(batch["pixels"], batch["people"])
        return found

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Return verification figures of the validation set.

        "val_loss" is 1 - AUC of its pairs.
        """
        embed = embedder_of(network)
        found = self.validation_set.measured(embed)
        row = {"val_loss": 1 - found.auc, **figures_of(found, "val_")}
        if self.config.test.each and self._listed_test is not None:
            row |= figures_of(self.test_set.measured(embed), "test_")
        return row

    def test(self, network: nn.Module) -> dict[str, float]:
        """Return verification figures of the test set, and those of the network untrained."""
        scored = self.test_set.scored(embedder_of(network))
        found = self.test_set.figures(scored, draws=DRAWS)
        torch.manual_seed(self.config.seed)
        before = self.network().to(next(network.parameters()).device)
        if self.config.model.init:
            before.eval()
            return {**tested(found), **self._gained(before, scored)}
        _settle(before, next(self.batches(0, 0)))
        untrained = self.test_set.measured(embedder_of(before))
        return {**tested(found), "untrained_auc": untrained.auc}

    def _gained(self, before: nn.Module, after: PairScores) -> dict[str, float]:
        """Return the figures of the embedder before, and by how much it is better now.

        Both are measured on the same draws of people (``lab.statistics.paired``).
        """
        scored = self.test_set.scored(embedder_of(before))
        (compared,) = differences(System.of(scored), [System.of(after)])
        row = figures_of(self.test_set.figures(scored), "before_")
        enough = self.test_set.trials.subjects >= FEWEST_DRAWN
        for name, gain in compared.figures.items():
            row[f"gain_{name}"] = gain.value
            if enough:
                row |= {f"gain_{name}_low": gain.low, f"gain_{name}_high": gain.high}
        return row | ({"gain_p": compared.p} if enough else {})

    def findings(self) -> list[DataFinding]:
        """Return what is wrong with the data, in plain words."""
        config, people = self.config, self.people
        found = [DataFinding(self.split.words, "note")]
        if self.layout != (config.data.layout or self.spec.layout):
            wanted = giver_of(self.spec.layout)
            found.append(
                DataFinding(
                    f"The layout '{self.spec.layout}' of this network wants the points of "
                    f"'{wanted.id if wanted else IBUG_68.id}', whose weights are not on this "
                    f"machine: faces are aligned by '{self.layout}'. Fetch them, or name a layout "
                    "in data.layout."
                )
            )
        found += findings.counts(people, self.split)
        found += findings.few_tested(self.test_set.trials.subjects, FEWEST_DRAWN)
        found += findings.lost(self.chips.reasons, people.photos)
        found += findings.same_files(people, self.chips.digests, self.split)
        if self._listed_test is not None:
            found += findings.shared_names(people, self._listed_test.people, "the list of the test")
        if not config.data.align:
            size = self.aligner.size
            found += findings.not_aligned(people, self.layout, size, config.data.detector)
        judge = findings.judge_of(config.data.judge)
        looked = findings.looked_at(people, judge, align=config.data.align) if judge else None
        if looked is not None:
            found += findings.wrong_names(people, looked)
            found += findings.near_doubles(people, looked, self.split)
        return found

    def data(self) -> dict[str, Any]:
        """Return what the data are."""
        people = self.people
        lines = "\n".join(
            f"{photo.person}\t{digest or photo.path.name}"
            for photo, digest in zip(people.photos, self._digests(), strict=True)
        )
        return {
            "source": people.source,
            "people": len(people.names),
            "photos": len(people.photos),
            "digest": hashlib.sha256(lines.encode()).hexdigest(),
            "license": self.config.data.license or "not stated",
            "without a face": len(self.chips.reasons),
            "left out by name": list(people.left_out),
            "split": self.split.words,
            "people that train": self.split.people,
            "aligned": self.aligner.id,
            "test": self.test_set.trials.to_dict(),
            "validation": self.validation_set.trials.to_dict(),
        }

    def exported(self, network: nn.Module) -> Exported:
        """Return the network without its loss, and what its record says."""
        init = self.config.model.init
        verb = "gone on" if init else "trained"
        how = f"{verb} with {self.config.loss.name} on {self.split.people} people"
        parents = (init,) if init else ()
        data = self.config.data
        own = OwnData(Path(self.people.source).name, data.license)
        return embedder_record(network, self.spec, self.aligner, self.dim, how, own, parents)

    # -- data --------------------------------------------------------------------------------------

    def _cut(self, pictures: PictureSource) -> ChipShards | FreshChips:
        kind = ChipShards if self.config.data.cache else FreshChips
        return kind(pictures, self.aligner)

    def _there(self, places: IntArray) -> IntArray:
        """Return the places whose photos gave a chip, as far as that is known."""
        return np.array([p for p in places.tolist() if p not in self.chips.reasons], np.int64)

    def _numbered(self) -> IntArray:
        """Return (n,) int64: the class of each photo, of those who train; -1 for the others."""
        numbers = np.full(len(self.people.names), -1, np.int64)
        training = np.unique(self.people.labels[self.split.train])
        numbers[training] = np.arange(len(training))
        found: IntArray = numbers[self.people.labels]
        return found

    def _pair_set(self, listed: Trials | None, places: IntArray, name: str) -> PairSet:
        if listed is not None:
            pictures = PhotoPaths([photo.path for photo in listed.photos])
            return PairSet(listed, self._cut(pictures), range(len(listed.photos)))
        there = self._there(self._paired(places))
        photos = [self.people.photos[place] for place in there.tolist()]
        most, seed = self.config.validation.most, self.config.seed
        trials = held_out_trials(photos, most, seed, name)
        at = {photo.path: place for photo, place in zip(photos, there.tolist(), strict=True)}
        return PairSet(trials, self.chips, [at[photo.path] for photo in trials.photos])

    def _paired(self, places: IntArray) -> IntArray:
        """Return places of photos held out, and a photo that trains of who has but one of them.

        Split by photo, a person of few photos has one held out; a mated pair takes two.
        """
        if self.split.by_person:
            return places
        labels, train = self.people.labels, self.split.train
        found, counts = np.unique(labels[places], return_counts=True)
        people, first = np.unique(labels[train], return_index=True)
        mine = train[first[np.isin(people, found[counts == 1])]]
        return np.concatenate([places, mine])

    def _plan(self, epoch: int) -> list[IntArray]:
        """Return the places of the photos of each batch of an epoch."""
        config, mine = self.config, self.train
        if config.loss.name == "triplet":
            data = config.data
            plan = samplers.people_times_photos(
                self.people.labels[mine], data.people, data.photos, config.seed, epoch
            )
        else:
            plan = samplers.shuffled(len(mine), config.batch, config.seed, epoch)
        return [mine[places] for places in plan]

    def _sample(self, epoch: int, place: int) -> ByteArray:
        random = np.random.default_rng((self.config.seed, epoch, place))
        return augmented(self._chip(place), self.config.augment, random)

    def _chip(self, place: int) -> ByteArray:
        """Return a chip; that of the person's next photo where this one gives none."""
        chip = self.chips.chip(place)
        if chip is not None:
            return chip
        label = self.people.labels[place]
        others = self.train[self.people.labels[self.train] == label]
        for other in (*others[others > place].tolist(), *others[others < place].tolist()):
            chip = self.chips.chip(other)
            if chip is not None:
                return chip
        raise ConfigError(
            f"No photo of {self.people.names[label]} gives a face.",
            "Leave that person out, or take another detector.",
        )

    def _digests(self) -> tuple[str, ...]:
        return self.chips.digests or ("",) * len(self.people.photos)


class OwnData(NamedTuple):
    """The user's data: their name, and the license of a model made of them, "" for none said."""

    name: str
    license: str = ""


def embedder_record(
    network: nn.Module,
    spec: NetworkSpec,
    aligner: Aligner,
    dim: int,
    how: str,
    own: OwnData,
    parents: Sequence[str] = (),
) -> Exported:
    """Return a network without its loss, and what its record says.

    how: it was trained, in words. parents: ids of the embedders that it was made of, whose licenses
    it keeps.
    """
    assert isinstance(network, RecognizerNetwork)  # noqa: S101 - the task made it
    width, height = aligner.size
    pixels = spec.input
    return Exported(
        network.backbone,
        torch.zeros(2, 3, height, width),
        {
            "task": "embed",
            "like": "mobilefacenet",
            "title": f"{spec.id}, {how}",
            "paper": spec.paper,
        },
        {
            "input": {
                "size": [width, height],
                "order": pixels.order,
                "mean": list(pixels.mean),
                "std": list(pixels.std),
            },
            "output": {"dim": dim, "metric": "cosine", "unit": True, "layout": aligner.layout},
            "license": _license(own, parents),
            "defaults": {"points": aligner.points},
        },
    )


def _license(own: OwnData, parents: Sequence[str]) -> dict[str, str]:
    """Return the license of a model: that of what it was made of, the strictest of several."""
    mine = f"the user's own: {own.name}"
    if not parents:
        return {"weights": own.license or "not stated", "training_data": mine}
    known = catalog.default()
    licenses = {name: known.spec(Task.EMBED, name).license for name in parents}
    verdicts = ("no", "unclear", "yes")
    strictest = min((one.commercial for one in licenses.values()), key=verdicts.index)
    told = [own.license] if own.license else []
    return {
        "weights": "; ".join(
            [*told, *(f"{one.weights} ({name})" for name, one in licenses.items())]
        ),
        "training_data": "; ".join(
            [mine, *(f"{one.training_data} ({name})" for name, one in licenses.items())]
        ),
        "commercial": strictest,
        "note": f"made of {' and '.join(parents)}, whose licenses it keeps",
    }


def spec_of(options: EmbeddingModelOptions) -> NetworkSpec:
    """Return the network that is asked for: by name, or an embedder that is here."""
    if not options.init:
        return network_spec(options.name)
    from facelign.train.recognizer.initial import initial_spec

    return initial_spec(options.init, options.frozen)


def _listed(pairs: str, images: str) -> Trials | None:
    return listed_trials(pairs, images) if pairs else None


def embedder_of(network: nn.Module) -> Embed:
    """Return what makes vectors of chips with a network that is not learning."""
    device = next(network.parameters()).device

    def embed(chips: ByteArray) -> Float32Array:
        with torch.inference_mode():
            vectors: Tensor = network(torch.from_numpy(chips).to(device))
        found: Float32Array = vectors.float().cpu().numpy()
        return found

    return embed


def _settle(network: nn.Module, batch: Batch) -> None:
    """Set the normalizations of an untrained network by one batch, and make it ready to be judged.

    Deep ones give no finite numbers before.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(batch["pixels"].to(next(network.parameters()).device))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    network.eval()


def tested(found: Verification) -> dict[str, float]:
    """Return the figures of a test, with the ends of its interval where there are enough people."""
    ends = found.intervals["auc"]
    enough = found.subjects >= FEWEST_DRAWN
    return {
        **figures_of(found),
        **({"auc_low": ends.low, "auc_high": ends.high} if enough else {}),
        "people": float(found.subjects),
        "pairs": float(found.pairs),
        "failed_pairs": float(found.failed_pairs),
    }


def figures_of(found: Verification, prefix: str = "") -> dict[str, float]:
    """Return the figures that a row shows."""
    tars = {f"tar_at_fmr_{rate:g}": at.tar for rate, at in found.tar_at_fmr.items()}
    known = {name: float(tar) for name, tar in tars.items() if tar is not None}
    plain = {"auc": found.auc, "eer": found.eer, **known}
    # of pairs held out nearly all are non-mated, and "different" would nearly always be right
    if found.mated * 3 >= found.pairs:
        plain["accuracy"] = found.accuracy
    return {f"{prefix}{name}": float(value) for name, value in plain.items()}


def _arrays(path: Path) -> dict[str, Tensor]:
    """Return the arrays of a file of weights by name; raises InputError for a file that is none."""
    state = checkpoint.load(path)
    inner = state.get("state_dict", state)
    return {
        name.removeprefix("module."): value
        for name, value in inner.items()
        if isinstance(value, Tensor)
    }


def _fill(backbone: nn.Module, given: dict[str, Tensor], name: str) -> None:
    """Put weights into a network by their names; the last layers of classifiers are left out.

    Raises ConfigError for weights of another network.
    """
    mine = backbone.state_dict()
    fitting = {n: v for n, v in given.items() if n in mine and mine[n].shape == v.shape}
    if len(fitting) < len(mine) / 2:
        raise ConfigError(
            f"{name} holds {len(fitting)} of the {len(mine)} arrays of this network.",
            "Take weights of the same network, in the form that its publisher gives.",
        )
    backbone.load_state_dict(fitting, strict=False)


TASK = RecognizerTask


def bare(config: RecognizerConfig) -> tuple[nn.Module, tuple[int, int]]:
    """Return the network of a configuration, without its loss, and its (width, height).

    Raises ConfigError for one that goes on from an embedder: that is a graph of operators.
    """
    if config.model.init:
        raise ConfigError(
            f"'{config.model.init}' is a graph of operators, not of blocks, and cannot be drawn.",
            "Name a network (model.name) instead.",
        )
    spec = spec_of(config.model)
    return spec.build(config.model.dim), spec.input.size or (112, 112)
