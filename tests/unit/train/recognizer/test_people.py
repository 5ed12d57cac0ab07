"""Who trains: names that are left out, people with too few photos, splits that share nothing."""

import numpy as np
import pytest

import pattern_people as patterns
from facelign.errors import ConfigError, DatasetMissing
from facelign.train.recognizer.config import PairValidationOptions, PeopleDataOptions
from facelign.train.recognizer.people import names_of_list, plain_name, read_people, split


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = patterns.folder(tmp_path_factory.mktemp("people"), people=10, photos=5, side=8)
    (root / "alone").mkdir()
    (root / "alone" / "1.png").write_bytes((root / "person_00" / "0.png").read_bytes())
    return root


def test_a_folder_gives_photos_with_numbered_people(source):
    found = read_people(PeopleDataOptions(source=str(source)))
    assert found.names == tuple(f"person_{n:02d}" for n in range(10))
    assert found.labels.tolist() == np.repeat(np.arange(10), 5).tolist()
    assert all(found.names[n] == p.person for n, p in zip(found.labels, found.photos, strict=True))
    assert found.scarce == 1


def test_people_are_left_out_by_name_however_it_is_spelled(source, tmp_path):
    listed = tmp_path / "out.txt"
    listed.write_text("# these\nPerson 03\nperson_04\t1234\n", encoding="utf-8")
    found = read_people(
        PeopleDataOptions(source=str(source), leave_out=str(listed)), without=["PERSON-05"]
    )
    assert found.left_out == ("person_03", "person_04", "person_05")
    assert not {"person_03", "person_04", "person_05"} & {p.person for p in found.photos}
    assert plain_name("Tony_Blair ") in names_of_list_of(tmp_path, "Tony Blair\n")


def names_of_list_of(folder, text):
    (folder / "names.txt").write_text(text, encoding="utf-8")
    return names_of_list(folder / "names.txt")


def test_a_limit_keeps_whole_people(source):
    found = read_people(PeopleDataOptions(source=str(source), limit=17))
    assert len(found.photos) == 15
    assert found.names == ("person_00", "person_01", "person_02")
    assert len(read_people(PeopleDataOptions(source=str(source), limit=1)).names) == 2


def test_one_person_teaches_nothing(tmp_path):
    patterns.folder(tmp_path, people=1)
    with pytest.raises(ConfigError, match="takes at least two") as caught:
        read_people(PeopleDataOptions(source=str(tmp_path)))
    assert "1 person" in caught.value.message


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(DatasetMissing, match="no folder, no CSV"):
        read_people(PeopleDataOptions(source=str(tmp_path / "none")))


@pytest.mark.parametrize("how", ["photo", "person"])
def test_splits_share_no_photo_and_by_person_nobody(source, how):
    config = patterns.config(source, data={"split": how, "validation": 0.3, "test": 0.2})
    people = read_people(config.data)
    found = split(people, config)
    sets = [found.train, found.validation, found.test]
    every = np.concatenate(sets)
    assert sorted(every.tolist()) == list(range(len(people.photos)))
    whose = [set(people.labels[places].tolist()) for places in sets]
    if how == "person":
        assert sum(map(len, whose)) == len(set.union(*whose))
        assert [len(w) for w in whose] == [5, 3, 2]
        assert "by person" in found.words
    else:
        assert whose == [set(range(10))] * 3
        assert "by photo within each person" in found.words
    again = split(people, config)
    assert all(
        (a == b).all()
        for a, b in zip(sets, (again.train, again.validation, again.test), strict=True)
    )
    other = split(people, patterns.config(source, seed=9, data={"split": how}))
    assert not np.array_equal(found.train, other.train)


def test_a_list_of_pairs_stands_for_photos_held_out(source):
    config = patterns.config(source, validation=PairValidationOptions(pairs="pairs.txt"))
    found = split(read_people(config.data), config)
    assert len(found.validation) == 0 < len(found.test)


def test_too_few_people_to_split_by_person_are_told(tmp_path):
    source = patterns.folder(tmp_path, people=5)
    config = patterns.config(source, loss={"name": "triplet"})
    with pytest.raises(ConfigError, match="5 people are too few to split by person"):
        split(read_people(config.data), config)
