"""dlib networks as ONNX graphs.

What dlib does otherwise than most frameworks: sums zero-pad the smaller side at the
bottom, the right and after the last channel, and a convolution with a stride has no padding.
The affine layers are folded into the convolutions before them, in double precision; the mean and
the division by 256 are folded into the first convolution where nothing is padded there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from facelign.models.convert.dlib_network import Layer, Network
from facelign.models.convert.dlib_reader import corrupt
from facelign.types.arrays import AnyArray, Float32Array, Float64Array

#: ONNX Runtime 1.20, the oldest supported, runs both
OPSET, IR_VERSION = 17, 8
#: what dlib's input layers divide the centered pixels by
PIXEL_SCALE = 256.0


class _Graph:
    """Collects nodes and constants; every node gets a name (quantizers go by them)."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: AnyArray) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def model(self, name: str, inputs: list[Any], outputs: list[Any]) -> bytes:
        import onnx
        from onnx import helper

        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="facelign",
        )
        onnx.checker.check_model(model)
        raw: bytes = model.SerializeToString()
        return raw


def descriptor_graph(network: Network, *, folded: bool = True) -> bytes:
    """Return the ONNX graph: ``chips`` (n, 150, 150, 3) uint8 RGB -> ``vectors`` (n, 128).

    folded: False keeps mean and affine layers as nodes of their own, to check the folding against.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    axes = graph.add("Transpose", ["chips"], "planes", perm=[0, 3, 1, 2])
    at = graph.add("Cast", [axes], "pixels", to=TensorProto.FLOAT)
    layers = list(_folded(network.layers)) if folded else list(network.layers)
    if folded:
        layers[0] = _reading_pixels(layers[0], network.mean)
    else:
        at = _centered(graph, at, network.mean)
    walk = _Walk(graph, at, (3, 150, 150))
    for index, layer in enumerate(layers):
        walk.step(layer, f"{layer.kind}_{index}")
    if walk.shape != (128,):
        raise corrupt("a descriptor that has not 128 numbers")
    graph.add("Identity", [walk.at], "vectors")
    inputs = [helper.make_tensor_value_info("chips", TensorProto.UINT8, ["n", 150, 150, 3])]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 128])]
    return graph.model("dlib-resnet", inputs, outputs)


def mmod_graph(network: Network, *, folded: bool = True) -> bytes:
    """Return the ONNX graph: ``tiles`` (1, 3, h, w) float32, (RGB - mean) / 256 -> ``scores``."""
    from onnx import TensorProto, helper

    graph = _Graph()
    walk = _Walk(graph, "tiles", (3, 0, 0))
    layers = _folded(network.layers) if folded else network.layers
    for index, layer in enumerate(layers):
        walk.step(layer, f"{layer.kind}_{index}")
    if walk.shape[0] != 1:
        raise corrupt("a detector with more than one map of scores")
    graph.add("Identity", [walk.at], "scores")
    inputs = [helper.make_tensor_value_info("tiles", TensorProto.FLOAT, [1, 3, "h", "w"])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1, "r", "c"])]
    return graph.model("dlib-mmod", inputs, outputs)


def _folded(layers: tuple[Layer, ...]) -> Iterator[Layer]:
    """Yield the layers with every affine layer folded into the convolution before it."""
    held: Layer | None = None
    for layer in layers:
        if held is not None and layer.kind == "affine":
            gain = layer.weights.reshape(-1)
            if gain.shape != held.bias.shape:
                raise corrupt("an affine layer that does not fit its convolution")
            weights = held.weights * gain[:, None, None, None]
            bias = held.bias * gain + layer.bias
            held = Layer("con", weights, bias, held.window, held.stride, held.pad)
            continue
        if held is not None:
            yield held
        held = layer if layer.kind == "con" else None
        if held is None:
            yield layer
    if held is not None:
        yield held


def _reading_pixels(first: Layer, mean: Float64Array) -> Layer:
    """Return the first convolution made to read 0..255: exact because it pads nothing."""
    if first.pad != (0, 0) or first.weights.shape[1] != 3:
        raise corrupt("a first layer that does not read colors")
    weights = first.weights / PIXEL_SCALE
    bias = first.bias - (weights * mean[None, :, None, None]).sum(axis=(1, 2, 3))
    return Layer("con", weights, bias, first.window, first.stride, first.pad)


def _centered(graph: _Graph, at: str, mean: Float64Array) -> str:
    colors = graph.constant("mean", _single(mean).reshape(1, 3, 1, 1))
    scale = graph.constant("scale", np.array([1 / PIXEL_SCALE], np.float32))
    centered = graph.add("Sub", [at, colors], "centered")
    return graph.add("Mul", [centered, scale], "scaled")


class _Walk:
    """Walks the layers, knowing name and shape (channels, rows, columns) of the value it holds."""

    def __init__(self, graph: _Graph, at: str, shape: tuple[int, ...]) -> None:
        self.graph, self.at, self.shape = graph, at, shape
        self.tags: dict[str, tuple[str, tuple[int, ...]]] = {}

    def step(self, layer: Layer, name: str) -> None:
        """Append one layer."""
        if layer.kind.startswith("tag"):
            self.tags[layer.kind] = (self.at, self.shape)
        elif layer.kind.startswith("skip"):
            self.at, self.shape = self.tags["tag" + layer.kind[-1]]
        elif layer.kind.startswith("add_prev"):
            self._sum(self.tags["tag" + layer.kind[-1]], name)
        else:
            _STEPS[layer.kind](self, layer, name)

    def convolution(self, layer: Layer, name: str) -> None:
        """Append a convolution."""
        if layer.weights.shape[1] != self.shape[0]:
            raise corrupt("a convolution that does not fit what it reads")
        if self.shape[1:] == (1, 1) and layer.pad == (1, 1) and layer.window == (3, 3):
            # Only the middle of the window ever meets the one pixel: a ninth of the work.
            middle = layer.weights[:, :, 1:2, 1:2]
            layer = replace(layer, weights=middle, window=(1, 1), pad=(0, 0))
        weights = self.graph.constant(name + "_w", _single(layer.weights))
        bias = self.graph.constant(name + "_b", _single(layer.bias))
        self.at = self.graph.add(
            "Conv",
            [self.at, weights, bias],
            name,
            kernel_shape=list(layer.window),
            strides=list(layer.stride),
            pads=[*layer.pad, *layer.pad],
        )
        self.shape = (len(layer.bias), *_slid(self.shape, layer))

    def affine(self, layer: Layer, name: str) -> None:
        """Append gain and bias."""
        if len(layer.bias) != self.shape[0]:
            raise corrupt("an affine layer that does not fit what it reads")
        shape = (1, -1, 1, 1)
        gain = self.graph.constant(name + "_g", _single(layer.weights).reshape(shape))
        bias = self.graph.constant(name + "_b", _single(layer.bias).reshape(shape))
        scaled = self.graph.add("Mul", [self.at, gain], name + "_m")
        self.at = self.graph.add("Add", [scaled, bias], name)

    def relu(self, _layer: Layer, name: str) -> None:
        """Append a ReLU."""
        self.at = self.graph.add("Relu", [self.at], name)

    def pooling(self, layer: Layer, name: str) -> None:
        """Append a pooling layer; a window of 0 covers everything."""
        if layer.window == (0, 0):
            if layer.kind != "avg_pool":
                raise corrupt("a global maximum")
            self.at = self.graph.add("GlobalAveragePool", [self.at], name)
            self.shape = (self.shape[0], 1, 1)
            return
        if layer.kind == "avg_pool" and layer.pad != (0, 0):
            raise corrupt("a padded average")  # dlib and ONNX count the border differently
        self.at = self.graph.add(
            {"max_pool": "MaxPool", "avg_pool": "AveragePool"}[layer.kind],
            [self.at],
            name,
            kernel_shape=list(layer.window),
            strides=list(layer.stride),
            pads=[*layer.pad, *layer.pad],
        )
        self.shape = (self.shape[0], *_slid(self.shape, layer))

    def connected(self, layer: Layer, name: str) -> None:
        """Append the last layer: x @ W, no bias."""
        inputs, outputs = layer.weights.shape
        if inputs != int(np.prod(self.shape)):
            raise corrupt("a last layer that does not fit what it reads")
        flat = self.graph.add("Flatten", [self.at], name + "_flat")
        weights = self.graph.constant(name + "_w", _single(layer.weights))
        self.at = self.graph.add("MatMul", [flat, weights], name)
        self.shape = (outputs,)

    def _sum(self, other: tuple[str, tuple[int, ...]], name: str) -> None:
        """Append dlib's sum: both sides are padded with zeros, at the ends, to the larger."""
        target = tuple(max(pair) for pair in zip(self.shape, other[1], strict=True))
        sides = []
        for at, shape, suffix in ((self.at, self.shape, "_a"), (*other, "_b")):
            grow = [big - small for big, small in zip(target, shape, strict=True)]
            if any(grow):
                pads = self.graph.constant(
                    name + suffix + "_pads", np.array([0, 0, 0, 0, 0, *grow], np.int64)
                )
                at = self.graph.add("Pad", [at, pads], name + suffix)
            sides.append(at)
        self.at, self.shape = self.graph.add("Add", sides, name), target


def _single(values: Float64Array) -> Float32Array:
    """Return float32; raises WeightsCorrupt for what float32 cannot hold."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        raise corrupt("weights beyond float32")
    return single


def _slid(shape: tuple[int, ...], layer: Layer) -> tuple[int, int]:
    """Return (rows, columns) after a sliding window; a free length (0 and below) stays free."""
    rows, columns = (
        (shape[1 + i] + 2 * layer.pad[i] - layer.window[i]) // layer.stride[i] + 1 for i in (0, 1)
    )
    return rows, columns


_STEPS = {
    "con": _Walk.convolution,
    "affine": _Walk.affine,
    "relu": _Walk.relu,
    "max_pool": _Walk.pooling,
    "avg_pool": _Walk.pooling,
    "fc": _Walk.connected,
}
