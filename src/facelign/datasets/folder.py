"""A folder of people: one folder a person, photos in it."""

from __future__ import annotations

from pathlib import Path

from facelign.datasets.records import PeopleFolder, Photo
from facelign.errors import DatasetMissing
from facelign.files.home import expanded
from facelign.imaging.listing import people_folders


def read_folder(root: str | Path) -> PeopleFolder:
    """Return the photos of a folder of people, sorted by person and name.

    People and photos are those that enroll would take of the folder (``imaging.listing``). Files
    that are no pictures, and pictures that lie outside of any person's folder, are listed as
    skipped. Raises DatasetMissing if there is no photo of anybody.
    """
    folder = expanded(root)
    if not folder.is_dir():
        raise DatasetMissing(f"There is no folder {folder}.", "Check the path.")
    found = people_folders(folder)
    photos = tuple(Photo(path, who) for who, paths in found.people.items() for path in paths)
    if not photos:
        raise DatasetMissing(
            f"{folder} holds no folder with photos.", "Make one folder a person, photos in it."
        )
    loose = tuple((path, "not in a person's folder") for path in found.loose)
    return PeopleFolder(folder, photos, (*found.skipped, *loose))
