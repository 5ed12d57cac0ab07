"""Films: true times, upright pictures, and what is left of a damaged one."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from video_parts import needed

needed("av")

from facelign.errors import ExtraMissing, InputError, UnreadableImage, UnsupportedImage
from facelign.types.contracts import Frame
from facelign.types.policies import Limits
from facelign.video.sources import opened
from facelign.video.sources.film import Film, Times
from made_cameras import jpeg
from made_films import number_of, numbered, write_film

#: what the files beside the checkout hold: frames, seconds of the last, size
REAL = {
    "short_hamilton_clip.mp4": (275, 9.142, (640, 360)),
    "asl_again.mkv": (77, 2.534, (640, 480)),
    "faceapi_test_video.mp4": (5, 0.167, (820, 460)),
    "head_pose_female.gif": (23, 1.83, (480, 270)),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 100 frames, 4 s, a key frame every 10, its index at the front."""
    path = tmp_path_factory.mktemp("films") / "plain.mp4"
    pictures = [numbered(n) for n in range(100)]
    return write_film(path, pictures, options={"movflags": "faststart"}, coding={"g": "10"})


def _numbers(frames: Sequence[Frame]) -> list[int]:
    return [number_of(frame.image.pixels) for frame in frames]


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
def test_real_films(name: str, shared: Path) -> None:
    count, last_s, size = REAL[name]
    with opened(str(shared / "data/recognition/video" / name)) as film:
        frames = list(film)
        assert film.broke is None
        assert not film.live
    assert [frame.number for frame in frames] == list(range(count))
    assert frames[0].time_s == 0
    assert frames[-1].time_s == pytest.approx(last_s, abs=0.002)
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))
    assert {frame.image.size for frame in frames} == {size}
    assert len({frame.image.digest for frame in frames}) == count
    assert all(frame.image.pixels.flags.c_contiguous for frame in frames)


def test_times_are_true_where_the_rate_varies(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.05, 0.5, 2.0, 2.001, 5.25]
    for kind in ("mkv", "mp4"):
        pictures = [numbered(n) for n in range(len(times))]
        path = write_film(tmp_path / f"vary.{kind}", pictures, times_s=times)
        frames = list(opened(str(path)))
        assert [frame.time_s for frame in frames] == pytest.approx(times, abs=0.0006)
        assert _numbers(frames) == list(range(len(times)))


def test_the_first_frame_is_at_zero_wherever_the_film_begins(tmp_path: Path) -> None:
    pictures = [numbered(n) for n in range(5)]
    path = write_film(tmp_path / "late.mkv", pictures, times_s=[7, 7.1, 7.2, 7.3, 7.4])
    frames = list(opened(str(path)))
    assert [f.time_s for f in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4], abs=0.001)


@pytest.mark.parametrize(
    ("turn", "corner"),
    [(0, "upper left"), (90, "lower left"), (180, "lower right"), (270, "upper right")],
)
def test_phone_films_stand_upright(turn: int, corner: str, tmp_path: Path) -> None:
    path = write_film(tmp_path / "turned.mp4", [numbered(0)] * 3, turn_deg=turn)
    image = next(iter(opened(str(path)))).image
    assert image.size == ((320, 180) if turn % 180 == 0 else (180, 320))
    pixels = {
        "upper left": image.pixels[5, 5],
        "upper right": image.pixels[5, -5],
        "lower left": image.pixels[-5, 5],
        "lower right": image.pixels[-5, -5],
    }
    red = {where for where, (r, g, b) in pixels.items() if int(r) - int(g) > 100 and b < 100}
    assert red == {corner}


def test_pixels_are_made_square(tmp_path: Path) -> None:
    path = write_film(tmp_path / "tape.mkv", [numbered(77)] * 2, pixel_shape=Fraction(4, 3))
    image = next(iter(opened(str(path)))).image
    assert image.size == (427, 180)
    assert number_of(image.pixels) == 77


def test_colors_are_those_that_were_written(tmp_path: Path) -> None:
    """Red, green and blue come back, with the matrix of small and of high-definition pictures."""
    for tall in (360, 720):
        picture = np.zeros((tall, 480, 3), np.uint8)
        for channel in range(3):
            picture[:, 160 * channel : 160 * (channel + 1), channel] = 200
        path = write_film(tmp_path / f"{tall}.mkv", [picture], codec="ffv1", format="bgr0")
        seen = next(iter(opened(str(path)))).image.pixels
        assert np.array_equal(seen, picture)


def test_a_film_may_be_gone_through_again_and_ends_when_closed(plain: Path) -> None:
    film = opened(str(plain))
    assert isinstance(film, Film)
    assert (film.fps, film.size, film.duration_s) == (25, (320, 180), 4.0)
    first = _numbers(list(film))
    assert first == _numbers(list(film)) == list(range(100))
    seen = []
    for frame in film:
        seen.append(frame.number)
        if len(seen) == 3:
            film.close()
    assert seen == [0, 1, 2]
    assert list(film) == []


