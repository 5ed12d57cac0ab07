"""Where names stand in a picture: beside the faces, never on one, never on another name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from facelign.types.arrays import FloatArray, IntArray

Rectangle = tuple[int, int, int, int]

#: where a label stands along the edge of its box: 0 begins with it, 1 ends with it
_ALONG = (0.0, 0.5, 1.0, 0.25, 0.75)


def place(
    boxes: FloatArray,
    labels: Sequence[Sequence[tuple[int, int]]],
    size: tuple[int, int],
    gap: int = 0,
) -> list[tuple[int, Rectangle] | None]:
    """Return where the label of each face stands, and in which of its forms; None: nowhere.

    boxes: (n, 4) xyxy px of all faces. labels: for each face the forms of its label as (width,
    height) px, the best first; none for no label. size: (width, height) of the picture. gap: px
    that stay free around every face, for its frame. Rectangles are (x1, y1, x2, y2), the last two
    outside. Labels of large faces are placed first; a label that would cover a face, another label
    or the edge of the picture moves above, below and beside its face, then takes its next form.
    """
    around = np.clip(boxes, -1e6, 1e6) + np.array([-gap, -gap, gap, gap])
    taken = np.empty((len(boxes) + len(labels), 4), np.int64)
    taken[: len(boxes), :2] = np.floor(around[:, :2])
    taken[: len(boxes), 2:] = np.ceil(around[:, 2:]) + 1
    faces, used = taken[: len(boxes)].copy(), len(boxes)
    found: list[tuple[int, Rectangle] | None] = [None] * len(labels)
    areas = (faces[:, 2] - faces[:, 0]) * (faces[:, 3] - faces[:, 1])
    for i in np.argsort(-areas, kind="stable"):
        for form, (width, height) in enumerate(labels[i] if i < len(labels) else ()):
            spots = _spots(faces[i], width, height)
            spot = next((s for s in spots if _free(s, taken[:used], size)), None)
            if spot is not None:
                taken[used], used = spot, used + 1
                found[i] = form, spot
                break
    return found


def _spots(face: IntArray, width: int, height: int) -> Iterator[Rectangle]:
    """Yield the rectangles that touch the face: above, below, right and left of it."""
    x1, y1, x2, y2 = (int(edge) for edge in face)
    across = [x1 + round(share * (x2 - x1 - width)) for share in _ALONG]
    down = [y1 + round(share * (y2 - y1 - height)) for share in _ALONG]
    for y in (y1 - height, y2):
        yield from ((x, y, x + width, y + height) for x in across)
    for x in (x2, x1 - width):
        yield from ((x, y, x + width, y + height) for y in down)


def _free(spot: Rectangle, taken: IntArray, size: tuple[int, int]) -> bool:
    """Say whether a rectangle lies in the picture and has no pixel in common with those taken."""
    x1, y1, x2, y2 = spot
    if x1 < 0 or y1 < 0 or x2 > size[0] or y2 > size[1]:
        return False
    across = (x1 < taken[:, 2]) & (taken[:, 0] < x2)
    return not bool((across & (y1 < taken[:, 3]) & (taken[:, 1] < y2)).any())
