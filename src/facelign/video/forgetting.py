"""What a log of events holds about a person, and what goes with the name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facelign.files import disk
from facelign.types.contracts import EventLog, EventSink
from facelign.types.events import Event, EventKind


@dataclass(slots=True)
class Traces:
    """events: ids of those to delete: all of the visits that bore the name, up to their
    ``appeared``. mentions: ids of others whose reason tells the name. snapshots: files of the
    visits.
    """

    events: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    snapshots: set[str] = field(default_factory=set)


def traces(newest: Iterable[Event], person: str) -> Traces:
    """Return what there is about a person. newest: the events, the last first."""
    found = Traces()
    visits: set[tuple[str, int | None]] = set()
    for event in newest:
        visit = event.camera, event.visit
        if event.person == person:
            visits.add(visit)
        if visit in visits and event.person in (person, None):
            found.events.add(event.id)
            found.snapshots |= {event.snapshot} if event.snapshot else set()
        elif person in event.reason:
            found.mentions.add(event.id)
        if event.kind is EventKind.APPEARED:
            visits.discard(visit)
    return found


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is gone: how many events (or states at a broker), and how many files of snapshots."""

    events: int
    snapshots: int


def forget(person: str, logs: Sequence[EventLog], others: Sequence[EventSink] = ()) -> Forgotten:
    """Take a person out of logs, with the snapshots of all visits, and out of what others keep.

    Raises SinkError where one cannot be changed now; the same again goes on from there.
    """
    events = snapshots = 0
    for log in logs:
        # the files first: once the events are gone nothing tells which they were
        for name in traces(log.newest(), person).snapshots:
            path = Path(name)
            if path.suffix in (".jpg", ".png") and path.is_file():
                disk.erase(path)
                snapshots += 1
        events += log.forget(person)
    return Forgotten(events + sum(sink.forget(person) for sink in others), snapshots)
