"""A film becomes its visits: who is in it, and when, to the frame.

Key frames are looked at a few times a second, several at a time. Where two of them show the same
faces, what lies between is not looked at; where something has changed, every frame between is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Queue
from threading import Condition, Event, Thread

import numpy as np

from facelign.geometry.boxes import iou
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.types.analysis import Analysis
from facelign.types.arrays import ByteArray
from facelign.types.contracts import Frame, Tracker
from facelign.types.faces import Box, Faces
from facelign.video.cuts import Cuts
from facelign.video.following import FaceFollower, Track
from facelign.video.options import FilmOptions, FollowOptions
from facelign.video.visits import Strangers, Visit, of_one_face

#: how much two boxes overlap that are the same face in two key frames
_SAME = 0.3
#: bytes of frames that are held at a time, before the ones that must be
_HELD = 200_000_000


@dataclass(slots=True, eq=False)
class _Group:
    """A key frame, the frames before it that were passed over, and where a cut lies among both.

    cuts: numbers of the frames that begin another scene. size: of its pictures, bytes.
    """

    between: list[Frame]
    key: Frame
    found: Future[Analysis]
    cuts: set[int]
    size: int


class ReadAhead:
    """Bounds what waits: so many things, and so many bytes, but one thing always."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._bytes = most, most_bytes
        self._held = self._sum = 0
        self._changed = Condition()
        self._open = False

    def take(self, size: int) -> None:
        """Wait until there is room for something of ``size`` bytes, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._fits(size))
            self._held, self._sum = self._held + 1, self._sum + size

    def give(self, size: int) -> None:
        """Give the room of something back."""
        with self._changed:
            self._held, self._sum = self._held - 1, self._sum - size
            self._changed.notify_all()

    def open(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return not self._held or (self._held < self._most and self._sum + size <= self._bytes)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What is known of a film up to a frame at which nobody is in view: nothing changes it later.

    visits: those since the moment before. paths: for each of them, by its number, the box in each
    frame in which it was found, by the frame's number. frame: the number of the last frame, -1
    before the first. passed: sightings that were too short to count. crops: the best view of each
    face, by the number of its visit, where that is kept.
    """

    visits: tuple[Visit, ...] = ()
    paths: Mapping[int, Mapping[int, Box]] = field(default_factory=dict)
    frame: int = -1
    passed: int = 0
    crops: Mapping[int, ByteArray] = field(default_factory=dict)


