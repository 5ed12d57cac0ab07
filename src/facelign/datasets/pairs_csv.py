"""Pairs from a CSV file with a header: ``a,b,same``, or deepface's ``file_x,file_y,Decision``."""

from __future__ import annotations

from pathlib import Path

from facelign.datasets.records import Pair, PairList, check_present, csv_rows, list_text, malformed
from facelign.datasets.shelf import Shelf, shelf_of
from facelign.files.home import expanded

_FIRST = ("a", "file_x", "file_a", "image_a", "photo_a", "img1")
_SECOND = ("b", "file_y", "file_b", "image_b", "photo_b", "img2")
_TRUTH = ("same", "decision", "match", "mated", "label")
_YES = ("yes", "true", "1", "same")
_NO = ("no", "false", "0", "different")

_WANTED = "columns a, b, same (or file_x, file_y, Decision); same is yes or no; fold is optional"


def read_pairs_csv(path: str | Path, images: str | Path | Shelf | None = None) -> PairList:
    """Return the pairs of a CSV file; photos lie in ``images`` (or on that shelf), or beside it.

    Cells are parted by commas, semicolons or tabs. Without a header the columns are a, b, same. A
    name with folders that are not there is looked for by its last part. Raises DatasetMissing, and
    DatasetMalformed with the number of the line.
    """
    source = expanded(path)
    shelf = shelf_of(source.parent if images is None else images)
    text = list_text(source)
    top = text.lstrip().partition("\n")[0]
    # spreadsheets of many countries write semicolons; the mark that the first line has most of
    mark = max(",;\t", key=top.count)
    first_row = csv_rows(source, _WANTED, text=top, mark=mark)
    bare = [cell.strip().lower() for cell in next(first_row, (1, []))[1]]
    headless = len(bare) == 3 and bare[2] in {*_YES, *_NO} - {"same"}
    if headless:
        text = mark.join(("a", "b", "same")) + "\n" + text
    rows = csv_rows(source, _WANTED, text=text, mark=mark)
    header = [cell.strip().lower() for cell in next(rows, (1, []))[1]]
    first, second, truth = (_column(source, header, n) for n in (_FIRST, _SECOND, _TRUTH))
    fold = header.index("fold") if "fold" in header else None
    pairs: list[Pair] = []
    for number, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        line = number - headless
        if len(row) != len(header):
            raise malformed(source, line, f"{len(row)} cells", f"{len(header)} as the header")
        said = row[truth].strip().lower()
        if said not in _YES + _NO:
            raise malformed(source, line, f"{row[truth][:30]!r} is no truth", "yes or no")
        part = 0 if fold is None else _fold(source, line, row[fold])
        a, b = (shelf.named(row[i].strip()) for i in (first, second))
        pairs.append(Pair(a, b, said in _YES, part, line))
    if not pairs:
        raise malformed(source, 1, "no pairs", _WANTED)
    return check_present(PairList(source.name, tuple(pairs)), shelf)


def read_groups_csv(path: str | Path) -> dict[str, str]:
    """Return file or person -> group, from a CSV with a header whose first two columns they are."""
    return dict(_below_header(expanded(path), "groups", "name", "group"))


def read_media_csv(path: str | Path) -> list[tuple[str, str, str]]:
    """Return (photo, template, medium) rows, from a CSV with a header: first three columns."""
    rows = _below_header(expanded(path), "rows", "photo", "template", "medium")
    return [(photo, template, medium) for photo, template, medium in rows]


def _below_header(source: Path, what: str, *columns: str) -> list[list[str]]:
    """Return the first cells of every row below the header, none of which may be empty."""
    wanted = ", ".join(columns)
    lines = csv_rows(source, wanted)
    next(lines, None)
    rows = []
    for line, row in lines:
        cells = [cell.strip() for cell in row[: len(columns)]]
        if len(cells) == len(columns) and all(cells):
            rows.append(cells)
        elif any(cell.strip() for cell in row):
            raise malformed(source, line, f"{len(row)} cells", wanted)
    if not rows:
        raise malformed(source, 1, f"no {what}", f"a header, then {wanted} in each line")
    return rows


def _column(source: Path, header: list[str], names: tuple[str, ...]) -> int:
    for name in names:
        if name in header:
            return header.index(name)
    raise malformed(source, 1, f"no column {' or '.join(names[:2])}", _WANTED)


def _fold(source: Path, line: int, text: str) -> int:
    if not text.strip().isdecimal() or len(text) > 9:
        raise malformed(source, line, f"{text[:30]!r} is no fold", "a number")
    return int(text)
