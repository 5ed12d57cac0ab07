"""YOLOv8-face: anchor-free cells that spell each side of a box as sixteen chances, five points.

Origin: derronqi/yolov8-face, exported by yakhyo/yolov8-face-onnx-inference. License: GPL-3.0.
Input: RGB / 255, the photo fitted into the middle of 640 x 640 with gray beside it. Output, a map a
stride (8, 16, 32) of 80 channels: for each of the four sides 16 logits over whole strides, whose
mean is its distance from the cell's middle; a logit of the score; five points as x, y and whether
they are seen, twice their place from the cell's corner, in strides.

Known limits: one look at 640 px, so faces below about a sixtieth of the photo's long side are
missed.
"""

from __future__ import annotations

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook
from facelign.types import specs
from facelign.types.arrays import AnyArray

_SIDE, _STRIDES, _BINS = 640, (8, 16, 32), 16
_RELEASE = "https://github.com/yakhyo/yolov8-face-onnx-inference/releases/download/weights"

SPECS = (
    specs.ModelSpec.of(
        "yolov8-face",
        "facelign.detect.models.yolov8_face:YoloV8Face",
        specs.WeightFile.same(
            "yolov8n-face.onnx",
            sha256="33f3951af7fc0c4d9b321b29cdcd8c9a59d0a29a8d4bdc01fcb5507d5c714809",
            size=0,
            address=f"{_RELEASE}/yolov8n-face.onnx",
        ),
        input=specs.InputSpec((_SIDE, _SIDE), std=(255.0,) * 3),
        output=specs.DetectorOutput("five", smallest_px=12),
        license=specs.License.closed(
            "GPL-3.0 (derronqi/yolov8-face)",
            "GPL-3.0 (derronqi/yolov8-face)",
            "WIDER FACE (research use)",
            "Under the GPL a product may only be sold with its whole source under the GPL.",
        ),
        title="YOLOv8n-face, five points (GPL)",
        origin="yakhyo/yolov8-face-onnx-inference yolov8n-face.onnx",
        defaults={"nms_iou": 0.45},  # its authors' own
        unseen="its file could not be had: the tests decode made outputs whose truth is known",
    ),
)


class YoloV8Face(OneLook):
    """Finds faces with five points."""

    CENTERED = True
    BESIDE = 114

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``."""
        maps = {output.shape[-1]: output for output in outputs}  # whatever their order
        parts = [self._level(maps[size[0] // stride][0], stride) for stride in _STRIDES]
        return Candidates.joined(parts, k=5)

    def _level(self, cells: AnyArray, stride: int) -> Candidates:
        columns = cells.shape[2]
        flat = cells.reshape(cells.shape[0], -1).T.astype(np.float32)
        scores = 1 / (1 + np.exp(-flat[:, 4 * _BINS]))
        hit = np.flatnonzero(scores >= self.options.score_threshold)
        corner = np.stack([hit % columns, hit // columns], axis=1).astype(np.float32)
        bins = flat[hit, : 4 * _BINS].reshape(-1, 4, _BINS)
        chances = np.exp(bins - bins.max(axis=2, keepdims=True))
        chances /= chances.sum(axis=2, keepdims=True)
        reach = chances @ np.arange(_BINS, dtype=np.float32)
        middle = corner + np.float32(0.5)
        # places count from the edge of the first pixel
        boxes = np.concatenate([middle - reach[:, :2], middle + reach[:, 2:]], axis=1) * stride
        points = flat[hit, 4 * _BINS + 1 :].reshape(-1, 5, 3)[..., :2]
        spots = (points * 2 + corner[:, None]) * stride
        half = np.float32(0.5)
        return Candidates(boxes - half, scores[hit].astype(np.float32), spots - half)
