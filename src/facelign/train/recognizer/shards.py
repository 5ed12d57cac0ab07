"""Aligned faces for training: cut once, several photos at a time, kept and read one by one.

The product's own chain finds and cuts them, so that a network is trained on what it will be given.
A set of photos cut in one way is a folder of the cache: files of so many chips each, as plain
pixels, with a record beside each file that says which photos they are of and why others gave none.
A run that was interrupted goes on behind the last whole file. Nothing is held in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facelign.errors import FacelignError, InputError
from facelign.files.disk import write
from facelign.files.home import training_path
from facelign.imaging.read import read
from facelign.imaging.resize import resized
from facelign.jobs.stream import stream
from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.recognition.chain import CHAIN_VERSION
from facelign.recognition.finding import giver
from facelign.recognition.recognizer import Recognizer, Stage, Walk
from facelign.recognition.selection import face_of
from facelign.train.recognizer.config import PeopleDataOptions
from facelign.types.analysis import Analysis
from facelign.types.arrays import ByteArray
from facelign.types.policies import FacePolicy
from facelign.types.schemes import IBUG_68
from facelign.types.specs import ModelSpec
from facelign.wire.options import ChainFlags

#: photos of one file: 38 MB of chips at 112 px
PER_FILE = 1024

#: the layout that stands in for one over 68 points, where nothing here gives such
_STAND_IN = "eyes"

Picture = Path | bytes
Done = Callable[[int], None]


class PictureSource(Protocol):
    """n photos that can be read by their place."""

    def __len__(self) -> int: ...

    def picture(self, place: int) -> Picture:
        """Return the path or the bytes of a photo."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PhotoPaths:
    """Photos by their paths."""

    paths: Sequence[Path] = field(repr=False)

    def __len__(self) -> int:
        return len(self.paths)

    def picture(self, place: int) -> Path:
        """Return the path of a photo."""
        return self.paths[place]


@dataclass(frozen=True, slots=True)
class Cut:
    """What a photo gave: a chip (h, w, 3) uint8 RGB, or None and the reason."""

    chip: ByteArray | None = field(repr=False)
    reason: str = ""
    digest: str = ""


class Aligner:
    """Cuts the central face of photos. size: (width, height) of a chip, px. points: what placed it.

    With ``align`` false a picture is a chip already, and is brought to the size.
    """

    def __init__(self, options: PeopleDataOptions, layout: str, size: tuple[int, int]) -> None:
        registry = catalog.default()
        made = registry.layout_of_size(layout, size)
        if made.size != size:
            raise InputError(
                f"The network reads {size[0]}x{size[1]} px, and the layout '{layout}' gives "
                f"{made.size[0]}x{made.size[1]}.",
                "Name another layout.",
            )
        self.layout, self.size = layout, size
        self.recognizer: Recognizer | None = None
        self.points = "five" if "five" in made.needs else made.needs[0]
        if options.align:
            sized = {} if registry.layout(layout).size == size else {"size": size[0]}
            self.recognizer = ChainFlags(detector=options.detector).aligner(layout, sized)
            self.points = self.recognizer.chain.points[0]
        detector = options.detector if options.align else "-"
        self.id = f"v{CHAIN_VERSION}|{detector}|{made.id}|{size[0]}x{size[1]}|central"

    def cut(self, jobs: Iterator[tuple[int, Picture]]) -> Iterator[tuple[int, Cut]]:
        """Yield place and result of each photo, in order, several photos at a time."""
        if self.recognizer is None:
            for (place, _), result in stream(jobs, self._wholes, workers=2):
                yield place, result
            return
        for place, found in self.recognizer.carry(jobs, Walk(Stage.ALIGN, keep=True)):
            if isinstance(found, Analysis):
                yield place, _central(found)

    def _wholes(self, jobs: Sequence[tuple[int, Picture]]) -> list[Cut]:
        return [self._whole(picture) for _, picture in jobs]

    def _whole(self, picture: Picture) -> Cut:
        try:
            image = read(picture).full()
        except FacelignError as error:
            return Cut(None, error.message)
        return Cut(resized(image.pixels, self.size), "", image.digest)


def usable_layout(layout: str) -> str:
    """Return a layout, or one that five points do for where its landmarker is not here."""
    giver = giver_of(layout)
    return layout if giver is None or Store.from_environment().present(giver) else _STAND_IN


def giver_of(layout: str) -> ModelSpec | None:
    """Return the landmarker that a layout over 68 points is fed by, None for other layouts."""
    registry, store = catalog.default(), Store.from_environment()
    needs = registry.layout(layout).needs
    return giver(needs, store, registry) if needs[0] == IBUG_68.id else None


