"""Cameras of which only the newest frame counts: read by a thread each, connected again, judged.

No frame ever waits in a queue. Whoever asks gets the newest one that was not given yet, so what is
decided on is as old as one decision takes, however slow that is.
"""

from __future__ import annotations

import math
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import numpy as np

from facelign.types.closing import Closing
from facelign.types.contracts import Frame, FrameSource
from facelign.types.image import Image
from facelign.types.policies import Limits
from facelign.video.sources.address import Address, SourceForm
from facelign.video.sources.camera import Backlog, CameraOptions, Connection, Lost, answers
from facelign.video.sources.film import Times
from facelign.video.sources.pictures import image_of


class CameraState(StrEnum):
    """What became of a camera.

    lost: no picture comes any more. back: pictures come again, move again or are light again.
    frozen: the same picture again and again. black: pictures without light. clock: the camera's
    clock went back, or further ahead than time did. size: pictures of another size.
    """

    LOST = "lost"
    BACK = "back"
    FROZEN = "frozen"
    BLACK = "black"
    CLOCK = "clock"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class CameraChange:
    """A state that a camera came to, told once. camera: its public name. reason: in words."""

    state: CameraState
    camera: str
    time: datetime
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame(Frame):
    """A frame of a camera.

    number: of the pictures that came, so that those in between were left out. arrived_s: when it
    was decoded here, seconds of ``time.monotonic``; its age is what has passed since. taken: the
    same by the wall clock, UTC.
    """

    arrived_s: float
    taken: datetime


@dataclass(frozen=True, slots=True, eq=False)
class _Raw:
    """The newest picture, as PyAV gave it: made into RGB by whoever takes it."""

    picture: Any
    shape: float
    number: int
    time_s: float
    arrived_s: float
    taken: datetime


class _Attempt:
    """One connection, from the beginning to its end. alive_s: when it last gave a sign of life."""

    def __init__(self) -> None:
        self.alive_s = time.monotonic()
        self.connected = False
        self.lost: Lost | None = None
        self.over = threading.Event()

    def ends(self, lost: Lost | None = None) -> None:
        """Say that it is over, and why."""
        self.lost = self.lost or lost
        self.over.set()


#: seconds of the first pause before a camera is tried again, and of the longest; doubled each time
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
#: how often a camera that does not answer is asked, meanwhile, whether it does
_ASKED_EVERY_S = 2.0
#: what a connection may take beyond its limits, which count its steps, before it is given up
_GRACE_S = 3.0
#: how long coded pictures may come of which none can be decoded: a camera that is joined between
#: two key frames gives none until the next, which some make a minute later
_NO_PICTURE_S = 90.0
#: readers that hang although they were given up; beyond these, none is begun
_MOST_HANGING = 3
#: how long a reader may take to end when it is no longer wanted
_FAREWELL_S = 1.0
#: changes that are kept until somebody asks for them
_MOST_CHANGES = 1000
#: a picture is looked at so often, and every so many of its rows
_LOOK_EVERY_S, _EVERY_ROW = 0.5, 8
#: light (0 to 255) under which all but a hundredth of a black picture lies
_BLACK, _NEARLY_ALL = 32, 99
#: how far a camera's clock may run ahead of time before it is told, and how often that is told
_AHEAD_S, _CLOCK_TOLD_S = 2.0, 60.0


