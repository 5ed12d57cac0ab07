"""What the records of embedders share that read chips as ArcFace cut them."""

from __future__ import annotations

from typing import Any, Literal

from facelign.types import specs
from facelign.types.embeddings import Metric

_UNIFACE = "https://github.com/yakhyo/uniface/releases/download/weights"


def of_arcface_chips(
    id_: str,
    entry: str,
    *weights: specs.WeightFile,
    dim: int = 512,
    order: Literal["rgb", "bgr"] = "rgb",
    std: float = 127.5,
    **more: Any,
) -> specs.ModelSpec:
    """Return the record of a network that reads 112 x 112 chips, scaled to about -1 to 1, and gives
    ``dim`` numbers whose angle tells people apart. more: see ``ModelSpec.of``.
    """
    return specs.ModelSpec.of(
        id_,
        entry,
        *weights,
        input=specs.InputSpec((112, 112), order=order, mean=(127.5,) * 3, std=(std,) * 3),
        output=specs.EmbedderOutput(dim=dim, metric=Metric.COSINE, unit=True, layout="arcface-112"),
        **more,
    )


def by_address(
    id_: str, entry: str, file: str, sha256: str, at: str, *, size: int = 0, lfw: str, by: str,
    **more: Any,
) -> specs.ModelSpec:  # fmt: skip
    """Return the record of such a network whose file nobody here had.

    at: the folder of the file, an https address. lfw: accuracy on LFW, as the README of ``by``
    tells it.
    """
    return of_arcface_chips(
        id_,
        entry,
        specs.WeightFile.same(file, sha256=sha256, size=size, address=f"{at}/{file}"),
        published=(specs.Claim("LFW accuracy", lfw, by),),
        unseen=specs.UNSEEN_EMBEDDER,
        **more,
    )


def trained_on_ms1mv2(
    id_: str, entry: str, file: str, sha256: str, *, title: str, paper: str, lfw: str
) -> specs.ModelSpec:
    """Return the record of a recognizer of yakhyo/face-recognition, trained on MS1MV2."""
    return by_address(
        id_, entry, file, sha256, _UNIFACE,
        license=specs.License.unclear(
            "MIT", "MS1MV2, from MS-Celeb-1M (withdrawn by its publisher)", specs.UNKNOWN_STANDING
        ),
        title=f"{title}, trained on MS1MV2, 512 numbers",
        paper=paper,
        origin="yakhyo/face-recognition",
        lfw=lfw,
        by="yakhyo/face-recognition README.md",
    )  # fmt: skip
