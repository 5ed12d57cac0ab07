"""What a follower holds is what its store holds, and it reads only what changed."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.gallery.following import Follower
from facelign.gallery.gallery import Gallery
from facelign.gallery.indexes.exact import ExactIndex
from facelign.gallery.stores.memory import MemoryStore
from facelign.types.policies import TemplateMode


class ReadingStore(MemoryStore):
    """Remembers from where on vectors were read."""

    def __init__(self):
        super().__init__("counted")
        self.starts = []

    def vectors(self, space_id, after=0):
        self.starts.append(after)
        return super().vectors(space_id, after)


@pytest.fixture
def gallery(make):
    with Gallery(ReadingStore()) as opened:
        for number in range(6):
            make.put(opened, f"p{number % 3}", number)
        yield opened


@pytest.fixture
def follower(gallery, make):
    followed = Follower(make.cosine, ExactIndex)
    followed.follow(gallery.store)
    return followed


def check(follower, gallery):
    """The view is that of a follower which begins anew."""
    view = follower.follow(gallery.store)
    fresh = Follower(follower.space, ExactIndex)
    wanted = fresh.follow(gallery.store)
    np.testing.assert_array_equal(follower.ids, fresh.ids)
    np.testing.assert_array_equal(view.owners_of(fresh.ids), wanted.owners_of(fresh.ids))
    assert (view.owners_of(np.arange(1, 99)) > 0).sum() == len(fresh.ids)
    assert (view.names, view.rejections) == (wanted.names, wanted.rejections)
    np.testing.assert_array_equal(view.index.vectors(fresh.ids), wanted.index.vectors(fresh.ids))


def test_nothing_is_read_while_nothing_changes(follower, gallery):
    before, read = follower.view, list(gallery.store.starts)
    assert follower.follow(gallery.store) is before
    assert gallery.store.starts == read


def test_after_an_addition_only_what_is_new_is_read(follower, gallery, make):
    index, last = follower.index, int(follower.ids[-1])
    (added,) = make.put(gallery, "new", 9)
    check(follower, gallery)
    assert follower.index is index
    assert gallery.store.starts[-2] == last  # the last one is that of the fresh follower
    assert follower.view.names[int(follower.view.owners_of(np.array([added]))[0])] == "new"


@pytest.mark.parametrize(
    "change",
    [
        lambda gallery, make: gallery.rename("p0", "Ada"),
        lambda gallery, make: gallery.merge("p0", "p1"),
        lambda gallery, make: gallery.split("p0", [1], "Ada"),
        lambda gallery, make: gallery.reject("p0", digest=make.digest(3)),
        lambda gallery, make: gallery.remove("p1"),
        lambda gallery, make: gallery.undo(),
        lambda gallery, make: gallery.reject("p2", digest="a" * 64),
    ],
    ids=["rename", "merge", "split", "reject", "remove", "undo", "reject another photo"],
)
def test_every_change_is_followed_and_so_is_its_undoing(follower, gallery, make, change):
    change(gallery, make)
    check(follower, gallery)
    make.put(gallery, "p0" if "p0" in follower.view.names.values() else "late", 20)
    check(follower, gallery)
    gallery.undo()
    check(follower, gallery)


def test_what_comes_back_is_filled_in_anew(follower, gallery, make):
    gallery.reject("p0", digest=make.digest(0))
    check(follower, gallery)
    index = follower.index
    gallery.undo()
    check(follower, gallery)
    assert follower.index is not index, "ids only rise in an index"


def test_a_view_that_was_given_stays_as_it_was(follower, gallery, make):
    view = follower.view
    owners = view.owners.copy()
    gallery.remove("p1")
    follower.follow(gallery.store)
    np.testing.assert_array_equal(view.owners, owners)
    assert "p1" in view.names.values()


def test_centers_are_made_once_and_anew_after_a_change(follower, gallery, make):
    first = follower.centers_of(TemplateMode.MEAN)
    assert follower.centers_of(TemplateMode.MEAN) is first
    assert follower.centers_of(TemplateMode.ROBUST) is not first
    make.put(gallery, "p0", 9)
    follower.follow(gallery.store)
    second = follower.centers_of(TemplateMode.MEAN)
    assert second is not first
    wanted = np.stack([make.vectors(1, n).vectors[0] for n in (0, 3, 9)]).mean(axis=0)
    np.testing.assert_allclose(
        second.index.vectors(np.zeros(1, np.int64))[0], wanted / np.linalg.norm(wanted), atol=1e-6
    )
    gallery.remove("p0")
    follower.follow(gallery.store)
    assert not follower.centers, "they hold on to vectors that were removed"


def test_other_spaces_are_left_out(follower, gallery, make):
    make.put(gallery, "other", 30, make.euclidean)
    check(follower, gallery)
    assert len(follower.index) == 6