def _central(found: Analysis) -> Cut:
    try:
        index = face_of(found, FacePolicy.CENTRAL)
    except FacelignError as error:
        return Cut(None, error.message, found.photo.digest)
    return Cut(found.chips[0].pixels[found.place_of(index)], "", found.photo.digest)


class FreshChips:
    """Chips that are cut anew each time they are asked for; nothing is kept.

    reasons: place -> why a photo gave none, as far as they were asked for.
    """

    def __init__(self, pictures: PictureSource, aligner: Aligner) -> None:
        self._pictures, self._aligner = pictures, aligner
        self.reasons: dict[int, str] = {}
        self.digests: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._pictures)

    def chip(self, place: int) -> ByteArray | None:
        """Return the chip of a photo, or None."""
        job = iter([(place, self._pictures.picture(place))])
        ((_, found),) = self._aligner.cut(job)
        if found.chip is None:
            self.reasons[place] = found.reason
        return found.chip


class ChipShards:
    """Chips of photos, cut once. reasons: place -> why a photo gave none. digests: of the files."""

    def __init__(
        self,
        pictures: PictureSource,
        aligner: Aligner,
        *,
        folder: Path | None = None,
        done: Done | None = None,
    ) -> None:
        self._shape = (aligner.size[1], aligner.size[0], 3)
        self._count = len(pictures)
        kept = folder or training_path() / "aligned"
        self.folder = kept / key_of(pictures, aligner.id)
        self.reasons: dict[int, str] = {}
        self._rows = np.full(self._count, -1, np.int64)
        digests: list[str] = []
        for number, begin in enumerate(range(0, self._count, PER_FILE)):
            places = range(begin, min(begin + PER_FILE, self._count))
            known = self._known(number, places)
            if known is None:
                known = self._make(number, places, pictures, aligner, done)
            elif done:
                done(len(places))
            digests += known["digests"]
            self.reasons |= {int(place): why for place, why in known["reasons"].items()}
            there = [place for place in places if place not in self.reasons]
            self._rows[there] = np.arange(len(there))
        self.digests = tuple(digests)

    def __len__(self) -> int:
        return self._count

    def chip(self, place: int) -> ByteArray | None:
        """Return the chip of a photo, (h, w, 3) uint8, or None where it gave none."""
        row = int(self._rows[place])
        if row < 0:
            return None
        size = int(np.prod(self._shape))
        with self._file(place // PER_FILE).open("rb", buffering=0) as file:
            file.seek(row * size)
            found = file.read(size)
        if len(found) != size:
            raise InputError(f"{file.name} is damaged.", "Delete it; it is made again.")
        return np.frombuffer(found, np.uint8).reshape(self._shape)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:05d}.chips"

    def _known(self, number: int, places: range) -> dict[str, Any] | None:
        """Return the record of a file that was made before and is whole."""
        file = self._file(number)
        try:
            known = json.loads(file.with_suffix(".json").read_bytes())
            there = len(places) - len(known["reasons"])
            if file.stat().st_size != there * int(np.prod(self._shape)):
                return None
            return dict(known) if len(known["digests"]) == len(places) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make(
        self,
        number: int,
        places: range,
        pictures: PictureSource,
        aligner: Aligner,
        done: Done | None,
    ) -> dict[str, Any]:
        chips: list[bytes] = []
        digests: list[str] = []
        reasons: dict[str, str] = {}
        jobs = ((place, pictures.picture(place)) for place in places)
        for place, found in aligner.cut(jobs):
            digests.append(found.digest)
            if found.chip is None:
                reasons[str(place)] = found.reason
            else:
                chips.append(found.chip.tobytes())
            if done:
                done(1)
        record: dict[str, Any] = {"digests": digests, "reasons": reasons}
        # the record comes last: with it, the chips are there
        write(self._file(number), b"".join(chips), private=True)
        write(self._file(number).with_suffix(".json"), json.dumps(record).encode(), private=True)
        return record


def key_of(pictures: PictureSource, how: str) -> str:
    """Return the name of the folder of these photos, cut so: another size or time is another."""
    seen = hashlib.sha256(how.encode())
    for place in range(len(pictures)):
        picture = pictures.picture(place)
        if isinstance(picture, bytes):
            seen.update(hashlib.sha256(picture).digest())
            continue
        try:
            now = picture.stat()
            seen.update(f"{picture.absolute()}\t{now.st_size}\t{now.st_mtime_ns}\n".encode())
        except OSError:
            seen.update(f"{picture.absolute()}\t-\n".encode())
    return seen.hexdigest()[:32]
