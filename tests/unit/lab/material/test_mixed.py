"""Folders that are no people are told by the vectors alone, and folders of people are not."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.lab.material.mixed import mixed
from facelign.lab.material.named import Named
from facelign.types.embeddings import Metric, Space


def people(count: int, photos: int, noise: float, metric: Metric) -> Named:
    """Vectors of people, each around a center of its own."""
    draws = np.random.default_rng(3)
    centers = np.repeat(draws.normal(0, 1, (count, 32)), photos, axis=0)
    vectors = centers + draws.normal(0, noise, centers.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = tuple(f"p{number:02}" for number in range(count) for _ in range(photos))
    return Named(Space("test/a/b", 32, metric, True), vectors.astype(np.float32), names)


def renamed(named: Named, names: list[str]) -> Named:
    return Named(named.space, named.vectors, tuple(names))


@pytest.mark.parametrize("metric", [Metric.COSINE, Metric.EUCLIDEAN])
@pytest.mark.parametrize("photos", [2, 6])
def test_albums_of_several_people_are_told_and_people_are_not(metric: Metric, photos: int) -> None:
    named = people(20, photos, 0.4, metric)
    assert mixed(named) == []
    albums = renamed(named, [f"album{number % 10}" for number in range(len(named.people))])
    (text,) = mixed(albums)
    assert "10 of 10 folders" in text
    assert "(album0, album1, album2, ...)" in text
    assert "album0" not in mixed(albums, tell=False)[0]


def test_one_album_among_people_is_named() -> None:
    named = people(20, 4, 0.4, Metric.COSINE)
    names = list(named.people)
    names[::4] = ["holiday"] * 20  # one photo of each
    (text,) = mixed(renamed(named, names))
    assert "1 of 21 folders" in text
    assert "(holiday)" in text


def test_a_few_pairs_that_look_unlike_are_no_album() -> None:
    named = people(20, 2, 0.4, Metric.COSINE)
    vectors = named.vectors.copy()
    vectors[1], vectors[3] = -vectors[1], -vectors[3]  # two poor photos
    assert mixed(Named(named.space, vectors, named.people)) == []


@pytest.mark.parametrize("count", [0, 1])
def test_without_pairs_of_different_folders_nothing_can_be_told(count: int) -> None:
    assert mixed(people(count, 3, 0.1, Metric.COSINE)) == []
