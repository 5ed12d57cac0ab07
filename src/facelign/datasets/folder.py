"""A folder of people: one folder a person, photos in it."""

from __future__ import annotations

from pathlib import Path

from facelign.datasets.records import PeopleFolder, Photo
from facelign.errors import DatasetMissing

#: what counts as a picture by its name; a reader may still refuse the bytes
PICTURES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif"),
    }
)


def read_folder(root: str | Path) -> PeopleFolder:
    """Return the photos of a folder of people, sorted by person and name.

    The name of a folder is the person's name; folders in it belong to the same person. Files that
    are no pictures by their suffix, and pictures that lie outside of any person's folder, are
    listed as skipped. Raises DatasetMissing if there is no photo of anybody.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise DatasetMissing(f"There is no folder {folder}.", "Check the path.")
    photos: list[Photo] = []
    skipped: list[tuple[Path, str]] = []
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            skipped.append((entry, "not in a person's folder"))
            continue
        for path in sorted(p for p in entry.rglob("*") if p.is_file()):
            if path.name.startswith("."):
                skipped.append((path, "hidden"))
            elif path.suffix.lower() not in PICTURES:
                skipped.append((path, "no picture by its name"))
            else:
                photos.append(Photo(path, entry.name))
    if not photos:
        raise DatasetMissing(
            f"{folder} holds no folder with photos.", "Make one folder a person, photos in it."
        )
    return PeopleFolder(folder, tuple(photos), tuple(skipped))
