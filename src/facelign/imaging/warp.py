"""Pictures cut out of a photo by an affine map, reduced by area first where much is left out."""

from __future__ import annotations

import math

import numpy as np

from facelign.geometry.transforms import apply, compose, invert, scaling
from facelign.imaging.resize import resized, warped
from facelign.types.arrays import ByteArray, Float64Array


def warp(pixels: ByteArray, to_picture: Float64Array, size: tuple[int, int]) -> ByteArray:
    """Return the picture (height, width, 3) uint8 of ``size`` (width, height).

    pixels: (h, w, 3) uint8. to_picture: (2, 3), pixel of ``pixels`` -> pixel of the picture.
    """
    factors = _reductions(to_picture)
    if factors != (1, 1):
        pixels, onto = _reduced(pixels, to_picture, size, factors)
        to_picture = compose(to_picture, invert(onto))
    return warped(pixels, to_picture, size)


def axis_scales(matrix: Float64Array) -> tuple[float, float]:
    """Return picture px per px along x and along y of the source."""
    (a, b, _), (c, d, _) = matrix.tolist()
    return math.hypot(a, c), math.hypot(b, d)


def _reductions(to_picture: Float64Array) -> tuple[int, int]:
    """Return the whole factors by which x and y may shrink without falling below the picture."""
    # 1e-9: a scale of exactly 1/2 is a reduction by 2 whatever its last bit says
    x, y = (max(1, math.floor(1 / scale + 1e-9)) for scale in axis_scales(to_picture))
    return x, y


def _reduced(
    pixels: ByteArray, to_picture: Float64Array, size: tuple[int, int], factors: tuple[int, int]
) -> tuple[ByteArray, Float64Array]:
    """Return the region under the picture, reduced by area, and the map from ``pixels`` to it."""
    low, high = under(to_picture, size)
    starts, lengths = [], []
    for axis, limit in ((0, pixels.shape[1]), (1, pixels.shape[0])):
        factor = factors[axis]
        # two reduced pixels more on each side, for the neighbors that bilinear sampling reads
        first = max(0, math.floor(low[axis]) - 2 * factor)
        last = min(limit, math.ceil(high[axis]) + 1 + 2 * factor)
        whole = -(-(last - first) // factor) * factor
        first = max(0, min(first, limit - whole))
        starts.append(first)
        lengths.append(min(whole, limit - first))
    (x, y), (w, h) = starts, lengths
    target = (max(1, round(w / factors[0])), max(1, round(h / factors[1])))
    region = resized(pixels[y : y + h, x : x + w], target)
    moved = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
    return region, compose(scaling(target[0] / w, target[1] / h), moved)


def under(to_picture: Float64Array, size: tuple[int, int]) -> tuple[Float64Array, Float64Array]:
    """Return the lowest and highest (x, y) of the source that lie under the picture, edges in."""
    right, bottom = size[0] - 0.5, size[1] - 0.5
    corners = np.array([[-0.5, -0.5], [right, -0.5], [-0.5, bottom], [right, bottom]])
    under = apply(invert(to_picture), corners)
    return under.min(axis=0), under.max(axis=0)
