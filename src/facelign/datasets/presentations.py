"""Presentations to a camera: bona fide ones, and attacks by their kind, with who and which device.

Either a list, ``presentations.csv``, or folders::

    bona-fide/SUBJECT/DEVICE/photo.jpg
    attack/print/SUBJECT/DEVICE/photo.jpg

The folder of the device may be left out. SUBJECT is whose face is shown, also on a print.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facelign.datasets.records import csv_rows, malformed
from facelign.datasets.shelf import FolderShelf
from facelign.errors import DatasetMissing
from facelign.files.home import expanded
from facelign.imaging.listing import passed_over, people_folders

#: the name of a list, and what bona fide presentations are called in lists and folders
LIST, BONA_FIDE = "presentations.csv", "bona-fide"
_ATTACK = "attack"
_WANTED = "a header with the columns file, species and subject, and device if there are several"


@dataclass(frozen=True, slots=True)
class Presentation:
    """One photo of a presentation.

    species: of the attack instrument (print, screen), "" for a bona fide one. subject: whose face
    is shown. device: what took the photo, "" where nobody says.
    """

    path: Path
    species: str
    subject: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Presentations:
    """A set of presentations. skipped: files that are none, with the reason."""

    name: str
    shown: tuple[Presentation, ...]
    skipped: tuple[tuple[Path, str], ...] = ()


def read_presentations(root: str | Path) -> Presentations:
    """Return the presentations of a folder, by its list if it has one, else by its folders.

    Raises DatasetMissing where there are none, DatasetMalformed with the line of a list.
    """
    folder = expanded(root)
    if not folder.is_dir():
        raise DatasetMissing(f"There is no folder {folder}.", "Check the path.")
    listed = folder / LIST
    found = _listed(listed) if listed.is_file() else _in_folders(folder)
    if not found.shown:
        raise DatasetMissing(
            f"{folder} holds no presentation.",
            f"Put photos into {BONA_FIDE}/SUBJECT and {_ATTACK}/TYPE/SUBJECT, or list them in "
            f"{LIST}.",
        )
    return found


def _listed(path: Path) -> Presentations:
    shelf = FolderShelf(path.parent)
    rows = csv_rows(path, _WANTED)
    header = [cell.strip().lower() for cell in next(rows, (1, []))[1]]
    for name in ("file", "species", "subject"):
        if name not in header:
            raise malformed(path, 1, f"no column {name}", _WANTED)
    shown: dict[Path, Presentation] = {}
    skipped: list[tuple[Path, str]] = []
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        if not (cells.get("file") and cells.get("species") and cells.get("subject")):
            raise malformed(path, line, "no file, no species or no subject", _WANTED)
        species = "" if cells["species"].lower() == BONA_FIDE else cells["species"]
        place = shelf.named(cells["file"])
        if place in shown:
            raise malformed(path, line, f"{cells['file']} is listed before", _WANTED)
        if not shelf.holds(place):
            skipped.append((place, "is not there"))
            continue
        shown[place] = Presentation(place, species, cells["subject"], cells.get("device", ""))
    return Presentations(path.parent.name, tuple(shown.values()), tuple(skipped))


def _in_folders(folder: Path) -> Presentations:
    shown: list[Presentation] = []
    strange = f"neither {BONA_FIDE} nor {_ATTACK}"
    skipped = [
        (one, strange)
        for one in sorted(folder.iterdir())
        if one.is_dir() and one.name not in (BONA_FIDE, _ATTACK) and not passed_over(one.name)
    ]
    kinds = [("", folder / BONA_FIDE)]
    attacks = folder / _ATTACK
    if attacks.is_dir():
        kinds += [(_plain(one.name), one) for one in sorted(attacks.iterdir()) if one.is_dir()]
    for species, place in kinds:
        if not place.is_dir():
            continue
        found = people_folders(place)
        skipped += [*found.skipped, *((one, "not in a subject's folder") for one in found.loose)]
        for subject, photos in found.people.items():
            shown += _of_subject(place, species, subject, photos)
    return Presentations(folder.name, tuple(shown), tuple(skipped))


def _of_subject(
    place: Path, species: str, subject: str, photos: tuple[Path, ...]
) -> Iterator[Presentation]:
    for photo in photos:
        inside = photo.relative_to(place).parts[1:-1]
        yield Presentation(photo, species, subject, _plain("/".join(inside)))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)
