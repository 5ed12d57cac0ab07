"""MobileFace V2: inverted residuals and one dense layer, 256 numbers.

Origin: becauseofAI/MobileFace (2018), weights of MXNet, which are read from their bytes. Input:
112x112 chips of layout arcface-112, RGB, (x - 127.5) / 128. Output: 256 numbers, not of unit
length, compared by cosine; its publisher's figure averages the mirrored view.

Known limits: weaker than SFace and MobileFaceNet here; its training data is not stated, nor the
order of its colors: red first was measured (docs/stages/embed.md).
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import of_arcface_chips
from facelign.types import specs

_STEM = "MobileFace_Identification_V2-0000.params"
_REPOSITORY = (
    "https://github.com/becauseofAI/MobileFace/raw/128cea33b928dc9bb6d1963202b57a97f5661ccf/"
    "MobileFace_Identification"
)

SPECS = (
    of_arcface_chips(
        "mobileface-v2",
        "facelign.embed.models.mobileface:MobileFace",
        specs.WeightFile(
            _STEM,
            (
                specs.Source.address(
                    f"{_REPOSITORY}/{_STEM}",
                    sha256="750057619a1eef8acb320339aebf0bbcf191497e1396a361c8aaba517bbe825e",
                    size=0,
                ),
                specs.Source.mirrored(
                    "mobileface_v2_becauseofAI.onnx",
                    sha256="9732f087e3490f22933ab7845598cc13e8f4603e3a5cd746199e41d039bdd517",
                    size=3_592_705,
                ),
            ),
            convert="mobileface",
        ),
        dim=256,
        std=128.0,
        license=specs.License.unclear(
            "MIT", "not stated by the publisher", "what the training data is, is not told"
        ),
        title="MobileFace V2, 256 numbers",
        paper="the blocks: Sandler et al.: MobileNetV2, CVPR 2018, "
        "https://arxiv.org/abs/1801.04381",
        origin="becauseofAI/MobileFace MobileFace_Identification",
        published=(
            specs.Claim(
                "LFW accuracy, mirrored views averaged",
                "0.9965",
                "becauseofAI/MobileFace README.md",
            ),
        ),
    ),
)


class MobileFace(OnnxEmbedder):
    """Embeds chips with MobileFace."""
