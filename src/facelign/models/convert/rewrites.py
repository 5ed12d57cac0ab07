"""Changes of an ONNX graph that leave what it computes as it is."""

from __future__ import annotations

import numpy as np

from facelign.models.convert.graph import MOST_ELEMENTS, Graph, Node, refuse
from facelign.types.arrays import AnyArray


def fold_constants(graph: Graph) -> None:
    """Compute what depends on weights alone: unpacking, reshaping; drop what does nothing."""
    kept: list[Node] = []
    same: dict[str, str] = {}
    outputs = {value.name for value in graph.outputs}
    for node in graph.nodes:
        node.inputs = [same.get(name, name) for name in node.inputs]
        constant = all(name in graph.constants for name in node.inputs if name)
        if node.op == "Constant":
            graph.constants[node.outputs[0]] = _constant(node)
        elif node.op in ("Identity", "Dropout") and node.outputs[0] not in outputs:
            same[node.outputs[0]] = node.inputs[0]
        elif node.op == "DequantizeLinear" and constant:
            graph.constants[node.outputs[0]] = dequantized(graph, node)
        elif node.op == "Reshape" and constant:
            graph.constants[node.outputs[0]] = _reshaped(graph, node)
        else:
            kept.append(node)
    graph.nodes = kept


def _constant(node: Node) -> AnyArray:
    if len(node.attributes) != 1:
        raise refuse("a Constant does not have one value")
    key, value = next(iter(node.attributes.items()))
    if key == "value" and isinstance(value, np.ndarray):
        return value
    if key in ("value_float", "value_floats"):
        return np.asarray(value, np.float32)
    if key in ("value_int", "value_ints"):
        return np.asarray(value, np.int64)
    raise refuse(f"a Constant has a {key}")


def _reshaped(graph: Graph, node: Node) -> AnyArray:
    value, shape = graph.constants[node.inputs[0]], graph.constants[node.inputs[1]]
    lengths = [int(n) for n in shape.ravel()[:8]]
    if not node.integer("allowzero", 0):
        lengths = [
            value.shape[i] if n == 0 and i < value.ndim else n for i, n in enumerate(lengths)
        ]
    try:
        return value.reshape(lengths)
    except ValueError as problem:
        raise refuse(f"a weight of shape {value.shape} does not fit {lengths}") from problem


def dequantized(graph: Graph, node: Node) -> AnyArray:
    """Return (q - zero) * scale in float32, as DequantizeLinear (operator set 21) defines it.

    Scale and zero point are one number, one per slice of ``axis``, or one per ``block_size``
    slices of it.
    """
    parts = [graph.constants[name] for name in node.inputs if name]
    if len(parts) not in (2, 3):
        raise refuse("a DequantizeLinear has too many inputs")
    packed, scale = parts[0], parts[1].astype(np.float32)
    zero = parts[2] if len(parts) == 3 else np.zeros(scale.shape, packed.dtype)
    if packed.dtype.kind not in "iu" or zero.shape != scale.shape:
        raise refuse("a DequantizeLinear unpacks something else than whole numbers")
    axis = node.integer("axis", 1)
    block = node.integer("block_size", 0)
    if scale.size == 1 and not block:
        scale, zero = scale.reshape(()), zero.reshape(())
    else:
        if not -packed.ndim <= axis < packed.ndim or packed.size > MOST_ELEMENTS:
            raise refuse("a DequantizeLinear has an axis that its weight has not")
        scale, zero = (_spread(part, packed, axis % packed.ndim, block) for part in (scale, zero))
    with np.errstate(over="ignore", invalid="ignore"):
        found = (packed.astype(np.float32) - zero.astype(np.float32)) * scale
    if not np.isfinite(found).all():
        raise refuse("unpacked weights are not finite")
    return found.astype(np.float32)


