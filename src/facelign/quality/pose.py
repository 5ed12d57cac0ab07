"""Which way a head looks, in degrees, from points in a photo and where they lie on a mean face.

The mean face is MediaPipe's canonical one (mediapipe/modules/face_geometry/data/
canonical_face_model.obj, Apache-2.0): a few of its points, which every scheme has in its own
numbering. The camera is unknown; it is taken to look straight at the face, from so far away that
perspective plays a small part: angles are those to the line of sight, also at the photo's edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np

from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, IBUG_68, MESH_468

#: centimeters from between the eyes' line: x to the picture's right, y up, z to the camera
_OUTER, _INNER = (4.446, 2.664, 3.173), (1.856, 2.585, 3.758)
_PUPIL = tuple((a + b) / 2 for a, b in zip(_OUTER, _INNER, strict=True))
_NOSE, _MOUTH = (0.0, -0.463, 7.587), (2.456, -4.343, 4.284)
_BENEATH_NOSE, _CHIN, _FOREHEAD = (0.0, -1.127, 7.476), (0.0, -9.403, 4.264), (0.0, 8.262, 4.482)


def _both(at: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return a place on the subject's right, which is the picture's left, and its partner."""
    return (-at[0], *at[1:]), at


#: for each scheme its points that are used, and their places on the mean face, cm
_MODELS: Mapping[str, tuple[tuple[int, ...], AnyArray]] = MappingProxyType(
    {
        FIVE.id: ((0, 1, 2, 3, 4), np.array([*_both(_PUPIL), _NOSE, *_both(_MOUTH)])),
        IBUG_68.id: (
            (36, 45, 39, 42, 30, 48, 54, 8),
            np.array([*_both(_OUTER), *_both(_INNER), _NOSE, *_both(_MOUTH), _CHIN]),
        ),
        MESH_468.id: (
            (33, 263, 133, 362, 4, 1, 61, 291, 152, 10),
            np.array(
                [
                    *(*_both(_OUTER), *_both(_INNER), _NOSE, _BENEATH_NOSE),
                    *(*_both(_MOUTH), _CHIN, _FOREHEAD),
                ]
            ),
        ),
    }
)
#: focal length, in spreads of the points, which on a face is about 6 cm: it is two meters away
_FOCAL = 30.0


def head_pose(landmarks: Landmarks) -> Float32Array | None:
    """Return yaw, pitch and roll (n, 3), degrees; None for points that place no head.

    Yaw > 0: the subject looks to its own left, pitch > 0: down, roll > 0: the head leans to its own
    right shoulder. Five, 68 and 468 points place a head (Perspective-n-Point: Terzakis and
    Lourakis, "A Consistently Fast and Globally Optimal Solution to the Perspective-n-Point
    Problem", ECCV 2020). Points that no head can have give 0.
    """
    if landmarks.scheme.id not in _MODELS:
        return None
    used, model = _MODELS[landmarks.scheme.id]
    head = model * [1.0, -1.0, -1.0]  # as cameras count: y down, z away
    found = [_one(points, head) for points in landmarks.points[:, list(used)].astype(np.float64)]
    return np.array(found, np.float32).reshape(len(landmarks), 3)


def _one(points: AnyArray, head: AnyArray) -> tuple[float, float, float]:
    seen = points - points.mean(axis=0)
    spread = float(np.sqrt((seen * seen).sum(axis=1).mean()))
    if not np.isfinite(seen).all() or spread < 1e-3:
        return 0.0, 0.0, 0.0
    camera = np.diag([_FOCAL, _FOCAL, 1.0])
    try:
        sound, turn, _ = cv2.solvePnP(head, seen / spread, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:
        return 0.0, 0.0, 0.0
    r = cv2.Rodrigues(turn)[0]
    if not sound or not np.isfinite(r).all():
        return 0.0, 0.0, 0.0
    yaw = np.arcsin(np.clip(r[2, 0], -1.0, 1.0))
    pitch, roll = np.arctan2(r[2, 1], r[2, 2]), -np.arctan2(r[1, 0], r[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
