"""A rejection of one face bars that face, and leaves the person the others of the photo."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import DuplicateTemplate
from facelign.gallery.gallery import Gallery
from facelign.gallery.rejections import bars, digest_of, key_of
from facelign.gallery.stores.memory import MemoryStore
from facelign.gallery.stores.sqlite import SqliteStore
from facelign.types.policies import TemplateMode
from facelign.types.templates import FaceRecord, Row

LEFT, RIGHT = (10.5, -2.5, 60.9, 70.2), (200.0, 5.0, 250.0, 75.0)
NEAR_RIGHT = (203.0, 6.0, 251.0, 74.0)


@pytest.fixture(params=["memory", "sqlite"])
def gallery(request, path):
    store = MemoryStore() if request.param == "memory" else SqliteStore(path)
    with Gallery(store) as opened:
        yield opened


def enroll(gallery, make, person, number, box, photo=1):
    (found,) = gallery.enroll(
        person, make.vectors(1, number), photo=make.photo(photo), faces=[FaceRecord(box)]
    )
    return found


def named(gallery, make, number, *boxes, mode=TemplateMode.BEST):
    probes = make.vectors(1, number)
    probes = type(probes).joined([probes] * len(boxes))
    where = np.array(boxes, np.float32)
    found = gallery.search(probes, photo_digest=make.digest(1), boxes=where, mode=mode)
    return [[candidate.person for candidate in one] for one in found]


def test_keys():
    key = key_of("abc", LEFT)
    assert key == "abc@10,-2,60,70"
    assert digest_of(key) == digest_of("abc") == "abc"
    assert bars("abc", "abc", None)
    assert bars("abc", "abc", RIGHT)
    assert bars(key, "abc", LEFT)
    assert not bars(key, "abc", RIGHT)
    assert not bars(key, "abc", None), "where nobody knows the face, it may be another one"
    assert not bars(key, "ab", LEFT)


@pytest.mark.parametrize("mode", list(TemplateMode))
def test_only_the_face_is_barred(gallery, make, mode):
    enroll(gallery, make, "Ada", 1, LEFT, photo=5)
    enroll(gallery, make, "Bob", 2, LEFT, photo=6)
    assert gallery.reject("Ada", digest=make.digest(1), box=RIGHT) == 0
    assert named(gallery, make, 1, LEFT, NEAR_RIGHT, mode=mode) == [["Ada", "Bob"], ["Bob"]]
    assert [c.person for c in gallery.search(make.vectors(1, 1))[0]] == ["Ada", "Bob"]
    gallery.undo()
    assert named(gallery, make, 1, NEAR_RIGHT, mode=mode) == [["Ada", "Bob"]]
    gallery.redo()
    assert named(gallery, make, 1, NEAR_RIGHT, mode=mode) == [["Bob"]]


def test_an_enrolled_face_is_set_aside_and_not_enrolled_again(gallery, make):
    enroll(gallery, make, "Ada", 1, LEFT)
    gallery.enroll("Ada", make.vectors(1, 3), photo=make.photo(7), faces=[FaceRecord(RIGHT)])
    assert gallery.reject("Ada", digest=make.digest(1), box=(12.0, 0.0, 62.0, 71.0)) == 1
    first, second = gallery.templates("Ada")
    assert (first.rejected, second.rejected) == (True, False)
    assert gallery.people()[0].templates == 1
    with pytest.raises(DuplicateTemplate, match="was rejected as Ada"):
        enroll(gallery, make, "Ada", 1, LEFT)
    assert gallery.was_rejected("Ada", make.digest(1), LEFT)
    assert not gallery.was_rejected("Ada", make.digest(1), RIGHT)
    enroll(gallery, make, "Ada", 4, RIGHT)  # the other face of the same photo is hers
    rows = [Row("Ada", make.vectors(1, 9).vectors[0], make.photo(1), face=FaceRecord(LEFT))]
    assert gallery.enroll_many(rows, make.cosine).skipped[0][1] == "already enrolled"
    assert gallery.history()[2].text == "a face of a photo is not Ada, 1 template set aside"
    assert gallery.photos_of(gallery.history())[3] == "photos/1.jpg"


def test_rejections_of_faces_go_where_those_of_photos_go(gallery, make):
    enroll(gallery, make, "Ada", 1, LEFT)
    enroll(gallery, make, "Bob", 2, LEFT, photo=6)
    gallery.reject("Ada", digest=make.digest(1), box=LEFT, reference="photos/1.jpg")
    before = gallery.store.rejections()
    gallery.merge("Ada", "Bob")
    assert named(gallery, make, 2, LEFT, RIGHT) == [[], ["Bob"]]
    gallery.undo()
    assert gallery.store.rejections() == before
    gallery.reject("Bob", digest=make.digest(1), box=LEFT, reference="photos/1.jpg")
    gallery.remove("Ada")
    bob = gallery.store.person("Bob")
    assert gallery.store.rejected(bob) == {key_of(make.digest(1), LEFT): ""}


def test_a_gallery_of_before_learns_of_faces(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as db:
        text = Path(__file__).with_name("old_gallery.sql").read_text(encoding="utf-8")
        db.executescript(text)
    with Gallery.open(path) as gallery:
        (eva, _) = gallery.templates("Eva")
        people = {person.name: person.templates for person in gallery.people()}
        assert people["Eva"] == 2
        box = eva.face.box or (0.0, 0.0, 1.0, 1.0)
        gallery.reject("Eva", digest=eva.photo.digest, box=box)
        aside = {person.name: person.templates for person in gallery.people()}
        assert aside == people | {"Eva": 2 - (eva.face.box is not None)}
