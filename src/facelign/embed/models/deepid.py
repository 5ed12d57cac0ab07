"""DeepID in deepface's form: one small network of the sixty of 2014, 160 numbers.

Paper: Sun, Wang, Tang, "Deep Learning Face Representation from Predicting 10,000 Classes", CVPR
2014. Origin: Ruoyiran/DeepID, in Keras's file of serengil/deepface. Input: 47x55 chips of layout
crop, BGR as deepface feeds it, x / 255. Output: 160 numbers, compared by Euclidean distance.

Known limits: the paper's 0.9745 on LFW is of sixty networks on patches and another comparison, not
of these weights; nobody tells a SHA-256, so that it comes by ``--trust-first-use``.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_ADDRESS = (
    "https://github.com/serengil/deepface_models/releases/download/v1.0/deepid_keras_weights.h5"
)

SPECS = (
    specs.ModelSpec.of(
        "deepid",
        "facelign.embed.models.deepid:DeepId",
        specs.WeightFile.untold("deepid_keras_weights.h5", _ADDRESS, "deepid"),
        input=specs.InputSpec(size=(47, 55), order="bgr", std=(255.0,) * 3),
        output=specs.EmbedderOutput(dim=160, metric=Metric.EUCLIDEAN, unit=False, layout="crop"),
        license=specs.License(
            code="MIT (deepface)",
            weights="that of Ruoyiran/DeepID, not stated with the file",
            training_data="not stated",
            commercial="unclear",
            note="deepface passes the file on and tells no license of it.",
        ),
        title="DeepID in deepface's form, 160 numbers",
        paper="Sun et al.: Deep Learning Face Representation from Predicting 10,000 Classes, "
        "CVPR 2014, https://openaccess.thecvf.com/content_cvpr_2014/html/"
        "Sun_Deep_Learning_Face_2014_CVPR_paper.html",
        origin="serengil/deepface deepid_keras_weights.h5, from Ruoyiran/DeepID",
        published=(
            specs.Claim(
                "LFW accuracy, as deepface measured it", "0.665", "serengil/deepface README.md"
            ),
        ),
        defaults={"points": "box"},
        unseen=specs.UNSEEN_POURED,
    ),
)


class DeepId(OnnxEmbedder):
    """Embeds chips with DeepID."""
