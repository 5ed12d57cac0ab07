"""Which faces are trained on, which choose the best epoch, and which are looked at once.

What belongs together stays together: a photo, or a person. Where a face goes is told by the name
of its group alone, so that a set that grows, or another machine, parts it alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from facelign.datasets.muct import first_people
from facelign.datasets.point_table import PointTable
from facelign.datasets.points import read_annotated
from facelign.errors import ConfigError
from facelign.train.landmarks.config import DataOptions
from facelign.types.arrays import BoolArray, Float64Array, IntArray
from facelign.types.schemes import SCHEMES

PARTS = ("train", "validation", "test")
#: faces from which on a mean face tells its numbering, and how far it may lie from its mirror image
_TELLING, _APART = 20, 0.1
#: what sets call their parts
_CALLED = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """All faces in one table, and the rows of each part. beside: rows of sets that are tested on.

    grouped: what stays together, "photo" or "person", or "column" for the parts of the set itself.
    """

    table: PointTable
    rows: Mapping[str, IntArray]
    beside: Mapping[str, IntArray]
    grouped: str


def read_sets(options: DataOptions) -> Sets:
    """Return the faces that a configuration names, parted; raises ConfigError."""
    if not options.source:
        raise ConfigError("data.source names no photos.", "Name a table, or a folder.")
    first = read_annotated(options.source, options.images or None, options.scheme)
    first = first.every(options.limit)
    tables = [first]
    for source in (*options.more, *options.beside):
        tables.append(read_annotated(source, None, options.scheme).every(options.limit))
        if tables[-1].scheme != first.scheme:
            raise ConfigError(
                f"{tables[-1].name} has points '{tables[-1].scheme}', "
                f"{first.name} '{first.scheme}'.",
                "Train on sets of one scheme.",
            )
    for table in tables:
        _check_numbering(table)
    bounds = np.cumsum([0, *(len(table) for table in tables)])
    spans = [np.arange(low, high) for low, high in pairwise(bounds)]
    rows, grouped = parted(first, options)
    extra = spans[1 : 1 + len(options.more)]
    rows["train"] = np.concatenate([rows["train"], *extra])
    rest = tables[1 + len(options.more) :]
    beside = {t.name: span for t, span in zip(rest, spans[1 + len(extra) :], strict=True)}
    if options.cameras and not first.cameras:
        raise ConfigError(f"{first.name} does not tell cameras.", "Leave data.cameras empty.")
    if options.cameras:
        asked = np.array([camera in options.cameras for camera in first.cameras])
        others = rows["test"][~asked[rows["test"]]]
        for name in PARTS:
            rows[name] = np.array([r for r in rows[name] if r >= len(first) or asked[r]], np.int64)
        for camera in sorted({first.cameras[r] for r in others}):
            beside[f"camera {camera}"] = np.array([r for r in others if first.cameras[r] == camera])
    return Sets(joined(tables), rows, beside, grouped)


def parted(table: PointTable, options: DataOptions) -> tuple[dict[str, IntArray], str]:
    """Return the rows of each part of a table, and what stays together."""
    grouped: str = options.split
    if grouped == "auto":
        told = (("column", table.splits), ("person", table.people))
        grouped = next((name for name, values in told if values), "photo")
    if (grouped == "person" and not table.people) or (grouped == "column" and not table.splits):
        raise ConfigError(
            f"{table.name} does not tell the {grouped} of a face.", "Set data.split to photo."
        )
    groups = list(table.people if grouped == "person" else table.photos)
    if not groups:
        groups = [str(path) for path in table.files]
    if options.test_people:
        if grouped != "person":
            raise ConfigError("data.test_people needs people.", "Set data.split to person.")
        tested = {*first_people(table, options.test_people)}
        names = np.array(["test" if group in tested else "" for group in groups], object)
    elif grouped == "column":
        names = _of_column(table.splits)
    else:
        names = np.full(len(groups), "", object)
    # parts that the set does not name are cut from the rest
    test = 0.0 if "test" in names else options.test
    chosen = test if "validation" in names else test + options.validation
    for i in np.flatnonzero((names == "") | (names == "train")):
        at = place(groups[i])
        names[i] = "test" if at < test else "validation" if at < chosen else "train"
    return {part: np.flatnonzero(names == part) for part in PARTS}, grouped


def place(group: str) -> float:
    """Return where a group lies, from 0 up to 1, by its name alone.

    >>> place("000") == place("000"), 0 <= place("001") < 1
    (True, True)
    """
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) / 16**8


def joined(tables: Sequence[PointTable]) -> PointTable:
    """Return tables of one scheme as one; a name of a group is kept apart by its table's."""
    if len(tables) == 1:
        return tables[0]
    texts = {
        name: tuple(value for table in tables for value in _texts(table, name))
        for name in ("people", "cameras", "photos")
    }
    return replace(
        tables[0],
        name=" + ".join(table.name for table in tables),
        files=tuple(path for table in tables for path in table.files),
        points=np.concatenate([table.points for table in tables]),
        visible=np.concatenate([table.visible for table in tables]),
        splits=(),
        boxes=None,
        **texts,  # type: ignore[arg-type]
    )