def test_a_film_with_more_sound_than_pictures_is_whole(tmp_path: Path) -> None:
    path = write_film(tmp_path / "song.mp4", [numbered(n) for n in range(25)], sound_s=6)
    film = opened(str(path))
    assert len(list(film)) == 25
    assert film.broke is None


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """A frame of this film takes 0.7 MB: held, they would be 140 MB at the end."""
    import psutil

    pictures = [numbered(n, (640, 360)) for n in range(4)] * 50
    film = opened(str(write_film(tmp_path / "long.mkv", pictures, coding={"preset": "ultrafast"})))
    process = psutil.Process()
    held = [process.memory_info().rss / 1e6 for frame in film if frame.number % 20 == 19]
    assert len(held) == 10
    assert max(held[3:]) - held[2] < 50


# -- damaged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_film_cut_short_gives_what_it_has_and_says_where_it_broke(
    kind: str, tmp_path: Path
) -> None:
    options = {"movflags": "faststart"} if kind == "mp4" else {}
    pictures = np.random.default_rng(3).integers(0, 255, (60, 90, 160, 3), np.uint8)
    whole = write_film(tmp_path / f"whole.{kind}", [*pictures], options=options)
    data = whole.read_bytes()
    short = tmp_path / f"short.{kind}"
    short.write_bytes(data[: len(data) // 2])
    film = opened(str(short))
    frames = list(film)
    assert 20 < len(frames) < 40
    assert film.broke is not None
    told = re.search(r"(\d+\.\d) s", film.broke)
    assert told is not None
    assert float(told[1]) == pytest.approx(frames[-1].time_s, abs=0.06)
    assert film.broke.startswith(str(short))
    assert film.broke.endswith(".")
    list(film)
    assert film.broke is not None  # the next time too


def test_a_film_damaged_in_the_middle_goes_on_after_it(plain: Path, tmp_path: Path) -> None:
    data = bytearray(plain.read_bytes())
    start = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[start : start + 400] = b"\x55" * 400
    path = tmp_path / "bad.mp4"
    path.write_bytes(data)
    film = opened(str(path))
    numbers = _numbers(list(film))
    assert len(numbers) > 70
    assert numbers[:30] == list(range(30))
    assert numbers[-10:] == list(range(90, 100))
    assert film.broke is not None
    assert re.search(r"is damaged from \d\.\d s on: \d+ parts? cannot be decoded", film.broke)


def test_what_is_no_film_is_said_in_one_sentence(tmp_path: Path, plain: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "words.txt").write_text("no film\n" * 100)
    (tmp_path / "words.mp4").write_text("no film\n" * 100)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:4,\nfile:/etc/passwd\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile plain.mp4\n")
    (tmp_path / "half.mp4").write_bytes(b"\0\0\0\x1cftypisom" + b"\0" * 100)
    import cv2

    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((9, 9, 3), np.uint8))
    told = {
        "missing.mp4": (UnreadableImage, "is not there"),
        "": (UnsupportedImage, "is a folder"),
        "empty.mp4": (UnreadableImage, "is empty"),
        "words.txt": (UnsupportedImage, "is no film"),
        "words.mp4": (UnreadableImage, "is no film, or a damaged one"),
        "list.m3u8": (InputError, "is no film"),
        "list.ffconcat": (InputError, "is no film"),
        "half.mp4": (UnreadableImage, "has lost its index"),
        "photo.png": (UnsupportedImage, "is no film"),
    }
    for name, (kind, words) in told.items():
        with pytest.raises(kind, match=words) as raised:
            opened(str(tmp_path / name))
        assert "\n" not in str(raised.value)
        assert raised.value.hint
    if os.getuid():
        plain.chmod(0)
        with pytest.raises(UnreadableImage, match="may not be read"):
            opened(str(plain))
        plain.chmod(0o600)


def test_the_cover_of_a_song_is_no_film(tmp_path: Path) -> None:
    """ID3v2.3 with a picture, before a song of silence."""
    import av

    with av.open(str(tmp_path / "plain.mp3"), "w") as container:
        stream: Any = container.add_stream("mp3", rate=44_100, layout="mono")
        heard = av.AudioFrame.from_ndarray(np.zeros((1, 44_100), np.float32), "fltp", "mono")
        heard.sample_rate = 44_100
        container.mux(stream.encode(heard))
        container.mux(stream.encode())
    cover = jpeg(numbered(1))
    body = b"\0image/jpeg\0\x03\0" + cover
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    song = tmp_path / "song.mp3"
    song.write_bytes(b"ID3\x03\0\0" + size + frame + (tmp_path / "plain.mp3").read_bytes())
    with pytest.raises(UnsupportedImage, match="no moving picture"):
        opened(str(song))


def test_a_word_that_looks_like_an_address_of_the_library_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg would take these for its own protocols, and read what nobody named."""
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "a.mkv", [numbered(5)] * 2)
    for word in ("concat:a.mkv|a.mkv", "pipe:0", "subfile,,start,0,end,0,,:a.mkv"):
        with pytest.raises(UnreadableImage, match="is not there"):
            opened(word)
    (tmp_path / "pipe:0").write_bytes((tmp_path / "a.mkv").read_bytes())
    assert _numbers(list(opened("pipe:0"))) == [5, 5]


def test_without_the_extra_it_is_said_how_to_get_it(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as where it is not installed
    for live in (False, True):
        with pytest.raises(ExtraMissing, match=r"pip install 'facelign\[video\]'"):
            opened(str(plain), live=live)
    with pytest.raises(ExtraMissing):
        opened("rtsp://camera/live")


def test_giant_pictures_are_refused_before_they_are_made(tmp_path: Path) -> None:
    """A head that says 60,000 x 60,000, and one that is just over the limit."""
    whole = write_film(tmp_path / "a.gif", [numbered(0)] * 2, codec="gif", format="rgb8")
    data = bytearray(whole.read_bytes())
    for wide, tall in ((60_000, 60_000), (12_000, 9_000)):
        data[6:10] = wide.to_bytes(2, "little") + tall.to_bytes(2, "little")
        path = tmp_path / f"{wide}.gif"
        path.write_bytes(data)
        with pytest.raises(UnsupportedImage, match=r"more than (the limit|[0-9,]+ pixels)"):
            opened(str(path))
    with pytest.raises(UnsupportedImage, match=r"more than (the limit|57,599 pixels)"):
        opened(str(whole), limits=Limits(pixels=57_599))
    assert len(list(opened(str(whole), limits=Limits(pixels=57_600)))) == 2


def test_a_picture_that_grows_on_the_way_ends_the_film(tmp_path: Path) -> None:
    """The head says 320 x 180; the coded pictures are larger than what is allowed."""
    small = write_film(tmp_path / "small.h264", [numbered(0)] * 5)
    large = write_film(tmp_path / "large.h264", [numbered(1, (640, 360))] * 5)
    both = tmp_path / "both.h264"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    film = opened(str(both), limits=Limits(pixels=100_000))
    assert {frame.image.size for frame in film} == {(320, 180)}
    assert film.broke is not None
    assert {frame.image.size for frame in opened(str(both))} == {(320, 180), (640, 360)}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("seeds")
    pictures = [numbered(n, (64, 48)) for n in range(6)]
    films = [
        write_film(folder / "a.mp4", pictures),
        write_film(folder / "a.mkv", pictures),
        write_film(folder / "a.gif", pictures, codec="gif", format="rgb8"),
        write_film(folder / "a.avi", pictures, codec="mjpeg", format="yuvj420p"),
    ]
    return [film.read_bytes() for film in films]


@pytest.mark.parametrize("kind", range(4))
def test_whatever_is_in_the_file_it_is_a_film_or_an_error_of_ours(
    kind: int, seeds: list[bytes], tmp_path: Path
) -> None:
    opens, path = 0, tmp_path / "fuzzed.film"
    for seed in range(40):
        rng = np.random.default_rng(seed)
        changed = bytearray(seeds[kind])
        for _ in range(rng.integers(1, 7)):
            changed[rng.integers(len(changed))] = rng.integers(256)
        path.write_bytes(changed[: max(1, len(changed) - rng.integers(len(changed)))])
        try:
            film = opened(str(path), limits=Limits(pixels=1_000_000))
        except InputError:
            continue
        opens += 1
        frames = [(frame.number, frame.time_s) for frame in islice(film, 50)]
        assert [number for number, _ in frames] == list(range(len(frames))), seed
        assert all(a < b for (_, a), (_, b) in pairwise(frames)), seed
    assert opens > 3


# -- times -----------------------------------------------------------------------------------------


def test_times_rise_whatever_is_told() -> None:
    times = Times(0.04)
    told = [5.0, 5.04, 5.04, 5.03, None, 5.12, 1.0, 1.04, None]
    seen = [times.after(one) for one in told]
    assert seen[0] == 0
    assert all(a < b for a, b in pairwise(seen))
    assert seen[1] == pytest.approx(0.04)
    assert seen[5] == pytest.approx(0.12)  # one that came twice moves nothing after it
    assert seen[6:8] == pytest.approx([0.16, 0.20])  # another film begins in the same file
    assert Times(0.04).after(None) == 0
