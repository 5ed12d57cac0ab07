"""Landmarks from tables (300-W/iBUG crops, MUCT), ``.pts`` files and imglab XML."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from facelign.datasets.records import MAX_LIST_BYTES, csv_rows, existing, list_text, malformed
from facelign.errors import ConfigError, DatasetMalformed, DatasetMissing
from facelign.files.home import expanded
from facelign.types.arrays import BoolArray, Float64Array, IntArray, check

#: numberings of annotated points that are known (``types.schemes.REDUCTIONS``)
ANNOTATIONS = ("ibug-68", "muct")
_NUMBERS = "numbers in x and y"
#: MUCT writes points that cannot be seen as exactly this
_UNAVAILABLE = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class PointTable:
    """Landmarks of n faces, one row each.

    files: n paths. points: (n, k, 2) float64 px, x right, y down. visible: (n, k) bool, false where
    the annotation says that a point is unavailable (its coordinates mean nothing). scheme: of
    ``ANNOTATIONS``, "" where nobody said it.
    """

    name: str
    files: tuple[Path, ...]
    points: Float64Array
    visible: BoolArray
    scheme: str = ""

    def __post_init__(self) -> None:
        check(self, np.float64, points=(len(self.files), None, 2))
        check(self, np.bool_, visible=self.points.shape[:2])

    def __len__(self) -> int:
        return len(self.files)

    @property
    def k(self) -> int:
        """How many points a face has: count them, files are cut by their publishers."""
        return int(self.points.shape[1])

    def rows(self, rows: Sequence[int] | IntArray) -> PointTable:
        """Return the faces of ``rows``, by number."""
        at = [int(row) for row in rows]
        files = tuple(self.files[i] for i in at)
        return replace(self, files=files, points=self.points[at], visible=self.visible[at])

    def every(self, count: int) -> PointTable:
        """Return at most ``count`` faces, evenly spread over the set; 0 for all."""
        if not 0 < count < len(self):
            return self
        return self.rows(np.linspace(0, len(self) - 1, count).astype(int))


def read_points_csv(
    path: str | Path, images: str | Path | None = None, *, muct: bool = False
) -> PointTable:
    """Return a table with columns x00, y00, x01, y01 and so on; ``.csv`` or ``.csv.gz``.

    The file of a row is its column ``file``, else ``name`` with ``.jpg`` added. muct: points at
    exactly (0, 0) are unavailable. Raises DatasetMalformed with the number of the line.
    """
    source = expanded(path)
    folder = source.parent if images is None else expanded(images)
    lines = csv_rows(source, _NUMBERS, text=_table_text(source))
    header = next(lines, (1, []))[1]
    k, places = _point_columns(source, header)
    rows: list[list[str]] = []
    coordinates: list[list[float]] = []
    for line, row in lines:
        if len(row) != len(header):
            raise malformed(source, line, f"{len(row)} cells", f"{len(header)} as the header")
        try:
            coordinates.append([float(row[i]) for i in places])
        except ValueError as error:
            raise malformed(source, line, str(error), _NUMBERS) from error
        rows.append(row)
    points = np.array(coordinates, np.float64).reshape(len(rows), k, 2)
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))[0])
        raise malformed(source, bad + 2, "a point is NaN or infinite", _NUMBERS)
    hidden = (points == _UNAVAILABLE).all(axis=2) if muct else np.zeros(points.shape[:2], bool)
    column, suffix = ("file", "") if "file" in header else ("name", ".jpg")
    if rows and column not in header:
        raise malformed(source, 1, "no column file or name", "file or name, then x00, y00 ...")
    files = tuple(folder / f"{row[header.index(column)]}{suffix}" for row in rows)
    return PointTable(source.name, files, points, ~hidden)


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


def _of_imglab(source: Path, folder: Path) -> PointTable:
    """Return the faces of an imglab XML file (dlib) that have points and are not to be ignored."""
    data = source.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
        raise DatasetMalformed(f"{source} defines entities or is no text.", "imglab writes none.")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a DTD nothing can be expanded
        boxes = [(folder / i.attrib["file"], b) for i in root.iter("image") for b in i.iter("box")]
        faces = [(path, points) for path, box in boxes if len(points := _imglab_points(box))]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DatasetMalformed(
            f"{source} is no imglab file: {error}.", "Wanted: images with boxes, as imglab writes."
        ) from error
    return _stacked(
        source.name, faces, DatasetMissing(f"{source} holds no faces with points of one kind.")
    )


def _imglab_points(box: ElementTree.Element) -> Float64Array:
    """Return the points (k, 2) of a box, (0, 2) where it has none or is marked as to be ignored."""
    for side in ("left", "top", "width", "height"):
        float(box.attrib[side])
    parts = sorted(box.iter("part"), key=lambda part: part.attrib["name"])
    points = [[float(part.attrib["x"]), float(part.attrib["y"])] for part in parts]
    if box.attrib.get("ignore", "0") not in ("0", "false"):
        points = []
    return np.array(points, np.float64).reshape(-1, 2)


def read_annotated(
    data: str | Path, images: str | Path | None = None, scheme: str = ""
) -> PointTable:
    """Return the faces of a table (.csv, .csv.gz), a folder of .pts files or an imglab file.

    images: folder of the photos; beside the data, or in its folder ``images`` or ``crops``, when
    left out. scheme: "ibug-68" or "muct"; told by the number of points and the name when empty.
    """
    source = expanded(data)
    muct = scheme == "muct" or (not scheme and "muct" in source.name.lower())
    if source.is_dir():
        tables = sorted(source.glob("*.csv"))
        if len(tables) == 1 and not list(source.glob("*.pts")):
            return read_annotated(tables[0], images, scheme)
        table, muct = _of_pts(source, expanded(images) if images else source), False
    elif source.suffix == ".xml":
        table = _of_imglab(existing(source), expanded(images) if images else source.parent)
    else:
        table = read_points_csv(source, images or _photos_beside(source), muct=muct)
    return replace(table, scheme=_scheme(table.k, scheme, muct))


def _of_pts(folder: Path, images: Path) -> PointTable:
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
    return _stacked(folder.name, faces, refusal)


def _stacked(
    name: str, faces: Sequence[tuple[Path, Float64Array]], refusal: DatasetMissing
) -> PointTable:
    """Return faces of which every point is seen; raises ``refusal`` unless all have as many."""
    if len({len(points) for _, points in faces}) != 1:
        raise refusal
    table = np.stack([points for _, points in faces])
    return PointTable(name, tuple(path for path, _ in faces), table, np.ones(table.shape[:2], bool))


def _scheme(k: int, scheme: str, muct: bool) -> str:
    if scheme not in ("", *ANNOTATIONS):
        raise ConfigError(f"There is no scheme '{scheme}' of annotation.", "ibug-68 or muct.")
    if muct and k in (68, 76):
        return "muct"
    if k == 68:
        return "ibug-68"
    raise ConfigError(
        f"Annotations of {k} points are not known.", "Known: ibug-68 (68) and muct (76, or its 68)."
    )


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


def _photos_beside(source: Path) -> Path:
    """Return where the photos of a table lie: beside it, or in a folder of the usual names."""
    table = read_points_csv(source)
    first = table.files[0].relative_to(source.parent) if len(table) else Path()
    for name in ("", "images", "crops", "photos"):
        if (source.parent / name / first).is_file():
            return source.parent / name
    return source.parent