def _texts(table: PointTable, name: str) -> Sequence[str]:
    told = getattr(table, name) or ("",) * len(table)
    return [f"{table.name}/{value}" if value and name != "cameras" else value for value in told]


def _of_column(splits: Sequence[str]) -> np.ndarray:
    """Return the part of each face by the set's own word.

    A set that has no test part keeps what it calls validation for the test: it is what others
    report on, so nothing may be chosen by it.
    """
    names = np.array([_CALLED.get(word.lower(), "test") for word in splits], object)
    if "test" not in names:
        names[names == "validation"] = "test"
    return names


def _check_numbering(table: PointTable) -> None:
    """Raise ConfigError where the points of a set are not numbered as its scheme says.

    Mirrored and numbered anew by the scheme, the mean face lies on itself, up to an affine map (on
    sets at hand within 5 % of its size, by another scheme of as many points 16 % apart). A few
    faces, which may all be turned, tell nothing.
    """
    if len(table) < _TELLING:
        return
    middle = table.points.mean(axis=1, keepdims=True)
    size = np.maximum(np.ptp(table.points, axis=1).max(axis=1), 1e-6)[:, None, None]
    seen = table.visible[..., None]
    mean = ((table.points - middle) / size * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    turned = (mean * [-1, 1])[list(SCHEMES[table.scheme].mirror)]
    onto = np.c_[turned, np.ones(len(turned))]
    fit, *_ = np.linalg.lstsq(onto, mean, rcond=None)
    if np.linalg.norm(onto @ fit - mean, axis=1).mean() > _APART:
        raise ConfigError(
            f"The points of {table.name} are not numbered as '{table.scheme}' is: mirrored, they "
            "do not lie on each other.",
            "Name their scheme (data.scheme), or leave it empty.",
        )


def outliers(points: Float64Array, visible: BoolArray, rows: IntArray) -> list[tuple[int, float]]:
    """Return rows whose shape is far from all others', with how far, in usual deviations.

    Each face is laid on the mean face by the best similarity; what is left, over the size of the
    face, is compared with the median of all. Turned heads deviate too, so the limit is wide.
    """
    from facelign.geometry.transforms import apply, similarity

    whole = [r for r in rows if visible[r].all()]
    if len(whole) < 10:
        return []
    size = np.ptp(points[whole], axis=1).max(axis=1)
    middle = points[whole].mean(axis=1)
    mean = ((points[whole] - middle[:, None]) / size[:, None, None]).mean(axis=0)
    left = np.array(
        [np.linalg.norm(apply(similarity(points[r], mean), points[r]) - mean) for r in whole]
    )
    usual = np.median(left)
    spread = max(float(np.median(np.abs(left - usual))) * 1.4826, 1e-9)
    far = (left - usual) / spread
    return [(int(whole[i]), float(far[i])) for i in np.argsort(-far) if far[i] > 8]
