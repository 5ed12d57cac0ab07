"""Films that tests write themselves, of pictures whose number can be read out of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

#: bits of a number that are drawn: as squares, black or white, in the middle of the picture
BITS = 24


def numbered(number: int, size: tuple[int, int] = (320, 180)) -> np.ndarray:
    """Return a picture (h, w, 3) uint8 RGB: gray, red upper left corner, its number in squares."""
    wide, tall = size
    picture = np.full((tall, wide, 3), 128, np.uint8)
    picture[: tall // 4, : wide // 4] = (255, 0, 0)
    for bit in range(BITS):
        left = wide * (bit + 2) // (BITS + 4)
        right = wide * (bit + 3) // (BITS + 4)
        picture[tall // 2 : tall * 3 // 4, left:right] = 255 if number >> bit & 1 else 0
    return picture


def number_of(picture: np.ndarray) -> int:
    """Return the number of a picture that ``numbered`` made, whatever became of it."""
    tall, wide = picture.shape[:2]
    row = picture[tall * 9 // 16 : tall * 11 // 16].mean(axis=(0, 2))
    centers = [round(wide * (bit + 2.5) / (BITS + 4)) for bit in range(BITS)]
    return sum(1 << bit for bit, x in enumerate(centers) if row[x - 2 : x + 3].mean() > 128)


def write_film(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    times_s: Sequence[float] | None = None,
    fps: int = 25,
    codec: str = "libx264",
    format: str = "yuv420p",
    turn_deg: int = 0,
    pixel_shape: Fraction | None = None,
    options: dict[str, str] | None = None,
    coding: dict[str, str] | None = None,
    sound_s: float = 0.0,
) -> Path:
    """Write a film of pictures (h, w, 3) uint8 RGB of one size, and return its path.

    times_s: when each is shown, to the millisecond; else ``fps`` a second. options, coding: of the
    container and of the codec. turn_deg: by how much a
    player turns it counterclockwise. sound_s: silence beside the pictures.
    """
    import av

    rest = iter(pictures)
    first = next(rest)
    tall, wide = first.shape[:2]
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = wide, tall, format
        stream.options = coding or {}
        stream.codec_context.time_base = Fraction(1, 1000)
        if pixel_shape is not None:
            stream.sample_aspect_ratio = pixel_shape
        if turn_deg:
            stream.set_display_rotation(turn_deg)
        if sound_s:
            sound: Any = container.add_stream("aac", rate=16_000, layout="mono")
            silence = np.zeros((1, 1024), np.float32)
            for start in range(0, round(sound_s * 16_000), 1024):
                heard = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
                heard.sample_rate, heard.pts = 16_000, start
                container.mux(sound.encode(heard))
            container.mux(sound.encode())
        for number, picture in enumerate(chain([first], rest)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            seconds = number / fps if times_s is None else times_s[number]
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
