"""``facelign events`` as it is typed, on real logs."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.errors import SinkError
from facelign.types.contracts import EventSink
from facelign.types.events import Event, EventKind, event_id
from facelign.video.sinks import opened_log, outboxes
from facelign.video.sinks.outbox import Outbox, Pauses


class Away(EventSink):
    """Takes nothing."""

    name = "away"

    def put(self, events: Sequence[Event]) -> None:
        raise SinkError("away is away.", "Wait.")


START = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)


def event(kind: str, second: int, visit: int | None, person: str | None = None, **more: object):
    word, time = EventKind(kind), START + timedelta(seconds=second)
    camera = str(more.pop("camera", "door"))
    return Event(event_id(camera, time, word, visit), word, camera, time, visit, person, **more)


TOLD = [
    event("appeared", 0, 1), event("recognized", 1, 1, "Ada", score=0.71),
    event("appeared", 5, 2), event("unknown", 6, 2, reason="nearest is Ada"),
    event("left", 40, 1, "Ada", last_seen=START + timedelta(seconds=37)),
    event("camera-lost", 50, None, camera="yard"),
]  # fmt: skip


@pytest.fixture(params=["e.jsonl", "e.db", "e.sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with opened_log(tmp_path / request.param) as made:
        made.put(TOLD)
    return tmp_path / request.param


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_events_are_listed_by_their_time(log, capsys):
    assert run(["events", "list", str(log), "--json"]) == Exit.DONE
    assert [row["id"] for row in rows(capsys)] == [one.id for one in TOLD]
    assert run(["events", "list", str(log)]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("  door  recognized  Ada  score 0.71")
    assert lines[3].endswith("  door  unknown  (nearest is Ada)")


@pytest.mark.parametrize(
    ("words", "visits"),
    [
        (["--person", "Ada"], [1, 1]),
        (["--camera", "yard"], [None]),
        (["--since", "2026-11-28T08:00:05Z", "--until", "2026-11-28T08:00:40+00:00"], [2, 2]),
        (["--since", "2026-11-29"], []),
    ],
)
def test_events_are_chosen(log, capsys, words, visits):
    assert run(["events", "list", str(log), "--json", *words]) == Exit.DONE
    assert [row["visit"] for row in rows(capsys)] == visits


def test_visits_are_told_from_when_to_when(log, capsys):
    assert run(["events", "visits", str(log), "--json"]) == Exit.DONE
    first, second = rows(capsys)
    assert (first["person"], first["start"], first["end"]) == (
        "Ada", "2026-11-28T08:00:00.000+00:00", "2026-11-28T08:00:37.000+00:00",
    )  # fmt: skip
    assert (second["person"], second["end"]) == (None, None)
    assert run(["events", "visits", str(log)]) == Exit.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("  door  Ada")
    assert lines[1].endswith(" and not left  door  a stranger")


def test_what_is_listed_is_written_as_a_table(log, tmp_path):
    assert run(["events", "list", str(log), "--out", str(tmp_path / "t.csv")]) == Exit.DONE
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["person"] for row in table] == ["", "Ada", "", "", "Ada", ""]
    assert run(["events", "visits", str(log), "--out", str(tmp_path / "t.jsonl")]) == Exit.DONE
    assert len((tmp_path / "t.jsonl").read_text("utf-8").splitlines()) == 2
    assert run(["events", "list", str(log), "--out", str(tmp_path / "t.doc")]) == Exit.USAGE


def test_a_person_is_forgotten_in_logs_and_outboxes(log, tmp_path, capsys):
    box = log.with_name(f"{log.name}.webhook.outbox")
    with Outbox(Away(), box, pauses=Pauses(100, 100, 0.1)) as waiting:
        waiting.put(TOLD)
    assert outboxes(log) == [box]
    assert run(["events", "forget", "Ada", str(log), "--yes", "--json"]) == Exit.DONE
    assert rows(capsys) == [{"person": "Ada", "events": 4, "snapshots": 0, "waiting": 3}]
    kept = [path for path in tmp_path.iterdir() if b"Ada" in path.read_bytes()]
    assert kept == []
    assert run(["events", "forget", "Ada", str(log), "--yes"]) == Exit.DONE
    assert capsys.readouterr().out == "0 events and 0 snapshots told of Ada; none does any more.\n"


def test_what_cannot_be_meant_is_refused(log, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert run(["events", "forget", "Ada", str(log)]) == Exit.USAGE
    assert "cannot be undone, and there is no terminal" in capsys.readouterr().err
    assert run(["events", "list", str(tmp_path / "nix.db")]) == Exit.INPUT
    assert "There is no log of events" in capsys.readouterr().err
    assert run(["events", "list", str(log), "--since", "noon"]) == Exit.USAGE
    (tmp_path / "notes.txt").write_text("milk")
    assert run(["events", "list", str(tmp_path / "notes.txt")]) == Exit.USAGE
    (tmp_path / "notes.jsonl").write_text("milk")
    assert run(["events", "list", str(tmp_path / "notes.jsonl")]) == Exit.INPUT
    assert "no log of events; it was not touched" in capsys.readouterr().err
