"""FaceNet: Inception-ResNet-v1, trained to tell people apart by softmax, 512 or 128 numbers.

Papers: Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015 (the name and the use); Szegedy et al.,
AAAI 2017 (the network). Origin: David Sandberg's training of 2018, in facenet-pytorch's files.
Input: chips of layout crop (the box with a margin, 160x160 px, no turn), RGB, (x - 127.5) / 128:
the fixed scaling of the models of 2018. ``facenet-128`` is of 2017, in Keras's file of deepface:
the network takes each photo less its mean and by its spread. Output: 512 or 128 numbers, compared
by cosine.

Known limits: but for one, nobody tells a SHA-256, so that they come by ``--trust-first-use``; the
training data is for research.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"


_DEEPFACE = "https://github.com/serengil/deepface_models/releases/download/v1.0"
_KERAS = "https://github.com/faustomorales/keras-facenet/releases/download/v0.3.1"
_OF_2018 = specs.InputSpec(size=(160, 160), mean=(127.5,) * 3, std=(128.0,) * 3)
_FACENET_PYTORCH = (
    "its file could not be had: with random weights the network agrees with facenet-pytorch 2.6.0 "
    "under PyTorch, and in the tests with the same layers in NumPy"
)


def _record(
    id_: str,
    sources: tuple[specs.Source, ...],
    data: str,
    claim: specs.Claim,
    *,
    convert: str = "facenet",
    read: specs.InputSpec = _OF_2018,
    dim: int = 512,
    origin: str = "",
    unseen: str = _FACENET_PYTORCH,
) -> specs.ModelSpec:
    name = sources[0].url.rpartition("/")[2]
    return specs.ModelSpec.of(
        id_,
        "facelign.embed.models.facenet:FaceNet",
        specs.WeightFile(name, sources, convert=convert),
        input=read,
        output=specs.EmbedderOutput(dim=dim, metric=Metric.COSINE, unit=True, layout="crop"),
        license=specs.License.unclear("MIT", f"{data} (research use)"),
        title=f"FaceNet, Inception-ResNet-v1 trained on {data}, {dim} numbers",
        paper="Schroff et al.: FaceNet, CVPR 2015, https://arxiv.org/abs/1503.03832",
        origin=origin or f"timesler/facenet-pytorch {name}",
        published=(claim,),
        defaults={"points": "box"},
        unseen=unseen,
    )


def _claim(lfw: str) -> specs.Claim:
    return specs.Claim("LFW accuracy", lfw, "timesler/facenet-pytorch README.md")


SPECS = (
    _record(
        "facenet-512",
        (
            specs.Source.address(f"{_RELEASE}/20180402-114759-vggface2.pt", sha256="", size=0),
            specs.Source.address(
                f"{_KERAS}/20180402-114759-weights.h5",
                sha256="8b71e7045497e841c00ee568f031d1a4d30908fceadf6884aef2dec4d545202b",
                size=0,
            ),
        ),
        "VGGFace2",
        _claim("0.9965"),
    ),
    _record(
        "facenet-512-casia",
        (specs.Source.address(f"{_RELEASE}/20180408-102900-casia-webface.pt", sha256="", size=0),),
        "CASIA-WebFace",
        _claim("0.9905"),
    ),
    _record(
        "facenet-128",
        (specs.Source.address(f"{_DEEPFACE}/facenet_weights.h5", sha256="", size=0),),
        "MS-Celeb-1M",
        specs.Claim(
            "LFW accuracy, as deepface measured it", "0.974", "serengil/deepface README.md"
        ),
        convert="facenet-2017",
        read=specs.InputSpec(size=(160, 160)),
        dim=128,
        origin="serengil/deepface facenet_weights.h5, from nyoki-mtl/keras-facenet",
        unseen=specs.UNSEEN_POURED,
    ),
)


class FaceNet(OnnxEmbedder):
    """Embeds chips with Inception-ResNet-v1."""
