"""A file of what was done, so that a later run goes on where this one stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any, Self


class Journal:
    """A ledger (``jobs.stream``) of photos that were done before and have not changed since.

    One JSON line a photo; written when all of its results stand, so that a run that was killed
    loses one photo at most. An entry is known by path, size and time of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._finished: dict[str, Any] = {}
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        path = self._path
        kept = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for text in kept.splitlines():
            try:
                entry = json.loads(text)
                self._finished[entry["photo"]] = entry["folders"]
            except (ValueError, TypeError, KeyError):
                continue  # the last line of a run that was killed
        self._file = path.open("a", encoding="utf-8")
        if kept and not kept.endswith("\n"):
            self._file.write("\n")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def claim(self, item: str | Path) -> bool:
        """Return whether the photo is still to be done."""
        return _key(item) not in self._finished

    def release(self, item: str | Path) -> None:
        """Nothing: what is done is written."""

    def write(self, photo: str | Path, folders: list[str]) -> None:
        """Write down that a photo is done."""
        if self._file is not None:
            self._file.write(json.dumps({"photo": _key(photo), "folders": folders}) + "\n")
            self._file.flush()


def _key(photo: str | Path) -> str:
    path = Path(photo)
    try:
        stat = path.stat()
    except OSError:
        return str(path)
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
