"""Pictures out: encoded, and onto the disk in one step."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from facelign.errors import BadArray, UnsupportedImage
from facelign.files import disk
from facelign.files.home import expanded
from facelign.types.arrays import ByteArray

Kind = Literal["png", "jpeg", "webp"]

_KINDS: dict[str, Kind] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
#: zlib level 3: half the time of level 6 for a file that is a few percent larger
_PNG_LEVEL = 3


def encode(pixels: ByteArray, kind: Kind = "png", *, quality: int = 92) -> bytes:
    """Return the file of a picture.

    pixels: (h, w, 3) uint8 RGB. quality: 1..100, of JPEG and WebP. Raises BadArray.
    """
    picture = np.asarray(pixels)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise BadArray(f"pixels: wanted (h, w, 3) uint8, got {picture.shape} {picture.dtype}.")
    if not 1 <= quality <= 100:
        raise BadArray(f"quality: wanted 1 to 100, got {quality}.")
    options = {
        "png": [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL],
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }[kind]
    suffix = ".jpg" if kind == "jpeg" else f".{kind}"
    try:
        done, buffer = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    except cv2.error:  # such as a side of over 65,535 px (JPEG) or 16,383 px (WebP)
        done = False
    if not done:
        tall, wide = picture.shape[:2]
        raise UnsupportedImage(f"A {kind} cannot hold {wide} x {tall} pixels.", "Write a PNG.")
    return bytes(buffer)


def data_url(pixels: ByteArray, kind: Kind = "png", *, quality: int = 92) -> str:
    """Return a picture as a data URL, for pages that stand alone."""
    body = base64.b64encode(encode(pixels, kind, quality=quality)).decode("ascii")
    return f"data:image/{kind};base64,{body}"


def write(path: str | Path, pixels: ByteArray, *, quality: int = 92) -> Path:
    """Write a picture in the format of the suffix (.png .jpg .jpeg .webp) and return its path.

    The file appears whole or not at all; folders are made. pixels: (h, w, 3) uint8 RGB.
    Raises InputError when the disk refuses, UnsupportedImage for another suffix, BadArray.
    """
    target = expanded(path)
    kind = _KINDS.get(target.suffix.lower())
    if kind is None:
        raise UnsupportedImage(
            f"{target.name} has no suffix of a picture that can be written.",
            f"Use one of {' '.join(_KINDS)}.",
        )
    disk.write(target, encode(pixels, kind, quality=quality))
    return target
