"""Vectors in the plane."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelign.errors import Refused
from facelign.lab.material import projection
from facelign.lab.material.named import Named
from facelign.types.embeddings import Metric, Space

SPACE = Space("made/up/five", 24, Metric.COSINE, unit=True)


def _named(people: int = 80, photos: int = 4, seed: int = 0, spread: float = 0.35) -> Named:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 24)), photos, axis=0)
    rows = rows + rng.normal(scale=spread, size=rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"p{i:03d}" for i in np.repeat(np.arange(people), photos))
    heights = rng.uniform(20, 140, len(rows))
    digests = tuple(f"{seed}-{i}" for i in range(len(rows)))
    return Named(SPACE, rows.astype(np.float32), names, heights, digests)


def test_pictures_in_the_plane_are_repeatable_and_keep_people_together() -> None:
    named = _named(people=6, photos=8, spread=0.2)
    found = projection.project(named)
    again = projection.project(named)
    np.testing.assert_array_equal(found.points, again.points)
    codes = named.codes[found.rows]
    gaps = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    np.fill_diagonal(gaps, math.inf)
    assert (codes[gaps.argmin(axis=1)] == codes).mean() > 0.9
    with pytest.raises(Refused, match="make no map"):
        projection.project(named.where(np.arange(48) < 3))
