"""Aligned faces: cut once, the same as the product cuts, read back one by one."""

import json

import numpy as np
import pytest

import pattern_people as patterns
from facelign.imaging.read import read
from facelign.imaging.resize import resized
from facelign.recognition.recognizer import Recognizer
from facelign.train.recognizer import shards
from facelign.train.recognizer.config import PeopleDataOptions
from facelign.train.recognizer.shards import Aligner, ChipShards, FreshChips, PhotoPaths

SIZE = (112, 112)


@pytest.fixture
def pictures(tmp_path):
    root = patterns.folder(tmp_path / "people", people=2, photos=4)
    paths = sorted(root.rglob("*.png"))
    paths[3].write_bytes(b"no picture")
    return PhotoPaths(paths)


@pytest.fixture
def aligner():
    return Aligner(PeopleDataOptions(align=False), "arcface-112", SIZE)


def test_a_picture_that_is_aligned_is_brought_to_the_size(pictures, aligner, tmp_path):
    made = ChipShards(pictures, aligner, folder=tmp_path / "cache")
    for place, path in enumerate(pictures.paths):
        if place == 3:
            assert made.chip(place) is None
        else:
            assert np.array_equal(made.chip(place), resized(read(path).pixels, SIZE))
    assert list(made.reasons) == [3]
    assert str(pictures.paths[3]) in made.reasons[3]
    assert len(made.digests) == len(made) == 8
    fresh = FreshChips(pictures, aligner)
    assert fresh.chip(3) is None
    assert fresh.reasons == {3: made.reasons[3]}
    assert np.array_equal(fresh.chip(0), made.chip(0))


def test_what_was_cut_is_not_cut_again_and_what_was_begun_goes_on(
    pictures, aligner, tmp_path, monkeypatch
):
    monkeypatch.setattr(shards, "PER_FILE", 3)
    made = ChipShards(pictures, aligner, folder=tmp_path)
    files = sorted(made.folder.glob("*.chips"))
    assert len(files) == 3
    before = {file.name: file.stat().st_mtime_ns for file in files}
    wanted = [made.chip(place) for place in range(8)]
    # a run that was killed after its second file
    files[2].with_suffix(".json").unlink()
    files[1].write_bytes(files[1].read_bytes()[:-1])
    counts = []
    again = ChipShards(pictures, aligner, folder=tmp_path, done=counts.append)
    after = {file.name: file.stat().st_mtime_ns for file in files}
    assert [name for name in before if before[name] == after[name]] == [files[0].name]
    assert sum(counts) == 8
    for place in range(8):
        one, other = wanted[place], again.chip(place)
        assert (one is None and other is None) or np.array_equal(one, other)


def test_a_photo_that_changed_is_cut_again(pictures, aligner, tmp_path):
    first = ChipShards(pictures, aligner, folder=tmp_path)
    pictures.paths[0].write_bytes(pictures.paths[1].read_bytes() + b"\0")
    second = ChipShards(pictures, aligner, folder=tmp_path)
    assert first.folder != second.folder
    assert np.array_equal(second.chip(0), second.chip(1))


def test_damage_of_the_record_means_that_it_is_made_again(pictures, aligner, tmp_path):
    made = ChipShards(pictures, aligner, folder=tmp_path)
    record = next(made.folder.glob("*.json"))
    for text in ("", "[]", '{"digests": []}', '{"digests": [], "reasons": {"0": ""}}'):
        record.write_text(text, encoding="utf-8")
        assert ChipShards(pictures, aligner, folder=tmp_path).chip(0) is not None
        assert len(json.loads(record.read_text(encoding="utf-8"))["digests"]) == 8


@pytest.mark.shared
@pytest.mark.parametrize("layout", ["arcface-112", "crop"])
def test_chips_are_those_of_the_product(recognition, plain_weights, tmp_path, layout):
    paths = sorted((recognition / "lfw_100" / "images").rglob("*.jpg"))[:3]
    made = ChipShards(
        PhotoPaths(paths), Aligner(PeopleDataOptions(), layout, SIZE), folder=tmp_path
    )
    if layout == "arcface-112":
        chips = Recognizer().align(paths[1]).chips[0]
        assert any(np.array_equal(made.chip(1), pixels) for pixels in chips.pixels)
    else:
        assert made.chip(1).shape == (112, 112, 3)
    assert not made.reasons
