"""A film out of frames: H.264 where PyAV has it, every frame at its own time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from facelign.types.arrays import ByteArray
from facelign.types.closing import Closing
from facelign.video.options import FILM_FORMATS
from facelign.video.sources.pictures import needs

#: units of time in a second: every usual rate has a whole number of them to a frame
_TICKS = 90_000
#: ways of coding, the best first, and how carefully
_CODECS = (("libx264", {"crf": "20", "preset": "veryfast"}), ("mpeg4", {"qscale": "3"}))


class FilmWriter(Closing):
    """Writes a film without sound. path: the file; named: says the container by its suffix."""

    def __init__(self, path: Path, named: Path | None = None) -> None:
        self._av = needs()
        kind = FILM_FORMATS.get((named or path).suffix.lower(), "mp4")
        self._container = self._av.open(str(path.absolute()), "w", format=kind)
        self._stream: Any = None
        self._last = -1

    def add(self, pixels: ByteArray, time_s: float) -> None:
        """Write a frame, (h, w, 3) uint8 RGB; a side with an odd number of pixels loses one."""
        tall, wide = pixels.shape[0] & ~1, pixels.shape[1] & ~1
        if self._stream is None:
            self._stream = self._begun(wide, tall)
        seen = np.ascontiguousarray(pixels[:tall, :wide])
        frame = self._av.VideoFrame.from_ndarray(seen, format="rgb24")
        frame.pts = self._last = max(round(time_s * _TICKS), self._last + 1)
        frame.time_base = Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is still held."""
        container, self._container = self._container, None
        if container is None:
            return
        if self._stream is not None:
            container.mux(self._stream.encode(None))
        container.close()

    def _begun(self, wide: int, tall: int) -> Any:
        codec, options = next(
            (name, options) for name, options in _CODECS if name in self._av.codecs_available
        )
        stream = self._container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = wide, tall, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
        return stream
