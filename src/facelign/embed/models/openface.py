"""OpenFace nn4.small2.v1: the small network of 2016, 128 numbers.

Paper: Amos, Ludwiczuk, Satyanarayanan, "OpenFace", CMU-CS-16-118, 2016.
Origin: cmusatyalab/openface, in the file of thnkim/OpenFacePytorch. Input: chips of layout
openface-96 (outer eye corners and nose, an affine map), RGB / 255. Output: 128 numbers; OpenFace
compares squared distances at length 1, which are 2 - 2 cosines.

Known limits: far below today's models; its publisher tells no SHA-256, so that it comes by
``--trust-first-use``; the file lies in a repository without a license of its own.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_ADDRESS = "https://github.com/thnkim/OpenFacePytorch/raw/master/openface.pth"

SPECS = (
    specs.ModelSpec.of(
        "openface-nn4-small2",
        "facelign.embed.models.openface:OpenFace",
        specs.WeightFile(
            "openface.pth",
            (specs.Source.address(_ADDRESS, sha256="", size=0),),
            convert="openface",
        ),
        input=specs.InputSpec(size=(96, 96), std=(255.0,) * 3),
        output=specs.EmbedderOutput(dim=128, metric=Metric.COSINE, unit=True, layout="openface-96"),
        license=specs.License.both(
            "Apache-2.0 (OpenFace)",
            "FaceScrub and CASIA-WebFace (research use)",
            "The license is free by its text; the training data is for research.",
            unclear=True,
        ),
        title="OpenFace nn4.small2.v1, 128 numbers",
        paper="the method: Schroff et al.: FaceNet, CVPR 2015, https://arxiv.org/abs/1503.03832",
        origin="cmusatyalab/openface nn4.small2.v1, converted by thnkim/OpenFacePytorch",
        published=(
            specs.Claim(
                "LFW accuracy (standard deviation)",
                "0.9292 (0.0134)",
                "cmusatyalab/openface docs/models-and-accuracies.md",
            ),
        ),
        defaults={"points": "dlib-5"},
        unseen="its file could not be had: with random weights the network agrees with the same "
        "layers written down in NumPy",
    ),
)


class OpenFace(OnnxEmbedder):
    """Embeds chips with nn4.small2."""
