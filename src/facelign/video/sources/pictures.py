"""PyAV, and how one of its frames becomes a picture: upright, square pixels, RGB.

The only module that imports PyAV is this one (extra ``video``); what else of it is needed is asked
for here.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np

from facelign.errors import ExtraMissing, Remedy, UnsupportedImage
from facelign.imaging.decode import guard, upright
from facelign.imaging.faults import Unsupported
from facelign.types.image import Image


def needs() -> Any:
    """Return PyAV; raises ExtraMissing where it is not installed."""
    try:
        import av
    except ImportError as problem:
        raise ExtraMissing(
            "Films and cameras need PyAV, which is not installed.",
            "Run: pip install 'facelign[video]'",
        ) from problem
    return av


#: shapes of a pixel, width by height, that are believed: those of DVDs and tapes lie between
_SHAPES = (0.25, 4.0)
#: of pictures without a word about it, ITU-R BT.709 is meant from this height on, else BT.601
_HIGH_DEFINITION = 720
_UNSAID, _BT709 = 2, 1  # ITU-T H.273, matrix coefficients
#: EXIF orientation by quarters to turn counterclockwise
_TURNS = (1, 8, 3, 6)


#: attached pictures, such as the cover of a song, are no film: FFmpeg's AV_DISPOSITION_ATTACHED_PIC
_ATTACHED = 0x400


def video_of(container: Any, name: str, most_pixels: int, *, sized: bool = True) -> Any:
    """Return the stream of pictures of an open container, to be decoded within ``most_pixels``.

    name: what the source is called. sized: its head must say a size, as that of a file does.
    Raises UnsupportedImage, in a sentence, where there is none.
    """
    streams = [one for one in container.streams.video if not _kinds(one) & _ATTACHED]
    if not streams:
        raise UnsupportedImage(f"{name} has no moving picture in it.", "Name a film or a camera.")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    context = stream.codec_context
    if context is None:
        raise UnsupportedImage(
            f"{name} is made by a way of coding that PyAV does not know.",
            "Make it H.264, in MP4 if it is a file.",
        )
    try:
        guard((context.width, context.height), most_pixels)
        if (
            sized and not context.width * context.height
        ):  # the decoder refused, before it told a size
            raise Unsupported(f"is damaged, or its pictures have more than {most_pixels:,} pixels")
    except Unsupported as fault:
        raise UnsupportedImage(f"{name} {fault.told}.", Remedy.PIXELS) from None
    context.options = {"max_pixels": str(most_pixels)}
    return stream


def _kinds(stream: Any) -> int:
    """Return FFmpeg's bits of what a stream is for; PyAV gives a flag or, later, a number."""
    told = stream.disposition
    return int(getattr(told, "value", told))


def rate_of(stream: Any) -> float | None:
    """Return the mean frames a second, where the source tells them."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def image_of(frame: Any, shape: float, most_pixels: int, source: str, key: str) -> Image:
    """Return a frame of PyAV as a photo: turned as its film says, its pixels made square.

    shape: how many times as wide as high a stored pixel is. most_pixels: more are not made into a
    picture; raises ``imaging.faults.Unsupported``. source: where it came from, for people. key:
    what no other picture is called; the digest is made of it, as that of all its pixels would take
    as long as to decode them.
    """
    wide = round(frame.width * shape)
    guard((max(wide, frame.width), frame.height), most_pixels)
    colors = {}
    if frame.colorspace == _UNSAID and frame.height >= _HIGH_DEFINITION:
        colors["src_colorspace"] = _BT709
    stored = frame.to_ndarray(format="rgb24", width=wide, height=frame.height, **colors)
    pixels = np.ascontiguousarray(upright(stored, _turn(frame)))
    size = (pixels.shape[1], pixels.shape[0])
    return Image(pixels, size, source=source, digest=sha256(key.encode()).hexdigest())


def shape_of(stream: Any) -> float:
    """Return how many times as wide as high a pixel is; 1 where nothing credible is said."""
    told = stream.sample_aspect_ratio
    return float(told) if told and _SHAPES[0] <= told <= _SHAPES[1] else 1.0


def _turn(frame: Any) -> int:
    """Return the EXIF orientation that a film's display matrix means, by whole quarters.

    What a matrix mirrors besides is not: only ``side_data`` tells that, and PyAV frees the metadata
    of such data twice, which ends the process (seen with pictures that carry a color profile).
    """
    return _TURNS[round(frame.rotation / 90) % 4]


def reason(problem: BaseException) -> str:
    """Return what FFmpeg says is wrong, in its words and without the address it says it about."""
    told = getattr(problem, "strerror", None)
    return str(told or type(problem).__name__)
