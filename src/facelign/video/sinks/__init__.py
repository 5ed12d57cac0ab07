"""Where events go, a file a sink: two logs that last, and what passes events on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facelign.errors import ConfigError

if TYPE_CHECKING:
    from facelign.types.contracts import EventLog


def opened_log(path: Path) -> EventLog:
    """Return the log that a file is, by its suffix; it is made where there is none.

    Raises ConfigError for another suffix, SinkError for what cannot be opened.
    """
    if path.suffix == ".jsonl":
        from facelign.video.sinks.jsonl import JsonlLog

        return JsonlLog(path)
    if path.suffix in (".db", ".sqlite"):
        from facelign.video.sinks.sqlite import SqliteLog

        return SqliteLog(path)
    raise ConfigError(f"{path.name}: the name of a log must end in .jsonl or .db.")


def outboxes(log: Path) -> list[Path]:
    """Return the outboxes beside a log: files of its name and a word, which end in .outbox."""
    begins = f"{log.name}."
    return sorted(
        path
        for path in log.parent.iterdir()
        if path.name.startswith(begins) and path.name.endswith(".outbox")
    )
