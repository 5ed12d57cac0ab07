"""What a log of events holds about a person, and what goes with the name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

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
