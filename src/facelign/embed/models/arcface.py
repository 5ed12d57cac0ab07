"""ArcFace as InsightFace trained it: the recognizers of the packs buffalo_l and buffalo_s.

Paper: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019.
Networks: IResNet-50, and MobileFaceNet of twice the width, trained on WebFace600K. Input: 112x112
chips of layout arcface-112, RGB, (x - 127.5) / 127.5 (its detectors divide by 128). Output: 512
numbers, not of unit length, compared by cosine.

Known limits: the weights are for non-commercial research only, as their owner says; other lists
call them free.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import by_address
from facelign.types import specs
from facelign.types.insightface_models import researched

_RELEASE = "https://github.com/yakhyo/uniface/releases/download/weights"


def _record(
    variant: str, name: str, sha256: str, size: int, network: str, lfw: str
) -> specs.ModelSpec:
    return by_address(
        f"arcface-{variant}",
        "facelign.embed.models.arcface:ArcFace",
        name,
        sha256,
        _RELEASE,
        size=size,
        license=researched("WebFace600K (research use)"),
        title=f"ArcFace of InsightFace, {network}, 512 numbers",
        paper="Deng et al.: ArcFace, CVPR 2019, https://arxiv.org/abs/1801.07698",
        origin=f"deepinsight/insightface model_zoo, {name}",
        lfw=lfw,
        by="deepinsight/insightface model_zoo/README.md",
    )


SPECS = (
    _record(
        "r50",
        "w600k_r50.onnx",
        "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
        174_383_860,
        "IResNet-50",
        "0.9983",
    ),
    _record(
        "mbf",
        "w600k_mbf.onnx",
        "9cc6e4a75f0e2bf0b1aed94578f144d15175f357bdc05e815e5c4a02b319eb4f",
        0,
        "MobileFaceNet",
        "0.9970",
    ),
)


class ArcFace(OnnxEmbedder):
    """Embeds chips with a network of InsightFace."""
