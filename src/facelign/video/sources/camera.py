"""One connection to a camera, by PyAV: little delay, time limits that hold, no secret in a message.

Frames are decoded one after the other (threads within a picture only), as each frame that is
decoded beside others comes later. Untried: webcams under macOS (AVFoundation) and Windows
(DirectShow).
"""

from __future__ import annotations

import errno
import io
import os
import select
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

from facelign.errors import InputError
from facelign.imaging.decode import guard
from facelign.imaging.faults import Unsupported
from facelign.types.options import Option, OptionSet
from facelign.types.policies import Limits
from facelign.video.sources.address import Address, SourceForm, host_of
from facelign.video.sources.pictures import needs, rate_of, reason, shape_of, video_of


@dataclass(frozen=True, slots=True)
class CameraOptions(OptionSet):
    """How a camera is read.

    open_s, read_s: how long a connection and the next picture are waited for. still_s: how long a
    picture may stay exactly the same before the camera counts as frozen. black_s: the same for a
    picture without light. mirrored: the camera shows a mirror image, which is turned back.
    """

    open_s: Annotated[float, Option("Seconds that a camera has to answer.", low=1)] = 5.0
    read_s: Annotated[float, Option("Seconds that its next picture may take.", low=1)] = 5.0
    still_s: Annotated[
        float, Option("Seconds after which a picture that never changes is frozen.", low=1)
    ] = 10.0
    black_s: Annotated[float, Option("Seconds after which a black picture is told.", low=1)] = 3.0
    mirrored: Annotated[
        bool, Option("The camera shows a mirror image, as many webcams do: turn it back.")
    ] = False


class Lost(Exception):
    """A connection is over; the message says why, without the address.

    ended: for good. silent: because nothing answered.
    """

    def __init__(self, why: str, *, ended: bool = False, silent: bool = False) -> None:
        super().__init__(why)
        self.ended, self.silent = ended, silent


#: sources whose times are made up by FFmpeg from a rate that nobody told
_NO_CLOCK = frozenset({"mpjpeg", "mjpeg", "h264", "hevc", "m4v"})
#: what a connection may speak: a list that it sends names no file here
_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy,crypto"
#: how long FFmpeg may look into a stream before it gives pictures, microseconds
_LOOK_US = 1_000_000
#: a picture that is waited for as long is one of now: those that lie ready come at once, seconds
_WAITED_S = 0.003
_WEBCAMS = {"linux": "video4linux2", "darwin": "avfoundation", "win32": "dshow"}


