"""What a file says about its picture before a pixel is decoded: kind, size, orientation.

The kind comes from the first bytes, never from the name. The files of a JPEG, PNG or TIFF are
handed on without the parts that only carry other data (EXIF, text, profiles, further pictures):
decoders meet less that is hostile, and nothing in them warns about it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from facelign.imaging.exif import orientation
from facelign.imaging.faults import Damaged, Unsupported


class Kind(StrEnum):
    """The formats that are read; the values are their names in sentences."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    PNM = "PNM"
    AVIF = "AVIF"
    HEIF = "HEIC"


@dataclass(frozen=True, slots=True)
class Header:
    """What was learned.

    size: (width, height) as stored, or None where only the decoder can say. orientation: EXIF
    code, 1..8. data: the bytes for the decoder. Of a JPEG, ends: where in the data its scans end
    without an end marker, None where all is as it should be; channels; held: bytes a pixel of the
    file that the decoder holds beside the picture, however reduced that is.
    """

    kind: Kind
    data: bytes
    size: tuple[int, int] | None = None
    orientation: int = 1
    ends: int | None = None
    channels: int = 3
    held: float = 0.0


#: bytes that ``kind_of`` needs
MAGIC_BYTES = 64
_BRANDS = {
    Kind.AVIF: (b"avif", b"avis"),
    Kind.HEIF: (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"),
}


def kind_of(start: bytes) -> Kind | None:
    """Return the format that the first ``MAGIC_BYTES`` of a file tell, or None."""
    if start[4:8] == b"ftyp":
        brands = [start[8:12], *(start[i : i + 4] for i in range(16, len(start) - 3, 4))]
        for kind, known in _BRANDS.items():  # AVIF first: its files name mif1 too
            if any(brand in known for brand in brands):
                return kind
        return None
    if start[:4] == b"RIFF":
        return Kind.WEBP if start[8:12] == b"WEBP" else None
    if re.match(rb"P[1-6Ff][\s#]", start):
        return Kind.PNM
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    return None


_MAGIC = (
    (b"\xff\xd8", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"GIF87a", Kind.GIF),
    (b"GIF89a", Kind.GIF),
    (b"BM", Kind.BMP),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
)
#: what is passed over in folders too, and named there
RAW, FILM = "a raw photo", "a film"
#: Canon CR3 and CRW, Olympus, Panasonic, Fujifilm, Minolta, Sigma; others are TIFF files
_RAW_STARTS = (
    rb"....ftypcrx |II\x1a\0..HEAPCCDR|II(RO|RS|U\0)|MMOR|FUJIFILMCCD-RAW|\0MRM|FOVb"
    rb"|II\*\0....(CR|IIII)"
)
#: MP4 and QuickTime, Matroska, AVI, ASF, MPEG, Flash, Ogg
_FILM_STARTS = (
    rb"\0...(ftyp|moov|mdat|wide|free|skip)|\x1a\x45\xdf\xa3|RIFF....AVI "
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\0\0\x01[\xba\xb3]|FLV\x01|OggS"
    rb"|(.{4})?\x47.{187}(.{4})?\x47"
)
#: what else people hand in: the start of the bytes, and what it is
_STRANGERS = (
    (rb"%PDF", "a PDF document"),
    (rb"8BPS", "a Photoshop file"),
    (rb"\s*(<\?xml|<svg)", "an SVG or XML file"),
    (rb"(?i)\s*<(!doctype html|html)", "a web page, not the picture behind it"),
    (_RAW_STARTS, RAW),
    (_FILM_STARTS, FILM),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (rb"\0\0\0\x0cJXL |\xff\x0a", "a JPEG XL picture"),
    (rb"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
)
_HINT = "Save it as JPEG, PNG or WebP."
_HINTS = {
    RAW: "Save it as JPEG or PNG with the program that develops it.",
    FILM: "Save the pictures that you want from it as JPEG or PNG.",
}


def inspect(data: bytes) -> Header:
    """Return what the file says; raises Damaged or Unsupported."""
    kind = kind_of(data[:MAGIC_BYTES])
    raw = kind is Kind.TIFF and _raw_tiff(data)
    if kind is None or raw:
        raise Unsupported(f"is {RAW}", _HINTS[RAW]) if raw else _stranger(data[:256])
    look = _LOOKS.get(kind)
    header = Header(kind, data) if look is None else look(data)
    if header.size is not None and min(header.size) < 1:
        raise Damaged("has no size in its header")
    return header


def _raw_tiff(data: bytes) -> bool:
    from facelign.imaging import tiff  # few photos are one, and a first answer waits for every load

    return re.match(_RAW_STARTS, data[:16], re.DOTALL) is not None or tiff.is_raw(data)


def _stranger(start: bytes) -> Damaged | Unsupported:
    if not start:
        return Damaged("is empty")
    if not start.strip(b"\0"):
        return Damaged("holds nothing but zeros")
    for pattern, what in _STRANGERS:
        if re.match(pattern, start, re.DOTALL):
            return Unsupported(f"is {what}", _HINTS.get(what, _HINT))
    if re.fullmatch(rb"[\t\n\r\x20-\x7e\x80-\xff]+", start):
        return Damaged("is text, no picture", _HINT)
    return Damaged("is no picture of a known kind", _HINT)


#: a progressive JPEG has about ten scans; thousands of them are an attack on time
MOST_SCANS = 200
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
#: application segments that decide how colors are stored: JFIF and Adobe
_COLOR_SEGMENTS = (0xE0, 0xEE)
#: what ends the data of a scan: any marker but restarts
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_START, _END = 0xDA, 0xD9
#: what may stand between two scans: tables, scans, notes and data of applications
_BETWEEN_SCANS = frozenset({0xC4, 0xCC, _START, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})


def _jpeg(data: bytes) -> Header:
    kept, at, turn = [b"\xff\xd8"], 2, 1
    size, channels, held, progressive = (0, 0), 3, 0.0, False
    while True:
        at = data.find(b"\xff", at)  # bytes between segments are skipped, as decoders do
        while at >= 0 and data[at + 1 : at + 2] == b"\xff":
            at += 1
        if at < 0 or at + 4 > len(data):
            raise Damaged("is truncated: the picture is missing")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _STANDALONE or marker == 0:
            at += 2
            continue
        if marker in (_END, _START):
            break
        segment = data[at : at + 2 + length]
        if marker in _FRAMES and len(segment) >= 10:
            tall, wide, channels = struct.unpack_from(">HHB", segment, 5)
            size = (max(size[0], wide), max(size[1], tall))
            progressive, held = marker in _PROGRESSIVE, _coefficients(segment)
        elif marker == 0xE1 and turn == 1 and segment[4:10] == b"Exif\0\0":
            turn = orientation(segment[4:])
        if marker in _COLOR_SEGMENTS or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
        at += 2 + max(length, 2)
    # a scan of all channels is the only one, unless each refines what came before
    alone = not progressive and data[at + 4] >= channels if at + 4 < len(data) else False
    end, closed = _scans_end(data, at, alone)
    before = sum(map(len, kept))
    # what lies behind a whole picture (a film, further pictures) is not handed on
    kept.append(data[at:end] if closed else data[at:])
    ends = None if closed else before + end - at
    return Header(Kind.JPEG, b"".join(kept), size, turn, ends, channels, 0.0 if alone else held)


def _scans_end(data: bytes, at: int, alone: bool) -> tuple[int, bool]:
    """Return where the scans from ``at`` on end, and whether an end marker says so."""
    scans = 0
    while True:
        if data[at + 1 : at + 2] == bytes([_START]):
            scans += 1
            if scans > MOST_SCANS:
                raise Unsupported(f"has more than {MOST_SCANS} scans, as no photo does")
        found = _AFTER_SCAN.search(data, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
        if found is None:
            return len(data), False
        at, marker = found.start(), data[found.start() + 1]
        if marker == _END:
            return found.end(), True
        if alone or marker not in _BETWEEN_SCANS:
            return at, False


def _coefficients(frame: bytes) -> float:
    """Return the bytes a pixel that a decoder holds of a picture in several scans."""
    areas = [(factors >> 4) * (factors & 15) for factors in frame[11::3]]
    return 2 * sum(areas) / max([1, *areas])


#: the chunks that make the picture; every other one is left out
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")


def _png(data: bytes) -> Header:
    if data[12:16] == b"CgBI":
        raise Unsupported("is a PNG in Apple's private form")
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise Damaged("is truncated: its header is missing")
    kept, at, turn = [data[:8]], 8, 1
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND" or not name.isalpha():
            break
        if name in _PNG_CHUNKS and at + 8 < len(data):
            kept.append(data[at : at + 12 + length])
        elif name == b"eXIf":
            turn = orientation(data[at + 8 : at + 8 + length])
        at += 12 + length
    kept.append(b"\0\0\0\0IEND\xaeB`\x82")
    wide, tall = struct.unpack_from(">II", data, 16)
    return Header(Kind.PNG, b"".join(kept), (wide, tall), turn)


def _webp(data: bytes) -> Header:
    size, turn, at = (0, 0), 1, 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 18]
        if name == b"VP8X" and len(body) == 10:
            wide, tall = int.from_bytes(body[4:7], "little"), int.from_bytes(body[7:10], "little")
            size = (wide + 1, tall + 1)
        elif name == b"VP8 " and len(body) == 10 and size == (0, 0):
            wide, tall = struct.unpack_from("<HH", body, 6)
            size = (wide & 0x3FFF, tall & 0x3FFF)
        elif name == b"VP8L" and len(body) >= 5 and size == (0, 0):
            bits = int.from_bytes(body[1:5], "little")
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif name == b"EXIF":
            turn = orientation(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return Header(Kind.WEBP, data, size, turn)


def _gif(data: bytes) -> Header:
    """Look at the first frame: it may be larger than the screen that the header names."""
    if len(data) < 13:
        raise Damaged("is truncated: its header is missing")
    wide, tall, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while at < len(data) and data[at] == 0x21:  # an extension: sub-blocks, the last is empty
        at += 2
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    if at + 10 > len(data) or data[at] != 0x2C:
        raise Damaged("is truncated: the picture is missing")
    left, top, width, height = struct.unpack_from("<HHHH", data, at + 1)
    return Header(Kind.GIF, data, (max(wide, left + width), max(tall, top + height)))


def _tiff(data: bytes) -> Header:
    from facelign.imaging import tiff

    tidy = tiff.tidy(data)
    return Header(Kind.TIFF, tidy.data, tidy.size, tidy.orientation)


_LOOKS: dict[Kind, Callable[[bytes], Header]] = {
    Kind.JPEG: _jpeg,
    Kind.PNG: _png,
    Kind.WEBP: _webp,
    Kind.GIF: _gif,
    Kind.TIFF: _tiff,
}
