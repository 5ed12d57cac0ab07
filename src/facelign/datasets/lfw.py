"""LFW's lists: pairs.txt, pairsDev*.txt, and lists of people who are in a training set too.

The form is used far beyond LFW. Fields are separated by tabs (or blanks, where there is no tab):
``Name  i  j`` is a pair of one person, ``Name  i  Other  j`` one of two. Photos are found as
``Name/Name_%04d.jpg``, or with another picture suffix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from facelign.datasets.records import Pair, PairList, check_present, list_text, malformed
from facelign.datasets.shelf import Shelf, shelf_of
from facelign.errors import ConfigError
from facelign.files.home import expanded

_WANTED = "'Name i j' or 'Name i Other j', separated by tabs"


def read_pairs(path: str | Path, images: str | Path | Shelf) -> PairList:
    """Return the pairs of a list in LFW's form, with any number of folds.

    The first line may be ``folds<TAB>N`` (each fold N mated, then N non-mated pairs), ``N`` (one
    fold), or a pair: then folds are told by equally long runs of mated and non-mated pairs, and
    otherwise there is one. images: the folder of the photos, or the shelf of saved vectors; photos
    that are not there are listed as missing. Raises DatasetMissing, and DatasetMalformed with the
    number of the line.
    """
    source, shelf = expanded(path), shelf_of(images)
    rows = _rows(source)
    if not rows:
        raise malformed(source, 1, "the list is empty", _WANTED)
    header = _header(source, rows[0])
    if header:
        rows = rows[1:]
    pairs = [_pair(source, shelf, line, fields) for line, fields in rows]
    per_fold = _fold_size(source, header, pairs)
    numbered = tuple(replace(pair, fold=i // per_fold) for i, pair in enumerate(pairs))
    return check_present(PairList(source.name, numbered), shelf)


def protocol(
    name: str, lists: str | Path, images: str | Path | Shelf
) -> tuple[PairList | None, PairList]:
    """Return (pairs to choose a threshold on, pairs to report) of a protocol of LFW.

    "lfw-view1": pairsDevTrain.txt and pairsDevTest.txt. "lfw-view2": pairs.txt alone, whose folds
    are their own development sets, each time the others.
    """
    folder = expanded(lists)
    shelf = shelf_of(images)
    if name == "lfw-view1":
        train = read_pairs(folder / "pairsDevTrain.txt", shelf)
        return train, read_pairs(folder / "pairsDevTest.txt", shelf)
    if name == "lfw-view2":
        return None, read_pairs(folder / "pairs.txt", shelf)
    raise ConfigError(f"There is no protocol '{name}'.", "There are: lfw-view1, lfw-view2.")


def read_overlap(path: str | Path) -> frozenset[str]:
    """Return the LFW names of a list of people who are in a training set too.

    A name is the last field of a line (comma or tab), as LFW spells names: with underscores.
    """
    lines = list_text(expanded(path)).splitlines()
    names = {line.replace("\t", ",").split(",")[-1].strip().replace(" ", "_") for line in lines}
    return frozenset(names - {"", "lfw_name"})


def _rows(source: Path) -> list[tuple[int, list[str]]]:
    """Return (line number, fields) of every line that is neither blank nor begins with #."""
    rows = []
    for number, line in enumerate(list_text(source).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            parts = line.strip("\r\n ").split("\t") if "\t" in line else line.split()
            rows.append((number, [part.strip() for part in parts if part.strip()]))
    return rows


def _header(source: Path, row: tuple[int, list[str]]) -> tuple[int, ...]:
    line, fields = row
    if len(fields) > 2 or not all(field.isdecimal() for field in fields):
        return ()
    counts = tuple(_number(source, line, field, _WANTED) for field in fields)
    if 0 in counts:
        raise malformed(source, line, "a count of 0", "folds and pairs a fold, or pairs")
    return counts


def _fold_size(source: Path, header: tuple[int, ...], pairs: Sequence[Pair]) -> int:
    """Return how many pairs a fold has, checked against what the header promises."""
    if not header:
        runs = [len(list(run)) for _, run in groupby(pairs, key=lambda p: p.same)]
        regular = len(runs) > 2 and len(runs) % 2 == 0 and len(set(runs)) == 1
        return 2 * runs[0] if regular else max(len(pairs), 1)
    folds, size = header if len(header) == 2 else (1, header[0])
    if len(pairs) != 2 * folds * size:
        raise malformed(
            source, 1, f"{len(pairs)} pairs are there", f"{folds} x 2 x {size}, as this line says"
        )
    for i, pair in enumerate(pairs):
        if pair.same != (i % (2 * size) < size):
            kind = "mated" if pair.same else "non-mated"
            raise malformed(
                source, pair.line, f"a {kind} pair", f"{size} mated, then {size} non-mated a fold"
            )
    return 2 * size


def _pair(source: Path, shelf: Shelf, line: int, fields: list[str]) -> Pair:
    if len(fields) not in (3, 4):
        raise malformed(source, line, f"{len(fields)} fields", _WANTED)
    name, i, *others, j = fields
    other = others[0] if others else name
    if others and name == other:
        raise malformed(source, line, f"{name} twice", "'Name i j' for a pair of one person")
    first, second = (_number(source, line, n, _WANTED) for n in (i, j))
    for person in (name, other):
        if "/" in person or "\\" in person or person in (".", ".."):
            raise malformed(source, line, f"{person!r} is no name", _WANTED)
    a, b = shelf.numbered(name, first), shelf.numbered(other, second)
    return Pair(a, b, not others, line=line, person_a=name, person_b=other)


def _number(source: Path, line: int, text: str, wanted: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise malformed(source, line, f"{text[:30]!r} is no number", wanted)
    return int(text)
