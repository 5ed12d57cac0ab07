"""face-api's landmarkers: the 68 points of 300-W from networks of 0.36 and 0.08 MB.

Origin: justadudewhohacks/face-api.js, kept by vladmandic; dense blocks of separable convolutions.
Input: RGB, (x - mean color) / 255, the box of a detector, black beside its shorter side, 112 x 112.
Output: x and y of each point as shares of the side.

Known limits: made for the boxes of face-api's own detectors, which end at brows, chin and ears;
near-frontal faces; the weights are kept as bytes, which costs a little of their accuracy.
"""

from __future__ import annotations

import numpy as np

from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized
from facelign.landmark.by_box import LandmarkerByBox
from facelign.types import face_api, specs
from facelign.types.arrays import AnyArray, ByteArray, Float32Array
from facelign.types.image import Image

#: side of what the network reads, px
_SIDE = 112


def _record(id_: str, net: str, *files: tuple[str, int], title: str) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.landmark.models.face_api:FaceApi68",
        *face_api.weights(net, id_, *files),
        input=specs.InputSpec((_SIDE, _SIDE), mean=(122.782, 117.001, 104.298), std=(255.0,) * 3),
        output=specs.LandmarkerOutput("ibug-68"),
        license=face_api.license_of(
            "about 35,000 faces with 68 points, not named by the author",
            "By the license of the package; what it was trained on is not named.",
        ),
        title=title,
        origin=f"npm {face_api.PACKAGE} model/{net}_model.bin",
    )


SPECS = (
    _record(
        "face-api-68",
        "face_landmark_68",
        ("4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b", 356_840),
        ("ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9", 8_485),
        title="face-api, 68 points, free license",
    ),
    _record(
        "face-api-68-tiny",
        "face_landmark_68_tiny",
        ("b98e9f2f7da76f8a6dda9741a36ed485b224b889d552de2b2c1bb16217f67bfc", 77_224),
        ("9a1a5dd19fd814fd5095c3cb58f8e0d3193b8c5b9a6715b30a69d559aea31ad4", 4_806),
        title="face-api, 68 points, tiny, free license",
    ),
)


class FaceApi68(LandmarkerByBox):
    """Places 68 points inside the boxes of faces."""

    def placed(self, image: Image, box: AnyArray) -> Float32Array:
        """Return the points of a face; see ``LandmarkerByBox``."""
        square, plane = _square(image, box)
        # shares count from the edge of the first pixel
        return plane.back(self.run(square)[0].reshape(-1, 2) * _SIDE - 0.5)


def _square(image: Image, box: AnyArray) -> tuple[ByteArray, PlaneMap]:
    """Return the box (112, 112, 3), black beside its shorter side, and the map from the photo."""
    tall, wide = image.pixels.shape[:2]
    photo = PlaneMap((image.scale, image.scale))
    edges = photo.forward(np.asarray(box, np.float64).reshape(2, 2)).astype(np.float64) + 0.5
    low = np.clip(np.floor(edges[0]), 0, [wide - 1, tall - 1]).astype(int)
    high = np.clip(np.floor(edges[1]), low + 1, [wide, tall]).astype(int)
    (left, top), (right, bottom) = low, high
    side = max(right - left, bottom - top)
    x, y = (side - (right - left)) // 2, (side - (bottom - top)) // 2
    canvas = np.zeros((side, side, 3), np.uint8)
    canvas[y : y + bottom - top, x : x + right - left] = image.pixels[top:bottom, left:right]
    cut = PlaneMap((1.0, 1.0), (float(x - left), float(y - top)))
    shrunk = PlaneMap((_SIDE / side, _SIDE / side))
    return resized(canvas, (_SIDE, _SIDE)), photo.then(cut).then(shrunk)
