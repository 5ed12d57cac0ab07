"""OpenFace nn4.small2.v1: the small network of 2016, 128 numbers.

Paper: Amos, Ludwiczuk, Satyanarayanan, "OpenFace", CMU-CS-16-118, 2016.
Origin: cmusatyalab/openface: its file of Torch7, or what was made of it for PyTorch
(thnkim/OpenFacePytorch) and Keras (iwantooxxoox/Keras-OpenFace, also as a folder of CSV files); any
of these is taken. Input: chips of layout
openface-96 (outer eye corners and nose, an affine map), RGB / 255. Output: 128 numbers; OpenFace
compares squared distances at length 1, which are 2 - 2 cosines.

Known limits: far below today's models; nobody tells a SHA-256, so that it comes by
``--trust-first-use``; PyTorch's file lies in a repository without a license of its own.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_FILES = (
    "https://github.com/thnkim/OpenFacePytorch/raw/master/openface.pth",
    "https://storage.cmusatyalab.org/openface-models/nn4.small2.v1.t7",
    "https://github.com/iwantooxxoox/Keras-OpenFace/raw/master/model/nn4.small2.v1.h5",
)

SPECS = (
    specs.ModelSpec.of(
        "openface-nn4-small2",
        "facelign.embed.models.openface:OpenFace",
        specs.WeightFile(
            "openface.pth",
            (
                *(specs.Source.address(address, sha256="", size=0) for address in _FILES),
                specs.Source.mirrored("nn4.small2.v1.csv.zip", sha256="", size=0),
            ),
            convert="openface",
        ),
        input=specs.InputSpec(size=(96, 96), std=(255.0,) * 3),
        output=specs.EmbedderOutput(dim=128, metric=Metric.COSINE, unit=True, layout="openface-96"),
        license=specs.License.unclear(
            "Apache-2.0 (OpenFace)", "FaceScrub and CASIA-WebFace (research use)"
        ),
        title="OpenFace nn4.small2.v1, 128 numbers",
        paper="the method: Schroff et al.: FaceNet, CVPR 2015, https://arxiv.org/abs/1503.03832",
        origin="cmusatyalab/openface nn4.small2.v1, also as thnkim/OpenFacePytorch and "
        "iwantooxxoox/Keras-OpenFace converted it",
        published=(
            specs.Claim(
                "LFW accuracy (standard deviation)",
                "0.9292 (0.0134)",
                "cmusatyalab/openface docs/models-and-accuracies.md",
            ),
        ),
        defaults={"points": "dlib-5"},
        unseen=specs.UNSEEN_POURED,
    ),
)


class OpenFace(OnnxEmbedder):
    """Embeds chips with nn4.small2."""
