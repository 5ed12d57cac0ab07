"""How likely a face is to be recognized, from what can be measured without a network.

Input: the box and the points of a face, and its pixels. Output: one number, 0 to 1: the chance
that a comparison with a good photo of the same person reaches the threshold of the default chain.
It is a logistic regression on what ``quality.measure`` tells (sharpness, contrast, light, pose,
share inside the photo), each of which may only help. Size tells through sharpness, which is
measured at the size of a chip: the fit gave height itself no weight. Fitted by
tools/fit_quality.py on photos of people, made worse in eight ways; its error on other people stands
in docs/stages/quality.md.

Known limits: it sees neither masks, hands nor closed eyes; noise counts as sharp. The chances are
those of the mixture of photos that it was fitted on: the order is worth more than the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from facelign.quality.measure import FaceQuality, assess
from facelign.runtime.made import OfRecord
from facelign.types import specs
from facelign.types.arrays import Float32Array, Float64Array
from facelign.types.chips import Chips
from facelign.types.contracts import Quality
from facelign.types.faces import Faces
from facelign.types.image import Image

#: beyond these more of it is no help: spread of the Laplacian over that of luma, spread of luma
_SHARP, _CONTRAST = 0.4, 0.2
#: what chance each measure adds, as a logarithm of odds; made by tools/fit_quality.py
WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "sharpness": 10.925,
        "contrast": 0.982,
        "not dark": 1.351,
        "not bright": 4.278,
        "frontal": 1.461,
        "inside": 4.947,
    }
)
BIAS = 4.549

SPECS = (
    specs.ModelSpec.of(
        "measured",
        "facelign.quality.models.measured:MeasuredQuality",
        engine=specs.Engine.NUMPY,
        output=specs.QualityOutput("measured"),
        license=specs.License.both(
            "MIT",
            "lfw_dev (research use): seven numbers were fitted on it",
            "No weights: seven numbers in the code.",
        ),
        title="Quality from sharpness, light, contrast, pose and share inside, no network",
        origin="facelign tools/fit_quality.py",
    ),
)


class MeasuredQuality(OfRecord, Quality):
    """Gives a face with points its chance to be recognized."""

    names = ("measured",)

    def measure(
        self, image: Image, faces: Faces, chips: Chips | None = None
    ) -> Mapping[str, Float32Array]:
        """Return (n,) float32 in (0, 1) by the name "measured"; nothing for faces without points.

        chips are not looked at: how they are cut must not change the number.
        """
        if faces.landmarks is None:
            return {}
        odds = BIAS + features(assess(image, faces)) @ np.array(list(WEIGHTS.values()))
        return {"measured": (1 / (1 + np.exp(-odds))).astype(np.float32)}


def features(quality: FaceQuality) -> Float64Array:
    """Return (n, 6): the measures in the order of ``WEIGHTS``, larger is better, 0 is the best."""
    n = len(quality)
    away = np.zeros(n) if quality.yaw_offset is None else np.abs(quality.yaw_offset)
    columns = (
        np.minimum(quality.sharpness, _SHARP) - _SHARP,
        np.log2(np.clip(quality.contrast, 0.005, _CONTRAST) / _CONTRAST),
        -quality.dark,
        -quality.bright,
        -np.minimum(away, 1),
        np.clip(quality.inside, 0, 1) - 1,
    )
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)
