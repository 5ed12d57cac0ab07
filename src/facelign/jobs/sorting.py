"""Photos into folders by the people they show, so that a rerun goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO

from facelign.errors import ConfigError
from facelign.recognition.results import Identification

UNKNOWN = "unknown"
NO_FACE = "no-face"
JOURNAL = ".facelign-sort.jsonl"
# Characters that some file system refuses in a name, and names that would leave the folder.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
# Names of devices on Windows, with any suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
# Bytes of a name: file systems take 255, and the mark needs seven.
_LONGEST = 200
_LONGEST_FILE = 255


class Sorter:
    """Copies or links sorted photos; each photo is written down when all of its copies stand."""

    def __init__(self, target: Path, *, link: bool = False) -> None:
        self._target = target
        self._link = link
        self._finished: dict[str, list[str]] = {}
        self._journal: IO[str] | None = None

    def __enter__(self) -> Sorter:
        if self._target.exists() and not self._target.is_dir():
            raise ConfigError(f"{self._target} is a file.", "Name a folder for the sorted photos.")
        self._target.mkdir(parents=True, exist_ok=True)
        path = self._target / JOURNAL
        kept = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        for text in kept.splitlines():
            try:
                entry = json.loads(text)
                self._finished[entry["photo"]] = entry["folders"]
            except (ValueError, TypeError, KeyError):
                continue  # the last line of a run that was killed
        self._journal = path.open("a", encoding="utf-8")
        if kept and not kept.endswith("\n"):
            self._journal.write("\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._journal is not None:
            self._journal.close()

    def done(self, photo: str | Path) -> bool:
        """Return whether the photo was sorted before and its file has not changed since."""
        return _key(photo) in self._finished

    def place(self, result: Identification) -> list[str]:
        """Put the photo into its folders and return their names."""
        photo = Path(result.analysis.photo.source)
        names = [face.person for face in result.faces if face.person]
        folders = sorted({folder_of(name) for name in names})
        if not folders:
            folders = [UNKNOWN if result.faces else NO_FACE]
        for folder in folders:
            self._put(photo, self._target / folder, result.analysis.photo.digest)
        if self._journal is not None:
            entry = {"photo": _key(photo), "folders": folders}
            self._journal.write(json.dumps(entry) + "\n")
            self._journal.flush()
        return folders

    def _put(self, photo: Path, folder: Path, digest: str) -> None:
        folder.mkdir(exist_ok=True)
        wanted = folder / photo.name
        if wanted.exists() and not _same(wanted, photo):
            # Another photo of the same name: the digest tells them apart, also in a rerun.
            mark = f"-{digest[:8]}{photo.suffix}"
            stem = os.fsencode(photo.stem)[: _LONGEST_FILE - len(os.fsencode(mark))]
            wanted = folder / f"{stem.decode(errors='ignore')}{mark}"
        if wanted.exists():
            return
        part = wanted.with_name(f".{digest[:16]}.part{os.getpid()}")
        if self._link:
            part.unlink(missing_ok=True)
            part.symlink_to(photo.resolve())
        else:
            shutil.copy2(photo, part)
        part.replace(wanted)


def folder_of(person: str) -> str:
    """Return the folder of a person: the name itself wherever every system takes it.

    Another name is made safe and gets a mark, so that two people ("a/b" and "a_b") never share
    a folder, and nobody that of the unknown.
    """
    name = _UNSAFE.sub("_", person).strip(" .") or "_"
    if _DEVICE.match(name):
        name = f"_{name}"
    name = name.encode()[:_LONGEST].decode(errors="ignore")
    if name == person and name not in (UNKNOWN, NO_FACE):
        return name
    return f"{name}-{hashlib.sha256(person.encode()).hexdigest()[:6]}"


def _key(photo: str | Path) -> str:
    path = Path(photo)
    try:
        stat = path.stat()
    except OSError:
        return str(path)
    return f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve() or (
        a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
    )
