"""Claims on results, so that several processes share one job and never do an item twice."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from facelign.files import owners

#: a claim older than this belongs to a process that was killed, s
STALE_S = 600.0
# Bytes of a name that file systems take.
_LONGEST = 255
#: what file systems say that have no hard links
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EINVAL})


class Claims:
    """A ledger (``jobs.stream``) of (result, photo): the result stands, or is claimed, or neither.

    An item is claimed by a lock file beside its result.
    """

    def claim(self, item: tuple[Path, object]) -> bool:
        """Return whether this process may make the result: nobody else made or claimed it."""
        result = item[0]
        result.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_of(result)
        for _ in range(2):
            if _taken(lock):
                if result.exists():  # made between our look and our claim
                    lock.unlink(missing_ok=True)
                    return False
                return True
            if not _let_go_of(lock):
                return False
        return False

    def release(self, item: tuple[Path, object]) -> None:
        """Take the claim back."""
        lock_of(item[0]).unlink(missing_ok=True)


def _taken(lock: Path) -> bool:
    """Make a lock file that says whose it is; False where there is one.

    It comes with its words or not at all: a process that is killed between the two would leave a
    lock that nobody may take away.
    """
    part = owners.scratch(lock.parent)
    try:
        part.write_text(owners.me(), encoding="utf-8")
        os.link(part, lock)
    except FileExistsError:
        return False
    except OSError as problem:
        if problem.errno not in _NO_LINKS:
            raise
        return _written(lock)
    finally:
        part.unlink(missing_ok=True)
    return True


def _written(lock: Path) -> bool:
    """Make a lock file where the file system knows no second name for a file."""
    try:
        with lock.open("x", encoding="utf-8") as file:
            file.write(owners.me())
    except FileExistsError:
        return False
    except OSError:
        lock.unlink(missing_ok=True)  # a full disk takes the name, and not whose it is
        raise
    return True


def lock_of(result: Path) -> Path:
    """Return the claim on a result."""
    return fitting(result.with_name(f".{result.name}.lock"))


def fitting(path: Path) -> Path:
    """Return the path, its name cut and marked where it is longer than file systems take."""
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST:
        return path
    mark = f"-{hashlib.sha256(name).hexdigest()[:12]}{path.suffix}"
    kept = name[: _LONGEST - len(os.fsencode(mark))].decode(errors="ignore")
    return path.with_name(f"{kept}{mark}")


def sweep(results: Iterable[Path]) -> None:
    """Take away claims on results that ended processes have left."""
    for folder in {result.parent for result in results}:
        owners.sweep(folder)
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(".lock"):
                    _let_go_of(Path(entry.path))


def _let_go_of(lock: Path) -> bool:
    """Take a claim away whose process has ended; return whether it was so."""
    try:
        word = lock.read_text(encoding="utf-8", errors="replace")
        silent = time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return False  # its owner has just finished
    found = owners.gone(word, silent, STALE_S)
    if found:
        lock.unlink(missing_ok=True)
    return found
