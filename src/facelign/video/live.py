"""The loop over cameras: the newest frame of each in turn, faces followed, changes told.

No frame waits: while one is decided on, the ones that come replace each other, so that what is
decided on is as old as one decision takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import numpy as np

from facelign.liveness.temporal import LiveTrack, TrackOptions
from facelign.recognition.judging import LiveCheck
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.types.analysis import Analysis
from facelign.types.contracts import Tracker
from facelign.types.events import Event
from facelign.types.faces import Faces
from facelign.video.cuts import Cuts
from facelign.video.events import CameraEvents, EventRules, Moment, TrackState
from facelign.video.following import FaceFollower, Track
from facelign.video.options import FollowOptions, WatchOptions
from facelign.video.snapshots import Snapshots
from facelign.video.sources.newest import CameraChange, Cameras, CameraState, LiveFrame
from facelign.video.telling import Telling

#: how long a round waits for a frame: who has left is told, and what failed tried again, so often
_ROUND_S = 0.25
#: how often a face is judged for being a living one, at most
_LIVE_EVERY_S = 0.2
#: ages of frames that are kept for the figures
_AGES = 100_000


@dataclass(frozen=True, slots=True)
class Place:
    """A camera and what is told of it. name: its public name."""

    name: str
    rules: EventRules = field(default_factory=EventRules)


@dataclass(slots=True, eq=False)
class WatchFigures:
    """How a camera was kept up with. decided: frames that were looked at; ages_s: how old each was
    when it was decided on; took_s: how long the decisions took, in all.
    """

    decided: int = 0
    took_s: float = 0.0
    ages_s: list[float] = field(default_factory=list)

    def add(self, age_s: float, took_s: float) -> None:
        """Count a decision."""
        self.decided += 1
        self.took_s += took_s
        if len(self.ages_s) < _AGES:
            self.ages_s.append(age_s)


#: sees a frame of a camera, by its place, that was decided on, with its faces and their tracks
Seen = Callable[[int, LiveFrame, Faces, Sequence[Track]], object]


class Watcher:
    """Follows the faces before several cameras, names them and tells what happens.

    places: of each camera. tracker: makes a fresh one. live: tells living faces, or None; whether
    that is required say the rules of a place. snapshots: where the best views go. ignored:
    patterns of names (``*`` for any letters) that are never told. remark: is told in words what
    happens to cameras. seen: is shown every frame that was decided on.
    """

    def __init__(
        self,
        gallery: PhotoGallery,
        cameras: Cameras,
        places: Sequence[Place],
        telling: Telling,
        *,
        tracker: Callable[[], Tracker],
        options: WatchOptions | None = None,
        follow: FollowOptions | None = None,
        live: LiveCheck | None = None,
        snapshots: Snapshots | None = None,
        ignored: Sequence[str] = (),
        remark: Callable[[str], object] = lambda _text: None,
        seen: Seen = lambda *_: None,
    ) -> None:
        self._gallery, self._cameras, self._telling = gallery, cameras, telling
        self._options, self._remark, self._seen = options or WatchOptions(), remark, seen
        self._ignored = tuple(ignored)
        crops = snapshots is not None
        self._posts = [
            _Post(
                place,
                FaceFollower(gallery, tracker(), follow or FollowOptions(), crops=crops),
                live,
                snapshots,
            )
            for place in places
        ]
        self.figures = [post.figures for post in self._posts]
        self._looked_s = float("-inf")
        self._revision: int | None = None
        self._names: frozenset[str] = frozenset()

    def run(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Watch until all cameras have ended or ``wanted`` says no; who is in view leaves then."""
        try:
            while wanted() and not self._cameras.ended:
                self._round()
        finally:
            now = _now()
            self._telling.tell([one for post in self._posts for one in post.events.flush(now)])

    def _round(self) -> None:
        got = self._cameras.newest(_ROUND_S)
        events: list[Event] = []
        for change in self._cameras.changes():
            events += self._changed(change)
        events += self._followed_gallery()
        events += self._absent()
        if got is not None:
            place, frame = got
            post = self._posts[place]
            if frame.arrived_s >= post.due_s:
                period = 1 / self._options.rate
                # what is late does not make the next one early by more than one
                post.due_s = max(post.due_s + period, frame.arrived_s)
                faces, tracks, told = post.take(frame)
                events += told
                self._seen(place, frame, faces, tracks)
        self._telling.tell(events)

    def _absent(self) -> list[Event]:
        """Return who has left cameras that give no frame now, or never will again."""
        now, told = _now(), []
        if now.time_s < self._looked_s + _ROUND_S:
            return []
        self._looked_s = now.time_s
        for post, camera in zip(self._posts, self._cameras.cameras, strict=True):
            over = camera.ended and not camera.stirs
            told += post.events.flush(now) if over else post.idle(now)
        return told

    def _changed(self, change: CameraChange) -> list[Event]:
        names = [camera.name for camera in self._cameras.cameras]
        post = self._posts[names.index(change.camera)]
        now = Moment(change.time, time.monotonic())
        self._remark(f"{post.place.name}: {change.state.value}, {change.reason}")
        if change.state is CameraState.BACK:
            return post.events.back(now)
        if change.state in (CameraState.LOST, CameraState.FROZEN, CameraState.BLACK):
            return post.events.lost(now, change.reason)
        if change.state is CameraState.SIZE:
            post.follower.cut()
        return []

    def _followed_gallery(self) -> list[Event]:
        """Take people out of what is told who are not in the gallery any more, or are ignored."""
        revision = self._gallery.gallery.revision
        if revision == self._revision:
            return []
        self._revision = revision
        before, self._names = self._names, frozenset(one.name for one in self._gallery.people())
        told: list[Event] = []
        hidden = frozenset(n for n in self._names if any(fnmatchcase(n, p) for p in self._ignored))
        for post in self._posts:
            rules = post.events.rules
            post.events.rules = replace(rules, ignored=post.place.rules.ignored | hidden)
            for person in sorted(before - self._names):
                told += post.events.withdraw(person, _now())
        return told


