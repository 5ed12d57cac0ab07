"""What a landmark model is trained on, how, and to which loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from facelign.errors import ConfigError
from facelign.train.config import PATH, TrainConfig, part
from facelign.types.options import Option, OptionSet


def _side(name: str, value: int) -> None:
    if not 32 <= value <= 512 or value % 16:
        raise ConfigError(f"{name} {value} is no side.", "Give a multiple of 16 from 32 to 512.")


@dataclass(frozen=True, slots=True)
class DataOptions(OptionSet):
    """Annotated photos, and how they are split."""

    source: Annotated[
        str, Option("Table (CSV), folder of .pts files or imglab file.", metavar=PATH)
    ] = ""
    images: Annotated[
        str, Option("Folder of the photos, where they are not beside the table.", metavar=PATH)
    ] = ""
    scheme: Annotated[str, Option("Numbering of the points; empty to tell it by itself.")] = ""
    limit: Annotated[int, Option("Faces that are taken, evenly spread; 0 for all.", low=0)] = 0
    validation: Annotated[
        float, Option("Share of the photos that chooses the best epoch.", check=part)
    ] = 0.15
    test: Annotated[float, Option("Share that is looked at once, at the end.", check=part)] = 0.15
    license: Annotated[str, Option("License of the photos, in words, for the model card.")] = ""


@dataclass(frozen=True, slots=True)
class ModelOptions(OptionSet):
    """The network."""

    name: Annotated[Literal["light"], Option("light: a small regressor of coordinates.")] = "light"
    side: Annotated[int, Option("Side of the square that it reads, px.", check=_side)] = 112


@dataclass(frozen=True, slots=True)
class LossOptions(OptionSet):
    """What is made small."""

    name: Annotated[Literal["l1"], Option("l1: mean distance along x and y.")] = "l1"


@dataclass(frozen=True, slots=True)
class LandmarkConfig(TrainConfig):
    """A landmark model."""

    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    loss: LossOptions = field(default_factory=LossOptions)


CONFIG = LandmarkConfig


def started(data: str) -> LandmarkConfig:
    """Return the configuration that runs as it is on a table or folder."""
    return LandmarkConfig(kind="landmarks", data=DataOptions(source=data))
