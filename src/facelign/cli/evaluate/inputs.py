"""What the evaluations share: options typed once, and the way from flags to a recognizer."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli import trials
from facelign.lab.defaults import DRAWS, SEED
from facelign.wire.options import Flag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from facelign.lab.material.photos import Embedded
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report
    from facelign.types.calibrations import Calibration
    from facelign.types.decisions import Threshold
    from facelign.types.policies import FacePolicy
    from facelign.types.specs import Task

Images = Annotated[
    Path | None, typer.Option("--images", help="Folder of people: one folder a person.")
]
Embeddings = Annotated[
    list[Path] | None,
    typer.Option(
        "--embeddings", help="Saved vectors: FILE.npz, or labels.csv and reps.csv (said twice)."
    ),
]
MetricName = Annotated[
    str, typer.Option("--metric", help="How saved vectors are compared: cosine or euclidean.")
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the draws; it is printed.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write everything to one HTML file.")
]
NoPhotos = Annotated[
    bool,
    typer.Option(
        "--no-photos", help="For publishing: no pictures of people, no folders in the report."
    ),
]
Figures = Annotated[
    Path | None, typer.Option("--figures", help="Folder for the figures, as PNG and SVG.")
]
Csv = Annotated[Path | None, typer.Option("--csv", help="Folder for the numbers, as CSV.")]


@dataclass(frozen=True, slots=True)
class PageFlags:
    """What a run writes besides the terminal: a page, its figures, its numbers."""

    report: ReportFile = None
    no_photos: NoPhotos = False
    figures: Figures = None
    csv: Csv = None

    @property
    def wanted(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.report or self.figures or self.csv)

    def check(self) -> None:
        """Raise ExtraMissing before any work where an extra that the run needs is missing."""
        trials.needs("evaluate", "sklearn scipy")
        if self.wanted:
            trials.needs("report", "matplotlib")

    def write(self, built: Report) -> None:
        """Write what is wanted of a report."""
        write(built, self.report, self.figures, self.csv, photos=not self.no_photos)


NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Look at every photo again and keep no vectors.")
]


@dataclass(frozen=True, slots=True)
class DrawFlags:
    """How people are drawn for intervals."""

    draws: Annotated[int, Flag("--draws", "Draws of people for intervals.", low=100)] = DRAWS
    seed: Annotated[int, Flag("--seed", "Seed of the draws; it is printed.")] = SEED


@dataclass(frozen=True, slots=True)
class CacheFlags:
    """Whether vectors are kept."""

    no_cache: Annotated[
        bool, Flag("--no-cache", "Look at every photo again and keep no vectors.")
    ] = False


ByHeight = Annotated[bool, typer.Option("--by-height", help="Also by the height of the face.")]
FixedThreshold = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        help="Threshold to judge: a score, a published one by name, or a calibration file "
        "(default: that of the preset).",
    ),
]


def fixed_threshold(recognizer: Recognizer | None, text: str | None) -> Threshold | None:
    """Return the threshold that is judged, or None where the space has none."""
    from facelign.cli import building
    from facelign.compare import thresholds
    from facelign.errors import ConfigError, NoCalibration

    if recognizer is None:
        if text is None:
            return None
        try:
            return thresholds.uncalibrated(float(text), "given on the command line")
        except ValueError:
            raise ConfigError(
                f"--threshold {text}: for saved vectors a score is wanted.", "Give a number."
            ) from None
    try:
        return building.rule(recognizer, text).threshold()
    except NoCalibration:
        if text is not None:
            raise
        return None


def folder(
    recognizer: Recognizer, images: Path, policy: FacePolicy, *, without: Path | None = None
) -> Embedded:
    """Return the vectors of a folder of people, with a bar.

    without: a folder of people who are left out.
    """
    from facelign.cli.output import note, progress
    from facelign.datasets.folder import read_folder
    from facelign.errors import DatasetMissing
    from facelign.lab.material import photos

    found = read_folder(images)
    if found.skipped:
        note(f"note: {len(found.skipped)} files that are no photos of a person were skipped")
    wanted = found.photos
    if without is not None:
        out = set(people_in(without))
        wanted = tuple(photo for photo in found.photos if photo.person not in out)
        people = {photo.person for photo in found.photos}
        note(f"note: {len(people & out):,} people who are in {without} too were left out")
        if not wanted:
            raise DatasetMissing(
                f"Everybody in {images} is in {without} too.", "Give photos of further people."
            )
    with progress("embedding", len(wanted)) as done:
        return photos.embed(recognizer, wanted, policy, done=done)


def people_in(folder: Path) -> list[str]:
    """Return the people of a folder: the names of the folders in it."""
    from facelign.errors import DatasetMissing

    if not folder.is_dir():
        raise DatasetMissing(f"There is no folder {folder}.", "Check the path.")
    people = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not people:
        raise DatasetMissing(f"{folder} holds no folder of a person.", "Check the path.")
    return people


def counts(option: str, text: str) -> list[int]:
    """Return numbers that were given with commas between them."""
    from facelign.errors import ConfigError

    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"{option} {text}: wanted numbers such as 10,100,300.", "Fix the list.")
    return [int(word) for word in words]


def saved(files: Sequence[Path]) -> Any:
    """Return saved embeddings from one .npz, or from labels.csv and reps.csv."""
    from facelign.datasets.saved import read_npz, read_openface
    from facelign.errors import ConfigError

    if len(files) == 1 and files[0].suffix == ".npz":
        return read_npz(files[0])
    names = {file.name.lower(): file for file in files}
    labels = [file for name, file in names.items() if "label" in name]
    reps = [file for name, file in names.items() if "rep" in name]
    if len(files) == 2 and len(labels) == 1 and len(reps) == 1:
        return read_openface(labels[0], reps[0])
    raise ConfigError(
        "--embeddings wants FILE.npz, or --embeddings labels.csv --embeddings reps.csv.",
        "Give one of these.",
    )


def metric(name: str) -> Any:
    """Return the metric of saved vectors."""
    from facelign.errors import ConfigError
    from facelign.types.embeddings import Metric

    if name not in ("cosine", "euclidean"):
        raise ConfigError(f"--metric {name}: there are cosine and euclidean.", "Use one of them.")
    return Metric(name)


def overlap_lists(folder: Path | None) -> dict[str, frozenset[str]]:
    """Return the lists of people in training sets, by file name."""
    from facelign.datasets.lfw import read_overlap
    from facelign.errors import DatasetMissing

    if folder is None:
        return {}
    files = sorted(folder.glob("*.txt")) if folder.is_dir() else [folder]
    if not files:
        raise DatasetMissing(f"{folder} holds no lists (.txt).", "Check the path.")
    return {file.stem: read_overlap(file) for file in files}


def same_set(
    recognizer: Recognizer | None, name: str, calibration: Calibration | None = None
) -> list[str]:
    """Return the caveat that is due when the threshold in use was chosen on these very people.

    calibration: that of a file which was named instead of the product's. Sets that begin alike,
    such as lfw and lfw_dev, may share people; those that the record left out do not.
    """
    if calibration is None and recognizer is not None:
        calibration = recognizer.calibration
    if calibration is None or name == calibration.notes.get("without"):
        return []
    rest = "Figures with thresholds from other people are not affected."
    if calibration.set == name:
        return [
            f"The threshold in use was calibrated on {calibration.set} too: what it does here is "
            f"in sample. {rest}"
        ]
    family = re.split(r"[_\W]", calibration.set.lower())[0]
    if family and re.split(r"[_\W]", name.lower())[0] == family:
        return [
            f"The threshold in use was calibrated on {calibration.set}, which may hold some of the "
            f"people of {name}: for them what it does here is in sample. {rest}"
        ]
    return []


def command_line() -> str:
    """Return the command that is running, as it can be typed again."""
    return shlex.join(["facelign", *sys.argv[1:]])


def sharpness(recognizer: Recognizer | None, embedded: Embedded) -> dict[str, Any]:
    """Return how sharp the faces are, as a further quality number of a report."""
    from facelign.cli.output import progress
    from facelign.lab.material import photos

    if recognizer is None:
        return {}
    with progress("sharpness", len(embedded.photos)) as done:
        return {"sharpness": photos.sharpness(recognizer, embedded, done)}


def provenance(
    recognizer: Recognizer | None,
    more: Mapping[str, object],
    models: Iterable[tuple[Task, str]] = (),
) -> dict[str, str]:
    """Return the provenance table of a report, with the command line and the date.

    models: those that were measured where no single recognizer was.
    """
    import datetime

    from facelign.report import provenance

    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return provenance.table(recognizer, {**more, "command": command_line(), "date": today}, models)


def write(
    report: Report, page: Path | None, figures: Path | None, csv: Path | None, *, photos: bool
) -> None:
    """Write a report, its figures and its numbers, as far as they are wanted."""
    from facelign.cli.output import note
    from facelign.report import files

    for kind, target in (("report", page), ("figures", figures), ("numbers", csv)):
        if target is None:
            continue
        if kind == "report":
            target.parent.mkdir(parents=True, exist_ok=True)
            files.page(report, target, photos=photos)
        elif kind == "figures":
            files.figures(report, target, photos=photos)
        else:
            files.numbers(report, target, photos=photos)
        note(f"{kind}: {target}")