def _spread(part: AnyArray, packed: AnyArray, axis: int, block: int) -> AnyArray:
    """Return ``part`` so that it broadcasts over ``packed``."""
    length = packed.shape[axis]
    if not block:
        if part.shape != (length,):
            raise refuse(f"{part.shape} scales do not fit {packed.shape} weights")
        return part.reshape([length if i == axis else 1 for i in range(packed.ndim)])
    wanted = list(packed.shape)
    wanted[axis] = -(-length // block) if block > 0 else -1
    if list(part.shape) != wanted:
        raise refuse(f"{part.shape} scales do not fit {packed.shape} weights in blocks of {block}")
    return np.repeat(part, block, axis)[(slice(None),) * axis + (slice(length),)]


def fold_batch_normalization(graph: Graph) -> None:
    """Put every batch normalization that follows a convolution (or Gemm) into its weights.

    gamma (Wx + b - mean) / sqrt(var + eps) + beta is a convolution with other W and b. Computed
    in float64 and rounded once.
    """
    makers, users = graph.makers(), graph.users()
    outputs = {value.name for value in graph.outputs}
    for node in [n for n in graph.nodes if n.op == "BatchNormalization"]:
        before = makers.get(node.inputs[0])
        weights = [graph.constants.get(name) for name in node.inputs[1:5]]
        if (
            before is None
            or not _linear(graph, before)
            or len(users[node.inputs[0]]) != 1
            or node.inputs[0] in outputs
            or len(weights) != 4
            or any(w is None for w in weights)
        ):
            continue
        gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in weights)
        epsilon = node.number("epsilon", 1e-5)
        with np.errstate(all="ignore"):
            factor = gamma / np.sqrt(variance + epsilon)
        scale_output(graph, before, factor, beta - mean * factor)
        before.outputs = [node.outputs[0]]
        graph.nodes.remove(node)
        makers[node.outputs[0]] = before


def _linear(graph: Graph, node: Node) -> bool:
    """Say whether ``node`` is a convolution or Gemm with constant weights, which we can scale."""
    if node.op == "Gemm" and (
        node.number("alpha", 1.0) != 1.0
        or node.number("beta", 1.0) != 1.0
        or not node.integer("transB", 0)
    ):
        return False
    return node.op in ("Conv", "Gemm") and all(
        name in graph.constants and graph.constants[name].dtype == np.float32
        for name in node.inputs[1:]
    )


def scale_output(graph: Graph, node: Node, factor: AnyArray, shift: AnyArray) -> None:
    """Let a convolution or Gemm give ``factor * y + shift`` per output channel instead of y."""
    weight = graph.constants[node.inputs[1]].astype(np.float64)
    outs = weight.shape[0]
    bias = np.zeros(outs)
    if len(node.inputs) > 2 and node.inputs[2]:
        bias = graph.constants[node.inputs[2]].astype(np.float64)
    if factor.shape != (outs,) or shift.shape != (outs,) or bias.shape != (outs,):
        raise refuse("a normalization does not fit the convolution before it")
    with np.errstate(all="ignore"):
        weight = _single(weight * factor.reshape([-1] + [1] * (weight.ndim - 1)))
        bias = _single(bias * factor + shift)
    stem = node.inputs[1]
    parts = graph.constant(f"{stem}.folded", weight), graph.constant(f"{stem}.bias", bias)
    node.inputs = [node.inputs[0], *parts]


def _single(values: AnyArray) -> AnyArray:
    """Return folded weights in float32; raises WeightsCorrupt unless all are finite."""
    single = values.astype(np.float32)
    if not np.isfinite(single).all():
        raise refuse("folded weights are not finite")
    return single


#: closest that a slope may come to 1 for the short form of PRelu; nearer ones take the long form
NEAREST_TO_ONE = 2.0**-12


def rewrite_prelu(graph: Graph) -> None:
    """Write PRelu(y), that is y above and a y below zero, with fast operators; any slope a.

    Long form: a y + (1 - a) max(y, 0). Short form, where one convolution alone reads the result:
    (1 - a) (max(y, 0) + c y) with c = a / (1 - a), and the factor goes into the weights of that
    convolution; this saves a pass over memory. Both are exact for slopes that are negative, or
    above 1 (nothing is taken from the order of y and a y). ONNX Runtime keeps all of it in its
    blocked layout, which its PRelu kernel would leave.
    """
    users = graph.users()
    outputs = {value.name for value in graph.outputs}
    done: list[Node] = []
    for node in graph.nodes:
        slope = graph.constants.get(node.inputs[1]) if node.op == "PRelu" else None
        if slope is None or slope.dtype != np.float32:
            done.append(node)
            continue
        readers = users.get(node.outputs[0], [])
        reader = readers[0] if len(readers) == 1 and node.outputs[0] not in outputs else None
        if reader is not None and _takes_factor(graph, reader, node.outputs[0], slope):
            factor = 1.0 - slope.astype(np.float64)
            scale_input(graph, reader, factor.reshape(-1))
            done += _short_prelu(graph, node, (slope / factor).astype(np.float32))
        else:
            done += _long_prelu(graph, node, slope)
    graph.nodes = done


