"""MobileNets of three generations as recognizers, trained on MS1MV2 with a cosine margin.

Origin: yakhyo/face-recognition. Input: 112x112 chips of layout arcface-112, RGB,
(x - 127.5) / 127.5. Output: 512 numbers, compared by cosine.

Known limits: trained on refined MS-Celeb-1M, a data set that was withdrawn.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import trained_on_ms1mv2
from facelign.types import specs


def _record(variant: str, name: str, sha256: str, paper: str, lfw: str) -> specs.ModelSpec:
    return trained_on_ms1mv2(
        f"mobilenet-{variant}", "facelign.embed.models.mobilenet:MobileNet", name, sha256,
        title=f"MobileNet {variant}", paper=paper, lfw=lfw,
    )  # fmt: skip


_V3 = "Howard et al.: Searching for MobileNetV3, ICCV 2019, https://arxiv.org/abs/1905.02244"

SPECS = (
    _record(
        "v1-025",
        "mobilenetv1_0.25.onnx",
        "eeda7d23d9c2b40cf77fa8da8e895b5697465192648852216074679657f8ee8b",
        "Howard et al.: MobileNets, 2017, https://arxiv.org/abs/1704.04861",
        "0.9876",
    ),
    _record(
        "v2",
        "mobilenetv2.onnx",
        "38b148284dd48cc898d5d4453104252fbdcbacc105fe3f0b80e78954d9d20d89",
        "Sandler et al.: MobileNetV2, CVPR 2018, https://arxiv.org/abs/1801.04381",
        "0.9955",
    ),
    _record(
        "v3-small",
        "mobilenetv3_small.onnx",
        "d4acafa1039a82957aa8a9a1dac278a401c353a749c39df43de0e29cc1c127c3",
        _V3,
        "0.9930",
    ),
    _record(
        "v3-large",
        "mobilenetv3_large.onnx",
        "0e48f8e11f070211716d03e5c65a3db35a5e917cfb5bc30552358629775a142a",
        _V3,
        "0.9953",
    ),
)


class MobileNet(OnnxEmbedder):
    """Embeds chips with a MobileNet."""
