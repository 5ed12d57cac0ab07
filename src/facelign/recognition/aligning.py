"""Batch alignment of a tree into a mirrored tree; several processes may share one job."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelign.errors import ConfigError, FacelignError
from facelign.files import ledger
from facelign.files.home import expanded
from facelign.imaging.listing import named_as
from facelign.imaging.write import write
from facelign.jobs.claims import Claims, fitting, sweep
from facelign.recognition.recognizer import Recognizer, Stage, Walk
from facelign.recognition.selection import face_of
from facelign.types.analysis import Analysis
from facelign.types.policies import FacePolicy


@dataclass(frozen=True, slots=True)
class AlignedPhoto:
    """What became of one photo: the box that was used (px of the file), or the error."""

    image: str
    target: str
    box: tuple[float, float, float, float] | None
    error: str = ""

    def record(self) -> dict[str, Any]:
        """Return the record that --json prints."""
        box = None if self.box is None else [round(v, 2) for v in self.box]
        error = self.error or None
        return {"image": self.image, "aligned": self.target, "box": box, "error": error}


class AlignJob:
    """One job over a photo or a tree. A picture that stands already is skipped.

    files: photos, and the root of the tree that is mirrored (None: one photo into one picture).
    A photo is claimed by a lock file beside its picture, so that processes never do one twice.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        files: Sequence[str],
        root: Path | None,
        target: Path,
        *,
        policy: FacePolicy,
        random_order: bool = False,
    ) -> None:
        self._recognizer = recognizer
        self._policy = policy
        self._targets = targets_of(files, root, expanded(target))
        self._folder = expanded(target)  # or, for one photo, the picture
        for file, picture in self._targets.items():
            if picture.exists() and Path(file).exists() and picture.samefile(file):
                raise ConfigError(
                    f"The aligned face would take the place of the photo {file}.",
                    "Name another file or folder.",
                )
        self.todo = [file for file in files if not self._targets[file].exists()]
        self.skipped = len(files) - len(self.todo)
        if random_order:
            random.SystemRandom().shuffle(self.todo)

    def run(self, done: Callable[[int], None] | None = None) -> Iterator[AlignedPhoto]:
        """Yield one result a photo that this process aligned."""
        if self.todo and all(self._folder in path.parents for path in self._targets.values()):
            ledger.results_folder(self._folder)
        sweep(self._targets.values())
        jobs = ((self._targets[file], file) for file in self.todo)
        walk = Walk(Stage.ALIGN, keep=True)
        for target, found in self._recognizer.carry(jobs, walk, ledger=Claims(), done=done):
            if isinstance(found, Analysis):
                yield self._written(target, found)

    def _written(self, target: Path, found: Analysis) -> AlignedPhoto:
        source = found.photo.source
        try:
            index = face_of(found, self._policy)
            write(target, found.chips[0].pixels[found.place_of(index)])
        except FacelignError as error:
            return AlignedPhoto(source, str(target), None, str(error))
        box = found.faces[index].box
        return AlignedPhoto(source, str(target), (box.x1, box.y1, box.x2, box.y2))


def targets_of(files: Sequence[str], root: Path | None, target: Path) -> dict[str, Path]:
    """Return the picture of each photo; two photos of one stem keep their suffixes apart."""
    made: dict[str, Path] = {}
    taken: set[Path] = set()
    for file in files:
        path = fitting(_target(Path(file), root, target))
        if path in taken:
            path = fitting(path.with_name(f"{Path(file).name}.png"))
        taken.add(path)
        made[file] = path
    return made


def _target(file: Path, root: Path | None, target: Path) -> Path:
    if root is None:
        return target if target.suffix else target / named_as(file).with_suffix(".png")
    return (target / file.relative_to(root)).with_suffix(".png")
