"""The laws of event sinks; see types.contracts.EventSink. New ones go into ``TRIALS``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facelign.errors import SinkError
from facelign.types.contracts import EventSink
from facelign.types.events import Event, EventKind, event_id

START = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)


def events(count: int, first: int = 0) -> list[Event]:
    """Return events of a door, one a second; each names a person."""
    made = []
    for number in range(first, first + count):
        time = START + timedelta(seconds=number)
        kind = EventKind.RECOGNIZED
        person = ("Ada", "Grace Höpper", 'O"Neil,\n')[number % 3]
        key = event_id("door", time, kind, number)
        made.append(
            Event(key, kind, "door", time, number, person, 0.61, 0.42, 5, 88.5, "step", reason="")
        )
    return made


class Trial:
    """A place that a sink brings events to: what opens it, what arrived, how it breaks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> EventSink:
        raise NotImplementedError

    def taken(self) -> list[str]:
        """Return the ids of what arrived, in order."""
        raise NotImplementedError

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Make a place that takes nothing, until the block ends."""
        raise NotImplementedError
        yield


class Listed(EventSink):
    """A list: a toy, one file."""

    name = "a list"

    def __init__(self, rows: list[Event], trial: Listing) -> None:
        self._rows = rows
        self._trial = trial

    def put(self, events: Sequence[Event]) -> None:
        for event in events:
            if self._trial.full:
                raise SinkError("The list is full.", "Make room.")
            if event.id not in {row.id for row in self._rows}:
                self._rows.append(event)

    def forget(self, person: str) -> int:
        before = len(self._rows)
        self._rows[:] = [row for row in self._rows if row.person != person]
        return before - len(self._rows)


class Listing(Trial):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.rows: list[Event] = []
        self.full = False

    def open(self) -> EventSink:
        return Listed(self.rows, self)

    def taken(self) -> list[str]:
        return [row.id for row in self.rows]

    @contextmanager
    def broken(self) -> Iterator[None]:
        self.full = True
        yield
        self.full = False


TRIALS: dict[str, Callable[[Path], Trial]] = {"toy": Listing}


@pytest.fixture(params=TRIALS)
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Trial:
    return TRIALS[request.param](tmp_path)


def ids(some: Sequence[Event]) -> list[str]:
    return [event.id for event in some]


def test_order_is_kept_and_an_event_given_twice_is_taken_once(trial: Trial) -> None:
    told = events(7)
    with trial.open() as sink:
        sink.put(told[:3])
        sink.put(told[1:5])
        for event in told:
            sink.put([event])
            sink.put([event, event])
    assert trial.taken() == ids(told)


def test_no_events_are_ordinary(trial: Trial) -> None:
    with trial.open() as sink:
        assert sink.name
        sink.put([])
        sink.put(events(1))
        sink.put([])
    assert trial.taken() == ids(events(1))


def test_closing_twice_does_no_harm_and_what_was_put_stays(trial: Trial) -> None:
    sink = trial.open()
    sink.put(events(2))
    sink.close()
    sink.close()
    assert trial.taken() == ids(events(2))
    with trial.open() as again:
        again.put(events(1, 2))
    assert trial.taken() == ids(events(3))


def test_what_could_not_be_taken_is_put_again_and_none_is_lost(trial: Trial) -> None:
    told = events(5)
    with trial.open() as sink:
        sink.put(told[:2])
        with trial.broken():
            with pytest.raises(SinkError) as caught:
                sink.put(told[2:4])
            assert caught.value.message.endswith(".")
            assert caught.value.hint
            with pytest.raises(SinkError):
                sink.put(told[2:4])
        sink.put(told[2:])
    assert trial.taken() == ids(told)
