"""A small ONNX graph in plain Python: read with every size checked, changed, written back.

Files are not trusted: what a tensor declares is compared with the bytes that are there before
anything is allocated, data outside of the file is refused, and only operators that networks for
faces need are let in (none of them makes memory out of a number in the file unseen).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.types.arrays import AnyArray

#: the largest file that is looked at; the largest face network in use has 260 MB
MOST_BYTES = 512 << 20
#: elements of one weight, or of one value on the way through the graph (256 MB of float32)
MOST_ELEMENTS = 1 << 26
MOST_NODES = 4096
MOST_AXES = 8

#: operators that are let in, with the inputs that each cannot do without (ONNX operator list)
OPERATORS: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("Constant",), 0),
        **dict.fromkeys(
            (
                "AveragePool", "Clip", "Concat", "Dropout", "Flatten", "GlobalAveragePool",
                "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Max", "MaxPool", "Min", "Pad",
                "ReduceMean", "Relu", "Resize", "Shape", "Sigmoid", "Slice", "Softmax", "Sqrt",
                "Squeeze", "Tanh", "Transpose", "Unsqueeze",
            ),
            1,
        ),
        **dict.fromkeys(
            (
                "Add", "Conv", "ConvTranspose", "DequantizeLinear", "Div", "Gather", "Gemm",
                "MatMul", "Mul", "PRelu", "Reshape", "Sub",
            ),
            2,
        ),
        "BatchNormalization": 5,
    }
)  # fmt: skip


#: TensorProto.DataType of float32 and of bytes (onnx.proto)
FLOAT32, UINT8 = 1, 2
# TensorProto.DataType -> dtype, for the kinds that face networks use (onnx.proto)
_KINDS: Mapping[int, str] = MappingProxyType(
    {1: "<f4", 2: "|u1", 3: "|i1", 6: "<i4", 7: "<i8", 9: "|b1", 10: "<f2", 11: "<f8"}
)
# where a tensor without raw bytes keeps its numbers, by DataType (onnx.proto)
_FIELDS: Mapping[int, str] = MappingProxyType(
    {1: "float_data", 2: "int32_data", 3: "int32_data", 6: "int32_data", 7: "int64_data",
     9: "int32_data", 11: "double_data"}
)  # fmt: skip


@dataclass(slots=True)
class Node:
    """An operator. attributes: numbers, lists, text (bytes) or arrays."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def integer(self, key: str, default: int) -> int:
        """Return a whole-number attribute; raises WeightsCorrupt when it is something else."""
        value = self.attributes.get(key, default)
        if not isinstance(value, int):
            raise refuse(f"{key} of {self.op} is no whole number")
        return value

    def number(self, key: str, default: float) -> float:
        """Return a number; raises WeightsCorrupt when it is something else."""
        value = self.attributes.get(key, default)
        if not isinstance(value, int | float):
            raise refuse(f"{key} of {self.op} is no number")
        return float(value)


@dataclass(slots=True)
class Value:
    """An input or output of the whole graph. shape: an int, or a name for a free length."""

    name: str
    kind: int
    shape: list[int | str]


@dataclass(slots=True)
class Graph:
    """A whole network; ``constants`` holds every weight by name."""

    nodes: list[Node]
    constants: dict[str, AnyArray]
    inputs: list[Value]
    outputs: list[Value]
    opset: int
    ir_version: int

    def users(self) -> dict[str, list[Node]]:
        """Return the nodes that read each value; a node twice if it reads it twice."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                found.setdefault(name, []).append(node)
        return found

    def makers(self) -> dict[str, Node]:
        """Return the node that makes each value."""
        return {name: node for node in self.nodes for name in node.outputs}

    def constant(self, stem: str, value: AnyArray) -> str:
        """Add a weight under a name that is not taken; return that name."""
        name, count = stem, 0
        while name in self.constants:
            count += 1
            name = f"{stem}.{count}"
        self.constants[name] = value
        return name


def refuse(what: str) -> WeightsCorrupt:
    """Return the error for a file that is not what it should be."""
    return WeightsCorrupt(
        f"The ONNX file is not usable: {what}.",
        "Pull the file again; if that does not help, report it.",
    )


# reading


def read(path: Path) -> Graph:
    """Return the graph of a file; raises WeightsCorrupt for anything that is not as it should."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise refuse(f"it has {size} bytes, at most {MOST_BYTES} are read")
    return parse(path.read_bytes())


