"""Where the points of a face belong on a chip, for floors that must not know layouts."""

from __future__ import annotations

import numpy as np

from facelign.types.arrays import Float64Array

#: right eye, left eye, nose tip, right and left mouth corner on the 112 px chip of ArcFace
#: (insightface face_align.py; SphereFace's 96x112 template moved by 8 px in x). (5, 2) px
ARCFACE_FIVE: Float64Array = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
