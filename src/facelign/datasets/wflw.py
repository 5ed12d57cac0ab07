"""Landmarks from the lists of WFLW: a line for each face, points first, the photo last.

Wu et al., "Look at Boundary: A Boundary-Aware Face Alignment Algorithm", CVPR 2018; its README: 98
times x y, x_min y_min x_max y_max of the face, six marks (pose, expression, light, make-up,
occlusion, blur), the name of the photo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.datasets.records import list_text, malformed
from facelign.errors import DatasetMissing
from facelign.files.home import expanded

_POINTS, _BOX, _MARKS = 98, 4, 6
_CELLS = 2 * _POINTS + _BOX + _MARKS + 1
_WANTED = "98 times x y, four numbers of the box, six marks, the name of the photo"


def read_wflw(path: str | Path, images: str | Path | None = None) -> PointTable:
    """Return the faces of a list. images: folder of ``WFLW_images``, beside it when left out.

    Raises DatasetMissing, DatasetMalformed with the number of the line.
    """
    source = expanded(path)
    folder = source.parent if images is None else expanded(images)
    files, rows = [], []
    for number, line in enumerate(list_text(source).splitlines(), 1):
        cells = line.split(maxsplit=_CELLS - 1)
        if not cells:
            continue
        if len(cells) != _CELLS:
            raise malformed(source, number, f"{len(cells)} parts", _WANTED)
        try:
            values = np.array(cells[: 2 * _POINTS + _BOX], np.float64)
        except ValueError as error:
            raise malformed(source, number, "a part is no number", _WANTED) from error
        if not np.isfinite(values).all():
            raise malformed(source, number, "a number is NaN or infinite", _WANTED)
        files.append(folder / cells[-1].strip())
        rows.append(values)
    if not rows:
        raise DatasetMissing(f"{source} holds no faces.", f"Wanted, a line each: {_WANTED}.")
    table = np.stack(rows)
    points = table[:, : 2 * _POINTS].reshape(-1, _POINTS, 2)
    seen = np.ones(points.shape[:2], bool)
    boxes = table[:, 2 * _POINTS :]
    return PointTable(source.name, tuple(files), points, seen, "wflw-98", boxes=boxes)
