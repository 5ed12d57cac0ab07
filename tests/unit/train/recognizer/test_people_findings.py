"""The check of the people: each wrong that it knows is put into a set, and told with its photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import training

training.needed()

from facelign.datasets.records import Photo
from facelign.train.recognizer import findings
from facelign.train.recognizer.findings import Looked
from facelign.train.recognizer.people import People, PeopleSplit

PHOTOS = 6


def made(people: int = 4, photos: int = PHOTOS) -> People:
    names = tuple(f"person_{n:03d}" for n in range(people))
    files = tuple(Photo(Path(f"{name}/{i}.jpg"), name) for name in names for i in range(photos))
    return People("folder", files, np.repeat(np.arange(people), photos), names)


def split(people: People) -> PeopleSplit:
    """The last photo of each tests, the one before validates, the others train."""
    turn = np.arange(len(people)) % PHOTOS
    places = [np.flatnonzero(part) for part in (turn < 4, turn == 4, turn == 5)]
    return PeopleSplit(*places, by_person=False, people=len(people.names))


def faces(people: People, seed: int = 0) -> Looked:
    """Vectors of faces as a good judge gives them: near to others of the person, and to nobody."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(len(people.names), 128))
    rows = middles[people.labels] + 0.5 * random.normal(size=(len(people), 128))
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Looked("judge", unit, np.arange(len(people)))


def texts(found) -> list[str]:
    return [finding.text for finding in found]


def test_enough_people_with_enough_photos_are_no_finding():
    people = made(findings.FEW_PEOPLE, PHOTOS + 2)
    every = np.arange(len(people))
    parted = PeopleSplit(every, every[:0], every[:0], by_person=True, people=findings.FEW_PEOPLE)
    assert texts(findings.counts(people, parted)) == []


def test_few_people_and_few_photos_are_told():
    people = made(3)
    told = texts(findings.counts(people, split(people)))
    assert told[0].startswith("Only 3 people train.")
    assert told[1].startswith("Half of the people have 4 photos or fewer")
    assert len(told) == 2


def test_a_person_with_most_of_the_photos_is_named():
    labels = np.array([0] * 6 + [1] * 80 + [2] * 6)
    names = ("ann", "bob", "cem")
    photos = tuple(Photo(Path(f"{i}.jpg"), names[n]) for i, n in enumerate(labels))
    people = People("folder", photos, labels, names)
    every = np.arange(len(labels))
    parted = PeopleSplit(every, every[:0], every[:0], by_person=False, people=3)
    (told,) = [t for t in texts(findings.counts(people, parted)) if "balance" in t]
    assert "bob has 80 photos, half of the others 6 or fewer" in told


def test_lines_that_say_the_same_are_told():
    people = replace(made(), repeated=((2, 9), (3, 11)))
    (told,) = [t for t in texts(findings.counts(people, split(people))) if "once more" in t]
    assert told.startswith("2 lines say once more what another does, such as line 9 and line 2;")


def test_who_and_what_was_left_out_is_a_note():
    people = replace(
        made(), scarce=1, left_out=("ann", "bob"), skipped=((Path("a.txt"), "no photo"),)
    )
    found = [one for one in findings.counts(people, split(people)) if one.severity == "note"]
    assert [one.text.split(" ")[0] for one in found] == ["1", "2", "1"]
    told = " ".join(texts(found))
    for words in ("1 person with too few", "ann", "bob", "such as a.txt: no photo"):
        assert words in told


@pytest.mark.parametrize(("lost", "severity"), [(1, "note"), (2, "note"), (3, "warning")])
def test_photos_without_a_face_weigh_by_their_share(lost, severity):
    people = made(25, 4)
    reasons = dict.fromkeys(range(10, 10 + lost), "no face")
    (found,) = findings.lost(reasons, people.photos)
    assert found.severity == severity
    assert f"{lost} of 100 photos" in found.text
    assert f"{people.photos[10].path}: no face" in found.text
    assert not [*findings.lost({}, people.photos)]


