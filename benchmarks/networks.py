# ruff: noqa: E402 - thread counts must be set before NumPy is imported
"""How much of what one core can do at all the networks use: FLOP, milliseconds, shares.

    python benchmarks/networks.py [--rounds 30] [--out FILE.json]

What a core can do is measured in the same rounds: the fastest float32 product of NumPy and the
fastest product of 8-bit integers of ONNX Runtime, over a few sizes. A network's FLOP are counted
from its float32 graph (two a multiplication with addition, convolutions and products alone); the
form in integers does the same work. A network that does not want integers everywhere (``default``)
is told against both peaks. One face or photo at a time, one thread, all in turn. Needs the
package onnx (part of the extra ``dev``), for shapes and for the products of integers.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine

CORE = machine.one_core()

import numpy as np
import onnx
from onnx import TensorProto, helper

from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.types.specs import Task

#: (task, float32 form, form in integers or None, sizes (height, width) of its input or None)
NETWORKS = (
    (Task.EMBED, "sface", "sface-int8", (None,)),
    (Task.EMBED, "dlib-resnet", "dlib-resnet-int8", (None,)),
    (Task.EMBED, "mobilefacenet", "mobilefacenet-int8", (None,)),
    (Task.DETECT, "yunet", None, ((256, 256), (1504, 2016))),
)
SIZES = (256, 512, 1024)


def flop(path: Path, shape: tuple[int, ...]) -> float:
    """Return the floating point operations of one pass of a graph whose input has ``shape``."""
    model = onnx.load(str(path))
    given = model.graph.input[0].type.tensor_type.shape
    del given.dim[:]
    for length in shape:
        given.dim.add().dim_value = length
    for port in model.graph.output:
        port.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    known = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.input, *graph.output)
    } | {constant.name: list(constant.dims) for constant in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            # every number of the result is a sum over one filter
            total += 2 * math.prod(known[node.output[0]]) * math.prod(known[node.input[1]][1:])
        elif node.op_type in ("Gemm", "MatMul"):
            total += 2 * math.prod(known[node.output[0]]) * known[node.input[0]][-1]
    return float(total)


def float_product(size: int) -> Callable[[], object]:
    a = np.ones((size, size), np.float32)
    return lambda: a @ a


def integer_product(size: int) -> Callable[[], object]:
    """Return a product of 8-bit integers, as networks in integers make it: weights are constant."""
    weights = np.ones((size, size), np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, (size, size))],
        [helper.make_tensor_value_info("y", TensorProto.INT32, (size, size))],
        [onnx.numpy_helper.from_array(weights, "b")],
    )
    opset = [helper.make_opsetid("", 17)]
    session = Session(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )
    session.open()
    a = np.ones((size, size), np.uint8)
    return lambda: session.run({"a": a})


def feed(session: Session, size: tuple[int, int] | None) -> dict[str, Any]:
    """Return an input of noise; a length that the graph leaves open is 1, or that of ``size``."""
    port = session.inputs[0]
    shape = [length or 1 for length in port.shape]
    if size is not None:
        place = 1 if port.shape[-1] == 3 else 2  # bytes come as (1, height, width, 3)
        shape[place : place + 2] = size
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    return {port.name: pixels.astype(np.uint8 if "uint8" in port.kind else np.float32)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    models, store = catalog.default(), Store.from_environment()
    work: dict[tuple[str, object], Callable[[], object]] = {}
    for size in SIZES:
        work["float32", size] = float_product(size)
        work["int8", size] = integer_product(size)
    gflop: dict[str, float] = {}
    forms: dict[str, list[str]] = {}
    for task, plain, integers, sizes in NETWORKS:
        for size in sizes:
            title = plain if size is None else f"{plain} {size[1]}x{size[0]}"
            for name in filter(None, (plain, integers)):
                spec = models.spec(task, name)
                (path,) = store.ready(spec).values()
                session = Session(Path(path))
                feeds = feed(session, size)
                if name == plain:
                    (array,) = feeds.values()
                    gflop[title] = flop(Path(path), array.shape) / 1e9
                session.run(feeds)
                form = "float32" if name == plain else "int8"
                forms.setdefault(title, []).append(form)
                work[title, form] = lambda session=session, feeds=feeds: session.run(feeds)
    times: dict[tuple[str, object], list[float]] = {key: [] for key in work}
    for _ in range(given.rounds):
        for key, one in work.items():
            began = time.process_time()
            one()
            times[key].append(time.process_time() - began)
    peak = {
        kind: max(2e-9 * size**3 / min(times[kind, size]) for size in SIZES)
        for kind in ("float32", "int8")
    }
    rows: dict[str, dict[str, Any]] = {}
    for title, gigas in gflop.items():
        rows[title] = {"gflop": round(gigas, 4)}
        for form in forms[title]:
            best, middle = min(times[title, form]), statistics.median(times[title, form])
            rows[title][form] = {
                "ms_best": round(1e3 * best, 2),
                "ms_median": round(1e3 * middle, 2),
                **{f"of_{kind}_peak": round(gigas / best / peak[kind], 3) for kind in peak},
            }
            print(
                f"{title:18} {form:8} {gigas:6.3f} GFLOP {1e3 * best:7.2f} ms  "
                + "  ".join(f"{gigas / best / peak[k]:5.0%} of {k}" for k in peak)
            )
    result = {
        "what": "networks on one core against the fastest products of one core, processor time",
        "rounds": given.rounds,
        "peak_gflops": {kind: round(value, 1) for kind, value in peak.items()},
        "machine": machine.describe("onnx"),
        "core": CORE,
        "networks": rows,
    }
    machine.write("networks", result, given.out)
    print(f"peaks: {peak['float32']:.0f} GFLOP/s float32, {peak['int8']:.0f} GOP/s int8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
