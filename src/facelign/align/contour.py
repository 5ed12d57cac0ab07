"""Chips without what surrounds a face: the hull of its 68 or 468 points stays, the rest is black.

The stage between alignment and the network that some recipes call normalization: background, hair
and clothes are taken away. Networks were not trained on such chips, so it is off by default and
part of the space; docs/stages/align.md says what it costs.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from facelign.errors import BadArray, ModelMismatch
from facelign.geometry.transforms import apply
from facelign.types.chips import Chips
from facelign.types.faces import Faces
from facelign.types.schemes import IBUG_68, MESH_468, MESH_478

#: points of the contour -> schemes of landmarks that give them
_GIVERS = {
    68: (IBUG_68.id, MESH_468.id, MESH_478.id),
    468: (MESH_468.id, MESH_478.id),
}
_ADVICE = "Add a landmarker: mesh-468 gives both, face-api-68 the 68 points."


def check_contour(points: int, scheme: str) -> None:
    """Raise ModelMismatch unless landmarks of ``scheme`` give a contour of so many points.

    points: 68 or 468; 0 for no contour.
    """
    if points and scheme not in _GIVERS[points]:
        raise ModelMismatch(
            f"Preprocessing 'contour={points}' needs {points} points, and here are {scheme}.",
            _ADVICE,
        )


def blanked(chips: Chips, faces: Faces, points: int) -> Chips:
    """Return the chips, black outside of the hull of 68 or 468 points of their faces.

    faces: those of the chips, in their order. Raises ModelMismatch where they lack such points.
    """
    marks = faces.landmarks
    check_contour(points, "box" if marks is None else marks.scheme.id)
    if marks is None or chips.to_chip is None or len(chips) != len(faces):
        raise BadArray(f"chips: wanted those of {len(faces)} faces with their maps.")
    hulls = marks.as_scheme(IBUG_68.id).points if points == IBUG_68.k else marks.points
    pixels = np.zeros_like(chips.pixels)
    for chip, matrix, outline, shown in zip(
        chips.pixels, chips.to_chip, hulls, pixels, strict=True
    ):
        # in 1/16 px, and no farther out than integers reach
        spots = np.clip(apply(matrix, outline) * 16, -(1 << 20), 1 << 20)
        inside = np.zeros(chip.shape[:2], np.uint8)
        hull = cv2.convexHull(np.round(spots).astype(np.int32))
        cv2.fillConvexPoly(inside, hull, 1, shift=4)
        shown[inside == 1] = chip[inside == 1]
    return replace(chips, pixels=pixels)
