"""Batch alignment of a tree into a mirrored tree; several processes may share one job."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import ConfigError, FacelignError, InputError
from facelign.imaging.write import write
from facelign.recognition.recognizer import Recognizer, Stage
from facelign.recognition.results import Analysis
from facelign.recognition.selection import FacePolicy, choose

#: a claim older than this belongs to a process that was killed, s
STALE_S = 600.0
# Bytes of a name that file systems take.
_LONGEST = 255


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
        self._targets = _targets(files, root, target)
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
        stream = self._recognizer.stream(self._claimed(done), until=Stage.ALIGN, keep=True)
        for analysis in stream:
            yield self._write(analysis)
            if done:
                done(1)

    def _claimed(self, done: Callable[[int], None] | None) -> Iterator[str]:
        for file in self.todo:
            if self._claim(self._targets[file]):
                yield file
            elif done:
                done(1)

    def _claim(self, target: Path) -> bool:
        """Return whether this process may make ``target``: nobody else made or claimed it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = _lock(target)
        mine = f"{socket.gethostname()} {os.getpid()}"
        for _ in range(2):
            try:
                with lock.open("x", encoding="utf-8") as file:
                    file.write(mine)
            except FileExistsError:
                if not _abandoned(lock):
                    return False
                lock.unlink(missing_ok=True)
            else:
                if target.exists():  # made between our look and our claim
                    lock.unlink(missing_ok=True)
                    return False
                return True
        return False

    def _write(self, analysis: Analysis) -> AlignedPhoto:
        source = analysis.photo.source
        target = self._targets[source]
        try:
            if analysis.error is not None:
                raise analysis.error
            index = choose(analysis.faces, self._policy, source).index
            place = np.flatnonzero(analysis.embedded == index)
            if not len(place):
                raise InputError(f"The face cannot be aligned: {analysis.reason_of(index)}.")
            write(target, analysis.chips[0].pixels[place[0]])
            box = analysis.faces[index].box
            return AlignedPhoto(source, str(target), (box.x1, box.y1, box.x2, box.y2))
        except FacelignError as error:
            return AlignedPhoto(source, str(target), None, str(error))
        finally:
            _lock(target).unlink(missing_ok=True)


def _abandoned(lock: Path) -> bool:
    """Return whether the claim's process is gone: dead on this machine, or silent for long."""
    try:
        words = lock.read_text(encoding="utf-8").split()
        silent = time.time() - lock.stat().st_mtime > STALE_S
    except FileNotFoundError:
        return False  # its owner has just finished
    if len(words) != 2 or words[0] != socket.gethostname():
        return silent
    try:
        os.kill(int(words[1]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError, OSError):
        return silent
    return False


def _targets(files: Sequence[str], root: Path | None, target: Path) -> dict[str, Path]:
    """Return the picture of each photo; two photos of one stem keep their suffixes apart."""
    made: dict[str, Path] = {}
    taken: set[Path] = set()
    for file in files:
        path = _fitting(_target(Path(file), root, target))
        if path in taken:
            path = _fitting(path.with_name(f"{Path(file).name}.png"))
        taken.add(path)
        made[file] = path
    return made


def _target(file: Path, root: Path | None, target: Path) -> Path:
    if root is None:
        return target if target.suffix else target / f"{file.stem}.png"
    return (target / file.relative_to(root)).with_suffix(".png")


def _lock(target: Path) -> Path:
    """Return the claim on a picture."""
    return _fitting(target.with_name(f".{target.name}.lock"))


def _fitting(path: Path) -> Path:
    """Return the path, its name cut and marked where it is longer than file systems take."""
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return path
    mark = f"-{hashlib.sha256(name).hexdigest()[:12]}{path.suffix}"
    kept = name[: _LONGEST - len(os.fsencode(mark))].decode(errors="ignore")
    return path.with_name(f"{kept}{mark}")
