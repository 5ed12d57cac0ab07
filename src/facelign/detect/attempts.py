"""Second tries for a photo in which nothing was found: with a border, then turned."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np

from facelign.errors import ConfigError
from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized, scaled
from facelign.types.analysis import Analysis
from facelign.types.arrays import ByteArray, FloatArray
from facelign.types.contracts import Detector
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.policies import Attempts

Quarter = Literal[90, 180, 270]
_QUARTERS: tuple[Quarter, ...] = (90, 180, 270)

#: a face that needs a border fills the photo, so a copy of this long side shows enough of it
_PADDED_SIDE = 640


def find(detector: Detector, image: Image, options: Attempts | None = None) -> Analysis:
    """Return the faces of ``image``, in its plane; the tries of ``options`` are made when needed.

    Needed means that the plain look found nothing, or that what it found tells of a photo that
    lies on its side: most faces have their eyes one above the other, or the detector itself says
    that its best face looks like one that is not upright (``upright_score``). The padded try
    ends the search when it finds a face. Of the turned tries the one whose best face has the
    highest score counts, and it must be better than the plain look.
    """
    options = options or Attempts()
    plain = Analysis.of(image, detector.detect(image))
    if len(plain.faces):
        quarters = _suspected(detector, plain.faces) if options.turned else ()
        return _best_turn(detector, image, options, plain, quarters)
    if options.padded:
        plain = replace(plain, attempts=("padded",))
        framed = _padded(detector, image, options.border)
        framed = framed[framed.scores >= detector.score_floor + options.margin]
        if len(framed):
            return replace(plain, faces=framed, found_by="padded")
    return _best_turn(detector, image, options, plain, _QUARTERS if options.turned else ())


def _suspected(detector: Detector, faces: Faces) -> tuple[Quarter, ...]:
    """Return the turns that may set right a photo in which ``faces`` were found."""
    lying = _lying(faces)
    if lying:
        return (lying,)
    upright = detector.upright_score
    if upright is not None and float(faces.scores.max()) < upright:
        return _QUARTERS
    return ()


def _lying(faces: Faces) -> Quarter | None:
    """Return the turn that sets most faces upright when their points say so, or None."""
    if faces.landmarks is None or faces.landmarks.scheme.to_five is None:
        return None
    points = faces.landmarks.as_scheme("five").points
    across = points[:, 1] - points[:, 0]
    tilt = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    quarters = np.round(tilt / 90.0).astype(int) % 4
    # a person or two may lie in an upright photo: most faces must agree
    for quarter, degrees in ((1, 270), (2, 180), (3, 90)):
        if 2 * int((quarters == quarter).sum()) > len(quarters):
            return _QUARTERS[degrees // 90 - 1]
    return None


def _best_turn(
    detector: Detector,
    image: Image,
    options: Attempts,
    plain: Analysis,
    quarters: tuple[Quarter, ...],
) -> Analysis:
    """Return the best of the turns ``quarters``, or ``plain`` where none is better."""
    floor = float(plain.faces.scores.max()) if len(plain.faces) else 0.0
    needed = max(_needed(detector, options), floor + 1e-3)
    tried = plain.attempts
    best: tuple[float, Faces, Quarter] | None = None
    for degrees in quarters:
        tried = (*tried, f"turned-{degrees}")
        faces = detector.detect(image.turned(degrees))
        top = float(faces.scores.max()) if len(faces) else 0.0
        if top >= needed and (best is None or top > best[0]):
            best = (top, faces, degrees)
    if best is None:
        return replace(plain, attempts=tried)
    _, faces, degrees = best
    if not len(plain.faces):
        # in a photo that seemed empty only faces that are sure are believed
        faces = faces[faces.scores >= _needed(detector, options)]
    back = turned_back(faces, degrees, image.size)
    by = f"turned-{degrees}"
    return replace(plain, faces=back, attempts=tried, found_by=by, turned_deg=degrees)


def turned_back(faces: Faces, degrees: int, size: tuple[int, int]) -> Faces:
    """Return faces of ``image.turned(degrees)`` in the plane of ``image``, whose size is ``size``.

    Landmarks keep their numbers: right and left are the person's own, however the photo lies.
    """
    if degrees % 360 == 0:
        return faces
    corners = _turn_points(faces.boxes.reshape(-1, 2, 2), degrees, size)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    marks = faces.landmarks
    if marks is not None:
        marks = replace(marks, points=_turn_points(marks.points, degrees, size).astype(np.float32))
    return replace(faces, boxes=boxes.astype(np.float32), landmarks=marks, image_size=size)


def turned_with(faces: Faces, degrees: int) -> Faces:
    """Return faces of an image in the plane of ``image.turned(degrees)``: undoes turned_back."""
    if degrees % 360 == 0:
        return faces
    w, h = faces.image_size
    size = (w, h) if degrees % 180 == 0 else (h, w)
    return turned_back(faces, (360 - degrees) % 360, size)


def _turn_points(points: FloatArray, degrees: int, size: tuple[int, int]) -> FloatArray:
    """Return points (..., 2) of a photo that was turned clockwise, in the photo of ``size``."""
    w, h = size
    x, y = points[..., 0], points[..., 1]
    if degrees == 90:
        turned = (y, h - 1 - x)
    elif degrees == 180:
        turned = (w - 1 - x, h - 1 - y)
    elif degrees == 270:
        turned = (w - 1 - y, x)
    else:
        raise ConfigError(f"degrees: wanted 90, 180 or 270, got {degrees}.")
    return np.stack(turned, axis=-1)


def _needed(detector: Detector, options: Attempts) -> float:
    sure = detector.sure_score
    return detector.score_floor + options.margin if sure is None else sure


def _padded(detector: Detector, image: Image, border: float) -> Faces:
    """Return the faces of a copy with a border of mid gray, in the plane of ``image``."""
    h, w = image.pixels.shape[:2]
    pixels = resized(image.pixels, scaled((w, h), min(1.0, _PADDED_SIDE / max(w, h))))
    rows, columns = pixels.shape[:2]
    edge = max(1, round(border * max(rows, columns)))
    border_copy = cv2.copyMakeBorder(
        pixels, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(127, 127, 127)
    )
    framed: ByteArray = np.asarray(border_copy, np.uint8)
    seen = detector.detect(Image(framed, (framed.shape[1], framed.shape[0]), source=image.source))
    if not len(seen):
        return Faces.none(seen.detector, image.size)
    scale = (image.scale * columns / w, image.scale * rows / h)
    plane = PlaneMap(scale, (float(edge), float(edge)))
    marks = seen.landmarks
    if marks is not None:
        marks = replace(marks, points=plane.back(marks.points))
    return replace(seen, boxes=plane.boxes_back(seen.boxes), landmarks=marks, image_size=image.size)
