# ruff: noqa: E402 - thread counts must be set before NumPy is imported
"""SFace on one thread: as published, unpacked, and with PRelu rewritten, against the limit.


    FACELIGN_MIRROR=../shared/weights python benchmarks/sface_graph.py [--rounds 30] [--out FILE]

All variants are run in turn in every round; best and median are told, so that a busy machine
shows in the distance of the two. The limit is a float32 matrix product of NumPy in the same
rounds. Writes benchmarks/results/sface_graph.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from copy import deepcopy
from pathlib import Path

import machine

machine.one_core()  # before NumPy: its matrix product is the limit of one core

import numpy as np

from facelign import models
from facelign.models.convert import rewrites
from facelign.models.convert.graph import Graph, clean, read, serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.types.specs import Task

#: multiplications and additions of one forward pass
GFLOP = 1.15


def variants(raw: Graph) -> dict[str, bytes]:
    """Return the graphs that are compared, by what they are."""
    unpacked = deepcopy(raw)
    rewrites.fold_constants(unpacked)
    clean(unpacked)
    folded = deepcopy(unpacked)
    rewrites.fold_batch_normalization(folded)

    def long_form() -> Graph:
        graph = deepcopy(folded)
        graph.nodes = [
            part
            for node in graph.nodes
            for part in (
                rewrites._long_prelu(graph, node, graph.constants[node.inputs[1]])
                if node.op == "PRelu"
                else [node]
            )
        ]
        return graph

    def plain_relu() -> Graph:
        graph = deepcopy(folded)
        for node in graph.nodes:
            if node.op == "PRelu":
                node.op, node.inputs = "Relu", node.inputs[:1]
        return graph

    short = deepcopy(folded)
    rewrites.rewrite_prelu(short)
    found = {
        "unpacked, PRelu kept": unpacked,
        "a y + (1 - a) Relu(y)": long_form(),
        "Relu(y) + c y, factor in the next convolution (ours)": short,
        "Relu instead of PRelu (floor, other numbers)": plain_relu(),
    }
    for graph in found.values():
        clean(graph)
        rewrites.free_batch(graph)
    return {name: serialize(graph) for name, graph in found.items()}


def limit() -> float:
    """Return GFLOP/s of a 1024 x 1024 float32 matrix product."""
    a = np.ones((1024, 1024), np.float32)
    began = time.perf_counter()
    a @ a
    return 2 * 1024**3 / (time.perf_counter() - began) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    store = Store.from_environment()
    spec = models.default().spec(Task.EMBED, "sface")
    store.pull(spec)
    ((_, _, raw),) = store.raw_files(spec)
    sessions = {name: Session(data) for name, data in variants(read(raw)).items()}
    rng = np.random.default_rng(0)
    chips = {
        n: rng.integers(0, 256, (n, 3, 112, 112)).astype(np.float32) for n in arguments.batches
    }
    times: dict[tuple[str, int], list[float]] = {(s, n): [] for s in sessions for n in chips}
    best = 0.0
    for _ in range(arguments.rounds):
        best = max(best, limit())
        for name, session in sessions.items():
            for n, batch in chips.items():
                began = time.perf_counter()
                session.run({"data": batch})
                times[name, n].append((time.perf_counter() - began) / n * 1e3)
    (want,) = sessions["unpacked, PRelu kept"].run({"data": chips[arguments.batches[0]]})
    rows = {}
    for name, session in sessions.items():
        (got,) = session.run({"data": chips[arguments.batches[0]]})
        first = min(times[name, arguments.batches[0]])
        rows[name] = {
            "ms_a_chip_best": {n: round(min(times[name, n]), 2) for n in chips},
            "ms_a_chip_median": {n: round(statistics.median(times[name, n]), 2) for n in chips},
            "of_the_limit": round(GFLOP / (first / 1e3) / best, 3),
            "difference": float(np.abs(got - want).max() / np.abs(want).max()),
        }
        print(f"{name:55} {first:6.2f} ms, {rows[name]['of_the_limit']:.0%} of the limit")
    result = {
        "what": "SFace on one thread: graphs that give the same vectors, against a matrix product",
        "gflop_a_chip": GFLOP,
        "limit_gflops": round(best, 1),
        "target_of_the_limit": 0.55,
        "machine": machine.describe(),
        "graphs": rows,
    }
    machine.write("sface_graph", result, arguments.out)


if __name__ == "__main__":
    main()
