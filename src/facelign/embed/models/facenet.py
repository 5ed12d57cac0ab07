"""FaceNet: Inception-ResNet-v1, trained to tell people apart by softmax, 512 numbers.

Papers: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015 (the name and the use); Szegedy et al.,
AAAI 2017 (the network). Origin: David Sandberg's training of 2018, in facenet-pytorch's files.
Input: chips of layout crop (the box with a margin, 160x160 px, no turn), RGB, (x - 127.5) / 128:
the fixed scaling of the models of 2018; those of 2017 took each photo by itself. Output: 512
numbers, compared by cosine.

Known limits: the publisher tells no SHA-256, so that it comes by ``--trust-first-use``; the
training data is for research.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"


def _record(id_: str, name: str, data: str, lfw: str) -> specs.ModelSpec:
    source = specs.Source.address(f"{_RELEASE}/{name}", sha256="", size=0)
    return specs.ModelSpec.of(
        id_,
        "facelign.embed.models.facenet:FaceNet",
        specs.WeightFile(name, (source,), convert="facenet"),
        input=specs.InputSpec(size=(160, 160), mean=(127.5,) * 3, std=(128.0,) * 3),
        output=specs.EmbedderOutput(dim=512, metric=Metric.COSINE, unit=True, layout="crop"),
        license=specs.License.both(
            "MIT",
            f"{data} (research use)",
            "The license is free by its text; the training data is for research.",
            unclear=True,
        ),
        title=f"FaceNet, Inception-ResNet-v1 trained on {data}, 512 numbers",
        paper="Schroff et al.: FaceNet, CVPR 2015, https://arxiv.org/abs/1503.03832",
        origin=f"timesler/facenet-pytorch {name}",
        published=(specs.Claim("LFW accuracy", lfw, "timesler/facenet-pytorch README.md"),),
        defaults={"points": "box"},
        unseen="its file could not be had: with random weights the network agrees with "
        "facenet-pytorch 2.6.0 under PyTorch, and in the tests with the same layers in NumPy",
    )


SPECS = (
    _record("facenet-512", "20180402-114759-vggface2.pt", "VGGFace2", "0.9965"),
    _record("facenet-512-casia", "20180408-102900-casia-webface.pt", "CASIA-WebFace", "0.9905"),
)


class FaceNet(OnnxEmbedder):
    """Embeds chips with Inception-ResNet-v1."""
