"""Boxes in WIDER FACE's text form: a path, a count, then ``x y w h`` and six attributes a box."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.datasets.records import list_text, malformed
from facelign.files.home import expanded
from facelign.types.arrays import BoolArray, Float32Array, check

#: place of "invalid" in a line: behind the box come blur, expression and illumination
_INVALID = 7
_WANTED = "a path, the number of boxes, then 'x y w h' with up to six attributes a line"


@dataclass(frozen=True, slots=True, eq=False)
class BoxedPhoto:
    """One photo and the faces in it.

    boxes: (n, 4) float32 xyxy px, edges between pixel centers (a rectangle of whole pixels starts
    half a pixel before its first center). ignore: (n,) bool, marked invalid or without area: such
    a face counts neither as found nor as missed.
    """

    path: Path
    boxes: Float32Array
    ignore: BoolArray

    def __post_init__(self) -> None:
        check(self, np.float32, boxes=(None, 4))
        check(self, np.bool_, ignore=(len(self.boxes),))


def read_boxes(path: str | Path, images: str | Path | None = None) -> tuple[BoxedPhoto, ...]:
    """Return the photos of a ``*_bbx_gt.txt`` file; paths start at ``images`` or beside it."""
    source = expanded(path)
    folder = source.parent if images is None else expanded(images)
    lines = [line.strip() for line in list_text(source).splitlines()]
    photos: list[BoxedPhoto] = []
    at = 0
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        name = lines[at]
        if at + 1 >= len(lines) or not lines[at + 1].isdecimal() or len(lines[at + 1]) > 9:
            raise malformed(source, at + 2, f"no number of boxes after {name[:60]!r}", _WANTED)
        count = int(lines[at + 1])
        rows = [_row(source, at + 2 + i, lines) for i in range(count)]
        at += 2 + count
        if count == 0 and at < len(lines) and set(lines[at].split()) == {"0"}:
            at += 1  # WIDER writes a line of zeros for a photo without faces
        photos.append(_photo(folder / name, rows))
    return tuple(photos)


def _row(source: Path, at: int, lines: list[str]) -> list[float]:
    try:
        numbers = [float(cell) for cell in lines[at].split()]
    except (IndexError, ValueError) as error:
        raise malformed(source, at + 1, "no box", _WANTED) from error
    if not 4 <= len(numbers) <= 10 or not np.isfinite(numbers).all():
        raise malformed(source, at + 1, f"{len(numbers)} numbers", _WANTED)
    return numbers + [0.0] * (10 - len(numbers))


def _photo(path: Path, rows: list[list[float]]) -> BoxedPhoto:
    table = np.array(rows, np.float64).reshape(-1, 10)
    x, y, w, h = table[:, :4].T
    boxes = np.stack([x, y, x + w, y + h], axis=1) - 0.5
    invalid = table[:, _INVALID].astype(np.int64) == 1
    return BoxedPhoto(path, boxes.astype(np.float32), invalid | (w <= 0) | (h <= 0))
