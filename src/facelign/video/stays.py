"""Who was here when: the events of a log, brought together by visits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from facelign.types.events import Event, EventKind


@dataclass(frozen=True, slots=True)
class Stay:
    """One visit before a camera. person: None for a stranger. end: when last seen, or None where
    it still lasts, or its program was killed. snapshot: the file of the best view.
    """

    camera: str
    visit: int
    person: str | None
    start: datetime
    end: datetime | None = None
    snapshot: str | None = None


def stays(events: Iterable[Event]) -> list[Stay]:
    """Return the visits that events tell of, by their start. events: oldest first."""
    done: list[Stay] = []
    here: dict[tuple[str, int], Stay] = {}
    for event in events:
        if event.visit is None:
            continue
        key = event.camera, event.visit
        if event.kind is EventKind.APPEARED and key in here:  # the number of a killed program's
            done.append(here.pop(key))
        stay = here.get(key) or Stay(*key, None, event.time)
        person = None if event.kind is EventKind.REVOKED else event.person or stay.person
        stay = replace(stay, person=person, snapshot=event.snapshot or stay.snapshot)
        here[key] = stay
        if event.kind is EventKind.LEFT:
            del here[key]
            done.append(replace(stay, end=event.last_seen or event.time))
    return sorted([*done, *here.values()], key=lambda stay: stay.start)
