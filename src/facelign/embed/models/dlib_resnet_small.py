"""dlib's descriptor with weights kept as bytes, as face-api ships it: 6.4 instead of 22 MB.

Origin: dlib-models, packed for justadudewhohacks/face-api.js. The network, its chips and what its
128 numbers mean are those of dlib-resnet, whose space it shares: its vectors lie 0.026 from them on
the unit sphere, as those of dlib-resnet-int8 do. face-api divides the pixels by 255 where dlib
divides by 256: so does this, and gives its numbers to 3e-7. The bytes are made float32 where the
model is converted: what is saved is the way here, not time or memory.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import dlib_models, face_api, specs
from facelign.types.embeddings import Metric

SPECS = (
    specs.ModelSpec.of(
        "dlib-resnet-small",
        "facelign.embed.models.dlib_resnet_small:DlibResnetSmall",
        *face_api.weights(
            "face_recognition",
            "dlib-resnet-small",
            ("b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589", 6_444_032),
            ("cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b", 19_615),
        ),
        input=specs.InputSpec(
            size=(150, 150), mean=(122.782, 117.001, 104.298), std=(255.0,) * 3, axes="nhwc"
        ),
        output=specs.EmbedderOutput(
            dim=128,
            metric=Metric.EUCLIDEAN,
            unit=False,
            layout="dlib-150",
            stands_for="dlib-resnet",
            drift=0.03,
        ),
        license=dlib_models.free(
            "about 3 million faces of 7,485 people: FaceScrub, VGG, scraped photos"
        ),
        title="dlib face recognition ResNet-29, weights in 8 bits",
        paper="He et al.: Deep Residual Learning for Image Recognition, CVPR 2016, "
        "https://doi.org/10.1109/CVPR.2016.90",
        origin=f"npm {face_api.PACKAGE} model/face_recognition_model.bin",
    ),
)


class DlibResnetSmall(OnnxEmbedder):
    """Turns dlib-150 chips into descriptors near dlib's."""
