"""From what a camera sees over time to what it tells: pure, without pictures, files and clocks.

Who follows faces says for each frame what is known of every track (``TrackState``); what comes out
are the changes, once each. A visit is the time of one track in view. Three things hold whatever
comes in: every ``appeared`` is followed by one ``left``, no visit is told to be somebody twice
without a ``revoked`` between, and nobody is told to be in two places of a camera at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

from facelign.errors import ConfigError
from facelign.types.events import Event, EventKind, event_id
from facelign.types.options import Option, OptionSet, height, seconds


class Moment(NamedTuple):
    """When a frame was taken. time: by the clock, aware. time_s: rising, whatever the clock does;
    how long something lasts is measured by it.
    """

    time: datetime
    time_s: float


@dataclass(frozen=True, slots=True)
class TrackState:
    """What is known of one track, in one frame that shows it.

    box: (x1, y1, x2, y2), px of the picture. person: whom its looks speak for; None: for nobody.
    sure: whether that may be told, a name as well as that there is none. score, threshold: of the
    decision. looks: how many voted. reason: why there is no name, in words. live: 0 to 1, None
    where it was not checked; liveness: what was decided of it. snapshot: the file of its best view.
    """

    track: int
    box: tuple[float, float, float, float]
    person: str | None = None
    sure: bool = False
    score: float | None = None
    threshold: float | None = None
    looks: int = 0
    reason: str = ""
    live: float | None = None
    liveness: Literal["live", "attack", "not-checked"] = "not-checked"
    snapshot: str | None = None

    @property
    def height(self) -> float:
        """Height of the face, px."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the picture. corners: of a polygon, (x, y), shares of width and height, 0 to 1."""

    name: str
    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.corners) < 3:
            raise ConfigError(
                f"The zone {self.name!r} has {len(self.corners)} corners.", "Give three or more."
            )
        if not all(0 <= value <= 1 for corner in self.corners for value in corner):
            raise ConfigError(
                f"A corner of the zone {self.name!r} is outside of the picture.",
                "Give shares of width and height, 0 to 1.",
            )

    def holds(self, x: float, y: float) -> bool:
        """Say whether a point (shares) lies inside, by the even-odd rule."""
        inside = False
        for (x1, y1), (x2, y2) in zip(
            self.corners, self.corners[1:] + self.corners[:1], strict=True
        ):
            if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
                inside = not inside
        return inside


@dataclass(frozen=True, slots=True)
class EventRules(OptionSet):
    """What is told of a camera.

    zones: an event says in which of them the face stood (the first that holds it). ignored: people
    who are never told; an ``appeared`` then waits until it is sure that it is none of them.
    """

    confirm_frames: Annotated[
        int, Option("Frames that must show somebody before that is told.", low=1)
    ] = 3
    confirm_s: Annotated[
        float,
        Option("Seconds for which somebody must be in view before that is told.", check=seconds),
    ] = 0.0
    absence: Annotated[
        float, Option("Seconds out of view after which somebody has left.", check=seconds)
    ] = 3.0
    cooldown: Annotated[
        float,
        Option("Seconds after somebody left in which that name is not told again.", check=seconds),
    ] = 10.0
    least_height: Annotated[
        float, Option("Faces under this height, px, are not told.", check=height)
    ] = 0.0
    only_zones: Annotated[bool, Option("Tell only who stands in a zone.")] = False
    live_required: bool = False
    zones: tuple[Zone, ...] = ()
    ignored: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Visit:
    """A track in view. person: whose name it bears; ``named`` once that was told."""

    state: TrackState
    zone: str
    first_s: float
    seen: Moment
    frames: int = 0
    number: int = 0
    confirmed: Moment | None = None
    appeared: bool = False
    person: str | None = None
    named: bool = False
    unknown: bool = False
    spoof: bool = False
    #: names that another face of the same picture was more like
    lost: set[str] = field(default_factory=set)


