"""EdgeFace: small networks of convolutions and attention, with linear layers of low rank.

Paper: George, Ecabert, Otroshi Shahreza, Kotwal, Marcel, "EdgeFace: Efficient Face Recognition
Model for Edge Devices", IEEE T-BIOM 2024. Origin: otroshi/edgeface, exported by
yakhyo/edgeface-onnx. Input: 112x112 chips of layout arcface-112, RGB, (x / 255 - 0.5) / 0.5.
Output: 512 numbers, compared by cosine.

Known limits: the code is free, the weights are not: CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import by_address
from facelign.types import specs

_RELEASE = "https://github.com/yakhyo/edgeface-onnx/releases/download/weights"


def _record(variant: str, name: str, sha256: str, millions: str, lfw: str) -> specs.ModelSpec:
    return by_address(
        f"edgeface-{variant}", "facelign.embed.models.edgeface:EdgeFace", name, sha256, _RELEASE,
        license=specs.License.closed(
            "BSD-3-Clause",
            "CC BY-NC-SA 4.0",
            "WebFace12M and WebFace4M (research use)",
            "The code is free; the weights are not for commercial use.",
        ),
        title=f"EdgeFace {variant.upper()}, {millions} million numbers of weights, 512 numbers",
        paper="George et al.: EdgeFace, IEEE T-BIOM 2024, https://arxiv.org/abs/2307.01838",
        origin="otroshi/edgeface, exported by yakhyo/edgeface-onnx",
        lfw=lfw,
        by="otroshi/edgeface README.md",
    )  # fmt: skip


SPECS = (
    _record(
        "xxs",
        "edgeface_xxs.onnx",
        "dc674de4cbc77fa0bf9a82d5149558ab8581d82a2cd3bb60f28fd1a5d3ff8a2f",
        "1.24",
        "0.9957",
    ),
    _record(
        "xs",
        "edgeface_xs_gamma_06.onnx",
        "9206e2eb13a2761d7b5b76e13016d4b9acd3fa3535a9a09939f3adacd139a5ff",
        "1.77",
        "0.9973",
    ),
    _record(
        "s",
        "edgeface_s_gamma_05.onnx",
        "b850767cf791bda585600b5c4c7d7432b2f998ccd862caae34ef1afa967d2e54",
        "3.65",
        "0.9978",
    ),
)


class EdgeFace(OnnxEmbedder):
    """Embeds chips with EdgeFace."""
