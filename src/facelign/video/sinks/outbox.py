"""What waits to be passed on: a camera never waits for a network.

An ``Outbox`` takes events at once and gives them to its sink in a thread of its own, in order, one
at a time, again and again until they are taken. With a file it outlives its process: what a killed
one left is passed on by the next. What was passed on in the very moment of the kill is passed on
twice then, with the same id: "at least once" is all that two machines can promise each other.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from facelign.errors import GalleryError, SinkError
from facelign.files import owners
from facelign.files.home import expanded
from facelign.gallery.stores import connection as sql
from facelign.types.contracts import EventSink
from facelign.types.events import Event
from facelign.types.wording import counted
from facelign.video.sinks.recent import RecentIds
from facelign.wire import values
from facelign.wire.records import event_record

#: "FLob": tells outboxes from files of other programs
APPLICATION_ID = 0x464C6F62
_SCHEMA = (
    """CREATE TABLE letters (
        position INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL,
        record TEXT NOT NULL, owner TEXT NOT NULL, state TEXT NOT NULL, UNIQUE (sink, id))""",
    "CREATE INDEX letters_by_state ON letters (sink, state, position)",
    # who passes events on to which sink, and since when: goes when that ends in peace
    "CREATE TABLE runs (sink TEXT NOT NULL, owner TEXT NOT NULL, since TEXT NOT NULL)",
)
_WAIT_S = 1.0
#: ids of events that were passed on which a file remembers
_REMEMBERED = 1000
#: events that wait in memory, where there is no file
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds before the next try, doubled from ``first`` to ``longest``. close: for how long what
    waits is still passed on when the program ends.
    """

    first: float = 1.0
    longest: float = 60.0
    close: float = 5.0


class Outbox(EventSink):
    """Takes events for a sink that may be away. path: of its file, or None to keep them in memory.

    on_state: is told in one sentence, once each, that the sink is away and that it is back; called
    from another thread. Closing it closes the sink.
    """

    def __init__(
        self,
        sink: EventSink,
        path: Path | None = None,
        on_state: Callable[[str], object] = lambda text: None,
        pauses: Pauses | None = None,
    ) -> None:
        self.sink = sink
        self.name = sink.name
        self.durable = path is not None
        self._say = on_state
        self._pauses = pauses or Pauses()
        self._queue: _Queue = _Memory(on_state, sink) if path is None else _Table(path, sink)
        self._work, self._end = threading.Event(), threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._pass_on, name="events", daemon=True)
        self._thread.start()

    def put(self, events: Sequence[Event]) -> None:
        """Take events; see types.contracts.EventSink."""
        if events:
            self._queue.add(events)
            self._work.set()

    def catch_up(self, newest: Iterator[Event]) -> int:
        """Take what a killed process had kept in its log, but not in here; returns how many.

        newest: the events of the log, the last first.
        """
        missed = self._queue.missed(newest)
        self.put(missed[::-1])
        return len(missed)

    def waiting(self) -> int:
        """Return how many events wait."""
        return self._queue.count()

    def forget(self, person: str) -> int:
        """Take a person out of what waits, and out of what the sink keeps."""
        return self._queue.forget(person) + self.sink.forget(person)

    def close(self) -> None:
        """Pass on what waits, for some seconds; what is left then waits in the file."""
        if self._closed:
            return
        self._closed = True
        self._end.set()
        self._work.set()
        self._thread.join(self._pauses.close + 1.0)
        if not self._thread.is_alive():
            self.sink.close()
        left = self.waiting()
        self._queue.close()
        if left:
            fate = "what is left waits in its outbox" if self.durable else "that is lost"
            self._say(f"{counted(left, 'event')} could not be passed on to {self.name}: {fate}.")

    # -- the thread ------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        pause, deadline = 0.0, float("inf")
        while True:
            if self._end.is_set() and deadline == float("inf"):
                deadline = time.monotonic() + self._pauses.close
            if time.monotonic() >= deadline:
                return
            self._work.clear()
            try:
                done = not self._one()
            except SinkError as problem:
                if not pause:
                    self._say(f"{problem.message} Events for {self.name} wait.")
                pause = min(max(2 * pause, self._pauses.first), self._pauses.longest)
                if self._end.is_set():
                    time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
                else:
                    self._end.wait(pause)
                continue
            if pause:
                self._say(f"{self.name} takes events again.")
                pause = 0.0
            if done:
                if self._end.is_set():
                    return
                self._work.wait()

    def _one(self) -> bool:
        """Pass on what waits longest; returns whether anything waited."""
        first = self._queue.first()
        if first is None:
            return False
        place, event = first
        try:
            self.sink.put([event])
        except SinkError as problem:
            if problem.again:
                raise
            self._queue.settle(place, "refused")
            self._say(f"{problem.message} That one is set aside.")
        else:
            self._queue.settle(place, "passed")
        return True


