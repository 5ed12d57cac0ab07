"""eDifFIQA(T): a small network that tells how useful a face is for recognition.

Paper: Babnik et al., "eDifFIQA: Towards Efficient Face Image Quality Assessment based on Denoising
Diffusion Probabilistic Models", TBIOM 2024. Origin: OpenCV zoo. Input: RGB, (x / 255 - 0.5) / 0.5,
the face on ArcFace's 112 px chip. Output: one number, about 0 to 1, larger is better.

Known limits: its numbers are those of its training; choose a limit on photos of your own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facelign.errors import DegenerateLandmarks
from facelign.geometry.templates import ARCFACE_FIVE
from facelign.geometry.transforms import compose, invert, scaling, similarity
from facelign.imaging.resize import resized, scaled, warped
from facelign.runtime.blob import blob_of
from facelign.runtime.made import OfOneNetwork
from facelign.types import specs
from facelign.types.arrays import AnyArray, ByteArray, Float32Array
from facelign.types.chips import Chips
from facelign.types.contracts import Quality
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import FIVE

_SIDE = 112
_NAME = "ediffiqa-t"
_ZOO = "models/face_image_quality_assessment_ediffiqa/ediffiqa_tiny_jun2024.onnx"

SPECS = (
    specs.ModelSpec.of(
        _NAME,
        "facelign.quality.models.ediffiqa:EDifFiqa",
        specs.WeightFile.same(
            "ediffiqa_tiny_jun2024.onnx",
            sha256="9426c899cc0f01665240cb7d9e7f98e18e24e456c178326c771a43da289bfc6a",
            size=7_272_678,
            address=f"https://github.com/opencv/opencv_zoo/raw/main/{_ZOO}",
        ),
        input=specs.InputSpec((_SIDE, _SIDE), mean=(127.5,) * 3, std=(127.5,) * 3),
        output=specs.QualityOutput(_NAME),
        license=specs.License.both(
            "CC BY 4.0",
            "VGGFace2 (research use), labels by a diffusion model",
            "Free by its text, where the authors are named; the training data is for research.",
            unclear=True,
        ),
        title="eDifFIQA(T), quality by a small network",
        paper="Babnik et al.: eDifFIQA, TBIOM 2024, https://doi.org/10.1109/TBIOM.2024.3376236",
        origin=f"opencv/opencv_zoo {_ZOO}",
        unseen="its file could not be had: chips, colors and scale are those of its publisher's "
        "code, held by a made network in the tests",
    ),
)


class EDifFiqa(OfOneNetwork, Quality):
    """Gives a face with five points its quality."""

    names = (_NAME,)

    def measure(
        self, image: Image, faces: Faces, chips: Chips | None = None
    ) -> Mapping[str, Float32Array]:
        """Return (n,) float32 by the name "ediffiqa-t"; nothing for faces without five points.

        A face whose points no face can have gets 0. chips are not looked at: other layouts show
        more or less of the face, which would change the number.
        """
        marks = faces.landmarks
        if marks is None or marks.scheme.to_five is None:
            return {}
        five = marks.as_scheme(FIVE.id).points
        return {_NAME: np.array([self._number(image, points) for points in five], np.float32)}

    def _number(self, image: Image, points: AnyArray) -> float:
        try:
            chip = chip_of(image, points)
        except DegenerateLandmarks:
            return 0.0
        # one by one: a face has the same number whoever is beside it
        feed = blob_of(chip[None], self.spec.input)
        return float(self._session.run({self._session.inputs[0].name: feed})[0].ravel()[0])


def chip_of(image: Image, points: AnyArray) -> ByteArray:
    """Return the face (112, 112, 3) uint8 RGB on ArcFace's chip; raises DegenerateLandmarks.

    points: (5, 2) px in the plane of ``image.size``. Faces of more than twice the size are reduced
    by area first.
    """
    pixels = image.pixels
    matrix = compose(similarity(points, ARCFACE_FIVE), invert(scaling(image.scale)))
    factor = int(1 / max(float(np.hypot(matrix[0, 0], matrix[1, 0])), 1e-6))
    if factor > 1:
        tall, wide = pixels.shape[:2]
        pixels = resized(pixels, scaled((wide, tall), 1 / factor))
        shrunk = scaling(pixels.shape[1] / wide, pixels.shape[0] / tall)
        matrix = compose(matrix, invert(shrunk))
    return warped(pixels, matrix, (_SIDE, _SIDE))
