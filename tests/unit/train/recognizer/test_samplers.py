"""Batches: each photo once, P people with K photos each, the same for the same seed and epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.train.recognizer.samplers import people_times_photos, shuffled


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_shuffled_shows_each_photo_at_most_once(count, batch, seed, epoch):
    batches = shuffled(count, batch, seed, epoch)
    seen = np.concatenate(batches)
    assert len(np.unique(seen)) == len(seen)
    assert len(seen) > count - batch
    assert all(len(places) == min(batch, count) for places in batches)
    again = shuffled(count, batch, seed, epoch)
    assert all((a == b).all() for a, b in zip(batches, again, strict=True))


def test_epochs_and_seeds_differ():
    first = np.concatenate(shuffled(50, 10, 1, 0))
    assert (first != np.concatenate(shuffled(50, 10, 1, 1))).any()
    assert (first != np.concatenate(shuffled(50, 10, 2, 0))).any()


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=30),
    st.integers(2, 8),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_a_batch_has_p_people_with_k_photos_each(counts, people, photos, epoch):
    labels = np.repeat(np.arange(len(counts)), counts)
    usable = sum(count >= 2 for count in counts)
    if usable < 2:
        with pytest.raises(ConfigError, match="have two photos"):
            people_times_photos(labels, people, photos, 1, epoch)
        return
    for places in people_times_photos(labels, people, photos, 1, epoch):
        found, each = np.unique(labels[places], return_counts=True)
        assert len(found) == min(people, usable)
        assert (each == photos).all()
        for person in found:
            mine = places[labels[places] == person]
            assert len(np.unique(mine)) == min(photos, counts[person])


def test_an_epoch_shows_everybody_who_can_be_an_anchor():
    labels = np.repeat(np.arange(24), 3)
    batches = people_times_photos(labels, 8, 3, 1, 0)
    assert len(batches) == 3
    assert set(labels[np.concatenate(batches)].tolist()) == set(range(24))
