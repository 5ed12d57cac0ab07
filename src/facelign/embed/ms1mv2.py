"""What the records of the recognizers of yakhyo/face-recognition, trained on MS1MV2, share."""

from __future__ import annotations

from facelign.types import specs
from facelign.types.embeddings import Metric

_RELEASE = "https://github.com/yakhyo/uniface/releases/download/weights"


def record(
    id_: str, entry: str, file: str, sha256: str, *, title: str, paper: str, lfw: str
) -> specs.ModelSpec:
    """Return the record of one of them: 112 x 112 chips in, 512 numbers out.

    lfw: accuracy on LFW by its README.
    """
    return specs.ModelSpec.of(
        id_,
        entry,
        specs.WeightFile.same(file, sha256=sha256, size=0, address=f"{_RELEASE}/{file}"),
        input=specs.InputSpec(size=(112, 112), mean=(127.5,) * 3, std=(127.5,) * 3),
        output=specs.EmbedderOutput(dim=512, metric=Metric.COSINE, unit=True, layout="arcface-112"),
        license=specs.License.both(
            "MIT",
            "MS1MV2, from MS-Celeb-1M (withdrawn by its publisher)",
            "The license is free by its text; the standing of the training data is not known.",
            unclear=True,
        ),
        title=f"{title}, trained on MS1MV2, 512 numbers",
        paper=paper,
        origin="yakhyo/face-recognition",
        published=(specs.Claim("LFW accuracy", lfw, "yakhyo/face-recognition README.md"),),
        unseen=specs.UNSEEN_EMBEDDER,
    )
