"""What dlib's descriptors look like, so that other vectors of 128 numbers are not taken for them.

SFace, MobileFaceNet, FaceNet and OpenFace give 128 numbers too, and no file of theirs says so.
But dlib's network was trained with a margin on plain distances, without centering: its vectors are
1.26 to 1.64 long and all lie on one side (cosine to their mean at least 0.85, over 737 faces of
five sets of photos), where vectors of SFace and MobileFaceNet have cosines of -0.32 to 0.23 to that
mean and lengths of 9 to 22, and those of the others length 1 or about 11.
"""

from __future__ import annotations

import base64

import numpy as np

from facelign.errors import DatasetMalformed, Remedy
from facelign.types.arrays import Float32Array
from facelign.types.embeddings import Metric, Space

#: what face_recognition and the articles on it compute (dlib_face_recognition_resnet_model_v1)
DLIB_SPACE = Space("dlib-resnet/dlib-150/dlib-5", 128, Metric.EUCLIDEAN, unit=False)
#: lengths and least cosine to the mean that a descriptor may have, with room on both sides
_LENGTHS = (1.1, 1.8)
_LEAST_COSINE = 0.6
#: the direction of the mean of 481 people's descriptors (LFW), 128 signed bytes
_MEAN = base64.b64decode(
    "3x4T8eD7+90x60P1rvL3Ks3W2eMFDQoI0pnp4BLhBRPE7gkV8OlGBMYBEVZDAAfqJ6gRMSYZG80GLcMZGOHx8Tge3tA3"
    "0fMb3sipD38sxAXm+wsO5vPhCT/3+EoC/g0Q2v7a/BHeAx7GN/r5/vrk/TusRzsCLhYWAP/U3gz2Bgs="
)


def refuse_others(vectors: Float32Array, name: str) -> None:
    """Raise DatasetMalformed when vectors (n, d) are not dlib's descriptors (of 128 numbers).

    name: of the file, for people.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    mean = np.frombuffer(_MEAN, np.int8).astype(np.float64)
    if vectors.shape[1] != len(mean):
        raise DatasetMalformed(
            f"{name}: {len(vectors)} of {len(vectors)} vectors are no descriptors of dlib "
            f"(they have {vectors.shape[1]} numbers, wanted {len(mean)}).",
            Remedy.WHOSE,
        )
    along = vectors @ (mean / np.linalg.norm(mean))
    low, high = _LENGTHS
    fits = (lengths >= low) & (lengths <= high) & (along >= _LEAST_COSINE * lengths)
    if fits.all():
        return
    row = int(np.argmin(fits))
    cosine = along[row] / max(lengths[row], 1e-12)
    raise DatasetMalformed(
        f"{name}: {int((~fits).sum())} of {len(fits)} vectors are no descriptors of dlib "
        f"(template {row + 1} has length {lengths[row]:.2f} and cosine {cosine:.2f} to their mean; "
        f"wanted {low} to {high}, and {_LEAST_COSINE} or more).",
        Remedy.WHOSE,
    )
