"""Convolutions of a network in 8-bit integers, where that is faster and as right.

Activations are unsigned 8-bit numbers over a range that was measured on faces (``ranges/``, made by
tools/record_ranges.py, which chooses the convolutions too); weights are signed 7-bit numbers with a
scale a channel. Seven bits, because without an instruction for it (VNNI) the kernels of ONNX
Runtime add two products in 16 bits, and eight bits of weight overflow there. So every processor
computes the same integers.

Depthwise convolutions stay in float32: as integers they are slower and lose most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert import dlib, rewrites
from facelign.models.convert.graph import FLOAT32, UINT8, Graph, Node, clean, refuse, serialize
from facelign.models.convert.onnx_graph import opened, run, verify
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray, Float32Array

Ranges = Mapping[str, tuple[float, float]]

#: largest magnitude of a weight of a convolution, and of the last layer, which is bound by memory
_SEVEN_BITS, _EIGHT_BITS = 63, 127


def convert_sface(raw: Path, out: Path) -> None:
    """Convert SFace: its large 1x1 convolutions and its last layer; the batch becomes free."""
    _convert_onnx(raw, out, "sface")


def convert_mobilefacenet(raw: Path, out: Path) -> None:
    """Convert MobileFaceNet: all of its convolutions but the depthwise; the batch becomes free."""
    _convert_onnx(raw, out, "mobilefacenet")


def _convert_onnx(raw: Path, out: Path, name: str) -> None:
    plain, fast = opened(raw)
    clean(fast)
    rewrites.free_batch(fast)
    verify(plain, serialize(fast))
    _write(fast, out, name)


def convert_resnet(raw: Path, out: Path) -> None:
    """Convert dlib's face descriptor network to integers."""
    _write(dlib.descriptor(raw), out, "dlib-resnet")


def _write(graph: Graph, out: Path, name: str) -> None:
    with_integers(graph, ranges_of(name))
    clean(graph)
    data = serialize(graph)
    port = graph.inputs[0]
    dtype = np.uint8 if port.kind == UINT8 else np.float32
    shape = [length if isinstance(length, int) else 2 for length in port.shape]
    probe = np.random.default_rng(2718).integers(0, 256, shape).astype(dtype)
    if not all(np.isfinite(found).all() for found in run(Session(data), port.name, probe)):
        raise refuse("in integers it gives no numbers")
    disk.write(out, data)


def ranges_of(name: str) -> Ranges:
    """Return the measured ranges (low, high) of a network's values, by the name of the value."""
    text = Path(__file__).with_name("ranges").joinpath(f"{name}.json").read_text(encoding="utf-8")
    return {value: (low, high) for value, (low, high) in json.loads(text)["ranges"].items()}


def with_integers(graph: Graph, ranges: Ranges) -> None:
    """Let every convolution whose input and result have a range work with integers.

    Its result is the value after the Relu or Clip that alone reads it, where there is one. So does
    a Gemm whose input has a range; what it gives is not rounded.
    Raises WeightsCorrupt where the graph has not the values that were measured.
    """
    nodes = graph.nodes
    lost = sorted(set(ranges) - {name for node in nodes for name in node.outputs})
    if lost:
        raise refuse(f"it has no value {lost[0]!r}")
    ends_at = results(graph)
    chosen = {
        id(node)
        for node in nodes
        if node.inputs and node.inputs[0] in ranges and ends_at.get(id(node)) in ranges
    }
    ends = {result for node, result in ends_at.items() if node in chosen}
    users = graph.users()
    readable = dict.fromkeys(ends, "")  # values that whoever reads them finds as integers already
    graph.nodes = []
    made: set[int] = set()  # nodes that others have taken the place of
    for node in nodes:
        if id(node) in made:
            continue
        if id(node) in chosen:
            value = node.inputs[0]
            if value not in readable:
                readable[value] = f"{value}.8"
                _round(graph, value, readable[value], ranges[value])
            node.inputs[0] = readable[value] or value
            channels = len(graph.constants[node.inputs[1]])
            _weights(graph, node, _step(ranges[value])[0])
        if node.op == "Gemm" and node.inputs[0] in ranges:
            _multiply(graph, node, ranges[node.inputs[0]])
            continue
        graph.nodes.append(node)
        for i, name in enumerate(node.outputs):
            if name in ends:
                node.outputs[i] = f"{name}.exact"
                if id(node) in chosen and _before_prelu(graph, users.get(name, []), channels):
                    _prelu(graph, name, users[name], ranges[name], channels)
                    made |= {id(user) for user in users[name]}
                else:
                    _round(graph, node.outputs[i], name, ranges[name])


def results(graph: Graph) -> dict[int, str]:
    """Return by convolution (its id) the value that it gives: after a Relu or Clip."""
    users, found = graph.users(), {}
    for node in graph.nodes:
        if node.op == "Conv" and all(name in graph.constants for name in node.inputs[1:]):
            readers = users.get(node.outputs[0], [])
            last = readers[0] if len(readers) == 1 and readers[0].op in ("Relu", "Clip") else node
            found[id(node)] = last.outputs[0]
    return found


def _step(bounds: tuple[float, float]) -> tuple[Float32Array, AnyArray]:
    """Return scale and zero point of unsigned 8-bit numbers over a range and zero."""
    low, high = min(bounds[0], 0.0), max(bounds[1], 0.0)
    scale = np.float32((high - low) / 255)
    if not scale > 0:
        raise refuse("a measured range is empty")
    return np.asarray(scale), np.asarray(round(-low / float(scale)), np.uint8)


