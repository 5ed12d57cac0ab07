"""VGG-Face of 2015: VGG-16 trained on 2,622 people, 4096 numbers, or 2622.

Paper: Parkhi, Vedaldi, Zisserman, "Deep Face Recognition", BMVC 2015. Origin: the weights of the
authors in Keras's files of serengil/deepface and rcmalli/keras-vggface. Input: 224x224 chips of
layout crop, BGR less the means of its training. Output: ``vgg-face`` gives the second dense layer
after its ReLU, at length 1, as deepface does today; ``vgg-face-2622`` the third, before the
softmax, compared by Euclidean distance on its own scale, as the article has it.

Known limits: 580 MB; the weights are for non-commercial research; nobody tells a SHA-256, so that
they come by ``--trust-first-use``; that they want BGR and means is rcmalli's word, where deepface
feeds its copy with parts of 255.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_FILES = (
    "https://github.com/serengil/deepface_models/releases/download/v1.0/vgg_face_weights.h5",
    "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/rcmalli_vggface_tf_vgg16.h5",
)


def _record(id_: str, output: specs.EmbedderOutput, figure: specs.Claim) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.embed.models.vgg_face:VggFace",
        specs.WeightFile(
            "vgg_face_weights.h5",
            tuple(specs.Source.address(address, sha256="", size=0) for address in _FILES),
            convert=id_,
        ),
        input=specs.InputSpec(
            size=(224, 224), order="bgr", mean=(93.5940, 104.7624, 129.1863), std=(1.0,) * 3
        ),
        output=output,
        license=specs.License.closed(
            "MIT",
            "non-commercial research only (Visual Geometry Group, Oxford)",
            "VGG Face Dataset (research use)",
            "By the page of its authors: for non-commercial research.",
        ),
        title=f"VGG-Face of 2015, {output.dim} numbers",
        paper="Parkhi et al.: Deep Face Recognition, BMVC 2015, https://doi.org/10.5244/C.29.41",
        origin="serengil/deepface vgg_face_weights.h5, rcmalli/keras-vggface",
        published=(figure,),
        defaults={"points": "box"},
        unseen=specs.UNSEEN_POURED,
    )


SPECS = (
    _record(
        "vgg-face",
        specs.EmbedderOutput(dim=4096, metric=Metric.COSINE, unit=True, layout="crop"),
        specs.Claim(
            "LFW accuracy, as deepface measured it", "0.967", "serengil/deepface README.md"
        ),
    ),
    _record(
        "vgg-face-2622",
        specs.EmbedderOutput(dim=2622, metric=Metric.EUCLIDEAN, unit=False, layout="crop"),
        specs.Claim(
            "LFW accuracy, softmax alone",
            "0.9727",
            "cmusatyalab/openface docs/models-and-accuracies.md",
        ),
    ),
)


class VggFace(OnnxEmbedder):
    """Embeds chips with VGG-Face."""
