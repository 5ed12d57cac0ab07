"""Graphs that learn: the same numbers as ONNX Runtime's, gradients, layers that stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import training
from nn4_reference import Reference

training.needed()

import torch

from facelign.errors import ModelError, ModelMismatch, WeightsCorrupt
from facelign.models.convert import openface
from facelign.models.convert.graph import FLOAT32, Graph, Node, Value, serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.train.export import CLOSE, onnx_of
from facelign.train.recognizer import initial
from facelign.train.recognizer.initial import GraphModule
from facelign.train.task import Exported

SEEDED = np.random.default_rng(51)
Arrays = dict[str, np.ndarray]


def graph(nodes: list[Node], constants: Arrays, dim: int = 4) -> Graph:
    inputs = [Value("x", FLOAT32, ["n", 3, 12, 12])]
    return Graph(nodes, constants, inputs, [Value("y", FLOAT32, ["n", dim])], 17, 8)


def numbers(*shape: int) -> np.ndarray:
    return SEEDED.uniform(0.2, 1, shape).astype(np.float32)


def small() -> Graph:
    """What the files of published embedders are made of."""
    norm = {name: numbers(4) for name in ("gamma", "beta", "mean", "variance")}
    constants = {
        "w1": numbers(4, 3, 3, 3), "b1": numbers(4), **norm, "slope": numbers(4, 1, 1),
        "w2": numbers(4, 1, 3, 3), "b2": numbers(4), "half": np.array(0.5, np.float32),
        "low": np.array(-6, np.float32), "high": np.array(6, np.float32),
        "w3": numbers(4, 4 * 9), "b3": numbers(4), "shape": np.array([1, -1], np.int64),
    }  # fmt: skip
    pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    nodes = [
        Node("Sub", ["x", "half"], ["a"]),
        Node("Conv", ["a", "w1", "b1"], ["b"], pads),
        Node("BatchNormalization", ["b", *norm], ["c"], {"epsilon": 1e-3}),
        Node("PRelu", ["c", "slope"], ["d"]),
        Node("Conv", ["d", "w2", "b2"], ["e"], {**pads, "group": 4, "pads": [0, 0, 2, 2]}),
        Node("Clip", ["e", "low", "high"], ["f"]),
        Node("Identity", ["f"], ["g"]),
        Node("Mul", ["g", "half"], ["h"]),
        Node("Reshape", ["h", "shape"], ["i"]),
        Node("Gemm", ["i", "w3", "b3"], ["y"], {"transB": 1, "alpha": 1.0, "beta": 1.0}),
    ]
    return graph(nodes, constants)


def pools() -> Graph:
    """What files of other formats are converted into, with uneven edges."""
    edges = {"kernel_shape": [3, 3], "strides": [2, 2]}
    same = {**edges, "auto_pad": b"SAME_UPPER"}
    constants = {"w": numbers(5, 3, 3, 3), "wide": np.array([0, 0, 1, 0, 0, 0, 0, 1], np.int64)}
    constants["m"] = numbers(15, 4)
    nodes = [
        Node("Conv", ["x", "w"], ["c"], same),
        Node("MaxPool", ["c"], ["p"], same),
        Node("AveragePool", ["p"], ["q"], {**edges, "strides": [1, 1]}),
        Node("LpPool", ["c"], ["n"], {**edges, "strides": [3, 3], "p": 2}),
        Node("LRN", ["c"], ["l"], {"size": 5}),
        Node("Pad", ["q", "wide"], ["z"]),
        Node("GlobalAveragePool", ["z"], ["u"]),
        Node("GlobalAveragePool", ["l"], ["v"]),
        Node("Transpose", ["n"], ["n1"], {"perm": [0, 1, 3, 2]}),
        Node("ReduceMean", ["n1"], ["r"], {"axes": [2, 3], "keepdims": 0}),
        Node("Flatten", ["u"], ["fu"]),
        Node("Flatten", ["v"], ["fv"]),
        Node("Concat", ["fu", "fv"], ["s"], {"axis": 1}),
        Node("HardSigmoid", ["s"], ["t"]),
        Node("Concat", ["t", "r"], ["all"], {"axis": 1}),
        Node("MatMul", ["all", "m"], ["y"]),
    ]
    return graph(nodes, constants)


def of_openface() -> Graph:
    reference = Reference()
    reference.run(np.zeros((3, 96, 96), np.float32))
    return openface.graph(reference.arrays)


@pytest.mark.parametrize("made", [small, pools, of_openface])
def test_a_graph_gives_the_same_as_a_module_and_learns(made: Callable[[], Graph]) -> None:
    given = made()
    side = given.inputs[0].shape[-1]
    pictures = SEEDED.uniform(-1, 1, (3, 3, side, side)).astype(np.float32)
    session = Session(serialize(given))
    wanted = np.concatenate([session.run({given.inputs[0].name: p[None]})[0] for p in pictures])
    module = GraphModule(given).eval()
    found = module(torch.from_numpy(pictures))
    np.testing.assert_allclose(found.detach().numpy(), wanted, atol=1e-5 * np.abs(wanted).max())
    module.train()(torch.from_numpy(pictures)).square().mean().backward()
    learning = dict(module.named_parameters())
    assert learning
    for name, weight in learning.items():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
    _, apart = onnx_of(Exported(module, torch.from_numpy(pictures[:2]), {}))
    assert apart <= CLOSE * max(1, np.abs(wanted).max())


def test_weights_learn_and_numbers_of_the_graph_do_not() -> None:
    module = GraphModule(small())
    assert {name for name, _ in module.named_parameters()} == {
        "w1", "b1", "gamma", "beta", "slope", "w2", "b2", "w3", "b3",
    }  # fmt: skip
    assert {name for name, _ in module.named_buffers()} == {"mean", "variance"}
    assert module.layers == 3


def test_frozen_layers_stay_with_their_normalization() -> None:
    module, pictures = GraphModule(small()), torch.rand(5, 3, 12, 12)
    module.freeze(1)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = torch.optim.SGD([w for w in module.parameters() if w.requires_grad], 0.1)
    module.train()(pictures).square().mean().backward()
    optimizer.step()
    changed = {n for n, v in module.state_dict().items() if not torch.equal(v, before[n])}
    assert changed == {"w2", "b2", "w3", "b3"}
    module.freeze(0)
    module.train()(pictures)
    assert not torch.equal(module.state_dict()["mean"], before["mean"])
    module.freeze(3)
    assert not any(weight.requires_grad for weight in module.parameters())
    with pytest.raises(ModelError, match="has 3 layers, and 4"):
        module.freeze(4)


def test_colors_and_axes_are_turned_for_the_graph() -> None:
    mean = [Node("GlobalAveragePool", ["x"], ["m"]), Node("Flatten", ["m"], ["y"])]
    red = torch.zeros(2, 3, 12, 12)
    red[:, 0] = 1
    found = GraphModule(graph(mean, {}, 3), turned=True)(red)
    assert found.tolist() == [[0, 0, 1], [0, 0, 1]]
    last = [Node("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}), *mean]
    last[1] = Node("GlobalAveragePool", ["t"], ["m"])
    found = GraphModule(graph(last, {}, 3), axes="nhwc")(red)
    assert found.tolist() == [[1, 0, 0], [1, 0, 0]]


def test_what_has_no_counterpart_is_named() -> None:
    with pytest.raises(WeightsCorrupt, match="Resize has no counterpart"):
        GraphModule(graph([Node("Resize", ["x"], ["y"])], {}))


@pytest.mark.shared
@pytest.mark.weights
@pytest.mark.parametrize(
    ("name", "layers", "dim"), [("mobilefacenet", 51, 128), ("sface", 28, 128)]
)
def test_embedders_that_are_here_go_on(
    name: str, layers: int, dim: int, pulled: Callable[..., Store]
) -> None:
    found = initial.load(name, pulled(*initial.catalog.default().find(name)))
    assert (found.module.layers, found.dim, found.layout) == (layers, dim, "arcface-112")
    assert found.points == "five"


def test_a_form_in_integers_names_what_it_stands_for() -> None:
    with pytest.raises(ModelMismatch, match="a form of 'sface'"):
        initial.load("sface-int8")
