"""dlib's face chip, byte for byte: ``dlib.get_face_chip(photo, points, 150, 0.25)``.

What dlib does otherwise than a plain warp: it fits the similarity from the
template to the photo; it samples a rotated rectangle whose sides are counted inclusively, so that
the step is (150 s - 1) / 149; it halves large photos first, in whole numbers and inside a
sub-image of its own; and it cuts off the fraction of a gray level instead of rounding. One call
handles one face: in a call for many, dlib's sub-image is the union over all of them, and a large
face's last gray levels would depend on its neighbors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np

from facelign.errors import DegenerateLandmarks, ModelMismatch
from facelign.geometry.transforms import affine_of_three, invert, similarity
from facelign.types.arrays import AnyArray, ByteArray, Float64Array, FloatArray, IntArray

#: chip side and margin of dlib's recognition chips, px and share of the face's square
SIZE, PADDING = 150, 0.25

#: dlib's mean positions of its five points in the face's square (dlib interpolation.h)
_FIVE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
#: the same for points 27 to 54 and 60 to 64 of the 68 (jaw, brows and lower lip take no part)
_SIXTY_EIGHT = (
    *((0.490127, 0.203352), (0.490127, 0.307009), (0.490127, 0.409805), (0.490127, 0.515625)),
    *((0.36688, 0.587326), (0.426036, 0.609345), (0.490127, 0.628106), (0.554217, 0.609345)),
    *((0.613373, 0.587326), (0.121737, 0.216423), (0.187122, 0.178758), (0.265825, 0.179852)),
    *((0.334606, 0.231733), (0.260918, 0.245099), (0.182743, 0.244077), (0.645647, 0.231733)),
    *((0.714428, 0.179852), (0.793132, 0.178758), (0.858516, 0.216423), (0.79751, 0.244077)),
    *((0.719335, 0.245099), (0.254149, 0.780233), (0.340985, 0.745405), (0.428858, 0.727388)),
    *((0.490127, 0.742578), (0.551395, 0.727388), (0.639268, 0.745405), (0.726104, 0.780233)),
    *((0.290379, 0.784792), (0.428096, 0.778746), (0.490127, 0.785343), (0.552157, 0.778746)),
    (0.689874, 0.784792),
)
_INDICES_68 = (*range(27, 55), *range(60, 65))


def _on_chip(template: tuple[tuple[float, float], ...]) -> Float64Array:
    return (PADDING + np.array(template)) / (2 * PADDING + 1) * SIZE


#: scheme id -> (indices of the points that take part, their places (k, 2) on the chip's square)
TEMPLATES: Mapping[str, tuple[IntArray, Float64Array]] = MappingProxyType(
    {
        "dlib-5": (np.arange(5), _on_chip(_FIVE)),
        "ibug-68": (np.array(_INDICES_68), _on_chip(_SIXTY_EIGHT)),
    }
)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """dlib's rotated rectangle: sides inclusive (width = right - left + 1), angle in radians."""

    left: float
    top: float
    right: float
    bottom: float
    angle: float = 0.0

    @property
    def area(self) -> float:
        """Area, px^2, sides counted inclusively; 0 when empty."""
        width, height = self.right - self.left + 1, self.bottom - self.top + 1
        return 0.0 if self.right < self.left or self.bottom < self.top else width * height

    def halved(self) -> Rectangle:
        """Return the rectangle on the next level of the 2:1 pyramid (x and y shift differently)."""
        return Rectangle(
            self.left / 2 - 1.25,
            self.top / 2 - 0.75,
            self.right / 2 - 1.25,
            self.bottom / 2 - 0.75,
            self.angle,
        )

    def shifted(self, x: float, y: float) -> Rectangle:
        """Return the rectangle moved by (x, y)."""
        return Rectangle(self.left + x, self.top + y, self.right + x, self.bottom + y, self.angle)

    def corners(self) -> Float64Array:
        """Return the turned corners (3, 2): top left, top right, bottom left."""
        cx, cy = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        sin, cos = math.sin(self.angle), math.cos(self.angle)
        turned = []
        for x, y in ((self.left, self.top), (self.right, self.top), (self.left, self.bottom)):
            dx, dy = x - cx, y - cy
            turned.append((cos * dx - sin * dy + cx, sin * dx + cos * dy + cy))
        return np.array(turned)


def rectangle_of(points: FloatArray, scheme_id: str) -> Rectangle:
    """Return where in the photo the chip lies. points: (k, 2), px, of scheme dlib-5 or ibug-68.

    Raises ModelMismatch for another scheme, DegenerateLandmarks for points no face can have.
    """
    if scheme_id not in TEMPLATES:
        raise ModelMismatch(
            f"dlib's chip is placed by dlib-5 or ibug-68 points, not by '{scheme_id}'.",
            "Choose the landmarker dlib-5, or align by 'five' with an ordinary warp.",
        )
    indices, template = TEMPLATES[scheme_id]
    fit = similarity(template, np.asarray(points, np.float64)[indices])
    scale = math.hypot(fit[0, 0], fit[1, 0])
    cx, cy = fit[:, :2] @ np.array([SIZE / 2, SIZE / 2]) + fit[:, 2]
    half = (SIZE * scale - 1) / 2
    if half <= 0:
        raise DegenerateLandmarks("The face is smaller than a pixel.")
    return Rectangle(cx - half, cy - half, cx + half, cy + half, math.atan2(fit[1, 0], fit[0, 0]))


def to_photo(rectangle: Rectangle) -> Float64Array:
    """Return the (2, 3) map chip px -> photo px: chip corners onto the turned rectangle's."""
    side = SIZE - 1.0
    return affine_of_three(np.array([[0.0, 0.0], [side, 0.0], [0.0, side]]), rectangle.corners())


