"""The laws of event sinks; see types.contracts.EventSink. New ones go into ``TRIALS``."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from brokers import Broker, Listener
from facelign.errors import SinkError
from facelign.types.contracts import EventLog, EventSink
from facelign.types.events import Event, EventKind, event_id
from facelign.video.sinks.jsonl import JsonlLog
from facelign.video.sinks.outbox import Outbox
from facelign.video.sinks.sqlite import SqliteLog
from facelign.video.sinks.webhook import WebhookSink
from receivers import receiver
from video_parts import needed

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

    def end(self) -> None:
        """Let go of what receives."""

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


class JsonLines(Trial):
    """A file of lines; broken: another process holds it."""

    def open(self) -> JsonlLog:
        return JsonlLog(self.folder / "log" / "events.jsonl")

    def taken(self) -> list[str]:
        text = (self.folder / "log" / "events.jsonl").read_text("utf-8")
        return [json.loads(line)["id"] for line in text.splitlines()]

    @contextmanager
    def broken(self) -> Iterator[None]:
        with elsewhere(HOLD_LINES, self.folder / "log" / "events.jsonl"):
            yield


class Database(Trial):
    """A table; broken: another process writes and does not end."""

    def open(self) -> SqliteLog:
        return SqliteLog(self.folder / "log" / "events.db")

    def taken(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "log" / "events.db")) as db:
            return [key for (key,) in db.execute("SELECT id FROM events ORDER BY position")]

    @contextmanager
    def broken(self) -> Iterator[None]:
        with elsewhere(HOLD_TABLE, self.folder / "log" / "events.db"):
            yield


class Posted(Listing):
    """An outbox before the toy; broken: another process holds its file."""

    def open(self) -> Outbox:
        self.boxes.append(Outbox(Listed(self.rows, self), self.folder / "events.outbox"))
        return self.boxes[-1]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.boxes: list[Outbox] = []

    def taken(self) -> list[str]:
        for box in self.boxes:
            box.close()
        return super().taken()

    @contextmanager
    def broken(self) -> Iterator[None]:
        with elsewhere(HOLD_TABLE, self.folder / "events.outbox"):
            yield


class Hooked(Trial):
    """A web address; broken: it answers 503."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.place = receiver()
        self.address = self.place.__enter__()

    def open(self) -> WebhookSink:
        return WebhookSink(self.address.url, "a secret")

    def end(self) -> None:
        self.place.__exit__(None, None, None)

    def taken(self) -> list[str]:
        return [json.loads(body)["id"] for _, body in self.address.taken]

    @contextmanager
    def broken(self) -> Iterator[None]:
        self.address.answers = 503
        yield
        self.address.answers = 200


class Published(Trial):
    """A broker; broken: it is stopped, and says nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        needed("paho", "mosquitto")
        self.broker = Broker(folder)
        self.broker.start()
        self.listener = Listener(self.broker.port)

    def open(self) -> EventSink:
        from facelign.video.sinks.mqtt import MqttSink

        return MqttSink(self.broker.address, timeout_s=0.5)

    def taken(self) -> list[str]:
        return [record["id"] for record in self.listener.events()]

    def end(self) -> None:
        self.listener.close()
        self.broker.stop()

    @contextmanager
    def broken(self) -> Iterator[None]:
        with self.broker.frozen():
            yield


HOLD_LINES = """
import sys
from facelign.files.locking import locked
with open(sys.argv[1], "r+b") as file, locked(file, 5):
    print("held", flush=True)
    sys.stdin.read()
"""
HOLD_TABLE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def elsewhere(code: str, path: Path) -> Iterator[None]:
    """Let another process hold a file until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield
        other.communicate()


TRIALS: dict[str, Callable[[Path], Trial]] = {
    "toy": Listing,
    "jsonl": JsonLines,
    "sqlite": Database,
    "outbox": Posted,
    "webhook": Hooked,
    "mqtt": Published,
}


@pytest.fixture(params=TRIALS)
def trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Trial]:
    made = TRIALS[request.param](tmp_path)
    yield made
    made.end()


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


# -- logs: sinks that last, and can be read -------------------------------------------------------


