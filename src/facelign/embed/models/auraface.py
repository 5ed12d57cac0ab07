"""AuraFace: an IResNet-100 whose publisher says that its training data may be used commercially.

Origin: fal/AuraFace-v1 (2024), the recognizer alone; other files of that pack are InsightFace's and
not free. Input: 112x112 chips of layout arcface-112, RGB, (x - 127.5) / 127.5. Output: 512 numbers,
not of unit length, compared by cosine.

Known limits: below ArcFace by its publisher's own words; what the training data is, is not told;
its publisher tells no SHA-256, so that it comes by ``--trust-first-use``; the address is the one
that several public programs fetch, which say about 249 MiB. A copy exported again with a free batch
is known by its digest, where somebody has it.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.embed.records import of_arcface_chips
from facelign.types import specs

_ADDRESS = "https://huggingface.co/fal/AuraFace-v1/resolve/main/glintr100.onnx"
_COPY = "d2c9d76203c75749d9fee70353eb7698894f751cd9b6f562752596c553222c01"

SPECS = (
    of_arcface_chips(
        "auraface",
        "facelign.embed.models.auraface:AuraFace",
        specs.WeightFile(
            "auraface.onnx",
            (
                specs.Source.address(_ADDRESS, sha256="", size=0),
                specs.Source.mirrored("auraface.onnx", sha256=_COPY, size=260_694_211),
            ),
        ),
        license=specs.License.both(
            "Apache-2.0",
            '"commercially and publicly available data sources", which are not named',
            "By the license that its publisher gives; who was in the training data is not told.",
        ),
        title="AuraFace v1, IResNet-100, 512 numbers, free by its license",
        paper="the loss: Deng et al.: ArcFace, CVPR 2019, https://arxiv.org/abs/1801.07698",
        origin="fal/AuraFace-v1 glintr100.onnx",
        unseen=specs.UNSEEN_EMBEDDER,
    ),
)


class AuraFace(OnnxEmbedder):
    """Embeds chips with AuraFace."""
