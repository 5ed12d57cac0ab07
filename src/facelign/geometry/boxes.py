"""Boxes as (n, 4) float arrays, xyxy, continuous edges, px: area, IoU, NMS, clipping."""

from __future__ import annotations

from typing import Literal

import numpy as np

from facelign.types.arrays import FloatArray, IntArray

#: px^2: two boxes without any area have no overlap
_TINY = 1e-37


def area(boxes: FloatArray) -> FloatArray:
    """Return (n,) areas in px^2; no ``+ 1``: edges are continuous."""
    x1, y1, x2, y2 = boxes.T
    found: FloatArray = (x2 - x1) * (y2 - y1)
    return found


def intersection(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (n, m) intersection areas of boxes ``a`` (n, 4) and ``b`` (m, 4)."""
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum(a[:, None, 2:], b[:, 2:])
    side = np.maximum(high - low, 0)
    result: FloatArray = side[..., 0] * side[..., 1]
    return result


def iou(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return (n, m) intersection over union in [0, 1]; symmetric."""
    inter = intersection(a, b)
    union = area(a)[:, None] + area(b) - inter
    shares: FloatArray = inter / np.maximum(union, _TINY)
    return shares


def nms(
    boxes: FloatArray,
    scores: FloatArray,
    threshold: float,
    *,
    by: Literal["union", "minimum"] = "union",
    plus_one: bool = False,
) -> IntArray:
    """Return indices of the boxes that stay, best score first (greedy non-maximum suppression).

    A box falls when its overlap with a better one is above ``threshold``; ``by`` says whether the
    overlap is measured against the union or the smaller area. ``plus_one`` counts whole pixels
    inclusively, for decoders that were published so (MTCNN, dlib).
    """
    grow = 1.0 if plus_one else 0.0
    order = np.argsort(-scores, kind="stable")
    x1, y1, x2, y2 = boxes.T.astype(np.float64)
    areas = (x2 - x1 + grow) * (y2 - y1 + grow)
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        w = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest]) + grow
        h = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest]) + grow
        inter = np.maximum(w, 0) * np.maximum(h, 0)
        if by == "union":
            base = areas[best] + areas[rest] - inter
        else:
            base = np.minimum(areas[best], areas[rest])
        order = rest[inter <= threshold * base]
    return np.asarray(kept, np.int64)


def from_xywh(rectangles: FloatArray) -> FloatArray:
    """Return edges of whole-pixel rectangles (x, y, w, h): (x-0.5, y-0.5, x+w-0.5, y+h-0.5)."""
    r = np.asarray(rectangles, np.float32).reshape(-1, 4)
    low = r[:, :2] - np.float32(0.5)
    return np.concatenate([low, low + r[:, 2:]], axis=1)


def from_inclusive(rectangles: IntArray) -> FloatArray:
    """Return edges of whole-pixel rectangles (left, top, right, bottom), right and bottom in."""
    low, high = rectangles[:, :2], rectangles[:, 2:]
    return from_xywh(np.concatenate([low, high - low + 1], axis=1).astype(np.float32))


def clip(boxes: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Return boxes cut at the edges of a picture of ``size`` (width, height)."""
    w, h = size
    low = np.array([-0.5, -0.5, -0.5, -0.5], boxes.dtype)
    high = np.array([w - 0.5, h - 0.5, w - 0.5, h - 0.5], boxes.dtype)
    return np.clip(boxes, low, high)