def _takes_factor(graph: Graph, reader: Node, name: str, slope: AnyArray) -> bool:
    """Say whether 1 - a can go into the weights of ``reader``, channel by channel."""
    if reader.op != "Conv" or reader.inputs[0] != name or not _linear(graph, reader):
        return False
    weight, groups = graph.constants[reader.inputs[1]], reader.integer("group", 1)
    channels = weight.shape[1] * groups if weight.ndim > 2 and groups > 0 else -1
    # a slope a channel: (C, 1, 1) or (1, C, 1, 1), as many axes as the pictures have
    per_channel = slope.ndim >= weight.ndim - 1 and slope.shape[-weight.ndim + 1] == slope.size
    near = np.abs(1.0 - slope.astype(np.float64)).min(initial=1.0)
    return per_channel and slope.size == channels and bool(near >= NEAREST_TO_ONE)


def scale_input(graph: Graph, node: Node, factor: AnyArray) -> None:
    """Let a convolution read x and do as if it read ``factor * x`` per input channel."""
    weight = graph.constants[node.inputs[1]].astype(np.float64)
    groups = node.integer("group", 1)
    outs, rest = weight.shape[0], weight.shape[2:]
    if groups < 1 or outs % groups:
        raise refuse(f"a convolution of {outs} channels has {groups} groups")
    shaped = weight.reshape(groups, outs // groups, weight.shape[1], -1)
    with np.errstate(all="ignore"):
        shaped = _single(shaped * factor.reshape(groups, 1, -1, 1))
    name = graph.constant(f"{node.inputs[1]}.scaled", shaped.reshape(outs, weight.shape[1], *rest))
    node.inputs = [node.inputs[0], name, *node.inputs[2:]]


def _short_prelu(graph: Graph, node: Node, c: AnyArray) -> list[Node]:
    y, z = node.inputs[0], node.outputs[0]
    return [
        Node("Relu", [y], [f"{z}.r"]),
        Node("Mul", [y, graph.constant(f"{z}.c", c)], [f"{z}.cy"]),
        Node("Add", [f"{z}.cy", f"{z}.r"], [z]),
    ]


def _long_prelu(graph: Graph, node: Node, a: AnyArray) -> list[Node]:
    y, z = node.inputs[0], node.outputs[0]
    b = np.asarray(1.0 - a.astype(np.float64), np.float32)
    return [
        Node("Relu", [y], [f"{z}.r"]),
        Node("Mul", [y, graph.constant(f"{z}.a", a)], [f"{z}.ay"]),
        Node("Mul", [f"{z}.r", graph.constant(f"{z}.b", b)], [f"{z}.br"]),
        Node("Add", [f"{z}.ay", f"{z}.br"], [z]),
    ]


def free_batch(graph: Graph) -> None:
    """Let the first axis of the input and of the outputs have any length, called N.

    A Reshape whose first length is a constant 1 copies the batch instead.
    """
    value = graph.inputs[0]
    fixed = value.shape[0]
    if isinstance(fixed, int):
        value.shape[0] = "N"
    for node in graph.nodes:
        if node.op == "Reshape" and fixed == 1 and not node.integer("allowzero", 0):
            shape = graph.constants.get(node.inputs[1])
            if shape is not None and shape.ndim == 1 and shape.size > 1 and shape[0] == 1:
                copied = shape.copy()
                copied[0] = 0  # 0 copies the length of the input's axis (ONNX, Reshape)
                node.inputs[1] = graph.constant(f"{node.inputs[1]}.batch", copied)
    for output in graph.outputs:
        if output.shape and isinstance(output.shape[0], int):
            output.shape[0] = "N"
