"""MediaPipe's selfie segmentation: who sits before a camera, and what is behind.

Model card: "MediaPipe Selfie Segmentation", Google, 2021: MobileNetV3 with a small decoder. Input:
the whole picture, RGB / 255, stretched to a square of 256 px. Output: for each of its pixels how
much of it is a person. MediaPipe takes single pixels of a larger picture from its upper left corner
on, which moves the mask by half of their distance; here they are averaged, and corners lie on
corners.

Known limits: made for one or a few people within some two meters; people farther away, and hands
that hold something, are missed in part. Edges are those of 256 px: hair is soft.
"""

from __future__ import annotations

import cv2
import numpy as np

from facelign.imaging.resize import resized
from facelign.runtime.blob import blob_of
from facelign.runtime.made import OfOneNetwork
from facelign.types import mediapipe_models, specs
from facelign.types.arrays import Float32Array
from facelign.types.contracts import Segmenter
from facelign.types.image import Image

_SIDE = 256

SPECS = (
    specs.ModelSpec.of(
        "selfie",
        "facelign.segment.models.selfie:SelfieSegmenter",
        mediapipe_models.weights(
            "selfie_segmentation.tflite",
            mediapipe_models.own(
                "selfie_segmentation/selfie_segmentation.tflite",
                "9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
                249_505,
            ),
        ),
        input=specs.InputSpec((_SIDE, _SIDE), std=(255.0,) * 3),
        output=specs.SegmenterOutput(),
        license=mediapipe_models.LICENSE,
        title="MediaPipe's selfie segmentation",
        paper="the backbone: Howard et al.: Searching for MobileNetV3, ICCV 2019, "
        "https://arxiv.org/abs/1905.02244",
        origin="google-ai-edge/mediapipe modules/selfie_segmentation selfie_segmentation.tflite",
    ),
)


class SelfieSegmenter(OfOneNetwork, Segmenter):
    """Tells people by the whole picture."""

    def segment(self, image: Image) -> Float32Array:
        """Return (h, w) float32, for each pixel of ``image.pixels`` how much of it is a person."""
        tall, wide = image.pixels.shape[:2]
        square = resized(image.pixels, (_SIDE, _SIDE))
        feed = blob_of(square[None], self.spec.input)
        (found,) = self._session.run({self._session.inputs[0].name: feed})
        small = np.asarray(found, np.float32).reshape(_SIDE, _SIDE)
        mask = cv2.resize(small, (wide, tall), interpolation=cv2.INTER_LINEAR)
        return np.clip(np.asarray(mask, np.float32), 0.0, 1.0)
