"""MobileFaceNet trained with ArcFace, ReLU6 in place of PRelu: the lightest embedder here.

Paper: Chen, Liu, Gao, Han, "MobileFaceNets", CCBR 2018. Origin: foamliu/MobileFaceNet.
Input: 112x112 chips of layout arcface-112, RGB scaled to 0..1, minus ImageNet's mean over its
spread. Output: 128 numbers, compared by cosine; the raw length falls with the size of the face
(18.0 at 100 px, 13.0 at 16 px). Known limits: trained on refined MS-Celeb-1M, a data
set that was withdrawn.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_REPOSITORY = (
    "https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc"
)
# ImageNet's mean and spread of RGB in 0..1 (torchvision's figures), here for 0..255
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)

_FLOAT = specs.ModelSpec.of(
    "mobilefacenet",
    "facelign.embed.models.mobilefacenet:MobileFaceNet",
    specs.WeightFile.same(
        "mobilefacenet_foamliu.onnx",
        sha256="b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
        size=3_998_070,
        address=f"{_REPOSITORY}/weights/MobileFaceNet.onnx",
        # has no PRelu; what it needs is a free batch
        convert="onnx-prelu",
    ),
    input=specs.InputSpec(size=(112, 112), mean=_MEAN, std=_STD),
    output=specs.EmbedderOutput(dim=128, metric=Metric.COSINE, unit=True, layout="arcface-112"),
    license=specs.License.unclear(
        "Apache-2.0", "MS-Celeb-1M, refined (withdrawn by its publisher)", specs.UNKNOWN_STANDING
    ),
    title="MobileFaceNet (ArcFace loss, ReLU6), 128 numbers",
    paper="Chen et al.: MobileFaceNets, CCBR 2018, https://doi.org/10.1007/978-3-319-97909-0_46",
    origin="foamliu/MobileFaceNet weights/MobileFaceNet.onnx",
    published=(
        specs.Claim(
            "LFW accuracy",
            "0.9948",
            "foamliu/MobileFaceNet README.md, for the author's release; that this file is "
            "the same training run is not verified",
        ),
        specs.Claim("MegaFace rank-1", "0.8255", "foamliu/MobileFaceNet README.md, as above"),
    ),
)
SPECS = (_FLOAT, _FLOAT.in_integers(drift=0.13))


class MobileFaceNet(OnnxEmbedder):
    """Embeds chips with MobileFaceNet."""
