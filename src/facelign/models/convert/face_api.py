"""The networks of face-api (justadudewhohacks/face-api.js, vladmandic/face-api), written as ONNX.

The manifests name the arrays; how the layers follow one another was read in the TypeScript of
src/faceFeatureExtractor, src/tinyYolov2 and src/faceRecognitionNet, and is written down here.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import dlib
from facelign.models.convert.dlib_network import DESCRIPTOR, Layer, Network
from facelign.models.convert.graph import Graph, serialize
from facelign.models.convert.tfjs import Net, Shards, read_json, runs

#: dlib's mean color, R, G, B, which face-api divides by 255 afterwards, dlib itself by 256
_MEAN, _SCALE = (122.782, 117.001, 104.298), 255.0
#: numbers of a box of the tiny detector: x, y, width, height, score, each for five anchors
_BOX, _ANCHORS = 5, 5
#: channels after each pair of convolutions of MobileNetV1, and of SSD's own: side, channels
_SSD_TRUNK = (64, 128, 128, 256, 256, *([512] * 6), 1024, 1024)
_SSD_HEAD = ((1, 256), (3, 512), (1, 128), (3, 256), (1, 128), (3, 256), (1, 64), (3, 128))
#: convolutions of the descriptor: name, channels read and made, side of the window
_RESNET = (
    ("conv32_down", 3, 32, 7),
    *(
        (f"{name}/conv{i}", before if i == 1 else after, after, 3)
        for name, before, after in (
            ("conv32_1", 32, 32), ("conv32_2", 32, 32), ("conv32_3", 32, 32),
            ("conv64_down", 32, 64), ("conv64_1", 64, 64), ("conv64_2", 64, 64),
            ("conv64_3", 64, 64), ("conv128_down", 64, 128), ("conv128_1", 128, 128),
            ("conv128_2", 128, 128), ("conv256_down", 128, 256), ("conv256_1", 256, 256),
            ("conv256_2", 256, 256), ("conv256_down_out", 256, 256),
        )
        for i in (1, 2)
    ),
)  # fmt: skip


def convert_landmarks(raw: Path, out: Path, manifest: Path) -> None:
    """Write the 68-point network: ``planes`` (n, 3, 112, 112) float32 -> ``points`` (n, 136).

    planes: RGB, (x - mean) / std as the record says. points: x and y in turn, shares of the side.
    """
    graph = _landmarks(_arrays(raw, manifest), (32, 64, 128, 256), 4)
    disk.write(out, runs(graph, (112, 112)))


def convert_landmarks_tiny(raw: Path, out: Path, manifest: Path) -> None:
    """Write the smaller 68-point network; as ``convert_landmarks``."""
    graph = _landmarks(_arrays(raw, manifest), (32, 64, 128), 3)
    disk.write(out, runs(graph, (112, 112)))


def convert_tiny_face(raw: Path, out: Path, manifest: Path) -> None:
    """Write the tiny detector: ``planes`` (n, 3, h, w) float32 -> ``cells`` (n, 25, h/32, w/32).

    planes: as ``convert_landmarks``; the sides are multiples of 32. cells: five numbers an anchor.
    """
    net = Net(_arrays(raw, manifest))
    at = net.planes("h", "w")
    take = net.arrays.take
    filters, bias = take("conv0/filters", 3, 3, 3, 16), take("conv0/bias", 16)
    at = net.convolution(at, filters, bias, same=False)
    channels = (16, 32, 64, 128, 256, 512)
    for layer, pair in enumerate(pairwise(channels), start=1):
        at = net.add("LeakyRelu", at, alpha=0.10000000149011612)
        at = net.add("MaxPool", at, kernel_shape=[2, 2], strides=[2, 2], auto_pad=b"SAME_UPPER")
        at = net.separable(at, f"conv{layer}", pair)
    at = net.add("LeakyRelu", at, alpha=0.10000000149011612)
    at = net.add("MaxPool", at, kernel_shape=[2, 2], strides=[1, 1], auto_pad=b"SAME_UPPER")
    last = _BOX * _ANCHORS
    at = net.convolution(at, take("conv8/filters", 1, 1, 512, last), take("conv8/bias", last))
    graph = net.end((at, "cells", ["n", last, "r", "c"]))
    disk.write(out, runs(graph, (64, 96)))


def convert_ssd(raw: Path, out: Path, manifest: Path) -> None:
    """Write SSD on MobileNetV1: ``planes`` (n, 3, 512, 512) float32 RGB -> ``found`` (n, 5118, 5).

    planes: (x - 127.5) / 127.5. found: top, left, bottom and right as shares of the side, and the
    score before its sigmoid.
    """
    arrays = _arrays(raw, manifest)
    # sizes that TensorFlow computed with
    arrays.drop("processor/", "concat_1", "/stack", "/strided_slice")
    net = Net(arrays)
    at = _clipped(net, net.planes(512, 512), "MobilenetV1/Conv2d_0_pointwise", 3, 3, 32, 2)
    before, levels = 32, list[tuple[str, int]]()
    for layer, after in enumerate(_SSD_TRUNK, start=1):
        name = f"MobilenetV1/Conv2d_{layer}_depthwise"
        filters = arrays.take(f"{name}/depthwise_weights", 3, 3, before, 1)
        gamma, beta, mean, variance = (
            arrays.take(f"{name}/BatchNorm/{part}", before).astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        gain = gamma / np.sqrt(np.maximum(variance, 0) + 0.0010000000474974513)
        folded = (filters[..., 0] * gain)[:, :, None].astype(np.float32)
        stride = 2 if layer in (2, 4, 6, 12) else 1
        shift = (beta - mean * gain).astype(np.float32)
        at = net.convolution(at, folded, shift, stride=stride, groups=before)
        at = _clipped(net, net.relu6(at), f"MobilenetV1/Conv2d_{layer}_pointwise", 1, before, after)
        before = after
        if layer in (11, 13):
            levels.append((at, after))
    for layer, (side, after) in enumerate(_SSD_HEAD):
        stride = 2 if side == 3 else 1
        at = _clipped(net, at, f"Prediction/Conv2d_{layer}_pointwise", side, before, after, stride)
        before = after
        if side == 3:
            levels.append((at, after))
    heads = {"BoxEncodingPredictor": 4, "ClassPredictor": 3}
    rows: dict[str, list[str]] = {name: [] for name in heads}
    for level, (value, channels) in enumerate(levels):
        anchors = 3 if level == 0 else 6
        for head, numbers in heads.items():
            name = f"Prediction/BoxPredictor_{level}/{head}"
            weights = arrays.take(f"{name}/weights", 1, 1, channels, anchors * numbers)
            bias = arrays.take(f"{name}/biases", anchors * numbers)
            turned = net.add("Transpose", net.convolution(value, weights, bias), perm=[0, 2, 3, 1])
            shape = net.constant("rows", np.array([0, -1, numbers], np.int64))
            rows[head].append(net.add("Reshape", turned, shape))
    boxes, classes = (net.add("Concat", *rows[head], axis=1) for head in heads)
    graph = net.end((_decoded(net, boxes, classes), "found", ["n", 5118, 5]))
    disk.write(out, runs(graph, (512, 512)))


def _clipped(
    net: Net, at: str, name: str, side: int, before: int, after: int, stride: int = 1
) -> str:
    """Append a convolution of MobileNet, its normalization in its numbers, and a clip to 0..6."""
    filters = net.arrays.take(f"{name}/weights", side, side, before, after)
    shift = net.arrays.take(f"{name}/convolution_bn_offset", after)
    return net.relu6(net.convolution(at, filters, shift, stride=stride))


def _decoded(net: Net, boxes: str, classes: str) -> str:
    """Append what makes edges of offsets from the priors, which lie in the file."""
    priors = net.arrays.take("Output/extra_dim", 1, 5118, 4)
    sizes = priors[..., 2:] - priors[..., :2]
    middles = priors[..., :2] + sizes / 2

    def part(value: str, first: int, last: int) -> str:
        bounds = [net.constant("bound", np.array([n], np.int64)) for n in (first, last, 2)]
        return net.add("Slice", value, *bounds)

    moved = net.add("Mul", part(boxes, 0, 2), net.constant("sizes", sizes / np.float32(10)))
    middle = net.add("Add", moved, net.constant("middles", middles))
    fifth = net.add("Div", part(boxes, 2, 4), net.constant("five", np.array([5], np.float32)))
    half = net.add("Mul", net.add("Exp", fifth), net.constant("halves", sizes / np.float32(2)))
    low, high = net.add("Sub", middle, half), net.add("Add", middle, half)
    return net.add("Concat", low, high, part(classes, 1, 2), axis=2)


def convert_resnet(raw: Path, out: Path, manifest: Path) -> None:
    """Write dlib's face descriptor network out of face-api's arrays of bytes.

    The graph: ``chips`` (n, 150, 150, 3) uint8 RGB -> ``vectors`` (n, 128) float32, not of unit
    length.
    """
    arrays = _arrays(raw, manifest)
    network = Network(tuple(_resnet_layers(arrays)), np.array(_MEAN))
    arrays.finish()
    disk.write(out, serialize(dlib.checked_descriptor(network), "face-api-resnet"))


def _arrays(raw: Path, manifest: Path) -> Shards:
    return Shards(read_json(manifest), raw)


def _landmarks(arrays: Shards, channels: tuple[int, ...], depth: int) -> Graph:
    """Return dense blocks of ``depth`` convolutions each, and what reads them all at the end."""
    net = Net(arrays)
    at, before = net.planes(112, 112), 3
    for block, after in enumerate(channels):
        name = f"dense{block}"
        if block == 0:
            filters = arrays.take(f"{name}/conv0/filters", 3, 3, before, after)
            at = net.convolution(at, filters, arrays.take(f"{name}/conv0/bias", after), stride=2)
        else:
            at = net.separable(at, f"{name}/conv0", (before, after), stride=2)
        total = at = net.add("Relu", at)
        for layer in range(1, depth):  # each reads the sum of all before it
            total = net.add("Add", total, net.separable(at, f"{name}/conv{layer}", (after, after)))
            at = net.add("Relu", total)
        before = after
    at = net.add("GlobalAveragePool", at)
    at = net.add("Flatten", at)
    at = net.add("MatMul", at, net.constant("fc", arrays.take("fc/weights", before, 136)))
    at = net.add("Add", at, net.constant("fc.bias", arrays.take("fc/bias", 136)))
    return net.end((at, "points", ["n", 136]))


def _resnet_layers(arrays: Shards) -> list[Layer]:
    """Return dlib's layers, from the input outwards, with the arrays that face-api keeps."""
    waiting, name, after, layers = iter(_RESNET), "", 0, list[Layer]()
    for kind in DESCRIPTOR:
        if kind == "con":
            name, before, after, side = next(waiting)
            filters = arrays.take(f"{name}/conv/filters", side, side, before, after)
            bias = arrays.take(f"{name}/conv/bias", after).astype(np.float64)
            # dlib's first layer reads what was divided by its own number
            factor = np.float64(1.0 if layers else dlib.PIXEL_SCALE / _SCALE)
            weights = filters.transpose(3, 2, 0, 1) * factor
            down = "down" in name and not name.endswith("conv2")
            stride, pad = ((2, 2), (0, 0)) if down else ((1, 1), (1, 1))
            layers.append(Layer(kind, weights, bias, (side, side), stride, pad))
        elif kind == "affine":
            gain, shift = (arrays.take(f"{name}/scale/{n}", after) for n in ("weights", "biases"))
            layers.append(Layer(kind, gain.astype(np.float64), shift.astype(np.float64)))
        elif kind == "max_pool":
            layers.append(Layer(kind, window=(3, 3), stride=(2, 2)))
        elif kind == "avg_pool" and layers[-1].kind == "skip1":
            layers.append(Layer(kind, window=(2, 2), stride=(2, 2)))
        elif kind == "fc":
            layers.append(Layer(kind, arrays.take("fc", 256, 128).astype(np.float64)))
        else:
            layers.append(Layer(kind))
    return layers
