"""Photos of people from a CSV file with a header that has a column of files and one of people."""

from __future__ import annotations

from pathlib import Path

from facelign.datasets.records import PeopleFolder, Photo, csv_rows, existing, malformed
from facelign.datasets.shelf import FolderShelf
from facelign.errors import DatasetMissing

_FILES = ("file", "photo", "image", "path", "filename")
_PEOPLE = ("person", "subject", "name", "identity", "label")
_WANTED = "a header with the columns file and person"


def read_people_csv(path: str | Path, images: str | Path | None = None) -> PeopleFolder:
    """Return the photos of a CSV file, in its order; they lie in ``images``, or beside it.

    Further columns are passed over. A file that is not there is listed as skipped, and a line that
    says once more what another does counts once. Raises DatasetMissing where none is there,
    DatasetMalformed with the number of the line.
    """
    source = existing(path)
    shelf = FolderShelf(source.parent if images is None else images)
    rows = csv_rows(source, _WANTED)
    header = [cell.strip().lower() for cell in next(rows, (1, []))[1]]
    file = next((header.index(name) for name in _FILES if name in header), -1)
    person = next((header.index(name) for name in _PEOPLE if name in header), -1)
    if file < 0 or person < 0:
        raise malformed(source, 1, f"no column {'file' if file < 0 else 'person'}", _WANTED)
    photos: dict[Photo, int] = {}
    repeated: list[tuple[int, int]] = []
    skipped: list[tuple[Path, str]] = []
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(file, person) or not (row[file].strip() and row[person].strip()):
            raise malformed(source, line, "no file or no person", _WANTED)
        photo = Photo(shelf.named(row[file].strip()), row[person].strip())
        if photo in photos:
            repeated.append((photos[photo], line))
        elif shelf.holds(photo.path):
            photos[photo] = line
        else:
            skipped.append((photo.path, "is not there"))
    if not photos:
        raise DatasetMissing(
            f"None of the {len(skipped)} photos of {source} is in {shelf.title}.",
            "Give the folder that holds the photos.",
        )
    return PeopleFolder(source.parent, tuple(photos), tuple(skipped), tuple(repeated))
