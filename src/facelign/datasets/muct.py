"""The landmarks of MUCT in the four forms in which its authors give them.

Milborrow, Morkel and Nicolls, "The MUCT Landmarked Face Database", 2010: 3,755 photos of 276 people
by five cameras, 480 x 640 px. ``muct76-opencv.csv`` counts from the upper left corner, y down;
``muct76.csv``, ``muct76.shape`` (Stasm) and ``muct76.rda`` (R) count from the middle, y up. A point
that cannot be seen is (0, 0) in either. Rows named ``ir...`` are the same photos mirrored, which
are no files: they are left out unless asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.datasets.points_csv import read_points_csv
from facelign.datasets.r_data import read_r_table
from facelign.datasets.records import list_text, malformed
from facelign.errors import DatasetMalformed, DatasetMissing
from facelign.files.home import expanded
from facelign.types.arrays import Float64Array

#: width and height of its photos, px
SIZE = (480, 640)
#: a name: mirrored or not, person, light, camera; the rest is not spelled alike everywhere
_NAME = re.compile(r"i(r?)(\d{3})([a-z])([a-e])(?:-|$)", re.IGNORECASE)
#: rows of the shape file: more points than any face has
_MOST_POINTS = 1000
_SHAPE = '"tag name", then "{ 76 2", then x y a line, then "}"'


def read_muct(
    path: str | Path, images: str | Path | None = None, *, mirrored: bool = False
) -> PointTable:
    """Return the faces of a file of MUCT, points in px of the photo, y down.

    The kind is told by the ending (.shape, .rda, .csv, .csv.gz) and, of tables, by the name: one
    with "opencv" in it counts from the corner. images: folder of the photos, beside the file when
    left out. mirrored: keep the rows ``ir...`` too. Person and camera are told by the name
    (``with_people``). Raises DatasetMissing, DatasetMalformed.
    """
    source = expanded(path)
    folder = source.parent if images is None else expanded(images)
    ending = source.name.lower()
    if ending.endswith((".csv", ".csv.gz")):
        table = read_points_csv(source, folder)
        centered = "opencv" not in ending
    else:
        reader = _of_r if ending.endswith(".rda") else _of_shape
        names, points = reader(source)
        files = tuple(folder / f"{name}.jpg" for name in names)
        table = PointTable(source.name, files, points, np.ones(points.shape[:2], bool))
        centered = True
    hidden = (table.points == 0).all(axis=2)
    if centered:
        table = replace(table, points=from_center(table.points, hidden))
    table = replace(table, visible=~hidden).told("muct")
    kept = [i for i, file in enumerate(table.files) if mirrored or not _is_mirrored(file)]
    return with_people(table.rows(kept))


def from_center(points: Float64Array, hidden: np.ndarray) -> Float64Array:
    """Return points (n, k, 2) of the photo, y down, of points about its middle, y up.

    hidden: (n, k) bool; a hidden point stays at (0, 0).
    """
    middle = np.array([SIZE[0] / 2, SIZE[1] / 2])
    placed = middle + points * (1.0, -1.0)
    return np.where(hidden[..., None], 0.0, placed)


def with_people(table: PointTable) -> PointTable:
    """Return the table with people and cameras of MUCT's file names, where it does not tell them.

    The twins 247 and 248 are one person here, and so are 88 and 429, who look to be one: no split
    parts them. A name that is spelled otherwise is a person of its own.
    """
    found = [_NAME.match(path.name) for path in table.files]
    pairs = [
        (m[2], m[4].lower()) if m else (p.stem, "") for m, p in zip(found, table.files, strict=True)
    ]
    same = {"248": "247", "429": "088"}
    people = table.people or tuple(person for person, _ in pairs)
    cameras = table.cameras or tuple(camera for _, camera in pairs)
    people = tuple(same.get(person, person) for person in people)
    return replace(table, people=people, cameras=cameras)


def first_people(table: PointTable, count: int) -> tuple[str, ...]:
    """Return the ``count`` first people of a table, by their numbers (82 in article A2)."""
    return tuple(sorted(set(table.people))[:count])


def _is_mirrored(file: Path) -> bool:
    match = _NAME.match(file.name)
    return bool(match and match[1])


def _of_shape(source: Path) -> tuple[list[str], Float64Array]:
    """Return names and points of a Stasm shape file; comments begin with "ss" or "#"."""
    names: list[str] = []
    faces: list[list[list[float]]] = []
    wanted = 0
    for number, line in enumerate(list_text(source).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(("ss", "#", "Directories", "}")):
            continue
        if text.startswith('"'):
            names.append(text.strip('"').split()[-1])
            faces.append([])
        elif text.startswith("{"):
            wanted = _promised(source, number, text)
        else:
            _add_point(source, number, text, faces)
    if not names or any(len(face) != wanted for face in faces):
        raise DatasetMalformed(
            f"{source} does not hold {wanted or 'any'} points for each of {len(names)} faces.",
            f"Wanted: {_SHAPE}.",
        )
    return names, np.array(faces, np.float64)


def _promised(source: Path, number: int, text: str) -> int:
    cells = text.strip("{} ").split()
    if len(cells) != 2 or not cells[0].isdigit() or cells[1] != "2":
        raise malformed(source, number, text[:40], _SHAPE)
    if not 0 < int(cells[0]) <= _MOST_POINTS:
        raise malformed(source, number, f"{cells[0][:20]} points", _SHAPE)
    return int(cells[0])


def _add_point(source: Path, number: int, text: str, faces: list[list[list[float]]]) -> None:
    try:
        x, y = (float(cell) for cell in text.split())
    except ValueError as error:
        raise malformed(source, number, text[:40], _SHAPE) from error
    if not faces or not np.isfinite((x, y)).all():
        raise malformed(source, number, "a point without a name, or NaN", _SHAPE)
    faces[-1].append([x, y])


def _of_r(source: Path) -> tuple[Sequence[str], Float64Array]:
    """Return names and points of a table of R: a matrix or data frame with a row for each face."""
    names, columns, values = read_r_table(source)
    at = {name: i for i, name in enumerate(columns)}
    k = sum(bool(re.fullmatch(r"x\d{1,4}", name)) for name in columns)
    wanted = [f"{axis}{i:02d}" for i in range(k) for axis in "xy"]
    if not k or not names or set(wanted) - set(at):
        raise DatasetMissing(
            f"{source} holds no table with columns x00, y00, x01, y01 ... and names of photos.",
            "Give MUCT's muct76.rda, or its .csv.",
        )
    points = values[:, [at[name] for name in wanted]].reshape(len(values), k, 2)
    if not np.isfinite(points).all():
        raise DatasetMalformed(f"{source}: a point is NaN or infinite.", "Copy it again.")
    return names, points
