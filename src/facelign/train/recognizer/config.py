"""The configuration of an embedder's training. No PyTorch is in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from facelign.errors import ConfigError
from facelign.models import catalog
from facelign.train.config import PATH, TrainConfig, not_negative, part, positive
from facelign.train.recognizer.networks import network_spec
from facelign.types.options import Option, OptionSet
from facelign.types.specs import Task

#: margins as their papers take them, where none is said
_EDGES = {
    "softmax": 0.0,
    "arcface": 0.5,
    "cosface": 0.35,
    "sub-center": 0.5,
    "adaface": 0.4,
    "triplet": 0.2,
}


def network(name: str, value: str) -> None:
    """Refuse the name of a network that there is not."""
    network_spec(value)


@dataclass(frozen=True, slots=True)
class PeopleDataOptions(OptionSet):
    """Which photos teach, and how they are aligned."""

    source: Annotated[
        str,
        Option(
            "Folder of people, CSV of file and person, or InsightFace's .rec file.", metavar=PATH
        ),
    ] = ""
    images: Annotated[
        str, Option('Folder in which the files of a CSV lie; "" for its own.', metavar=PATH)
    ] = ""
    leave_out: Annotated[
        str, Option('List of people that are left out, one a line; "" for none.', metavar=PATH)
    ] = ""
    license: Annotated[str, Option("License of the photos, in words, for the model card.")] = ""
    limit: Annotated[int, Option("Photos at most, whole people first; 0 for all.", low=0)] = 0
    least: Annotated[int, Option("Photos that a person must have to be used.", low=1)] = 2
    split: Annotated[
        Literal["auto", "photo", "person"],
        Option(
            "Validation by photo within each person, or by person; auto: by person for triplets "
            "alone."
        ),
    ] = "auto"
    validation: Annotated[float, Option("Share of photos or people that validate.", check=part)] = (
        0.15
    )
    test: Annotated[
        float, Option("Share that is tested in the end, where no list of pairs is.", check=part)
    ] = 0.1
    align: Annotated[
        bool, Option("Look for faces; false: the pictures are aligned faces already.")
    ] = True
    layout: Annotated[
        str, Option('How faces are aligned; "" as the network was published with.')
    ] = ""
    detector: Annotated[str, Option("Which detector looks for faces.")] = "yunet"
    cache: Annotated[
        bool, Option("Keep aligned faces on the disk; false: align anew in each epoch.")
    ] = True
    judge: Annotated[
        str,
        Option(
            "Embedder that looks for wrong names and doubles; auto: one whose weights are here; "
            '"" for none.'
        ),
    ] = "auto"
    people: Annotated[int, Option("Persons of a batch, for triplets.", low=2)] = 16
    photos: Annotated[int, Option("Photos of each of them.", low=2)] = 3


@dataclass(frozen=True, slots=True)
class ChipChangeOptions(OptionSet):
    """What is changed at random in each photo that teaches."""

    mirror: Annotated[bool, Option("Half of the photos left for right.")] = True
    shift: Annotated[float, Option("Moved by up to this share of the side.", check=part)] = 0.03
    light: Annotated[
        float, Option("Brightness and contrast changed by up to this share.", check=part)
    ] = 0.2
    blur: Annotated[float, Option("Share of photos that are made coarse.", check=part)] = 0.1


def embedder(name: str, value: str) -> None:
    """Refuse the id of an embedder that there is not."""
    if value:
        catalog.default().spec(Task.EMBED, value)


def embedders(name: str, value: str) -> None:
    """Refuse ids of embedders that there are not, one after another with commas."""
    for each in filter(None, value.split(",")):
        embedder(name, each.strip())


@dataclass(frozen=True, slots=True)
class EmbeddingModelOptions(OptionSet):
    """The network."""

    name: Annotated[str, Option("Which network.", check=network)] = "small"
    dim: Annotated[int, Option("Numbers of a vector; 0 as published.", low=0)] = 0
    weights: Annotated[
        str,
        Option('PyTorch file of weights to begin with; "" begins at random.', metavar=PATH),
    ] = ""
    init: Annotated[
        str,
        Option('Embedder to go on from, in the place of a network; "" for none.', check=embedder),
    ] = ""
    frozen: Annotated[
        int, Option("Layers of it, from the first on, that stay as they are.", low=0)
    ] = 0


@dataclass(frozen=True, slots=True)
class TeacherOptions(OptionSet):
    """Embedders whose vectors the network learns to give, from photos without names."""

    ids: Annotated[
        str,
        Option('One embedder, or several with commas; "" learns from names.', check=embedders),
    ] = ""
    cosine: Annotated[
        float, Option("Weight of each face's distance to its teacher.", check=not_negative)
    ] = 1.0
    relation: Annotated[
        float, Option("Weight of the distances between faces.", check=not_negative)
    ] = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """The ids of the teachers."""
        return tuple(name.strip() for name in self.ids.split(",") if name.strip())


@dataclass(frozen=True, slots=True)
class EmbeddingLossOptions(OptionSet):
    """What is minimized."""

    name: Annotated[
        Literal["softmax", "arcface", "cosface", "sub-center", "adaface", "triplet"],
        Option("softmax, arcface, cosface, sub-center, adaface or triplet."),
    ] = "arcface"
    margin: Annotated[
        float,
        Option(
            "Of the margin losses (arcface, sub-center: radians) and alpha of triplets; 0 as in "
            "the paper.",
            check=not_negative,
        ),
    ] = 0.0
    scale: Annotated[float, Option("Of cosines, for the margin losses.", check=positive)] = 32.0
    mining: Annotated[
        Literal["all", "semi-hard", "hard"], Option("Which triplets: all, semi-hard or hard.")
    ] = "all"
    reduction: Annotated[
        Literal["mean", "sum"], Option("Of triplets: mean, or sum as in the paper.")
    ] = "mean"
    sub_centers: Annotated[int, Option("Centers of a person, for sub-center.", low=1)] = 3
    dropout: Annotated[
        float, Option("Share of the vector that softmax does without, at random.", check=part)
    ] = 0.0
    activity_l2: Annotated[
        float, Option("Penalty of softmax on its own output.", check=not_negative)
    ] = 0.0

    @property
    def edge(self) -> float:
        """The margin: that of the paper where none is said."""
        return self.margin or _EDGES[self.name]


@dataclass(frozen=True, slots=True)
class PairValidationOptions(OptionSet):
    """What is measured after each epoch, and chooses the best one."""

    pairs: Annotated[
        str,
        Option(
            'List of pairs that validates in place of photos held out; "" for none.', metavar=PATH
        ),
    ] = ""
    images: Annotated[
        str, Option('Folder of the photos of that list; "" for its own.', metavar=PATH)
    ] = ""
    most: Annotated[int, Option("Pairs of photos held out, at most.", low=10)] = 20_000


@dataclass(frozen=True, slots=True)
class PairTestOptions(OptionSet):
    """What is measured at the end; nothing is chosen by it."""

    pairs: Annotated[
        str,
        Option('List of pairs (LFW or CSV); "" takes photos held out.', metavar=PATH),
    ] = ""
    images: Annotated[
        str, Option('Folder of the photos of that list; "" for its own.', metavar=PATH)
    ] = ""
    each: Annotated[bool, Option("Measure that list after each epoch too, for a curve.")] = False
    leave_out: Annotated[bool, Option("People of that list do not train or validate, by name.")] = (
        True
    )


@dataclass(frozen=True, slots=True)
class RecognizerConfig(TrainConfig):
    """A run that trains an embedder."""

    data: PeopleDataOptions = field(default_factory=PeopleDataOptions)
    augment: ChipChangeOptions = field(default_factory=ChipChangeOptions)
    model: EmbeddingModelOptions = field(default_factory=EmbeddingModelOptions)
    loss: EmbeddingLossOptions = field(default_factory=EmbeddingLossOptions)
    teacher: TeacherOptions = field(default_factory=TeacherOptions)
    validation: PairValidationOptions = field(default_factory=PairValidationOptions)
    test: PairTestOptions = field(default_factory=PairTestOptions)

    @property
    def task(self) -> str:
        """Names teach, or teachers do."""
        return f"facelign.train.recognizer.{'distill' if self.teacher.names else 'task'}"

    def __post_init__(self) -> None:
        # a slotted dataclass has another class than this body, so that super() finds none
        OptionSet.__post_init__(self)
        model = self.model
        if model.init and (model.weights or model.dim):
            raise ConfigError(
                "model.init brings weights and length of the vector with it.",
                "Leave model.weights and model.dim out.",
            )
        if model.frozen and not model.init:
            raise ConfigError(
                "model.frozen is for a network that goes on from an embedder.",
                "Name one in model.init.",
            )
        network_spec(model.name).check_dim(model.dim)
        if not self.data.source:
            raise ConfigError("data.source is empty.", "Name the folder of people.")

    @property
    def by_person(self) -> bool:
        """Whether the people who validate are others than those who train."""
        if self.data.split == "auto":
            return self.loss.name == "triplet"
        return self.data.split == "person"


CONFIG = RecognizerConfig


def started(data: str) -> RecognizerConfig:
    """Return a configuration that runs as it is on a folder of people, a CSV or a .rec file."""
    pictures = data.lower().endswith(".rec")
    return RecognizerConfig(
        kind="recognizer", data=PeopleDataOptions(source=data, align=not pictures)
    )
