"""One process at a time: a lock on an open file, which ends with its process."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

#: seconds between two tries
_STEP_S = 0.01
#: where Windows locks a byte: behind all that a file holds, so that it can be read
_FAR = 1 << 62

if sys.platform == "win32":
    import msvcrt

    def _try(file: BinaryIO, lock: bool) -> None:
        place = file.tell()
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK if lock else msvcrt.LK_UNLCK, 1)
        finally:
            file.seek(place)

else:
    import fcntl

    def _try(file: BinaryIO, lock: bool) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB if lock else fcntl.LOCK_UN)


@contextmanager
def locked(file: BinaryIO, wait_s: float) -> Iterator[None]:
    """Hold a file for this process alone; raises TimeoutError where another keeps it for longer."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            _try(file, True)
            break
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= deadline:
                raise TimeoutError("another process holds it") from None
            time.sleep(_STEP_S)
    try:
        yield
    finally:
        if not file.closed:  # closing lets go too
            _try(file, False)
