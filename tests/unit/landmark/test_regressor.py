"""Cascades of regression trees against the paper's algorithm as plain loops, on trees made here."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.landmark.regressor import Cascades

K, CASCADES, TREES, SPLITS, PIXELS = 3, 2, 4, 7, 9
RECTANGLES = np.array([[20, 30, 119, 129], [-15, -10, 60, 65], [150, 90, 260, 200]])
Tables = dict[str, np.ndarray]


def tables(seed: int) -> Tables:
    rng = np.random.default_rng(seed)
    return {
        "initial": rng.uniform(0.2, 0.8, 2 * K).astype(np.float32),
        "pairs": rng.integers(0, PIXELS, (CASCADES, TREES, SPLITS, 2)),
        "thresholds": rng.uniform(-40, 40, (CASCADES, TREES, SPLITS)).astype(np.float32),
        "leaves": rng.normal(0, 0.02, (CASCADES, TREES, SPLITS + 1, 2 * K)).astype(np.float32),
        "anchors": rng.integers(0, K, (CASCADES, PIXELS)),
        "deltas": rng.normal(0, 0.2, (CASCADES, PIXELS, 2)).astype(np.float32),
    }


def written(path: Path, made: Tables) -> Cascades:
    with path.open("wb") as file:
        np.savez(file, **made)
    return Cascades(path)


def in_photo(place: np.ndarray, rectangle: np.ndarray) -> tuple[int, int]:
    left, top, right, bottom = rectangle
    return (
        math.floor(float(place[0]) * (right - left) + left + 0.5),
        math.floor(float(place[1]) * (bottom - top) + top + 0.5),
    )


def gray(pixels: np.ndarray, x: int, y: int) -> int:
    inside = 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
    return int(pixels[y, x].astype(int).sum()) // 3 if inside else 0


def by_hand(made: Tables, pixels: np.ndarray, rectangle: np.ndarray) -> list[tuple[int, int]]:
    mean = made["initial"].reshape(K, 2)
    shape = mean.copy()
    for c in range(CASCADES):
        # the turn and scale from the mean shape to this one (Umeyama 1991), as a complex number
        p = (mean - mean.mean(axis=0)).astype(np.float64)
        q = (shape - shape.mean(axis=0)).astype(np.float64)
        z = complex((p * q).sum(), (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / (p * p).sum()
        turn = np.float32([[z.real, -z.imag], [z.imag, z.real]])
        values = [
            gray(pixels, *in_photo(shape[anchor] + turn @ delta, rectangle))
            for anchor, delta in zip(made["anchors"][c], made["deltas"][c], strict=True)
        ]
        moved = shape.copy()
        for t in range(TREES):
            node = 0
            while node < SPLITS:
                a, b = made["pairs"][c, t, node]
                left = values[a] - values[b] > made["thresholds"][c, t, node]
                node = 2 * node + (1 if left else 2)
            moved += made["leaves"][c, t, node - SPLITS].reshape(K, 2)
        shape = moved
    return [in_photo(point, rectangle) for point in shape]


@pytest.mark.parametrize("seed", range(5))
def test_the_points_are_those_of_the_algorithm(tmp_path: Path, seed: int) -> None:
    made = tables(seed)
    rng = np.random.default_rng(100 + seed)
    pixels = rng.integers(0, 256, (180, 240, 3), np.uint8)
    cascades = written(tmp_path / "t.npz", made)
    assert cascades.points == K
    found = cascades.locate(pixels, RECTANGLES)
    for points, rectangle in zip(found, RECTANGLES, strict=True):
        assert [tuple(point) for point in points.tolist()] == by_hand(made, pixels, rectangle)
    assert np.unique(found.reshape(-1)).size > K, "the trees move the points"


def test_many_faces_are_cut_into_groups_that_change_nothing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (180, 240, 3), np.uint8)
    cascades = written(tmp_path / "t.npz", tables(9))
    many = np.concatenate([RECTANGLES + 2 * i for i in range(25)])
    found = cascades.locate(pixels, many)
    assert found.shape == (75, K, 2)
    for i in (0, 31, 32, 74):
        assert (cascades.locate(pixels, many[i : i + 1])[0] == found[i]).all()
    assert cascades.locate(pixels, many[:0]).shape == (0, K, 2)


def test_a_mean_shape_of_one_point_is_refused(tmp_path: Path) -> None:
    made = {**tables(0), "initial": np.full(2 * K, 0.5, np.float32)}
    with pytest.raises(WeightsCorrupt, match="single point"):
        written(tmp_path / "t.npz", made)
