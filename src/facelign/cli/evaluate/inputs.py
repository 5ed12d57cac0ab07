"""What the evaluations share: options typed once, and the way from flags to a recognizer."""

from __future__ import annotations

import datetime
import re
import shlex
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from facelign.cli import building, trials
from facelign.cli.output import emit, note, progress
from facelign.errors import ConfigError, DatasetMissing, NoCalibration
from facelign.lab.defaults import DRAWS, SEED
from facelign.types.options import Option, OptionSet
from facelign.types.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from facelign.datasets.saved import SavedEmbeddings
    from facelign.lab.material.photos import Embedded
    from facelign.recognition.recognizer import Recognizer
    from facelign.report.page import Report
    from facelign.types.calibrations import Calibration
    from facelign.types.decisions import Threshold
    from facelign.types.embeddings import Metric
    from facelign.types.policies import FacePolicy
    from facelign.types.specs import Task

ByHeight = Annotated[bool, Option("Also by the height of the face.")]
FixedThreshold = Annotated[
    str | None,
    Option(
        "Threshold to judge: a score, a published one by name, or a calibration file "
        "(default: that of the preset).",
    ),
]
PeopleFolder = Annotated[Path | None, Option("Folder of people: one folder a person.")]


class Protocol(StrEnum):
    """Protocols whose lists are known by name."""

    LFW_VIEW_1 = "lfw-view1"
    LFW_VIEW_2 = "lfw-view2"


@dataclass(frozen=True, slots=True)
class SourceFlags(OptionSet):
    """Where photos or vectors, and the pairs among them, come from."""

    images: PeopleFolder = None
    pairs: Annotated[
        Path | None,
        Option("List of pairs of --images or --embeddings: LFW's form, or CSV with a, b, same."),
    ] = None
    all_pairs: Annotated[bool, Option("Every pair of photos in --images.")] = False
    protocol: Annotated[Protocol | None, Option("Protocol of LFW; its lists lie in --lists.")] = (
        None
    )
    lists: Annotated[Path | None, Option("Folder of the protocol's lists.")] = None
    bin: Annotated[Path | None, Option("InsightFace's FILE.bin; nothing in it is executed.")] = None
    embeddings: Annotated[
        list[Path] | None,
        Option("Saved vectors: FILE.npz, or labels.csv and reps.csv (said twice)."),
    ] = None
    metric: Annotated[str, Option("How saved vectors are compared: cosine or euclidean.")] = (
        "cosine"
    )

    def saved(self) -> tuple[SavedEmbeddings, Metric]:
        """Return the vectors of one .npz, or of labels.csv and reps.csv, and their metric."""
        from facelign.datasets.saved import read_npz, read_openface
        from facelign.types.embeddings import Metric

        files = self.embeddings or []
        names = {file.name.lower(): file for file in files}
        labels = [file for name, file in names.items() if "label" in name]
        reps = [file for name, file in names.items() if "rep" in name]
        if len(files) == 1 and files[0].suffix == ".npz":
            found = read_npz(files[0])
        elif len(files) == 2 and len(labels) == 1 and len(reps) == 1:
            found = read_openface(labels[0], reps[0])
        else:
            raise ConfigError(
                "--embeddings wants FILE.npz, or --embeddings labels.csv --embeddings reps.csv.",
                "Give one of these.",
            )
        if self.metric not in ("cosine", "euclidean"):
            raise ConfigError(
                f"--metric {self.metric}: there are cosine and euclidean.", "Use one of them."
            )
        return found, Metric(self.metric)


