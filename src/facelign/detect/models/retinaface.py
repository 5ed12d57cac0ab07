"""RetinaFace: anchors over three levels of a small trunk, five points.

Paper: Deng et al., "RetinaFace: Single-Shot Multi-Level Face Localisation in the Wild", CVPR 2020.
Origin: biubug6/Pytorch_Retinaface, in a training that foamliu/MobileFaceNet publishes.
Input: BGR less (104, 117, 123). The small one reads any size, sides padded with that color at the
right and the bottom to a multiple of 32; the published ONNX files read 640 x 640 px, the photo at
the top left with black beside it. Output, an anchor a row: box and points relative to the anchor,
in units of a tenth (places) and a fifth (logarithms of sizes) of its side; score after softmax.

Known limits: one look, at a long side of 1000 px as a rule, or 640. Files of the same name by other
trainings have other anchors.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType

import numpy as np

from facelign.detect.anchors import Candidates
from facelign.detect.one_look import AnySize, OneLook
from facelign.types import specs
from facelign.types.arrays import AnyArray, Float32Array

_Levels = tuple[tuple[int, tuple[int, ...]], ...]
#: stride of each level, and the sides of its anchors, px
_LEVELS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))
_SLIM_LEVELS = ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256)))
#: what offsets and logarithms are divided by in training (the "variances" of SSD)
_OFFSET, _LOG = np.float32(0.1), np.float32(0.2)
_REPOSITORY = (
    "https://github.com/foamliu/MobileFaceNet/raw/a6cc9032a659b615f477833e1a70b5e7931bcccc"
)
#: scores of this family lie high
_SCORES = MappingProxyType({"score_threshold": 0.6})
_PAPER = "Deng et al.: RetinaFace, CVPR 2020, https://arxiv.org/abs/1905.00641"
_DATA = "WIDER FACE (research use)"
_UNIFACE = "https://github.com/yakhyo/uniface/releases/download/weights"


def _by_address(id_: str, file: str, sha256: str, trunk: str) -> specs.ModelSpec:
    """Return the record of a training of yakhyo/retinaface-pytorch, of which no size is told."""
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.retinaface:RetinaFaceInSquare",
        specs.WeightFile.same(file, sha256=sha256, size=0, address=f"{_UNIFACE}/{file}"),
        input=specs.InputSpec((640, 640), order="bgr", mean=(104.0, 117.0, 123.0)),
        output=specs.DetectorOutput("five", smallest_px=16),
        defaults=_SCORES,
        license=specs.License.both(
            "MIT", _DATA, "By the documents of uniface, which publishes the file."
        ),
        title=f"RetinaFace with {trunk}, five points",
        paper=_PAPER,
        origin=f"yakhyo/uniface uniface/constants.py, {file}",
        unseen="its file could not be had: anchors and decoding are those of retinaface-mnet025, "
        "which was run, and the tests decode made outputs",
    )


_SMALL = (
    "https://github.com/biubug6/Face-Detector-1MB-with-landmark/raw/"
    "7f49cebe8c46c0d36debf2f4776dff35dd59a071/weights"
)


def _small(id_: str, file: str, sha256: str, size: int, form: str) -> specs.ModelSpec:
    """Return the record of a form of 1 MB."""
    return specs.ModelSpec.of(
        id_,
        "facelign.detect.models.retinaface:RetinaFaceSlim",
        specs.WeightFile.same(
            file, sha256=sha256, size=size, address=f"{_SMALL}/{file}", convert="retinaface-slim"
        ),
        input=specs.InputSpec(size=None, order="bgr", mean=(104.0, 117.0, 123.0)),
        output=specs.DetectorOutput("five", smallest_px=12),
        defaults=_SCORES,
        license=specs.License.both(
            "MIT", _DATA, "By the license file of the repository that holds the weights."
        ),
        title=f"RetinaFace, {form} of 1 MB, five points",
        paper=_PAPER,
        origin=f"biubug6/Face-Detector-1MB-with-landmark weights/{file}",
        unseen="its file could not be had: random weights poured into the architecture agree with "
        "a second implementation in the tests",
    )


SPECS = (
    _small(
        "retinaface-slim",
        "slim_Final.pth",
        "76cdb587b2cf5f91b3836b66a652a0f7a91891758cd4fb0b07e4b7527af1c651",
        1_427_150,
        "slim form",
    ),
    _small(
        "retinaface-rfb",
        "RBF_Final.pth",
        "b22c45855bff5c4eb84e9973e2ee8a980639aa194ec66f33a87ce712f9d44c28",
        1_504_452,
        "form with a receptive field block",
    ),
    _by_address(
        "retinaface-mv2",
        "retinaface_mv2.onnx",
        "3ca44c045651cabeed1193a1fae8946ad1f3a55da8fa74b341feab5a8319f757",
        "MobileNetV2",
    ),
    _by_address(
        "retinaface-r34",
        "retinaface_r34.onnx",
        "bd0263dc2a465d32859555cb1741f2d98991eb0053696e8ee33fec583d30e630",
        "ResNet-34",
    ),
    specs.ModelSpec.of(
        "retinaface-mnet025",
        "facelign.detect.models.retinaface:RetinaFace",
        specs.WeightFile.same(
            "mobilenet0.25_Final.pth",
            sha256="2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
            size=1_789_735,
            address=f"{_REPOSITORY}/retinaface/weights/mobilenet0.25_Final.pth",
            convert="retinaface",
        ),
        input=specs.InputSpec(size=None, order="bgr", mean=(104.0, 117.0, 123.0)),
        output=specs.DetectorOutput("five", smallest_px=12),
        defaults=_SCORES,
        license=specs.License(
            code="MIT (Pytorch_Retinaface)",
            weights="Apache-2.0 (foamliu/MobileFaceNet)",
            training_data=_DATA,
            commercial="yes",
            note="By the license file of the repository that holds the weights.",
        ),
        title="RetinaFace with MobileNetV1 x 0.25, five points",
        paper=_PAPER,
        origin="foamliu/MobileFaceNet retinaface/weights/mobilenet0.25_Final.pth",
        published=(
            specs.Claim(
                "WIDER FACE val AP easy/medium/hard, another training of the same network",
                "0.9070 / 0.8816 / 0.7382",
                "biubug6/Pytorch_Retinaface README.md",
            ),
        ),
    ),
)


class _Anchored(OneLook):
    """Reads boxes and points off anchors. LEVELS: stride and sides of the anchors of each level."""

    LEVELS: _Levels = _LEVELS

    def decode(self, outputs: list[AnyArray], size: tuple[int, int]) -> Candidates:
        """Return what has the score; see ``OneLook``."""
        boxes, scores, points = (output[0] for output in outputs)
        if not np.allclose(scores.sum(axis=1), 1, atol=1e-3):  # exported without the softmax
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores /= scores.sum(axis=1, keepdims=True)
        hit = np.flatnonzero(scores[:, 1] >= self.options.score_threshold)
        middle, side = (part[hit] for part in _anchors(*size, self.LEVELS))
        center = middle + boxes[hit, :2] * _OFFSET * side
        half = np.exp(boxes[hit, 2:] * _LOG) * side / 2
        spots = middle[:, None] + points[hit].reshape(-1, 5, 2) * _OFFSET * side[:, None]
        return Candidates(
            np.concatenate([center - half, center + half], axis=1), scores[hit, 1], spots
        )


class RetinaFace(_Anchored, AnySize):
    """Finds faces with five points."""


class RetinaFaceSlim(RetinaFace):
    """Finds faces with five points, with the anchors of the forms of 1 MB."""

    LEVELS = _SLIM_LEVELS


class RetinaFaceInSquare(_Anchored):
    """Finds faces with five points in a square of 640 px."""


@lru_cache(maxsize=16)
def _anchors(width: int, height: int, levels: _Levels) -> tuple[Float32Array, Float32Array]:
    """Return middles (n, 2) and sides (n, 1) of all anchors of a picture, px."""
    middles, sides = [], []
    for stride, sizes in levels:
        rows, columns = -(-height // stride), -(-width // stride)
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
        middles.append(np.repeat((grid + 0.5) * stride, len(sizes), axis=0))
        sides.append(np.tile(np.array(sizes), len(grid)))
    every = np.concatenate(sides)[:, None].astype(np.float32)
    return np.concatenate(middles).astype(np.float32), every
