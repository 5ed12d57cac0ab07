"""What a landmark model is trained on, how, and to which loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from facelign.errors import ConfigError
from facelign.train.config import PATH, TrainConfig, part
from facelign.train.landmarks.augment import Augmentation
from facelign.types.options import Option, OptionSet

#: the detector that makes no crops: they are cut around the annotated points
LABEL = "label"


def _side(name: str, value: int) -> None:
    if value and (not 32 <= value <= 512):
        raise ConfigError(f"{name} {value} is no side.", "Give 32 to 512, or 0 for the network's.")


def _margin(name: str, value: float) -> None:
    if not -0.3 <= value <= 2:
        raise ConfigError(f"{name} {value:g} is no margin.", "Give a share from -0.3 to 2.")


def _at_most(most: int) -> Callable[[str, int], None]:
    def check(name: str, value: int) -> None:
        if value > most:
            raise ConfigError(f"{name} {value} is too many.", f"Give {most} at most.")

    return check


#: what a file of trees may hold that is read here (models.convert.dlib_shape)
_levels, _trees, _depth = _at_most(100), _at_most(20_000), _at_most(8)


def _rate(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ConfigError(f"{name} {value:g} is no share.", "Give more than 0 and at most 1.")


def _blocks(name: str, value: int) -> None:
    if not -1 <= value <= 17:
        raise ConfigError(f"{name} {value} are no blocks.", "Give 0 to 17, or -1 for all.")


@dataclass(frozen=True, slots=True)
class DataOptions(OptionSet):
    """Annotated photos, and how they are split."""

    source: Annotated[
        str,
        Option(
            "Table (CSV), folder of .pts files, imglab, keypoint JSON, WFLW or MUCT file.",
            metavar=PATH,
        ),
    ] = ""
    images: Annotated[
        str, Option("Folder of the photos, where they are not beside the table.", metavar=PATH)
    ] = ""
    more: Annotated[
        tuple[str, ...], Option("Other such sets, which are trained on only.", metavar=PATH)
    ] = ()
    beside: Annotated[
        tuple[str, ...], Option("Other such sets, which are tested on only.", metavar=PATH)
    ] = ()
    scheme: Annotated[str, Option("Numbering of the points; empty to tell it by itself.")] = ""
    limit: Annotated[int, Option("Faces that are taken, evenly spread; 0 for all.", low=0)] = 0
    detector: Annotated[
        str, Option("Id of the detector that makes the crops; label for the annotated points.")
    ] = "yunet"
    split: Annotated[
        Literal["auto", "photo", "person", "column"],
        Option(
            "What stays together: photo or person; column for the set's own parts; auto takes "
            "column, person, photo, the first that the set tells."
        ),
    ] = "auto"
    validation: Annotated[
        float, Option("Share of the photos that chooses the best epoch.", check=part)
    ] = 0.15
    test: Annotated[float, Option("Share that is looked at once, at the end.", check=part)] = 0.15
    test_people: Annotated[
        int,
        Option("The first so many people are the test set, in place of a share; 0 for no.", low=0),
    ] = 0
    cameras: Annotated[
        str, Option("Cameras that are trained on, such as ad; empty for all; others are tested.")
    ] = ""
    masked: Annotated[
        bool, Option("Hidden points have no say; false learns them where the set writes them.")
    ] = True
    license: Annotated[str, Option("License of the photos, in words, for the model card.")] = ""


@dataclass(frozen=True, slots=True)
class ModelOptions(OptionSet):
    """The network."""

    name: Annotated[
        Literal[
            "heatmap",
            "light",
            "pip",
            "scratch",
            "inception-bottleneck",
            "inception",
            "resnet50",
        ],
        Option(
            "heatmap: maps of chances; light: a small regressor; pip: cells and neighbors; "
            "scratch, inception-bottleneck, inception, resnet50: those of article A2."
        ),
    ] = "heatmap"
    side: Annotated[
        int, Option("Side of the square that it reads, px; 0 for its own.", check=_side)
    ] = 0
    margin: Annotated[
        float,
        Option("Shown beyond the box on every side, share of its longer side.", check=_margin),
    ] = 0.15
    blocks: Annotated[
        int,
        Option(
            "Blocks of inception and resnet50 that are trained, from the output; -1 for all.",
            check=_blocks,
        ),
    ] = 2
    kernels: Annotated[
        tuple[int, ...], Option("Kernels of scratch, one for each of its stacks.")
    ] = (6, 3)
    branches: Annotated[
        tuple[str, ...], Option("Branches of inception-bottleneck: plain, square, sine.")
    ] = ("plain", "square", "sine")
    initial: Annotated[
        str,
        Option(
            "File of ImageNet weights of inception or resnet50; empty for random.", metavar=PATH
        ),
    ] = ""
    initial_sha256: Annotated[str, Option("SHA-256 of that file; empty to take any.")] = ""


@dataclass(frozen=True, slots=True)
class LossOptions(OptionSet):
    """What is made small."""

    name: Annotated[
        Literal["l1", "mse", "wing", "adaptive-wing", "distance", "nme"],
        Option("l1, mse, wing, adaptive-wing, distance or nme."),
    ] = "wing"


@dataclass(frozen=True, slots=True)
class ShapeTreesOptions(OptionSet):
    """Of ``cascade``, the classic baseline of a study; dlib's names stand in brackets.

    Fewer trees and starts than dlib's own 500 and 20, for small machines.
    """

    levels: Annotated[
        int, Option("Rounds that move all points (cascade_depth).", low=1, check=_levels)
    ] = 10
    trees: Annotated[
        int,
        Option("Trees of a round (num_trees_per_cascade_level).", low=1, check=_trees),
    ] = 200
    depth: Annotated[
        int,
        Option("Questions of a tree, one after the other (tree_depth).", low=1, check=_depth),
    ] = 4
    starts: Annotated[int, Option("First shapes of a face (oversampling_amount).", low=1)] = 5
    rate: Annotated[float, Option("Share of each tree that counts (nu).", check=_rate)] = 0.1


@dataclass(frozen=True, slots=True)
class LandmarkConfig(TrainConfig):
    """A landmark model."""

    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    augment: Augmentation = field(default_factory=Augmentation)
    cascade: ShapeTreesOptions = field(default_factory=ShapeTreesOptions)


CONFIG = LandmarkConfig


def started(data: str) -> LandmarkConfig:
    """Return the configuration that runs as it is on a table or folder."""
    from facelign.train.config import AverageOptions, OptimizerOptions, ScheduleOptions

    return LandmarkConfig(
        kind="landmarks",
        batch=16,
        data=DataOptions(source=data),
        optimizer=OptimizerOptions(learning_rate=0.002, weight_decay=0.01, clip=5.0),
        schedule=ScheduleOptions(warm_up=50),
        average=AverageOptions(decay=0.99),
    )
