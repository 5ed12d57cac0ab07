"""Pairs with their people: the truth of a list is kept, whatever it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import csgraph

from facelign.compare import pairs as pairing
from facelign.compare.pairs import Failures, PairScores
from facelign.errors import BadArray


def test_people_known_only_by_their_pairs() -> None:
    pairs = PairScores.of(
        [1, 0.9, 0.1], [True, True, False], photos=(["a", "b", "a"], ["b", "c", "d"])
    )
    assert pairs.a[0] == pairs.b[1]
    # real sets have wrong labels: a contradiction keeps its truth, and joins nobody
    odd = PairScores.of(
        [1, 0.9, 0.1], [True, True, False], photos=(["a", "b", "a"], ["b", "c", "c"])
    )
    assert odd.same.tolist() == [True, True, False]
    assert odd.b[2] not in (odd.a[0], odd.b[0], odd.b[1])
    with pytest.raises(BadArray, match="one person"):
        PairScores.of([1.0], [True], people=(["x"], ["y"]))


def test_people_out_of_pairs() -> None:
    a = ["1", "2", "4", "1"]
    b = ["2", "3", "5", "4"]
    same = np.array([True, True, False, False])
    first, second = pairing.people_of_pairs(a, b, same)
    assert first[0] == second[0] == first[1] == second[1] == first[3]
    assert len({int(first[0]), int(first[2]), int(second[2])}) == 3


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_joined_photos_are_the_connected_parts_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    a, b = rng.integers(0, n, (2, int(rng.integers(1, 60))))
    same = rng.random(len(a)) < 0.6
    left, right = ([f"{i:03d}" for i in side] for side in (a, b))
    names, codes = np.unique(np.array([*left, *right]), return_inverse=True)
    first, second = codes[: len(a)], codes[len(a) :]
    graph = sparse.coo_matrix(
        (np.ones(int(same.sum())), (first[same], second[same])), shape=(len(names),) * 2
    )
    referee = csgraph.connected_components(graph, directed=False)[1]
    against = pairing.contradicted(left, right, same)
    assert (against == ((referee[first] == referee[second]) & ~same)).all()
    person_a, person_b = pairing.people_of_pairs(left, right, same)
    assert (person_a == referee[first]).all()
    assert (person_b[~against] == referee[second[~against]]).all()
    assert ((person_a == person_b) == same).all()


def test_people_are_numbered_without_a_gap_in_their_order() -> None:
    pairs = PairScores(
        np.zeros(3), np.array([True, False, False]), np.array([7, 7, 3]), np.array([7, 3, 9]),
        np.zeros(3, int), np.zeros(3, bool),
    )  # fmt: skip
    assert pairs.people.tolist() == [[1, 1, 0], [1, 0, 2]]
    assert pairs.subjects == 3
    part = pairs.where(np.array([False, False, True]))
    assert part.people.tolist() == [[0], [1]]


def test_failed_pairs_lie_below_every_threshold_or_are_left_out() -> None:
    pairs = PairScores.of([0.9, 5.0, -3.0], [True, True, False], failed=[False, True, False])
    assert pairs.counted(Failures.DIFFERENT).scores.tolist() == [0.9, -4.0, -3.0]
    assert pairs.counted(Failures.LEFT_OUT).scores.tolist() == [0.9, -3.0]
    assert pairs.counted(Failures.RAW) is pairs
