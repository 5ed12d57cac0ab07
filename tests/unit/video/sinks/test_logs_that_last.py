"""Logs of events when the process is killed, when the disk is full, when a line was torn."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facelign.errors import SinkError
from facelign.types.contracts import EventLog
from facelign.types.events import Event, EventKind, event_id
from facelign.video.forgetting import Forgotten, forget
from facelign.video.sinks.jsonl import JsonlLog
from facelign.video.sinks.sqlite import SqliteLog
from facelign.video.stays import Stay, stays
from facelign.wire.printable import json_line
from facelign.wire.records import event_record
from killed import RUNS, killed

START = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)
KINDS: dict[str, Callable[[Path], EventLog]] = {"e.jsonl": JsonlLog, "e.db": SqliteLog}
every_kind = pytest.mark.parametrize("name", KINDS)


def event(number: int, person: str = "Ada", **more: object) -> Event:
    time = START + timedelta(seconds=number)
    key = event_id("door", time, EventKind.RECOGNIZED, number)
    return Event(key, EventKind.RECOGNIZED, "door", time, number, person, **more)  # type: ignore[arg-type]


WRITER = (
    """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from facelign.types.events import Event, EventKind, event_id
from facelign.video.forgetting import Forgotten, forget
from facelign.video.sinks.jsonl import JsonlLog
from facelign.video.sinks.sqlite import SqliteLog
""",
    """
path = Path(words[0])
with (SqliteLog if path.suffix == ".db" else JsonlLog)(path) as log:
    for number in range(100_000):
        moment = datetime(2026, 11, 28, tzinfo=UTC) + timedelta(days=run, milliseconds=number)
        key = event_id("door", moment, EventKind.LEFT, number)
        log.put([Event(key, EventKind.LEFT, "door", moment, number, "Ada " * (number % 50))])
        tell(key)
""",
)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@every_kind
def test_every_event_that_was_told_is_in_the_log_once_after_kill_9(
    tmp_path: Path, name: str
) -> None:
    told = killed(*WRITER, tmp_path / name)
    with KINDS[name](tmp_path / name) as log:
        log.put([event(1)])
        kept = [one.id for one in log.newest()][::-1]
    assert len(told) >= RUNS
    assert len(kept) == len(set(kept))
    assert [key for key in kept if key in set(told)] == told
    # what was kept and not told: at most one of each process
    assert len(kept) - 1 - len(told) <= RUNS


@contextmanager
def full(path: Path, more: int) -> Iterator[None]:
    """Let this process write no file beyond what ``path`` has now and some bytes."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@every_kind