@dataclass(frozen=True, slots=True)
class PageFlags(OptionSet):
    """What a run writes besides the terminal: a page, its figures, its numbers."""

    report: Annotated[Path | None, Option("Write everything to one HTML file.")] = None
    no_photos: Annotated[
        bool,
        Option("For publishing: no pictures of people, no folders in the report."),
    ] = False
    figures: Annotated[Path | None, Option("Folder for the figures, as PNG and SVG.")] = None
    csv: Annotated[Path | None, Option("Folder for the numbers, as CSV.")] = None

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
        """Write what is wanted of a report: the page, its figures, its numbers."""
        from facelign.report import files

        photos = not self.no_photos
        if self.report is not None:
            self.report.parent.mkdir(parents=True, exist_ok=True)
        for kind, target, written in (
            ("report", self.report, files.page),
            ("figures", self.figures, files.figures),
            ("numbers", self.csv, files.numbers),
        ):
            if target is not None:
                written(built, target, photos=photos)
                note(f"{kind}: {target}")

    def finish(
        self,
        page: Callable[[], Report],
        record: Callable[[], Mapping[str, Any]],
        say: Callable[[], None],
        *,
        json: bool,
    ) -> None:
        """Write the page that is wanted, then tell the run: its record as JSON, or ``say``."""
        if self.wanted:
            self.write(page())
        if json:
            emit(record())
        else:
            say()


@dataclass(frozen=True, slots=True)
class DrawFlags(OptionSet):
    """How people are drawn for intervals."""

    draws: Annotated[int, Option("Draws of people for intervals.", low=100)] = DRAWS
    seed: Annotated[int, Option("Seed of the draws; it is printed.")] = SEED


@dataclass(frozen=True, slots=True)
class CacheFlags(OptionSet):
    """Whether vectors are kept."""

    no_cache: Annotated[bool, Option("Look at every photo again and keep no vectors.")] = False


def fixed_threshold(recognizer: Recognizer | None, text: str | None) -> Threshold | None:
    """Return the threshold that is judged, or None where the space has none."""
    from facelign.compare import thresholds

    if recognizer is None:
        if text is None:
            return None
        try:
            return thresholds.uncalibrated(float(text), building.SOURCE)
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
    from facelign.datasets.folder import read_folder
    from facelign.lab.material import photos

    found = read_folder(images)
    if found.skipped:
        one, many = "file that is no photo", "files that are no photos"
        skipped = counted(len(found.skipped), f"{one} of a person was", f"{many} of a person were")
        note(f"note: {skipped} skipped")
    wanted = found.photos
    if without is not None:
        out = set(people_in(without))
        wanted = tuple(photo for photo in found.photos if photo.person not in out)
        people = {photo.person for photo in found.photos}
        note(f"note: {left_out(len(people & out), without)}")
        if not wanted:
            raise DatasetMissing(
                f"Everybody in {images} is in {without} too.", "Give photos of further people."
            )
    with progress("embedding", len(wanted)) as done:
        return photos.embed(recognizer, wanted, policy, done=done)


def left_out(count: int, folder: Path) -> str:
    """Return what is said of people who are in another folder too."""
    one, many = "person who is", "people who are"
    return f"{counted(count, one, many)} in {folder} too {'was' if count == 1 else 'were'} left out"


def people_in(folder: Path) -> list[str]:
    """Return the people of a folder: the names of the folders in it."""
    if not folder.is_dir():
        raise DatasetMissing(f"There is no folder {folder}.", "Check the path.")
    from facelign.imaging.listing import passed_over

    entries = (entry for entry in folder.iterdir() if entry.is_dir())
    people = sorted(
        unicodedata.normalize("NFC", entry.name) for entry in entries if not passed_over(entry.name)
    )
    if not people:
        raise DatasetMissing(f"{folder} holds no folder of a person.", "Check the path.")
    return people


def counts(option: str, text: str) -> list[int]:
    """Return numbers that were given with commas between them."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ConfigError(f"{option} {text}: wanted numbers such as 10,100,300.", "Fix the list.")
    return [int(word) for word in words]


def overlap_lists(folder: Path | None) -> dict[str, frozenset[str]]:
    """Return the lists of people in training sets, by file name."""
    from facelign.datasets.lfw import read_overlap

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


def today() -> str:
    """Return the day, by UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def sharpness(recognizer: Recognizer | None, embedded: Embedded) -> dict[str, Any]:
    """Return how sharp the faces are, as a further quality number of a report."""
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
    from facelign.report import provenance

    typed = shlex.join(["facelign", *sys.argv[1:]])
    return provenance.table(recognizer, {**more, "command": typed, "date": today()}, models)
