"""Interruptions: the first lets a command end in order, the next ends it at once and quietly."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing takes as long as the rest, and nothing is caught before
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any, NoReturn

#: what a user (Ctrl-C), a system that shuts down, and a terminal that is closed send
_ENDINGS = ("SIGINT", "SIGTERM", "SIGHUP")
_NOT_WRITTEN = 3  # ``exits.Exit.INPUT``
#: exit statuses of a run that was interrupted, and of one whose reader went away: those of shells
INTERRUPTED, PIPE = 130, 141
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it (ECMA-48, DECTCEM)

_caught: list[int] = []  # signals, in the order in which they came
_ended: list[int] = []  # the status of a run that is over
_waits: list[bool] = []  # whether whoever runs asks by itself if a signal came


def watch() -> None:
    """Take the signals that end a program; those that whoever started it ignores stay ignored."""
    numbers = [getattr(signal, name) for name in _ENDINGS if hasattr(signal, name)]
    heard = {number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, _first)
    sys.unraisablehook = _unraisable
    atexit.register(_end)  # what is registered first is called last
    if os.name != "nt" and heard:  # Python's own handlers wait for long calls of libraries
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        _thread.start_new_thread(_listen, (reader, heard))


@contextmanager
def postponed() -> Iterator[Callable[[], bool]]:
    """Yield what says whether the run was interrupted; nothing is raised meanwhile.

    For work that has to come to an end in order, such as the step of a training.
    """
    _waits.append(True)
    try:
        yield lambda: bool(_caught)
    finally:
        _waits.pop()


def said(text: str) -> int:
    """Write to standard output what is said without loading anything; return the exit status."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        return PIPE
    except OSError:
        return _NOT_WRITTEN
    except (AttributeError, ValueError):  # closed by the caller: what is said is not wanted
        return 0
    return 0


def interrupted() -> int:
    """Say that the run was interrupted, where nothing that could say it is loaded."""
    with suppress(OSError, AttributeError, ValueError):
        sys.stderr.write("facelign: interrupted.\n")
    return INTERRUPTED


def leave(code: int) -> NoReturn:
    """End the process with a status: that of the signal where one came, or of a closed pipe."""
    flushed = said("")
    if _caught:  # threads that still work would end with a message of C++ on the way out
        _end_at_once()
    _ended.append(code or flushed)
    raise SystemExit(code or flushed)


def _end() -> None:
    """End the process here, once all that has to be done before its end is done.

    The interpreter would go on to take modules, arrays and networks apart one by one, which takes
    as long as looking at a photo; the system takes the memory back at once.
    """
    if _ended:
        for stream in (sys.stdout, sys.stderr):  # what callbacks and threads said since
            with suppress(OSError, AttributeError, ValueError):
                stream.flush()
        os._exit(_ended[0])


def _first(number: int, _frame: FrameType | None) -> None:
    if _caught:
        _end_at_once()
    _caught.append(number)
    if not _waits:
        raise KeyboardInterrupt


def _listen(reader: int, heard: set[int]) -> None:
    """End the process at its second signal, whatever its main thread is busy with."""
    seen = 0
    while byte := os.read(reader, 1):
        seen += byte[0] in heard
        if seen > 1:
            _caught[:] = _caught or [byte[0]]
            _end_at_once()


def _unraisable(told: Any) -> None:
    """End at once where an interruption came where Python can raise nothing, and goes on."""
    if issubclass(told.exc_type, KeyboardInterrupt):
        _end_at_once()
    sys.__unraisablehook__(told)


def _end_at_once() -> NoReturn:
    with suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(128 + _caught[0] if _caught else INTERRUPTED)
