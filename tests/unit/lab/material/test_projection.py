"""Vectors in the plane."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelign.errors import Refused
from facelign.lab.material import projection
from made_people import named_people as _named


def test_pictures_in_the_plane_are_repeatable_and_keep_people_together() -> None:
    named = _named(people=6, photos=8, spread=0.2)
    points, rows = projection.project(named)
    np.testing.assert_array_equal(points, projection.project(named)[0])
    codes = named.codes[rows]
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(gaps, math.inf)
    assert (codes[gaps.argmin(axis=1)] == codes).mean() > 0.9
    with pytest.raises(Refused, match="make no map"):
        projection.project(named.where(np.arange(48) < 3))
