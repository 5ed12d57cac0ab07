"""From the bytes of a file to upright RGB pixels.

JPEG is decoded by OpenCV, which takes half to two thirds of Pillow's time and gives the same
bytes (both carry libjpeg-turbo). Where a JPEG's markers are not in order Pillow decodes it,
because it says when data are missing, where OpenCV fills up with gray; unless only the end marker
is missing, as in panoramas of phones. Everything else is Pillow's.
No setting of either library is touched, so threads can decode at once.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from facelign.errors import ExtraMissing, Remedy
from facelign.imaging.containers import Header, Kind
from facelign.imaging.exif import ORIENTATION, orientation
from facelign.imaging.faults import Damaged, Unsupported
from facelign.imaging.resize import long_side
from facelign.types.arrays import AnyArray, ByteArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image as Picture
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


def pixels_of(picture: Picture, most_pixels: int) -> ByteArray:
    """Return (h, w, 3) uint8, upright, of a picture that Pillow has opened or made.

    Raises Damaged or Unsupported.
    """
    guard(picture.size, most_pixels)
    with _failures_told(picture.format or "picture"):
        turn = picture.getexif().get(ORIENTATION, 1)
        stored = _rgb(picture)
    return np.ascontiguousarray(upright(stored, turn if isinstance(turn, int) else 1))


def decode(header: Header, most_pixels: int, at_least: int | None = None) -> Decoded:
    """Return the picture; ``at_least``: a JPEG may come reduced while its long side keeps that.

    A JPEG with up to four times ``most_pixels`` comes reduced by 2 at least. Raises Damaged or
    Unsupported, and ExtraMissing for HEIC without the extra.
    """
    turn, shrink = header.orientation, 1
    if header.kind is Kind.JPEG and header.size is not None:
        shrink = reduction(header.size, turn, at_least)
        wide, tall = header.size
        if wide * tall > most_pixels:
            # halved it fits, unless the decoder has to hold the whole of it
            held = wide * tall * header.held
            guard(header.size, most_pixels * (1 if held > _HELD * most_pixels else _SHRUNK))
            shrink = max(shrink, 2)
        stored = _jpeg(header, shrink)
    else:
        if header.size is not None:
            guard(header.size, most_pixels)
        with _failures_told(header.kind):
            if header.kind is Kind.HEIF:
                stored = _heif(header.data, most_pixels)
            else:
                stored, block = _pillow(header, most_pixels)
                turn = orientation(block) if block else turn
        tall, wide = stored.shape[:2]
    size = (tall, wide) if turn >= 5 else (wide, tall)
    return Decoded(upright(stored, turn), size, 1 / shrink, turn)


#: how many times the limit a JPEG may have, which is then decoded at half its sides
_SHRUNK = 4
#: bytes that a decoder may hold of a picture in several scans, for each pixel of the limit
_HELD = 6.0


def guard(size: tuple[int, int], most_pixels: int, hint: str = Remedy.PIXELS) -> None:
    """Raise Unsupported for a picture of more than ``most_pixels``."""
    wide, tall = size
    if wide * tall > most_pixels:
        raise Unsupported(
            f"has {wide} x {tall} = {wide * tall / 1e6:,.0f} million pixels, "
            f"more than the limit of {most_pixels / 1e6:,.0f} million",
            hint,
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


#: what ends a JPEG; and data that no picture goes on with
_END = b"\xff\xd9"
_MORE = b"".join(sha256(bytes([i])).digest() for i in range(64)).replace(b"\xff", b"")


def _jpeg(header: Header, shrink: int) -> ByteArray:
    if header.ends is None and header.channels in (1, 3):
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
        if header.ends is not None:
            header = _closed(header, shrink)
        return _rgb(_reduced(header, None, shrink))


def _closed(header: Header, shrink: int) -> Header:
    """Return a JPEG that lacks nothing but its end marker with one.

    Where data are missing libjpeg fills up, and never says so: then more data, if there are any,
    make another picture. Zeros at the end are no data: files that were not copied whole have them.
    """
    data, seen = header.data[: header.ends].rstrip(b"\0"), []
    header = replace(header, data=data + header.data[header.ends :])
    for more in (b"", _MORE):
        longer = replace(header, data=data + more + _END)
        try:
            seen.append(np.asarray(_reduced(longer, "L", shrink)))
        except OSError:
            return header
    complete = np.array_equal(seen[0], seen[1])
    return replace(header, data=data + _END) if complete else header


def _reduced(header: Header, mode: str | None, shrink: int) -> ImageFile:
    picture = _opened(header)
    if shrink > 1 or mode:
        picture.draft(mode, (picture.width // shrink, picture.height // shrink))
    return picture


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
def _failures_told(kind: str) -> Iterator[None]:
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
    guard(picture.size, most_pixels)
    if header.kind in _LIMITED_BY_PILLOW:
        from PIL import Image as Pillow

        if Pillow.MAX_IMAGE_PIXELS:
            guard(picture.size, Pillow.MAX_IMAGE_PIXELS, "Make it smaller, or save it as JPEG.")
    block = picture.info.get("exif", b"") if header.kind is Kind.AVIF else b""
    return _rgb(picture), block if isinstance(block, bytes) else b""


#: rows of a picture that are converted at a time: copies of the whole would be large
_STRIP = 256


def _rgb(picture: Picture) -> ByteArray:
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
    wide, tall = picture.size
    pixels = np.empty((tall, wide, 3), np.uint8)
    for top in range(0, tall, _STRIP):
        strip = picture.crop((0, top, wide, min(tall, top + _STRIP)))
        pixels[top : top + _STRIP] = np.asarray(strip if mode == "RGB" else strip.convert("RGB"))
    return pixels


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
    for top in range(0, len(rgba), _STRIP):
        strip = rgba[top : top + _STRIP].astype(np.uint16)
        a = strip[:, :, 3:]
        laid[top : top + _STRIP] = (strip[:, :, :3] * a + 255 * (255 - a) + 127) // 255
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
