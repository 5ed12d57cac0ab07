"""face-api's SSD on MobileNetV1: its detector of 5.6 MB, boxes without points.

Paper: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016. Origin: yeephycho's network of
WIDER FACE, packed for justadudewhohacks/face-api.js. Input: RGB, x / 127.5 - 1, the photo at the
top left of a black square of 512 px. Output: edges, out of 5,118 priors that lie in the file,
and scores.

Known limits: one look at a small picture: faces below about a twentieth of the photo's longer side
are missed.
"""

from __future__ import annotations

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import OneLook
from facelign.types import face_api, specs
from facelign.types.arrays import AnyArray

SPECS = (
    specs.ModelSpec.of(
        "ssd-mobilenetv1",
        "facelign.detect.models.ssd_mobilenetv1:SsdMobilenetV1",
        *face_api.weights(
            "ssd_mobilenetv1",
            "ssd-mobilenetv1",
            ("2835640602d53718aa6ae9a42896327eaa21beefed056c218d32ca7d79e1e2f8", 5_616_957),
            ("888f744dffbc84f5f060d1f8427d9742341943a2dfaaf9205d10029b7e7a2955", 28_233),
        ),
        input=specs.InputSpec((512, 512), mean=(127.5,) * 3, std=(127.5,) * 3),
        output=specs.DetectorOutput(None, smallest_px=24),
        license=face_api.license_of(
            "WIDER FACE (research use)",
            "By the license of the package; the photos of the data have their own.",
        ),
        title="face-api, SSD on MobileNetV1, 512 px",
        paper="Liu et al.: SSD: Single Shot MultiBox Detector, ECCV 2016, "
        "https://arxiv.org/abs/1512.02325",
        origin=f"npm {face_api.PACKAGE} model/ssd_mobilenetv1_model.bin",
        defaults={"nms_iou": 0.5},
    ),
)


class SsdMobilenetV1(OneLook):
    """Finds faces without points; boxes come decoded."""

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``."""
        rows = outputs[0][0].astype(np.float64)
        scores = 1.0 / (1.0 + np.exp(-rows[:, 4]))
        hit = np.flatnonzero(scores >= self.options.score_threshold)
        # rows come first; shares of the side to edges, where the first pixel's middle is 0
        edges = rows[hit][:, [1, 0, 3, 2]] * np.array([*size, *size]) - 0.5
        return Candidates(
            edges.astype(np.float32),
            scores[hit].astype(np.float32),
            np.zeros((hit.size, 0, 2), np.float32),
        )
