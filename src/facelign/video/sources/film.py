"""A film out of a file, by PyAV: every frame once, in order, at the time at which it is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facelign.errors import UnreadableImage, UnsupportedImage
from facelign.imaging.faults import Unsupported
from facelign.types.contracts import Frame, FrameSource
from facelign.types.policies import Limits
from facelign.types.wording import counted
from facelign.video.sources.pictures import image_of, needs, rate_of, reason, shape_of, video_of

#: what FFmpeg reads and is no film: text drawn as pictures, photos, lists that name other files
_NO_FILMS = frozenset(
    {"tty", "bin", "xbin", "adf", "idf", "image2", "concat", "hls", "dash", "imf", "lavfi", "sdp"}
)
#: containers whose head says how long the film is; others have it guessed
_TELL_LENGTH = ("mov", "matroska", "avi", "flv", "asf")
#: what may be missing at the end of a film before it counts as broken off: seconds, and a share
_SLACK_S, _SLACK = 1.0, 0.02
#: threads that decode one film: each holds pictures of its own
_THREADS = 4


@dataclass
class Times:
    """Seconds since the first picture, rising, out of what a film says.

    Where a film says nothing, or goes back by less than a second, the next picture is one period
    later; where it goes back further, as two films in one file do, time goes on from there.
    """

    period_s: float
    _start: float | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)

    def after(self, told_s: float | None) -> float:
        """Return the time of the next picture."""
        if self._start is None:
            self._start = told_s or 0.0
            return 0.0
        time = self._last + self.period_s if told_s is None else told_s - self._start
        if time <= self._last:
            if time < self._last - 1.0 and told_s is not None:
                self._start = told_s - self._last - self.period_s
                time = self._last + self.period_s
            else:
                time = self._last + min(self.period_s, 0.001)
        self._last = time
        return time


class Film(FrameSource):
    """The frames of a file, from its beginning each time that it is gone through.

    A damaged film gives what it has: nothing is raised on the way, and ``broke`` says after the
    last frame, in a sentence, where pictures are missing; it is None where none are. Damage that
    the decoder patches over is not seen. Memory does not grow with the length.

    path: the file. size: (width, height) as its head says, px, not yet upright. fps: the mean rate.
    duration_s: as its head says, None where it does not.
    """

    live = False

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        """Open it and close it again, so that what is no film is said at once.

        Raises UnreadableImage for what is no film, or a damaged one of which nothing is left,
        UnsupportedImage for pictures over ``limits.pixels``, ExtraMissing without PyAV.
        """
        self.path = path
        self.broke: str | None = None
        self._limits = limits or Limits()
        self._closed = False
        _check(path)
        told = path.stat()
        self._key = f"{path.absolute()} {told.st_size} {told.st_mtime_ns}"
        container = self._opened()
        with closing(container):
            stream = self._stream(container)
            self.fps = rate_of(stream)
            self.size: tuple[int, int] = (stream.width, stream.height)
            self.duration_s: float | None = container.duration / 1e6 if container.duration else None

    def close(self) -> None:
        """End the film: whoever is going through it sees no further frame."""
        self._closed = True

    def __iter__(self) -> Iterator[Frame]:
        self.broke = None
        if self._closed:
            return
        container = self._opened()
        with closing(container):
            yield from self._frames(container, self._stream(container))

    # -- opening -----------------------------------------------------------------------------------

    def _opened(self) -> Any:
        av = needs()
        options = {"max_pixels": str(self._limits.pixels), "protocol_whitelist": "file,crypto,data"}
        try:
            # an absolute path, as one that begins like an address would be taken for one
            return av.open(str(self.path.absolute()), options=options, metadata_errors="replace")
        except av.FFmpegError as problem:
            told, why = _unopened(self.path), reason(problem)
        raise UnreadableImage(f"{self.path} {told} ({why}).", "Copy the file again.")

    def _stream(self, container: Any) -> Any:
        kinds = set(container.format.name.split(","))
        if kinds & _NO_FILMS or any(kind.endswith("_pipe") for kind in kinds):
            raise UnsupportedImage(f"{self.path} is no film.", "Name a film, such as an MP4.")
        stream = video_of(container, str(self.path), self._limits.pixels)
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = min(_THREADS, os.cpu_count() or 1)
        return stream

    # -- decoding ----------------------------------------------------------------------------------

    def _frames(self, container: Any, stream: Any) -> Iterator[Frame]:
        walk = _Walk(container, stream)
        times, number, shape = Times(1 / (self.fps or 25.0)), 0, shape_of(stream)
        try:
            for picture in walk.pictures():
                time_s = times.after(picture.time)
                source = f"{self.path} at {time_s:.3f} s"
                key = f"{self._key} {number}"
                image = image_of(picture, shape, self._limits.pixels, source, key)
                yield Frame(image, number, time_s)
                number += 1
                walk.time_s = time_s
                if self._closed:
                    return
        except Unsupported as fault:
            self.broke = f"{self.path} {fault.told} from {walk.time_s:.1f} s on."
            return
        self.broke = self._damage(walk, container, number)

    def _damage(self, walk: _Walk, container: Any, frames: int) -> str | None:
        if not frames:
            why = f" ({walk.why})" if walk.why else ""
            return f"{self.path} has no picture that can be decoded{why}."
        if walk.ended:
            return f"{self.path} cannot be read after {walk.time_s:.1f} s ({walk.why})."
        short = walk.missing_s(container)
        if short:
            return (
                f"{self.path} breaks off at {walk.time_s:.1f} s, "
                f"{short:.1f} s before the end that it tells."
            )
        if walk.lost:
            where = f"from {walk.broke_s:.1f} s on"
            return (
                f"{self.path} is damaged {where}: {counted(walk.lost, 'part')} cannot be decoded."
            )
        return None


class _Walk:
    """One way through a file: its pictures, and what is wrong with it.

    time_s: of the last picture that was given. lost: packets that could not be decoded; broke_s:
    the time before the first of them. ended: whether the file could not be read to its end. why:
    FFmpeg's words for it.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream, self._av = container, stream, needs()
        self.time_s, self.broke_s, self.lost = 0.0, 0.0, 0
        self.ended, self.why = False, ""
        self._end_s = 0.0

    def pictures(self) -> Iterator[Any]:
        """Yield the frames of PyAV; other streams are read only to know how far the file goes."""
        for packet in self._packets():
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                self._end_s = max(self._end_s, float(end))
            if packet.stream is not self._stream:
                continue
            try:
                yield from packet.decode()
            except self._av.FFmpegError as problem:
                if not self.lost:
                    self.broke_s, self.why = self.time_s, reason(problem)
                self.lost += 1

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self._container.demux()
        except self._av.FFmpegError as problem:
            self.ended, self.why = True, reason(problem)

    def missing_s(self, container: Any) -> float:
        """Return how many seconds are missing at the end, 0 where none are or nobody can tell."""
        if not container.duration or not container.format.name.startswith(_TELL_LENGTH):
            return 0.0
        whole = container.duration / 1e6
        short = (container.start_time or 0) / 1e6 + whole - self._end_s
        return short if short > max(_SLACK_S, _SLACK * whole) else 0.0


def _check(path: Path) -> None:
    if not path.exists():
        raise UnreadableImage(f"{path} is not there.", "Check how it is spelled.")
    if path.is_dir():
        raise UnsupportedImage(f"{path} is a folder.", "Name the films in it.")
    if not os.access(path, os.R_OK):
        raise UnreadableImage(f"{path} may not be read.", "Ask its owner for the right to.")
    if not path.is_file():
        raise UnsupportedImage(f"{path} is no file.", "Name a film, or give it as -.")
    if path.stat().st_size == 0:
        raise UnreadableImage(f"{path} is empty.", "Copy the file again.")


def _unopened(path: Path) -> str:
    """Return what is wrong with a file that does not open; half an MP4 lacks its index."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "has lost its index, and was perhaps not recorded or copied to its end"
    return "is no film, or a damaged one"