class Newest(FrameSource):
    """A camera: frames that nobody takes in time are lost, and it is connected again by itself.

    It is read from the moment that it is made, by a thread of its own. name: its public name.
    fps: as it says, once it is connected. ended: whether no frame will come any more: it was
    closed, or a file or standard input came to its end; ``broke`` then says what was wrong, if
    anything. received, given: how many frames came and were taken. connections: how often it was
    reached.
    """

    live = True

    def __init__(
        self,
        address: Address,
        options: CameraOptions | None = None,
        limits: Limits | None = None,
        bell: threading.Condition | None = None,
    ) -> None:
        """Begin to read. bell: rung at each new frame and state; several cameras may share one."""
        self.name = address.name
        self.broke: str | None = None
        self.ended = False
        self.received = self.given = self.connections = 0
        self._address, self._options = address, options or CameraOptions()
        self._limits = limits or Limits()
        self._bell = bell or threading.Condition()
        self._closed = threading.Event()
        self._newest: _Raw | None = None
        self._changes: deque[CameraChange] = deque(maxlen=_MOST_CHANGES)
        self._stirred = False
        self._watch = _Watch(self._options, self._tell)
        self._began_s: float | None = None
        self._last_s = 0.0
        self._attempt = _Attempt()
        self._keeper = self._thread(self._keep)

    # -- for whoever takes frames ------------------------------------------------------------------

    def newest(self, timeout_s: float | None = None) -> LiveFrame | None:
        """Return the newest frame that was not given yet, waiting for one if there is none.

        None: the time is over, the source ended, or there is a change to be told (``changes``).
        """
        with self._bell:
            self._bell.wait_for(lambda: self.stirs or self.ended, timeout_s)
        return self.taken()

    @property
    def stirs(self) -> bool:
        """Whether there is a frame that was not given yet, or a change that nobody woke for."""
        return self._newest is not None or self._stirred

    def taken(self) -> LiveFrame | None:
        """Return the newest frame if it was not given yet, without waiting."""
        with self._bell:
            raw, self._newest, self._stirred = self._newest, None, False
        if raw is None:
            return None
        self.given += 1
        return LiveFrame(self._image(raw), raw.number, raw.time_s, raw.arrived_s, raw.taken)

    def _image(self, raw: _Raw) -> Image:
        source = f"{self.name}, {raw.taken:%Y-%m-%d %H:%M:%S.%f} UTC"
        image = image_of(raw.picture, raw.shape, self._limits.pixels, source, source)
        if self._options.mirrored:
            image = replace(image, pixels=np.ascontiguousarray(image.pixels[:, ::-1]))
        return image

    def __iter__(self) -> Iterator[LiveFrame]:
        while True:
            frame = self.newest()
            if frame is not None:
                yield frame
            elif self.ended:
                return

    def changes(self) -> list[CameraChange]:
        """Return the states that it came to and that were not given yet, oldest first."""
        with self._bell:
            told = list(self._changes)
            self._changes.clear()
        return told

    def close(self) -> None:
        """End it, also while it is being connected; frames that nobody took are gone."""
        with self._bell:
            self._closed.set()
            self.ended, self._newest = True, None
            self._attempt.ends()
            self._bell.notify_all()
        if threading.current_thread() is not self._keeper:
            self._keeper.join(_FAREWELL_S)

    # -- the thread that keeps it connected --------------------------------------------------------

    def _thread(self, what: Callable[..., None], *given: object) -> threading.Thread:
        # a daemon: what hangs in a foreign library must not keep the program from its end
        thread = threading.Thread(target=what, args=given, name=self.name, daemon=True)
        thread.start()
        return thread

    def _keep(self) -> None:
        """Connect, wait until it breaks, say so once, wait, and connect again."""
        pause, told, hurried = _FIRST_PAUSE_S, False, False
        hanging: list[threading.Thread] = []
        while True:
            attempt = _Attempt()
            with self._bell:
                if self._closed.is_set():
                    return
                self._attempt = attempt
            reader = self._thread(self._read, attempt)
            lost = self._until_lost(attempt)
            if self._closed.is_set():
                reader.join(_FAREWELL_S / 2)
                return
            if lost.ended:
                self._finish(str(lost))
                return
            if attempt.connected:
                pause, told, hurried = _FIRST_PAUSE_S, False, False
            if not told:
                self._watch.lost(str(lost))
                told = True
            hanging = [one for one in [*hanging, reader] if one.is_alive()]
            hurried = self._pause(pause, lost.silent and not hurried)
            while len(hanging) > _MOST_HANGING and not self._closed.wait(1.0):
                hanging = [one for one in hanging if one.is_alive()]
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _until_lost(self, attempt: _Attempt) -> Lost:
        """Return why a connection is over; one that hangs beyond its limits is given up."""
        waits = self._address.form in (SourceForm.FILE, SourceForm.STDIN)
        while not attempt.over.wait(0.25):
            # opening has two steps, each with the limit: reaching it, and looking into its stream
            limit = self._options.read_s if attempt.connected else 2 * self._options.open_s
            if time.monotonic() - attempt.alive_s > limit + _GRACE_S and not waits:
                attempt.ends(Lost(f"no answer for {limit + _GRACE_S:g} s", silent=True))
        return attempt.lost or Lost("it was closed")

    def _pause(self, seconds: float, silent: bool) -> bool:
        """Wait before the next try. silent: whether the camera did not answer.

        Returns True, early, as soon as a camera that did not answer answers again.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._closed.wait(min(left, _ASKED_EVERY_S)):
                return False
            if until - time.monotonic() > _ASKED_EVERY_S / 4:
                answered = answers(self._address)
                if silent and answered:
                    return True
                silent = not answered
        return False

    def _finish(self, why: str) -> None:
        with self._bell:
            self.broke = None if why == "it ended" else f"{self.name}: {why}."
            self.ended = True
            self._bell.notify_all()

    # -- the thread that reads ---------------------------------------------------------------------

    def _read(self, attempt: _Attempt) -> None:
        """Give the newest frame of one connection until it breaks or nobody wants it any more."""
        ends = self._address.form in (SourceForm.FILE, SourceForm.STDIN)
        try:
            connection = Connection(self._address, self._options, self._limits, attempt.over.is_set)
            try:
                self.fps = connection.fps
                self._frames(connection, attempt)
            except Lost as lost:
                # said before it hangs up: a camera that is frozen answers no farewell either
                attempt.ends(lost)
            finally:
                connection.close()
        except Lost as lost:
            attempt.ends(lost)
        finally:
            attempt.ends(Lost("it was closed", ended=ends))

    def _frames(self, connection: Connection, attempt: _Attempt) -> None:
        backlog, unwanted = Backlog(), attempt.over.is_set
        pace = _Pace(connection.fps) if connection.paced else None
        pictured_s = time.monotonic()
        for packet in connection.packets():
            attempt.alive_s = time.monotonic()
            told_s = None if packet.pts is None else float(packet.pts * packet.time_base)
            late = (
                connection.clock
                and pace is None
                and backlog.passes_over(told_s, packet.is_keyframe, attempt.alive_s)
            )
            for picture in () if late else connection.decoded(packet):
                pictured_s = attempt.alive_s
                if pace is not None:
                    pace.wait(picture.time, unwanted)
                if unwanted():
                    return
                if connection.caught_up:
                    self._offer(attempt, picture, connection)
            if attempt.alive_s - pictured_s > _NO_PICTURE_S and pace is None:
                raise Lost(f"nothing can be decoded that it sent for {_NO_PICTURE_S:g} s")

    def _offer(self, attempt: _Attempt, picture: Any, connection: Connection) -> None:
        """Put a picture in the place of the newest one."""
        arrived_s, taken = time.monotonic(), datetime.now(UTC)
        first = not attempt.connected
        self._watch.sees(picture, arrived_s, picture.time if connection.clock else None, first)
        with self._bell:
            if attempt.over.is_set():
                return
            if first:
                attempt.connected = True
                self.connections += 1
            if self._began_s is None:
                self._began_s, self._last_s = arrived_s, -1.0
            time_s = max(arrived_s - self._began_s, self._last_s + 1e-6)
            self._newest = _Raw(picture, connection.shape, self.received, time_s, arrived_s, taken)
            self.received, self._last_s = self.received + 1, time_s
            self._bell.notify_all()

    def _tell(self, state: CameraState, reason: str) -> None:
        with self._bell:
            self._changes.append(CameraChange(state, self.name, datetime.now(UTC), reason))
            self._stirred = True
            self._bell.notify_all()


class Cameras(Closing):
    """Several cameras for one consumer, who gets the newest frame of each in turn.

    A camera that gives more frames than others is not asked more often.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        options: Sequence[CameraOptions] | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Begin to read them all. options: of each."""
        self._bell = threading.Condition()
        each = options or [CameraOptions()] * len(addresses)
        self.cameras = tuple(
            Newest(address, chosen, limits, self._bell)
            for address, chosen in zip(addresses, each, strict=True)
        )
        self._turn = 0

    def newest(self, timeout_s: float | None = None) -> tuple[int, LiveFrame] | None:
        """Return which camera, and its newest frame that was not given yet.

        None: the time is over, all of them ended, or there is a change to be told.
        """
        with self._bell:
            self._bell.wait_for(
                lambda: self.ended or any(one.stirs for one in self.cameras), timeout_s
            )
        count = len(self.cameras)
        for place in ((self._turn + step) % count for step in range(count)):
            frame = self.cameras[place].taken()
            if frame is not None:
                self._turn = place + 1
                return place, frame
        return None

    @property
    def ended(self) -> bool:
        """Whether no camera will give a frame any more."""
        return all(one.ended and not one.stirs for one in self.cameras)

    def changes(self) -> list[CameraChange]:
        """Return the states that cameras came to and that were not given yet, by time."""
        told = [change for one in self.cameras for change in one.changes()]
        return sorted(told, key=lambda change: change.time)

    def close(self) -> None:
        """End them all."""
        for one in self.cameras:
            one.close()


class _Pace:
    """Waits until a picture of a film is due, as if it were taken now."""

    def __init__(self, fps: float | None) -> None:
        self._times = Times(1 / (fps or 25.0))
        self._began_s: float | None = None

    def wait(self, told_s: float | None, unwanted: Callable[[], bool]) -> None:
        """Return when the picture is due, or not wanted any more."""
        due = self._times.after(told_s)
        if self._began_s is None:
            self._began_s = time.monotonic()
        while not unwanted():
            left = self._began_s + due - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.2))


class _Watch:
    """Sees whether a camera is frozen, black, of another size or wrong about the time."""

    def __init__(self, options: CameraOptions, tell: Callable[[CameraState, str], None]) -> None:
        self._options, self._tell = options, tell
        self._lost = False
        self._size: tuple[int, int] | None = None
        self._told_s: float | None = None
        self._arrived_s = 0.0
        self._looked_s = self._clock_told_s = -math.inf
        self._print = 0
        self._since_s: dict[CameraState, float] = {}
        self._told: set[CameraState] = set()

    def lost(self, why: str) -> None:
        """Tell that it is lost."""
        self._lost = True
        self._tell(CameraState.LOST, why)

    def sees(self, picture: Any, arrived_s: float, told_s: float | None, first: bool) -> None:
        """Look at a picture. first: of a connection."""
        if self._lost:
            self._lost = False
            self._tell(CameraState.BACK, "pictures come again")
        self._check_size((picture.width, picture.height))
        self._check_clock(arrived_s, None if first else self._told_s, told_s)
        self._told_s, self._arrived_s = told_s, arrived_s
        if arrived_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = arrived_s
            self._look(picture, arrived_s)

    def _check_size(self, size: tuple[int, int]) -> None:
        before, self._size = self._size, size
        if before is not None and before != size:
            told = f"from {before[0]} x {before[1]} to {size[0]} x {size[1]} px"
            self._tell(CameraState.SIZE, told)

    def _check_clock(self, arrived_s: float, before: float | None, told_s: float | None) -> None:
        if before is None or told_s is None or arrived_s - self._clock_told_s < _CLOCK_TOLD_S:
            return
        step, passed = told_s - before, arrived_s - self._arrived_s
        if 0 <= step <= passed + _AHEAD_S:
            return
        self._clock_told_s = arrived_s
        went = f"back by {-step:.1f} s" if step < 0 else f"ahead by {step - passed:.1f} s"
        self._tell(CameraState.CLOCK, f"its clock went {went}")

    def _look(self, picture: Any, now_s: float) -> None:
        light, seen = _light(picture)
        black = float(np.percentile(light, _NEARLY_ALL)) <= _BLACK
        options = self._options
        self._lasts(CameraState.BLACK, black, now_s, options.black_s, "light again")
        still = seen == self._print and not black
        self._print = seen
        self._lasts(CameraState.FROZEN, still, now_s, options.still_s, "moving again")

    def _lasts(
        self, state: CameraState, holds: bool, now_s: float, limit_s: float, again: str
    ) -> None:
        """Tell a state once it has lasted long enough, and its end."""
        if not holds:
            self._since_s.pop(state, None)
            if state in self._told:
                self._told.remove(state)
                self._tell(CameraState.BACK, again)
            return
        since = self._since_s.setdefault(state, now_s)
        if now_s - since >= limit_s and state not in self._told:
            self._told.add(state)
            word = "no light" if state is CameraState.BLACK else "the same picture"
            self._tell(state, f"{word} for {now_s - since:.0f} s")


def _light(picture: Any) -> tuple[np.ndarray[Any, Any], int]:
    """Return the light of every eighth row, and a number that is another for another picture."""
    if len(picture.planes) < 2 and not picture.format.name.startswith("gray"):
        picture = picture.reformat(format="gray")
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    light = np.ascontiguousarray(rows[: picture.height : _EVERY_ROW, : picture.width])
    return light, zlib.crc32(light.data)
