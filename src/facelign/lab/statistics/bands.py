"""Bands of face heights: at which heights small faces are told apart, and what bands are called."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from facelign.types.arrays import IntArray

#: face heights, px, at which bands begin: at a threshold that was fixed on full-size faces two
#: small ones match falsely up to 400 times as often, so they are told apart
HEIGHTS = (0, 30, 40, 60, 80, 120)


def bands(heights: npt.ArrayLike, edges: Sequence[float] = HEIGHTS) -> IntArray:
    """Return (n,) the band of each height; a height below the first edge is in the first band."""
    place = np.searchsorted(edges, np.asarray(heights, np.float64), side="right") - 1
    clipped: IntArray = np.clip(place, 0, len(edges) - 1).astype(np.int64)
    return clipped


def band_names(edges: Sequence[float] = HEIGHTS) -> list[str]:
    """Return the bands in words, from the smallest faces up."""
    inner = [f"{low:g}-{high:g} px" for low, high in pairwise(edges)]
    return [*inner, f"{edges[-1]:g} px and more"]