def extract(
    pixels: ByteArray, points: FloatArray, scheme_id: str
) -> tuple[ByteArray, Float64Array]:
    """Return the chip (150, 150, 3) uint8 RGB, and the map (2, 3) photo px -> chip px.

    pixels: (h, w, 3) uint8 RGB, the whole photo. points: (k, 2) px, dlib-5 or ibug-68; dlib's are
    whole numbers. Raises ModelMismatch and DegenerateLandmarks.
    """
    rectangle = rectangle_of(points, scheme_id)
    nominal = to_photo(rectangle)
    if rectangle.angle == 0 and rectangle.right - rectangle.left + 1 == SIZE:
        return _cut(pixels, rectangle), invert(nominal)
    left, top, right, bottom = _region(rectangle, pixels.shape)
    level = pixels[top : bottom + 1, left : right + 1]
    rectangle = rectangle.shifted(-left, -top)
    while (smaller := rectangle.halved()).area > SIZE * SIZE:
        level, rectangle = _halved(level), smaller
    return _sampled(level, to_photo(rectangle)), invert(nominal)


def _rounded(value: float) -> int:
    """Round half away from zero, as C's lround."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def _region(rectangle: Rectangle, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the sub-image (inclusive) that dlib cuts out before it halves; empty: bottom < top."""
    grow, smaller = 2.0, rectangle.halved()
    while smaller.area > SIZE * SIZE:
        smaller, grow = smaller.halved(), grow * 2 + 2
    corners = rectangle.corners()
    last = corners[1] + corners[2] - corners[0]
    every = np.concatenate([corners, last[None]])
    low, high = every.min(axis=0) - grow, every.max(axis=0) + grow
    return (
        _rounded(max(low[0], 0.0)),
        _rounded(max(low[1], 0.0)),
        _rounded(min(high[0], shape[1] - 1.0)),
        _rounded(min(high[1], shape[0] - 1.0)),
    )


def _cut(pixels: ByteArray, rectangle: Rectangle) -> ByteArray:
    """Return the chip of a rectangle that needs neither turn nor scale."""
    chip = np.zeros((SIZE, SIZE, 3), np.uint8)
    x, y = _rounded(rectangle.left), _rounded(rectangle.top)
    h, w = pixels.shape[:2]
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + SIZE, w), min(y + SIZE, h)
    if x2 > x1 and y2 > y1:
        chip[y1 - y : y2 - y, x1 - x : x2 - x] = pixels[y1:y2, x1:x2]
    return chip


def _halved(level: ByteArray) -> ByteArray:
    """Return the next level: 5 x 5 binomial over every second pixel, whole numbers cut off.

    OpenCV's pyramid has the same kernel; in float32 its sums are exact (under 2**24), so that the
    fraction can be cut off afterwards. Its pixel i is centered on 2 i, dlib's on 2 i + 2.
    """
    h, w = level.shape[:2]
    if h <= 8 or w <= 8:
        return np.zeros((0, 0, 3), np.uint8)
    rows, columns = (h - 3) // 2, (w - 3) // 2
    smooth = cv2.pyrDown(np.ascontiguousarray(level).astype(np.float32))
    return np.asarray(smooth[1 : rows + 1, 1 : columns + 1].astype(np.uint8))


#: chip columns (and rows), as dlib walks them
_STEPS = np.arange(SIZE, dtype=np.float64)
#: rows of a chip that are sampled together: temporary arrays of 30 kB stay in the cache and are
#: handed out again by the allocator, which gives larger ones back to the system every time
_BAND = 25


def _sampled(level: ByteArray, matrix: Float64Array) -> ByteArray:
    """Return the chip sampled bilinearly in double; the fraction is cut off.

    A sample with any of its four neighbors outside ``level`` is black.
    """
    chip = np.zeros((SIZE, SIZE, 3), np.uint8)
    if min(level.shape[:2]) < 2:
        return chip
    # Four bytes a pixel are gathered as one number, which is what makes this fast.
    packed = cv2.cvtColor(np.ascontiguousarray(level), cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0]
    for first in range(0, SIZE, _BAND):
        band = slice(first, first + _BAND)
        columns, rows = _STEPS[None, :], _STEPS[band, None]
        x = matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]
        y = matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]
        _sample_band(packed, x, y, chip[band])
    return chip


def _sample_band(packed: AnyArray, x: Float64Array, y: Float64Array, chip: ByteArray) -> None:
    """Fill ``chip`` (r, c, 3) with ``packed`` (h, w) uint32 RGBA sampled at x, y (r, c)."""
    h, w = packed.shape
    left, top = np.floor(x), np.floor(y)
    inside = (left >= 0) & (top >= 0) & (left < w - 1) & (top < h - 1)
    index = (top * w + left).astype(np.intp)
    complete = bool(inside.all())
    if not complete:
        index *= inside
    flat = packed.reshape(-1)
    corners = [np.take(flat, index + step).view(np.uint8) for step in (0, 1, w, w + 1)]
    across, down = x - left, y - top
    back, up = 1 - across, 1 - down
    for color in range(3):
        # contiguous doubles of one color: a broadcast over four bytes would be four times slower
        a, b, c, d = (corner[:, color::4].astype(np.float64) for corner in corners)
        a *= back
        b *= across
        c *= back
        d *= across
        a += b
        c += d
        a *= up
        c *= down
        a += c
        chip[..., color] = a.astype(np.uint8)
    if not complete:
        chip[~inside] = 0
