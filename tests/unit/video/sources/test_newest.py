"""Cameras: the newest frame only, connected again by themselves, states told once.

Real servers: RTSP in a process of its own that is frozen and killed, JPEGs by HTTP, pipes.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from video_parts import needed

needed("av")

from facelign.errors import InputError
from facelign.types.policies import Limits
from facelign.video.sources import newest as room
from facelign.video.sources import opened, opened_together
from facelign.video.sources.address import address_of
from facelign.video.sources.camera import Backlog, CameraOptions, Connection, Lost, answers
from facelign.video.sources.newest import CameraChange, CameraState, LiveFrame, Newest
from made_cameras import JpegCamera, age_s, free_port, jpeg, rtsp_camera
from made_films import number_of, numbered, write_film

#: limits that a test can wait for
SHORT = CameraOptions(open_s=2, read_s=1.5, still_s=1, black_s=1)
#: what a busy machine may take for what takes far less
PATIENCE_S = 30.0


def camera(word: str, options: CameraOptions = SHORT) -> Newest:
    found = opened(word, live=True, options=options)
    assert isinstance(found, Newest)
    return found


class Seen:
    """What a consumer got: frames and changes, with the patience of a test."""

    def __init__(self, source: Newest) -> None:
        self.source = source
        self.frames: list[LiveFrame] = []
        self.changes: list[CameraChange] = []

    def until(self, holds: Callable[[], object], pause_s: float = 0.0) -> float:
        """Take frames until something holds, and return how long that took."""
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < PATIENCE_S, (self.states, len(self.frames))
            frame = self.source.newest(0.2)
            self.changes += self.source.changes()
            if frame is not None:
                self.frames.append(frame)
                time.sleep(pause_s)
        return time.monotonic() - began

    def more(self, count: int, pause_s: float = 0.0) -> list[LiveFrame]:
        """Take so many frames more."""
        had = len(self.frames)
        self.until(lambda: len(self.frames) >= had + count, pause_s)
        return self.frames[had:]

    def told(self, state: CameraState) -> bool:
        return state in self.states

    @property
    def states(self) -> list[CameraState]:
        return [change.state for change in self.changes]


@pytest.mark.service
def test_a_camera_that_freezes_dies_and_comes_back_with_another_size() -> None:
    needed("rtsp")
    port = free_port()
    with rtsp_camera(port=port) as server, camera(server.url) as source:
        seen = Seen(source)
        ages = []
        for _ in range(12):  # each is decided on for 0.2 s: a queue would be seconds old by then
            ages.append(age_s(seen.more(1)[0].image.pixels))
            time.sleep(0.2)
        assert max(ages) < 1.5
        assert source.received > source.given + 10
        server.freeze()
        seen.until(lambda: seen.told(CameraState.LOST))
        server.go_on()
        assert seen.until(lambda: seen.told(CameraState.BACK)) < 10
        seen.more(2)
        server.kill()
        seen.until(lambda: seen.states.count(CameraState.LOST) == 2)
        with rtsp_camera("--size", "640x360", "--codec", "jpeg", port=port):
            back = seen.until(lambda: seen.states.count(CameraState.BACK) == 2)
            assert back < 10
            last = seen.more(3)[-1]
    assert last.image.size == (640, 360)
    assert age_s(last.image.pixels) < PATIENCE_S
    lost, back_again = CameraState.LOST, CameraState.BACK
    assert seen.states == [lost, back_again, lost, back_again, CameraState.SIZE]
    assert seen.changes[0].reason.startswith("no answer for")
    assert seen.changes[-1].reason == "from 320 x 180 to 640 x 360 px"
    assert source.connections == 3
    assert all(a.number < b.number and a.time_s < b.time_s for a, b in pairwise(seen.frames))
    assert all(a.taken < b.taken and a.arrived_s < b.arrived_s for a, b in pairwise(seen.frames))
    assert source.newest(0.1) is None


@pytest.mark.service
def test_passwords_are_used_and_never_told() -> None:
    needed("rtsp")
    with rtsp_camera("--user", "annika", "--password", "ge:he/im") as server:
        place = server.url.removeprefix("rtsp://")
        with camera(f"rtsp://annika:ge%3Ahe%2Fim@{place}") as source:
            seen = Seen(source)
            frame = seen.more(1)[0]
            told = [source.name, frame.image.source, repr(frame), repr(vars(source))]
            told += [thread.name for thread in threading.enumerate()]
        with camera(f"rtsp://annika:falsch@{place}") as source:
            seen = Seen(source)
            seen.until(lambda: seen.changes)
            told += [repr(seen.changes)]
        assert seen.changes[0].reason == "it wants a user and a password, or other ones"
    assert source.name == server.url
    for text in told:
        assert "annika" not in text
        assert "ge%3A" not in text
        assert "falsch" not in text


def test_why_a_camera_cannot_be_reached_is_said_without_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    for word, why in (
        (f"rtsp://anna:geheim@127.0.0.1:{port}/x", "nothing answers at its port"),
        (f"http://anna:geheim@127.0.0.1:{port}/x", "nothing answers at its port"),
        ("rtsp://anna:geheim@no.such.host.invalid/x", "its host is not known, or it hung up"),
    ):
        with pytest.raises(Lost) as raised:
            Connection(address_of(word), SHORT, Limits(), lambda: False)
        assert str(raised.value) == why
        assert raised.value.silent
        # what a log would print with it: FFmpeg's own error has the address in it
        assert raised.value.__context__ is None
        assert raised.value.__cause__ is None


def test_jpegs_by_http_mirrored_and_of_another_size_on_the_way() -> None:
    size = [(320, 180)]
    with JpegCamera(lambda number: numbered(number, size[0])) as server:
        with camera(server.url) as source:
            seen = Seen(source)
            numbers = [number_of(frame.image.pixels) for frame in seen.more(5, pause_s=0.2)]
            assert all(a < b for a, b in pairwise(numbers))
            assert numbers[-1] > 6  # those in between were left out
            size[0] = (640, 360)
            seen.until(lambda: seen.told(CameraState.SIZE))
            assert seen.more(1)[0].image.size == (640, 360)
        with camera(server.url, CameraOptions(mirrored=True)) as source:
            pixels = Seen(source).more(1)[0].image.pixels
            assert number_of(pixels[:, ::-1]) >= 0
            red = pixels[5, -5].astype(int)
            assert red[0] - red[1] > 100
            assert pixels.flags.c_contiguous


def test_pictures_that_are_too_large_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_NO_PICTURE_S", 1.0)
    size, limits = [(320, 180)], Limits(pixels=100_000)
    with (
        JpegCamera(lambda number: numbered(number, size[0])) as server,
        Newest(address_of(server.url), SHORT, limits) as source,
    ):
        seen = Seen(source)
        seen.more(1)
        size[0] = (640, 360)
        seen.until(lambda: seen.told(CameraState.LOST))
    assert {frame.image.size for frame in seen.frames} == {(320, 180)}
    assert seen.changes[0].reason == "nothing can be decoded that it sent for 1 s"


def test_a_camera_that_falls_silent_is_lost_and_back_again() -> None:
    with JpegCamera(numbered) as server, camera(server.url) as source:
        seen = Seen(source)
        seen.more(2)
        server.silent.set()
        seen.until(lambda: seen.told(CameraState.LOST))
        time.sleep(2.5)
        seen.changes += source.changes()
        server.silent.clear()
        seen.until(lambda: seen.told(CameraState.BACK))
        seen.more(2)
    assert seen.states == [CameraState.LOST, CameraState.BACK]  # once each, however many tries


def test_a_reader_that_hangs_beyond_every_limit_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A driver may not return; here the connection is a real one that stops after five pictures."""
    hangs, go_on = [True], threading.Event()

    class Hanging(Connection):
        def packets(self) -> Any:
            for number, packet in enumerate(super().packets()):
                if hangs[0] and number == 5:
                    go_on.wait()
                yield packet

    monkeypatch.setattr(room, "Connection", Hanging)
    monkeypatch.setattr(room, "_GRACE_S", 0.5)
    with JpegCamera(numbered) as server, camera(server.url) as source:
        seen = Seen(source)
        seen.until(lambda: seen.told(CameraState.LOST))
        hangs[0] = False
        seen.until(lambda: seen.told(CameraState.BACK))
        before = seen.more(2)[-1]
        go_on.set()  # what the first reader still has to give comes too late
        after = seen.more(3)
        assert number_of(after[0].image.pixels) > number_of(before.image.pixels)
    assert seen.states == [CameraState.LOST, CameraState.BACK]


