"""Landmarks from the ``.pts`` files of 300-W (iBUG), one beside each photo."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from facelign.datasets.point_table import PointTable, stacked
from facelign.datasets.records import list_text, malformed
from facelign.errors import DatasetMissing
from facelign.files.home import expanded
from facelign.types.arrays import Float64Array


def read_pts(path: str | Path, *, first: int = 0) -> Float64Array:
    """Return the (k, 2) points of a ``.pts`` file, with or without its header and braces.

    first: the number that the file gives to the first pixel; 300-W's own files count from 1, and
    with ``first=1`` one is taken off, so that integers are pixel centers counted from 0.
    """
    source = expanded(path)
    rows: list[list[float]] = []
    promised: int | None = None
    for number, line in enumerate(list_text(source).splitlines(), 1):
        text = line.strip()
        if text.startswith("n_points"):
            promised = int(re.sub(r"\D", "", text) or 0)
        elif text and text not in "{}" and not text.startswith("version"):
            cells = text.replace(",", " ").split()
            try:
                rows.append([float(cell) for cell in cells])
            except ValueError as error:
                raise malformed(source, number, "no point", "'x y' a line") from error
            if len(cells) != 2 or not np.isfinite(rows[-1]).all():
                raise malformed(source, number, f"{len(cells)} numbers", "'x y' a line")
    if promised is not None and promised != len(rows):
        raise malformed(source, 2, f"{promised} points promised, {len(rows)} there", "as many")
    return np.array(rows, np.float64).reshape(-1, 2) - first


def read_pts_folder(folder: Path, images: Path) -> PointTable:
    """Return the faces of the .pts files that have a photo of the same name."""
    faces = []
    for path in sorted(folder.glob("*.pts")):
        places = (images / f"{path.stem}{suffix}" for suffix in (".jpg", ".png", ".jpeg"))
        photo = next((place for place in places if place.is_file()), None)
        if photo is not None:
            faces.append((photo, read_pts(path, first=1)))
    refusal = DatasetMissing(
        f"{folder} holds no .pts files with a photo of the same name and one kind of points.",
        "Give a .csv, a folder of .pts files or an imglab .xml.",
    )
    return stacked(folder.name, faces, refusal)
