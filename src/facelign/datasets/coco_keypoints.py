"""Landmarks from COCO's keypoint JSON, in which mmpose keeps WFLW, COFW, AFLW, LaPa and 300-VW.

``images`` name files by id, ``annotations`` have ``keypoints`` as x, y, flag: 0 for a point that
nobody marked, 1 for one that is hidden, 2 for one that is seen. Hidden points were placed all the
same, so only 0 is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facelign.datasets.point_table import PointTable
from facelign.datasets.records import list_text
from facelign.errors import DatasetMalformed, DatasetMissing
from facelign.files.home import expanded
from facelign.types.arrays import Float64Array


def read_coco_keypoints(path: str | Path, images: str | Path | None = None) -> PointTable:
    """Return the annotated faces. images: folder of the photos, beside the file when left out.

    Raises DatasetMissing, DatasetMalformed with the number of the annotation.
    """
    source = expanded(path)
    folder = source.parent if images is None else expanded(images)
    try:
        told = json.loads(list_text(source))
        names = {row["id"]: str(row["file_name"]) for row in told["images"]}
        rows = list(told["annotations"])
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise DatasetMalformed(
            f"{source} is no keypoint JSON ({error!r}).", "Wanted: images and annotations."
        ) from error
    faces = [_face(source, number, row, names) for number, row in enumerate(rows)]
    if not faces:
        raise DatasetMissing(f"{source} holds no annotated faces.", "Check the file.")
    if len({len(points) for _, points, _ in faces}) != 1:
        raise DatasetMalformed(
            f"{source} mixes annotations of several numbers of points.", "Part them into files."
        )
    files = tuple(folder / name for name, _, _ in faces)
    table = np.stack([points for _, points, _ in faces])
    boxes = [box for _, _, box in faces if box is not None]
    return PointTable(
        source.name,
        files,
        np.ascontiguousarray(table[..., :2]),
        table[..., 2] > 0,
        boxes=np.array(boxes, np.float64) if len(boxes) == len(faces) else None,
    )


def _face(
    source: Path, number: int, row: Any, names: Mapping[Any, str]
) -> tuple[str, Float64Array, tuple[float, ...] | None]:
    """Return photo, points with flags (k, 3) and box of an annotation."""
    try:
        name = names[row["image_id"]]
        points = np.array(row["keypoints"], np.float64).reshape(-1, 3)
        left, top, wide, tall = row.get("bbox") or (0.0, 0.0, 0.0, 0.0)
        box = (float(left), float(top), float(left + wide), float(top + tall))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetMalformed(
            f"{source}, annotation {number}: {error!r}.",
            "Wanted: image_id of an image, keypoints as x, y, flag, bbox as x, y, width, height.",
        ) from error
    if not (np.isfinite(points).all() and np.isfinite(box).all() and len(points)):
        raise DatasetMalformed(
            f"{source}, annotation {number}: a number is NaN or infinite, or there is none.",
            "Mend or leave out the annotation.",
        )
    return name, points, box if wide else None
