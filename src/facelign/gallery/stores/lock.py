"""Who holds a gallery: a note beside the file that a writer leaves while it writes.

The lock itself is SQLite's. The note ``GALLERY.lock`` only gives it a name for people; it is
believed only while the process that wrote it lives, so a killed writer leaves no lie.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from facelign.files.owners import alive, born

#: bytes of a note at most; a longer file is none of ours
_LIMIT = 512


class HolderNote:
    """The note of one open gallery. Safe to call from one thread at a time."""

    def __init__(self, gallery: Path, command: str | None = None) -> None:
        self.path = gallery.with_name(gallery.name + ".lock")
        self._command = command or running_command()
        self._file: int | None = None
        self._text = b""

    def put(self) -> None:
        """Say that this process writes. A note that cannot be written is left out."""
        with suppress(OSError):
            if self._file is None:
                flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
                self._file = os.open(self.path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
                record = {"pid": os.getpid(), "born": born(os.getpid()), "command": self._command}
                self._text = json.dumps(record).encode().ljust(_LIMIT)[:_LIMIT]
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, self._text)

    def clear(self) -> None:
        """Take the note away, unless the next writer has put its own in its place."""
        if self._file is None:
            return
        with suppress(OSError):
            os.lseek(self._file, 0, os.SEEK_SET)
            if os.read(self._file, _LIMIT) == self._text:
                os.ftruncate(self._file, 0)

    def close(self) -> None:
        """Close the note's file; it stays, empty."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def holder(self) -> str:
        """Return who writes now, for people: "facelign enroll (process 4711)"."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self.path.read_bytes()[:_LIMIT])
            pid, command = int(record["pid"]), str(record["command"])
            if alive(pid) and born(pid) == record["born"]:
                mine = " (this process)" if pid == os.getpid() else f" (process {pid})"
                return command[:100] + mine
        return "another program"


def running_command() -> str:
    """Return the name of the running command: words that could hold a person's name are left out.

    The note must not tell names, so only the program and, for facelign, its command are kept.
    """
    name = Path(sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c", "-m") else "python").name
    if name == "__main__.py":
        name = "facelign"
    words = [w for w in sys.argv[1:3] if w.isascii() and w.isalpha() and w.islower()]
    return " ".join([name, *words[:1]]) if name == "facelign" else name


def users(path: Path) -> list[int]:
    """Return the other processes that have a file open, as far as the system shows them."""
    found = []
    wanted = path.resolve()
    with suppress(OSError):
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            with suppress(OSError):
                if any(link.resolve() == wanted for link in (folder / "fd").iterdir()):
                    found.append(int(folder.name))
    return sorted(found)
