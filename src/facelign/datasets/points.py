"""Annotated faces of any kind of file that is known, as one kind of table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from facelign.datasets.coco_keypoints import read_coco_keypoints
from facelign.datasets.ibug_pts import read_pts_folder
from facelign.datasets.imglab import read_imglab
from facelign.datasets.muct import read_muct, with_people
from facelign.datasets.point_table import PointTable
from facelign.datasets.points_csv import photos_beside, read_points_csv
from facelign.datasets.records import existing
from facelign.datasets.wflw import read_wflw
from facelign.files.home import expanded


def read_annotated(
    data: str | Path, images: str | Path | None = None, scheme: str = ""
) -> PointTable:
    """Return the faces of a table, a folder, or another file of annotated points.

    data: .csv or .csv.gz (``points_csv``; MUCT's by its name), MUCT's .shape or .rda, a folder of
    .pts files (``ibug_pts``) or with one table in it, imglab's .xml, keypoint .json (COCO, mmpose),
    a WFLW list .txt. images: folder of the photos; beside the data, or in its folder ``images``,
    ``crops`` or ``photos``, when left out. scheme: id of ``types.schemes``, or "muct"; told by the
    number of points and the name when empty. Raises DatasetMissing, DatasetMalformed, ConfigError.
    """
    source = expanded(data)
    muct = scheme == "muct" or (not scheme and "muct" in source.name.lower())
    if source.is_dir():
        tables = sorted(source.glob("*.csv"))
        if len(tables) == 1 and not list(source.glob("*.pts")):
            return read_annotated(tables[0], images, scheme)
        table, muct = read_pts_folder(source, expanded(images) if images else source), False
    elif source.name.lower().startswith("muct76") or source.suffix in (".shape", ".rda"):
        table = read_muct(source, images)
    elif source.suffix == ".xml":
        table = read_imglab(source, images)
    elif source.suffix == ".json":
        table = read_coco_keypoints(source, images)
    elif source.suffix == ".txt":
        table = read_wflw(existing(source), images)
    else:
        table = read_points_csv(source, images or photos_beside(source))
    table = table.told(scheme or table.scheme, muct=muct)
    if table.scheme.startswith("muct"):
        table = with_people(table)
    # whoever reads a set of frames has one photo a face, and a split by photo needs their names
    return table if table.photos else replace(table, photos=tuple(map(str, table.files)))
