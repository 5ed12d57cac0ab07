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
from facelign.types.schemes import BLAZE_6, DLIB_5, FIVE, IBUG_68, MESH_468, MESH_478

#: centimeters from between the eyes' line: x to the picture's right, y up, z to the camera
_OUTER, _INNER = (4.446, 2.664, 3.173), (1.856, 2.585, 3.758)
_PUPIL = tuple((a + b) / 2 for a, b in zip(_OUTER, _INNER, strict=True))
_NOSE, _MOUTH = (0.0, -0.463, 7.587), (2.456, -4.343, 4.284)
_BENEATH_NOSE, _CHIN, _FOREHEAD = (0.0, -1.127, 7.476), (0.0, -9.403, 4.264), (0.0, 8.262, 4.482)
#: where the nose meets the upper lip, the middle of the mouth, and the cheek before the ear
_NOSE_BASE, _MIDDLE, _EAR = (0.0, -2.089, 6.058), (0.0, -4.268, 5.312), (7.664, 0.673, -2.436)


def _both(at: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return a place on the subject's right, which is the picture's left, and its partner."""
    return (-at[0], *at[1:]), at


#: for each scheme its points that are used, and their places on the mean face, cm
_MODELS: Mapping[str, tuple[tuple[int, ...], AnyArray]] = MappingProxyType(
    {
        FIVE.id: ((0, 1, 2, 3, 4), np.array([*_both(_PUPIL), _NOSE, *_both(_MOUTH)])),
        DLIB_5.id: (
            (2, 0, 3, 1, 4),
            np.array([*_both(_OUTER), *_both(_INNER), _NOSE_BASE]),
        ),
        BLAZE_6.id: (
            (0, 1, 2, 3, 4, 5),
            np.array([*_both(_PUPIL), _NOSE, _MIDDLE, *_both(_EAR)]),
        ),
        IBUG_68.id: (
            (36, 45, 39, 42, 30, 48, 54, 8),
            np.array([*_both(_OUTER), *_both(_INNER), _NOSE, *_both(_MOUTH), _CHIN]),
        ),
        **dict.fromkeys(
            (MESH_468.id, MESH_478.id),
            (
                (33, 263, 133, 362, 4, 1, 61, 291, 152, 10),
                np.array(
                    [
                        *(*_both(_OUTER), *_both(_INNER), _NOSE, _BENEATH_NOSE),
                        *(*_both(_MOUTH), _CHIN, _FOREHEAD),
                    ]
                ),
            ),
        ),
    }
)
#: schemes whose points lie almost in a plane: turned the other way they look nearly the same
_FLAT = frozenset({DLIB_5.id})
#: focal length, in spreads of the points, which on a face is about 6 cm: it is two meters away
_FOCAL = 30.0


def head_pose(landmarks: Landmarks) -> Float32Array | None:
    """Return yaw, pitch and roll (n, 3), degrees; None for points that place no head.

    Yaw > 0: the subject looks to its own left, pitch > 0: down, roll > 0: the head leans to its own
    right shoulder. Five, dlib's five, BlazeFace's six, 68 and 468 points place a head
    (Perspective-n-Point: Terzakis and Lourakis, "A Consistently Fast and Globally Optimal Solution
    to the Perspective-n-Point Problem", ECCV 2020). dlib's five lie almost in a plane, so that two
    poses explain them: the one that is reached from a frontal face is taken. Points that no head
    can have give 0.
    """
    scheme = landmarks.scheme.id
    if scheme not in _MODELS:
        return None
    used, model = _MODELS[scheme]
    head = model * [1.0, -1.0, -1.0]  # as cameras count: y down, z away
    points = landmarks.points[:, list(used)].astype(np.float64)
    found = [_one(face, head, flat=scheme in _FLAT) for face in points]
    return np.array(found, np.float32).reshape(len(landmarks), 3)


def _one(points: AnyArray, head: AnyArray, *, flat: bool) -> tuple[float, float, float]:
    """Return the pose of one face. points, head: the eyes' outermost come first, right and left."""
    seen = points - points.mean(axis=0)
    spread = float(np.sqrt((seen * seen).sum(axis=1).mean()))
    if not np.isfinite(seen).all() or spread < 1e-3:
        return 0.0, 0.0, 0.0
    camera = np.diag([_FOCAL, _FOCAL, 1.0])
    seen /= spread
    try:
        if flat:
            across = seen[1] - seen[0]
            start = np.array([0.0, 0.0, np.arctan2(across[1], across[0])])
            away = np.array([0.0, 0.0, _FOCAL * float(np.hypot(*head[:, :2].std(axis=0)))])
            how = cv2.SOLVEPNP_ITERATIVE
            sound, turn, _ = cv2.solvePnP(
                head, seen, camera, None, start[:, None], away[:, None], True, how
            )
        else:
            sound, turn, _ = cv2.solvePnP(head, seen, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:
        return 0.0, 0.0, 0.0
    r = cv2.Rodrigues(turn)[0]
    if not sound or not np.isfinite(r).all():
        return 0.0, 0.0, 0.0
    yaw = np.arcsin(np.clip(r[2, 0], -1.0, 1.0))
    pitch, roll = np.arctan2(r[2, 1], r[2, 2]), -np.arctan2(r[1, 0], r[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