class FilmIndex:
    """Looks through films, one after another; strangers keep their numbers from film to film.

    tracker: makes a fresh one for every film. crops: whether the best view of each face is kept.
    """

    def __init__(
        self,
        gallery: PhotoGallery,
        tracker: Callable[[], Tracker],
        options: FilmOptions | None = None,
        follow: FollowOptions | None = None,
        *,
        crops: bool = False,
    ) -> None:
        self.crops = crops
        self.gallery = gallery
        self.options = options or FilmOptions()
        self.follow = follow or FollowOptions()
        self.strangers = Strangers(gallery.calibration)
        self._tracker = tracker
        self._workers = gallery.recognizer.workers

    def watch(
        self,
        film: str,
        frames: Iterable[Frame],
        done: Callable[[int], None] = lambda _count: None,
        *,
        after: int = -1,
        visits: int = 0,
    ) -> Iterator[Settled]:
        """Yield what is settled of a film, whenever nobody is in view and at the end.

        done: called with the number of further frames that are over. after: the frame up to which
        it was settled in an earlier run, which found so many ``visits``.
        """
        follower = FaceFollower(self.gallery, self._tracker(), self.follow, crops=self.crops)
        tracks: list[Track] = []
        paths: dict[int, dict[int, Box]] = {}
        clock, last = _Clock(), after
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="facelign-film")
        try:
            fresh = (frame for frame in clock.watched(frames) if frame.number > after)
            for frame, here in self._followed(fresh, follower, pool):
                for track in here:
                    paths.setdefault(track.number, {})[frame.number] = track.box
                tracks += follower.ended()
                done(1)
                last = frame.number
                if tracks and not follower.active:
                    settled = self._settled(film, tracks, paths, visits, last, clock.frame_s)
                    visits += len(settled.visits)
                    yield settled
                    tracks, paths = [], {}
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        follower.cut()
        tracks += follower.ended()
        yield self._settled(film, tracks, paths, visits, last, clock.frame_s)

    def _followed(
        self, frames: Iterable[Frame], follower: FaceFollower, pool: ThreadPoolExecutor
    ) -> Iterator[tuple[Frame, Sequence[Track]]]:
        """Yield every frame with the tracks found in it; none where it was passed over."""
        before: Faces | None = None
        for group in self._ahead(frames, follower, pool):
            found = group.found.result()
            calm = before is not None and not group.cuts and _alike(before, found.faces)
            if calm:
                yield from ((frame, ()) for frame in group.between)
            else:
                looks = [pool.submit(follower.find, frame) for frame in group.between]
                for frame, look in zip(group.between, looks, strict=True):
                    yield frame, self._update(follower, frame, look.result(), group.cuts)
            yield group.key, self._update(follower, group.key, found, group.cuts)
            before = found.faces

    @staticmethod
    def _update(
        follower: FaceFollower, frame: Frame, found: Analysis, cuts: set[int]
    ) -> list[Track]:
        if frame.number in cuts:
            follower.cut()
        return follower.update(frame, found)

    def _ahead(
        self, frames: Iterable[Frame], follower: FaceFollower, pool: ThreadPoolExecutor
    ) -> Iterator[_Group]:
        """Yield groups of frames; a thread of its own decodes the next ones and lets their key
        frames be looked at, as far ahead as memory allows.
        """
        ready: Queue[_Group | BaseException | None] = Queue()
        room, over = ReadAhead(2 * self._workers + 1, _HELD), Event()

        def read() -> None:
            try:
                for between, key, cuts in self._groups(frames):
                    size = sum(frame.image.pixels.nbytes for frame in (*between, key))
                    room.take(size)
                    if over.is_set():
                        return
                    ready.put(_Group(between, key, pool.submit(follower.find, key), cuts, size))
                ready.put(None)
            except BaseException as problem:  # noqa: BLE001 - raised by whoever waits for it
                ready.put(problem)

        reader = Thread(target=read, name="facelign-film-reader", daemon=True)
        reader.start()
        try:
            while (group := ready.get()) is not None:
                if isinstance(group, BaseException):
                    raise group
                yield group
                room.give(group.size)
        finally:
            over.set()
            room.open()
            reader.join()

    def _groups(self, frames: Iterable[Frame]) -> Iterator[tuple[list[Frame], Frame, set[int]]]:
        """Yield frames in groups that end with a key frame; the film's last frame is one.

        Where a cut lies between two key frames, it is looked for among the frames between.
        """
        between: list[Frame] = []
        watch, due = Cuts(), float("-inf")
        before: Frame | None = None
        for frame in frames:
            if frame.time_s < due:
                between.append(frame)
                continue
            yield between, frame, _cuts(watch, before, between, frame)
            between, before, due = [], frame, frame.time_s + 1 / self.options.rate
        if between:
            *between, last = between
            yield between, last, _cuts(watch, before, between, last)

    def _settled(
        self,
        film: str,
        tracks: Sequence[Track],
        paths: Mapping[int, Mapping[int, Box]],
        before: int,
        frame: int,
        frame_s: float,
    ) -> Settled:
        """Return the visits of tracks that are over; before: how many the film had already."""
        kept = [one for one in of_one_face(tracks) if self._counts(one, frame_s)]
        visits: list[Visit] = []
        boxes: dict[int, dict[int, Box]] = {}
        crops: dict[int, ByteArray] = {}
        for number, mine in enumerate(kept, before + 1):
            visit = Visit.of(film, number, mine)
            if visit.verdict.person is None:
                looks = [look for track in mine for look in track.looks]
                visit = visit.numbered(self.strangers.number(visit, looks))
            visits.append(visit)
            boxes[number] = {k: v for track in mine for k, v in paths[track.number].items()}
            crop = max(mine, key=lambda track: len(track.looks)).crop
            if crop is not None:
                crops[number] = crop
        passed = len(tracks) - sum(map(len, kept))
        return Settled(tuple(visits), boxes, frame, passed, crops)

    def _counts(self, tracks: Sequence[Track], frame_s: float) -> bool:
        """Return whether tracks of one face are a visit: a box of a moment may be anything."""
        lasted = tracks[-1].last.time_s - tracks[0].first.time_s + frame_s
        return lasted >= self.options.least_s or tracks[0].verdict.person is not None


class _Clock:
    """Knows how long a frame lasts: the mean so far."""

    frame_s = 0.0

    def watched(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames as they come."""
        for frame in frames:
            if frame.number:
                self.frame_s = frame.time_s / frame.number
            yield frame


def _cuts(watch: Cuts, before: Frame | None, between: Sequence[Frame], key: Frame) -> set[int]:
    """Return the numbers of the frames after key frame ``before`` that begin another scene."""
    if not watch.between(key) or before is None:
        return set()
    closer = Cuts()
    closer.between(before)
    return {frame.number for frame in (*between, key) if closer.between(frame)} or {key.number}


def _alike(a: Faces, b: Faces) -> bool:
    """Return whether two frames show the same faces at about the same places."""
    if len(a) != len(b):
        return False
    if not len(a):
        return True
    shares = iou(a.boxes.astype(np.float64), b.boxes.astype(np.float64))
    mine = shares.argmax(axis=1)
    return len(set(mine.tolist())) == len(a) and bool((shares.max(axis=1) > _SAME).all())
