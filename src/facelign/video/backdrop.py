"""The background of a film or camera changed, frame by frame."""

from __future__ import annotations

from collections.abc import Callable

from facelign.imaging.background import SteadyMask
from facelign.types.arrays import ByteArray, Float32Array
from facelign.types.contracts import Frame, Segmenter
from facelign.video.cuts import Cuts

#: what makes a picture of one and the mask of its people
Change = Callable[[ByteArray, Float32Array], ByteArray]


class Backdrop:
    """Shows the people of frames before another background; masks are steady between cuts.

    change: such as ``lambda pixels, mask: blurred(pixels, mask, 12)`` of ``imaging.background``.
    """

    def __init__(self, segmenter: Segmenter, change: Change) -> None:
        self._segmenter, self._change = segmenter, change
        self._steady, self._cuts = SteadyMask(), Cuts()

    def shown(self, frame: Frame) -> ByteArray:
        """Return the next frame, (h, w, 3) uint8 RGB."""
        if self._cuts.between(frame):
            self._steady.reset()
        mask = self._steady.next(self._segmenter.segment(frame.image))
        return self._change(frame.image.pixels, mask)
