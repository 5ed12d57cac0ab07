"""SCRFD: detectors of InsightFace, five points; weights for research only.

Paper: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022.
Input: RGB, (x - 127.5) / 128, the photo fitted into 640 x 640 at the top left with black beside it.
Output, per stride 8, 16 and 32, two anchors a cell at the cell's corner: score (a probability),
distances to the four sides, five points, both in units of the stride.

Known limits: one look at 640 px, so faces below about a sixtieth of the photo's long side are
missed, and one that fills the photo may be.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.insightface_models import researched

_STRIDES, _ANCHORS = (8, 16, 32), 2
_HPC = "https://github.com/hpc203/scrfd-opencv/raw/eee7bf1ee0dbe9615d8d8caaa53702e0d2dca001/weights"


_UNSEEN = "its file could not be had: it is of the form of scrfd-500m, which was run"
_UNIFACE = "https://github.com/yakhyo/uniface/releases/download/weights"


def _record(
    id_: str, file: str, sha256: str, bytes_: int, title: str, at: str = _HPC, **more: Any
) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.scrfd:Scrfd",
        specs.WeightFile.same(file, sha256=sha256, size=bytes_, address=f"{at}/{file}"),
        input=specs.InputSpec((640, 640), mean=(127.5,) * 3, std=(128.0,) * 3),
        output=specs.DetectorOutput("five", smallest_px=12),
        license=researched("WIDER FACE (research use)"),
        paper="Guo et al.: Sample and Computation Redistribution, ICLR 2022, "
        "https://arxiv.org/abs/2105.04714",
        origin=f"{'/'.join(at.split('/')[3:5])} {file}, a model of InsightFace",
        title=title,
        **more,
    )


SPECS = (
    _record(
        "scrfd-500m",
        "scrfd_500m_kps.onnx",
        "517cb1980c72422e676738fc45431700fb7cbee56d0f825b623ee427b3e5ce58",
        2_524_095,
        "SCRFD of 0.5 GFLOP, five points (research only)",
        published=(
            specs.Claim(
                "WIDER FACE val AP easy/medium/hard", "0.9057 / 0.8812 / 0.6851", "InsightFace"
            ),
        ),
    ),
    _record(
        "scrfd-2.5g",
        "scrfd_2.5g_kps.onnx",
        "32d20c77b9e2dc1d07e94c2ab9d25bdd5cd05eddbe0b46e7b38e7a1eca22e99a",
        3_291_017,
        "SCRFD of 2.5 GFLOP, five points (research only)",
        unseen=_UNSEEN,
    ),
    _record(
        "scrfd-10g",
        "scrfd_10g_kps.onnx",
        "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
        16_923_827,
        "SCRFD of 10 GFLOP, five points (research only)",
        _UNIFACE,
        unseen=_UNSEEN,
    ),
)


class Scrfd(OneLook):
    """Finds faces with five points."""

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``. Scores, sides, points: a level each."""
        parts = []
        for level, stride in enumerate(_STRIDES):
            flat = [o.reshape(-1, o.shape[-1]) for o in outputs[level :: len(_STRIDES)]]
            parts.append(self._level(flat, stride, size[0] // stride))
        return Candidates.joined(parts, k=5)

    def _level(self, outputs: list[AnyArray], stride: int, columns: int) -> Candidates:
        scores, sides, points = outputs
        hit = np.flatnonzero(scores[:, 0] >= self.options.score_threshold)
        cell = hit // _ANCHORS
        corner = np.stack([cell % columns, cell // columns], axis=1).astype(np.float32) * stride
        reach = sides[hit] * np.float32(stride)
        boxes = np.concatenate([corner - reach[:, :2], corner + reach[:, 2:]], axis=1)
        spots: Float32Array = points[hit].reshape(-1, 5, 2) * np.float32(stride) + corner[:, None]
        return Candidates(boxes, scores[hit, 0], spots)
