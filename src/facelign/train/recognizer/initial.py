"""An embedder that is here as a network that goes on learning.

Its ONNX graph becomes a module that computes the same: every operator as PyTorch has it, every
weight a parameter under the name that the graph gives it. As published, where that is ONNX: batch
normalization and PReLU stay what they are, although the product folds them. The two are compared
before anything is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from facelign.errors import ModelError, ModelMismatch, Refused
from facelign.models import catalog
from facelign.models.convert import onnx_graph, together
from facelign.models.convert.graph import UINT8, Graph, Node, parse, refuse, serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.train.recognizer.networks import NetworkSpec
from facelign.types.specs import EmbedderOutput, Engine, InputSpec, ModelSpec, Task

#: largest difference of what ONNX Runtime and PyTorch give, relative to the largest number
CLOSE = 1e-4
#: converters whose raw file is the network itself
_ONNX = ("", "onnx-float32", "onnx-prelu")
#: arrays of these inputs of an operator learn; what is not named here does not
_LEARNT: Mapping[str, Sequence[int]] = {
    "Conv": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "BatchNormalization": (1, 2),
}
#: operators that count as a layer, when layers are frozen
_LAYERS = ("Conv", "Gemm", "MatMul")
#: operators of files that were made here, which no published file may have
_OURS = ("Cast", "LRN", "LpPool")
#: from (n, c, h, w) to the axes that a graph reads
_AXES = {"nchw": (0, 1, 2, 3), "nhwc": (0, 2, 3, 1), "nwhc": (0, 3, 2, 1)}


@dataclass(frozen=True, slots=True)
class Initial:
    """What training begins with. input: of pixels in RGB, whatever order the network reads."""

    spec: ModelSpec
    module: GraphModule
    input: InputSpec
    layout: str
    points: str
    dim: int


def load(model_id: str, store: Store | None = None) -> Initial:
    """Return a registered embedder as a module with its weights; raises WeightsMissing.

    Raises ModelMismatch for one that is not of ONNX or not of one input, and Refused where PyTorch
    and ONNX Runtime differ by more than 1e-4.
    """
    store = store or Store.from_environment()
    spec = catalog.default(store.home).spec(Task.EMBED, model_id)
    output = spec.output
    if spec.engine is not Engine.ONNX or not isinstance(output, EmbedderOutput):
        raise ModelMismatch(f"'{model_id}' has no graph to go on from.", "Name another embedder.")
    if output.stands_for:
        raise ModelMismatch(
            f"'{model_id}' is a form of '{output.stands_for}' that does not learn.",
            f"Name '{output.stands_for}'.",
        )
    graph = _graph(spec, store)
    pixels = replace(spec.input, order="rgb", axes="nchw")
    if graph.inputs[0].kind == UINT8:  # a graph that scales by itself
        pixels = replace(pixels, mean=(0.0,) * 3, std=(1.0,) * 3)
    turned = spec.input.order == "bgr"
    if turned:
        pixels = replace(pixels, mean=pixels.mean[::-1], std=pixels.std[::-1])
    module = GraphModule(graph, turned=turned, axes=spec.input.axes)
    _verify(module, graph, pixels)
    points = str(spec.defaults.get("points", "five"))
    return Initial(spec, module, pixels, output.layout, points, output.dim)


def _graph(spec: ModelSpec, store: Store) -> Graph:
    """Return the graph as published, or as it was converted from another format."""
    if spec.weights[0].convert in _ONNX:
        store.ready(spec)  # what is damaged, absent or closed says so
        _, _, raw = next(iter(store.raw_files(spec)))
        graph, _ = onnx_graph.opened(raw)
    else:
        graph = parse(together(next(iter(store.ready(spec).values()))), _OURS)
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 4:
        raise ModelMismatch(f"'{spec.id}' does not read one picture.", "Name another embedder.")
    return graph


def _verify(module: GraphModule, graph: Graph, pixels: InputSpec) -> None:
    """Raise Refused unless the module gives what ONNX Runtime gives for made pictures."""
    seeded = np.random.default_rng(31)
    width, height = pixels.size or (112, 112)
    raw = seeded.integers(0, 256, (2, 3, height, width)).astype(np.float32)
    mean, std = (
        np.array(part, np.float32).reshape(1, -1, 1, 1) for part in (pixels.mean, pixels.std)
    )
    probe = torch.from_numpy((raw - mean) / std)
    read = module.turn(probe).contiguous().numpy()
    if graph.inputs[0].kind == UINT8:
        read = read.astype(np.uint8)
    session, name = Session(serialize(graph)), graph.inputs[0].name
    wanted = np.concatenate(
        [onnx_graph.run(session, name, read[i : i + 1])[0].reshape(1, -1) for i in (0, 1)]
    )
    try:
        with torch.inference_mode():
            found = module.eval()(probe).numpy()
    except (RuntimeError, TypeError) as problem:
        raise Refused(
            f"The network does not run in PyTorch: {problem}.", "Name another embedder."
        ) from problem
    module.train()
    apart = float(np.abs(found - wanted).max()) / max(float(np.abs(wanted).max()), 1e-6)
    if not apart <= CLOSE:
        raise Refused(
            f"ONNX Runtime and PyTorch differ by {apart:.2g} of the largest number, more than "
            f"{CLOSE:g}.",
            "Report it as a bug, with the id of the model.",
        )


@dataclass(frozen=True, slots=True)
class InitialSpec(NetworkSpec):
    """An embedder that is here, as a network that can be built. frozen: layers that stay."""

    frozen: int = 0

    def build(self, dim: int = 0) -> nn.Module:
        """Return the network with the weights of the embedder; ``dim`` is its own."""
        made = load(self.id).module
        made.freeze(self.frozen)
        return made


def initial_spec(model_id: str, frozen: int = 0) -> InitialSpec:
    """Return what is known of an embedder that training goes on from; raises as ``load``."""
    found = load(model_id)
    found.module.freeze(frozen)
    return InitialSpec(
        id=model_id,
        entry="",
        dim=found.dim,
        input=found.input,
        layout=found.layout,
        parameters=sum(weight.numel() for weight in found.module.parameters()),
        paper=found.spec.paper,
        origin=found.spec.origin,
        free_dim=False,
        frozen=frozen,
    )


class GraphModule(nn.Module):
    """An ONNX graph of one picture, (n, 3, h, w) float32 -> (n, dim) float32.

    turned: pixels come as RGB, and the graph reads BGR. axes: that it reads. Raises WeightsCorrupt
    for an operator that has no counterpart here.
    """

    def __init__(self, graph: Graph, *, turned: bool = False, axes: str = "nchw") -> None:
        super().__init__()
        self._turned, self._axes = turned, axes
        self._nodes = [node for node in graph.nodes if node.op != "Identity"]
        same = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op == "Identity"}
        self._names: dict[str, str] = {}
        self._plain: dict[str, Any] = {}
        self._input = graph.inputs[0].name
        self._output = graph.outputs[0].name
        while self._output in same:
            self._output = same[self._output]
        learnt = set(_learnt(self._nodes))
        for name, value in graph.constants.items():
            if value.dtype.kind == "f" and value.size > 1:
                self._keep(name, torch.from_numpy(value.astype(np.float32)), name in learnt)
            else:
                self._plain[name] = value
        self._steps: list[tuple[Node, _Step]] = []
        for node in self._nodes:
            node.inputs = [_first(same, name) for name in node.inputs]
            step = _STEPS.get(node.op)
            if step is None:
                raise refuse(f"{node.op} has no counterpart that learns")
            self._steps.append((node, step))
        self._frozen = 0

    def _keep(self, name: str, value: Tensor, learns: bool) -> None:
        """Keep an array, under a name that PyTorch allows."""
        own = name.replace(".", "_") or "weight"
        while hasattr(self, own):
            own += "_"
        self._names[name] = own
        if learns:
            self.register_parameter(own, nn.Parameter(value))
        else:
            self.register_buffer(own, value)

    @property
    def layers(self) -> int:
        """How many layers it has: convolutions and dense layers with weights of their own."""
        return sum(1 for node in self._nodes if self._is_layer(node))

    def _is_layer(self, node: Node) -> bool:
        return node.op in _LAYERS and any(name in self._names for name in node.inputs[1:2])

    def freeze(self, count: int) -> None:
        """Keep the first ``count`` layers, and all before the next one, as they are.

        Their batch normalization keeps its means too. Raises ModelError for more than there are.
        """
        if not 0 <= count <= self.layers:
            raise ModelError(
                f"The network has {self.layers} layers, and {count} shall be frozen.",
                "Freeze fewer.",
            )
        passed = 0
        self._frozen = 0
        for place, node in enumerate(self._nodes):
            if self._is_layer(node):
                passed += 1
            if passed > count:
                break
            self._frozen = place + 1
        still = [] if not count else self._nodes[: self._frozen]
        self._frozen = len(still)
        kept = {name for node in still for name in node.inputs if name in self._names}
        for name, own in self._names.items():
            value = getattr(self, own)
            if isinstance(value, nn.Parameter):
                value.requires_grad_(name not in kept)

    def turn(self, x: Tensor) -> Tensor:
        """Return pixels in the order of colors and axes that the graph reads."""
        return (x.flip(1) if self._turned else x).permute(_AXES[self._axes])

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors."""
        values: dict[str, Any] = {
            **self._plain,
            **{name: getattr(self, own) for name, own in self._names.items()},
            "": None,
            self._input: self.turn(x),
        }
        for place, (node, step) in enumerate(self._steps):
            learns = self.training and place >= self._frozen
            given = [values[name] for name in node.inputs]
            values[node.outputs[0]] = step(given, node, learns)
        found: Tensor = values[self._output].flatten(1)
        return found


