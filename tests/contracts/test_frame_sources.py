"""The laws of frame sources; see types.contracts.FrameSource. New ones go into ``SOURCES``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from facelign.types.contracts import Frame, FrameSource
from facelign.types.image import Image


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


def film(length: int) -> Pictures:
    shades = np.linspace(0, 255, length or 1, dtype=np.uint8)[:length]
    return Pictures([Image.from_array(np.full((8, 9), v, np.uint8), "gray") for v in shades])


SOURCES: tuple[Callable[[int], FrameSource], ...] = (film,)


@pytest.fixture(params=SOURCES, ids=lambda made: made.__name__)
def source(request: pytest.FixtureRequest) -> Callable[[int], FrameSource]:
    made: Callable[[int], FrameSource] = request.param
    return made


def test_numbers_and_times_rise(source: Callable[[int], FrameSource]) -> None:
    with source(5) as frames:
        seen = list(frames)
    assert [frame.number for frame in seen] == list(range(5))
    times = [frame.time_s for frame in seen]
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    if frames.fps is not None:
        assert times[-1] == pytest.approx(4 / frames.fps)
    assert {frame.image.size for frame in seen} == {(9, 8)}
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
