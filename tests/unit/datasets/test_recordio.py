"""InsightFace's RecordIO: pictures with their people come back as written; damage is told."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.datasets.people_csv import read_people_csv
from facelign.datasets.recordio import Record, RecordFile, read_records
from facelign.errors import DatasetMalformed, DatasetMissing, FacelignError

MAGIC = 0xCED7230A


def framed(content: bytes) -> bytes:
    """A record as MXNet writes it: where the content holds the magic number it is cut there."""
    parts = content.split(struct.pack("<I", MAGIC))
    made = b""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        kind = 0 if len(parts) == 1 else 1 if number == 0 else 3 if last else 2
        made += struct.pack("<II", MAGIC, kind << 29 | len(part)) + part + bytes(-len(part) % 4)
    return made


def labeled(labels: list[float], picture: bytes) -> bytes:
    if len(labels) == 1:
        return struct.pack("<IfQQ", 0, labels[0], 0, 0) + picture
    head = struct.pack("<IfQQ", len(labels), 0.0, 0, 0)
    return head + struct.pack(f"<{len(labels)}f", *labels) + picture


def written(folder: Path, records: list[tuple[list[float], bytes]]) -> Path:
    """A set of faces: record 0 says that pictures go from 1 to its first label."""
    data, index = b"", ""
    header = labeled([len(records) + 1.0, len(records) + 3.0], b"")
    for key, content in enumerate([header, *(labeled(*r) for r in records)]):
        index += f"{key}\t{len(data)}\n"
        data += framed(content)
    path = folder / "train.rec"
    path.write_bytes(data)
    path.with_suffix(".idx").write_text(index, encoding="ascii")
    return path


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def test_pictures_and_people_come_back(tmp_path):
    pictures = [png(n) for n in range(5)]
    people = [[0.0], [0.0], [3.0, 1.0], [7.0], [7.0, 2.0]]
    path = written(tmp_path, list(zip(people, pictures, strict=True)))
    with RecordFile(path) as file:
        assert file.keys.tolist() == [1, 2, 3, 4, 5]
        assert file.people().tolist() == [0, 0, 3, 7, 7]
        assert [file.read(key).picture for key in file.keys.tolist()] == pictures
    assert [(key, r.person) for key, r in read_records(path)][2] == (3, 3)


def test_a_picture_that_holds_the_magic_number_is_joined_again(tmp_path):
    picture = b"abc" + struct.pack("<I", MAGIC) + b"defgh" + struct.pack("<I", MAGIC)
    path = written(tmp_path, [([1.0], picture)])
    with RecordFile(path) as file:
        assert file.read(1).picture == picture


def test_a_set_without_a_header_record_is_read_whole(tmp_path):
    data, index = b"", ""
    for key in range(3):
        index += f"{key}\t{len(data)}\n"
        data += framed(labeled([float(key)], b"xyz"))
    (tmp_path / "a.rec").write_bytes(data)
    (tmp_path / "a.idx").write_text(index, encoding="ascii")
    with RecordFile(tmp_path / "a.rec") as file:
        assert file.people().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("place", "word", "said"),
    [
        (0, 0x12345678, "does not begin as a record"),
        (4, 0x1FFFFFFF, "larger than|behind the end"),
        (4, 3 << 29 | 8, "do not follow one another"),
    ],
)
def test_a_poisoned_head_is_refused_in_one_sentence(tmp_path, place, word, said):
    path = written(tmp_path, [([1.0], png(1)), ([2.0], png(2))])
    with RecordFile(path) as file:
        begin = file._places[2]
    data = bytearray(path.read_bytes())
    data[begin + place : begin + place + 4] = struct.pack("<I", word)
    path.write_bytes(data)
    with RecordFile(path) as file, pytest.raises(DatasetMalformed, match=said) as caught:
        file.read(2)
    assert str(path) in str(caught.value)


def test_labels_that_are_no_people_and_claims_of_many_labels_are_refused(tmp_path):
    path = written(tmp_path, [([float("nan")], png(1))])
    with RecordFile(path) as file, pytest.raises(DatasetMalformed, match="no person"):
        file.people()
    data = bytearray(path.read_bytes())
    with RecordFile(path) as file:
        begin = file._places[1]
    data[begin + 8 : begin + 12] = struct.pack("<I", 1_000_000)
    path.write_bytes(data)
    with RecordFile(path) as file, pytest.raises(DatasetMalformed, match="claims 1000000 labels"):
        file.read(1)


@pytest.mark.parametrize(
    "index", ["0 zero\n", "0\n", "0\t4000000\n", "0\t2\n", "0\t0\n0\t0\n", "-1\t0\n"]
)
def test_a_wrong_index_is_refused_with_its_line(tmp_path, index):
    path = written(tmp_path, [([1.0], png(1))])
    path.with_suffix(".idx").write_text(index, encoding="ascii")
    with pytest.raises(DatasetMalformed, match=r"\.idx, line \d"):
        RecordFile(path)


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(DatasetMissing):
        RecordFile(tmp_path / "none.rec")
    path = written(tmp_path, [([1.0], png(1))])
    path.with_suffix(".idx").unlink()
    with pytest.raises(DatasetMissing, match="idx"):
        RecordFile(path)


def test_no_bytes_end_in_anything_but_a_refusal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    whole = bytearray(written(folder, [([1.0], png(1)), ([2.0, 5.0], png(2))]).read_bytes())

    @given(
        st.lists(
            st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), min_size=1, max_size=8
        ),
        st.integers(0, len(whole)),
    )
    def tried(changes, end):
        data = bytearray(whole)
        for place, value in changes:
            data[place] = value
        (folder / "train.rec").write_bytes(data[:end] if end % 3 == 0 else data)
        try:
            with RecordFile(folder / "train.rec") as file:
                file.people()
                records = [file.read(key) for key in file.keys.tolist()]
        except FacelignError:
            return
        assert all(isinstance(record, Record) for record in records)

    tried()


def test_a_csv_of_photos_and_people(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    listed = tmp_path / "people.csv"
    listed.write_text("x0,file,person\n1,a.png,Ann\n2,b.png,Bob\n\n", encoding="utf-8")
    found = read_people_csv(listed)
    assert [(p.path.name, p.person) for p in found.photos] == [("a.png", "Ann")]
    assert found.skipped == ((tmp_path / "b.png", "is not there"),)
    with pytest.raises(DatasetMissing, match="None of the 2 photos"):
        read_people_csv(listed, tmp_path / "elsewhere")


def test_a_line_that_says_the_same_once_more_counts_once(tmp_path):
    (tmp_path / "a.png").write_bytes(png(1))
    listed = tmp_path / "people.csv"
    lines = ("file,person", "a.png,Ann", "a.png,Bob", "a.png, Ann ", "./a.png,Bob")
    listed.write_text("\n".join(lines), encoding="utf-8")
    found = read_people_csv(listed)
    assert [p.person for p in found.photos] == ["Ann", "Bob"]
    assert found.repeated == ((2, 4), (3, 5))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,age\na.png,3\n", "no column person"),
        ("file,person\na.png,\n", "line 2"),
        ("", "line 1"),
    ],
)
def test_a_csv_that_does_not_say_who_is_refused(tmp_path, text, said):
    listed = tmp_path / "people.csv"
    listed.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetMalformed, match=said):
        read_people_csv(listed)
