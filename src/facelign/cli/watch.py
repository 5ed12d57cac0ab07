"""``facelign watch``: names before cameras, as events."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from facelign.cli import building, signals
from facelign.cli.exits import Exit
from facelign.cli.film_results import Blur, needs_a_drawing
from facelign.cli.flags import JsonFlag, command, without
from facelign.cli.output import emit, line, note
from facelign.errors import ConfigError
from facelign.files.home import gallery_path
from facelign.recognition.options import LiveOptions
from facelign.types.events import Event, EventKind
from facelign.types.options import Option, OptionSet
from facelign.types.policies import LiveMode
from facelign.video.events import EventRules
from facelign.video.options import FollowOptions, LookOptions, VoteOptions, WatchOptions
from facelign.wire.options import ChainFlags, GalleryFlags, NamingFlags
from facelign.wire.records import event_record

if TYPE_CHECKING:
    from facelign.recognition.recognizer import Recognizer
    from facelign.types.contracts import EventSink
    from facelign.video.live import Watcher
    from facelign.video.places import CameraPlan
    from facelign.video.recording import Recording
    from facelign.video.snapshots import Snapshots
    from facelign.video.sources.newest import Cameras
    from facelign.video.telling import Telling

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        help="0 (a webcam), rtsp://..., http://..., a file that is played, or - (standard input).",
        show_default=False,
        metavar="SOURCE...",
    ),
]
CamerasFile = Annotated[
    Path | None, typer.Option("--cameras", help="A TOML file of cameras, their zones and rules.")
]

DrawTo = Annotated[
    Path | None,
    typer.Option("--draw", help="Write what was looked at, with names: FILE.mp4, or a folder."),
]

#: the variable that holds the secret with which webhooks are signed
SECRET = "FACELIGN_WEBHOOK_SECRET"  # noqa: S105 - its name
#: what is said of an event, for people
_WORDS = {
    EventKind.APPEARED: "somebody appeared",
    EventKind.UNKNOWN: "nobody who is enrolled",
    EventKind.SPOOF: "not taken for a living face",
    EventKind.CAMERA_LOST: "no pictures",
    EventKind.CAMERA_BACK: "pictures again",
}


@dataclass(frozen=True, slots=True)
class TellingFlags(OptionSet):
    """Where events go besides standard output."""

    panel: ClassVar[str | None] = "Events"

    log: Annotated[
        list[Path] | None,
        typer.Option(
            "--log",
            help="Keep events in FILE.jsonl or FILE.db before they are told; may be said twice.",
            rich_help_panel="Events",
        ),
    ] = None
    mqtt: Annotated[
        str | None, Option("Publish events: mqtt://USER:PASSWORD@HOST:PORT/PREFIX, or less of it.")
    ] = None
    webhook: Annotated[
        str | None, Option(f"Post events to this address, signed with the secret in {SECRET}.")
    ] = None
    snapshots: Annotated[
        Path | None, Option("Write the best view of each visit into this folder.")
    ] = None
    keep: Annotated[
        str | None, Option("Delete events of the logs, and snapshots, after 12h, 7d or 4w.")
    ] = None
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            help="A person who is never told, or several: 'Staff *'; may be said again.",
            rich_help_panel="Events",
        ),
    ] = None
    why: Annotated[bool, Option("Say of each visit without a name why it has none.")] = False


@command
def watch(
    sources: Sources = None,
    *,
    where: GalleryFlags,
    output: JsonFlag,
    cameras: CamerasFile = None,
    draw: DrawTo = None,
    blur: Blur = "",
    telling: TellingFlags,
    rules: EventRules,
    pace: WatchOptions,
    looks: LookOptions,
    votes: VoteOptions,
    naming: NamingFlags,
    gate: LiveOptions,
    chain: Annotated[ChainFlags, without("workers", padded=False, turned=False)],
) -> int:
    """Watch cameras: who appears, is recognized or unknown, and leaves, one event a line."""
    from facelign.video.live import Place, Watcher
    from facelign.video.sources.pictures import needs
    from facelign.video.tracker import ByteTracker

    needs()
    needs_a_drawing(blur, draw)
    plans = _plans(sources or [], cameras, rules)
    snapshots = _snapshots(telling)
    recognizer = building.recognizer(chain)
    path = gallery_path(where.gallery)
    options = building.naming(naming, recognizer, path)
    live = recognizer.live_check(gate)
    required = gate.liveness == LiveMode.REQUIRE
    building.tell_live(live, json=True)
    with ExitStack() as stack:
        gallery = stack.enter_context(building.opened(path, recognizer))
        _warm(recognizer)
        opened = stack.enter_context(_opened(plans))
        names = _names(plans, opened)
        people = [one.name for one in gallery.people()]
        show = _show(names, json=output.json, why=telling.why)
        told = stack.enter_context(_telling(telling, names, people, show))
        recording = None if draw is None else stack.enter_context(_recording(draw, names, blur))
        watcher = Watcher(
            gallery,
            opened,
            [
                Place(name, replace(plan.rules, live_required=required))
                for name, plan in zip(names, plans, strict=True)
            ],
            told,
            tracker=ByteTracker,
            options=pace,
            follow=FollowOptions(options, looks, votes),
            live=live,
            snapshots=snapshots,
            ignored=telling.ignore or (),
            remark=note,
            seen=_unseen if recording is None else recording.add,
        )
        with signals.postponed() as interrupted:
            watcher.run(lambda: not interrupted())
        _sum_up(watcher, names, opened)
        broken = [one.broke for one in opened.cameras if one.broke]
    for sentence in broken:
        note(sentence)
    if interrupted():
        return signals.INTERRUPTED
    return Exit.INPUT if broken else Exit.DONE


# -- cameras -------------------------------------------------------------------------------------


def _plans(words: Sequence[str], file: Path | None, rules: EventRules) -> list[CameraPlan]:
    """Return the cameras of the command line and of a file; raises ConfigError for none."""
    from facelign.video.places import CameraPlan, read_plans

    plans = [CameraPlan(word, rules=rules) for word in words]
    if file is not None:
        plans += read_plans(file, rules)
    blind = next((plan for plan in plans if plan.rules.only_zones and not plan.rules.zones), None)
    if blind is not None:
        raise ConfigError("A camera that tells of zones only has none.", "Give it [camera.zones].")
    if not plans:
        raise ConfigError("No camera is named.", "Give 0, an address or a file, or --cameras FILE.")
    return plans


def _warm(recognizer: Recognizer) -> None:
    """Open all networks before the first frame is taken: it would wait for them."""
    import numpy as np

    from facelign.types.image import Image

    recognizer.chain.embedder.prepare()
    recognizer.find(Image(np.full((360, 640, 3), 127, np.uint8), (640, 360)))


def _opened(plans: Sequence[CameraPlan]) -> Cameras:
    from facelign.video.sources import opened_together

    return opened_together([plan.word for plan in plans], options=[plan.options for plan in plans])


def _names(plans: Sequence[CameraPlan], opened: Cameras) -> list[str]:
    """Return what each camera is called: as its plan says, else by its public name, each once."""
    names: list[str] = []
    for plan, camera in zip(plans, opened.cameras, strict=True):
        name, number = plan.name or camera.name, 1
        while name in names:
            number += 1
            name = f"{plan.name or camera.name} {number}"
        names.append(name)
    return names


def _recording(target: Path, names: Sequence[str], blur: str) -> Recording:
    from facelign.video.recording import Recording

    if target.suffix and (target.suffix != ".mp4" or len(names) > 1):
        raise ConfigError(f"--draw {target} is no folder and no .mp4 of one camera.")
    return Recording(target, names, blur)


def _unseen(*_frame: object) -> None:
    """Look at no frame."""


# -- events --------------------------------------------------------------------------------------


def _snapshots(flags: TellingFlags) -> Snapshots | None:
    from facelign.video.snapshots import Snapshots, span

    keep = None if flags.keep is None else span("--keep", flags.keep)
    return None if flags.snapshots is None else Snapshots(flags.snapshots, keep)


def _passed_on(
    flags: TellingFlags, cameras: Sequence[str], people: Sequence[str]
) -> Iterator[EventSink]:
    """Yield where events are passed on, each behind an outbox: none lets a camera wait."""
    from facelign.video.sinks.mqtt import MqttSink
    from facelign.video.sinks.outbox import Outbox
    from facelign.video.sinks.webhook import WebhookSink

    beside = flags.log[0] if flags.log else None

    def outbox(sink: EventSink, word: str) -> Outbox:
        path = None if beside is None else beside.with_name(f"{beside.name}.{word}.outbox")
        return Outbox(sink, path, note)

    if flags.mqtt is not None:
        yield outbox(MqttSink(flags.mqtt, cameras, people), "mqtt")
    if flags.webhook is not None:
        if not os.environ.get(SECRET):
            note(f"note: {SECRET} is not set, so events are posted without a signature")
        yield outbox(WebhookSink(flags.webhook, os.environ.get(SECRET, "")), "webhook")


@contextmanager
def _telling(
    flags: TellingFlags,
    cameras: Sequence[str],
    people: Sequence[str],
    show: Callable[[Event], object],
) -> Iterator[Telling]:
    from facelign.video.sinks import opened_log
    from facelign.video.snapshots import span
    from facelign.video.telling import Telling

    keep = None if flags.keep is None else span("--keep", flags.keep)
    logs = [opened_log(path) for path in flags.log or ()]
    with Telling(logs, show, list(_passed_on(flags, cameras, people)), note, keep) as told:
        yield told


def _show(cameras: Sequence[str], *, json: bool, why: bool) -> Callable[[Event], object]:
    """Return what prints an event, as JSON or in words."""

    def show(event: Event) -> None:
        if json:
            emit(event_record(event))
        else:
            where = f"{event.camera}: " if len(cameras) > 1 else ""
            line(f"{event.time.astimezone():%H:%M:%S} {where}{_told(event)}")
        if why and event.kind is EventKind.LEFT and event.person is None:
            note(f"visit {event.visit}: no name{f', {event.reason}' if event.reason else ''}")

    return show


def _told(event: Event) -> str:
    """Return an event in words."""
    who = event.person or "somebody"
    words = {
        EventKind.RECOGNIZED: f"{who} recognized",
        EventKind.REVOKED: f"not {who} after all",
        EventKind.LEFT: f"{who} left",
    }
    text = words.get(event.kind) or _WORDS[event.kind]
    if event.kind is EventKind.RECOGNIZED and event.score is not None:
        text += f" (score {event.score:.3f}, {event.looks} looks)"
    elif event.reason:
        text += f" ({event.reason})"
    visit = "" if event.visit is None else f"visit {event.visit}, "
    zone = f", {event.zone}" if event.zone else ""
    return f"{visit}{text}{zone}"


def _sum_up(watcher: Watcher, names: Sequence[str], opened: Cameras) -> None:
    """Say how the cameras were kept up with."""
    from statistics import median

    for name, figures, camera in zip(names, watcher.figures, opened.cameras, strict=True):
        if figures.ages_s:
            note(
                f"{name}: looked at {figures.decided} of {camera.received} frames, "
                f"{1000 * figures.took_s / figures.decided:.0f} ms each; when it was decided on, a "
                f"frame was {1000 * median(figures.ages_s):.0f} ms old (at most "
                f"{1000 * max(figures.ages_s):.0f})"
            )
