"""What a face does, from the points of a mesh over time: eyes, mouth, turns, and depth.

Everything is told against the same person at rest. The points of a frame are first laid onto the
resting face by the parts that do not move in it (corners of the eyes, nose), so that a face that
leans, comes nearer or is seen aslant opens no mouth and closes no eye by that.

Eyes and mouth: how far lids and lips are apart, after Soukupová and Čech, "Real-Time Eye Blink
Detection using Facial Landmarks", CVWW 2016. Depth: a picture that is turned moves as a plane does,
by a homography (Hartley and Zisserman, "Multiple View Geometry", 2004, chapter 13), and in front of
a real face the nose runs ahead of it. A mesh that was trained on faces sees a turned head in a
picture that is held much aslant too; so the nose must run ahead in the detector's five points as
well, which come from another network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import AnyArray, Float64Array
from facelign.types.schemes import FIVE, MESH_468

#: outer corners of the eyes, the subject's right and left: their distance is the unit of length
_CORNERS = (33, 263)
#: the same of the five points
_EYES = (0, 1)
#: what keeps its place in a face: corners of the eyes, ridge and wings of the nose
_FIRM = (33, 133, 362, 263, 168, 6, 197, 195, 4, 98, 327)
#: what lies about in one plane, without the nose: corners of eyes and mouth, brows, cheeks, chin
_PLANE = (33, 133, 362, 263, 61, 291, 105, 334, 50, 280, 205, 425, 9, 199)
_NOSE = (1, 4, 5)
#: upper and lower lid, from the corner outside to that inside, the subject's right eye and left
_LIDS = (
    ((161, 163), (160, 144), (159, 145), (158, 153), (157, 154)),
    ((388, 390), (387, 373), (386, 374), (385, 380), (384, 381)),
)
_LIPS = ((13, 14), (82, 87), (312, 317))


@dataclass(frozen=True, slots=True, eq=False)
class Signs:
    """One frame of a face. time_s: since the first frame. points: (468, 2) of the mesh, px. five:
    (5, 2) of the detector, px. yaw: degrees, > 0 when the subject looks to its own left.
    """

    time_s: float
    points: Float64Array
    five: Float64Array
    yaw: float

    def __post_init__(self) -> None:
        for name, points, k in (("points", self.points, MESH_468.k), ("five", self.five, FIVE.k)):
            if points.shape != (k, 2) or not np.isfinite(points).all():
                raise BadArray(f"{name}: wanted ({k}, 2) finite numbers.")

    @property
    def middle(self) -> Float64Array:
        """The middle of the face (2,), px."""
        return np.asarray(self.points.mean(axis=0))

    @property
    def width(self) -> float:
        """The width of the face, px."""
        return float(np.ptp(self.points[:, 0]))


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """A person at rest. points: (468, 2), in distances of the outer corners of the eyes. five:
    (5, 2), in distances of the eyes. yaw: degrees.
    """

    points: Float64Array
    five: Float64Array
    yaw: float


@dataclass(frozen=True, slots=True)
class Expression:
    """What a face does in one frame, against its rest.

    eyes: how far the wider one of both is open, 1 as at rest, about 0.5 or less when closed.
    mouth: how much farther the lips are apart, in distances of the outer corners of the eyes.
    turn: degrees, > 0 to the subject's own left. parallax: how far the nose runs ahead of the plane
    of the face, to the subject's left, in the same distances: about 0 for a flat picture.
    parallax_five: the same by the detector's points, in distances of the eyes. bend:
    how far all points are from where they would be in a flat picture, root mean square. slant: how
    many times narrower the face is seen in one direction than in another, 1 or more.
    """

    time_s: float
    eyes: float
    mouth: float
    turn: float
    parallax: float
    parallax_five: float
    bend: float
    slant: float


def resting(signs: Sequence[Signs]) -> Rest:
    """Return the resting state that a few frames show."""
    points = np.median([_level(sign.points, _CORNERS) for sign in signs], axis=0)
    five = np.median([_level(sign.five, _EYES) for sign in signs], axis=0)
    return Rest(points, five, float(np.median([sign.yaw for sign in signs])))


def expression(rest: Rest, signs: Signs) -> Expression:
    """Return what a face does in a frame."""
    still, now = rest.points, _level(signs.points, _CORNERS)
    how = _affine(now, still, _FIRM)
    laid = _full(now) @ how
    eyes = max(_gap(laid, lids) / max(_gap(still, lids), 1e-6) for lids in _LIDS)
    flat = _as_plane(still, now, _PLANE)
    wide, narrow = np.linalg.svd(how[:2], compute_uv=False)
    ahead = (now - flat)[list(_NOSE), 0].mean()
    return Expression(
        time_s=signs.time_s,
        eyes=eyes,
        mouth=_gap(laid, _LIPS) - _gap(still, _LIPS),
        turn=signs.yaw - rest.yaw,
        parallax=float(ahead),
        parallax_five=_ahead_of_five(rest.five, _level(signs.five, _EYES)),
        bend=float(np.sqrt(((now - flat) ** 2).sum(axis=1).mean())),
        slant=float(wide / max(narrow, 1e-6)),
    )


def _level(points: AnyArray, eyes: tuple[int, int]) -> Float64Array:
    """Return points with two of them level, (0, 0) in their middle, their distance 1."""
    right, left = points[eyes[0]], points[eyes[1]]
    x, y = left - right
    length = max(float(x * x + y * y), 1e-12)
    turn = np.array([[x, y], [-y, x]]) / length
    return np.asarray((points - (right + left) / 2) @ turn.T, np.float64)


def _ahead_of_five(still: AnyArray, now: AnyArray) -> float:
    """Return how far the nose is ahead of where a flat picture with these eyes and mouth has it.

    In distances of the eyes of a face that is seen straight, which a turned one has shorter.
    """
    around = [_EYES[0], _EYES[1], 4, 3]
    areas = [cv2.contourArea(points[around].astype(np.float32)) for points in (still, now)]
    if min(areas) <= 1e-6:
        return 0.0
    ahead = now[2, 0] - _as_plane(still, now, around)[2, 0]
    return float(ahead / np.sqrt(areas[1] / areas[0]))


def _full(points: AnyArray) -> Float64Array:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def _affine(points: AnyArray, onto: AnyArray, by: Sequence[int]) -> Float64Array:
    """Return the affine map (3, 2) that lays some points onto others best."""
    chosen = list(by)
    return np.asarray(np.linalg.lstsq(_full(points)[chosen], onto[chosen], rcond=None)[0])


def _as_plane(points: AnyArray, onto: AnyArray, by: Sequence[int]) -> Float64Array:
    """Return where points were if the face were a picture in a plane that took on another pose.

    by: which of them tell the pose, four or more.
    """
    chosen = list(by)
    how, _ = cv2.findHomography(points[chosen], onto[chosen], 0)
    if how is None or not np.isfinite(how).all():
        return np.asarray(_full(points) @ _affine(points, onto, by))
    return np.asarray(cv2.perspectiveTransform(points[None], how)[0], np.float64)


def _gap(points: AnyArray, pairs: Sequence[tuple[int, int]]) -> float:
    upper, lower = (points[[pair[i] for pair in pairs]] for i in (0, 1))
    return float(np.linalg.norm(upper - lower, axis=1).mean())
