"""Tables on disk: one row a face as CSV, one record a photo as JSON lines, failures beside."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from facelign.errors import ConfigError

Record = dict[str, Any]
_COLUMNS = (
    "image",
    "face",
    "x1",
    "y1",
    "x2",
    "y2",
    "height",
    "person",
    "score",
    "distance",
    "reason",
    "enrolled",
    "error",
    "embedding",
)


class Table:
    """Writes records to a .csv or .jsonl file; what failed goes to failures.csv beside it.

    The file appears under its name when the run ends, also when it ends early (with what was
    done until then): whole lines only.
    """

    def __init__(self, path: Path | None) -> None:
        if path is not None and path.suffix not in (".csv", ".jsonl"):
            raise ConfigError(f"--out {path.name}: the name must end in .csv or .jsonl.")
        self._path = path
        self._file: IO[str] | None = None
        self._failures: list[tuple[str, str]] = []

    def __enter__(self) -> Table:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _opened(self._part)
            if self._path.suffix == ".csv":
                csv.writer(self._file).writerow(_COLUMNS)
        return self

    @property
    def _part(self) -> Path:
        assert self._path is not None  # noqa: S101 - only called with a path
        return self._path.with_name(self._path.name + ".part")

    def add(self, record: Record) -> None:
        """Write one record."""
        if record.get("error") or (record.get("enrolled") is False and record.get("failed")):
            self._failures.append((record["image"], record.get("error") or record["reason"]))
        if self._file is None:
            return
        if self._path is not None and self._path.suffix == ".jsonl":
            self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            csv.writer(self._file).writerows(_rows(record))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None or self._path is None:
            return
        try:
            self._file.close()  # what is still held goes to the disk, which may be full
            self._part.replace(self._path)
        except OSError:
            self._part.unlink(missing_ok=True)
            raise
        beside = self._path.with_name("failures.csv")
        if self._failures:
            with _opened(beside) as file:
                csv.writer(file).writerows([("image", "reason"), *self._failures])
        else:
            beside.unlink(missing_ok=True)


def _opened(path: Path) -> IO[str]:
    # Bytes that are no text in a file's name are spelled out, as JSON does it.
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def _rows(record: Record) -> list[list[Any]]:
    if "faces" not in record:  # enroll: one row a file
        faces: list[Record] = [record]
    else:
        faces = record["faces"] or [{}]
    rows = []
    for index, face in enumerate(faces):
        box = face.get("box") or ("", "", "", "")
        cells = {"image": record["image"], "face": index if face else ""}
        cells |= dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
        cells |= {k: face.get(k, "") for k in ("height", "person", "score", "distance", "reason")}
        cells["embedding"] = json.dumps(face["embedding"]) if face.get("embedding") else ""
        cells["enrolled"] = record.get("enrolled", "")
        cells["error"] = record.get("error") or ""
        rows.append(["" if cells[name] is None else cells[name] for name in _COLUMNS])
    return rows
