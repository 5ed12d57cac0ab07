"""Tables on disk: one row a face as CSV, one record a photo as JSON lines, failures beside."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from facelign.errors import ConfigError
from facelign.files import disk
from facelign.wire.cells import guarded
from facelign.wire.records import Record

#: of a CSV, in order
COLUMNS = (
    *("image", "face", "x1", "y1", "x2", "y2", "height"),
    *("person", "score", "distance", "reason", "enrolled", "error", "embedding"),
)


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

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        self._file = open(  # noqa: PTH123, SIM115 - a mode of its own; ``close`` closes it
            handle, "w", encoding="utf-8", errors="backslashreplace", newline=""
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Csv(_TextFile):
    """Rows of a CSV, of which no cell is a formula."""

    def __init__(self, path: Path, columns: Iterable[str] = COLUMNS) -> None:
        super().__init__(path)
        self._rows = csv.writer(self._file)
        self._rows.writerow(columns)

    def write(self, *rows: Iterable[object]) -> None:
        """Write rows."""
        self._rows.writerows(map(guarded, row) for row in rows)

    def add(self, record: Record) -> None:
        """Write one row a face (of a photo without one, a row all the same)."""
        self.write(*rows(record))


class JsonLines(_TextFile):
    """One record a line, as --json prints it."""

    def add(self, record: Record) -> None:
        """Write one record."""
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")


#: every format of a table, by the suffix of its file
FORMATS: Mapping[str, Callable[[Path], Writer]] = MappingProxyType(
    {".csv": Csv, ".jsonl": JsonLines}
)


class FaceTable:
    """Writes records to a file; what failed goes to failures.csv beside it.

    path: its suffix says the format; None where no table is wanted. The file appears under its
    name when the run ends, also when it ends early (with what was done until then): whole lines
    only.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None and path.suffix not in FORMATS:
            kinds = " or ".join(FORMATS)
            raise ConfigError(f"--out {path.name}: the name must end in {kinds}.")
        self._path = path
        self._writer: Writer | None = None
        self._place = ExitStack()
        self._failures: list[tuple[str, str]] = []

    def __enter__(self) -> FaceTable:
        if self._path is not None:
            scratch = self._place.enter_context(disk.replacing(self._path, sync=False))
            self._writer = FORMATS[self._path.suffix](scratch)
        return self

    def add(self, record: Record) -> None:
        """Write one record; one that says an error, or that it ``failed``, is a failure."""
        if record.get("error") or record.get("failed"):
            self._failures.append((record["image"], record.get("error") or record["reason"]))
        if self._writer is not None:
            self._writer.add(record)

    def __exit__(self, *raised: object) -> None:
        if self._writer is None or self._path is None:
            return
        with self._place:  # what was done until an error is kept; a full disk keeps nothing
            self._writer.close()
        beside = self._path.with_name("failures.csv")
        if not self._failures:
            beside.unlink(missing_ok=True)
            return
        with (
            disk.replacing(beside, sync=False) as scratch,
            closing(Csv(scratch, ("image", "reason"))) as table,
        ):
            table.write(*self._failures)


def rows(record: Record) -> Iterable[list[Any]]:
    """Yield the cells of a record's faces, a column each of ``COLUMNS``."""
    # enroll tells of one face: a row a file
    faces: list[Record] = record["faces"] or [{}] if "faces" in record else [record]
    for index, face in enumerate(faces):
        cells = dict(face)
        cells |= zip(("x1", "y1", "x2", "y2"), face.get("box") or (), strict=False)
        cells |= {
            "image": record["image"],
            "face": index if face else "",
            "enrolled": record.get("enrolled", ""),
            "error": record.get("error") or "",
            "embedding": json.dumps(face["embedding"]) if face.get("embedding") else "",
        }
        yield ["" if cells.get(name) is None else cells[name] for name in COLUMNS]