class _Post:
    """One camera, with the faces before it."""

    def __init__(
        self,
        place: Place,
        follower: FaceFollower,
        live: LiveCheck | None,
        snapshots: Snapshots | None,
    ) -> None:
        self.place, self.follower = place, follower
        self.events = CameraEvents(place.name, place.rules)
        self.figures = WatchFigures()
        self.due_s = 0.0
        self._live, self._snapshots = live, snapshots
        self._lives: dict[int, tuple[float, LiveTrack]] = {}
        self._files: dict[int, tuple[int, str]] = {}
        self._size = (1, 1)
        self._cuts = Cuts()

    def take(self, frame: LiveFrame) -> tuple[Faces, list[Track], list[Event]]:
        """Return the faces in a frame, their tracks, and what happened."""
        began = time.monotonic()
        if self._cuts.between(frame):  # a camera that was turned, or a film that is played
            self.follower.cut()
        found = self.follower.find(frame)
        tracks = self.follower.update(frame, found)
        self._judge(found, tracks, frame)
        self._size = frame.image.size
        states = [self._state(track, frame) for track in tracks]
        now = Moment(frame.taken, frame.arrived_s)
        events = self.events.update(states, now, self._size)
        self._forget()
        done = time.monotonic()
        self.figures.add(done - frame.arrived_s, done - began)
        return found.faces, tracks, events

    def idle(self, now: Moment) -> list[Event]:
        """Return what happened while no frame came."""
        return self.events.update((), now, self._size)

    def _judge(self, found: Analysis, tracks: Sequence[Track], frame: LiveFrame) -> None:
        if self._live is None or not tracks:
            return
        options = TrackOptions(threshold=self._live.threshold.score)
        for track in tracks:
            self._lives.setdefault(track.number, (float("-inf"), LiveTrack(options)))
        due = [self._lives[track.number][0] <= frame.time_s for track in tracks]
        mask = np.array(due, bool)
        if not mask.any():
            return
        told = self._live.of(replace(found, faces=found.faces[mask])).live
        asked = [track for track, wanted in zip(tracks, due, strict=True) if wanted]
        for track, answer in zip(asked, told, strict=True):
            _, lives = self._lives[track.number]
            lives.add(answer.score)
            self._lives[track.number] = frame.time_s + _LIVE_EVERY_S, lives

    def _state(self, track: Track, frame: LiveFrame) -> TrackState:
        verdict, limit = track.verdict, track.verdict.threshold
        state = TrackState(
            track.number,
            track.box.edges,
            verdict.person,
            verdict.sure,
            verdict.score,
            None if limit is None else limit.threshold.score,
            verdict.looks,
            verdict.reason,
            snapshot=self._snapshot(track, frame),
        )
        if track.number not in self._lives:
            return state
        answer = self._lives[track.number][1].answer
        return replace(state, live=answer.score, liveness=answer.decision.value)

    def _snapshot(self, track: Track, frame: LiveFrame) -> str | None:
        """Return the file of the best view of a track that is a visit, written when it is new."""
        known = self._files.get(track.number)
        counts = track.frames >= self.events.rules.confirm_frames
        if self._snapshots is None or track.crop is None or not counts:
            return None if known is None else known[1]
        if known is None or known[0] != id(track.crop):
            path = None if known is None else known[1]
            path = self._snapshots.write(self.place.name, track.crop, frame.taken, path)
            known = self._files[track.number] = id(track.crop), path
        return known[1]

    def _forget(self) -> None:
        for track in self.follower.ended():
            self._lives.pop(track.number, None)
            self._files.pop(track.number, None)


def _now() -> Moment:
    return Moment(datetime.now(UTC), time.monotonic())
