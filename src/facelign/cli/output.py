"""Data goes to standard output, one flushed line at a time; everything else to standard error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from facelign.wire.printable import json_line, visible


class _Reader:
    """What is known of whoever reads standard output. stops: the run ends when nobody does."""

    gone = False
    stops = False


def prepare() -> None:
    """Make both streams take any text, also where they were closed or know few characters."""
    _Reader.gone = _Reader.stops = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: what would be written is not wanted
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def only_prints() -> None:
    """Say that this run does nothing but print: when nobody reads any more, it stops."""
    _Reader.stops = True


def unread() -> bool:
    """Return whether the reader of standard output went away (``facelign ... | head``)."""
    return _Reader.gone


def abandon(name: str = "stdout") -> None:
    """Write no more to a stream whose reader is gone or whose disk is full.

    Python writes what it still holds when it ends, and would fail then once more.
    """
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, getattr(sys, f"__{name}__").fileno())
        os.close(nowhere)


def _put(name: str, text: str) -> None:
    """Write to a stream and flush it; what only prints ends where nobody reads, all else goes on.

    Raises BrokenPipeError.
    """
    stream = getattr(sys, name)
    try:
        stream.write(text)
        stream.flush()
    except OSError as problem:
        if name == "stderr":  # whether anybody can be told changes nothing of what is done
            abandon(name)
        elif isinstance(problem, BrokenPipeError):
            abandon(name)
            _Reader.gone = True
            if _Reader.stops:
                raise
        else:
            raise


def emit(record: Mapping[str, Any]) -> None:
    """Write one JSON object as one line and flush it."""
    # Bytes that are no text in a file's name come as lone surrogates, which "backslashreplace"
    # spells as JSON does; other encodings than Unicode's get every character spelled.
    plain = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    _put("stdout", json_line(record, ascii_only=plain))


def line(text: str) -> None:
    """Write one line for people to standard output and flush it."""
    _put("stdout", visible(text) + "\n")


def note(text: str) -> None:
    """Write one line for people to standard error."""
    _put("stderr", visible(text) + "\n")


def failure(image: str, reason: str) -> None:
    """Write why a photo failed to standard error; a reason that names the photo stands alone."""
    note(reason if image in reason else f"{image}: {reason}")


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar with rate and time left on standard error; silent where that is no terminal.

    Yields a function that is called with the number of further items done.
    """
    if not sys.stderr.isatty() or (total is not None and total < 2):
        yield lambda _done: None
        return
    from rich import progress as bars
    from rich.console import Console

    bar = bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # what is printed meanwhile stands above the bar; into a file or pipe it goes as ever
        redirect_stdout=sys.stdout.isatty(),
    )
    with bar:
        task = bar.add_task(label, total=total, rate="")

        def advance(done: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=done, rate=f"{speed:.1f}/s" if speed else "")

        yield advance


def answer(record: Mapping[str, Any], *lines: str, json: bool) -> None:
    """Write a result: the record as JSON, or else its lines for people."""
    if json:
        emit(record)
    else:
        for text in lines:
            line(text)