def _learnt(nodes: Sequence[Node]) -> Iterator[str]:
    """Yield the names of the arrays that learn: also what is added or multiplied by channel."""
    for node in nodes:
        places = _LEARNT.get(node.op, (0, 1) if node.op in ("Add", "Mul") else ())
        yield from (node.inputs[i] for i in places if i < len(node.inputs))


def _first(same: Mapping[str, str], name: str) -> str:
    while name in same:
        name = same[name]
    return name


# operators: what is given, the node, whether it learns -> what it gives

_Given = list[Any]
_Step = Callable[[_Given, Node, bool], Any]


def _sides(node: Node, key: str, default: list[int]) -> list[int]:
    value = node.attributes.get(key, default)
    if not isinstance(value, list) or len(value) != len(default):
        raise refuse(f"{key} of {node.op} is not that of a picture")
    return [int(one) for one in value]


def _edges(x: Tensor, node: Node, kernel: Sequence[int]) -> tuple[int, int, int, int]:
    """Return what a layer puts about a picture: left, right, top, bottom."""
    how = node.attributes.get("auto_pad", b"NOTSET")
    if how in (b"NOTSET", b"VALID"):
        top, left, bottom, right = _sides(node, "pads", [0, 0, 0, 0])
        return left, right, top, bottom
    if how != b"SAME_UPPER":
        raise refuse(f"{node.op} tells its edges by {how!r}")
    steps, wide = _sides(node, "strides", [1, 1]), _sides(node, "dilations", [1, 1])
    lacks = [
        max((-(-int(side) // step) - 1) * step + (size - 1) * far + 1 - int(side), 0)
        for side, step, size, far in zip(x.shape[2:], steps, kernel, wide, strict=True)
    ]
    (top, left), (bottom, right) = [n // 2 for n in lacks], [n - n // 2 for n in lacks]
    return left, right, top, bottom


def _padded(x: Tensor, node: Node, kernel: Sequence[int], value: float = 0.0) -> Tensor:
    edges = _edges(x, node, kernel)
    return F.pad(x, edges, value=value) if any(edges) else x


def _conv(given: _Given, node: Node, _: bool) -> Tensor:
    x, weight, *bias = given
    left, right, top, bottom = _edges(x, node, weight.shape[2:])
    even = (top, left) == (bottom, right)
    return F.conv2d(
        x if even else F.pad(x, (left, right, top, bottom)),
        weight,
        bias[0] if bias else None,
        stride=_sides(node, "strides", [1, 1]),
        padding=(top, left) if even else 0,
        dilation=_sides(node, "dilations", [1, 1]),
        groups=node.integer("group", 1),
    )


def _batch_norm(given: _Given, node: Node, learns: bool) -> Tensor:
    x, weight, bias, mean, variance = given
    epsilon = node.number("epsilon", 1e-5)
    return F.batch_norm(x, mean, variance, weight, bias, learns, 0.1, epsilon)


def _gemm(given: _Given, node: Node, _: bool) -> Tensor:
    x, weight, *bias = given
    x = x.T if node.integer("transA", 0) else x
    weight = weight if node.integer("transB", 0) else weight.T
    y = F.linear(x, weight) * node.number("alpha", 1.0)
    return y + node.number("beta", 1.0) * bias[0] if bias and bias[0] is not None else y


def _prelu(given: _Given, node: Node, _: bool) -> Tensor:
    x, slope = given
    slope = torch.as_tensor(slope)
    return x.clamp_min(0) + slope * x.clamp_max(0)


def _clip(given: _Given, node: Node, _: bool) -> Tensor:
    x, *ends = given
    low, high = (
        float(ends[i]) if i < len(ends) and ends[i] is not None else node.attributes.get(key)
        for i, key in enumerate(("min", "max"))
    )
    return torch.as_tensor(x).clamp(low, high)


def _max_pool(given: _Given, node: Node, _: bool) -> Tensor:
    kernel, stride = _sides(node, "kernel_shape", [1, 1]), _sides(node, "strides", [1, 1])
    x = _padded(given[0], node, kernel, -math.inf)
    return F.max_pool2d(x, kernel, stride, ceil_mode=bool(node.integer("ceil_mode", 0)))


def _average_pool(given: _Given, node: Node, _: bool) -> Tensor:
    kernel, stride = _sides(node, "kernel_shape", [1, 1]), _sides(node, "strides", [1, 1])
    x = _padded(given[0], node, kernel)
    edged = x is not given[0] and not node.integer("count_include_pad", 0)
    if edged or node.integer("ceil_mode", 0):
        raise refuse("an AveragePool leaves out its edges")
    return F.avg_pool2d(x, kernel, stride)


def _norm_pool(given: _Given, node: Node, _: bool) -> Tensor:
    if node.integer("p", 2) != 2:
        raise refuse("an LpPool is of another norm than the second")
    kernel, stride = _sides(node, "kernel_shape", [1, 1]), _sides(node, "strides", [1, 1])
    x = _padded(given[0], node, kernel)
    return (F.avg_pool2d(x * x, kernel, stride) * math.prod(kernel)).clamp_min(1e-20).sqrt()


def _lrn(given: _Given, node: Node, _: bool) -> Tensor:
    size = node.integer("size", 5)
    return F.local_response_norm(
        given[0], size, node.number("alpha", 1e-4), node.number("beta", 0.75),
        node.number("bias", 1.0),
    )  # fmt: skip


def _reshape(given: _Given, node: Node, _: bool) -> Any:
    x, shape = given
    lengths = [int(n) for n in np.asarray(shape).ravel()]
    # a batch that was 1 when the network was written is as long as it is
    if len(lengths) > 1 and lengths[0] in (0, 1, -1):
        rest = [x.shape[i] if n == 0 else n for i, n in enumerate(lengths[1:], 1)]
        if lengths[0] != -1 or -1 not in rest:
            return x.reshape(x.shape[0], *rest)
    return x.reshape(lengths)


def _pad(given: _Given, node: Node, _: bool) -> Tensor:
    x, *more = given
    told = node.attributes.get("pads") if not more or more[0] is None else more[0].tolist()
    value = float(more[1]) if len(more) > 1 and more[1] is not None else node.number("value", 0)
    if (
        not isinstance(told, list)
        or len(told) != 2 * x.ndim
        or node.attributes.get("mode", b"constant") != b"constant"
    ):
        raise refuse("a Pad adds something else than numbers")
    before, after = told[: x.ndim], told[x.ndim :]
    pairs = [int(n) for pair in zip(before[::-1], after[::-1], strict=True) for n in pair]
    return F.pad(x, pairs, value=value)


def _squeeze(given: _Given, node: Node, _: bool) -> Tensor:
    x, *axes = given
    told = node.attributes.get("axes") if not axes else [int(a) for a in axes[0].ravel()]
    if not told:
        raise refuse("a Squeeze tells no axes")
    return x.squeeze(tuple(told))


def _mean(given: _Given, node: Node, _: bool) -> Tensor:
    x, *axes = given
    told = node.attributes.get("axes") if not axes else [int(a) for a in axes[0].ravel()]
    return x.mean(told, keepdim=bool(node.integer("keepdims", 1)))


def _tensors(given: _Given) -> list[Tensor]:
    return [torch.as_tensor(np.array(one) if isinstance(one, np.ndarray) else one) for one in given]


def _flatten(given: _Given, node: Node, _: bool) -> Tensor:
    if node.integer("axis", 1) != 1:
        raise refuse("a Flatten joins pictures")
    return given[0].flatten(1)


_STEPS: Mapping[str, _Step] = {
    "Add": lambda given, *_: torch.add(*_tensors(given)),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": lambda given, *_: given[0].float(),
    "Clip": _clip,
    "Concat": lambda given, node, _: torch.cat(given, node.integer("axis", 1)),
    "Conv": _conv,
    "Div": lambda given, *_: torch.div(*_tensors(given)),
    "Dropout": lambda given, *_: given[0],
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda given, *_: given[0].mean((2, 3), keepdim=True),
    "HardSigmoid": lambda given, node, _: (
        given[0] * node.number("alpha", 0.2) + node.number("beta", 0.5)
    ).clamp(0, 1),
    "HardSwish": lambda given, *_: F.hardswish(given[0]),
    "LRN": _lrn,
    "LeakyRelu": lambda given, node, _: F.leaky_relu(given[0], node.number("alpha", 0.01)),
    "LpPool": _norm_pool,
    "MatMul": lambda given, *_: torch.matmul(*_tensors(given)),
    "Max": lambda given, *_: torch.maximum(*_tensors(given)),
    "MaxPool": _max_pool,
    "Min": lambda given, *_: torch.minimum(*_tensors(given)),
    "Mul": lambda given, *_: torch.mul(*_tensors(given)),
    "PRelu": _prelu,
    "Pad": _pad,
    "ReduceMean": _mean,
    "Relu": lambda given, *_: F.relu(given[0]),
    "Reshape": _reshape,
    "Sigmoid": lambda given, *_: torch.sigmoid(given[0]),
    "Sqrt": lambda given, *_: torch.sqrt(given[0]),
    "Squeeze": _squeeze,
    "Sub": lambda given, *_: torch.sub(*_tensors(given)),
    "Tanh": lambda given, *_: torch.tanh(given[0]),
    "Transpose": lambda given, node, _: given[0].permute(node.attributes["perm"]),
}