def _round(graph: Graph, value: str, rounded: str, bounds: tuple[float, float]) -> None:
    """Add the nodes that make ``rounded``, what 8-bit numbers over the range keep of ``value``."""
    scale, zero = _step(bounds)
    step = [graph.constant(f"{rounded}.scale", scale), graph.constant(f"{rounded}.zero", zero)]
    packed = f"{rounded}.packed"
    graph.nodes += [
        Node("QuantizeLinear", [value, *step], [packed]),
        Node("DequantizeLinear", [packed, *step], [rounded]),
    ]


def _before_prelu(graph: Graph, users: Sequence[Node], channels: int) -> bool:
    """Say whether only Relu and Mul of one PRelu read a value, with a slope a channel."""
    slopes = [graph.constants.get(name) for user in users for name in user.inputs[1:]]
    return sorted(user.op for user in users) == ["Mul", "Relu"] and all(
        slope is not None and slope.size == channels for slope in slopes
    )


def _prelu(
    graph: Graph, name: str, users: Sequence[Node], bounds: tuple[float, float], channels: int
) -> None:
    """Round ``name.exact`` for a PRelu written as Relu, Mul and Add, and make the first two.

    Each of them reads the 8-bit numbers by a convolution that undoes the rounding and multiplies
    every channel by its factor. ONNX Runtime lays out what a float convolution gives in blocks of
    channels and keeps that for what follows, and computes Relu and Add within the convolutions.
    """
    scale, zero = _step(bounds)
    step = [graph.constant(f"{name}.scale", scale), graph.constant(f"{name}.zero", zero)]
    packed, numbers = f"{name}.packed", f"{name}.numbers"
    graph.nodes += [
        Node("QuantizeLinear", [f"{name}.exact", *step], [packed]),
        Node("Cast", [packed], [numbers], {"to": FLOAT32}),
    ]
    for user in users:
        (made,), slope = user.outputs, [n for n in user.inputs if n in graph.constants]
        factors = np.full(channels, float(scale))
        if slope:
            factors *= graph.constants[slope[0]].astype(np.float64).reshape(channels)
        weight = factors.astype(np.float32).reshape(channels, 1, 1, 1)
        bias = (factors * -float(zero)).astype(np.float32)
        parts = [graph.constant(f"{made}.weight", weight), graph.constant(f"{made}.bias", bias)]
        linear = made if slope else f"{made}.linear"
        attributes = {"group": channels, "kernel_shape": [1, 1]}
        graph.nodes.append(Node("Conv", [numbers, *parts], [linear], attributes))
        if not slope:
            graph.nodes.append(Node("Relu", [linear], [made]))


def _weights(graph: Graph, node: Node, step: Float32Array) -> None:
    """Let a convolution read weights of 7 bits, with a scale a channel, and a bias to match."""
    weight = graph.constants[node.inputs[1]]
    scales = np.abs(weight).reshape(len(weight), -1).max(axis=1) / np.float32(_SEVEN_BITS)
    scales = np.maximum(scales, np.finfo(np.float32).tiny).astype(np.float32)
    packed = np.round(weight / scales.reshape([-1] + [1] * (weight.ndim - 1))).astype(np.int8)
    bias = np.zeros(len(weight), np.float32)
    if len(node.inputs) > 2:
        bias = graph.constants[node.inputs[2]]
    # one step of the bias is one step of the sum of products
    sums = (step * scales).astype(np.float32)
    whole = np.clip(np.round(bias / sums.astype(np.float64)), -(2**31), 2**31 - 1)
    unpacked = []
    for part, numbers, scale in (
        ("weight", packed, scales),
        ("bias", whole.astype(np.int32), sums),
    ):
        name = f"{node.outputs[0]}.{part}"
        inputs = [graph.constant(f"{name}.packed", numbers), graph.constant(f"{name}.scale", scale)]
        unpacked.append(name)
        graph.nodes.append(Node("DequantizeLinear", inputs, [name], {"axis": 0}))
    node.inputs[1:] = unpacked


def _multiply(graph: Graph, node: Node, bounds: tuple[float, float]) -> None:
    """Put in the place of a Gemm its product in integers, whose weights are a quarter to read."""
    constant = len(node.inputs) == 3 and all(name in graph.constants for name in node.inputs[1:])
    if not constant or node.number("alpha", 1.0) != 1.0 or node.integer("transA", 0):
        raise refuse("its last layer is not a plain product")
    weight, name = graph.constants[node.inputs[1]], node.outputs[0]
    if node.integer("transB", 0):
        weight = weight.T
    scales = np.abs(weight).max(axis=0) / np.float32(_EIGHT_BITS)
    scales = np.maximum(scales, np.finfo(np.float32).tiny).astype(np.float32)
    step, zero = _step(bounds)
    inside, whole, sums, product = (f"{name}.{part}" for part in ("in", "int", "sum", "product"))
    packed = graph.constant(f"{name}.packed", np.round(weight / scales).astype(np.int8))
    origin = graph.constant(f"{name}.zero", zero)
    size = graph.constant(f"{name}.step", step)
    graph.nodes += [
        Node("QuantizeLinear", [node.inputs[0], size, origin], [inside]),
        Node("MatMulInteger", [inside, packed, origin], [whole]),
        Node("Cast", [whole], [sums], {"to": FLOAT32}),
        Node("Mul", [sums, graph.constant(f"{name}.scale", step * scales)], [product]),
        Node("Add", [product, node.inputs[2]], [name]),
    ]
