"""What may be kept, asked of the rules by themselves."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.errors import BadArray, ConfigError, DuplicateTemplate, UnknownPerson
from facelign.gallery import rules
from facelign.gallery.stores.memory import MemoryStore
from facelign.types.changes import Reject
from facelign.types.embeddings import Embeddings
from facelign.types.templates import FaceRecord, PhotoRef, Row

LEFT, RIGHT = (0.0, 0.0, 100.0, 100.0), (200.0, 0.0, 300.0, 100.0)


def row(make, person, number, box=None):
    vector = make.vectors(1, number).vectors[0]
    return Row(person, vector, make.photo(number), face=FaceRecord(box))


@pytest.fixture
def store(make):
    kept = MemoryStore()
    kept.enroll([row(make, "Zoë", 1, LEFT), row(make, "Bob", 2)], make.cosine)
    return kept


def refuse(store, make, name, number, box=None, force=False, digest=None):
    photo = PhotoRef(f"{number}.jpg", make.digest(number) if digest is None else digest)
    rules.refuse_duplicates(store, name, photo, make.cosine.id, [FaceRecord(box)], force)


def test_a_name_is_known_in_any_spelling(store):
    assert rules.known(store, "  Zoë ").name == "Zoë"
    assert rules.known(store, "Bob") == store.person("Bob")


@pytest.mark.parametrize(
    ("name", "hint"), [("Bop", "Did you mean Bob?"), ("Xyz", "See: facelign people list")]
)
def test_an_unknown_name_is_told_with_those_that_are_near(store, name, hint):
    with pytest.raises(UnknownPerson, match=f"Nobody named '{name}'") as raised:
        rules.known(store, name)
    assert raised.value.hint == hint


def test_vectors_of_a_unit_space_have_unit_length(make):
    good, raw = make.vectors(3, 1), make.vectors(3, 1, make.euclidean)
    rules.check_unit(good)
    rules.check_unit(raw)
    rules.check_unit(Embeddings.none(make.cosine))
    long = Embeddings(good.vectors * np.float32(1.01), make.cosine, good.norms)
    with pytest.raises(BadArray, match=r"got lengths 1\.010 to 1\.010"):
        rules.check_unit(long)


def test_a_photo_is_one_persons_once(store, make):
    with pytest.raises(DuplicateTemplate, match=r"1\.jpg is already enrolled as Zoë"):
        refuse(store, make, "Zoë", 1, RIGHT, force=True)
    refuse(store, make, "Zoë", 3)


def test_another_face_of_a_photo_may_be_another_person(store, make):
    refuse(store, make, "Bob", 1, RIGHT)
    refuse(store, make, "Bob", 1, LEFT, force=True)
    near = (10.0, 10.0, 110.0, 110.0)
    for box in (LEFT, near, None):  # a face at an unknown place may be the same one
        with pytest.raises(DuplicateTemplate, match="already enrolled as Zoë") as raised:
            refuse(store, make, "Bob", 1, box)
        assert "people reject" in raised.value.hint


def test_a_rejected_photo_is_not_enrolled_as_that_person(store, make):
    store.apply(Reject(store.person("Bob"), make.digest(5)))
    with pytest.raises(DuplicateTemplate, match="was rejected as Bob"):
        refuse(store, make, "Bob", 5, force=True)
    refuse(store, make, "Zoë", 5)


def test_photos_without_a_digest_are_no_duplicates(store, make):
    for _ in range(2):
        refuse(store, make, "Zoë", 1, digest="")
        store.enroll([Row("Zoë", make.vectors(1, 1).vectors[0], PhotoRef("x", ""))], make.cosine)


def test_of_many_rows_the_fresh_ones_are_kept_and_the_others_told(store, make):
    store.apply(Reject(store.person("Bob"), make.digest(7)))
    rows = [
        row(make, "Ada", 1),
        row(make, " Ada ", 6),
        row(make, "Ada", 6),
        row(make, "Bob", 7),
        row(make, "Zoë", 7),
    ]
    skipped = [(3, "before")]
    kept = rules.fresh(store, rows, make.cosine, 10, skipped)
    assert [(r.person, r.photo) for r in kept] == [("Ada", make.photo(6)), ("Zoë", make.photo(7))]
    assert kept[0].vector is rows[1].vector
    assert skipped == [
        (3, "before"),
        (10, "already enrolled"),
        (12, "already enrolled"),
        (13, "was rejected as Bob"),
    ]
    assert rules.fresh(store, rows[:1], make.cosine, 0, []) == []


def test_a_row_that_cannot_be_kept_stops_them_all(store, make):
    bad = Row("Ada", 2 * make.vectors(1, 8).vectors[0], make.photo(8))
    with pytest.raises(BadArray, match="holds unit vectors"):
        rules.fresh(store, [row(make, "Ada", 9), bad], make.cosine, 0, [])
    with pytest.raises(ConfigError):
        rules.fresh(store, [row(make, " ", 9)], make.cosine, 0, [])