def forget_in(path: Path, person: str) -> int:
    """Take a person out of an outbox that nobody has open; returns how many events that were."""
    letters = _Letters(path)
    try:
        return letters.forget(person)
    finally:
        letters.close()


class _Queue(Protocol):
    """What waits."""

    def add(self, events: Sequence[Event]) -> None: ...

    def first(self) -> tuple[int, Event] | None: ...

    def settle(self, place: int, state: str) -> None: ...

    def missed(self, newest: Iterator[Event]) -> list[Event]: ...

    def count(self) -> int: ...

    def forget(self, person: str) -> int: ...

    def close(self) -> None: ...


class _Memory(_Queue):
    """The last 10,000 events; older ones are dropped, which is said."""

    def __init__(self, say: Callable[[str], object], sink: EventSink) -> None:
        self._say, self._name = say, sink.name
        self._guard = threading.Lock()
        self._rows: deque[tuple[int, Event]] = deque()
        self._seen = RecentIds()
        self._next = 0

    def add(self, events: Sequence[Event]) -> None:
        with self._guard:
            for event in self._seen.new(events):
                self._rows.append((self._next, event))
                self._next += 1
                self._seen.add([event.id])
            over = len(self._rows) - _MOST
            for _ in range(over):
                self._rows.popleft()
        if over > 0:
            self._say(
                f"{counted(over, 'event')} for {self._name} had to be dropped: too many wait."
            )

    def first(self) -> tuple[int, Event] | None:
        with self._guard:
            return self._rows[0] if self._rows else None

    def settle(self, place: int, state: str) -> None:
        with self._guard:
            if self._rows and self._rows[0][0] == place:
                self._rows.popleft()

    def missed(self, newest: Iterator[Event]) -> list[Event]:
        return []

    def count(self) -> int:
        return len(self._rows)

    def forget(self, person: str) -> int:
        with self._guard:
            kept = [(at, _without(event, person)) for at, event in self._rows]
            changed = sum(
                new is not old for (_, new), (_, old) in zip(kept, self._rows, strict=True)
            )
            self._rows = deque((at, event) for at, event in kept if event is not None)
            return changed

    def close(self) -> None:
        return


class _Letters:
    """A file of what waits, which several sinks and processes share."""

    def __init__(self, path: Path) -> None:
        self._path = expanded(path)
        self._guard = threading.RLock()
        self._db: sqlite3.Connection | None = None

    def forget(self, person: str) -> int:
        """Take a person out of all letters, whoever they are for."""
        changed = 0
        with self._changing() as db:
            query = "SELECT position, record FROM letters WHERE record != ''"
            for place, record in db.execute(query).fetchall():
                event = values.event(json.loads(record))
                kept = _without(event, person)
                if kept is event:
                    continue
                changed += 1
                if kept is None:
                    db.execute("DELETE FROM letters WHERE position = ?", (place,))
                else:
                    text = (_text(kept), place)
                    db.execute("UPDATE letters SET record = ? WHERE position = ?", text)
        with self._reading() as db:
            sql.rebuild(db, _WAIT_S)
        return changed

    def close(self) -> None:
        """Let the file go."""
        with self._guard:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._guard, sql.translated(self._path):
                if self._db is None:
                    self._db = self._open()
                yield self._db
        except GalleryError as problem:
            raise SinkError(problem.message, "Events wait until it can be written.") from problem
        except OSError as problem:
            why = problem.strerror or problem
            raise SinkError(
                f"{self._path.name} cannot be opened: {why}.", "Name another."
            ) from problem

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db, sql.committed(db, _WAIT_S):
            yield db

    def _open(self) -> sqlite3.Connection:
        if not self._path.exists():
            sql.create(self._path, APPLICATION_ID, _fill)
        if sql.kind_of(self._path) != APPLICATION_ID:
            raise SinkError(
                f"{self._path.name} is no outbox; it was not touched.", "Name another file."
            )
        sql.keep_private(self._path)
        return sql.connect(self._path)


