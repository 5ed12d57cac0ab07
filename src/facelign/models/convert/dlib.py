"""Converters for dlib's published weight files: ``.dat`` or ``.dat.bz2`` in, ONNX or npz out.

They run once, on the user's machine, and execute nothing that is in the file. A graph is run
against its unfolded form on a probe before it is written.

What dlib does otherwise than most frameworks: sums zero-pad the smaller side at the
bottom, the right and after the last channel, and a convolution with a stride has no padding.
The affine layers are folded into the convolutions before them, in double precision; the mean and
the division by 256 are folded into the first convolution where nothing is padded there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from facelign.errors import BadArray, WeightsCorrupt
from facelign.files import disk
from facelign.models.convert.dlib_network import (
    Layer,
    MmodLossOptions,
    Network,
    parse_descriptor,
    parse_mmod,
)
from facelign.models.convert.dlib_reader import corrupt, read_raw
from facelign.models.convert.dlib_shape import parse_shape, write_shape
from facelign.models.convert.graph import FLOAT32, UINT8, Graph, Node, Value, serialize
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray, Float32Array, Float64Array

#: largest difference between folded and unfolded graph, relative to the largest number (seen: 1e-6)
FOLDING_TOLERANCE = 1e-5
#: the options of the published face detector, which ``detect.models.mmod`` decodes with
MMOD_OPTIONS = MmodLossOptions((80, 80), 0.3382761351109955, 1.0)
#: ONNX Runtime 1.20, the oldest supported, runs both
OPSET, IR_VERSION = 17, 8
#: what dlib's input layers divide the centered pixels by
PIXEL_SCALE = 256.0


def convert_resnet(raw: Path, out: Path) -> None:
    """Write dlib's face descriptor network as ONNX; raises WeightsCorrupt.

    The graph: ``chips`` (n, 150, 150, 3) uint8 RGB -> ``vectors`` (n, 128) float32, not of unit
    length.
    """
    disk.write(out, serialize(descriptor(raw), "dlib-resnet"))


def descriptor(raw: Path) -> Graph:
    """Return the graph of ``convert_resnet``, checked against one with every layer by itself."""
    return checked_descriptor(parse_descriptor(read_raw(raw)))


def checked_descriptor(network: Network) -> Graph:
    """Return the graph of a descriptor's layers, checked against one with each by itself."""
    graph = _descriptor(network)
    rng = np.random.default_rng(0)
    probe = rng.integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    _verify(serialize(graph), serialize(_descriptor(network, folded=False)), {"chips": probe})
    return graph


def convert_mmod(raw: Path, out: Path) -> None:
    """Write dlib's MMOD face detector as ONNX; raises WeightsCorrupt.

    The graph: ``tiles`` (1, 3, h, w) float32, (RGB - mean) / 256, -> ``scores`` (1, 1, r, c).
    """
    network, options = parse_mmod(read_raw(raw))
    if options != MMOD_OPTIONS:
        raise corrupt(f"a detector with other options, {options}")
    graph = _detector(_folded(network.layers))
    rng = np.random.default_rng(0)
    probe = rng.uniform(-0.5, 0.5, (1, 3, 96, 104)).astype(np.float32)
    _verify(graph, _detector(network.layers), {"tiles": probe})
    disk.write(out, graph)


def convert_shape(raw: Path, out: Path) -> None:
    """Write a dlib shape predictor as ``.npz`` without pickles; raises WeightsCorrupt."""
    write_shape(parse_shape(read_raw(raw)), out)


def _verify(folded: bytes, plain: bytes, probe: dict[str, AnyArray]) -> None:
    """Raise WeightsCorrupt unless both graphs give the same finite numbers for the probe."""
    try:
        got, wanted = Session(folded).run(probe)[0], Session(plain).run(probe)[0]
    except BadArray as problem:
        raise corrupt("its layers do not fit together") from problem
    if not (np.isfinite(got).all() and np.isfinite(wanted).all()):
        raise corrupt("its network gives infinite numbers")
    largest = float(np.abs(wanted).max())
    difference = float(np.abs(got - wanted).max())
    if difference > FOLDING_TOLERANCE * max(1.0, largest):
        raise WeightsCorrupt(
            f"The converted network does not give what the file gives (off by {difference:.3g}).",
            "Please report this with the digest of the file.",
        )


