"""From the bytes of a file to upright RGB pixels.

JPEG is decoded by OpenCV, which takes half to two thirds of Pillow's time and gives the same
bytes (both carry libjpeg-turbo). Where a JPEG's markers are not in order Pillow decodes it,
because it says when data are missing, where OpenCV fills up with gray. Everything else is Pillow's.
No setting of either library is touched, so threads can decode at once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from facelign.errors import ExtraMissing
from facelign.imaging.containers import Header, Kind
from facelign.imaging.exif import orientation
from facelign.imaging.faults import Damaged, Unsupported
from facelign.imaging.resize import long_side
from facelign.types.arrays import AnyArray, ByteArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.ImageFile import ImageFile


@dataclass(frozen=True, slots=True)
class Decoded:
    """pixels: (h, w, 3) uint8 RGB, upright. size: (width, height) of the whole upright picture.

    scale: 1, 1/2, 1/4 or 1/8. orientation: the EXIF code that was applied.
    """

    pixels: ByteArray
    size: tuple[int, int]
    scale: float
    orientation: int


def decode(header: Header, most_pixels: int, at_least: int | None = None) -> Decoded:
    """Return the picture; ``at_least``: a JPEG may come reduced while its long side keeps that.

    Raises Damaged or Unsupported, and ExtraMissing for HEIC without the extra.
    """
    if header.size is not None:
        guard(header.size, most_pixels)
    turn, shrink = header.orientation, 1
    if header.kind is Kind.JPEG and header.size is not None:
        shrink = reduction(header.size, turn, at_least)
        stored = _jpeg(header, shrink)
        wide, tall = header.size
    else:
        with _failures_told(header.kind):
            if header.kind is Kind.HEIF:
                stored = _heif(header.data, most_pixels)
            else:
                stored, block = _pillow(header, most_pixels)
                turn = orientation(block) if block else turn
        tall, wide = stored.shape[:2]
    size = (tall, wide) if turn >= 5 else (wide, tall)
    return Decoded(upright(stored, turn), size, 1 / shrink, turn)


def guard(size: tuple[int, int], most_pixels: int) -> None:
    """Raise Unsupported for a picture of more than ``most_pixels``."""
    wide, tall = size
    if wide * tall > most_pixels:
        raise Unsupported(
            f"has {wide} x {tall} = {wide * tall / 1e6:,.0f} million pixels, "
            f"more than the limit of {most_pixels / 1e6:,.0f} million",
            "Make it smaller, or raise Limits.pixels.",
        )


#: axes of the stored picture (x, y) that an orientation reverses
_REVERSED = {1: "", 2: "x", 3: "xy", 4: "y", 5: "", 6: "y", 7: "xy", 8: "x"}


def reduction(size: tuple[int, int], turn: int, at_least: int | None) -> int:
    """Return by how much a JPEG may be reduced: 1, 2, 4 or 8.

    A reduced decode keeps a last column that stands for fewer than n columns. Were the axis
    reversed, that column would come first and every point would be off by part of a pixel; so a
    reversed axis must divide without a rest. Cameras' sizes do.
    """
    if at_least is None:
        return 1
    wanted = long_side(size, at_least)
    for shrink in (8, 4, 2):
        exact = all(
            side % shrink == 0
            for side, axis in zip(size, "xy", strict=True)
            if axis in _REVERSED[turn]
        )
        if exact and max(size) >= wanted * shrink:
            return shrink
    return 1


_TURNS: dict[int, Callable[[AnyArray], AnyArray]] = {
    2: lambda a: cv2.flip(a, 1),
    3: lambda a: cv2.rotate(a, cv2.ROTATE_180),
    4: lambda a: cv2.flip(a, 0),
    5: lambda a: cv2.transpose(a),
    6: lambda a: cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE),
    7: lambda a: cv2.flip(cv2.transpose(a), -1),
    8: lambda a: cv2.rotate(a, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def upright(stored: ByteArray, turn: int) -> ByteArray:
    """Return the stored pixels turned as the EXIF orientation ``turn`` (1..8) says."""
    return np.asarray(_TURNS[turn](stored), np.uint8) if turn in _TURNS else stored


# -- JPEG --------------------------------------------------------------------------------------

#: libjpeg can write RGB itself, which saves a pass over the pixels; OpenCV asks for it since 4.11
_RGB = getattr(cv2, "IMREAD_COLOR_RGB", 0)
#: the bits of IMREAD_REDUCED_* without those of the colors
_REDUCED = {1: 0, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
_REDUCED[8] = cv2.IMREAD_REDUCED_GRAYSCALE_8


def _jpeg(header: Header, shrink: int) -> ByteArray:
    if header.sound and header.channels in (1, 3):
        how = _REDUCED[shrink] | cv2.IMREAD_IGNORE_ORIENTATION | (_RGB or cv2.IMREAD_COLOR)
        try:
            found = cv2.imdecode(np.frombuffer(header.data, np.uint8), how)
        except cv2.error:  # such as a buffer that does not fit into memory
            found = None
        if found is not None:
            if not _RGB:
                found = cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=found)
            return np.asarray(found, np.uint8)
    with _failures_told(header.kind):
        picture = _opened(header)
        if shrink > 1:
            picture.draft(None, (picture.width // shrink, picture.height // shrink))
        return _rgb(picture)


# -- the other formats -------------------------------------------------------------------------

_PLUGINS = {
    Kind.JPEG: ("JpegImagePlugin", "JpegImageFile"),
    Kind.PNG: ("PngImagePlugin", "PngImageFile"),
    Kind.WEBP: ("WebPImagePlugin", "WebPImageFile"),
    Kind.GIF: ("GifImagePlugin", "GifImageFile"),
    Kind.BMP: ("BmpImagePlugin", "BmpImageFile"),
    Kind.TIFF: ("TiffImagePlugin", "TiffImageFile"),
    Kind.PNM: ("PpmImagePlugin", "PpmImageFile"),
    Kind.AVIF: ("AvifImagePlugin", "AvifImageFile"),
}
#: decoders in which Pillow compares the size with its own limit once more, and warns
_LIMITED_BY_PILLOW = (Kind.GIF, Kind.TIFF)
#: what Pillow's readers raise for bytes that they cannot make sense of
_FAILURES = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError,
    AttributeError, RuntimeError, AssertionError, struct.error, zlib.error, Warning,
)  # fmt: skip


@contextmanager
def _failures_told(kind: Kind) -> Iterator[None]:
    """Turn what a decoder raises into one clause."""
    try:
        yield
    except (Damaged, Unsupported):
        raise
    except MemoryError as problem:
        raise Unsupported("needs more memory than there is", "Make it smaller.") from problem
    except _FAILURES as problem:
        said = str(problem).lower()
        if "truncated" in said or "not enough" in said or isinstance(problem, EOFError):
            raise Damaged("is truncated: the data end before the picture does") from problem
        if "unknown pixel mode" in said or "not supported" in said:
            raise Unsupported(
                f"is a {kind} of a kind that is not read", "Save it as JPEG or PNG."
            ) from problem
        raise Damaged(f"is a damaged {kind}") from problem


def _opened(header: Header) -> ImageFile:
    """Return the file opened by the plugin of its kind: no other plugin is even loaded."""
    module, name = _PLUGINS[header.kind]
    try:
        plugin: Any = import_module(f"PIL.{module}")
    except ImportError:  # AVIF came with Pillow 11.3
        plugin = None
    if plugin is None or not getattr(plugin, "SUPPORTED", True):
        raise Unsupported(f"is {header.kind}, which this Pillow cannot read", "Update pillow.")
    opened: ImageFile = getattr(plugin, name)(BytesIO(header.data))
    return opened


def _pillow(header: Header, most_pixels: int) -> tuple[ByteArray, bytes]:
    """Return stored pixels, and the EXIF block where only the decoder could find it (AVIF)."""
    picture = _opened(header)
    if header.kind in _LIMITED_BY_PILLOW:
        from PIL import Image as Pillow

        most_pixels = min(most_pixels, Pillow.MAX_IMAGE_PIXELS or most_pixels)
    guard(picture.size, most_pixels)
    block = picture.info.get("exif", b"") if header.kind is Kind.AVIF else b""
    return _rgb(picture), block if isinstance(block, bytes) else b""


def _rgb(picture: ImageFile) -> ByteArray:
    """Return (h, w, 3) uint8 of a picture of any mode.

    16 bits are scaled to 8; see ``on_white`` for alpha; CMYK is converted without a profile.
    """
    mode = picture.mode
    if mode == "F" or mode == "LAB":
        raise Unsupported(
            f"stores its pixels as {'floats' if mode == 'F' else 'CIE Lab'}",
            "Save it with 8 or 16 bits a channel in RGB.",
        )
    if mode == "I" or mode.startswith("I;"):
        return _gray_rgb(_eight_bits(np.asarray(picture)))
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info:
        whole = picture if mode == "RGBA" else picture.convert("RGBA")
        return on_white(np.asarray(whole))
    if mode in ("1", "L"):
        return _gray_rgb(np.asarray(picture if mode == "L" else picture.convert("L")))
    return np.asarray(picture if mode == "RGB" else picture.convert("RGB"))


def _gray_rgb(gray: AnyArray) -> ByteArray:
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)


def _eight_bits(deep: AnyArray) -> ByteArray:
    """Return 16-bit values scaled to 8 bits: 65535 / 255 = 257, rounded."""
    if deep.size and (int(deep.min()) < 0 or int(deep.max()) > 65535):
        raise Unsupported("holds values of more than 16 bits", "Save it with 8 or 16 bits.")
    scaled: ByteArray = ((deep.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return scaled


def on_white(rgba: AnyArray) -> ByteArray:
    """Return (h, w, 3) uint8: the (h, w, 4) uint8 picture laid on white, as viewers show it.

    Colors under full transparency are whatever an editor left there, so they must not be seen.
    Where alpha is 0 everywhere it carries nothing and is ignored (some programs write that).
    """
    alpha = rgba[:, :, 3]
    if not alpha.any() or alpha.min() == 255:
        return np.ascontiguousarray(rgba[:, :, :3])
    laid = np.empty((*rgba.shape[:2], 3), np.uint8)
    for top in range(0, len(rgba), 256):  # in strips: 16-bit copies of the whole would be large
        strip = rgba[top : top + 256].astype(np.uint16)
        a = strip[:, :, 3:]
        laid[top : top + 256] = (strip[:, :, :3] * a + 255 * (255 - a) + 127) // 255
    return laid


def _heif(data: bytes, most_pixels: int) -> ByteArray:
    """Return upright pixels: HEIC stores its turn as a transform of its own, which libheif
    applies; an EXIF orientation beside it repeats the same turn and is ignored.
    """
    try:
        import pillow_heif
    except ImportError:
        raise ExtraMissing(
            "HEIC photos need the package pillow-heif.", "Run: pip install 'facelign[heif]'"
        ) from None
    picture = pillow_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)
    guard(picture.size, most_pixels)
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8:
        pixels = _eight_bits(pixels)
    if pixels.ndim == 2:
        return _gray_rgb(pixels)
    return on_white(pixels) if pixels.shape[2] == 4 else np.ascontiguousarray(pixels)
