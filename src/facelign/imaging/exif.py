"""The one EXIF tag that moves pixels, read so that broken EXIF costs nothing."""

from __future__ import annotations

import struct

#: tag 0x0112 of TIFF 6.0 and EXIF 2.3: how the stored rows and columns lie in the upright picture
ORIENTATION = 0x0112
_FORMS = {1: "B", 3: "H", 4: "I"}  # BYTE and LONG are wrong here, but written by some


def orientation(block: bytes) -> int:
    """Return the orientation (1..8) that an EXIF block names; 1 when it names none.

    block: a TIFF structure, with or without the ``Exif`` prefix. Anything broken counts as none.
    """
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return 1
    (start,) = struct.unpack_from(order + "I", block, 4)
    if start + 2 > len(block):
        return 1
    (count,) = struct.unpack_from(order + "H", block, start)
    for at in range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", block, at)
        if tag == ORIENTATION:
            if kind not in _FORMS:
                return 1
            (code,) = struct.unpack_from(order + _FORMS[kind], block, at + 8)
            return code if 1 <= code <= 8 else 1
    return 1
