"""Rules of enrollment over a real gallery, on faces laid out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.compare import calibrations
from facelign.errors import UnreadableImage
from facelign.gallery.gallery import Gallery
from facelign.recognition.enrolling import enroll, lookalike
from facelign.recognition.options import ALREADY, EnrollOptions
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.faces import Faces
from facelign.types.policies import FacePolicy

CALIBRATION = calibrations.shipped("sface/arcface-112/five")


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path / "people.db") as opened:
        yield opened


def photo(make: Any, number: int, *heights: float, vectors: Any = None) -> Analysis:
    """A photo with faces of these heights; their vectors are ``number``'s and later ones."""
    boxes = np.array([[0, 0, h * 0.8, h] for h in heights], np.float32).reshape(-1, 4)
    n = len(heights)
    return Analysis(
        PhotoInfo(f"{number}.jpg", make.digest(number), (999, 999)),
        Faces(boxes, np.ones(n, np.float32), None, "by hand", (999, 999)),
        np.arange(n),
        make.vectors(n, number) if vectors is None else vectors,
    )


def test_one_face_becomes_a_template(gallery: Gallery, make: Any) -> None:
    result = enroll(gallery, "Ada", photo(make, 1, 100), EnrollOptions(consent="said yes"))
    assert result.enrolled
    assert (result.image, result.person, result.face_height) == ("1.jpg", "Ada", 100)
    (info,) = gallery.templates("Ada")
    assert (info.id,) == result.template_ids
    assert (info.photo.reference, info.consent) == ("1.jpg", "said yes")
    assert info.face.height == 100


def test_a_photo_that_cannot_be_used_is_a_failure(gallery: Gallery, make: Any) -> None:
    broken = Analysis.failed("a.jpg", UnreadableImage("a.jpg is no picture."))
    none, two = photo(make, 1), photo(make, 2, 100, 90)
    lost = replace(
        photo(make, 3, 100),
        embedded=np.zeros(0, np.int64),
        embeddings=make.vectors(0, 1),
        dropped=((0, "no map"),),
    )
    small = photo(make, 4, 39.9)
    for case, words, height in (
        (broken, "no picture", None),
        (none, "No face", None),
        (two, "2 faces", None),
        (lost, "cannot be aligned: no map", 100),
        (small, "too small: the face is 40 px high, and 40 px are needed", 39.9),
    ):
        result = enroll(gallery, "Ada", case, EnrollOptions())
        assert (result.enrolled, result.failed) == (False, True)
        assert words in result.reason
        assert result.face_height == (None if height is None else pytest.approx(height))
    assert gallery.people() == []


def test_policy_and_size_are_options(gallery: Gallery, make: Any) -> None:
    options = EnrollOptions(policy=FacePolicy.LARGEST, min_height=20)
    result = enroll(gallery, "Ada", photo(make, 1, 25, 30), options)
    assert result.enrolled
    assert result.face_height == 30
    background = enroll(gallery, "Bob", photo(make, 5, 100, 49), EnrollOptions())
    assert background.enrolled, "a face under half the height does not count"


def test_a_face_like_another_persons_is_held_back(gallery: Gallery, make: Any) -> None:
    assert CALIBRATION is not None
    options = EnrollOptions()
    assert enroll(gallery, "Ada", photo(make, 1, 100), options, calibration=CALIBRATION).enrolled
    alike = photo(make, 2, 100, vectors=make.near(1, 0.2, 9))
    held = enroll(gallery, "Bob", alike, options, calibration=CALIBRATION)
    assert (held.enrolled, held.failed, held.reason) == (False, False, "looks like Ada")
    assert held.face_height == 100
    assert enroll(gallery, "Ada", alike, options, calibration=CALIBRATION).enrolled, "her own"
    forced = replace(alike, photo=replace(alike.photo, digest=make.digest(3)))
    assert enroll(gallery, "Bob", forced, EnrollOptions(force=True)).enrolled
    stranger = make.vectors(1, 77)
    assert lookalike(gallery, "Bob", stranger, CALIBRATION) is None
    assert lookalike(gallery, "Bob", make.vectors(1, 1), None) is None, "nothing to tell it by"


def test_the_same_photo_is_enrolled_once(gallery: Gallery, make: Any) -> None:
    options = EnrollOptions()
    assert enroll(gallery, "Ada", photo(make, 1, 100), options).enrolled
    again = enroll(gallery, "Ada", photo(make, 1, 100), options)
    assert (again.enrolled, again.failed, again.reason) == (False, False, ALREADY)
    other = enroll(gallery, "Bob", photo(make, 1, 100), options)
    assert (other.enrolled, other.failed) == (False, False)
    assert "Ada" in other.reason
    assert [person.name for person in gallery.people()] == ["Ada"]


def test_a_run_is_taken_back_as_a_whole(gallery: Gallery, make: Any) -> None:
    for number in (1, 2):
        enroll(gallery, "Ada", photo(make, number, 100), EnrollOptions(), run="one")
    enroll(gallery, "Ada", photo(make, 3, 100), EnrollOptions(), run="two")
    gallery.undo()
    assert len(gallery.templates("Ada")) == 2
    gallery.undo()
    assert gallery.people() == []
