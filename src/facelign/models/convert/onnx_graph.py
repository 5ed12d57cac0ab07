"""ONNX files as published -> ONNX files that ONNX Runtime runs, and runs fast.

What is done:

- block-quantized weights (DequantizeLinear with ``block_size``) become float32 weights; ONNX
  Runtime refuses some of them and unpacks the others again at every run;
- graph inputs that are weights, or that nothing uses, go;
- batch normalization goes into the weights of the convolution before it;
- PRelu, for which ONNX Runtime has only a slow kernel, is written with fast operators;
- a batch fixed to 1 becomes free (for YuNet see ``convert.yunet``).

Every conversion is run against the unconverted graph on a probe before it is kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np

from facelign.errors import FacelignError
from facelign.files import disk
from facelign.models.convert import rewrites
from facelign.models.convert.graph import MOST_ELEMENTS, Graph, Node, clean, read, refuse, serialize
from facelign.runtime.onnx import Session, first_line
from facelign.types.arrays import AnyArray

#: largest difference to the unconverted graph, relative to the largest output
TOLERANCE = 5e-5
#: multiplications of one run on the probe: a few seconds on one core (SFace: 0.6e9)
MOST_WORK = 1 << 37
#: side that a free height or width gets on the probe, px
PROBE_PX = 64


def convert_batched(raw: Path, out: Path) -> None:
    """Convert a network, with quantized weights or without; the batch becomes free."""
    plain, fast = opened(raw)
    clean(fast)
    rewrites.free_batch(fast)
    data = serialize(fast)
    verify(plain, data)
    disk.write(out, data)


def convert_any_size(raw: Path, out: Path) -> None:
    """Convert a network of convolutions; batch, height and width become free."""
    plain, fast = opened(raw)
    clean(fast)
    rewrites.free_batch(fast)
    for value in (*fast.inputs, *fast.outputs):
        if len(value.shape) != 4:
            raise refuse(f"{value.name!r} is no picture and no map of one")
        value.shape[2:] = [f"H{value.name}", f"W{value.name}"]
    data = serialize(fast)
    verify(plain, data)
    disk.write(out, data)


def opened(raw: Path) -> tuple[Graph, Graph]:
    """Return a network as published, with weights as float32, and one with fewer operators."""
    plain = read(raw)
    rewrites.fold_constants(plain)
    clean(plain)
    if len(plain.inputs) != 1 or not plain.inputs[0].shape:
        raise refuse(f"it has {len(plain.inputs)} inputs, wanted one")
    # the arrays are shared: a change puts another one in the place of one
    fast = deepcopy(plain, {id(array): array for array in plain.constants.values()})
    rewrites.fold_batch_normalization(fast)
    rewrites.rewrite_prelu(fast)
    return plain, fast


def verify(plain: Graph, converted: bytes) -> None:
    """Raise WeightsCorrupt unless both graphs give the same on probes, one by one and batched."""
    bounded(plain)
    reference, fast = Session(serialize(plain)), Session(converted)
    value = plain.inputs[0]
    shape = [
        length if isinstance(length, int) else (1 if axis == 0 else PROBE_PX)
        for axis, length in enumerate(value.shape)
    ]
    # bytes as pixels come, and numbers about zero as networks get that want them scaled
    seeded = np.random.default_rng(2718)
    probes = [
        seeded.integers(0, 256, shape).astype(np.float32),
        seeded.standard_normal(shape).astype(np.float32),
    ]
    wanted = [run(reference, value.name, probe) for probe in probes]
    for probe, want in zip(probes, wanted, strict=True):
        agree(run(fast, value.name, probe), want)
    if isinstance(fast.inputs[0].shape[0], int):
        return
    together = run(fast, value.name, np.concatenate(probes))
    agree(together, [np.concatenate(pair) for pair in zip(*wanted, strict=True)])


def bounded(graph: Graph) -> None:
    """Raise WeightsCorrupt when a run on the probe would take too much memory or time."""
    shapes = _shapes(graph)
    counts = {name: math.prod(shape) for name, shape in shapes.items()}
    counts |= {name: array.size for name, array in graph.constants.items()}
    for node in graph.nodes:
        for name in filter(None, node.outputs):
            if name not in counts and node.op in _SAME_COUNT and node.inputs[0] in counts:
                counts[name] = counts[node.inputs[0]]
            elif name not in counts:
                raise refuse(f"the size of {name!r} cannot be told before it runs")
    largest = max(counts, key=lambda name: counts[name])
    if counts[largest] > MOST_ELEMENTS or sum(counts.values()) > 4 * MOST_ELEMENTS:
        raise refuse(f"the value {largest!r} would have {counts[largest]} numbers")
    work = sum(_work(node, graph, shapes) for node in graph.nodes)
    if work > MOST_WORK:
        raise refuse(f"one run would take {work} multiplications")


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return the shape of every value on the probe, where it can be told without running."""
    import onnx
    from onnx import shape_inference

    model = onnx.load_model_from_string(serialize(graph))
    for value in model.graph.input:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                dim.dim_value = 1 if axis == 0 else PROBE_PX
    try:
        model = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError) as problem:
        raise refuse(f"its shapes do not fit ({first_line(problem, 200)})") from problem
    found: dict[str, tuple[int, ...]] = {}
    for value in [*model.graph.input, *model.graph.value_info, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            found[value.name] = tuple(dim.dim_value for dim in dims)
    return found


#: operators that give as many numbers as they are given
_SAME_COUNT = frozenset(
    {"Clip", "Flatten", "LeakyRelu", "Relu", "Reshape", "Sigmoid", "Softmax", "Tanh", "Transpose"}
)


def _work(node: Node, graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return about how many multiplications a node takes."""
    out = math.prod(shapes.get(node.outputs[0], (1,)))
    if node.op in ("Conv", "ConvTranspose"):
        weight = graph.constants.get(node.inputs[1])
        return out * (math.prod(weight.shape[1:]) if weight is not None else MOST_ELEMENTS)
    if node.op in ("MatMul", "Gemm"):
        return out * max(shapes.get(node.inputs[0], (MOST_ELEMENTS,)), default=1)
    kernel = node.attributes.get("kernel_shape", ())
    return out * math.prod(kernel) if isinstance(kernel, list) else out


def run(session: Session, name: str, probe: AnyArray) -> list[AnyArray]:
    """Return all outputs for one input; raises WeightsCorrupt when it does not run."""
    try:
        return session.run({name: probe})
    except FacelignError as problem:
        raise refuse(f"it does not run ({problem.message})") from problem


def agree(found: Sequence[AnyArray], wanted: Sequence[AnyArray]) -> None:
    """Raise WeightsCorrupt unless outputs are the same up to rounding."""
    for got, want in zip(found, wanted, strict=True):
        if got.shape != want.shape or not np.isfinite(want).all():
            raise refuse("its outputs are not what a network for faces gives")
        scale = max(float(np.abs(want).max(initial=0.0)), 1e-6)
        apart = float(np.abs(got - want).max(initial=0.0))
        if not apart <= TOLERANCE * scale:
            raise refuse(f"converted it would differ by {apart / scale:.1e} from what it was")
