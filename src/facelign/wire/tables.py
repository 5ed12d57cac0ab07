"""Tables on disk: one row a face as CSV, one record a photo as JSON lines, failures beside."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from facelign.errors import ConfigError
from facelign.files import disk
from facelign.files.home import expanded
from facelign.wire.cells import ENCODING, guarded
from facelign.wire.printable import json_line
from facelign.wire.records import Record

_BOX = ("image", "face", "x1", "y1", "x2", "y2", "height")
_NAME = ("person", "score", "distance", "threshold", "margin", "reason")
#: the columns of a CSV, in order, by the command that writes it: those that it can fill
COLUMNS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "detect": (*_BOX, "score", "error"),
        "liveness": (*_BOX, "score", "decision", "live", "reason", "error"),
        "embed": (*_BOX, "score", "norm", "reason", "error", "embedding"),
        "enroll": ("image", "person", "enrolled", "held", "height", "reason", "error"),
        "identify": (*_BOX, *_NAME, "error"),
        "sort": (*_BOX, *_NAME, "folders", "left", "error"),
    }
)
#: all of them, in order
COLUMNS = (
    *_BOX,
    *_NAME,
    *("decision", "live"),
    *("enrolled", "held", "norm", "folders", "left", "error", "embedding"),
)
#: of the table of failures
_FAILED = ("image", "reason")


class Writer(Protocol):
    """Writes records of one format into an open place, in the order in which they come."""

    def add(self, record: Record) -> None:
        """Write one record."""

    def close(self) -> None:
        """Write what is still held; the disk may be full."""


class _TextFile:
    """A file of text; bytes that are no text in a name are spelled out, as JSON does it.

    Only its owner may read it: it holds names, and vectors where they were asked for.
    """

    encoding = "utf-8"

    def __init__(self, path: Path, columns: Sequence[str] = COLUMNS) -> None:
        self._columns = columns
        handle = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        self._file = open(  # noqa: PTH123, SIM115 - a mode of its own; ``close`` closes it
            handle, "w", encoding=self.encoding, errors="backslashreplace", newline=""
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Csv(_TextFile):
    """Rows of a CSV, of which no cell is a formula."""

    encoding = ENCODING

    def __init__(self, path: Path, columns: Sequence[str] = COLUMNS) -> None:
        super().__init__(path, columns)
        self._rows = csv.writer(self._file)
        self._rows.writerow(columns)

    def write(self, *rows: Iterable[object]) -> None:
        """Write rows."""
        self._rows.writerows(map(guarded, row) for row in rows)

    def add(self, record: Record) -> None:
        """Write one row a face (of a photo without one, a row all the same)."""
        self.write(*rows(record, self._columns))


class JsonLines(_TextFile):
    """One record a line, as --json prints it."""

    def add(self, record: Record) -> None:
        """Write one record."""
        self._file.write(json_line(record))


#: every format of a table, by the suffix of its file; told the columns, where it has some
FORMATS: Mapping[str, Callable[[Path, Sequence[str]], Writer]] = MappingProxyType(
    {".csv": Csv, ".jsonl": JsonLines}
)


class FaceTable:
    """Writes records to a file; what failed goes to a table of failures beside it.

    path: its suffix says the format; None where no table is wanted. columns: of a CSV. The
    failures of ``monday.csv`` lie in ``monday.failures.csv``, and go when a later run into the
    same table has none. A file of that name that is no table of failures is never touched. The
    file appears under its
    name when the run ends, also when it ends early (with what was done until then): whole lines
    only.
    """

    def __init__(self, path: Path | None, columns: Sequence[str] = COLUMNS) -> None:
        if path is not None and path.suffix not in FORMATS:
            kinds = " or ".join(FORMATS)
            raise ConfigError(f"{path.name}: the name of a table must end in {kinds}.")
        self._path, self._columns = path and expanded(path), columns
        self._writer: Writer | None = None
        self._place = ExitStack()
        self._cut: OSError | None = None
        self._failures: list[tuple[str, str]] = []

    def __enter__(self) -> FaceTable:
        if self._path is not None:
            scratch = self._place.enter_context(disk.replacing(self._path, sync=False))
            self._writer = FORMATS[self._path.suffix](scratch, self._columns)
        return self

    def add(self, record: Record) -> None:
        """Write one record; one that says an error, or that it ``failed``, is a failure."""
        if record.get("error") or record.get("failed"):
            self._failures.append((record["image"], record.get("error") or record["reason"]))
        if self._writer is not None:
            try:
                self._writer.add(record)
            except OSError as problem:
                self._cut = problem
                raise

    def __exit__(self, *raised: object) -> None:
        if self._writer is None or self._path is None:
            return
        with self._place:  # what was done until an error is kept; a full disk keeps nothing
            self._writer.close()
            if self._cut is not None:  # closing may have had no more to do
                raise self._cut
        beside = _failures_of(self._path)
        if not self._failures:
            beside.unlink(missing_ok=True)
            return
        with (
            disk.replacing(beside, sync=False) as scratch,
            closing(Csv(scratch, _FAILED)) as table,
        ):
            table.write(*self._failures)


def _failures_of(table: Path) -> Path:
    """Return the place of a table's failures: free, or held by an earlier table of failures."""
    stem = table.name.removesuffix(".csv")
    beside, number = table.with_name(f"{stem}.failures.csv"), 1
    while os.path.lexists(beside) and not _is_failures(beside):
        number += 1
        beside = table.with_name(f"{stem}.failures-{number}.csv")
    return beside


def _is_failures(path: Path) -> bool:
    """Return whether a file begins as a table of failures does."""
    head = ",".join(_FAILED).encode(ENCODING) + b"\r\n"
    try:
        with path.open("rb") as file:
            return file.read(len(head)) == head
    except OSError:
        return False


def rows(record: Record, columns: Sequence[str]) -> Iterable[list[Any]]:
    """Yield the cells of a record's faces, a column each."""
    # enroll tells of one face: a row a file
    faces: list[Record] = record["faces"] or [{}] if "faces" in record else [record]
    for index, face in enumerate(faces):
        cells = dict(face)
        if "live" in face:  # score, decision and reason
            told = face["live"]
            cells |= {"live": told["score"], "decision": told["decision"]}
            cells.setdefault("reason", told.get("reason", ""))
        cells |= zip(("x1", "y1", "x2", "y2"), face.get("box") or (), strict=False)
        cells |= {
            "image": record["image"],
            "face": index if face else "",
            "error": record.get("error") or "",
            "folders": "; ".join(record.get("folders", ())),
            "left": "; ".join(record.get("left", ())),
            "embedding": json.dumps(face["embedding"]) if face.get("embedding") else "",
        }
        yield ["" if cells.get(name) is None else cells[name] for name in columns]
