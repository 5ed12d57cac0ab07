"""``facelign events``: who was before a camera when, as the logs of events say."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from facelign.cli.exits import Exit
from facelign.cli.flags import Commands, JsonFlag, completed
from facelign.cli.output import answer, emit, line, note
from facelign.errors import ConfigError, InputError
from facelign.types.options import Option, OptionSet
from facelign.types.wording import counted
from facelign.wire.records import Record, event_record, plain

if TYPE_CHECKING:
    from facelign.types.contracts import EventLog, EventSink
    from facelign.types.events import Event
    from facelign.video.stays import Stay

app = Commands("Ask logs of events who was where when, and take a person out of them.")

Log = Annotated[Path, typer.Argument(help="A log: FILE.jsonl or FILE.db.", show_default=False)]
Logs = Annotated[
    list[Path], typer.Argument(help="Logs: FILE.jsonl or FILE.db.", show_default=False)
]
Name = Annotated[str, completed("The name of a person.", "person")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Broker = Annotated[
    str | None,
    typer.Option("--mqtt", help="Also from this broker: mqtt://USER:PASSWORD@HOST:PORT/PREFIX."),
]


def _moment(name: str, text: str) -> datetime:
    """Return a time; one without a zone is meant here. Raises ConfigError for none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as problem:
        raise ConfigError(
            f"{name} {text} is no time.", "Give such as 2026-11-28 or 2026-11-28T08:00."
        ) from problem


@dataclass(frozen=True, slots=True)
class EventFilter(OptionSet):
    """Which events are meant, and where they go besides the terminal."""

    panel: ClassVar[str | None] = "Events"

    person: Annotated[str | None, Option("Only this person.", once=True)] = None
    camera: Annotated[str | None, Option("Only this camera.", once=True)] = None
    since: Annotated[
        str | None,
        Option("From this time on: 2026-11-28 or 2026-11-28T08:00.", check=_moment, once=True),
    ] = None
    until: Annotated[str | None, Option("Before this time.", check=_moment, once=True)] = None
    out: Annotated[Path | None, Option("Also write a .csv or .jsonl.", once=True)] = None

    def events(self, path: Path) -> list[Event]:
        """Return the events of a log within the time and of the camera that are meant."""
        since = None if self.since is None else _moment("--since", self.since)
        until = None if self.until is None else _moment("--until", self.until)
        with _opened(path) as log:
            found = log.between(since, until)
        return [one for one in found if self.camera in (None, one.camera)]


@app.add("list")
def list_events(log: Log, which: EventFilter, output: JsonFlag) -> None:
    """List the events of a log, by their time."""
    events = [one for one in which.events(log) if which.person in (None, one.person)]
    _listed([event_record(one) for one in events], map(_told, events), which.out, json=output.json)


@app.add("visits")
def visits(log: Log, which: EventFilter, output: JsonFlag) -> None:
    """List who was before a camera, from when to when: a line a visit."""
    from facelign.video.stays import stays

    found = [one for one in stays(which.events(log)) if which.person in (None, one.person)]
    _listed(list(map(_record, found)), map(_stay, found), which.out, json=output.json)


@app.add("forget")
def forget_person(
    name: Name, logs: Logs, mqtt: Broker = None, yes: Yes = False, *, output: JsonFlag
) -> int:
    """Take a person out of logs: every visit, its snapshots, and what waits to be passed on."""
    from facelign.video.forgetting import forget
    from facelign.video.sinks import outboxes
    from facelign.video.sinks.outbox import forget_in

    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(
                f"Forgetting {name} cannot be undone, and there is no terminal to ask on.",
                "Add --yes to do it without a question.",
            )
        if not typer.confirm(f"Forget all visits of {name}? This cannot be undone.", err=True):
            note("Nothing was changed.")
            return Exit.NO
    opened = [_opened(path) for path in logs]
    try:
        done = forget(name, opened, [_broker(mqtt)] if mqtt else [])
        waiting = sum(forget_in(box, name) for path in logs for box in outboxes(path))
    finally:
        for log in opened:
            log.close()
    what = f"{counted(done.events + waiting, 'event')} and {counted(done.snapshots, 'snapshot')}"
    record = {"person": name, **plain(done), "waiting": waiting}
    answer(record, f"{what} told of {name}; none does any more.", json=output.json)
    return Exit.DONE


def _opened(path: Path) -> EventLog:
    from facelign.video.sinks import opened_log

    if not path.is_file():
        raise InputError(
            f"There is no log of events at {path}.", "Name one: FILE.jsonl or FILE.db."
        )
    return opened_log(path)


def _broker(address: str) -> EventSink:
    from facelign.video.sinks.mqtt import MqttSink

    return MqttSink(address)


def _listed(records: list[Record], lines: Iterable[str], out: Path | None, *, json: bool) -> None:
    """Print records as JSON or as lines, and write them as a table where one is asked for."""
    if out is not None:
        _write(out, records)
    for record in records if json else ():
        emit(record)
    for text in () if json else lines:
        line(text)
    if not records:
        note("No events were found.")


def _write(out: Path, records: list[Record]) -> None:
    from facelign.files import disk
    from facelign.wire.tables import FORMATS, Csv, JsonLines

    if out.suffix not in FORMATS:
        kinds = " or ".join(FORMATS)
        raise ConfigError(f"{out.name}: the name of a table must end in {kinds}.")
    with disk.replacing(out, sync=False) as scratch:
        if out.suffix == ".csv":
            columns = tuple(records[0]) if records else ()
            with closing(Csv(scratch, columns)) as table:
                table.write(*(["" if v is None else v for v in one.values()] for one in records))
        else:
            with closing(JsonLines(scratch)) as rows:
                for record in records:
                    rows.add(record)


def _told(event: Event) -> str:
    """Return an event in words, its time as it is here."""
    parts = [f"{event.time.astimezone():%Y-%m-%d %H:%M:%S}", event.camera, event.kind.value]
    parts += [event.person] if event.person else []
    parts += [f"score {event.score:.2f}"] if event.person and event.score is not None else []
    parts += [f"({event.reason})"] if event.reason else []
    return "  ".join(parts)


def _record(stay: Stay) -> Record:
    times = {"start": stay.start, "end": stay.end}
    told = {k: v and v.isoformat(timespec="milliseconds") for k, v in times.items()}
    return {"camera": stay.camera, "visit": stay.visit, "person": stay.person} | told | {
        "snapshot": stay.snapshot
    }  # fmt: skip


def _stay(stay: Stay) -> str:
    """Return a visit in words, its times as they are here."""
    end = f"to {stay.end.astimezone():%H:%M:%S}" if stay.end else "and not left"
    begin = f"{stay.start.astimezone():%Y-%m-%d %H:%M:%S}"
    return "  ".join([f"{begin} {end}", stay.camera, stay.person or "a stranger"])
