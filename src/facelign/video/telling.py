"""In which order events go out: kept first, told then.

An event is shown, and passed on, only once every log has it on the disk: whoever was told
something finds it in the log, whatever happens to this process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from facelign.errors import SinkError
from facelign.types.contracts import EventLog, EventSink
from facelign.types.events import Event
from facelign.types.wording import counted
from facelign.video.sinks.outbox import Outbox

#: events that wait in memory while a log cannot be written; over that the oldest are dropped
_MOST = 10_000
#: seconds until a sink that failed is tried again, doubled up to the longest
_FIRST_S, _LONGEST_S = 1.0, 30.0
#: how often events that are too old are looked for
_CLEAN_EVERY_S = 3600.0


class _Lane:
    """One sink and what it has not taken yet."""

    def __init__(self, sink: EventSink, say: Callable[[str], object]) -> None:
        self.sink = sink
        self.problem: SinkError | None = None
        self._say = say
        self._waiting: deque[Event] = deque()
        self._pause = self._next = 0.0

    def give(self, events: Sequence[Event], *, now: bool = False) -> list[Event]:
        """Return the events that the sink has taken now. now: try also where it failed just now."""
        self._waiting += events
        if not self._waiting or (time.monotonic() < self._next and not now):
            self._bound()
            return []
        try:
            self.sink.put(tuple(self._waiting))
        except SinkError as problem:
            if self.problem is None:
                self._say(f"{problem} Events wait for {self.sink.name}.")
            self.problem = problem
            self._pause = min(max(2 * self._pause, _FIRST_S), _LONGEST_S)
            self._next = time.monotonic() + self._pause
            self._bound()
            return []
        if self.problem is not None:
            self._say(f"{self.sink.name} takes events again.")
        self.problem, self._pause, self._next = None, 0.0, 0.0
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def left(self) -> int:
        """Return how many events wait."""
        return len(self._waiting)

    def _bound(self) -> None:
        over = len(self._waiting) - _MOST
        if over > 0:
            for _ in range(over):
                self._waiting.popleft()
            lost = counted(over, "event")
            self._say(f"{lost} had to be dropped: {self.sink.name} takes none for too long.")


class Telling:
    """Writes events to logs, shows them, and passes them on, in this order.

    logs: sinks that last, written before anything is told. show: prints an event. others: where
    events are passed on; an ``Outbox`` there never lets a camera wait, and one with a file gets
    what a killed process had kept and not passed on. on_state: is told, once each, what fails and
    what works again. keep: how long events stay in the logs; None: for ever. ``tell`` is to be
    called for every frame, also with no events: what failed is tried again then.
    """

    def __init__(
        self,
        logs: Sequence[EventLog] = (),
        show: Callable[[Event], object] | None = None,
        others: Sequence[EventSink] = (),
        on_state: Callable[[str], object] = lambda text: None,
        keep: timedelta | None = None,
    ) -> None:
        lasting = [sink for sink in others if sink.durable]
        self._kept = [_Lane(sink, on_state) for sink in (*logs, *lasting)]
        self._show = show
        self._passed = [_Lane(sink, on_state) for sink in others if not sink.durable]
        self._done = False
        self._logs, self._keep, self._say = tuple(logs), keep, on_state
        self._clean_s = float("-inf")
        for log in logs[:1]:
            for box in lasting:
                if isinstance(box, Outbox):
                    box.catch_up(log.newest())

    def tell(self, events: Sequence[Event]) -> None:
        """Bring events out; returns at once where a sink fails, and tries again later."""
        moment = datetime.now(UTC)
        self._tell([_delayed(event, moment) for event in events])
        self._clean(moment)

    def _tell(self, events: Sequence[Event], *, now: bool = False) -> None:
        for lane in self._kept:
            events = lane.give(events, now=now)
        for event in events:
            if self._show is not None:
                self._show(event)
        for lane in self._passed:
            lane.give(events, now=now)

    def _clean(self, now: datetime) -> None:
        """Delete what is older than it shall be, once an hour."""
        if self._keep is None or time.monotonic() - self._clean_s < _CLEAN_EVERY_S:
            return
        self._clean_s = time.monotonic()
        for log in self._logs:
            try:
                log.drop_before(now - self._keep)
            except SinkError as problem:  # the next time will do
                self._say(f"{problem.message} What is too old stays in {log.name} for now.")

    def close(self) -> None:
        """Bring out what waits and close every sink; raises SinkError where events are lost."""
        if self._done:
            return
        self._done = True
        try:
            self._tell((), now=True)
        finally:
            for lane in (*self._kept, *self._passed):
                lane.sink.close()
        for lane in self._kept:
            if lane.left() and lane.problem is not None:
                lost = counted(lane.left(), "event")
                raise SinkError(
                    f"{lost} could not be kept: {lane.problem.message}", lane.problem.hint
                )

    def __enter__(self) -> Telling:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def _delayed(event: Event, moment: datetime) -> Event:
    if event.delay_s is not None:
        return event
    return replace(event, delay_s=max(0.0, (moment - event.time).total_seconds()))
