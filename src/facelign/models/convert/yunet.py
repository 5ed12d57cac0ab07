"""YuNet as published -> a graph that reads bytes and gives all of its heads in one array.

The published graph reads float BGR and has twelve outputs, four kinds at three strides, each with
two small convolutions of its own. The four of a stride read the same value, so they are one pair of
convolutions of 64 to 16 and 16 channels; what is read and written is less, and so are the calls.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facelign.files import disk
from facelign.models.convert.graph import (
    FLOAT32,
    UINT8,
    Graph,
    Node,
    Value,
    clean,
    refuse,
    serialize,
)
from facelign.models.convert.onnx_graph import agree, bounded, opened, run
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

STRIDES = (8, 16, 32)
#: heads of a stride in the order in which they are joined, with their channels
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
_CHANNELS = sum(count for _, count in HEADS)


def convert(raw: Path, out: Path) -> None:
    """Convert YuNet; batch, height and width become free (height and width multiples of 32).

    Input ``pictures``: (n, H, W, 3) uint8 RGB. Output ``heads``: (n, 16, cells) float32: class and
    object before their sigmoid, box, points; the cells of stride 8, 16 and 32 row by row.
    """
    plain, joined = opened(raw)
    if len(plain.inputs[0].shape) != 4:
        raise refuse("its input is no picture")
    _join_heads(joined)
    _read_bytes(joined)
    clean(joined)
    data = serialize(joined)
    _verify(plain, data)
    disk.write(out, data)


def _join_heads(graph: Graph) -> None:
    """Let one pair of convolutions a stride give all four heads, and one array hold them all."""
    levels = []
    for stride in STRIDES:
        pairs = [_pair(graph, f"{kind}_{stride}", channels) for kind, channels in HEADS]
        sources = {first.inputs[0] for first, _ in pairs}
        if len(sources) != 1:
            raise refuse(f"its heads of stride {stride} read different values")
        value = sources.pop()
        for name, convolutions, groups in (
            ("pointwise", [first for first, _ in pairs], 1),
            ("depthwise", [second for _, second in pairs], _CHANNELS),
        ):
            weights, biases = zip(*(_weights(graph, node) for node in convolutions), strict=True)
            stem = f"heads_{stride}.{name}"
            inputs = [
                value,
                graph.constant(f"{stem}.weight", np.concatenate(weights)),
                graph.constant(f"{stem}.bias", np.concatenate(biases)),
            ]
            value = stem
            attributes = {**convolutions[0].attributes, "group": groups}
            graph.nodes.append(Node("Conv", inputs, [value], attributes))
        row = graph.constant(f"heads_{stride}.shape", np.array([0, _CHANNELS, -1], np.int64))
        levels.append(f"heads_{stride}")
        graph.nodes.append(Node("Reshape", [value, row], [levels[-1]]))
    graph.nodes.append(Node("Concat", levels, ["heads"], {"axis": 2}))
    graph.outputs = [Value("heads", FLOAT32, ["N", _CHANNELS, "cells"])]


def _pair(graph: Graph, output: str, channels: int) -> tuple[Node, Node]:
    """Return the two convolutions, the second by channel, that end in an output."""
    makers = graph.makers()
    node = makers.get(output)
    while node is not None and node.op in ("Sigmoid", "Reshape", "Transpose"):
        node = makers.get(node.inputs[0])
    first = makers.get(node.inputs[0]) if node is not None and node.op == "Conv" else None
    if node is None or first is None or first.op != "Conv":
        raise refuse(f"its output {output!r} does not come from two convolutions")
    if node.integer("group", 1) != channels or first.integer("group", 1) != 1:
        raise refuse(f"its output {output!r} has other channels than {channels}")
    return first, node


def _weights(graph: Graph, node: Node) -> tuple[AnyArray, AnyArray]:
    if len(node.inputs) != 3 or any(name not in graph.constants for name in node.inputs[1:]):
        raise refuse("a convolution of its heads has no constant weights and bias")
    return graph.constants[node.inputs[1]], graph.constants[node.inputs[2]]


def _read_bytes(graph: Graph) -> None:
    """Let the graph read bytes as photos lie in memory: rows of RGB pixels."""
    before = graph.inputs[0].name
    readers = graph.users()[before]
    if len(readers) != 1 or readers[0].op != "Conv" or readers[0].integer("group", 1) != 1:
        raise refuse("it does not begin with one convolution")
    weight = graph.constants[readers[0].inputs[1]]
    if weight.ndim != 4 or weight.shape[1] != 3:
        raise refuse("it does not read three colors")
    # published for BGR: the order of colors goes into the weights
    readers[0].inputs[1] = graph.constant("rgb.weight", np.ascontiguousarray(weight[:, ::-1]))
    graph.nodes[:0] = [
        Node("Transpose", ["pictures"], ["planes"], {"perm": [0, 3, 1, 2]}),
        Node("Cast", ["planes"], [before], {"to": FLOAT32}),
    ]
    graph.inputs = [Value("pictures", UINT8, ["N", "H", "W", 3])]


def _verify(plain: Graph, converted: bytes) -> None:
    """Raise WeightsCorrupt unless both graphs give the same on probes, one by one and batched."""
    reference, joined = Session(serialize(plain)), Session(converted)
    bounded(plain)
    side = plain.inputs[0].shape[-1]
    shape = (side if isinstance(side, int) else 64,) * 2
    pictures = np.random.default_rng(2718).integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    names = [f"{kind}_{stride}" for stride in STRIDES for kind, _ in HEADS]
    by_name = [value.name for value in plain.outputs]
    if sorted(by_name) != sorted(names):
        raise refuse("its outputs are not those of YuNet")
    wanted = []
    for picture in pictures:
        planes = np.ascontiguousarray(picture[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        found = dict(zip(by_name, run(reference, plain.inputs[0].name, planes), strict=True))
        wanted.append([found[name] for name in names])
        agree(_apart(run(joined, "pictures", picture[None])[0]), wanted[-1])
    agree(
        _apart(run(joined, "pictures", pictures)[0]),
        [np.concatenate(pair) for pair in zip(*wanted, strict=True)],
    )


def _apart(heads: AnyArray) -> list[AnyArray]:
    """Return what the twelve outputs would be: (n, cells of a stride, channels of a head)."""
    unit = heads.shape[2] // sum((STRIDES[-1] // stride) ** 2 for stride in STRIDES)
    counts = [unit * (STRIDES[-1] // stride) ** 2 for stride in STRIDES]
    outputs: list[AnyArray] = []
    ends = np.cumsum([channels for _, channels in HEADS])[:-1]
    for level in np.split(heads, np.cumsum(counts)[:-1], axis=2):
        cls, obj, *others = np.split(level.transpose(0, 2, 1), ends, axis=2)
        outputs += [1.0 / (1.0 + np.exp(-cls)), 1.0 / (1.0 + np.exp(-obj)), *others]
    return outputs
