"""A file of what was done, so that a later run goes on where this one stopped."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Self

from facelign.files import disk, ledger


class Journal:
    """A ledger (``jobs.stream``) of photos that were done before and have not changed since.

    One JSON line a photo; written when all of its results stand, so that a run that was killed
    loses one photo at most. An entry is known by path, size and time of the file. It holds no
    name: photos, folders and states are digests (``files.ledger``).

    states: what the results depend on besides the photo, in a few words. A photo that was done in
    another state is still to be done.
    """

    def __init__(self, path: Path, states: Collection[str] = ("",)) -> None:
        self._path = path
        self._states = states
        self._salt = b""
        self._wanted: set[str] = set()
        self._entries: dict[str, tuple[set[str], str | None]] = {}
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        path = self._path
        every = list(ledger.entries(path))
        self._salt = next((salt for one in every if (salt := ledger.salt_of(one))), b"")
        if not self._salt:
            self._begin(every)
            every = list(ledger.entries(path))
        for entry in every:
            try:
                self._entries[entry["photo"]] = set(entry["folders"]), entry.get("state")
            except (TypeError, KeyError):
                continue  # the salt, or damage
        self._wanted = {self._veiled(state) for state in self._states}
        cut = not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        if cut:
            self._file.write("\n")
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def claim(self, item: str | Path) -> bool:
        """Return whether the photo is still to be done."""
        return self._entries.get(self._key(item), (set(), None))[1] not in self._wanted

    def release(self, item: str | Path) -> None:
        """Nothing: what is done is written."""

    def known(self, item: str | Path) -> bool:
        """Return whether the photo was done before, be it in another state."""
        return self._key(item) in self._entries

    def among(self, item: str | Path, folders: Iterable[str]) -> list[str]:
        """Return in which of the folders the results of a photo lie since an earlier run."""
        before = self._entries.get(self._key(item), (set[str](), None))[0]
        return [name for name in folders if before and self._veiled(name) in before]

    def write(self, photo: str | Path, folders: list[str], state: str | None = "") -> None:
        """Write where results lie; state: in which they are right, None while they are made."""
        if self._file is not None:
            entry = self._entry(_key(photo), folders, state)
            self._file.write(json.dumps(entry) + "\n")
            self._file.flush()

    def _begin(self, named: list[dict[str, object]]) -> None:
        """Begin the file, with what an older version wrote into it, names and all."""
        self._salt, line = ledger.new_salt()
        lines = [line]
        for old in named:
            photo, folders, state = old.get("photo"), old.get("folders"), old.get("state")
            if isinstance(photo, str) and isinstance(folders, list):
                told = state if isinstance(state, str) else None
                entry = self._entry(photo, [str(name) for name in folders], told)
                lines.append(json.dumps(entry) + "\n")
        with disk.atomic(self._path, private=True) as file:
            file.write("".join(lines).encode())

    def _entry(self, key: str, folders: list[str], state: str | None) -> dict[str, object]:
        told = None if state is None else self._veiled(state)
        return {
            "photo": self._veiled(key),
            "folders": [self._veiled(name) for name in folders],
            "state": told,
        }

    def _key(self, photo: str | Path) -> str:
        return self._veiled(_key(photo))

    def _veiled(self, text: str) -> str:
        return ledger.veiled(text, self._salt)


def _key(photo: str | Path) -> str:
    path = Path(photo)
    try:
        stat = path.stat()
    except OSError:
        return str(path)
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
