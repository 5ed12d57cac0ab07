"""BlazeFace: MediaPipe's detectors for phones, with six points.

Paper: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.
Input: RGB, x / 127.5 - 1, the photo fitted into a square in the middle, black beside it.
Output: for each anchor a logit, and a box and six points in px from the anchor, which is the middle
of a cell. Of candidates that overlap, the mean by score counts.

Known limits. The six points are the eyes, the tip of the nose, the *middle* of the mouth and the
ears: layouts of five points cannot be filled with them, so chips are cut by the eyes (``eyes``), by
the box (``crop``) or by a landmarker. All look once: a face below an
eighth (``blazeface-short``, made for who holds the camera), a twelfth (``blazeface-full``) or a
twentieth (``blazeface-back``) of the photo's long side is missed. ``blazeface-full`` and
``blazeface-short`` take some hands for faces.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook
from facelign.types import mediapipe_models, specs
from facelign.types.arrays import AnyArray, Float32Array
from facelign.types.schemes import BLAZE_6

#: side of what each network reads, px -> (stride, anchors a cell) of its levels
_LEVELS = {128: ((8, 2), (16, 6)), 256: ((16, 2), (32, 6)), 192: ((4, 1),)}
#: a logit beyond it says nothing more, and its exponential is no float32 (MediaPipe clips at 100)
_SUREST = 80.0


def _record(
    id_: str, side: int, threshold: float, smallest_px: int, *sources: specs.Source, **more: Any
) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.blazeface:BlazeFace",
        mediapipe_models.weights(f"{id_}.tflite", *sources),
        input=specs.InputSpec((side, side), mean=(127.5,) * 3, std=(127.5,) * 3),
        output=specs.DetectorOutput(BLAZE_6.id, smallest_px=smallest_px),
        license=mediapipe_models.LICENSE,
        paper="Bazarevsky et al.: BlazeFace, 2019, https://arxiv.org/abs/1907.05047",
        # of candidates that overlap more the mean counts
        defaults={"score_threshold": threshold, "nms_iou": 0.3},
        **more,
    )


SPECS = (
    _record(
        "blazeface-short",
        128,
        0.5,
        16,
        mediapipe_models.small(
            "face_detection_short_range.tflite",
            "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
            229_032,
        ),
        mediapipe_models.own(
            "face_detection/face_detection_short_range.tflite",
            "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
            229_714,
        ),
        title="BlazeFace for faces near by, six points",
        origin="google-ai-edge/mediapipe modules/face_detection face_detection_short_range.tflite",
    ),
    _record(
        "blazeface-full",
        192,
        0.6,
        16,
        mediapipe_models.small(
            "face_detection_full_range_sparse.tflite",
            "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce",
            680_736,
        ),
        mediapipe_models.own(
            "face_detection/face_detection_full_range_sparse.tflite",
            "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
            676_746,
        ),
        title="BlazeFace for a whole room, six points",
        origin="google-ai-edge/mediapipe modules/face_detection "
        "face_detection_full_range_sparse.tflite",
    ),
    _record(
        "blazeface-back",
        256,
        0.65,
        12,
        mediapipe_models.small(
            "face_detection_back.tflite",
            "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
            315_332,
        ),
        title="BlazeFace for the camera at the back of a phone, six points",
        origin="google-ai-edge/mediapipe models/face_detection_back.tflite (2020)",
    ),
)


class BlazeFace(OneLook):
    """Finds faces with six points."""

    CENTERED = True

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``. Boxes and logits: told by their last axis."""
        by_kind = {output.shape[-1]: output[0] for output in outputs}
        logits = np.clip(by_kind[1][:, 0].astype(np.float64), -_SUREST, _SUREST)
        scores = (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)
        hit = np.flatnonzero(scores >= self.options.score_threshold)
        raw = by_kind[16][hit].reshape(len(hit), 8, 2)
        middle = _anchors(size[0])[hit]
        # here the edge of the first pixel is 0: its middle is 0 in the plane
        center, half = raw[:, 0] + middle - 0.5, raw[:, 1] / 2
        return Candidates(
            np.concatenate([center - half, center + half], axis=1).astype(np.float32),
            scores[hit],
            (raw[:, 2:] + middle[:, None] - 0.5).astype(np.float32),
        )

    def settled(self, found: Candidates) -> Candidates:
        """Return one candidate a face: the mean of those that overlap."""
        return found.averaged(self.options.nms_iou)


@lru_cache(maxsize=8)
def _anchors(side: int) -> Float32Array:
    """Return the anchors (n, 2), px from the edge of the first pixel: level, row, column."""
    parts = []
    for stride, each in _LEVELS[side]:
        middles = (np.arange(side // stride, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        parts.append(np.repeat(grid, each, axis=0))
    return np.concatenate(parts)