def test_closing_ends_it_at_once_while_it_is_being_connected_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections and says nothing
        word = f"rtsp://127.0.0.1:{deaf.getsockname()[1]}/x"
        source = camera(word)
        time.sleep(0.3)
        began = time.monotonic()
        source.close()
        source.close()
        assert time.monotonic() - began < 3
        assert source.newest(0.1) is None
        assert list(source) == []
        began = time.monotonic()
        while any(thread.name == source.name for thread in threading.enumerate()):
            assert time.monotonic() - began < PATIENCE_S
            time.sleep(0.05)


def test_several_cameras_take_turns() -> None:
    quick, slow = JpegCamera(numbered, fps=50), JpegCamera(numbered, fps=5)
    with quick, slow, opened_together([quick.url, slow.url], options=[SHORT, SHORT]) as cameras:
        given = [0, 0]
        began = time.monotonic()
        while given[1] < 4:
            assert time.monotonic() - began < PATIENCE_S
            found = cameras.newest(1.0)
            if found is not None:
                given[found[0]] += 1
                time.sleep(0.05)
        assert given[0] > given[1]
        assert cameras.changes() == []
        assert not cameras.ended
    assert cameras.ended


def test_a_file_is_played_at_its_own_pace_and_ends(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", [numbered(n) for n in range(50)])
    source = camera(str(path))
    began, times, numbers = time.monotonic(), [], []
    for frame in source:
        times.append(frame.time_s)
        numbers.append(number_of(frame.image.pixels))
        time.sleep(0.2)
    assert 1.9 < time.monotonic() - began < PATIENCE_S
    assert source.received == 50
    assert source.given == len(numbers) < 15
    assert numbers == sorted(set(numbers))
    assert times[-1] > 1.9
    assert source.ended
    assert source.broke is None


def test_pictures_that_lie_far_apart_are_all_played(tmp_path: Path) -> None:
    pictures = [numbered(n) for n in range(4)]
    path = write_film(tmp_path / "a.mkv", pictures, times_s=[0, 0.04, 1.5, 1.54])
    source = camera(str(path))
    assert [number_of(frame.image.pixels) for frame in source][-1] == 3
    assert source.received == 4


STDIN = """
import sys
from facelign.video.sources import opened
with opened("-") as frames:
    shown = [(frame.image.size, frame.number) for frame in frames]
    print(shown[-1], len(shown) > 0, frames.broke)
"""


@pytest.mark.parametrize("kind", ["jpegs", "mkv", "file", "words"])
def test_frames_on_standard_input(kind: str, tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", [numbered(n) for n in range(20)])
    command = [sys.executable, "-c", STDIN]
    given = {
        "jpegs": b"".join(jpeg(numbered(n)) for n in range(20)),
        "words": b"no film\n" * 100,
    }.get(kind, path.read_bytes())
    if kind == "file":
        with path.open("rb") as file:
            ran = subprocess.run(command, stdin=file, capture_output=True, text=True, timeout=60)
            assert ran.stdout == "((320, 180), 19) True None\n", ran.stderr
        return
    asked = subprocess.run(command, input=given, capture_output=True, timeout=60)
    if kind == "words":
        assert b"IndexError" in asked.stderr  # nothing came
        return
    assert asked.stdout == b"((320, 180), 19) True None\n", asked.stderr


def test_no_standard_input_is_said_at_once() -> None:
    closed = ["sh", "-c", '"$0" -c "$1" <&-', sys.executable, STDIN]
    ran = subprocess.run(closed, capture_output=True, text=True, timeout=60)
    assert "InputError: Nothing is handed over on standard input." in ran.stderr


def test_a_webcam_that_is_not_there_is_said_at_once() -> None:
    if not Path("/dev/video97").exists():
        with pytest.raises(InputError, match="There is no webcam 97"):
            opened("97")


@pytest.mark.skipif(not Path("/dev/video0").exists(), reason="no webcam here")
def test_a_webcam_gives_frames() -> None:
    with camera("0") as source:
        assert Seen(source).more(2)[-1].image.width > 0


def test_whether_a_camera_answers() -> None:
    with JpegCamera(numbered) as server:
        assert answers(address_of(server.url))
    assert not answers(address_of(server.url), 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        assert not answers(address_of(f"rtsp://127.0.0.1:{port}/x"), 0.3)
    assert answers(address_of("film.mp4"))


# -- what a camera is told to be -------------------------------------------------------------------


def _pictures(*arrays: np.ndarray) -> list[Any]:
    import av

    return [
        av.VideoFrame.from_ndarray(array, format="rgb24").reformat(format="yuv420p")
        for array in arrays
    ]


def _watched(
    pictures: list[Any], told_s: list[float | None], options: CameraOptions = SHORT
) -> list[tuple[CameraState, str]]:
    """Return what is told of pictures that come every half second."""
    told: list[tuple[CameraState, str]] = []
    watch = room._Watch(options, lambda state, reason: told.append((state, reason)))
    for place, (picture, seconds) in enumerate(zip(pictures, told_s, strict=True)):
        watch.sees(picture, place / 2, seconds, place == 0)
    return told


def test_frozen_and_black_pictures_are_told_once_and_their_end() -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (90, 160, 3), np.uint8) for _ in range(5)]
    black = np.full((90, 160, 3), 4, np.uint8)
    shown = [noise[0], noise[1], *[noise[2]] * 8, noise[3], *[black] * 6, noise[4], noise[0]]
    told = _watched(_pictures(*shown), [None] * len(shown))
    assert [state for state, _ in told] == [
        CameraState.FROZEN, CameraState.BACK, CameraState.BLACK, CameraState.BACK,
    ]  # fmt: skip
    assert [reason for _, reason in told] == [
        "the same picture for 1 s", "moving again", "no light for 1 s", "light again",
    ]  # fmt: skip


def test_a_dark_room_is_not_black_and_noise_is_not_frozen() -> None:
    rng = np.random.default_rng(1)
    dark = [rng.integers(0, 60, (90, 160, 3), np.uint8) for _ in range(12)]
    assert _watched(_pictures(*dark), [None] * 12) == []


def test_a_clock_that_jumps_is_told_and_one_that_stalls_is_not() -> None:
    rng = np.random.default_rng(2)
    shown = _pictures(*(rng.integers(0, 255, (90, 160, 3), np.uint8) for _ in range(6)))
    back = _watched(shown, [100, 100.5, 101, 50, 50.5, 51])
    assert back == [(CameraState.CLOCK, "its clock went back by 51.0 s")]
    ahead = _watched(shown, [100, 100.5, 3701, 3701.5, 3702, 3702.5])
    assert ahead == [(CameraState.CLOCK, "its clock went ahead by 3600.0 s")]
    assert _watched(shown, [100, 100.1, 100.2, 100.3, 102.5, 103]) == []


def test_a_backlog_is_passed_over_up_to_a_key_frame_that_is_on_time() -> None:
    backlog = Backlog()
    quarter = [n / 4 for n in range(200)]
    assert not any(backlog.passes_over(t, True, t + 0.1) for t in quarter[:40])
    # the line is held for 3 s, then what was taken meanwhile comes at once
    late = [backlog.passes_over(t, n % 4 == 3, 13.0) for n, t in enumerate(quarter[40:52])]
    assert late == [True] * 11 + [False]
    assert not backlog.passes_over(quarter[52], False, quarter[52] + 0.1)
    # clocks that drift apart by a thousandth are no backlog, for hours
    slow = Backlog()
    assert not any(slow.passes_over(t * 0.999, True, t) for t in map(float, range(20_000)))
    # a clock that went back for good is believed after a while
    wrong = Backlog()
    assert not wrong.passes_over(1000.0, True, 0.0)
    passed = [wrong.passes_over(float(n), True, float(n)) for n in range(1, 15)]
    assert passed == [True] * 11 + [False] * 3
    assert not Backlog().passes_over(None, False, 0.0)
