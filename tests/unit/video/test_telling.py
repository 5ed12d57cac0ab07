"""The order in which events go out, and what happens where a sink fails."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facelign.errors import SinkError
from facelign.types.contracts import EventLog, EventSink
from facelign.types.events import Event, EventKind, event_id
from facelign.video import telling
from facelign.video.sinks.jsonl import JsonlLog
from facelign.video.sinks.sqlite import SqliteLog
from facelign.video.telling import Telling

NOW = datetime.now(UTC)


def event(number: int) -> Event:
    moment = NOW - timedelta(seconds=100 - number)
    key = event_id("door", moment, EventKind.LEFT, number)
    return Event(key, EventKind.LEFT, "door", moment, number)


class Written(EventLog):
    """Writes down what it is given, into a list that others share; may be made to fail."""

    def __init__(self, name: str, shared: list[str], *, durable: bool = True) -> None:
        self.name, self.shared, self.durable = name, shared, durable
        self.works = True

    def put(self, events: Sequence[Event]) -> None:
        if not self.works:
            raise SinkError(f"{self.name} is full.", "Make room.")
        self.shared += [f"{self.name} {event.visit}" for event in events]

    def newest(self) -> Iterator[Event]:
        yield from ()

    def drop_before(self, time: datetime) -> int:
        return 0

    def close(self) -> None:
        self.shared.append(f"{self.name} closed")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_FIRST_S", 0.0)
    monkeypatch.setattr(telling, "_LONGEST_S", 0.0)


def test_logs_come_first_then_what_is_shown_then_the_others() -> None:
    done: list[str] = []
    logs = [Written("lines", done), Written("table", done)]
    others: list[EventSink] = [Written("web", done, durable=False), Written("box", done)]
    with Telling(logs, lambda e: done.append(f"shown {e.visit}"), others) as out:
        out.tell([event(1), event(2)])
        out.tell([])
    assert done == [
        "lines 1", "lines 2", "table 1", "table 2", "box 1", "box 2", "shown 1", "shown 2",
        "web 1", "web 2", "lines closed", "table closed", "box closed", "web closed",
    ]  # fmt: skip


def test_the_delay_from_frame_to_telling_is_told() -> None:
    shown: list[Event] = []
    with Telling(show=shown.append) as out:
        out.tell([event(40)])
    assert shown[0].delay_s is not None
    assert shown[0].delay_s >= 60


@pytest.mark.usefixtures("quick")
def test_nothing_is_told_that_is_not_kept_and_nothing_twice() -> None:
    done: list[str] = []
    said: list[str] = []
    lines, table = Written("lines", done), Written("table", done)
    with Telling([lines, table], lambda e: done.append(f"shown {e.visit}"), (), said.append) as out:
        out.tell([event(1)])
        table.works = False
        for number in (2, 3):
            out.tell([event(number)])
        out.tell([])
        assert done[3:] == ["lines 2", "lines 3"]
        table.works = True
        out.tell([event(4)])
    assert done[5:-2] == [
        "lines 4", "table 2", "table 3", "table 4", "shown 2", "shown 3", "shown 4",
    ]  # fmt: skip
    assert said == ["table is full. Make room. Events wait for table.", "table takes events again."]


@pytest.mark.usefixtures("quick")
def test_what_passes_on_may_fail_without_keeping_the_others_waiting() -> None:
    done: list[str] = []
    web = Written("web", done, durable=False)
    web.works = False
    with Telling([Written("lines", done)], lambda e: done.append(f"shown {e.visit}"), [web]) as out:
        out.tell([event(1)])
        out.tell([event(2)])
        assert done == ["lines 1", "shown 1", "lines 2", "shown 2"]
        web.works = True
        out.tell([])
        assert done[4:] == ["web 1", "web 2"]


def test_at_the_end_it_is_tried_once_more_and_a_loss_is_an_error() -> None:
    done: list[str] = []
    lines = Written("lines", done)
    out = Telling([lines])
    lines.works = False
    out.tell([event(1)])
    with pytest.raises(SinkError, match=r"1 event could not be kept: lines is full\."):
        out.close()
    out.close()
    assert done == ["lines closed"]
    out = Telling([lines])
    out.tell([event(1)])
    lines.works = True
    out.close()
    assert done[1:] == ["lines 1", "lines closed"]


def test_memory_is_bounded_while_a_log_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_MOST", 3)
    done: list[str] = []
    said: list[str] = []
    lines = Written("lines", done)
    with Telling([lines], None, (), said.append) as out:
        lines.works = False
        for number in range(5):
            out.tell([event(number)])
        lines.works = True
    assert done[:-1] == ["lines 2", "lines 3", "lines 4"]
    assert said.count("1 event had to be dropped: lines takes none for too long.") == 2


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@pytest.mark.usefixtures("quick")
def test_a_disk_that_is_full_for_a_while_loses_nothing_and_tells_nothing_twice(
    tmp_path: Path,
) -> None:
    import resource

    shown: list[int | None] = []
    said: list[str] = []
    lines, table = JsonlLog(tmp_path / "e.jsonl"), SqliteLog(tmp_path / "e.db")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Telling([lines, table], lambda e: shown.append(e.visit), (), said.append) as out:
        for number in range(60):
            if number == 20:
                used = (tmp_path / "e.db-wal").stat().st_size
                resource.setrlimit(resource.RLIMIT_FSIZE, (min(used, 9000), limit[1]))
            if number == 40:
                assert shown == list(range(20))
                resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            out.tell([event(number)])
        assert [one.visit for one in lines.newest()] == list(range(59, -1, -1))
        assert [one.visit for one in table.newest()] == list(range(59, -1, -1))
    assert shown == list(range(60))
    assert len(said) in (2, 4)


def test_events_that_are_too_old_are_deleted_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def aged(number: int, days: int) -> Event:
        return replace(event(number), time=datetime.now(UTC) - timedelta(days=days))

    lines = JsonlLog(tmp_path / "e.jsonl")
    lines.put([aged(1, 30), aged(2, 8), aged(3, 6)])
    said: list[str] = []
    with Telling([lines], None, (), said.append, timedelta(days=7)) as out:
        out.tell([aged(4, 0)])
        assert [one.visit for one in lines.newest()] == [4, 3]
        out.tell([aged(5, 9)])
        assert [one.visit for one in lines.newest()] == [5, 4, 3], "once an hour only"
        monkeypatch.setattr(telling, "_CLEAN_EVERY_S", 0.0)
        out.tell([])
        assert [one.visit for one in lines.newest()] == [4, 3]
    assert said == []
