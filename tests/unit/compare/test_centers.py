"""Centers of groups, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.compare import centers


def groups(seed=3, dim=24):
    """Groups of many sizes, mixed, two of them as large as one block holds and more."""
    rng = np.random.default_rng(seed)
    sizes = [1, 2, 3, 3, 3, 7, 7, 40, 2, 1]
    numbers = np.repeat(np.arange(len(sizes)) * 5 + 2, sizes)
    order = rng.permutation(len(numbers))
    points = rng.normal(size=(len(numbers), dim)).astype(np.float32)
    return points, numbers[order]


@pytest.mark.parametrize("block", [1, 700, 1 << 20])
def test_means_are_those_of_a_loop(monkeypatch, block):
    monkeypatch.setattr(centers, "_BLOCK_BYTES", block)
    points, numbers = groups()
    found = centers.by_group(points.__getitem__, numbers, points.shape[1])
    assert found.groups.tolist() == sorted(set(numbers.tolist()))
    for number, center, first in zip(found.groups, found.centers, found.firsts, strict=True):
        np.testing.assert_allclose(center, points[numbers == number].mean(axis=0), atol=1e-6)
        assert first == np.flatnonzero(numbers == number)[0]


def cost(center, points):
    return float(np.linalg.norm(points - center, axis=1).sum())


def test_no_point_near_a_geometric_median_is_nearer_to_all():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(6, 9, 16)).astype(np.float32)
    for center, group in zip(centers.geometric_medians(points), points, strict=True):
        least = cost(center, group)
        assert least <= cost(group.mean(axis=0), group)
        for _ in range(50):
            step = rng.normal(size=16)
            assert cost(center + 0.05 * step / np.linalg.norm(step), group) > least


def test_of_three_points_of_a_right_triangle_it_is_the_fermat_point():
    """Legs of 1: from the Fermat point every pair of corners is seen at 120 degrees."""
    points = np.array([[[0, 0], [1, 0], [0, 1]]], np.float32)
    (center,) = centers.geometric_medians(points)
    rays = points[0] - center
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    cosines = (rays @ rays.T)[np.triu_indices(3, 1)]
    np.testing.assert_allclose(cosines, -0.5, atol=0.01)


def test_a_minority_far_away_hardly_moves_the_median():
    rng = np.random.default_rng(2)
    group = rng.normal(size=(1, 9, 8)).astype(np.float32)
    group[0, :3] += 100
    assert np.linalg.norm(centers.means(group)) > 90
    assert np.linalg.norm(centers.geometric_medians(group)) < 4


@pytest.mark.parametrize("n", [1, 2])
def test_of_one_or_two_it_is_the_mean(n):
    points = np.random.default_rng(n).normal(size=(4, n, 8)).astype(np.float32)
    np.testing.assert_array_equal(centers.geometric_medians(points), points.mean(axis=1))
