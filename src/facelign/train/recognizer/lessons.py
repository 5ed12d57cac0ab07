"""Faces without names and what teachers say of them: found once, kept on the disk, read one by one.

The product's own chain finds all faces of all photos below a folder and embeds them; the vector of
each, averaged with that of its mirror image, is what a student is to give for its chip. Of several
teachers the unit vectors lie end to end (``embed.joint``), so that the student's cosine is the mean
of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facelign.errors import InputError
from facelign.files import disk
from facelign.files.home import training_path
from facelign.imaging.listing import photos as photos_in
from facelign.models import catalog
from facelign.recognition.embedding import cut
from facelign.recognition.options import ChainOptions
from facelign.recognition.presets import Part, Preset
from facelign.recognition.recognizer import Recognizer, Walk
from facelign.train.recognizer.shards import PhotoPaths, key_of
from facelign.types.analysis import Analysis
from facelign.types.arrays import ByteArray, Float32Array, IntArray

_CHIPS, _TARGETS, _RECORD = "chips.u8", "targets.f32", "lessons.json"


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """n faces. chips: (n, h, w, 3) uint8, read when asked for; targets: (n, d) float32, length 1.

    photos: (n,) number of the photo of each, so that the faces of a photo stay together. names: of
    the photos. without: how many photos gave no face. space: id of the space of the targets.
    """

    chips: ByteArray = field(repr=False)
    targets: Float32Array = field(repr=False)
    photos: IntArray = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    without: int
    space: str
    digest: str

    def __len__(self) -> int:
        return len(self.targets)


def lessons(
    folder: Path,
    teachers: Sequence[str],
    layout: str,
    size: tuple[int, int],
    *,
    detector: str = "yunet",
    limit: int = 0,
    done: Callable[[int], None] | None = None,
) -> Lessons:
    """Return what the teachers say of the faces in the photos of a folder.

    layout, size: of the student's chips. limit: photos at most, 0 for all. done: called with the
    number of photos done. Raises InputError for a folder without faces, WeightsMissing.
    """
    paths = [Path(path) for path in photos_in([folder]).files][: limit or None]
    if not paths:
        raise InputError(f"There are no photos in {folder}.", "Name a folder of photos.")
    title = " and ".join(teachers)
    parts = tuple(Part(name, flip=True, unit=True) for name in teachers)
    options = ChainOptions()
    chain = Recognizer(Preset("teachers", title, detector, parts), options=options)
    digest = key_of(PhotoPaths(paths), f"{chain.chain.id}|{layout}|{size[0]}x{size[1]}")
    place = training_path() / "lessons" / digest
    if not (place / _RECORD).is_file():
        disk.made(place.parent)
        with disk.scratch_folder(place.parent) as scratch:
            made = scratch / "made"
            made.mkdir()
            _write(made, chain, paths, folder, layout, size, done)
            made.rename(place)
    return _read(place, digest)


def _write(
    place: Path,
    chain: Recognizer,
    paths: Sequence[Path],
    folder: Path,
    layout_id: str,
    size: tuple[int, int],
    done: Callable[[int], None] | None,
) -> None:
    layout = catalog.default().layout_of_size(layout_id, size)
    photos: list[int] = []
    without = 0
    with (place / _CHIPS).open("wb") as chips, (place / _TARGETS).open("wb") as targets:
        walk = Walk(keep=True)
        for number, found in chain.carry(enumerate(paths), walk, done=done):
            if not isinstance(found, Analysis) or found.embeddings is None:
                without += 1
                continue
            pairs = _pairs(found, layout, layout_id)
            without += not pairs
            for chip, vector in pairs:
                chips.write(chip.tobytes())
                targets.write(vector.tobytes())
                photos.append(number)
    record = {
        "size": list(size),
        "dim": chain.space.dim,
        "space": chain.space.id,
        "photos": photos,
        "names": [str(path.relative_to(folder)) for path in paths],
        "without": without,
    }
    disk.write(place / _RECORD, json.dumps(record).encode())


def _pairs(found: Analysis, layout: object, layout_id: str) -> list[tuple[ByteArray, Float32Array]]:
    """Return the student's chip and the teachers' vector of each face."""
    assert found.embeddings is not None  # noqa: S101 - by the walk
    mine = next((one for one in found.chips if one.layout == layout_id), None)
    places = {int(face): i for i, face in enumerate(found.embedded)}
    if mine is not None:
        return list(zip(mine.pixels, found.embeddings.vectors, strict=True))
    again = cut(found, [layout])  # type: ignore[list-item]
    vectors = found.embeddings.vectors
    return [
        (chip, vectors[places[int(face)]])
        for chip, face in zip(again.chips[0].pixels, again.embedded, strict=True)
        if int(face) in places
    ]


def _read(place: Path, digest: str) -> Lessons:
    record = json.loads((place / _RECORD).read_text(encoding="utf-8"))
    count, (width, height) = len(record["photos"]), record["size"]
    if not count:
        raise InputError("No photo shows a face.", "Name a folder of photos of faces.")
    chips = np.memmap(place / _CHIPS, np.uint8, "r", shape=(count, height, width, 3))
    targets = np.fromfile(place / _TARGETS, np.float32).reshape(count, record["dim"])
    return Lessons(
        chips,
        targets,
        np.asarray(record["photos"], np.int64),
        tuple(record["names"]),
        int(record["without"]),
        record["space"],
        digest,
    )
