"""A TIFF file reduced to the tags that describe its first picture.

Why: the other tags (EXIF, makers' notes, further pages) are where damaged and hostile files make
decoders warn, recurse and allocate, and nothing of them is needed. TIFF 6.0, and BigTIFF.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from facelign.imaging.exif import ORIENTATION
from facelign.imaging.faults import Damaged, Unsupported

WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT = 256, 257, 322, 323
#: the tags of TIFF 6.0 that a decoder needs; those of the first set hold one value
_SINGLE = {WIDTH, HEIGHT, 259, 262, 266, 277, 278, 284, 292, 293, 317, TILE_WIDTH, TILE_HEIGHT}
_SINGLE |= {332, 512, 513, 514, 515, 531}
_SEVERAL = {258, 273, 279, 320, 324, 325, 338, 339, 347, 519, 520, 521, 529, 530, 532}
#: bytes of one value, by type code
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8}
_UNSIGNED = {1: "B", 3: "H", 4: "I", 16: "Q"}


@dataclass(frozen=True, slots=True)
class _Form:
    """The two layouts of the format: where the directory is named, and how it is packed."""

    order: str
    link_at: int
    count: str
    entry: str
    link: str
    room: int  # bytes of a value that are kept inside the entry

    @property
    def entry_bytes(self) -> int:
        return struct.calcsize(self.order + self.entry) + self.room


@dataclass(frozen=True, slots=True)
class Tidy:
    """data: the file with one small directory; size: (width, height); orientation: 1..8."""

    data: bytes
    size: tuple[int, int]
    orientation: int


def tidy(data: bytes) -> Tidy:
    """Return the first picture of the file alone; raises Damaged when there is none."""
    form = _form(data)
    try:
        (start,) = struct.unpack_from(form.order + form.link, data, form.link_at)
        (count,) = struct.unpack_from(form.order + form.count, data, start)
    except (struct.error, OverflowError):  # a place beyond the end, or beyond every file
        raise Damaged("is truncated: its directory is missing") from None
    first = start + struct.calcsize(form.order + form.count)
    kept: list[bytes] = []
    numbers: dict[int, int] = {}
    for at in range(first, first + form.entry_bytes * min(count, 4096), form.entry_bytes):
        entry = data[at : at + form.entry_bytes]
        if len(entry) < form.entry_bytes:
            break
        if _sound(form, entry, len(data), numbers):
            kept.append(entry)
    size = (numbers.get(WIDTH, 0), numbers.get(HEIGHT, 0))
    tile = (numbers.get(TILE_WIDTH, 0), numbers.get(TILE_HEIGHT, 0))
    if min(size) < 1:
        raise Damaged("has no size in its header")
    # a tile may pad the picture, but one that is far larger only asks for memory
    if max(tile[0] - size[0], tile[1] - size[1]) > 4096:
        raise Unsupported("has tiles far larger than its picture")
    return Tidy(_rewritten(form, data, kept), size, numbers.get(ORIENTATION, 1))


def is_raw(data: bytes) -> bool:
    """Say whether the file is a raw photo (DNG, NEF, CR2, ARW, ...): a TIFF of another kind inside.

    Its first picture may be a preview of a few pixels, as in DNG 1.7 and TIFF/EP; so a file whose
    first picture says that it is a reduced one counts as raw.
    """
    form = _form(data)
    try:
        (start,) = struct.unpack_from(form.order + form.link, data, form.link_at)
        first = _directory(form, data, start)
        inside = [_directory(form, data, at) for at in first.get(_SUB_DIRECTORIES, ())[:16]]
    except (struct.error, OverflowError):  # ``tidy`` says what is wrong
        return False
    if _DNG_VERSION in first or first.get(_SUBFILE, (0,))[0] & 1:
        return True
    return any(set(d.get(_PHOTOMETRIC, ())) & _SENSOR for d in (first, *inside))


#: tags of TIFF 6.0, TIFF/EP and DNG; and how the pixels of a sensor are said to be stored
_SUBFILE, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 254, 262, 330, 50706
_SENSOR = {32803, 34892}
#: types of unsigned values, those of places in the file among them
_NUMBERS = {**_UNSIGNED, 13: "I", 18: "Q"}


def _directory(form: _Form, data: bytes, start: int) -> dict[int, tuple[int, ...]]:
    """Return the unsigned values of a directory by tag; raises struct.error."""
    (count,) = struct.unpack_from(form.order + form.count, data, start)
    first = start + struct.calcsize(form.order + form.count)
    found = {}
    for at in range(first, first + form.entry_bytes * min(count, 4096), form.entry_bytes):
        tag, kind, many = struct.unpack_from(form.order + form.entry, data, at)
        place = at + form.entry_bytes - form.room
        if kind in _NUMBERS and 0 < many <= 4096:
            packed = f"{form.order}{many}{_NUMBERS[kind]}"
            if struct.calcsize(packed) > form.room:
                (place,) = struct.unpack_from(form.order + form.link, data, place)
            found[tag] = struct.unpack_from(packed, data, place)
    return found


def _form(data: bytes) -> _Form:
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] in (b"\x2b\x00", b"\x00\x2b"):
        return _Form(order, 8, "Q", "HHQ", "Q", 8)
    return _Form(order, 4, "H", "HHI", "I", 4)


def _sound(form: _Form, entry: bytes, length: int, numbers: dict[int, int]) -> bool:
    """Say whether the entry is to be kept; single unsigned values are put into ``numbers``."""
    tag, kind, count = struct.unpack_from(form.order + form.entry, entry)
    bytes_needed = _BYTES.get(kind, 0) * count
    if not bytes_needed:
        return False
    at = len(entry) - form.room
    if count == 1 and kind in _UNSIGNED and bytes_needed <= form.room:
        (value,) = struct.unpack_from(form.order + _UNSIGNED[kind], entry, at)
        if tag == ORIENTATION:
            numbers[tag] = value if 1 <= value <= 8 else 1
        elif tag in _SINGLE:
            numbers[tag] = max(value, numbers.get(tag, 0))
    if bytes_needed > form.room:
        (offset,) = struct.unpack_from(form.order + form.link, entry, at)
        if offset + bytes_needed > length:
            return False
    return (tag in _SINGLE and count == 1) or tag in _SEVERAL


def _rewritten(form: _Form, data: bytes, entries: list[bytes]) -> bytes:
    pad = b"\0" * (-len(data) % 8)
    place = struct.pack(form.order + form.link, len(data) + len(pad))
    end = form.link_at + len(place)
    directory = struct.pack(form.order + form.count, len(entries)) + b"".join(entries)
    no_more = struct.pack(form.order + form.link, 0)
    return b"".join((data[: form.link_at], place, data[end:], pad, directory, no_more))
