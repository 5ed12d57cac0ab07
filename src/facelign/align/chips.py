"""Faces -> chips: fit, then warp.

How pixels are sampled moves vectors: who changes it raises the version of the chain (recognition).

- bilinear (OpenCV, positions to 1/32 px), black outside of the photo;
- a face that is at least twice as large as its chip is first reduced by area, by the largest whole
  factor that leaves it no smaller than the chip (bilinear sampling alone would skip pixels: noise
  at four times the size moves dlib's vectors by 0.13, after a reduction by 0.07).
  Only the region of the face is reduced, so the size of the photo does not matter;
- dlib's points on dlib's layout are sampled as dlib does (``align.dlib_chip``);
- pixels that were decoded at reduced size are used as long as they have the chip's resolution,
  otherwise the file is decoded again in full.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from facelign.align import dlib_chip
from facelign.align.fitting import check_face, points_by
from facelign.errors import DegenerateLandmarks
from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.imaging.warp import axis_scales, under, warp
from facelign.types.arrays import ByteArray, Float64Array, IntArray
from facelign.types.chips import Chips
from facelign.types.contracts import Layout
from facelign.types.faces import Faces
from facelign.types.image import Image

#: side of the chip's square in the photo, px: under this there is nothing to see
SMALLEST_PX = 4.0
#: the same as a multiple of the photo's longer side: points of a face that fills the photo and
#: leaves it on all sides span about two; far beyond, they are no face's
LARGEST_PHOTOS = 8.0

Dropped = tuple[tuple[int, str], ...]


def chips(image: Image, faces: Faces, layout: Layout) -> tuple[Chips, IntArray, Dropped]:
    """Return the chips, the (m,) int64 indices of their faces, and (index, reason) of the others.

    Chips are placed by the landmarks if the layout takes their scheme, else by the five points
    made of them, else by the box (``fitting.points_by``); ``Chips.points_scheme`` says which. A
    face whose points no face can have is dropped, the others are not touched by that.

    Raises ModelMismatch when the layout wants points that no face here has.
    """
    scheme = points_by(layout.needs, faces)
    full = cache(image.full)
    cut: list[tuple[ByteArray, Float64Array]] = []
    kept: list[int] = []
    dropped: list[tuple[int, str]] = []
    for index in range(len(faces)):
        try:
            face = faces if len(faces) == 1 else faces[index : index + 1]
            cut.append(_chip(image, full, face, layout, scheme))
        except DegenerateLandmarks as problem:
            dropped.append((index, _as_reason(problem.message)))
        else:
            kept.append(index)
    width, height = layout.size
    pixels = np.zeros((len(cut), height, width, 3), np.uint8)
    matrices = np.zeros((len(cut), 2, 3))
    for place, (chip, matrix) in enumerate(cut):
        pixels[place], matrices[place] = chip, matrix
    made = Chips(pixels, layout.id, matrices, scheme)
    return made, np.asarray(kept, np.int64), tuple(dropped)


def _chip(
    image: Image, full: Callable[[], Image], face: Faces, layout: Layout, scheme: str
) -> tuple[ByteArray, Float64Array]:
    """Return the chip of one face and its map; raises DegenerateLandmarks."""
    if scheme != "box" and face.landmarks is not None:
        judged = face.landmarks
        if judged.scheme.to_five is not None:
            judged = judged.as_scheme("five")
        check_face(judged.points[0], judged.scheme.id)
    matrix = layout.fit(face)[0]
    _check_place(matrix, layout.size, face.image_size)
    if layout.sampling == "dlib" and scheme in dlib_chip.TEMPLATES:
        return _dlib_chip(full(), face, scheme)
    if image.scale < 1 and max(axis_scales(matrix)) > image.scale:
        image = full()
    if image.scale != 1:
        onto_file = invert(scaling(image.scale))
        return warp(image.pixels, compose(matrix, onto_file), layout.size), matrix
    return warp(image.pixels, matrix, layout.size), matrix


def _dlib_chip(image: Image, face: Faces, scheme: str) -> tuple[ByteArray, Float64Array]:
    if face.landmarks is None:  # ruled out by points_by
        raise DegenerateLandmarks("There are no points.")
    points = face.landmarks.points[0]
    if image.scale == 1:
        return dlib_chip.extract(image.pixels, points, scheme)
    onto_pixels = scaling(image.scale)
    chip, matrix = dlib_chip.extract(image.pixels, apply(onto_pixels, points), scheme)
    return chip, compose(matrix, onto_pixels)


def _check_place(matrix: Float64Array, size: tuple[int, int], photo: tuple[int, int]) -> None:
    """Raise DegenerateLandmarks when the chip shows nothing of the photo, or an absurd part."""
    scales = axis_scales(matrix)
    if not (np.isfinite(matrix).all() and min(scales) > 1e-9):
        raise DegenerateLandmarks("The points allow no map.")
    if max(size[0] / scales[0], size[1] / scales[1]) > LARGEST_PHOTOS * max(photo):
        raise DegenerateLandmarks("The face would be far larger than the photo.")
    if min(size[0] / scales[0], size[1] / scales[1]) < SMALLEST_PX:
        raise DegenerateLandmarks(f"The face is smaller than {SMALLEST_PX:g} px.")
    low, high = under(matrix, size)
    if high[0] <= -0.5 or high[1] <= -0.5 or low[0] >= photo[0] - 0.5 or low[1] >= photo[1] - 0.5:
        raise DegenerateLandmarks("The face lies outside of the photo.")


def _as_reason(message: str) -> str:
    """Return a sentence as words that can follow a colon."""
    return message[:1].lower() + message[1:].rstrip(".")
