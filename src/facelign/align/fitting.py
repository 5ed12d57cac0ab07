"""What layouts share: which points place a chip, and whether a face can have such points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from facelign.align.dlib_chip import TEMPLATES
from facelign.errors import ConfigError, DegenerateLandmarks, ModelMismatch
from facelign.geometry.templates import ARCFACE_FIVE
from facelign.types.arrays import ComplexArray, Float64Array, FloatArray
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE


def _centered(points: Float64Array) -> tuple[ComplexArray, float]:
    """Return points (k, 2) around their middle as k numbers x + iy, and their spread, px^2."""
    z = points[:, 0] + 1j * points[:, 1]
    z -= z.sum() / len(z)
    return z, float(np.vdot(z, z).real)


def _frontal(points: Float64Array) -> ComplexArray:
    z, spread = _centered(points)
    return z / math.sqrt(spread)


#: what a frontal face looks like, around its middle and of spread 1, for schemes that are judged
#: by their own points
_FRONTAL: Mapping[str, ComplexArray] = MappingProxyType(
    {
        "five": _frontal(ARCFACE_FIVE),
        "dlib-5": _frontal(TEMPLATES["dlib-5"][1]),
        # ears come last and go anywhere when a head turns: they are not judged
        "blaze-6": _frontal(
            np.concatenate([ARCFACE_FIVE[:3], ARCFACE_FIVE[3:].mean(axis=0, keepdims=True)])
        ),
    }
)

#: Least agreement with a frontal face, and how much better its mirror image may fit. YuNet's points
#: of 1,062 faces, profiles, masks and 10 px faces among them, agree to at least 0.73 and the mirror
#: image fits at most 0.07 better; a mirrored frontal face agrees to 0.23 and its mirror to 1.
LEAST_AGREEMENT, MOST_MIRRORED = 0.5, 0.15

#: points that lie closer together than this have fallen together, px (root mean square)
CLOSEST_PX = 0.5


def points_by(needs: tuple[str, ...], faces: Faces) -> str:
    """Return what places chips of a layout that ``needs`` one of these: a scheme's id, or "box".

    The landmarks as they are if the layout takes them, else the five that can be made of them,
    else the box. Raises ModelMismatch when the layout wants points that these faces have not.
    """
    landmarks = faces.landmarks
    if landmarks is not None:
        if landmarks.scheme.id in needs:
            return landmarks.scheme.id
        if FIVE.id in needs and landmarks.scheme.to_five:
            return FIVE.id
    if "box" in needs:
        return "box"
    if not len(faces):
        return needs[0]
    have = "no points" if landmarks is None else f"points of scheme '{landmarks.scheme.id}'"
    raise ModelMismatch(
        f"The layout aligns by {' or '.join(needs)}, but these faces have {have}.",
        "Choose a detector with five points (yunet, mtcnn), add a landmarker, or take the "
        "layout crop.",
    )


def landmarks_by(needs: tuple[str, ...], faces: Faces) -> Landmarks:
    """Return the landmarks that place the chips; raises ModelMismatch as ``points_by``."""
    scheme = points_by(needs, faces)
    if faces.landmarks is None:
        return Landmarks(np.zeros((0, FIVE.k, 2), np.float32), FIVE)
    return faces.landmarks.as_scheme(scheme)


def each(count: int, fit: Callable[[int], Float64Array]) -> Float64Array:
    """Return the maps (n, 2, 3) that ``fit`` gives for face 0, 1, ...

    Raises DegenerateLandmarks with the indices of all faces that it refused.
    """
    matrices, reasons = np.zeros((count, 2, 3)), {}
    for index in range(count):
        try:
            matrices[index] = fit(index)
        except DegenerateLandmarks as problem:
            reasons[index] = problem.message
    if reasons:
        first = next(iter(reasons.values()))
        message = first if count == 1 else f"{len(reasons)} of {count} faces cannot be: {first}"
        raise DegenerateLandmarks(message, "Leave these faces out.", tuple(reasons))
    return matrices


def check_chip(size: int, margin: float, usual: str, *, height: int = 0) -> None:
    """Raise ConfigError for a chip of such a side and margin, px, as nobody means.

    usual: what people mean. height: of a chip that is no square, 0 for one.
    """
    sides = (size, height or size)
    if not (min(sides) >= 8 and max(sides) <= 2048 and 0 <= margin <= 10_000):
        raise ConfigError(f"Size {size} and margin {margin} cannot be meant.", f"Take {usual}.")


def check_face(points: FloatArray, scheme_id: str) -> None:
    """Raise DegenerateLandmarks unless a face, seen from any side and turned, can have ``points``.

    points: (k, 2) px. A similarity leaves a share of the points' spread unexplained; a face is
    refused when that is most of it, or when its mirror image would explain clearly more. Schemes
    without a template are let through.
    """
    p = np.asarray(points, np.float64)
    if not np.isfinite(p).all():
        raise DegenerateLandmarks("The points are not finite.")
    frontal = _FRONTAL.get(scheme_id)
    z, spread = _centered(p if frontal is None else p[: len(frontal)])
    if spread < CLOSEST_PX * CLOSEST_PX * len(z):
        raise DegenerateLandmarks("The points fall together.")
    if frontal is None:
        return
    # how well similarities without and with reflection map the points (0 to 1, 1 = exactly): z may
    # be turned and scaled by a complex factor, or its mirror image, the conjugate, may
    straight = abs(np.vdot(frontal, z)) / math.sqrt(spread)
    mirrored = abs(np.dot(frontal, z)) / math.sqrt(spread)
    if mirrored > straight + MOST_MIRRORED:
        raise DegenerateLandmarks("The points are those of a mirrored face.")
    if straight < LEAST_AGREEMENT:
        raise DegenerateLandmarks("The points do not lie as a face's do.")


def eye_centers(points: FloatArray, scheme_id: str) -> tuple[Float64Array, Float64Array]:
    """Return the centers (2,) px of the subject's right and left eye.

    For five, dlib-5 or blaze-6 points.
    """
    p = np.asarray(points, np.float64)
    if scheme_id == "dlib-5":
        return p[2:4].mean(axis=0), p[0:2].mean(axis=0)
    return p[0], p[1]
