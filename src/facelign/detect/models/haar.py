"""Haar cascade: boosted rectangle features over a sliding window, upright frontal faces.

Paper: Viola, Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR
2001; Lienhart, Maydt, "An Extended Set of Haar-like Features", ICIP 2002 (this cascade: stumps,
24 x 24 window, 25 stages, by Rainer Lienhart). Input: 8-bit gray. Output: square boxes, no
points. Known limits: upright (about 15 degrees of roll) and frontal only, many false alarms for
today's taste, a face under 24 px cannot be found.
"""

from __future__ import annotations

from facelign.detect.cascade import CascadeDetector
from facelign.types import specs

SPECS = (
    specs.ModelSpec.of(
        "haar",
        "facelign.detect.models.haar:Haar",
        specs.WeightFile.same(
            "haarcascade_frontalface_default.xml",
            sha256="0f7d4527844eb514d4a4948e822da90fbb16a34a0bbbbc6adc6498747a5aafb0",
            size=930_127,
            member="cv2/data/haarcascade_frontalface_default.xml",
            installed=True,
        ),
        engine=specs.Engine.OPENCV,
        input=specs.InputSpec(size=None, order="gray"),
        output=specs.DetectorOutput(scheme=None, smallest_px=30),
        license=specs.License(
            code="Apache-2.0 (OpenCV)",
            weights="Intel License Agreement for OpenCV (BSD style, in the file)",
            training_data="not stated",
            commercial="yes",
            note="By the license text inside the cascade file.",
        ),
        title="Haar cascade of OpenCV, frontal faces",
        paper="Viola, Jones: Rapid Object Detection using a Boosted Cascade, CVPR 2001, "
        "https://doi.org/10.1109/CVPR.2001.990517",
        origin="opencv data/haarcascades/haarcascade_frontalface_default.xml",
    ),
)


class Haar(CascadeDetector):
    """Finds upright frontal faces without points."""
