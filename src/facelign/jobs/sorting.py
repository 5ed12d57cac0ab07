"""Photos into folders by the people they show, so that a rerun goes on where it stopped."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facelign.errors import ConfigError
from facelign.files import disk, owners
from facelign.files.home import expanded
from facelign.files.ledger import SORTED as JOURNAL
from facelign.jobs.journal import Journal
from facelign.types.analysis import PhotoInfo

UNKNOWN = "unknown"
NO_FACE = "no-face"
# Characters that some file system refuses in a name, and names that would leave the folder.
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
# Names of devices on Windows, with any suffix.
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
# Bytes of a name: file systems take 255, and the mark needs seven.
_LONGEST = 200
_LONGEST_FILE = 255


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a photo lies now. folders: all of them; left: those that an earlier run had put it
    into, and from which it was taken away; moved: whether this run changed where it lies.
    """

    folders: tuple[str, ...]
    left: tuple[str, ...] = ()
    moved: bool = True


class Sorter:
    """Copies or links sorted photos; each photo is written down when all of its copies stand.

    looking: how faces are looked for, in a few words; naming: what else their names depend on,
    such as the gallery and its revision. A photo that was sorted when either was another is to be
    sorted again, one without a face only when ``looking`` was. again: every photo is.
    """

    def __init__(
        self,
        target: Path,
        *,
        link: bool = False,
        looking: str = "",
        naming: str = "",
        again: bool = False,
    ) -> None:
        self._target = target = expanded(target)
        self._link = link
        self._without, self._with = looking, f"{looking}; {naming}"  # a face
        states = () if again else (self._without, self._with)
        self._journal = Journal(target / JOURNAL, states)

    def __enter__(self) -> Sorter:
        if self._target.exists() and not self._target.is_dir():
            raise ConfigError(f"{self._target} is a file.", "Name a folder for the sorted photos.")
        self._target.mkdir(parents=True, exist_ok=True)
        for folder in self._target.iterdir():
            owners.sweep(folder)  # of a run that was killed; nothing where it is a file
        self._journal.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._journal.__exit__(*raised)

    def done(self, photo: str | Path) -> bool:
        """Return whether the photo was sorted before and would be sorted so again."""
        return not self._journal.claim(photo)

    def known(self, photo: str | Path) -> bool:
        """Return whether the photo was sorted before, be it in another state."""
        return self._journal.known(photo)

    def place(self, photo: PhotoInfo, people: Sequence[str | None]) -> Placed:
        """Put the photo into its folders, and take it out of those where it no longer belongs.

        people: the name of every face that was found, None for an unknown one. A copy that was
        changed by hand, or moved away, is left alone.
        """
        file = Path(photo.source)
        folders = sorted({folder_of(name) for name in people if name})
        if not folders:
            folders = [UNKNOWN if people else NO_FACE]
        before, known = list[str](), self._journal.known(file)
        if known:  # what there is now: a journal names no folder
            there = sorted(path.name for path in self._target.iterdir())
            before = self._journal.among(file, there)
        # A run that is killed in between leaves no copy that a later one does not know of.
        self._journal.write(file, sorted({*before, *folders}), None)
        written = [self._put(file, self._target / folder, photo.digest) for folder in folders]
        old = [name for name in before if name not in folders]
        left = [name for name in old if self._take_out(file, self._target / name, photo.digest)]
        self._journal.write(file, folders, self._with if people else self._without)
        return Placed(tuple(folders), tuple(left), bool(left) or any(written) or not known)

    def _take_out(self, photo: Path, folder: Path, digest: str) -> bool:
        """Delete the copies or links that an earlier run made of a photo; never the photo."""
        found = False
        for copy in (folder / photo.name, _marked(folder, photo, digest)):
            if _is_copy(copy, photo):
                copy.unlink()
                found = True
        if found:
            with suppress(OSError):  # other photos lie there
                folder.rmdir()
        return found

    def _put(self, photo: Path, folder: Path, digest: str) -> bool:
        """Write a copy or a link; returns whether there was none."""
        folder.mkdir(exist_ok=True)
        wanted = folder / photo.name
        if wanted.exists() and not _same(wanted, photo):
            wanted = _marked(folder, photo, digest)
        if wanted.exists():
            return False
        with disk.replacing(wanted, sync=False) as part:
            if self._link:
                part.symlink_to(photo.resolve())
            else:
                shutil.copy2(photo, part)
        return True


def _marked(folder: Path, photo: Path, digest: str) -> Path:
    """Return the place of a photo beside another of its name: told apart by digest, always."""
    mark = f"-{digest[:8]}{photo.suffix}"
    stem = os.fsencode(photo.stem)[: _LONGEST_FILE - len(os.fsencode(mark))]
    return folder / f"{stem.decode(errors='ignore')}{mark}"


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


def _is_copy(copy: Path, photo: Path) -> bool:
    """Return whether a file is a copy of, or a link to, the photo, and not the photo itself."""
    if copy.is_symlink():
        return copy.resolve() == photo.resolve() and copy.absolute() != photo.absolute()
    return copy.is_file() and copy.resolve() != photo.resolve() and _same(copy, photo)


def _same(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve() or (
        a.stat().st_size == b.stat().st_size and a.read_bytes() == b.read_bytes()
    )
