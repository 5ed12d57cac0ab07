"""SphereFace's networks of 20 and 36 layers without normalization, trained anew on MS1MV2.

Paper: Liu et al., "SphereFace: Deep Hypersphere Embedding for Face Recognition", CVPR 2017. Origin:
yakhyo/face-recognition. Input: 112x112 chips of layout arcface-112, RGB, (x - 127.5) / 127.5: not
that of the paper's own weights (112 high and 96 wide, BGR, / 128). Output: 512 numbers, compared by
cosine.

Known limits: trained on refined MS-Celeb-1M, a data set that was withdrawn.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import trained_on_ms1mv2
from facelign.types import specs


def _record(layers: int, sha256: str, lfw: str) -> specs.ModelSpec:
    return trained_on_ms1mv2(
        f"sphereface{layers}",
        "facelign.embed.models.sphereface:SphereFace",
        f"sphere{layers}.onnx",
        sha256,
        title=f"SphereFace's network of {layers} layers",
        paper="Liu et al.: SphereFace, CVPR 2017, https://arxiv.org/abs/1704.08063",
        lfw=lfw,
    )


SPECS = (
    _record(20, "c02878cf658eb1861f580b7e7144b0d27cc29c440bcaa6a99d466d2854f14c9d", "0.9967"),
    _record(36, "13b3890cd5d7dec2b63f7c36fd7ce07403e5a0bbb701d9647c0289e6cbe7bb20", "0.9972"),
)


class SphereFace(OnnxEmbedder):
    """Embeds chips with a network of SphereFace."""
