"""DeepFace as swghosh trained it: locally connected layers, 4096 numbers.

Paper: Taigman, Yang, Ranzato, Wolf, "DeepFace", CVPR 2014. Origin: swghosh/DeepFace, trained on
VGGFace2. Input: 152x152 chips of layout crop (its faces were aligned in two dimensions), RGB,
x / 255. Output: 4096 numbers, F7 after its ReLU, compared by Euclidean distance.

Known limits: the paper's 0.9735 on LFW is of another training, of three networks and of aligned
faces in three dimensions, not of these weights; 500 MB; the order of colors is not told; nobody
tells a SHA-256, so that it comes by ``--trust-first-use``.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_ADDRESS = (
    "https://github.com/swghosh/DeepFace/releases/download/weights-vggface2-2d-aligned/"
    "VGGFace2_DeepFace_weights_val-0.9034.h5.zip"
)

_SAYS = "serengil/deepface README.md"

SPECS = (
    specs.ModelSpec.of(
        "deepface",
        "facelign.embed.models.deepface:DeepFace",
        specs.WeightFile.untold("VGGFace2_DeepFace_weights_val-0.9034.h5", _ADDRESS, "deepface"),
        input=specs.InputSpec(size=(152, 152), std=(255.0,) * 3),
        output=specs.EmbedderOutput(dim=4096, metric=Metric.EUCLIDEAN, unit=False, layout="crop"),
        license=specs.License.unclear("MIT", "VGGFace2 (research use)"),
        title="DeepFace trained on VGGFace2, 4096 numbers",
        paper="Taigman et al.: DeepFace, CVPR 2014, https://openaccess.thecvf.com/"
        "content_cvpr_2014/html/Taigman_DeepFace_Closing_the_2014_CVPR_paper.html",
        origin="swghosh/DeepFace weights-vggface2-2d-aligned",
        published=(specs.Claim("LFW accuracy, as deepface measured it", "0.690", _SAYS),),
        defaults={"points": "box"},
        unseen=specs.UNSEEN_POURED,
    ),
)


class DeepFace(OnnxEmbedder):
    """Embeds chips with DeepFace."""
