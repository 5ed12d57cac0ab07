"""UltraFace: about a megabyte, made for small processors; boxes without points.

Origin: Ultra-Light-Fast-Generic-Face-Detector-1MB (Linzaer). Input: RGB, (x - 127) / 128, the photo
stretched to 320 x 240 or 640 x 480. Output: class scores, background and face, and boxes as shares
of the picture's sides.

Known limits. One look at a small picture: at 320 px faces below about a fifteenth of the photo's
height are missed. Photos that are not 4:3 are stretched, as the author does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook
from facelign.types import specs
from facelign.types.arrays import AnyArray

_REPOSITORY = (
    "https://github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB/raw/"
    "dffdddda9794a50607cba8f318507a28c1c27cab/models/onnx"
)


def _record(
    id_: str, file: str, sha256: str, bytes_: int, size: tuple[int, int], ap: str, **more: Any
) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.ultraface:UltraFace",
        specs.WeightFile.same(file, sha256=sha256, size=bytes_, address=f"{_REPOSITORY}/{file}"),
        input=specs.InputSpec(size, mean=(127.0,) * 3, std=(128.0,) * 3),
        license=specs.License.both("MIT", "WIDER FACE (research use)", _NOTE),
        paper="the block of RFB: Liu et al.: Receptive Field Block Net, ECCV 2018, "
        "https://arxiv.org/abs/1711.07767",
        origin=f"Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB models/onnx/{file}",
        published=(specs.Claim("WIDER FACE val AP easy/medium/hard", ap, "its README.md"),),
        # scores of this family lie higher than others', as its author's threshold does
        defaults={"score_threshold": 0.7, "nms_iou": 0.3},
        **more,
    )


_NOTE = "By the license file of the repository, which holds the weights too."
SPECS = (
    _record(
        "ultraface-rfb-320",
        "version-RFB-320.onnx",
        "34cd7e60aeff28744c657de7a3dc64e872d506741de66987f3426f2b79f88017",
        1_270_727,
        (320, 240),
        "0.787 / 0.698 / 0.438 (at 320)",
        output=specs.DetectorOutput(None, smallest_px=16),
        title="UltraFace with receptive field blocks, 320 x 240",
    ),
    _record(
        "ultraface-rfb-640",
        "version-RFB-640.onnx",
        "8f4c659275977e7a3bfbfa339a9c769ad793df50f9c0baa8c14b11baa1646430",
        1_588_012,
        (640, 480),
        "0.855 / 0.822 / 0.579 (at 640)",
        output=specs.DetectorOutput(None, smallest_px=16),
        title="UltraFace with receptive field blocks, 640 x 480",
    ),
    _record(
        "ultraface-slim-320",
        "version-slim-320.onnx",
        "e9adbd0f920ddcce9368434c4d34d72520dc0c19b526fd44b4ef49bde2c3b1a8",
        1_195_330,
        (320, 240),
        "0.77 / 0.671 / 0.395 (at 320)",
        output=specs.DetectorOutput(None, smallest_px=16),
        title="UltraFace, slim, 320 x 240",
    ),
)


class UltraFace(OneLook):
    """Finds faces without points; boxes come decoded."""

    STRETCHED = True

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``."""
        scores, boxes = outputs[0][0, :, 1], outputs[1][0]
        hit = np.flatnonzero(scores >= self.options.score_threshold)
        # shares of the sides to edges, where the first pixel's middle is 0
        edges = boxes[hit] * np.array([*size, *size], np.float32) - np.float32(0.5)
        return Candidates(edges, scores[hit], np.zeros((hit.size, 0, 2), np.float32))
