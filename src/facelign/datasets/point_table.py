"""Landmarks of many faces: the one value that every reader of annotated points gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facelign.errors import ConfigError, DatasetMissing
from facelign.types.arrays import BoolArray, Float64Array, IntArray, check
from facelign.types.schemes import SCHEMES

#: schemes of annotation by the number of points; where two have as many the first is taken
_BY_COUNT = ("ibug-68", "muct-76", "wflw-98", "lapa-106", "cofw-29", "aflw-19", "five", "dlib-5")


@dataclass(frozen=True, slots=True, eq=False)
class PointTable:
    """Landmarks of n faces, one row each.

    files: n paths. points: (n, k, 2) float64 px, x right, y down. visible: (n, k) bool, false where
    the annotation says that a point is unavailable (its coordinates mean nothing). scheme: id of a
    scheme of ``types.schemes``, "" where nobody said it. What a set does not tell is empty: people,
    cameras, photos (one photo can show several faces) and splits ("train", "val", "test") are n
    texts, boxes are (n, 4) px, those that come with the annotation.
    """

    name: str
    files: tuple[Path, ...]
    points: Float64Array
    visible: BoolArray
    scheme: str = ""
    people: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    photos: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    boxes: Float64Array | None = None

    def __post_init__(self) -> None:
        n = len(self.files)
        check(self, np.float64, points=(n, None, 2), boxes=(n, 4))
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
        texts: dict[str, Any] = {
            name: tuple(told[i] for i in at)
            for name in ("files", "people", "cameras", "photos", "splits")
            if (told := getattr(self, name))
        }
        boxes = None if self.boxes is None else self.boxes[at]
        return replace(self, points=self.points[at], visible=self.visible[at], boxes=boxes, **texts)

    def every(self, count: int) -> PointTable:
        """Return at most ``count`` faces, evenly spread over the set; 0 for all."""
        if not 0 < count < len(self):
            return self
        return self.rows(np.linspace(0, len(self) - 1, count).astype(int))

    def present(self) -> tuple[PointTable, tuple[Path, ...]]:
        """Return the faces whose photo is there, and the photos that are not.

        Raises DatasetMissing where none is.
        """
        there = {path: path.is_file() for path in dict.fromkeys(self.files)}
        missing = tuple(path for path, is_there in there.items() if not is_there)
        if there and len(missing) == len(there):
            raise DatasetMissing(
                f"None of the {len(there)} photos of {self.name} is there, such as {missing[0]}.",
                "Name the folder that holds the photos.",
            )
        if not missing:
            return self, ()
        return self.rows([i for i, path in enumerate(self.files) if there[path]]), missing

    def told(self, scheme: str = "", *, muct: bool = False) -> PointTable:
        """Return the table with its scheme: the one asked for, or the usual one of so many points.

        scheme: an id, or "muct" for either of its two. muct: it comes from files of that set.
        MUCT writes a point that cannot be seen as exactly (0, 0), so such are not visible there.
        Raises ConfigError where so many points are not known, or the scheme has another number.
        """
        named = _scheme(self.k, scheme, muct)
        hidden = named.startswith("muct") & (self.points == 0).all(axis=2)
        return replace(self, scheme=named, visible=self.visible & ~hidden)

    @property
    def outside(self) -> IntArray:
        """(m,) rows with a known point that is left of or above its photo (no photo is read)."""
        below = (self.points < -0.5).any(axis=2) & self.visible
        rows: IntArray = np.flatnonzero(below.any(axis=1))
        return rows


def stacked(
    name: str, faces: Sequence[tuple[Path, Float64Array]], refusal: DatasetMissing
) -> PointTable:
    """Return faces of which every point is seen; raises ``refusal`` unless all have as many."""
    if len({len(points) for _, points in faces}) != 1:
        raise refusal
    table = np.stack([points for _, points in faces])
    return PointTable(name, tuple(path for path, _ in faces), table, np.ones(table.shape[:2], bool))


def _scheme(k: int, scheme: str, muct: bool) -> str:
    if scheme == "muct":
        muct, scheme = True, ""
    if scheme and scheme not in SCHEMES:
        raise ConfigError(
            f"There is no scheme '{scheme}' of annotation.", f"There are: {', '.join(SCHEMES)}."
        )
    if scheme:
        if SCHEMES[scheme].k != k:
            raise ConfigError(
                f"Annotations of {k} points are none of scheme '{scheme}', "
                f"which has {SCHEMES[scheme].k}.",
                "Name another scheme, or none: it is then told by the number of points.",
            )
        return scheme
    if muct and k in (68, 76):
        return f"muct-{k}"
    known = {SCHEMES[name].k: name for name in reversed(_BY_COUNT)}
    if k in known:
        return known[k]
    told = ", ".join(f"{name} ({SCHEMES[name].k})" for name in _BY_COUNT)
    raise ConfigError(f"Annotations of {k} points are not known.", f"Known: {told}.")
