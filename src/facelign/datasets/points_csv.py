"""Landmarks from tables with columns x00, y00, x01, y01 and so on."""

from __future__ import annotations

import gzip
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.datasets.records import MAX_LIST_BYTES, csv_rows, existing, list_text, malformed
from facelign.errors import DatasetMalformed
from facelign.files.home import expanded
from facelign.types.arrays import Float64Array

_NUMBERS = "numbers in x and y"
#: columns that are read where a table has them: of a table's field, the names that it goes by
_TOLD = {
    "people": ("person", "subject"),
    "cameras": ("camera",),
    "photos": ("photo",),
    "splits": ("split",),
}
_BOX = ("box_x", "box_y", "box_w", "box_h")


def read_points_csv(path: str | Path, images: str | Path | None = None) -> PointTable:
    """Return a table with columns x00, y00, x01, y01 and so on; ``.csv`` or ``.csv.gz``.

    The file of a row is its column ``file``, else ``name`` with ``.jpg`` added. Columns person or
    subject, camera, photo and split are kept, so is a box (``box_x``, ``box_y``, ``box_w``,
    ``box_h``). Raises DatasetMalformed with the number of the line.
    """
    source = expanded(path)
    folder = source.parent if images is None else expanded(images)
    lines = csv_rows(source, _NUMBERS, text=_table_text(source))
    header = next(lines, (1, []))[1]
    k, places = _point_columns(source, header)
    rows: list[list[str]] = []
    coordinates: list[list[float]] = []
    at: list[int] = []
    for line, row in lines:
        if len(row) != len(header):
            raise malformed(source, line, f"{len(row)} cells", f"{len(header)} as the header")
        coordinates.append(_numbers(source, line, header, row, places))
        rows.append(row)
        at.append(line)
    points = np.array(coordinates, np.float64).reshape(len(rows), k, 2)
    column, suffix = ("file", "") if "file" in header else ("name", ".jpg")
    if rows and column not in header:
        raise malformed(source, 1, "no column file or name", "file or name, then x00, y00 ...")
    files = tuple(folder / f"{row[header.index(column)]}{suffix}" for row in rows)
    told: dict[str, Any] = {
        field: tuple(row[header.index(name)] for row in rows)
        for field, names in _TOLD.items()
        for name in names
        if name in header
    }
    boxes = _boxes(source, header, rows, at) if set(_BOX) <= set(header) else None
    seen = np.ones(points.shape[:2], bool)
    return PointTable(source.name, files, points, seen, boxes=boxes, **told)


def _numbers(
    source: Path, line: int, header: list[str], row: list[str], places: list[int]
) -> list[float]:
    """Return finite numbers of a row; raises DatasetMalformed with line and column."""
    found = []
    for place in places:
        try:
            found.append(float(row[place]))
        except ValueError:
            found.append(math.nan)
        if not math.isfinite(found[-1]):
            cell = row[place].strip()
            said = f"column {header[place].strip()} holds {repr(cell) if cell else 'nothing'}"
            raise malformed(source, line, said, "a finite number")
    return found


def _boxes(
    source: Path, header: list[str], rows: list[list[str]], lines: list[int]
) -> Float64Array:
    """Return the boxes (n, 4) of columns with corner and sides; lines: of the rows."""
    places = [header.index(name) for name in _BOX]
    told = zip(lines, rows, strict=True)
    found = [_numbers(source, line, header, row, places) for line, row in told]
    sides = np.array(found, np.float64).reshape(-1, 4)
    return np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)


def _table_text(source: Path) -> str:
    if source.suffix != ".gz":
        return list_text(source)
    try:
        with gzip.open(existing(source)) as stream:
            data = stream.read(MAX_LIST_BYTES + 1)
        if len(data) > MAX_LIST_BYTES:
            raise DatasetMalformed(f"{source} is too large for a table.", "Give another file.")
        return data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DatasetMalformed(f"{source} is no gzip text: {error}.", "Copy it again.") from error


def _point_columns(source: Path, header: list[str]) -> tuple[int, list[int]]:
    """Return k and the places of x0, y0, x1, y1 ... in the header."""
    found = {
        (int(match[2]), match[1]): i
        for i, name in enumerate(header)
        if (match := re.fullmatch(r"([xy])(\d{1,4})", name.strip()))
    }
    k = len(found) // 2
    wanted = [(point, axis) for point in range(k) for axis in "xy"]
    if not k or sorted(found) != sorted(wanted):
        raise malformed(source, 1, "no whole set of point columns", "x00, y00, x01, y01 ...")
    return k, [found[key] for key in wanted]


def photos_beside(source: Path) -> Path:
    """Return where the photos of a table lie: beside it, or in a folder of the usual names."""
    table = read_points_csv(source)
    first = table.files[0].relative_to(source.parent) if len(table) else Path()
    for name in ("", "images", "crops", "photos"):
        if (source.parent / name / first).is_file():
            return source.parent / name
    return source.parent
