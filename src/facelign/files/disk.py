"""Files on this machine: digests, atomic writes, and cheap proof that a file is still the one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from facelign.errors import ConfigError, InputError
from facelign.files import owners


@runtime_checkable
class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes, none at the end."""
        ...


BLOCK = 1 << 20  # bytes read at a time
#: errors of a disk that takes no more
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0)


def digest(source: Path | bytes) -> str:
    """Return the SHA-256 of a file, or of bytes, as 64 hexadecimal digits."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic(path: Path, *, private: bool = False, sync: bool = True) -> Iterator[BinaryIO]:
    """Write ``path`` so that it is there whole or not at all; its folder is made.

    private: for its owner's eyes only, from its first byte on. sync: also after a power cut, which
    takes a disk some milliseconds; without it only a crash of this program is survived.
    """
    with replacing(path, sync=sync) as scratch:
        mode = 0o600 if private else 0o666
        with open(os.open(scratch, _NEW, mode), "w+b") as file:  # noqa: PTH123 - a mode of its own
            yield file


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a free name beside ``path``; what lies there when all went well takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    owners.sweep(path.parent)
    scratch = owners.scratch(path.parent)
    try:
        yield scratch
        if sync:
            with scratch.open("r+b") as file:
                os.fsync(file.fileno())
        scratch.replace(path)
        if sync:
            sync_folder(path.parent)
    except OSError as problem:
        if problem.errno and problem.filename in (None, str(scratch)):  # such as a full disk
            problem.filename, problem.filename2 = str(path), None  # the file that is meant
        raise
    finally:
        scratch.unlink(missing_ok=True)


def write(path: Path, data: bytes, *, private: bool = False, sync: bool = False) -> None:
    """Write a file whole or not at all, see ``atomic``; raises InputError, which says why it cannot
    be.
    """
    try:
        with atomic(path, private=private, sync=sync) as file:
            file.write(data)
    except OSError as problem:
        raise InputError(
            f"{path} cannot be written: {problem.strerror or problem}.", "Name another place."
        ) from problem


def erase(path: Path) -> None:
    """Overwrite a file's bytes with zeros and delete it; nothing happens where there is none."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        overwrite(file)
    path.unlink()


def overwrite(file: BinaryIO) -> None:
    """Write zeros over all bytes of an open file, down to the disk."""
    left = os.fstat(file.fileno()).st_size
    file.seek(0)
    while left > 0:
        left -= file.write(bytes(min(left, BLOCK)))
    file.flush()
    os.fsync(file.fileno())


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever it is called; None where there is none."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def sync_folder(folder: Path) -> None:
    """Make a rename durable, where the system lets folders be opened (Windows does not)."""
    if os.name == "nt":
        return
    with suppress(OSError):  # some file systems cannot
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def made(folder: Path) -> Path:
    """Return ``folder``, made if need be; raises ConfigError when it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise ConfigError(
            f"The folder {folder} cannot be made: {problem.strerror}.",
            "Let FACELIGN_HOME name a folder that you may write to.",
        ) from problem
    return folder


def scratch_in(folder: Path, name: str) -> Path:
    """Return a new path in ``folder``, which is made if need be; a killed process leaves it there
    for the next one to take away.
    """
    owners.sweep(made(folder))
    return owners.scratch(folder, name)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder in ``folder``, which is made if need be; it goes with all it holds."""
    import shutil

    path = scratch_in(folder, "folder")
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# A stamp notes the size and time of change that a file had when its digest was last computed.
# While both are the same, loading costs one stat instead of reading 10 to 100 MB.


def _now(path: Path) -> dict[str, int]:
    seen = path.stat()
    return {"size": seen.st_size, "mtime_ns": seen.st_mtime_ns}


def write_stamp(path: Path, stamp: Path, sha256: str) -> None:
    """Note that ``path`` was seen to have ``sha256``; a cache that cannot be written is left."""
    try:
        with atomic(stamp) as file:
            file.write(json.dumps({"sha256": sha256, **_now(path)}).encode())
    except OSError:
        return  # a read-only cache: the digest is computed at every load, nothing else is lost


def read_stamp(stamp: Path) -> dict[str, object]:
    """Return what a stamp says, or nothing when it is absent or damaged."""
    try:
        found = json.loads(stamp.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def still(path: Path, stamp: Path, sha256: str) -> bool:
    """Say whether ``path`` has ``sha256``: by its stamp if that fits, else by reading it all."""
    known = read_stamp(stamp)
    if known == {"sha256": sha256, **_now(path)}:
        return True
    if digest(path) != sha256:
        return False
    write_stamp(path, stamp, sha256)
    return True


def copy_checked(
    source: Readable,
    out: BinaryIO,
    size: int,
    on_bytes: Callable[[int], None] | None = None,
) -> str:
    """Copy at most ``size`` bytes and one more, which proves that there are too many.

    Returns the SHA-256 of what was copied. on_bytes: called with the bytes copied so far.
    """
    seen = hashlib.sha256()
    done = 0
    while block := source.read(min(BLOCK, size + 1 - done)):
        out.write(block)
        seen.update(block)
        done += len(block)
        if on_bytes is not None:
            on_bytes(done)
        if done > size:
            break
    return seen.hexdigest()
