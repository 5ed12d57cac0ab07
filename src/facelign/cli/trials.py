"""From --images, --pairs and --all-pairs to comparisons: what study, compare and ensemble share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli.output import note
from facelign.errors import ConfigError, ExtraMissing
from facelign.lab.defaults import PAIRED_DRAWS, SEED, TIMED
from facelign.types.options import Option, OptionSet, share
from facelign.types.policies import VERIFY_FMR
from facelign.types.wording import counted

if TYPE_CHECKING:
    from facelign.datasets.records import PairList
    from facelign.datasets.shelf import Shelf
    from facelign.lab.material.trials import Trials

ImagesFolder = Annotated[
    Path,
    typer.Option("--images", help="Folder of the photos (one folder a person for --all-pairs)."),
]
PairsFile = Annotated[
    Path | None,
    typer.Option("--pairs", help="List of pairs: LFW's form, or a CSV with a, b, same."),
]
AllPairs = Annotated[
    bool, typer.Option("--all-pairs", help="Every pair of photos of a folder of people.")
]
Draws = Annotated[
    int, typer.Option("--draws", min=50, help="Draws of people for the 95 % intervals.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the draws.")]


@dataclass(frozen=True, slots=True)
class PairFlags(OptionSet):
    """Which comparisons are meant."""

    pairs: PairsFile = None
    all_pairs: AllPairs = False


@dataclass(frozen=True, slots=True)
class PairedFlags(OptionSet):
    """How systems are held against each other."""

    fmr: Annotated[float, Option("FMR at which TAR is told.", check=share)] = VERIFY_FMR
    timed: Annotated[int, Option("Photos that are timed; 0 for none.", low=0)] = TIMED
    draws: Draws = PAIRED_DRAWS
    seed: Seed = SEED


def trials(images: Path, pairs: Path | None, every: bool) -> Trials:
    """Return the comparisons that the options mean; what was skipped is said."""
    from facelign.datasets.folder import read_folder
    from facelign.lab.material.trials import Trials, set_name

    if (pairs is None) == (not every):
        raise ConfigError("Which pairs?", "Give --pairs FILE or --all-pairs, one of the two.")
    if pairs is None:
        folder = read_folder(images)
        if folder.skipped:
            files = counted(len(folder.skipped), "file is no photo", "files are no photos")
            note(f"note: of {images} {files} of a person")
        trials = Trials.all_pairs(folder)
        return replace(trials, name=f"all pairs of {trials.name}").of_both_kinds()
    listed = read_list(pairs, images)
    if listed.missing:
        note(
            f"note: {counted(len(listed.missing), 'photo')} of {pairs.name} not there, counted as "
            f"failed, such as {listed.missing[0].name}"
        )
    trials = Trials.of_list(listed)
    for text in trials.notes:
        note(f"note: {text}")
    return replace(trials, name=f"{pairs.name} of {set_name(images)}").of_both_kinds()


def read_list(path: Path, images: Path | Shelf) -> PairList:
    """Return a list of pairs in LFW's form, or a CSV by its name; photos lie in ``images``."""
    from facelign.datasets.lfw import read_pairs
    from facelign.datasets.pairs_csv import read_pairs_csv

    read = read_pairs_csv if path.suffix.lower() == ".csv" else read_pairs
    return read(path, images)


def words(text: str) -> list[str]:
    """Return the parts of a comma-separated option, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def named(option: str, text: str) -> list[str]:
    """Return the parts of a comma-separated option; raises ConfigError where it names nothing."""
    found = words(text)
    if not found:
        raise ConfigError(f"{option} names nothing.", "Give one or more, by commas.")
    return found


def needs(name: str, packages: str) -> None:
    """Raise ExtraMissing unless the packages of an extra can be imported."""
    missing = [package for package in packages.split() if find_spec(package) is None]
    if missing:
        shown = {"sklearn": "scikit-learn"}.get(missing[0], missing[0])
        raise ExtraMissing(
            f"This needs {shown}, which is not installed.", f"pip install 'facelign[{name}]'"
        )
