"""face-api's tiny face detector: 0.2 MB of separable convolutions, boxes without points.

Origin: justadudewhohacks/face-api.js, kept by vladmandic: a small YOLOv2. Input: RGB, (x - mean
color) / 255, the photo at the top left of a black square of 416 px. Output: 13 x 13 cells of five
anchors each, x, y, width, height and score.

Known limits: one look at a small picture: faces below about a fifteenth of the photo's longer side
are missed; boxes end at brows, chin and ears, as its landmarkers want them.
"""

from __future__ import annotations

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook
from facelign.types import face_api, specs
from facelign.types.arrays import AnyArray

_STRIDE = 32
#: width and height of the anchors, in cells
_ANCHORS = np.array(
    [
        [1.603231, 2.094468],
        [6.041143, 7.080126],
        [2.882459, 3.518061],
        [4.266906, 5.178857],
        [9.041765, 10.66308],
    ]
)

SPECS = (
    specs.ModelSpec.of(
        "tiny-face",
        "facelign.detect.models.tiny_face:TinyFace",
        *face_api.weights(
            "tiny_face_detector",
            "tiny-face",
            ("b7503ce7df31039b1c43316a9b865cab6a70dd748cc602d3fa28b551503c3871", 193_321),
            ("5d1af4849ac48d5b985f4a9b16010c512353ddd6fcc63d50fd0bc9e9e64296e5", 3_219),
        ),
        input=specs.InputSpec((416, 416), mean=(117.001, 114.697, 97.404), std=(255.0,) * 3),
        output=specs.DetectorOutput(None, smallest_px=24),
        license=face_api.license_of(
            "about 14,000 photos with boxes, not named by the author",
            "By the license of the package; what it was trained on is not named.",
        ),
        title="face-api, tiny face detector, 416 px",
        paper="the head: Redmon, Farhadi: YOLO9000, CVPR 2017, https://arxiv.org/abs/1612.08242",
        origin=f"npm {face_api.PACKAGE} model/tiny_face_detector_model.bin",
        # its author's 0.5 misses 3 of 20 faces of LFW, 0.4 finds one of them and nothing else
        defaults={"score_threshold": 0.4},
    ),
)


class TinyFace(OneLook):
    """Finds faces without points."""

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``."""
        cells = outputs[0][0].astype(np.float64)
        by_anchor = cells.reshape(len(_ANCHORS), -1, *cells.shape[1:])
        scores = _sigmoid(by_anchor[:, 4])
        anchors, rows, columns = np.nonzero(scores > self.options.score_threshold)
        x, y, width, height = by_anchor[anchors, :4, rows, columns].T
        middle = np.stack([columns + _sigmoid(x), rows + _sigmoid(y)], axis=1) * _STRIDE
        half = np.exp(np.stack([width, height], axis=1)) * _ANCHORS[anchors] * (_STRIDE / 2)
        # here the corner of the first pixel is 0: its middle is 0 in the plane
        boxes = np.concatenate([middle - half, middle + half], axis=1) - 0.5
        return Candidates(
            boxes.astype(np.float32),
            scores[anchors, rows, columns].astype(np.float32),
            np.zeros((len(boxes), 0, 2), np.float32),
        )


def _sigmoid(values: AnyArray) -> AnyArray:
    return 1.0 / (1.0 + np.exp(-values))