def test_people_of_the_test_are_known_however_they_are_spelled():
    people = made()
    (found,) = findings.shared_names(people, ["Person 001", "nobody"], "the list")
    assert found.severity == "error"
    assert "1 person both in the photos and in the list: person_001" in found.text
    assert not [*findings.shared_names(people, ["nobody"], "the list")]


def test_one_file_under_two_names_and_one_in_two_sets():
    people = made()
    digests = [str(n) for n in range(len(people))]
    assert not [*findings.same_files(people, digests, split(people))]
    digests[7] = digests[1]  # of another person, trains too
    (found,) = findings.same_files(people, digests, split(people))
    assert found.severity == "error"
    assert "under two names" in found.text
    assert str(people.photos[1].path) in found.text
    digests[7] = "7"
    digests[5] = digests[0]  # of the same person, tests
    (found,) = findings.same_files(people, digests, split(people))
    assert "in two of the sets" in found.text
    assert str(people.photos[5].path) in found.text


def test_photos_that_could_not_be_read_are_no_doubles():
    people = made()
    assert not [*findings.same_files(people, [""] * len(people), split(people))]


def test_faces_of_their_own_people_bear_the_right_names():
    people = made(8)
    looked = faces(people)
    assert not [*findings.wrong_names(people, looked)]
    assert not [*findings.near_doubles(people, looked, split(people))]


def test_a_wrong_name_is_told_with_the_right_one():
    people = made(8)
    looked = faces(people)
    vectors = looked.vectors.copy()
    wrong, like = 2 * PHOTOS + 1, 5 * PHOTOS
    vectors[wrong] = vectors[like : like + PHOTOS].mean(axis=0)
    vectors[wrong] /= np.linalg.norm(vectors[wrong])
    (found,) = findings.wrong_names(people, replace(looked, vectors=vectors))
    assert f"1 photo of {len(people)} may bear a wrong name, by judge" in found.text
    assert f"{people.photos[wrong].path} as person_002, like person_005" in found.text


def test_of_one_person_and_of_pairs_no_name_is_judged():
    one = made(1)
    assert not [*findings.wrong_names(one, faces(one))]
    pairs = made(6, 2)
    looked = faces(pairs)
    turned = replace(looked, vectors=np.roll(looked.vectors, 1, axis=0))
    assert not [*findings.wrong_names(pairs, turned)]


@pytest.mark.parametrize(
    ("copy", "what"),
    [(PHOTOS + 2, "under two names"), (4, "in two of the sets"), (5, "in two of the sets")],
)
def test_a_photo_that_was_saved_again_is_seen(copy, what):
    people = made(8)
    looked = faces(people)
    vectors = looked.vectors.copy()
    vectors[copy] = vectors[0] + 0.01 * vectors[1]
    vectors[copy] /= np.linalg.norm(vectors[copy])
    (found,) = findings.near_doubles(people, replace(looked, vectors=vectors), split(people))
    assert f"1 pair of all but the same faces {what}, by judge" in found.text
    assert f"such as {people.photos[0].path} and {people.photos[copy].path}" in found.text


def test_a_copy_within_one_set_of_one_person_is_no_finding():
    people = made(8)
    looked = faces(people)
    vectors = looked.vectors.copy()
    vectors[1] = vectors[0]
    assert not [*findings.near_doubles(people, replace(looked, vectors=vectors), split(people))]


def test_photos_that_were_not_looked_at_are_not_judged():
    people = made(8)
    looked = faces(people)
    some = Looked("judge", looked.vectors[3:9], looked.places[3:9])
    vectors = some.vectors.copy()
    vectors[4] = vectors[1]  # places 7 and 4
    (found,) = findings.near_doubles(people, replace(some, vectors=vectors), split(people))
    assert f"{people.photos[4].path} and {people.photos[7].path}" in found.text


def test_a_named_judge_is_taken_as_it_is_named():
    assert findings.judge_of("sface") == "sface"
    assert findings.judge_of("") == ""