def _descriptor(network: Network, *, folded: bool = True) -> Graph:
    """Return the graph; unfolded, mean and affine layers are nodes of their own."""
    walk = _Walk("chips", (3, 150, 150))
    walk.add("Transpose", "planes", perm=[0, 3, 1, 2])
    walk.add("Cast", "pixels", to=FLOAT32)
    if folded:
        first, *others = _folded(network.layers)
        walk.through([_reading_pixels(first, network.mean), *others])
    else:
        walk.add("Sub", "centered", walk.constant("mean", network.mean, (1, 3, 1, 1)))
        walk.add("Mul", "scaled", walk.constant("scale", np.array([1 / PIXEL_SCALE])))
        walk.through(network.layers)
    if walk.shape != (128,):
        raise corrupt("a descriptor that has not 128 numbers")
    chips = Value("chips", UINT8, ["n", 150, 150, 3])
    return walk.end(chips, Value("vectors", FLOAT32, ["n", 128]))


def _detector(layers: Sequence[Layer]) -> bytes:
    walk = _Walk("tiles", (3, 0, 0))
    walk.through(layers)
    if walk.shape[0] != 1:
        raise corrupt("a detector with more than one map of scores")
    tiles = Value("tiles", FLOAT32, [1, 3, "h", "w"])
    scores = Value("scores", FLOAT32, [1, 1, "r", "c"])
    return serialize(walk.end(tiles, scores), "dlib-mmod")


def _folded(layers: Sequence[Layer]) -> list[Layer]:
    """Return the layers with every affine layer folded into the convolution before it."""
    found: list[Layer] = []
    for layer in layers:
        if layer.kind != "affine" or not found or found[-1].kind != "con":
            found.append(layer)
            continue
        before, gain = found[-1], layer.weights.reshape(-1)
        if gain.shape != before.bias.shape:
            raise corrupt("an affine layer that does not fit its convolution")
        weights = before.weights * gain[:, None, None, None]
        found[-1] = replace(before, weights=weights, bias=before.bias * gain + layer.bias)
    return found


def _reading_pixels(first: Layer, mean: Float64Array) -> Layer:
    """Return the first convolution made to read 0..255: exact because it pads nothing."""
    if first.pad != (0, 0) or first.weights.shape[1] != 3:
        raise corrupt("a first layer that does not read colors")
    weights = first.weights / PIXEL_SCALE
    bias = first.bias - (weights * mean[None, :, None, None]).sum(axis=(1, 2, 3))
    return replace(first, weights=weights, bias=bias)


