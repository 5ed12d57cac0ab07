"""Landmarks from the XML files of imglab, dlib's tool for marking photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from facelign.datasets.point_table import PointTable, stacked
from facelign.datasets.records import existing
from facelign.errors import DatasetMalformed, DatasetMissing
from facelign.types.arrays import Float64Array


def read_imglab(path: str | Path, images: str | Path | None = None) -> PointTable:
    """Return the faces that have points and are not to be ignored, with their boxes.

    images: folder that the photos' names count from; that of the file when left out. Raises
    DatasetMalformed, DatasetMissing.
    """
    source = existing(path)
    folder = source.parent if images is None else Path(images)
    data = source.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
        raise DatasetMalformed(f"{source} defines entities or is no text.", "imglab writes none.")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a DTD nothing can be expanded
        marked = [(folder / i.attrib["file"], b) for i in root.iter("image") for b in i.iter("box")]
        read = [(file, _points(box), _box(box)) for file, box in marked]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise DatasetMalformed(
            f"{source} is no imglab file: {error}.", "Wanted: images with boxes, as imglab writes."
        ) from error
    faces = [(file, points, box) for file, points, box in read if len(points)]
    table = stacked(
        source.name,
        [(file, points) for file, points, _ in faces],
        DatasetMissing(f"{source} holds no faces with points of one kind."),
    )
    return replace(table, boxes=np.array([box for _, _, box in faces], np.float64))


def _points(box: ElementTree.Element) -> Float64Array:
    """Return the points (k, 2) of a box, (0, 2) where it has none or is marked as to be ignored."""
    parts = sorted(box.iter("part"), key=lambda part: part.attrib["name"])
    points = [[float(part.attrib["x"]), float(part.attrib["y"])] for part in parts]
    if box.attrib.get("ignore", "0") not in ("0", "false"):
        points = []
    found = np.array(points, np.float64).reshape(-1, 2)
    if not np.isfinite(found).all():
        raise ValueError("a point is NaN or infinite")
    return found


def _box(box: ElementTree.Element) -> tuple[float, float, float, float]:
    left, top, wide, tall = (float(box.attrib[k]) for k in ("left", "top", "width", "height"))
    return left, top, left + wide, top + tall