class _Table(_Letters, _Queue):
    """The letters of one sink."""

    def __init__(self, path: Path, sink: EventSink) -> None:
        super().__init__(path)
        self._sink, self._me = sink.name, owners.me()
        with self._changing() as db:
            runs = db.execute("SELECT owner, since FROM runs WHERE sink = ?", (self._sink,))
            dead = {owner: since for owner, since in runs.fetchall() if self._gone(owner)}
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            #: from when on a killed process may have kept events that never came here
            self._since = min(dead.values(), default=now)
            db.executemany("DELETE FROM runs WHERE owner = ?", [(owner,) for owner in dead])
            db.execute("INSERT INTO runs VALUES (?, ?, ?)", (self._sink, self._me, self._since))
            query = "SELECT DISTINCT owner FROM letters WHERE sink = ? AND state = 'waiting'"
            left = [row[0] for row in db.execute(query, (self._sink,)) if self._gone(row[0])]
            db.executemany(
                "UPDATE letters SET owner = ? WHERE sink = ? AND owner = ?",
                [(self._me, self._sink, owner) for owner in left],
            )

    def _gone(self, owner: str) -> bool:
        # a box that was closed in peace leaves its letters with a living process's word
        return owner == self._me or owners.gone(owner, 0.0, float("inf"))

    def add(self, events: Sequence[Event]) -> None:
        rows = [(self._sink, e.id, _text(e), self._me) for e in events]
        with self._changing() as db:
            db.executemany(
                "INSERT INTO letters (sink, id, record, owner, state)"
                " VALUES (?, ?, ?, ?, 'waiting') ON CONFLICT (sink, id) DO NOTHING",
                rows,
            )

    def first(self) -> tuple[int, Event] | None:
        with self._reading() as db:
            row = db.execute(
                "SELECT position, record FROM letters WHERE sink = ? AND state = 'waiting'"
                " AND owner = ? ORDER BY position LIMIT 1",
                (self._sink, self._me),
            ).fetchone()
        return row and (row[0], values.event(json.loads(row[1])))

    def settle(self, place: int, state: str) -> None:
        with self._changing() as db:
            db.execute(
                "UPDATE letters SET state = ?, record = iif(? = 'passed', '', record)"
                " WHERE position = ?",
                (state, state, place),
            )
            db.execute(
                "DELETE FROM letters WHERE sink = ? AND state = 'passed' AND position <= ?",
                (self._sink, place - _REMEMBERED),
            )

    def missed(self, newest: Iterator[Event]) -> list[Event]:
        since, found = datetime.fromisoformat(self._since), []
        with self._reading() as db:
            query = "SELECT 1 FROM letters WHERE sink = ? AND id = ?"
            for event in newest:
                if event.time < since or db.execute(query, (self._sink, event.id)).fetchone():
                    break
                found.append(event)
        return found

    def count(self) -> int:
        with self._reading() as db:
            query = (
                "SELECT count(*) FROM letters WHERE sink = ? AND owner = ? AND state = 'waiting'"
            )
            return int(db.execute(query, (self._sink, self._me)).fetchone()[0])

    def close(self) -> None:
        with self._guard:
            if self._db is None:
                return
            with suppress(SinkError), self._changing() as db:
                mine = (self._sink, self._me)
                db.execute("DELETE FROM runs WHERE sink = ? AND owner = ?", mine)
        super().close()


def _fill(db: sqlite3.Connection) -> None:
    for statement in _SCHEMA:
        db.execute(statement)


def _text(event: Event) -> str:
    return json.dumps(event_record(event))


def _without(event: Event, person: str) -> Event | None:
    """Return an event that tells nothing of a person, or None where it is about that one."""
    if event.person == person:
        return None
    return replace(event, reason="") if person in event.reason else event
