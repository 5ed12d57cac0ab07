"""Networks in integers: what is rounded, what stays, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from facelign import models
from facelign.errors import BadArray, WeightsCorrupt
from facelign.models.convert.graph import FLOAT32, Graph, Node, Value, clean, serialize
from facelign.models.convert.integers import ranges_of, results, with_integers
from facelign.runtime.onnx import Session


def network() -> Graph:
    """Conv, Relu, depthwise Conv, Conv and a last layer, on 4 channels."""
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.4, shape).astype(np.float32)

    constants = {
        "w1": weights(8, 4, 1, 1), "b1": weights(8), "dw": weights(8, 1, 3, 3), "db": weights(8),
        "w2": weights(6, 8, 1, 1), "b2": weights(6), "fc": weights(5, 6 * 16), "fb": weights(5),
    }  # fmt: skip
    nodes = [
        Node("Conv", ["x", "w1", "b1"], ["c1"], {"kernel_shape": [1, 1]}),
        Node("Relu", ["c1"], ["r1"]),
        Node("Conv", ["r1", "dw", "db"], ["d"], {"group": 8, "pads": [1, 1, 1, 1]}),
        Node("Conv", ["d", "w2", "b2"], ["c2"], {"kernel_shape": [1, 1]}),
        Node("Flatten", ["c2"], ["flat"]),
        Node("Gemm", ["flat", "fc", "fb"], ["y"], {"transB": 1}),
    ]
    shape = Value("x", FLOAT32, ["N", 4, 4, 4])
    return Graph(nodes, constants, [shape], [Value("y", FLOAT32, ["N", 5])], 21, 10)


def test_the_result_is_the_value_after_what_alone_reads_it() -> None:
    graph = network()
    by_output = {n.outputs[0]: results(graph)[id(n)] for n in graph.nodes if n.op == "Conv"}
    assert by_output == {"c1": "r1", "d": "d", "c2": "c2"}


def test_integers_give_about_what_the_network_gives() -> None:
    graph = network()
    x = np.random.default_rng(0).normal(0, 1, (3, 4, 4, 4)).astype(np.float32)
    plain = network()
    names = ("d", "c2", "flat")
    plain.outputs += [
        Value(name, FLOAT32, ["N", "a", "b", "c"][: 2 if name == "flat" else 4]) for name in names
    ]
    exact, *values = Session(serialize(plain)).run({"x": x})
    spans = {n: (float(v.min()), float(v.max())) for n, v in zip(names, values, strict=True)}
    with_integers(graph, spans)
    clean(graph)
    ops = [node.op for node in graph.nodes]
    assert ops.count("QuantizeLinear") == 3, "what two layers read, and the result of one"
    assert "MatMulInteger" in ops
    assert "Gemm" not in ops
    assert sum(array.dtype == np.int8 for array in graph.constants.values()) == 2
    assert max(np.abs(a).max() for a in graph.constants.values() if a.dtype == np.int8) <= 127
    (got,) = Session(serialize(graph)).run({"x": x})
    assert 0 < np.abs(got - exact).max() < 0.05 * np.abs(exact).max()
    alone = [Session(serialize(graph)).run({"x": one[None]})[0][0] for one in x]
    np.testing.assert_array_equal(got, alone, "nobody's vector depends on who else is in the batch")


def prelu(slopes: np.ndarray) -> Graph:
    """Conv with a PRelu as it is rewritten, then a depthwise Conv, on 16 channels."""
    rng = np.random.default_rng(5)
    constants = {
        "w1": rng.normal(0, 0.4, (16, 4, 1, 1)).astype(np.float32),
        "c": slopes.astype(np.float32),
        "dw": rng.normal(0, 0.4, (16, 1, 3, 3)).astype(np.float32),
    }
    nodes = [
        Node("Relu", ["x"], ["start"]),
        Node("Conv", ["start", "w1"], ["y"], {"kernel_shape": [1, 1]}),
        Node("Relu", ["y"], ["r"]),
        Node("Mul", ["y", "c"], ["cy"]),
        Node("Add", ["cy", "r"], ["z"]),
        Node("Conv", ["z", "dw"], ["end"], {"group": 16, "pads": [1, 1, 1, 1]}),
    ]
    shape = ["N", 16, "H", "W"]
    outputs = [Value("end", FLOAT32, shape), Value("y.exact", FLOAT32, shape)]
    outputs += [Value(name, FLOAT32, shape) for name in ("r", "cy")]
    return Graph(nodes, constants, [Value("x", FLOAT32, ["N", 4, 8, 8])], outputs, 21, 10)


@pytest.mark.parametrize("bounds", [(-6.0, 6.0), (0.0, 6.0), (-3.0, 9.0)])
def test_a_prelu_after_integers_reads_their_numbers_and_is_that_of_the_rounded_value(
    bounds: tuple[float, float],
) -> None:
    slopes = np.random.default_rng(6).normal(0, 0.4, (16, 1, 1))
    graph = prelu(slopes)
    with_integers(graph, {"start": (0.0, 4.0), "y": bounds})
    clean(graph)
    ops = [node.op for node in graph.nodes]
    assert "Mul" not in ops, "the slopes are in a convolution"
    assert [node.op for node in graph.nodes if node.outputs == ["y"]] == []
    x = np.random.default_rng(7).normal(0, 1, (2, 4, 8, 8)).astype(np.float32)
    end, exact, relu, sloped = Session(serialize(graph)).run({"x": x})
    step, zero = graph.constants["y.scale"], float(graph.constants["y.zero"])
    rounded = (np.clip(np.round(exact / step) + zero, 0, 255) - zero) * step
    assert np.abs(exact - rounded).max() > step / 4
    # what is exactly between two numbers may be rounded to either
    unsure = np.abs(exact / step % 1 - 0.5) < 1e-3
    for got, wanted in ((relu, np.maximum(rounded, 0)), (sloped, rounded * slopes)):
        np.testing.assert_allclose(got[~unsure], wanted[~unsure], rtol=0, atol=1e-5)
    alone = [Session(serialize(graph)).run({"x": one[None]})[0][0] for one in x]
    np.testing.assert_array_equal(end, alone)


def test_a_prelu_with_one_slope_for_all_channels_is_left_as_it_is() -> None:
    graph = prelu(np.array([0.3]))
    graph.outputs = graph.outputs[:1]
    with_integers(graph, {"start": (0.0, 4.0), "y": (-6.0, 6.0)})
    clean(graph)
    assert [node.op for node in graph.nodes if node.outputs == ["y"]] == ["DequantizeLinear"]
    (got,) = Session(serialize(graph)).run({"x": np.ones((1, 4, 8, 8), np.float32)})
    assert np.isfinite(got).all()


def test_a_graph_without_the_measured_values_is_refused() -> None:
    with pytest.raises(WeightsCorrupt, match="no value 'elsewhere'"):
        with_integers(network(), {"elsewhere": (0.0, 1.0)})
    with pytest.raises(WeightsCorrupt, match="range is empty"):
        with_integers(network(), {"d": (0.0, 0.0), "c2": (0.0, 1.0)})


@pytest.mark.parametrize("name", ["sface", "mobilefacenet", "dlib-resnet"])
def test_measured_ranges_hold_zero_and_belong_to_a_record(name: str) -> None:
    ranges = ranges_of(name)
    assert len(ranges) >= 18
    assert all(low <= 0 <= high and low < high for low, high in ranges.values())
    (spec,) = models.default().find(f"{name}-int8")
    assert spec.output.stands_for == name
    assert [file.convert for file in spec.weights] == [f"{name}-int8"]
    (exact,) = models.default().find(name)
    assert [file.sources for file in spec.weights] == [file.sources for file in exact.weights]


def test_only_embedders_have_a_form_in_integers() -> None:
    (spec,) = models.default().find("yunet")
    with pytest.raises(BadArray, match="only embedders"):
        spec.in_integers(drift=0.1)