def parse(data: bytes, also: Collection[str] = ()) -> Graph:
    """Return the graph in ``data`` (a ModelProto). also: operators that are let in besides."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError, ValueError) as problem:
        raise refuse(f"it is no ONNX model ({problem})") from problem
    graph = model.graph
    opsets = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(model.opset_import) != 1 or len(opsets) != 1:
        raise refuse("it uses operators of a domain of its own")
    if not 7 <= opsets[0] <= 26:
        raise refuse(f"operator set {opsets[0]} is not known")
    if not 3 <= model.ir_version <= 13:
        raise refuse(f"format version {model.ir_version} is not known")
    if model.functions or graph.sparse_initializer or len(graph.node) > MOST_NODES:
        raise refuse("it holds functions, sparse weights or too many nodes")
    constants = {_text(tensor.name): array(tensor) for tensor in graph.initializer}
    nodes = [_node(node, also) for node in graph.node]
    inputs, outputs = ([_value(value) for value in part] for part in (graph.input, graph.output))
    found = Graph(nodes, constants, inputs, outputs, opsets[0], model.ir_version)
    _check_wiring(found)
    return found


def array(tensor: Any) -> AnyArray:
    """Return the numbers of a TensorProto, its declared size checked against its bytes first."""
    if tensor.data_location or tensor.external_data or tensor.HasField("segment"):
        raise refuse(f"the weight {_text(tensor.name)!r} lies outside of the file")
    kind = _KINDS.get(tensor.data_type)
    if kind is None:
        raise refuse(f"the weight {_text(tensor.name)!r} has the unknown type {tensor.data_type}")
    shape = tuple(tensor.dims)
    count = _count(shape, tensor.name)
    dtype = np.dtype(kind)
    if tensor.raw_data:
        if len(tensor.raw_data) != count * dtype.itemsize:
            raise refuse(
                f"the weight {tensor.name!r} has {len(tensor.raw_data)} bytes for {count} numbers"
            )
        found = np.frombuffer(tensor.raw_data, dtype)
    else:
        numbers = getattr(tensor, _FIELDS.get(tensor.data_type, "float_data"))
        if len(numbers) != count or tensor.data_type not in _FIELDS:
            raise refuse(f"the weight {tensor.name!r} has {len(numbers)} numbers, wanted {count}")
        with np.errstate(all="ignore"):
            found = np.array(numbers, np.int64 if dtype.kind in "iub" else dtype).astype(dtype)
    if dtype.kind == "f" and not np.isfinite(found).all():
        raise refuse(f"the weight {tensor.name!r} holds NaN or infinity")
    return found.reshape(shape)


def _count(shape: tuple[int, ...], name: str) -> int:
    if len(shape) > MOST_AXES or any(length < 0 for length in shape):
        raise refuse(f"the weight {name!r} has the shape {shape[:MOST_AXES]}")
    count = math.prod(shape)
    if count > MOST_ELEMENTS:
        raise refuse(f"the weight {name!r} has {count} numbers")
    return count


def _node(node: Any, also: Collection[str]) -> Node:
    import onnx

    op = _text(node.op_type)
    if node.domain not in ("", "ai.onnx") or op not in (*OPERATORS, *also):
        raise refuse(f"the operator {op!r} is not one that networks for faces need")
    attributes: dict[str, Any] = {}
    kinds = onnx.AttributeProto
    for entry in node.attribute:
        _text(entry.name)
        match entry.type:
            case kinds.FLOAT:
                attributes[entry.name] = float(entry.f)
            case kinds.INT:
                attributes[entry.name] = _small(int(entry.i), op)
            case kinds.STRING:
                attributes[entry.name] = bytes(entry.s)
            case kinds.TENSOR:
                attributes[entry.name] = array(entry.t)
            case kinds.FLOATS:
                attributes[entry.name] = [float(v) for v in entry.floats]
            case kinds.INTS:
                attributes[entry.name] = [_small(int(v), op) for v in entry.ints]
            case _:
                raise refuse(f"an attribute of {op} is of the kind {entry.type}")
    inputs, outputs = [_text(name) for name in node.input], [_text(name) for name in node.output]
    needs = OPERATORS.get(op, 1)
    if len(inputs) < needs or not all(inputs[:needs]) or not outputs or not outputs[0]:
        raise refuse(f"an operator {op} lacks inputs or outputs")
    return Node(op, inputs, outputs, attributes, _text(node.name))


def _small(number: int, op: str) -> int:
    """Attributes count axes, kernels, paddings, groups and block sizes: none is a million."""
    if abs(number) > 1 << 20:
        raise refuse(f"an attribute of {op} is {number}")
    return number


def _value(value: Any) -> Value:
    tensor = value.type.tensor_type
    shape: list[int | str] = []
    for axis, dim in enumerate(tensor.shape.dim):
        if dim.HasField("dim_value"):
            if not 0 <= dim.dim_value <= MOST_ELEMENTS:
                raise refuse(f"the value {value.name!r} is {dim.dim_value} long")
            shape.append(int(dim.dim_value))
        else:
            shape.append(_text(dim.dim_param) or f"free{axis}")
    if len(shape) > MOST_AXES or tensor.elem_type not in _KINDS:
        raise refuse(f"the value {value.name!r} is of an unknown kind")
    return Value(_text(value.name), int(tensor.elem_type), shape)


def _text(value: object) -> str:
    """Return a name; protobuf hands over what is no UTF-8 as bytes."""
    if not isinstance(value, str):
        raise refuse(f"a name in it is no text ({value!r:.40})")
    return value


def _check_wiring(graph: Graph) -> None:
    """Every value is made once, before it is used, and every output is made."""
    known = {"", *graph.constants, *(value.name for value in graph.inputs)}
    for node in graph.nodes:
        unknown = [name for name in node.inputs if name not in known]
        if unknown:
            raise refuse(f"{node.op} reads {unknown[0]!r}, which nothing makes")
        for name in node.outputs:
            if name and name in known:
                raise refuse(f"the value {name!r} is made twice")
            known.add(name)
    lost = [value.name for value in graph.outputs if value.name not in known]
    if lost or not graph.outputs:
        raise refuse(f"the output {lost[0] if lost else ''!r} is never made")


# writing


def serialize(graph: Graph, title: str = "facelign") -> bytes:
    """Return the graph as an ONNX file; the same graph gives the same bytes."""
    from onnx import helper, numpy_helper

    nodes = []
    for node in graph.nodes:
        attributes = {
            key: numpy_helper.from_array(part) if isinstance(part, np.ndarray) else part
            for key, part in node.attributes.items()
        }
        nodes.append(
            helper.make_node(node.op, node.inputs, node.outputs, name=node.name, **attributes)
        )
    weights = [
        numpy_helper.from_array(np.asarray(part, order="C"), name)
        for name, part in graph.constants.items()
    ]
    inputs, outputs = (
        [helper.make_tensor_value_info(value.name, value.kind, value.shape) for value in values]
        for values in (graph.inputs, graph.outputs)
    )
    model = helper.make_model(
        helper.make_graph(nodes, title, inputs, outputs, weights),
        producer_name="facelign",
        ir_version=max(4, graph.ir_version),  # from 4 on weights need not be graph inputs
        opset_imports=[helper.make_opsetid("", graph.opset)],
    )
    return bytes(model.SerializeToString(deterministic=True))


def clean(graph: Graph) -> None:
    """Drop graph inputs that are weights or unused, dead nodes and unused weights."""
    makers = graph.makers()
    alive: set[int] = set()
    waiting = [value.name for value in graph.outputs]
    used = set(waiting)
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or id(node) in alive:
            continue
        alive.add(id(node))
        used.update(node.inputs)
        waiting.extend(node.inputs)
    graph.nodes = [node for node in graph.nodes if id(node) in alive]
    graph.constants = {k: v for k, v in graph.constants.items() if k in used}
    graph.inputs = [v for v in graph.inputs if v.name in used and v.name not in graph.constants]
