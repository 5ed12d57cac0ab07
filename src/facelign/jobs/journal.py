"""A file of what was done, so that a later run goes on where this one stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import IO, Self


class Journal:
    """A ledger (``jobs.stream``) of photos that were done before and have not changed since.

    One JSON line a photo; written when all of its results stand, so that a run that was killed
    loses one photo at most. An entry is known by path, size and time of the file.

    states: what the results depend on besides the photo, in a few words. A photo that was done in
    another state is still to be done.
    """

    def __init__(self, path: Path, states: Collection[str] = ("",)) -> None:
        self._path = path
        self._states = states
        self._entries: dict[str, tuple[list[str], str | None]] = {}
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        path = self._path
        kept = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for text in kept.splitlines():
            try:
                entry = json.loads(text)
                self._entries[entry["photo"]] = list(entry["folders"]), entry.get("state")
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # the last line of a run that was killed
        # its folders are people's names: for its owner's eyes only
        handle = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._file = open(handle, "a", encoding="utf-8")  # noqa: PTH123 - closed at exit
        if kept and not kept.endswith("\n"):
            self._file.write("\n")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def claim(self, item: str | Path) -> bool:
        """Return whether the photo is still to be done."""
        return self._entries.get(_key(item), ([], None))[1] not in self._states

    def release(self, item: str | Path) -> None:
        """Nothing: what is done is written."""

    def folders(self, item: str | Path) -> list[str] | None:
        """Return where the results of a photo lie since an earlier run; None for a new photo."""
        entry = self._entries.get(_key(item))
        return None if entry is None else entry[0]

    def write(self, photo: str | Path, folders: list[str], state: str | None = "") -> None:
        """Write where results lie; state: in which they are right, None while they are made."""
        if self._file is not None:
            entry = {"photo": _key(photo), "folders": folders, "state": state}
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()


def _key(photo: str | Path) -> str:
    path = Path(photo)
    try:
        stat = path.stat()
    except OSError:
        return str(path)
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
