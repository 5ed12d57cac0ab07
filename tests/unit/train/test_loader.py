"""Batches come in their order, ahead of whoever uses them, and never many at a time."""

from __future__ import annotations

import threading

import pytest

from facelign.train.loader import ahead


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(threads):
    assert list(ahead(lambda step: step * step, range(3, 20), threads)) == [
        step * step for step in range(3, 20)
    ]


def test_batches_are_made_before_they_are_asked_for():
    made, fourth = [], threading.Event()

    def make(step):
        made.append(step)
        if step == 3:
            fourth.set()
        return step

    batches = ahead(make, range(100), 2)
    assert next(batches) == 0
    assert fourth.wait(10)
    batches.close()
    assert len(made) <= 5


def test_what_fails_is_told_where_it_was_asked_for():
    def make(step):
        if step == 2:
            raise ValueError("photo 2")
        return step

    batches = ahead(make, range(10), 2)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="photo 2"):
        next(batches)
