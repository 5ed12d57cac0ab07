"""Rules of enrollment over a real gallery, on faces laid out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.compare import calibrations, thresholds
from facelign.errors import UnreadableImage
from facelign.gallery.gallery import Gallery
from facelign.recognition.enrolling import LOOKALIKE_FMR, Doubt, enroll, enroll_together, lookalike
from facelign.recognition.options import ALREADY, EnrollOptions
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.faces import Faces
from facelign.types.policies import FacePolicy
from facelign.types.templates import Row

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


def test_a_poor_face_is_refused_with_both_numbers(gallery: Gallery, make: Any) -> None:
    def told(photo: Any, face: int) -> float:
        return 0.42

    wanted = EnrollOptions(quality=0.6)
    (result,) = enroll_together(gallery, "Ada", [photo(make, 1, 100)], wanted, quality=told)
    assert (result.enrolled, result.failed, result.quality) == (False, True, 0.42)
    assert (
        result.reason
        == "too poor: the quality of the face is 0.42 by 'measured', and 0.6 is wanted"
    )
    good = EnrollOptions(quality=0.4)
    (result,) = enroll_together(gallery, "Ada", [photo(make, 1, 100)], good, quality=told)
    assert (result.enrolled, result.quality) == (True, 0.42)
    (unasked,) = enroll_together(
        gallery, "Bob", [photo(make, 2, 100)], EnrollOptions(), quality=told
    )
    assert (unasked.enrolled, unasked.quality) == (True, None)


def test_a_face_like_another_persons_is_held_back(gallery: Gallery, make: Any) -> None:
    assert CALIBRATION is not None
    options = EnrollOptions()
    assert enroll(gallery, "Ada", photo(make, 1, 100), options, calibration=CALIBRATION).enrolled
    alike = photo(make, 2, 100, vectors=make.near(1, 0.2, 9))
    held = enroll(gallery, "Bob", alike, options, calibration=CALIBRATION)
    assert (held.enrolled, held.failed, held.held) == (False, False, True)
    assert held.reason == "looks like Ada (1.jpg)", "by which of her photos"
    assert held.face_height == 100
    for doubt, told in (
        (Doubt("looks like Ada (5.jpg)", "Ada"), "looks like Ada (1.jpg)"),  # in another space, too
        (
            Doubt("looks like Eve (5.jpg)", "Eve"),
            "looks like Ada (1.jpg) and looks like Eve (5.jpg)",
        ),
    ):
        (held,) = enroll_together(
            gallery,
            "Bob",
            [alike],
            options,
            calibration=CALIBRATION,
            elsewhere=lambda _photo, _face, said=doubt: said,
        )
        assert held.reason == told
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
    assert (other.enrolled, other.failed, other.held) == (False, False, True)
    assert "Ada" in other.reason
    gallery.reject("Ada", digest=make.digest(1))
    again = enroll(gallery, "Ada", photo(make, 1, 100), options, calibration=CALIBRATION)
    assert (again.enrolled, again.held, again.reason) == (False, False, "was rejected as Ada")
    assert [person.name for person in gallery.people()] == ["Ada"]


def together(gallery: Gallery, name: str, *photos: Analysis, force: bool = False) -> list[Any]:
    options = EnrollOptions(force=force)
    return list(enroll_together(gallery, name, photos, options, calibration=CALIBRATION))


def test_a_photo_of_somebody_else_is_told_before_it_is_kept(gallery: Gallery, make: Any) -> None:
    ada = [photo(make, n, 100, vectors=make.near(1, 0.3, n)) for n in (11, 12)]
    bob = [photo(make, n, 100, vectors=make.near(2, 0.3, n)) for n in (21, 22, 23)]
    done = together(gallery, "Ada", ada[0], bob[0], ada[1])
    assert [result.enrolled for result in done] == [True, False, True]
    assert (done[1].held, done[1].failed) == (True, False)
    assert done[1].reason == "unlike the other photos of Ada"
    assert all(result.enrolled for result in together(gallery, "Bob", *bob)), "not the next person"
    late = photo(make, 13, 100, vectors=make.near(1, 0.3, 13))
    assert together(gallery, "Ada", late)[0].enrolled
    (both,) = together(gallery, "Ada", photo(make, 24, 100, vectors=make.near(2, 0.3, 24)))
    assert both.reason.startswith("looks like Bob (2")
    assert both.reason.endswith("and unlike the other photos of Ada")
    (stranger,) = together(gallery, "Ada", photo(make, 77, 100))
    assert stranger.reason == "unlike the other photos of Ada"
    (forced,) = together(gallery, "Ada", photo(make, 77, 100), force=True)
    assert forced.enrolled


def test_photos_that_are_like_the_enrolled_ones_only_by_one_another_are_held(
    gallery: Gallery, make: Any
) -> None:
    """What is enrolled is trusted, be it one photo against ten."""
    together(gallery, "Ada", photo(make, 1, 100))
    others = [photo(make, n, 100, vectors=make.near(2, 0.3, n)) for n in range(30, 40)]
    assert all(result.held for result in together(gallery, "Ada", *others))
    step = photo(make, 51, 100, vectors=make.near(1, 0.9, 51))  # like the enrolled one
    far = photo(make, 52, 100, vectors=beyond(make, step))
    assert [result.enrolled for result in together(gallery, "Ada", far, step)] == [True, True]


def beyond(make: Any, step: Analysis) -> Any:
    """A vector like that of ``step`` and unlike that of person 1."""
    assert step.embeddings is not None
    base, other = make.vectors(1, 1).vectors, step.embeddings.vectors
    away = other - base * (base @ other.T)
    mixed = other + 1.2 * away / np.linalg.norm(away)
    return replace(step.embeddings, vectors=(mixed / np.linalg.norm(mixed)).astype(np.float32))


@pytest.mark.parametrize("shares", [(1, 1), (1, 1, 1), (3, 3), (4, 3, 2, 1)])
def test_a_folder_of_several_people_is_told_before_anything_is_kept(
    gallery: Gallery, make: Any, shares: tuple[int, ...]
) -> None:
    photos = [
        photo(make, 10 * who + n, 100, vectors=make.near(who, 0.3, 10 * who + n))
        for who, count in enumerate(shares, start=1)
        for n in range(count)
    ]
    done = together(gallery, "2019", *photos)
    assert [result.image for result in done] == [p.photo.source for p in photos]
    assert all(result.held and not result.enrolled for result in done)
    assert {r.reason for r in done} == {f"the photos of 2019 look like {len(shares)} people"}
    assert gallery.people() == []
    assert all(result.enrolled for result in together(gallery, "2019", *photos, force=True))


def test_copies_of_a_photo_do_not_outvote_others(gallery: Gallery, make: Any) -> None:
    right = [photo(make, n, 100, vectors=make.near(1, 0.3, n)) for n in (11, 12, 13)]
    wrong = photo(make, 20, 100)
    done = together(gallery, "Ada", *[wrong] * 5, *right)
    assert [result.held for result in done] == [True] * 5 + [False] * 3
    assert [info.photo.reference for info in gallery.templates("Ada")] == [
        "11.jpg", "12.jpg", "13.jpg",
    ]  # fmt: skip


def test_who_looks_like_the_odd_photo_of_another_person_is_told_which(
    gallery: Gallery, make: Any
) -> None:
    ada = [photo(make, n, 100, vectors=make.near(1, 0.3, n)) for n in (11, 12)]
    together(gallery, "Ada", *ada, photo(make, 2, 100), force=True)
    held = together(gallery, "Bob", photo(make, 21, 100, vectors=make.near(2, 0.2, 21)))[0]
    assert held.reason == "looks like Ada (2.jpg, which is unlike the other photos of Ada)"


def test_the_look_alike_threshold_follows_the_gallery(gallery: Gallery, make: Any) -> None:
    """As that of a search: a score that is too high by chance in few is not in many."""
    assert CALIBRATION is not None
    few, many = (
        thresholds.search_threshold(CALIBRATION, n, verify_fmr=LOOKALIKE_FMR).threshold.score
        for n in (1, 2000)
    )
    assert few == thresholds.threshold(CALIBRATION, LOOKALIKE_FMR).score
    assert many > few + 0.02
    ada = make.vectors(1, 1)
    side = make.vectors(1, 2).vectors
    side = side - ada.vectors * (side @ ada.vectors.T)
    score = (few + many) / 2
    made = score * ada.vectors + np.sqrt(1 - score**2) * side / np.linalg.norm(side)
    alike = replace(ada, vectors=made.astype(np.float32))
    together(gallery, "Ada", photo(make, 1, 100))
    found = lookalike(gallery, "Bob", alike, CALIBRATION)
    assert found is not None
    assert (found.person, round(found.score, 3)) == ("Ada", round(score, 3))
    rows = [
        Row(f"p{n}", vector, make.photo(1000 + n))
        for n, vector in enumerate(-np.abs(make.vectors(2000, 3).vectors))
    ]
    gallery.enroll_many(rows, ada.space)
    other = gallery.search(alike, k=1)[0][0]
    assert other.person == "Ada"
    assert lookalike(gallery, "Bob", alike, CALIBRATION) is None


def test_a_run_is_taken_back_as_a_whole(gallery: Gallery, make: Any) -> None:
    for number in (1, 2):
        enroll(gallery, "Ada", photo(make, number, 100), EnrollOptions(), run="one")
    enroll(gallery, "Ada", photo(make, 3, 100), EnrollOptions(), run="two")
    gallery.undo()
    assert len(gallery.templates("Ada")) == 2
    gallery.undo()
    assert gallery.people() == []
