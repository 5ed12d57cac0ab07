"""InsightFace's RecordIO sets (``train.rec`` with ``train.idx``): aligned faces with their person.

A ``.rec`` file is a row of records, each at a multiple of 4 bytes: a magic number, a word whose
upper 3 bits tell whether the record goes on in the next one and whose lower 29 its length, and the
content. The content of a picture begins with MXNet's header ``IRHeader`` (flag, label, id, id2:
24 bytes; with flag > 0 so many labels follow as float32), then the bytes of a JPEG or PNG. Record 0
of a face set holds no picture: its two labels say where the list of people begins and ends (see
mxnet's ``recordio.py`` and insightface's ``recognition/arcface_torch/dataset.py``).

``.idx`` is a text of number and place a line. Nothing of the files is trusted: every place and
length is held against the file, and nothing in it is executed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np

from facelign.datasets.records import existing, list_text
from facelign.errors import DatasetMalformed
from facelign.types.arrays import IntArray

_MAGIC = 0xCED7230A
_HEAD = struct.Struct("<II")
_LABELED = struct.Struct("<IfQQ")
#: an encoded face of 112 px has some kB; a record has at most this by its format
MOST_BYTES = 64 << 20
#: labels of a record: 0 of a face set has two
_MOST_LABELS = 1024
#: numbers of people in a float32 are whole up to here
_MOST_PEOPLE = 1 << 24


@dataclass(frozen=True, slots=True)
class Record:
    """One record. labels: the person's number first. picture: bytes of a file, or none."""

    labels: tuple[float, ...]
    picture: bytes = field(repr=False)

    @property
    def person(self) -> int:
        """The number of the person; -1 where the label is none."""
        label = self.labels[0]
        return int(label) if 0 <= label < _MOST_PEOPLE and label == int(label) else -1


class RecordFile:
    """A ``.rec`` file with its ``.idx``: pictures of faces by number, read one at a time.

    keys: (n,) int64 numbers of the records that hold pictures, in the order of the file.
    Raises DatasetMissing, DatasetMalformed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing(path)
        index = existing(self.path.with_suffix(".idx"))
        self._size = self.path.stat().st_size
        places = _places(index, self._size)
        self._file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._places = places
        try:
            self.keys = self._pictures()
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self.keys)

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def read(self, key: int) -> Record:
        """Return a record by its number; safe to call by several threads."""
        place = self._places.get(key)
        if place is None:
            raise DatasetMalformed(f"{self.path} has no record {key}.", "Check its .idx file.")
        return _labeled(self.path, key, self._content(key, place))

    def people(self) -> IntArray:
        """Return the person of each of ``keys``, (n,) int64; reads the begin of every record."""
        found = np.empty(len(self.keys), np.int64)
        for number, key in enumerate(self.keys.tolist()):
            head = self._at(self._places[key] + _HEAD.size, _LABELED.size + 4)
            found[number] = Record(_labels(self.path, key, head), b"").person
            if found[number] < 0:
                raise self._wrong(key, "its label is no person")
        return found

    def _pictures(self) -> IntArray:
        """Return the numbers of the records that hold pictures."""
        if not self._places:
            raise DatasetMalformed(f"{self.path} has no records.", "Check its .idx file.")
        keys = sorted(self._places, key=self._places.__getitem__)
        first = self.read(keys[0])
        if not first.picture and len(first.labels) >= 2:
            # a set of faces: pictures have the numbers 1 to the first label, people come after
            end = first.labels[0]
            keys = [key for key in keys if 0 < key < end]
        if not keys:
            raise DatasetMalformed(f"{self.path} holds no pictures.", "Check its .idx file.")
        return np.array(keys, np.int64)

    def _content(self, key: int, place: int) -> bytes:
        """Return the content of a record, joined where it has several parts."""
        parts: list[bytes] = []
        size = 0
        while True:
            magic, word = _HEAD.unpack(self._at(place, _HEAD.size, key))
            if magic != _MAGIC:
                raise self._wrong(key, "it does not begin as a record does")
            kind, length = word >> 29, word & 0x1FFFFFFF
            size += length
            if size > MOST_BYTES:
                raise self._wrong(key, f"it is larger than {MOST_BYTES >> 20} MiB")
            parts.append(self._at(place + _HEAD.size, length, key))
            place += _HEAD.size + length + -length % 4
            whole, begins, ends = kind == 0, kind == 1, kind == 3
            if (len(parts) == 1) != (whole or begins):
                raise self._wrong(key, "its parts do not follow one another")
            if whole or ends:
                # where a part ends the content held the magic number itself
                return struct.pack("<I", _MAGIC).join(parts)

    def _at(self, place: int, length: int, key: int = 0) -> bytes:
        if place + length > self._size:
            raise self._wrong(key, "it goes on behind the end of the file")
        found = _pread(self._file, length, place)
        if len(found) != length:
            raise self._wrong(key, "it could not be read to its end")
        return found

    def _wrong(self, key: int, said: str) -> DatasetMalformed:
        return DatasetMalformed(
            f"Record {key} of {self.path} cannot be read: {said}.", "Fetch the set again."
        )


def read_records(path: str | Path) -> Iterator[tuple[int, Record]]:
    """Yield (number, record) of every picture of a ``.rec`` file, in the order of the file."""
    with RecordFile(path) as file:
        for key in file.keys.tolist():
            yield key, file.read(key)


def _places(index: Path, size: int) -> dict[int, int]:
    """Return the place of each record, by number."""
    found: dict[int, int] = {}
    for number, line in enumerate(list_text(index).splitlines(), 1):
        if not line.strip():
            continue
        words = line.split()
        if len(words) != 2 or not all(w.isdecimal() and len(w) < 19 for w in words):
            raise DatasetMalformed(
                f"{index}, line {number}: {line[:40]!r} is no number and place.",
                "Fetch the set again.",
            )
        key, place = map(int, words)
        if place % 4 or place + _HEAD.size > size or key in found:
            raise DatasetMalformed(
                f"{index}, line {number}: the .rec file beside it has no record {key} at {place}.",
                "Take the two files of one set.",
            )
        found[key] = place
    return found


def _labels(path: Path, key: int, content: bytes) -> tuple[float, ...]:
    if len(content) < _LABELED.size:
        raise DatasetMalformed(
            f"Record {key} of {path} is too short to have a label.", "Fetch the set again."
        )
    flag, label, _, _ = _LABELED.unpack_from(content)
    if not flag:
        return (float(label),)
    if flag > _MOST_LABELS or len(content) < _LABELED.size + 4:
        raise DatasetMalformed(
            f"Record {key} of {path} claims {flag} labels.", "Fetch the set again."
        )
    room = min(flag, (len(content) - _LABELED.size) // 4)
    return tuple(float(v) for v in struct.unpack_from(f"<{room}f", content, _LABELED.size))


def _labeled(path: Path, key: int, content: bytes) -> Record:
    labels = _labels(path, key, content)
    flag = _LABELED.unpack_from(content)[0]
    if flag > len(labels):
        raise DatasetMalformed(
            f"Record {key} of {path} is too short for its {flag} labels.", "Fetch the set again."
        )
    return Record(labels, content[_LABELED.size + 4 * flag :])


def _pread(file: int, length: int, place: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, length, place)
    os.lseek(file, place, os.SEEK_SET)  # pragma: no cover - Windows reads from one thread at a time
    return os.read(file, length)
