"""Which events were taken lately, so that none is taken twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from facelign.types.events import Event

#: ids that are remembered: hours of a busy camera, under 2 MB
_MOST = 10_000


class RecentIds:
    """The ids of the last 10,000 events."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._ids

    def add(self, keys: Iterable[str]) -> None:
        """Remember some more."""
        for key in keys:
            self._ids[key] = None
        while len(self._ids) > _MOST:
            del self._ids[next(iter(self._ids))]

    def new(self, events: Sequence[Event]) -> list[Event]:
        """Return the events that are not among them, each once, in order."""
        return [event for key, event in {e.id: e for e in events}.items() if key not in self._ids]
