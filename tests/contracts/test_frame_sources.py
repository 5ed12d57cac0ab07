"""The laws of frame sources; see types.contracts.FrameSource. New ones go into ``SOURCES``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from facelign.types.contracts import Frame, FrameSource
from facelign.types.image import Image
from made_films import numbered, write_film
from video_parts import needed


class Pictures(FrameSource):
    """Pictures as a film of so many frames a second: a toy, one file."""

    def __init__(self, pictures: list[Image], fps: float = 25.0) -> None:
        self._pictures = pictures
        self.rate = self.fps = fps

    def __iter__(self) -> Iterator[Frame]:
        for number, picture in enumerate(self._pictures):
            yield Frame(picture, number, number / self.rate)

    def close(self) -> None:
        self._pictures = []


def film(length: int, _: Path) -> Pictures:
    shades = np.linspace(0, 255, length or 1, dtype=np.uint8)[:length]
    return Pictures([Image.from_array(np.full((24, 32), v, np.uint8), "gray") for v in shades])


def file(length: int, folder: Path) -> FrameSource:
    """A film on the disk; one without pictures is a head and nothing else."""
    needed("av")
    from facelign.video.sources import opened

    pictures = [numbered(n, (32, 24)) for n in range(max(length, 1))]
    path = write_film(folder / "a.mkv", pictures, codec="ffv1", format="bgr0")
    if not length:
        data = path.read_bytes()
        path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75") + 16])  # Matroska's Cluster
    return opened(str(path))


SOURCES: tuple[Callable[[int, Path], FrameSource], ...] = (film, file)


@pytest.fixture(params=SOURCES, ids=lambda made: made.__name__)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], FrameSource]:
    made: Callable[[int, Path], FrameSource] = request.param
    return lambda length: made(length, tmp_path)


def test_numbers_and_times_rise(source: Callable[[int], FrameSource]) -> None:
    with source(5) as frames:
        seen = list(frames)
    assert [frame.number for frame in seen] == list(range(5))
    times = [frame.time_s for frame in seen]
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    if frames.fps is not None:
        assert times[-1] == pytest.approx(4 / frames.fps)
    assert {frame.image.size for frame in seen} == {(32, 24)}
    assert not frames.live


def test_an_empty_film_has_no_frame(source: Callable[[int], FrameSource]) -> None:
    with source(0) as frames:
        assert list(frames) == []


def test_after_closing_there_are_no_frames_and_closing_twice_does_no_harm(
    source: Callable[[int], FrameSource],
) -> None:
    frames = source(3)
    frames.close()
    frames.close()
    assert list(frames) == []
    with pytest.raises(ZeroDivisionError), source(3) as opened:
        raise ZeroDivisionError  # leaves the block: the film is closed all the same
    assert list(opened) == []
