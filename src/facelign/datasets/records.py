"""What the readers give: photos of people, pairs, and what was left out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from facelign.datasets.shelf import Shelf
from facelign.errors import DatasetMalformed, DatasetMissing
from facelign.files.home import expanded

#: a list larger than this is no list: LFW's largest has 6,000 lines, IJB-C's pairs 500 MB
MAX_LIST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo of one person."""

    path: Path
    person: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos and the truth about them. fold counts from 0; line is that of the list."""

    a: Path
    b: Path
    same: bool
    fold: int = 0
    line: int = 0
    person_a: str = ""
    person_b: str = ""


@dataclass(frozen=True, slots=True)
class PairList:
    """Pairs in the order of their list. missing: photos that are named but not there."""

    name: str
    pairs: tuple[Pair, ...]
    missing: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    @property
    def folds(self) -> int:
        """How many folds the pairs fall into."""
        return len({pair.fold for pair in self.pairs})

    @property
    def people(self) -> tuple[str, ...]:
        """Every person that is named, sorted."""
        named = {person for pair in self.pairs for person in (pair.person_a, pair.person_b)}
        return tuple(sorted(named - {""}))

    @property
    def photos(self) -> tuple[Path, ...]:
        """Every photo once, in the order of first use."""
        return tuple(dict.fromkeys(path for pair in self.pairs for path in (pair.a, pair.b)))


@dataclass(frozen=True, slots=True)
class PeopleFolder:
    """Photos by person, sorted. skipped: files that are no photos of a person, with the reason.

    repeated: of a list, the line of a photo, and the line that says the same once more.
    """

    root: Path
    photos: tuple[Photo, ...]
    skipped: tuple[tuple[Path, str], ...] = ()
    repeated: tuple[tuple[int, int], ...] = ()


def existing(path: str | Path) -> Path:
    """Return the path of a file; raises DatasetMissing where there is none."""
    source = expanded(path)
    if not source.is_file():
        raise DatasetMissing(f"There is no file {source}.", "Check the path.")
    return source


def list_text(path: Path) -> str:
    """Return the text of a list; raises DatasetMissing or DatasetMalformed."""
    if not path.is_file():
        raise DatasetMissing(f"There is no file {path}.", "Check the path of the list.")
    if path.stat().st_size > MAX_LIST_BYTES:
        raise DatasetMalformed(f"{path} is too large for a list.", "Give another file.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetMalformed(
            f"{path} is no UTF-8 text (byte {error.start}).", "Save it as UTF-8."
        ) from error


def csv_rows(
    path: Path, wanted: str, *, text: str | None = None, mark: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of a CSV file, or of ``text`` that was read from it; parted by ``mark``.

    Raises DatasetMalformed, which says what is ``wanted``, where it is no CSV.
    """
    lines = io.StringIO(list_text(path) if text is None else text, newline="")
    reader = csv.reader(lines, delimiter=mark)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise malformed(path, reader.line_num, str(error), wanted) from error


def malformed(path: Path, line: int, said: str, wanted: str) -> DatasetMalformed:
    """Return the error for line ``line`` of a list."""
    return DatasetMalformed(f"{path}, line {line}: {said}.", f"Wanted: {wanted}.")


def check_present(pairs: PairList, shelf: Shelf) -> PairList:
    """Return the list with ``missing`` filled; raises DatasetMissing if every photo is missing."""
    photos = pairs.photos
    missing = tuple(path for path in photos if not shelf.holds(path))
    if photos and len(missing) == len(photos):
        raise DatasetMissing(
            f"None of the {len(photos)} photos of {pairs.name} is in {shelf.title}, "
            f"such as {missing[0].name}.",
            "Give the folder that holds the photos.",
        )
    return replace(pairs, missing=missing)
