"""Photos into folders by the people they show, so that a rerun goes on where it stopped."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from facelign.errors import ConfigError
from facelign.jobs.journal import Journal
from facelign.types.analysis import PhotoInfo

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
        self._journal = Journal(target / JOURNAL)

    def __enter__(self) -> Sorter:
        if self._target.exists() and not self._target.is_dir():
            raise ConfigError(f"{self._target} is a file.", "Name a folder for the sorted photos.")
        self._target.mkdir(parents=True, exist_ok=True)
        self._journal.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._journal.__exit__(*raised)

    def done(self, photo: str | Path) -> bool:
        """Return whether the photo was sorted before and its file has not changed since."""
        return not self._journal.claim(photo)

    def place(self, photo: PhotoInfo, people: Sequence[str | None]) -> list[str]:
        """Put the photo into its folders and return their names.

        people: the name of every face that was found, None for an unknown one.
        """
        file = Path(photo.source)
        folders = sorted({folder_of(name) for name in people if name})
        if not folders:
            folders = [UNKNOWN if people else NO_FACE]
        for folder in folders:
            self._put(file, self._target / folder, photo.digest)
        self._journal.write(file, folders)
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


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve() or (
        a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
    )