class _Walk:
    """Walks the layers, knowing name and shape (channels, rows, columns) of the value it holds."""

    def __init__(self, at: str, shape: tuple[int, ...]) -> None:
        self.graph = Graph([], {}, [], [], OPSET, IR_VERSION)
        self.at, self.shape = at, shape
        self.tags: dict[str, tuple[str, tuple[int, ...]]] = {}

    def add(self, op: str, name: str, *others: str, **attributes: object) -> None:
        """Append a node that reads the value held, and ``others``; hold what it gives.

        Every node has a name, for quantizers go by them.
        """
        self.graph.nodes.append(Node(op, [self.at, *others], [name], attributes, name))
        self.at = name

    def constant(self, name: str, values: Float64Array, shape: tuple[int, ...] = ()) -> str:
        """Add a weight as float32; raises WeightsCorrupt for what float32 cannot hold."""
        with np.errstate(over="ignore"):
            single: Float32Array = values.astype(np.float32)
        if not np.isfinite(single).all():
            raise corrupt("weights beyond float32")
        return self.graph.constant(name, single.reshape(shape or single.shape))

    def end(self, given: Value, result: Value) -> Graph:
        """Return the graph from ``given`` to the value held, which becomes ``result``."""
        self.add("Identity", result.name)
        self.graph.inputs, self.graph.outputs = [given], [result]
        return self.graph

    def through(self, layers: Sequence[Layer]) -> None:
        for index, layer in enumerate(layers):
            name = f"{layer.kind}_{index}"
            if layer.kind.startswith("tag"):
                self.tags[layer.kind] = (self.at, self.shape)
            elif layer.kind.startswith("skip"):
                self.at, self.shape = self.tags["tag" + layer.kind[-1]]
            elif layer.kind.startswith("add_prev"):
                self._sum(self.tags["tag" + layer.kind[-1]], name)
            else:
                _STEPS[layer.kind](self, layer, name)

    def convolution(self, layer: Layer, name: str) -> None:
        if layer.weights.shape[1] != self.shape[0]:
            raise corrupt("a convolution that does not fit what it reads")
        if self.shape[1:] == (1, 1) and layer.pad == (1, 1) and layer.window == (3, 3):
            # Only the middle of the window ever meets the one pixel: a ninth of the work.
            middle = layer.weights[:, :, 1:2, 1:2]
            layer = replace(layer, weights=middle, window=(1, 1), pad=(0, 0))
        weights = self.constant(name + "_w", layer.weights)
        bias = self.constant(name + "_b", layer.bias)
        self._slide("Conv", layer, name, weights, bias)
        self.shape = (len(layer.bias), *self.shape[1:])

    def affine(self, layer: Layer, name: str) -> None:
        if len(layer.bias) != self.shape[0]:
            raise corrupt("an affine layer that does not fit what it reads")
        shape = (1, -1, 1, 1)
        gain = self.constant(name + "_g", layer.weights, shape)
        bias = self.constant(name + "_b", layer.bias, shape)
        self.add("Mul", name + "_m", gain)
        self.add("Add", name, bias)

    def relu(self, _layer: Layer, name: str) -> None:
        self.add("Relu", name)

    def pooling(self, layer: Layer, name: str) -> None:
        """Append a pooling layer; a window of 0 covers everything."""
        if layer.window == (0, 0):
            if layer.kind != "avg_pool":
                raise corrupt("a global maximum")
            self.add("GlobalAveragePool", name)
            self.shape = (self.shape[0], 1, 1)
            return
        if layer.kind == "avg_pool" and layer.pad != (0, 0):
            raise corrupt("a padded average")  # dlib and ONNX count the border differently
        self._slide({"max_pool": "MaxPool", "avg_pool": "AveragePool"}[layer.kind], layer, name)

    def connected(self, layer: Layer, name: str) -> None:
        """Append the last layer: x @ W, no bias."""
        inputs, outputs = layer.weights.shape
        if inputs != int(np.prod(self.shape)):
            raise corrupt("a last layer that does not fit what it reads")
        self.add("Flatten", name + "_flat")
        self.add("MatMul", name, self.constant(name + "_w", layer.weights))
        self.shape = (outputs,)

    def _slide(self, op: str, layer: Layer, name: str, *weights: str) -> None:
        """Append a sliding window; a free length (0 and below) stays free."""
        pads, window, stride = [*layer.pad, *layer.pad], [*layer.window], [*layer.stride]
        self.add(op, name, *weights, kernel_shape=window, strides=stride, pads=pads)
        rows, columns = (
            (self.shape[1 + i] + 2 * layer.pad[i] - window[i]) // stride[i] + 1 for i in (0, 1)
        )
        self.shape = (self.shape[0], rows, columns)

    def _sum(self, other: tuple[str, tuple[int, ...]], name: str) -> None:
        """Append dlib's sum: both sides are padded with zeros, at the ends, to the larger."""
        target = tuple(max(pair) for pair in zip(self.shape, other[1], strict=True))
        sides = []
        for at, shape, suffix in ((self.at, self.shape, "_a"), (*other, "_b")):
            self.at = at
            grow = [big - small for big, small in zip(target, shape, strict=True)]
            if any(grow):
                pads = np.array([0, 0, 0, 0, 0, *grow], np.int64)
                self.add("Pad", name + suffix, self.graph.constant(f"{name}{suffix}_pads", pads))
            sides.append(self.at)
        self.at, self.shape = sides[0], target
        self.add("Add", name, sides[1])


_STEPS = {
    "con": _Walk.convolution,
    "affine": _Walk.affine,
    "relu": _Walk.relu,
    "max_pool": _Walk.pooling,
    "avg_pool": _Walk.pooling,
    "fc": _Walk.connected,
}