class Connection:
    """An open camera, film or pipe, until it breaks.

    fps: as the camera says. clock: whether it tells when its pictures were taken. shape: width of
    a stored pixel over its height. caught_up: whether what came while FFmpeg looked into the stream
    has been given: those pictures are needed to decode the next, and old.
    """

    def __init__(
        self, address: Address, options: CameraOptions, limits: Limits, closed: Callable[[], bool]
    ) -> None:
        """Connect. closed: says that nobody wants it any more. Raises Lost."""
        self._options, self._closed, self._most_pixels = options, closed, limits.pixels
        self.paced = address.form is SourceForm.FILE
        pipe: Pipe | None = None
        if address.form is SourceForm.STDIN:
            pipe = Pipe(sys.stdin.fileno(), closed)
            self.paced = pipe.is_file
        self._ends = address.form in (SourceForm.FILE, SourceForm.STDIN)
        self.caught_up = self._ends
        self._container = self._opened(address, pipe)
        try:
            stream = video_of(self._container, "It", limits.pixels, sized=self._ends)
        except InputError as problem:
            self.close()
            raise Lost(_lowered(problem.message), ended=self._ends) from None
        stream.codec_context.thread_type = "SLICE"
        self._stream = stream
        self.fps, self.shape = rate_of(stream), shape_of(stream)
        self.clock = not _NO_CLOCK.intersection(self._container.format.name.split(",")) and not (
            self._container.format.name.endswith("_pipe")
        )

    def _opened(self, address: Address, pipe: Pipe | None) -> Any:
        av, options = needs(), self._options
        word, kind, told = _meant(address)
        limits = None if self._ends else (options.open_s, options.read_s)
        problem: BaseException
        try:
            return av.open(
                pipe or word,
                format=kind,
                options=told | _named_limits(address, options),
                timeout=limits,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError) as caught:
            problem = caught
        # outside of the block, so that no text of FFmpeg, with its address, hangs on the new one
        raise _lost(problem, options.open_s, self._ends)

    def packets(self) -> Iterator[Any]:
        """Yield the coded pictures as they come; raises Lost at the end, whatever it is."""
        av, limit = needs(), self._options.read_s
        problem: BaseException | None = None
        try:
            asked = time.monotonic()
            for packet in self._container.demux(self._stream):
                if not self._ends and time.monotonic() - asked > 0.99 * limit:
                    # what FFmpeg still held when its time was over; the next would take as long
                    problem = TimeoutError()
                    break
                self.caught_up = self.caught_up or time.monotonic() - asked > _WAITED_S
                yield packet
                asked = time.monotonic()
        except (av.FFmpegError, OSError) as caught:
            problem = caught
        if problem is None:
            raise Lost("it ended", ended=self._ends)
        raise _lost(problem, limit, self._ends)

    def decoded(self, packet: Any) -> list[Any]:
        """Return the frames of PyAV in a packet: none, where it cannot be decoded.

        Raises Lost for pictures over the limit.
        """
        try:
            found = list(packet.decode())
        except needs().FFmpegError:
            return []
        for picture in found:
            wide = max(picture.width, round(picture.width * self.shape))
            try:
                guard((wide, picture.height), self._most_pixels)
            except Unsupported as fault:
                raise Lost(f"it {fault.told}", ended=self._ends) from None
        return found

    def close(self) -> None:
        """Hang up."""
        self._container.close()


# -- how a camera is opened ------------------------------------------------------------------------


def _meant(address: Address) -> tuple[str, str | None, dict[str, str]]:
    """Return what FFmpeg opens, as which format, and the options that it is opened with."""
    if address.form is SourceForm.WEBCAM:
        kind = _WEBCAMS.get(sys.platform, "video4linux2")
        return webcam(int(address.word), kind), kind, {"fflags": "nobuffer"}
    if address.form is SourceForm.FILE:
        return str(address.path.absolute()), None, {"protocol_whitelist": "file,crypto,data"}
    if address.form is SourceForm.STDIN:
        return "", None, {}
    return address.word, None, {"analyzeduration": str(_LOOK_US)}


def _named_limits(address: Address, options: CameraOptions) -> dict[str, str]:
    """Return the limits that FFmpeg's own protocols keep, beside those of PyAV."""
    if address.form is not SourceForm.NETWORK:
        return {}
    limits = {"protocol_whitelist": _PROTOCOLS, "timeout": str(round(options.read_s * 1e6))}
    if address.word.lower().startswith("rtsp"):
        limits |= {"rtsp_transport": "tcp", "max_delay": "500000"}
    return limits


def webcam(number: int, kind: str) -> str:
    """Return what a format of FFmpeg's devices calls the webcam of a number.

    Raises Lost where there is none of that number.
    """
    if kind == "video4linux2":
        return f"/dev/video{number}"
    if kind == "avfoundation":
        return f"{number}:none"
    from av.device import enumerate_input_devices

    found = [one for one in enumerate_input_devices(kind) if "video" in one.media_types]
    if number >= len(found):
        raise Lost("no webcam of that number is plugged in")
    return f"video={found[number].name}"


def check(address: Address) -> None:
    """Raise InputError for a webcam or an input that is not there, ExtraMissing without PyAV."""
    needs()
    if address.form is SourceForm.STDIN and (sys.stdin is None or sys.stdin.isatty()):
        raise InputError(
            "Nothing is handed over on standard input.",
            "Give it the output of a program or a file.",
        )
    if address.form is SourceForm.WEBCAM and sys.platform == "linux":
        path = webcam(int(address.word), "video4linux2")
        if not os.path.exists(path):  # noqa: PTH110 - a device
            raise InputError(
                f"There is no webcam {address.word} ({path}).",
                "Plug it in, or give another number.",
            )


