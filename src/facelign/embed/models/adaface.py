"""AdaFace: the margin of training adapts to the quality of the photo, which the length tells.

Paper: Kim, Jain, Liu, "AdaFace: Quality Adaptive Margin for Face Recognition", CVPR 2022. Origin:
mk-minchul/AdaFace, exported by yakhyo/adaface-onnx. Input: 112x112 chips of layout arcface-112,
**BGR**, (x / 255 - 0.5) / 0.5; fed with RGB it loses a little, which is easily overlooked. Output:
512 numbers, compared by cosine.

Known limits: trained on faces of the web without their consent asked, for research.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import by_address
from facelign.types import specs

_RELEASE = "https://github.com/yakhyo/adaface-onnx/releases/download/weights"


def _record(variant: str, name: str, sha256: str, network: str, lfw: str) -> specs.ModelSpec:
    return by_address(
        f"adaface-{variant}", "facelign.embed.models.adaface:AdaFace", name, sha256, _RELEASE,
        order="bgr",
        license=specs.License.unclear("MIT", "WebFace (research use)"),
        title=f"AdaFace, {network}, 512 numbers, fed with BGR",
        paper="Kim et al.: AdaFace, CVPR 2022, https://arxiv.org/abs/2204.00964",
        origin="mk-minchul/AdaFace, exported by yakhyo/adaface-onnx",
        lfw=lfw,
        by="mk-minchul/AdaFace README.md",
    )  # fmt: skip


SPECS = (
    _record(
        "ir18",
        "adaface_ir_18.onnx",
        "6b6a35772fb636cdd4fa86520c1a259d0c41472a76f70f802b351837a00d9870",
        "IResNet-18",
        "0.9953",
    ),
    _record(
        "ir101",
        "adaface_ir_101.onnx",
        "f2eb07d03de0af560a82e1214df799fec5e09375d43521e2868f9dc387e5a43e",
        "IResNet-101",
        "0.9982",
    ),
)


class AdaFace(OnnxEmbedder):
    """Embeds chips with AdaFace."""