class CameraEvents:
    """The events of one camera. camera: its public name. first_visit: number of the first visit."""

    def __init__(self, camera: str, rules: EventRules | None = None, first_visit: int = 1) -> None:
        self.camera = camera
        self.rules = rules or EventRules()
        self._next = first_visit
        self._visits: dict[int, _Visit] = {}
        self._left_s: dict[str, float] = {}
        self._lost = False

    def update(
        self, states: Iterable[TrackState], now: Moment, size: tuple[int, int]
    ) -> list[Event]:
        """Return what happened by the next frame. size: (width, height) of the picture, px."""
        told = self._expired(now)
        present = [self._seen(state, now, size) for state in states]
        present = [visit for visit in present if visit.confirmed is not None]
        for visit in present:
            if visit.person is not None and not self._stands(visit):
                told += self._revoke(visit, now, visit.state.reason)
        for name in sorted({v.state.person for v in present if self._claims(v)} - {None}, key=str):
            told += self._award(str(name), present, now)
        for visit in present:
            told += self._news(visit, now)
        return told

    def lost(self, now: Moment, reason: str = "") -> list[Event]:
        """Return what is to be told when no pictures come any more; that is told once."""
        told = self._expired(now)
        if self._lost:
            return told
        self._lost = True
        return [*told, self._event(EventKind.CAMERA_LOST, now, reason=reason)]

    def back(self, now: Moment) -> list[Event]:
        """Return what is to be told when pictures come again."""
        told = self._expired(now)
        if not self._lost:
            return told
        self._lost = False
        return [*told, self._event(EventKind.CAMERA_BACK, now)]

    def withdraw(self, person: str, now: Moment) -> list[Event]:
        """Return what is to be told when a person was removed from the gallery: the visit bears no
        name any more, and none is told.
        """
        told = []
        for visit in self._visits.values():
            visit.lost.discard(person)
            if person in visit.state.reason:  # as whom somebody is like
                visit.state = replace(visit.state, reason="")
            if visit.person == person:
                why = "the person was removed from the gallery"
                told += self._revoke(visit, now, why, nameless=True)
        return told

    def flush(self, now: Moment) -> list[Event]:
        """Return what is to be told at the end: who was in view has left."""
        told = [event for visit in self._visits.values() for event in self._leave(visit, now)]
        self._visits.clear()
        return told

    # -- who is in view ------------------------------------------------------------------------

    def _expired(self, now: Moment) -> list[Event]:
        absence, cooldown = self.rules.absence, self.rules.cooldown
        told = []
        for track, visit in list(self._visits.items()):
            if now.time_s - visit.seen.time_s > absence:
                del self._visits[track]
                told += self._leave(visit, now)
        self._left_s = {p: s for p, s in self._left_s.items() if now.time_s - s < cooldown}
        return told

    def _seen(self, state: TrackState, now: Moment, size: tuple[int, int]) -> _Visit:
        x1, y1, x2, y2 = state.box
        x, y = (x1 + x2) / 2 / size[0], (y1 + y2) / 2 / size[1]
        zone = next((zone.name for zone in self.rules.zones if zone.holds(x, y)), "")
        visit = self._visits.get(state.track)
        if visit is None:
            visit = self._visits[state.track] = _Visit(state, zone, now.time_s, now)
        visit.state, visit.zone, visit.seen = state, zone, now
        if state.height < self.rules.least_height or (self.rules.only_zones and not zone):
            return visit
        visit.frames += 1
        lasted = now.time_s - visit.first_s
        if (
            visit.confirmed is None
            and visit.frames >= self.rules.confirm_frames
            and lasted >= self.rules.confirm_s
        ):
            visit.confirmed, visit.number = now, self._next
            self._next += 1
        return visit

    def _leave(self, visit: _Visit, now: Moment) -> list[Event]:
        if visit.confirmed is None:
            return []
        told = [] if self._hidden(visit.person or visit.state.person) else self._appear(visit)
        if visit.person is not None and self.rules.cooldown:
            self._left_s[visit.person] = now.time_s
        if visit.appeared:
            told += self._never_named(visit, now)
            name = None if self._hidden(visit.person) else visit.person
            told.append(
                self._of(EventKind.LEFT, visit, now, person=name, last_seen=visit.seen.time)
            )
        return told

    def _never_named(self, visit: _Visit, now: Moment) -> list[Event]:
        """Tell of somebody who leaves before enough looks could say so that nobody knows them."""
        state = visit.state
        named = visit.person is not None or state.person is not None
        if named or visit.unknown or visit.spoof or not state.looks:
            return []
        visit.unknown = True
        return [self._of(EventKind.UNKNOWN, visit, now, reason=state.reason)]

    # -- who bears a name ------------------------------------------------------------------------

    def _barred(self, visit: _Visit) -> bool:
        return self.rules.live_required and visit.state.liveness != "live"

    def _stands(self, visit: _Visit) -> bool:
        """Say whether the name that a visit bears still holds: nothing is sure of otherwise."""
        other = visit.state.sure and visit.state.person != visit.person
        attack = self.rules.live_required and visit.state.liveness == "attack"
        return not other and not attack

    def _claims(self, visit: _Visit) -> bool:
        state = visit.state
        if state.person is None or not state.sure or self._barred(visit):
            return False
        return state.person != visit.person

    def _award(self, name: str, present: Sequence[_Visit], now: Moment) -> list[Event]:
        """Give a name to the visit that is most like it, if it has a right to it."""
        holder = next((v for v in self._visits.values() if v.person == name), None)
        claims = [v for v in present if self._claims(v) and v.state.person == name]
        if holder is None:
            for visit in self._visits.values():
                visit.lost.discard(name)
        best = max((v for v in claims if name not in v.lost), key=_score, default=None)
        if best is None:
            return []
        told: list[Event] = []
        if holder is not None and holder not in present:  # gone, and found again as another track
            del self._visits[holder.state.track]
            told += self._leave(holder, now)
        elif holder is not None:
            if _score(best) <= _score(holder):
                return []
            holder.lost.add(name)
            told += self._revoke(holder, now, f"another face of this picture is more like {name}")
        best.person, best.named, best.unknown = name, False, False
        return told

    def _revoke(
        self, visit: _Visit, now: Moment, reason: str, *, nameless: bool = False
    ) -> list[Event]:
        name, told = None if nameless else visit.person, visit.named
        visit.person, visit.named = None, False
        if not told:
            return []
        return [self._of(EventKind.REVOKED, visit, now, person=name, reason=reason)]

    # -- what is told ----------------------------------------------------------------------------

    def _hidden(self, person: str | None) -> bool:
        return person in self.rules.ignored

    def _appear(self, visit: _Visit) -> list[Event]:
        if visit.appeared or visit.confirmed is None:
            return []
        visit.appeared = True
        return [self._of(EventKind.APPEARED, visit, visit.confirmed)]

    def _news(self, visit: _Visit, now: Moment) -> list[Event]:
        state = visit.state
        told: list[Event] = []
        if self._hidden(visit.person):
            return told
        decided = state.sure and not self._hidden(state.person)
        if not self.rules.ignored or decided or visit.person is not None:
            told += self._appear(visit)
        if not visit.appeared:
            return told
        if state.liveness == "attack" and not visit.spoof:
            visit.spoof = True
            why = "" if state.live is None else f"liveness {state.live:.2f}: a print, a screen?"
            told.append(self._of(EventKind.SPOOF, visit, now, reason=why))
        if visit.person is not None:
            if not visit.named and visit.person not in self._left_s:
                visit.named = True
                told.append(self._of(EventKind.RECOGNIZED, visit, now, person=visit.person))
        elif state.sure and state.person is None and not visit.unknown:
            visit.unknown = True
            told.append(self._of(EventKind.UNKNOWN, visit, now, reason=state.reason))
        return told

    def _of(self, kind: EventKind, visit: _Visit, now: Moment, **more: Any) -> Event:
        state = visit.state
        given: dict[str, Any] = {
            "visit": visit.number, "score": state.score, "threshold": state.threshold,
            "looks": state.looks, "height": state.height, "zone": visit.zone,
            "snapshot": state.snapshot, "live": state.live,
        }  # fmt: skip
        if kind is EventKind.LEFT and more.get("person") is None:
            given["reason"] = "" if self._hidden(visit.person) else state.reason
        return self._event(kind, now, **given | more)

    def _event(self, kind: EventKind, now: Moment, **more: Any) -> Event:
        if any(name in more.get("reason", "") for name in self.rules.ignored):
            more["reason"] = "like nobody who is told"  # not even as whom somebody is like
        key = event_id(self.camera, now.time, kind, more.get("visit"))
        return Event(key, kind, self.camera, now.time, **more)


def _score(visit: _Visit) -> float:
    return -math.inf if visit.state.score is None else visit.state.score