@pytest.fixture(params=["jsonl", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventLog]:
    with TRIALS[request.param](tmp_path).open() as opened:
        assert isinstance(opened, JsonlLog | SqliteLog)
        assert opened.durable
        yield opened


def test_what_a_log_holds_comes_back_the_last_first(log: EventLog) -> None:
    told = [*events(3), replace(events(1, 3)[0], reason="too \ud800 small\n", snapshot="a/b.jpg")]
    log.put(told)
    read = list(log.newest())
    assert read[1:] == told[2::-1]
    assert read[0].snapshot == "a/b.jpg"
    assert read[0].reason.endswith("small\n")


def test_a_person_is_taken_out_with_all_visits(log: EventLog, tmp_path: Path) -> None:
    told = []
    for visit, (person, reason) in enumerate([("Ada", ""), ("Bob", ""), (None, "nearest is Ada")]):
        base = events(1, visit)[0]
        for n, kind in enumerate([EventKind.APPEARED, EventKind.RECOGNIZED, EventKind.LEFT]):
            key = event_id("door", base.time, kind, visit)
            named = person if n else None
            told.append(replace(base, id=key, kind=kind, person=named, reason=reason, visit=visit))
    log.put(told)
    assert log.forget("Ada") == 6
    left = list(log.newest())[::-1]
    assert [(event.kind.value, event.person, event.reason) for event in left] == [
        ("appeared", None, ""), ("recognized", "Bob", ""), ("left", "Bob", ""),
        ("appeared", None, ""), ("recognized", None, ""), ("left", None, ""),
    ]  # fmt: skip
    assert log.forget("Ada") == 0
    holding = [p for p in tmp_path.rglob("*") if p.is_file() and b"Ada" in p.read_bytes()]
    assert holding == []
    log.put(events(1, 40))
    assert next(log.newest()).id == events(1, 40)[0].id


def test_events_from_before_a_moment_are_deleted(log: EventLog) -> None:
    log.put(events(9))
    assert log.drop_before(START + timedelta(seconds=6)) == 6
    assert [event.id for event in log.newest()] == ids(events(3, 6))[::-1]
    assert log.drop_before(START) == 0


def test_two_processes_write_one_log_and_nothing_is_lost(log: EventLog) -> None:
    code = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from test_event_sinks import events, JsonlLog, SqliteLog
kind = {"JsonlLog": JsonlLog, "SqliteLog": SqliteLog}[sys.argv[1]]
with kind(Path(sys.argv[2])) as log:
    for event in events(60):
        log.put([event])
"""
    words = [
        sys.executable,
        "-c",
        code,
        type(log).__name__,
        str(log.path),
        *(str(folder) for folder in Path(__file__).parents[:2]),
    ]
    with subprocess.Popen(words) as other:
        for event in events(60, 30):
            log.put([event])
        assert other.wait() == 0
    kept = ids(list(log.newest()))
    assert sorted(kept) == sorted(ids(events(90)))


def test_a_log_that_is_moved_away_loses_nothing(log: EventLog) -> None:
    log.put(events(2))
    older = log.path.rename(log.path.with_suffix(".old"))
    if isinstance(log, SqliteLog):  # a part of what it holds lies beside it until it is closed
        with pytest.raises(SinkError, match="with its newest events"):
            log.put(events(1, 2))
        older.rename(log.path)
        log.put(events(1, 2))
        assert ids(list(log.newest())) == ids(events(3))[::-1]
    else:
        log.put(events(1, 2))
        assert ids(list(log.newest())) == ids(events(1, 2))
        with JsonlLog(older) as moved:
            assert ids(list(moved.newest())) == ids(events(2))[::-1]


def test_a_file_of_another_kind_is_refused_and_not_touched(tmp_path: Path) -> None:
    for name, data in (
        ("notes.jsonl", b"milk\nbrea"),
        ("n.jsonl", b'{"a": 1}\n'),
        ("g.db", b"x" * 200),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(SinkError, match="no log of events; it was not touched"):
            (SqliteLog if name == "g.db" else JsonlLog)(path)
        assert path.read_bytes() == data
    for kind in (JsonlLog, SqliteLog):
        with pytest.raises(SinkError, match=r"is no (file|log)"):
            kind(tmp_path)
        with pytest.raises(SinkError, match="cannot be"):
            kind(tmp_path / "n.jsonl" / "events")
