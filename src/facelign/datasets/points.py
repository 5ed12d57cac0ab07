"""Landmarks from tables (300-W/iBUG crops, MUCT), ``.pts`` files and imglab XML."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from facelign.datasets.records import MAX_LIST_BYTES, list_text, malformed
from facelign.errors import ConfigError, DatasetMalformed, DatasetMissing
from facelign.types.arrays import BoolArray, Float32Array, Float64Array, IntArray, check

#: numberings of annotated points that are known (``types.schemes.REDUCTIONS``)
ANNOTATIONS = ("ibug-68", "muct")
#: MUCT writes points that cannot be seen as exactly this
_UNAVAILABLE = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class PointTable:
    """Landmarks of n faces, one row each.

    files: n paths. points: (n, k, 2) float64 px, x right, y down. visible: (n, k) bool, false where
    the annotation says that a point is unavailable (its coordinates mean nothing). columns: the
    other columns of the table, n texts each. scheme: of ``ANNOTATIONS``, "" where nobody said it.
    """

    name: str
    files: tuple[Path, ...]
    points: Float64Array
    visible: BoolArray
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
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
        return replace(
            self,
            files=tuple(self.files[i] for i in at),
            points=self.points[at],
            visible=self.visible[at],
            columns={name: tuple(cells[i] for i in at) for name, cells in self.columns.items()},
        )

    def every(self, count: int) -> PointTable:
        """Return at most ``count`` faces, evenly spread over the set; 0 for all."""
        if not 0 < count < len(self):
            return self
        return self.rows(np.linspace(0, len(self) - 1, count).astype(int))


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPoints:
    """One annotated face of an imglab file: box (4,) xyxy px and points (k, 2), or (0, 2)."""

    path: Path
    box: Float32Array
    points: Float64Array
    ignore: bool = False


def read_points_csv(
    path: str | Path, images: str | Path | None = None, *, muct: bool = False
) -> PointTable:
    """Return a table with columns x00, y00, x01, y01 and so on; ``.csv`` or ``.csv.gz``.

    The file of a row is its column ``file``, else ``name`` with ``.jpg`` added. muct: points at
    exactly (0, 0) are unavailable. Raises DatasetMalformed with the number of the line.
    """
    source = Path(path)
    folder = source.parent if images is None else Path(images)
    reader = csv.reader(io.StringIO(_table_text(source), newline=""))
    header = next(reader, [])
    k, places = _point_columns(source, header)
    rows: list[list[str]] = []
    coordinates: list[list[float]] = []
    try:
        for row in reader:
            if len(row) != len(header):
                raise malformed(
                    source, reader.line_num, f"{len(row)} cells", f"{len(header)} as the header"
                )
            rows.append(row)
            coordinates.append([float(row[i]) for i in places])
    except (ValueError, csv.Error) as error:
        raise malformed(source, reader.line_num, str(error), "numbers in x and y") from error
    points = np.array(coordinates, np.float64).reshape(len(rows), k, 2)
    if not np.isfinite(points).all():
        bad = int(np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))[0])
        raise malformed(source, bad + 2, "a point is NaN or infinite", "numbers in x and y")
    hidden = (points == _UNAVAILABLE).all(axis=2) if muct else np.zeros(points.shape[:2], bool)
    others = [i for i in range(len(header)) if i not in set(places)]
    columns = {header[i]: tuple(row[i] for row in rows) for i in others}
    names = columns.get("file") or tuple(f"{n}.jpg" for n in columns.get("name", ()))
    if rows and not names:
        raise malformed(source, 1, "no column file or name", "file or name, then x00, y00 ...")
    return PointTable(source.name, tuple(folder / n for n in names), points, ~hidden, columns)


def read_pts(path: str | Path, *, first: int = 0) -> Float64Array:
    """Return the (k, 2) points of a ``.pts`` file, with or without its header and braces.

    first: the number that the file gives to the first pixel; 300-W's own files count from 1, and
    with ``first=1`` one is taken off, so that integers are pixel centers counted from 0.
    """
    source = Path(path)
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


def read_imglab(path: str | Path, images: str | Path | None = None) -> tuple[BoxedPoints, ...]:
    """Return the faces of an imglab XML file (dlib), boxes with points where it has them."""
    source = Path(path)
    folder = source.parent if images is None else Path(images)
    if not source.is_file():
        raise DatasetMissing(f"There is no file {source}.", "Check the path.")
    data = source.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
        raise DatasetMalformed(f"{source} defines entities or is no text.", "imglab writes none.")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a DTD nothing can be expanded
        return tuple(
            _imglab_face(folder / image.attrib["file"], box)
            for image in root.iter("image")
            for box in image.iter("box")
        )
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DatasetMalformed(
            f"{source} is no imglab file: {error}.", "Wanted: images with boxes, as imglab writes."
        ) from error


def read_annotated(
    data: str | Path, images: str | Path | None = None, scheme: str = ""
) -> PointTable:
    """Return the faces of a table (.csv, .csv.gz), a folder of .pts files or an imglab file.

    images: folder of the photos; beside the data, or in its folder ``images`` or ``crops``, when
    left out. scheme: "ibug-68" or "muct"; told by the number of points and the name when empty.
    """
    source = Path(data)
    muct = scheme == "muct" or (not scheme and "muct" in source.name.lower())
    if source.is_dir():
        tables = sorted(source.glob("*.csv"))
        if len(tables) == 1 and not list(source.glob("*.pts")):
            return read_annotated(tables[0], images, scheme)
        table, muct = _of_pts(source, Path(images) if images else source), False
    elif source.suffix == ".xml":
        faces = [f for f in read_imglab(source, images) if len(f.points) and not f.ignore]
        refusal = DatasetMissing(f"{source} holds no faces with points of one kind.")
        table = _stacked(source.name, [(f.path, f.points) for f in faces], refusal)
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


def _imglab_face(path: Path, box: ElementTree.Element) -> BoxedPoints:
    left, top, width, height = (float(box.attrib[n]) for n in ("left", "top", "width", "height"))
    parts = sorted(box.iter("part"), key=lambda part: part.attrib["name"])
    points = [[float(part.attrib["x"]), float(part.attrib["y"])] for part in parts]
    edges = np.array([left, top, left + width, top + height], np.float32) - np.float32(0.5)
    ignored = box.attrib.get("ignore", "0") not in ("0", "false")
    return BoxedPoints(path, edges, np.array(points, np.float64).reshape(-1, 2), ignored)


def _table_text(source: Path) -> str:
    if source.suffix != ".gz":
        return list_text(source)
    if not source.is_file():
        raise DatasetMissing(f"There is no file {source}.", "Check the path.")
    try:
        with gzip.open(source) as stream:
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
