"""Whose a file is that goes when its work is done, and whether that process is still at work.

A process that is killed leaves such files behind. Their owner is written in their name, or in
them, so that the next one to come by takes them away, and none that a living process needs.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

#: whoever is on another machine cannot be asked whether it lives: its scratch files, which grow
#: while they are written, are left for so long, s
FOREIGN_S = 86_400.0
# machine and pid namespace, process, its start (digits, or nothing where the system says none)
_OWNER = r"([0-9a-f]{8})-(\d+)-(\d*)"
_WORD = re.compile(_OWNER)
_SCRATCH = re.compile(rf"\.{_OWNER}-[0-9a-f]{{12}}\..+", re.DOTALL)

_swept: set[str] = set()


@cache
def _here() -> str:
    """Return what tells this machine, or container, from others that may share a folder."""
    inside = ""
    with suppress(OSError):
        inside = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - no path, a text
    return hashlib.sha256(f"{_name()} {inside}".encode()).hexdigest()[:8]


def _name() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def me() -> str:
    """Return the word for this process."""
    return f"{_here()}-{os.getpid()}-{born(os.getpid())}"


def gone(word: str, silent_s: float, patience_s: float) -> bool:
    """Return whether the process of a word has ended: it is dead on this machine, or elsewhere.

    silent_s: since when it said nothing; patience_s: how long that is believed to be work, of a
    process that cannot be asked after, or where the word is none.
    """
    found = _WORD.fullmatch(word)
    host, _, pid = word.partition(" ")  # as older versions wrote it
    if host == _name() and pid.isdecimal() and os.name != "nt":
        return not alive(int(pid))
    if found is None or found[1] != _here() or os.name == "nt":
        return silent_s > patience_s
    return not at_work(f"{found[2]} {found[3]}")


def scratch(folder: Path, ending: str = "part") -> Path:
    """Return a free name in a folder for a file, or a folder, that this process takes away."""
    return folder / f".{me()}-{os.urandom(6).hex()}.{ending}"


def sweep(folder: Path) -> None:
    """Take away what ended processes have left in a folder; done once by each process."""
    key = os.path.abspath(folder)  # noqa: PTH100 - a link is swept as another folder
    if key in _swept:
        return
    _swept.add(key)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _SCRATCH.fullmatch(entry.name)
            if found is None:
                continue
            with suppress(OSError):  # another process took it first, or it may not be taken
                silent = time.time() - entry.stat(follow_symlinks=False).st_mtime
                if gone("-".join(found.groups()), silent, FOREIGN_S):
                    if entry.is_dir(follow_symlinks=False):
                        import shutil

                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)  # noqa: PTH108 - an entry's path is text


def alive(pid: int) -> bool:
    """Return whether a process of that number runs on this machine."""
    if os.name == "nt":  # signal 0 would end the process on Windows
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def born(pid: int) -> str:
    """Return when a process started, in the system's own words, or "" where it does not say.

    Numbers of processes are used again; number and start together are not (field 22 of
    /proc/PID/stat, man 5 proc).
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def worker() -> str:
    """Return what tells this process from all others on this machine."""
    return f"{os.getpid()} {born(os.getpid())}"


def at_work(worker: str) -> bool:
    """Say whether the process that ``worker`` named runs, on this machine."""
    pid, _, since = worker.partition(" ")
    if os.name == "nt":  # others cannot be asked after; two that finish one removal do no harm
        return pid == str(os.getpid())
    return pid.isdigit() and alive(int(pid)) and born(int(pid)) == since
