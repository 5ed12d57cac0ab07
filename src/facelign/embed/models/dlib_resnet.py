"""dlib's ResNet-29: 128 numbers, compared by distance, not of unit length.

Paper: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (a ResNet-34 with fewer
layers and half the filters); trained by Davis King with a metric loss. Input: dlib-150 chips, RGB,
(x - mean) / 256 inside the graph, which reads bytes. The graph is made from dlib's own file and
agrees with dlib to 4e-7 (benchmarks/dlib_parity.py). Published decision: same person when the raw
distance is at most 0.6. Flip averaging is worth 0.2 to 0.3 points on LFW.
The form in 8-bit integers takes a third of the time with VNNI, three fifths without, and tells
people apart as well (docs/stages/embed.md).
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import dlib_models, specs
from facelign.types.embeddings import Metric

_FILE = "dlib_face_recognition_resnet_model_v1.dat"

_FLOAT = specs.ModelSpec.of(
    "dlib-resnet",
    "facelign.embed.models.dlib_resnet:DlibResnet",
    dlib_models.weights(
        _FILE,
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        22_466_066,
        "dlib-resnet",
    ),
    input=specs.InputSpec(
        size=(150, 150),
        mean=(122.782, 117.001, 104.298),
        std=(256.0, 256.0, 256.0),
        axes="nhwc",
    ),
    output=specs.EmbedderOutput(dim=128, metric=Metric.EUCLIDEAN, unit=False, layout="dlib-150"),
    license=dlib_models.free(
        "about 3 million faces of 7,485 people: FaceScrub, VGG, scraped photos"
    ),
    title="dlib face recognition ResNet-29",
    paper="He et al.: Deep Residual Learning for Image Recognition, CVPR 2016, "
    "https://doi.org/10.1109/CVPR.2016.90",
    origin="davisking/dlib-models dlib_face_recognition_resnet_model_v1.dat",
    published=(
        specs.Claim(
            "LFW, mean accuracy (standard error), distance 0.6",
            "99.38 % (0.27)",
            "dlib examples/dnn_face_recognition_ex.cpp and dlib-models README",
        ),
    ),
)
SPECS = (_FLOAT, _FLOAT.in_integers(drift=0.03))


class DlibResnet(OnnxEmbedder):
    """Turns dlib-150 chips into dlib's descriptors."""
