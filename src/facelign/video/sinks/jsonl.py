"""Events as JSON lines in a file: on the disk before ``put`` returns, one line an event.

Several processes may write into one file, and it may be moved away while they do. A line that was
cut off because its process or machine died is taken away, as nobody was told that it is kept.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from facelign.errors import DatasetMalformed, SinkError
from facelign.files import disk
from facelign.files.home import expanded
from facelign.files.locking import locked
from facelign.types.contracts import EventLog
from facelign.types.events import Event
from facelign.video.forgetting import traces
from facelign.video.sinks.recent import RecentIds
from facelign.wire import values
from facelign.wire.printable import json_line
from facelign.wire.records import event_record

#: how long another process is waited for, s: a camera does not stand still meanwhile
_WAIT_S = 1.0
#: bytes of the end of a log that are looked through when it is opened, for ids
_TAIL = 1 << 20
_BLOCK = 1 << 16
#: how each line begins
_HEAD = b'{"event": "'
_WAITS = "Make room or check its rights; events wait until then."


class JsonlLog(EventLog):
    """A file of JSON lines, which only its owner may read. Raises SinkError for another's file."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(expanded(path)))
        self.name = path.name
        self._guard = threading.RLock()
        self._file: BinaryIO | None = None
        self._recent = RecentIds()
        self._end = -1
        with self._held():
            pass

    def put(self, events: Sequence[Event]) -> None:
        """Write events to the disk; see types.contracts.EventSink."""
        if not events:
            return
        with self._held() as file:
            new = self._recent.new(events)
            data = b"".join(map(_line, new))
            try:
                left = memoryview(data)
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):  # half a line is none
                    file.truncate(self._end)
                raise
            self._end += len(data)
            self._recent.add(event.id for event in new)

    def newest(self) -> Iterator[Event]:
        """Yield the events, the last first; lines that are none are passed over."""
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            for line in _backwards(file):
                event = _event(line)
                if event is not None:
                    yield event

    def forget(self, person: str) -> int:
        """Take a person out of the file, which is written anew; the old bytes are overwritten."""

        def without(line: bytes) -> bytes:
            event = _event(line)
            if event is None:
                return b"" if person.encode(errors="surrogatepass") in line else line
            if event.id in found.events:
                return b""
            return _line(replace(event, reason="")) if event.id in found.mentions else line

        with self._held():
            found = traces(self.newest(), person)
            return self._rewrite(without)

    def drop_before(self, time: datetime) -> int:
        """Delete the events from before a moment."""

        def later(line: bytes) -> bytes:
            event = _event(line)
            return b"" if event is not None and event.time < time else line

        return self._rewrite(later)

    def close(self) -> None:
        """Let the file go."""
        with self._guard:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _rewrite(self, change: Callable[[bytes], bytes]) -> int:
        """Put each line through ``change``; returns how many it changed."""
        with self._held() as file:
            with self.path.open("rb") as lines:
                changed = sum(change(line) != line for line in lines)
            if changed:
                with disk.atomic(self.path, private=True) as out, self.path.open("rb") as lines:
                    out.writelines(map(change, lines))
                disk.overwrite(file)
                self.close()
            return changed

    # -- the open file ---------------------------------------------------------------------------

    @contextmanager
    def _held(self) -> Iterator[BinaryIO]:
        """Yield the file, for this process alone and read to its end; told in words of ours."""
        try:
            with self._guard:
                while True:
                    file = self._opened()
                    with locked(file, _WAIT_S):
                        if disk.identity(self.path) == _identity(file):
                            self._read_on(file)
                            yield file
                            return
                    self.close()  # moved away, or written anew by another process
        except TimeoutError as problem:
            raise SinkError(
                f"{self.name} is being written by another program.", "Events wait until it is done."
            ) from problem
        except OSError as problem:
            full = problem.errno in disk.NO_ROOM or problem.errno == errno.EFBIG
            why = "the disk is full" if full else problem.strerror or str(problem)
            raise SinkError(f"{self.name} cannot be written: {why}.", _WAITS) from problem

    def _opened(self) -> BinaryIO:
        if self._file is None:
            if self.path.exists() and not self.path.is_file():
                raise SinkError(f"{self.name} is no file.", "Name a file for the events.")
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            handle = os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
            self._file = open(handle, "r+b", buffering=0)  # noqa: PTH123, SIM115 - a mode of its own
            disk.sync_folder(self.path.parent)
            self._end = -1
        return self._file

    def _read_on(self, file: BinaryIO) -> None:
        """Learn what others wrote since the last time, and mend the end."""
        size = os.fstat(file.fileno()).st_size
        start = self._end if 0 <= self._end <= size else max(0, size - _TAIL)
        if start == size:
            self._end = size
            return
        file.seek(start)
        data = _read(file, size - start)
        whole, _, cut = data.rpartition(b"\n")
        lines = whole.split(b"\n")
        if self._end < 0:
            if start:  # begins in the middle of a line
                del lines[0]
            self._refuse_foreign(lines, cut)
        if cut and _event(cut) is not None:
            lines.append(cut)
            file.write(b"\n")
            size += 1
        elif cut:
            size -= len(cut)
            file.truncate(size)
        self._recent.add(key for line in lines if (key := _key(line)) is not None)
        self._end = size

    def _refuse_foreign(self, lines: list[bytes], cut: bytes) -> None:
        """Raise SinkError for a file that is not ours, before a byte of it is changed."""
        cut = cut.strip(b"\0")
        ours = cut.startswith(_HEAD) or _HEAD.startswith(cut)
        if not ours or not all(map(_event, lines[-1:] if lines != [b""] else [])):
            self.close()
            raise SinkError(
                f"{self.name} is no log of events; it was not touched.", "Name another file."
            )


def _line(event: Event) -> bytes:
    # bytes that are no text in a name come as lone surrogates, which are spelled as JSON does it
    return json_line(event_record(event)).encode("utf-8", "backslashreplace")


def _event(line: bytes) -> Event | None:
    try:
        record = json.loads(line)
        return values.event(record) if isinstance(record, dict) else None
    except (ValueError, RecursionError, DatasetMalformed):
        return None


def _key(line: bytes) -> str | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    key = record.get("id") if isinstance(record, dict) else None
    return key if isinstance(key, str) else None


def _identity(file: BinaryIO) -> tuple[int, int]:
    seen = os.fstat(file.fileno())
    return seen.st_dev, seen.st_ino


def _read(file: BinaryIO, size: int) -> bytes:
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _backwards(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file, the last first."""
    left, held = file.seek(0, os.SEEK_END), b""
    while left:
        step = min(_BLOCK, left)
        left -= step
        file.seek(left)
        held, *lines = (_read(file, step) + held).split(b"\n")
        yield from reversed(lines)
    yield held
