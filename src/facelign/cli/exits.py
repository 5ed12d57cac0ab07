"""Exit codes: one table from errors to codes, and the one place that reports an error."""

from __future__ import annotations

from enum import IntEnum

from facelign import errors
from facelign.cli import signals
from facelign.cli.hints import flagged
from facelign.cli.output import note


class Exit(IntEnum):
    """What the exit status of every command means."""

    DONE = 0  # done, or: same person, known person
    NO = 1  # the answer is no: different people, nobody known, no face; never a refusal
    USAGE = 2
    INPUT = 3  # some input failed or cannot answer, or a result was not written; wins over 1
    MODEL = 4  # a model is missing or refused
    GALLERY = 5
    DAMAGED = 6  # gallery check found damage
    BUG = 70
    HUNG_UP = 129  # 128 and the number of the signal, as shells tell it
    INTERRUPTED = signals.INTERRUPTED
    PIPE = signals.PIPE
    TERMINATED = 143


#: first match wins, so the narrower classes come first
TABLE: tuple[tuple[type[BaseException], Exit], ...] = (
    (errors.InputError, Exit.INPUT),
    (errors.DatasetError, Exit.INPUT),
    (errors.ModelError, Exit.MODEL),
    (errors.CompareError, Exit.MODEL),
    (errors.GalleryError, Exit.GALLERY),
    (errors.SinkError, Exit.INPUT),
    (errors.Refused, Exit.INPUT),
    (errors.ConfigError, Exit.USAGE),
    (KeyboardInterrupt, Exit.INTERRUPTED),
)


def code_of(error: BaseException) -> Exit:
    """Return the exit code of an error."""
    return next((code for kind, code in TABLE if isinstance(error, kind)), Exit.BUG)


def say(error: errors.FacelignError) -> None:
    """Write one sentence, and what to do, to standard error; the hint is never wrapped."""
    note(f"facelign: {error.message}")
    if error.hint:
        note(f"  {flagged(error.hint)}")
