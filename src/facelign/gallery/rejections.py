"""What a rejection bars: a photo, or one face of it.

A rejection is known by a key: the digest of the photo, and for one face of it the box behind an @,
whole px toward zero. So stores keep and move both kinds alike, and compare a template's own key.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.geometry.boxes import iou

#: two boxes that overlap more than this (IoU) are the same face of a photo
SAME_FACE_IOU = 0.3
Box = Sequence[float]


def key_of(digest: str, box: Box | None = None) -> str:
    """Return the key of a photo, or of one face of it."""
    return digest if box is None else f"{digest}@{','.join(str(int(side)) for side in box)}"


def keys_of(digest: str, box: Box | None) -> tuple[str, ...]:
    """Return the keys of the rejections that set a template aside."""
    return (digest,) if box is None else (digest, key_of(digest, box))


def digest_of(key: str) -> str:
    """Return the digest of the photo that a rejection is about."""
    return key.partition("@")[0]


def bars(key: str, digest: str, box: Box | None) -> bool:
    """Return whether a rejection is about a face of a photo; one of a face bars no unknown box."""
    photo, _, face = key.partition("@")
    if photo != digest or not face:
        return photo == digest
    return box is not None and same_face([float(side) for side in face.split(",")], box)


def same_face(box: Box, other: Box) -> bool:
    """Return whether two boxes of a photo are one face."""
    return bool(iou(np.array([box]), np.array([other]))[0, 0] > SAME_FACE_IOU)
