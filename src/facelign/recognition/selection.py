"""Which face of a photo is meant: named policies, never a guess."""

from __future__ import annotations

import numpy as np

from facelign.errors import InputError, NoFace, Remedy, SeveralFaces
from facelign.types.analysis import Analysis
from facelign.types.faces import Faces
from facelign.types.policies import FacePolicy

#: under this share of the largest face's height a face is background
BACKGROUND_SHARE = 0.5


def choose(faces: Faces, policy: FacePolicy, source: str) -> int:
    """Return the index of the face that ``policy`` means; raises NoFace or SeveralFaces."""
    if not len(faces):
        raise NoFace(f"No face was found in {source}.", "Try another photo or another detector.")
    heights = faces.heights
    if policy is FacePolicy.ONLY:
        counting = np.flatnonzero(heights >= BACKGROUND_SHARE * heights.max())
        if len(counting) > 1:
            raise SeveralFaces(
                f"{len(counting)} faces were found in {source}, and one is needed.",
                Remedy.LARGEST_FACE,
            )
        return int(counting[0])
    if policy is FacePolicy.LARGEST:
        sides = faces.boxes[:, 2:] - faces.boxes[:, :2]
        return int(np.argmax(sides[:, 0] * sides[:, 1]))
    if policy is FacePolicy.CENTRAL:
        middle = (np.asarray(faces.image_size, np.float32) - 1) / 2
        centers = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
        return int(np.argmin(np.linalg.norm(centers - middle, axis=1)))
    return int(np.argmax(faces.scores))


def face_of(analysis: Analysis, policy: FacePolicy) -> int:
    """Return the face that ``policy`` means, which has a chip.

    Raises the error of the photo, NoFace, SeveralFaces, and InputError when no chip fits it.
    """
    if analysis.error is not None:
        raise analysis.error
    index = choose(analysis.faces, policy, analysis.photo.source)
    if analysis.place_of(index) is None:
        raise InputError(f"The face cannot be aligned: {analysis.reason_of(index)}.")
    return index