def answers(address: Address, wait_s: float = 1.0) -> bool:
    """Return whether a camera answers at all: it is asked what it can, without a password.

    A program that is frozen still takes connections, so a word of it is waited for.
    """
    place = host_of(address.word) if address.form is SourceForm.NETWORK else None
    if place is None:
        return True
    scheme, (host, port) = address.word.split(":")[0].lower(), place
    with suppress(OSError), socket.create_connection((host, port), wait_s) as line:
        if scheme in ("rtsps", "https"):
            return True
        line.settimeout(wait_s)
        asked = f"rtsp://{host}:{port}/ RTSP/1.0\r\nCSeq: 1" if scheme == "rtsp" else "/ HTTP/1.0"
        method = "OPTIONS" if scheme == "rtsp" else "HEAD"
        line.sendall(f"{method} {asked}\r\n\r\n".encode())
        return bool(line.recv(1))
    return False


# -- why it broke ----------------------------------------------------------------------------------


def _lost(problem: BaseException, limit_s: float, ends: bool) -> Lost:
    """Return why a connection is over, in words without its address."""
    av = needs()
    silence = (av.error.ExitError, TimeoutError, ConnectionRefusedError)
    words: tuple[tuple[type | tuple[type, ...], str], ...] = (
        ((av.error.ExitError, TimeoutError), f"no answer for {limit_s:g} s"),
        (av.error.HTTPUnauthorizedError, "it wants a user and a password, or other ones"),
        (av.error.HTTPForbiddenError, "it forbids this address"),
        (av.error.HTTPNotFoundError, "it has no stream of that name"),
        (ConnectionRefusedError, "nothing answers at its port"),
        (FileNotFoundError, "it is not plugged in"),
        (PermissionError, "it may not be opened"),
        (av.error.InvalidDataError, "what it sends is no picture"),
        (EOFError, "it ended"),
    )
    if isinstance(problem, OSError) and problem.errno == errno.EIO and not ends:
        return Lost("its host is not known, or it hung up", silent=True)
    told = next((told for kinds, told in words if isinstance(problem, kinds)), None)
    return Lost(told or _lowered(reason(problem)), ended=ends, silent=isinstance(problem, silence))


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


# -- standard input --------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """Bytes of standard input, whose end need not be waited for once nobody wants them.

    is_file: whether a file is handed over, not a program's output.
    """

    name = "<standard input>"

    def __init__(self, number: int, closed: Callable[[], bool]) -> None:
        self._number, self._unwanted = number, closed
        self.is_file = stat.S_ISREG(os.fstat(number).st_mode)

    def readable(self) -> bool:
        """Say that it is read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most ``size``; none at the end."""
        while not self._unwanted():
            if sys.platform == "win32" or select.select([self._number], [], [], 0.2)[0]:
                return os.read(self._number, size if size > 0 else io.DEFAULT_BUFFER_SIZE)
        return b""


# -- a backlog -------------------------------------------------------------------------------------


@dataclass
class Backlog:
    """Whether pictures pile up between the camera and here, told by the camera's own clock.

    A picture that comes later than the camera's clock says, by ``late_s`` more than the quickest
    ones do, has waited; then pictures are left out until a key frame is on time again. Clocks that
    drift apart by less than ``drift`` are no backlog.
    """

    late_s: float = 1.0
    on_time_s: float = 0.3
    drift: float = 0.002
    give_up_s: float = 10.0
    _best: float | None = field(default=None, init=False)
    _last: float = field(default=0.0, init=False)
    _since: float | None = field(default=None, init=False)

    def passes_over(self, told_s: float | None, key: bool, now_s: float) -> bool:
        """Return whether a coded picture is to be left out. told_s: when it was taken."""
        if told_s is None:
            return False
        behind = now_s - told_s
        if self._best is None:
            self._best = behind
        else:
            self._best = min(behind, self._best + self.drift * (now_s - self._last))
        self._last = now_s
        late = behind - self._best
        if self._since is None:
            if late > self.late_s:
                self._since = now_s
        elif now_s - self._since > self.give_up_s:  # it is the clock that is wrong
            self._since, self._best = None, behind
        elif late < self.on_time_s and key:
            self._since = None
        return self._since is not None
