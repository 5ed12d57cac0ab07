"""FaceRes of Human: a MobileNet that was taught identity, age and gender; its 1024 numbers.

Paper: Savchenko, "Efficient facial representations for age, gender and identity recognition in
organizing photo albums using multi-output ConvNet", PeerJ Computer Science 2019. Origin:
HSE-asavchenko/HSE_FaceRec_tf, packed for vladmandic/human. Input: BGR minus ImageNet's mean color,
as its author feeds it. Human feeds RGB with nothing subtracted, and loses a fifth of what it could
tell apart: of 450 mated pairs of lfw_100 at a false match rate of 1e-3, 70 % instead of 90 % (in
the square of 1.4 times the box that Human cuts). Chips: the eyes level, 1.3 times the box: 91 %;
the box alone gives 87 %.

Known limits: made for photo albums; far behind networks that were taught by margins.
"""

from __future__ import annotations

from facelign.embed.batch import OnnxEmbedder
from facelign.types import specs
from facelign.types.embeddings import Metric

_PACKAGE = "@vladmandic/human@3.3.6"

SPECS = (
    specs.ModelSpec.of(
        "faceres",
        "facelign.embed.models.faceres:FaceRes",
        *specs.WeightFile.pair(
            _PACKAGE,
            ("models/faceres.bin", "models/faceres.json"),
            ("2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b", 6_978_814),
            ("5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df", 71_432),
            "faceres",
        ),
        input=specs.InputSpec(
            (224, 224), order="bgr", mean=(103.939, 116.779, 123.68), std=(1.0,) * 3
        ),
        output=specs.EmbedderOutput(dim=1024, metric=Metric.COSINE, unit=True, layout="eyes-wide"),
        license=specs.License.both(
            "MIT",
            "VGGFace2 (research use)",
            "By the license of the package; its author's repository and data have their own.",
            unclear=True,
        ),
        title="FaceRes, MobileNet of many tasks, 1024 numbers",
        paper="Savchenko: Efficient facial representations, PeerJ Computer Science 2019, "
        "https://doi.org/10.7717/peerj-cs.197",
        origin=f"npm {_PACKAGE} models/faceres.json",
    ),
)


class FaceRes(OnnxEmbedder):
    """Turns eyes-wide chips into vectors."""
