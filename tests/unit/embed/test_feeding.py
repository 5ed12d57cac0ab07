"""What every network is fed with: one color becomes the numbers that its publisher's code makes.

The network itself is a made one, whose vector holds the mean of each plane that it reads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.embed.batch import OnnxEmbedder
from facelign.models.catalog import default
from facelign.models.convert.graph import FLOAT32, Graph, Node, Value, serialize
from facelign.runtime.onnx import OnnxOptions
from facelign.types.chips import Chips
from facelign.types.specs import EmbedderOutput, Task

SPECS = {spec.id: spec for spec in default().specs(Task.EMBED)}
RED, GREEN, BLUE = COLOR = 250, 100, 20
HALF = [(value - 127.5) / 127.5 for value in COLOR]
BY_128 = [(value - 127.5) / 128 for value in COLOR]
SHARES = [value / 255 for value in COLOR]
#: id or family -> the planes, as the code of each publisher reads that color
FED = {
    "adaface": HALF[::-1],  # mk-minchul/AdaFace README: BGR
    "arcface": HALF,
    "auraface": HALF,
    "edgeface": HALF,
    "mobilenet": HALF,
    "sphereface20": HALF,
    "sphereface36": HALF,
    "deepface": SHARES,
    "deepid": SHARES[::-1],  # deepface reads with OpenCV
    "openface": SHARES,
    # dlib/dnn/input.h: mean of its training, then 256; face-api divides by 255 (faceRecognitionNet)
    "dlib-resnet": [(RED - 122.782) / 256, (GREEN - 117.001) / 256, (BLUE - 104.298) / 256],
    "dlib-resnet-small": [(RED - 122.782) / 255, (GREEN - 117.001) / 255, (BLUE - 104.298) / 255],
    "facenet-128": [250, 100, 20],
    "facenet-512": BY_128,
    "ghostfacenet": BY_128,
    "mobileface": BY_128,
    "faceres": [BLUE - 103.939, GREEN - 116.779, RED - 123.68],  # Caffe's order and means
    "vgg-face": [BLUE - 93.594, GREEN - 104.7624, RED - 129.1863],
    # torchvision's means and deviations
    "mobilefacenet": [
        (RED / 255 - 0.485) / 0.229, (GREEN / 255 - 0.456) / 0.224, (BLUE / 255 - 0.406) / 0.225,
    ],
    "sface": [250, 100, 20],
}  # fmt: skip


def family(name: str) -> str:
    """The longest name of the table that the id is, or begins with."""
    plain = name.removesuffix("-int8")
    return max((one for one in FED if plain == one or plain.startswith(f"{one}-")), key=len)


def plane_means(path: Path, size: tuple[int, int], axes: str, dim: int) -> None:
    """Write a network whose vector begins with the mean of each plane."""
    width, height = size
    shape = [3, height, width] if axes == "nchw" else [height, width, 3]
    inside = [2, 3] if axes == "nchw" else [1, 2]
    graph = Graph(
        [
            Node("ReduceMean", ["picture"], ["means"], {"axes": inside, "keepdims": 0}),
            Node("MatMul", ["means", "wide"], ["spread"]),
            Node("Add", ["spread", "one"], ["vector"]),
        ],
        {
            "wide": np.eye(3, dim, dtype=np.float32),
            "one": np.eye(1, dim, dim - 1, dtype=np.float32),
        },
        [Value("picture", FLOAT32, ["n", *shape])],
        [Value("vector", FLOAT32, ["n", dim])],
        17,
        8,
    )
    path.write_bytes(serialize(graph))


@pytest.mark.parametrize("name", SPECS)
def test_a_color_becomes_what_the_publisher_makes_of_it(name: str, tmp_path: Path) -> None:
    spec = SPECS[name]
    output, size, file = spec.output, spec.input.size, spec.weights[0].name
    assert isinstance(output, EmbedderOutput)
    assert size is not None
    plane_means(tmp_path / file, size, spec.input.axes, output.dim)
    points = str(spec.defaults.get("points", "five"))
    options = OnnxEmbedder.Options(unit=False, points=points)
    model = OnnxEmbedder(spec, {file: tmp_path / file}, options, OnnxOptions())
    pixels = np.broadcast_to(np.uint8(COLOR), (2, size[1], size[0], 3))
    still = np.repeat(np.eye(2, 3)[None], 2, axis=0)
    found = model.embed(Chips(pixels, output.layout, still, points))
    # a mean of 22,500 numbers in float32
    np.testing.assert_allclose(found.vectors[:, :3], [FED[family(name)]] * 2, rtol=2e-4, atol=1e-5)
    assert found.vectors.shape == (2, output.dim)
    np.testing.assert_allclose(found.norms, np.linalg.norm(found.vectors, axis=1), rtol=1e-5)
