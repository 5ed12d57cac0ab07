"""The photo that walks up the stairs: upright RGB pixels and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.types.arrays import Arrays, ByteArray, checked


@dataclass(frozen=True, slots=True, eq=False)
class Image(Arrays):
    """One upright photo.

    pixels: (h, w, 3) uint8, RGB, sRGB, contiguous.
    size: (width, height) of the whole upright file, px; boxes and points are in this plane.
    scale: 1, or less when the file was decoded reduced; x -> ``(x + 0.5) * scale - 0.5``.
    source: where it came from, for people. digest: SHA-256 of the file (of the pixels of an array;
    of a frame, of what its film and its number are).
    orientation: EXIF code that was applied (1-8; 1 = as stored).
    turned_deg: degrees clockwise by which the picture was turned after reading (0, 90, 180, 270).
    """

    pixels: ByteArray
    size: tuple[int, int]
    scale: float = 1.0
    source: str = "<array>"
    digest: str = ""
    orientation: int = 1
    turned_deg: int = 0
    #: decodes the file again at full size; None when the pixels are all there is
    reload: Callable[[], Image] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        pixels = np.ascontiguousarray(self.pixels)
        if pixels.dtype != np.uint8:
            raise BadArray(
                f"pixels: wanted uint8 in 0..255, got {pixels.dtype}.",
                "Scale to 0..255 and call .astype('uint8').",
            )
        object.__setattr__(self, "pixels", checked("pixels", pixels, np.uint8, (None, None, 3)))
        if min(self.pixels.shape) == 0:
            raise BadArray(f"pixels: the picture is empty, shape {self.pixels.shape}.")

    @classmethod
    def from_array(
        cls, array: npt.ArrayLike, order: Literal["rgb", "bgr", "gray"], source: str = "<array>"
    ) -> Image:
        """Return an Image from (h, w, 3) or (h, w) uint8; the caller says the color order.

        Raises BadArray for another shape or dtype.
        """
        pixels = np.asarray(array)
        if order == "gray" and pixels.ndim == 2:
            pixels = np.repeat(pixels[:, :, None], 3, axis=2)
        elif order == "bgr" and pixels.ndim == 3:
            pixels = pixels[:, :, ::-1]
        elif order not in ("rgb", "bgr", "gray"):
            raise BadArray(f"order: wanted 'rgb', 'bgr' or 'gray', got {order!r}.")
        if pixels.ndim != 3 or pixels.shape[2] != 3:
            raise BadArray(f"array: wanted (h, w, 3) for order '{order}', got {pixels.shape}.")
        pixels = np.array(pixels, order="C")
        digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        return cls(pixels, (pixels.shape[1], pixels.shape[0]), 1.0, source, digest)

    def __repr__(self) -> str:
        reduced = "" if self.scale == 1.0 else f", scale={self.scale:g}"
        return f"Image({self.source!r}, {self.width} x {self.height} px{reduced})"

    def _repr_png_(self) -> bytes:
        """Return the picture as a notebook shows it, its long side 1024 px at most."""
        import io

        from PIL import Image as Pillow

        shown = Pillow.fromarray(self.pixels)
        shown.thumbnail((1024, 1024))
        file = io.BytesIO()
        shown.save(file, "PNG")
        return file.getvalue()

    @property
    def width(self) -> int:
        """Width of the whole upright file, px."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Height of the whole upright file, px."""
        return self.size[1]

    def full(self) -> Image:
        """Return the photo at full size (itself, unless it was decoded reduced)."""
        return self if self.reload is None or self.scale == 1.0 else self.reload()

    def turned(self, degrees: int) -> Image:
        """Return a new photo, turned clockwise by whole quarters: exact, nothing is resampled."""
        if degrees not in (0, 90, 180, 270):
            raise BadArray(f"degrees: wanted 0, 90, 180 or 270, got {degrees}.")
        if degrees == 0:
            return self
        size = self.size if degrees == 180 else (self.size[1], self.size[0])
        reload = self.reload
        return Image(
            np.rot90(self.pixels, k=-degrees // 90),
            size,
            self.scale,
            self.source,
            self.digest,
            self.orientation,
            (self.turned_deg + degrees) % 360,
            None if reload is None else partial(_turned, reload, degrees),
        )


def _turned(reload: Callable[[], Image], degrees: int) -> Image:
    return reload().turned(degrees)