def test_a_full_disk_loses_nothing_and_leaves_no_half_event(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with KINDS[name](path) as log:
        log.put([event(1), event(2)])
        wal = path.with_name("e.db-wal")
        many = [event(n, "Grace " * 40) for n in range(3, 60)]
        with (
            full(wal if name == "e.db" else path, 100),
            pytest.raises(SinkError, match=r"e\.") as no,
        ):
            log.put(many)
        assert "disk" in str(no.value) or "cannot be" in str(no.value)
        assert [one.visit for one in log.newest()] == [2, 1]
        log.put(many)
        assert [one.visit for one in log.newest()] == list(range(59, 0, -1))


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_line_that_was_cut_off_is_taken_away(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "e.jsonl"
    with JsonlLog(path) as log:
        log.put([event(1), event(2, "Zoë")])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with JsonlLog(path) as log:
        log.put([event(2, "Zoë"), event(3)])
        assert [one.visit for one in log.newest()] == [3, 2, 1]
    lines = path.read_text("utf-8").splitlines()
    assert [json.loads(line)["visit"] for line in lines] == [1, 2, 3]


def test_after_a_power_cut_zeros_at_the_end_are_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with JsonlLog(path) as log:
        log.put([event(1)])
        with path.open("ab") as file:
            file.write(bytes(4096))
        log.put([event(2)])
    with JsonlLog(path) as log:
        assert [one.visit for one in log.newest()] == [2, 1]
    assert b"\0" not in path.read_bytes()


def test_lines_that_are_damaged_in_the_middle_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with JsonlLog(path) as log:
        log.put([event(1)])
        with path.open("ab") as file:
            file.write(b'{"event": "left", "per\xff\nnull\n[1]\n' + b"[" * 100_000 + b"\n")
        log.put([event(2)])
        assert [one.visit for one in log.newest()] == [2, 1]
        assert log.drop_before(START + timedelta(seconds=2)) == 1
        assert [one.visit for one in log.newest()] == [2]


def test_a_long_log_is_read_from_its_end_and_doubles_are_known(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    told = [event(n, "Grace " * 30) for n in range(4000)]
    path.write_text("".join(json_line(event_record(one)) for one in told), "utf-8")
    assert path.stat().st_size > 1 << 20
    with JsonlLog(path) as log:
        log.put(told[-500:])
        assert [one.visit for one in log.newest()] == list(range(3999, -1, -1))


@every_kind
def test_only_its_owner_may_read_a_log(tmp_path: Path, name: str) -> None:
    with KINDS[name](tmp_path / "deep" / name) as log:
        log.put([event(1)])
    if os.name != "nt":
        assert (tmp_path / "deep" / name).stat().st_mode & 0o077 == 0


def test_a_log_tells_who_was_here_when(tmp_path: Path) -> None:
    def step(kind: EventKind, second: int, visit: int, person: str | None = None) -> Event:
        time = START + timedelta(seconds=second)
        seen = time - timedelta(seconds=3) if kind is EventKind.LEFT else None
        key = event_id("door", time, kind, visit)
        return Event(key, kind, "door", time, visit, person, last_seen=seen)

    told = [
        step(EventKind.APPEARED, 0, 1), step(EventKind.RECOGNIZED, 1, 1, "Ada"),
        step(EventKind.APPEARED, 4, 2), step(EventKind.LEFT, 9, 1, "Ada"),
        step(EventKind.RECOGNIZED, 10, 2, "Bob"), step(EventKind.REVOKED, 11, 2, "Bob"),
        # killed, and begun anew: its visits are counted from 1 again
        step(EventKind.APPEARED, 60, 2), step(EventKind.RECOGNIZED, 61, 2, "Cyd"),
    ]  # fmt: skip
    with SqliteLog(tmp_path / "e.db") as log:
        log.put(told)
        assert log.between() == told
        assert log.between(person="Ada") == [told[1], told[3]]
        noon = START + timedelta(seconds=10)
        assert log.between(noon) == told[4:]
        assert log.between(None, noon) == told[:4]
        assert log.between(noon, START + timedelta(seconds=11), "Bob'; DROP TABLE events") == []

        def at(second: int) -> datetime:
            return START + timedelta(seconds=second)

        assert stays(log.between()) == [
            Stay("door", 1, "Ada", at(0), at(6)),
            Stay("door", 2, None, at(4)),
            Stay("door", 2, "Cyd", at(60)),
        ]
    assert stays([]) == []


def test_who_is_forgotten_goes_with_the_snapshots_of_all_visits(tmp_path: Path) -> None:
    def view(name: str) -> str:
        (tmp_path / name).write_bytes(b"a face")
        return str(tmp_path / name)

    told = [
        event(1, "Ada", snapshot=view("1.jpg")), event(2, "Bob", snapshot=view("2.jpg")),
        event(3, "Ada", snapshot=view("3.png")), event(4, "Ada", snapshot=f"{tmp_path}/gone.jpg"),
        event(5, "Ada", snapshot=view("notes.txt")), event(6, "Bob", snapshot=str(tmp_path)),
    ]  # fmt: skip
    with JsonlLog(tmp_path / "e.jsonl") as lines, SqliteLog(tmp_path / "e.db") as table:
        lines.put(told)
        table.put(told)
        assert forget("Ada", [lines, table]) == Forgotten(8, 2)
        assert forget("Ada", [lines, table]) == Forgotten(0, 0)
        assert [one.person for one in table.newest()] == ["Bob", "Bob"]
    assert sorted(path.name for path in tmp_path.glob("*.[jpt][pnx]*")) == ["2.jpg", "notes.txt"]
