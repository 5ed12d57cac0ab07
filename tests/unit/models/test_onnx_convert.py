"""ONNX conversions: exact algebra, the published files, and files that lie."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from skimage import data as photographs

from facelign.errors import WeightsCorrupt
from facelign.models.convert import CONVERTERS
from facelign.models.convert.graph import parse, serialize
from facelign.runtime.onnx import Session

SFACE = "embedding/face_recognition_sface_2021dec_int8bq.onnx"
YUNET = "detection/face_detection_yunet_2023mar_int8bq.onnx"
SHARED = Path(__file__).parents[4] / "shared" / "weights"

needs_shared = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no weights beside the checkout"),
]


def build(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    shape: list[int | str],
    *,
    opset: int = 13,
    outputs: tuple[str, ...] = ("z",),
) -> bytes:
    """Return a network as bytes; outputs are float32 of any shape."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    # a value without a shape has no rank; give the outputs what ONNX infers
    made = onnx.shape_inference.infer_shapes(made)
    return bytes(made.SerializeToString())


def converted(data: bytes, tmp_path: Path, how: str = "onnx-float32") -> bytes:
    raw, out = tmp_path / "raw.onnx", tmp_path / "out.onnx"
    out.unlink(missing_ok=True)
    raw.write_bytes(data)
    CONVERTERS[how](raw, out)
    return out.read_bytes()


def slopes(kind: str, count: int) -> np.ndarray:
    rng = np.random.default_rng(len(kind))
    return {
        "usual": rng.uniform(0, 0.5, count),
        "negative": rng.uniform(-1, 0, count),
        "above one": rng.uniform(1.1, 3, count),
        "mixed": rng.uniform(-2, 3, count),
        "exactly one": np.ones(count),
        "nearly one": 1 + rng.uniform(-1e-3, 1e-3, count),
        "zero": np.zeros(count),
    }[kind].astype(np.float32)


KINDS = ("usual", "negative", "above one", "mixed", "exactly one", "nearly one", "zero")


def _reader(
    kind: str, rng: np.random.Generator
) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Return what reads the PRelu: each kind takes another way through the rewriting."""

    def w(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    conv = helper.make_node
    if kind == "conv":
        return [conv("Conv", ["p", "w2"], ["z"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {
            "w2": w(5, 8, 3, 3)
        }
    if kind == "depthwise":
        return [
            conv("Conv", ["p", "w2", "b2"], ["z"], kernel_shape=[3, 3], group=8, strides=[2, 2])
        ], {"w2": w(8, 1, 3, 3), "b2": w(8)}
    if kind == "grouped":
        return [conv("Conv", ["p", "w2"], ["z"], kernel_shape=[1, 1], group=2)], {
            "w2": w(6, 4, 1, 1)
        }
    if kind == "two readers":
        return [
            conv("Conv", ["p", "w2"], ["q"], kernel_shape=[1, 1]),
            conv("Add", ["p", "q"], ["z"]),
        ], {"w2": w(8, 8, 1, 1)}
    if kind == "pooled":
        return [
            conv("MaxPool", ["p"], ["q"], kernel_shape=[2, 2], strides=[2, 2]),
            conv("Conv", ["q", "w2"], ["z"], kernel_shape=[1, 1]),
        ], {"w2": w(3, 8, 1, 1)}
    return [conv("Flatten", ["p"], ["q"]), conv("Gemm", ["q", "w2"], ["z"], transB=1)], {
        "w2": w(4, 8 * 36)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "reader", ["conv", "depthwise", "grouped", "two readers", "pooled", "dense"]
)
def test_prelu_is_exact_for_any_slope(tmp_path: Path, kind: str, reader: str) -> None:
    rng = np.random.default_rng(7)
    after, weights = _reader(reader, rng)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3]),
        helper.make_node("PRelu", ["y", "a"], ["p"]),
        *after,
    ]
    weights |= {
        "w": rng.standard_normal((8, 3, 3, 3)).astype(np.float32),
        "a": slopes(kind, 8).reshape(8, 1, 1),
    }
    data = build(nodes, weights, [1, 3, 8, 8])
    made = converted(data, tmp_path, "onnx-prelu")
    assert "PRelu" not in {node.op for node in parse(made).nodes}
    x = rng.standard_normal((3, 3, 8, 8)).astype(np.float32) * 100
    want = np.concatenate(
        [ReferenceEvaluator(onnx.load_model_from_string(data)).run(None, {"x": one[None]})[0]
         for one in x]
    )  # fmt: skip
    (got,) = Session(made).run({"x": x})
    # rounding only: a few units in the last place of the largest number on the way
    np.testing.assert_allclose(got, want, rtol=0, atol=4e-6 * np.abs(want).max())


def test_the_output_itself_may_be_a_prelu(tmp_path: Path) -> None:
    weights = {
        "w": np.random.default_rng(0).standard_normal((4, 3, 1, 1)).astype(np.float32),
        "a": slopes("mixed", 4).reshape(1, 4, 1, 1),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"]),
        helper.make_node("PRelu", ["y", "a"], ["z"]),
    ]
    data = build(nodes, weights, [1, 3, 4, 4])
    x = np.random.default_rng(1).standard_normal((1, 3, 4, 4)).astype(np.float32)
    want = ReferenceEvaluator(onnx.load_model_from_string(data)).run(None, {"x": x})[0]
    np.testing.assert_allclose(Session(converted(data, tmp_path)).run({"x": x})[0], want, atol=1e-6)


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 150),
    block=st.integers(1, 64),
    axis=st.sampled_from([0, 1]),
    signed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_unpacking_blocks_agrees_with_the_definition(
    rows: int, columns: int, block: int, axis: int, signed: bool, seed: int
) -> None:
    from facelign.models.convert.graph import Graph, Node
    from facelign.models.convert.rewrites import dequantized

    rng = np.random.default_rng(seed)
    kind = np.int8 if signed else np.uint8
    low, high = (-128, 128) if signed else (0, 256)
    packed = rng.integers(low, high, (rows, columns)).astype(kind)
    shape = [rows, columns]
    shape[axis] = -(-shape[axis] // block)
    scale = rng.uniform(1e-4, 1, shape).astype(np.float32)
    zero = rng.integers(low, high, shape).astype(kind)
    node = Node("DequantizeLinear", ["q", "s", "z"], ["w"], {"axis": axis, "block_size": block})
    found = dequantized(Graph([node], {"q": packed, "s": scale, "z": zero}, [], [], 21, 10), node)
    for i in range(rows):
        for j in range(columns):
            at = (i // block, j) if axis == 0 else (i, j // block)
            want = (np.float32(packed[i, j]) - np.float32(zero[at])) * scale[at]
            assert found[i, j] == want


def test_weights_listed_as_inputs_and_unused_inputs_go(tmp_path: Path) -> None:
    data = build(
        [helper.make_node("Conv", ["x", "w"], ["z"])],
        {"w": np.ones((1, 3, 1, 1), np.float32)},
        [1, 3, 2, 2],
    )
    model = onnx.load_model_from_string(data)
    for name, shape in (("w", [1, 3, 1, 1]), ("ghost", [5])):
        model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    graph = parse(converted(model.SerializeToString(), tmp_path))
    assert [value.name for value in graph.inputs] == ["x"]


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    data = build(
        [helper.make_node("Conv", ["x", "w"], ["z"])],
        {"w": np.ones((1, 3, 1, 1), np.float32)},
        [1, 3, 2, 2],
    )
    assert converted(data, tmp_path) == converted(data, tmp_path)
    assert serialize(parse(data)) == serialize(parse(serialize(parse(data))))


class TestPublished:
    """The files that people really pull."""

    pytestmark = needs_shared

    def test_sface_agrees_with_the_published_graph_and_batches(self, tmp_path: Path) -> None:
        raw = SHARED / SFACE
        made = Session(converted(raw.read_bytes(), tmp_path))
        assert made.inputs[0].shape == (None, 3, 112, 112)
        rng = np.random.default_rng(3)
        x = rng.integers(0, 256, (2, 3, 112, 112)).astype(np.float32)
        # The published file as it is, run by ONNX Runtime itself: the weights that it lists as
        # inputs and that are gone are fed with zeros (weights/README).
        model = onnx.load(raw)
        known = {weight.name for weight in model.graph.initializer}
        feeds = {
            value.name: np.zeros(
                [dim.dim_value for dim in value.type.tensor_type.shape.dim], np.float32
            )
            for value in model.graph.input
            if value.name not in known and value.name != "data"
        }
        published = Session(raw)
        (together,) = made.run({"data": x})
        for one, got in zip(x, together, strict=True):
            (want,) = published.run({**feeds, "data": one[None]})
            assert np.abs(got - want[0]).max() < 5e-6 * np.abs(want).max()
            (alone,) = made.run({"data": one[None]})
            assert np.abs(got - alone[0]).max() < 1e-5

    def test_yunet_takes_any_size_and_agrees_with_the_float_file(self, tmp_path: Path) -> None:
        made = Session(converted((SHARED / YUNET).read_bytes(), tmp_path, "onnx-yunet"))
        published = Session(SHARED / "detection/face_detection_yunet_2023mar.onnx")
        picture = np.zeros((1, 640, 640, 3), np.uint8)
        picture[0, :512, :512] = photographs.astronaut()
        (heads,) = made.run({"pictures": picture})
        assert heads.shape == (1, 16, 80 * 80 + 40 * 40 + 20 * 20)
        planes = np.ascontiguousarray(picture[..., ::-1].transpose(0, 3, 1, 2), np.float32)
        names = [f"{kind}_{s}" for s in (8, 16, 32) for kind in ("cls", "obj", "bbox", "kps")]
        theirs = dict(zip(names, published.run({"input": planes}, names), strict=True))
        at = 0
        for stride, cells in ((8, 6400), (16, 1600), (32, 400)):
            level, at = heads[0, :, at : at + cells].T, at + cells
            # the published weights are quantized, not those of the float file: where there is no
            # face the boxes are noise, so scores everywhere and all of the face are compared
            ours = {"cls": 1 / (1 + np.exp(-level[:, :1])), "obj": 1 / (1 + np.exp(-level[:, 1:2]))}
            for kind, score in ours.items():
                assert np.abs(score - theirs[f"{kind}_{stride}"][0]).mean() < 0.02
        scores = theirs["cls_32"] * theirs["obj_32"]
        face = scores[0, :, 0].argmax()  # the face is 140 px high: stride 32 sees it
        assert scores[0, face, 0] > 0.5
        ours |= {"bbox": level[:, 2:6], "kps": level[:, 6:]}
        for kind, values in ours.items():
            assert np.abs(values[face] - theirs[f"{kind}_32"][0, face]).max() < 0.05
        small = picture[:, :96, :160]
        (alone,) = made.run({"pictures": small})
        assert alone.shape == (1, 16, 12 * 20 + 6 * 10 + 3 * 5)
        (both,) = made.run({"pictures": np.repeat(small, 2, axis=0)})
        np.testing.assert_allclose(both, np.repeat(alone, 2, axis=0), rtol=1e-4, atol=1e-4)

    def test_a_network_that_is_not_yunet_is_refused_as_such(self, tmp_path: Path) -> None:
        for name in ("detection/mtcnn_onet.onnx", "embedding/mobilefacenet_foamliu.onnx"):
            with pytest.raises(WeightsCorrupt, match="is not usable"):
                converted((SHARED / name).read_bytes(), tmp_path, "onnx-yunet")

    @pytest.mark.parametrize(
        "name",
        [
            "embedding/mobilefacenet_foamliu.onnx",
            "embedding/mobileface_v2_becauseofAI.onnx",
            "detection/yunet_n_dynamic.onnx",
            "detection/mtcnn_pnet.onnx",
            "detection/mtcnn_rnet.onnx",
            "detection/mtcnn_onet.onnx",
        ],
    )
    def test_the_others_convert_and_batch(self, tmp_path: Path, name: str) -> None:
        made = Session(converted((SHARED / name).read_bytes(), tmp_path, "onnx-prelu"))
        assert made.inputs[0].shape[0] is None


def _small() -> bytes:
    """Return a network with every kind of part that the converter touches."""
    rng = np.random.default_rng(1)
    weights = {
        "q": rng.integers(-128, 128, (8, 27)).astype(np.int8),
        "s": rng.uniform(0.01, 0.1, (8, 3)).astype(np.float32),
        "zp": np.zeros((8, 3), np.int8),
        "shape": np.array([8, 3, 3, 3], np.int64),
        "gamma": np.ones(8, np.float32),
        "beta": np.zeros(8, np.float32),
        "mean": np.zeros(8, np.float32),
        "var": np.ones(8, np.float32),
        "a": slopes("mixed", 8).reshape(8, 1, 1),
        "w2": rng.standard_normal((4, 8, 1, 1)).astype(np.float32),
        "flat": np.array([1, -1], np.int64),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "zp"], ["w0"], axis=1, block_size=9),
        helper.make_node("Reshape", ["w0", "shape"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "gamma", "beta", "mean", "var"], ["n"]),
        helper.make_node("PRelu", ["n", "a"], ["p"]),
        helper.make_node("MaxPool", ["p"], ["m"], kernel_shape=[2, 2], strides=[1, 1]),
        helper.make_node("Conv", ["m", "w2"], ["d"]),
        helper.make_node("Reshape", ["d", "flat"], ["z"]),
    ]
    return build(nodes, weights, [1, 3, 16, 16], opset=21)


def test_the_network_of_the_fuzz_test_converts(tmp_path: Path) -> None:
    graph = parse(converted(_small(), tmp_path))
    assert not {"PRelu", "DequantizeLinear", "BatchNormalization"} & {n.op for n in graph.nodes}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` damaged the way files and attackers damage it."""
    out = bytearray(data)
    match rng.randrange(5):
        case 0:
            del out[rng.randrange(len(out)) :]
        case 1:
            at = rng.randrange(len(out))
            out[at:at] = rng.randbytes(rng.randrange(1, 64))
        case 2:  # a large varint, where a size may stand
            at = rng.randrange(len(out))
            out[at : at + 5] = b"\xff\xff\xff\xff\x7f"
        case _:
            for _ in range(rng.choice((1, 2, 8, 64))):
                out[rng.randrange(len(out))] = rng.randrange(256)
    return bytes(out)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_files_give_a_clean_error_quickly(tmp_path: Path, seed: int) -> None:
    good, rng = _small(), random.Random(seed)
    refused, longest = 0, 0.0
    tracemalloc.start()
    try:
        for _ in range(100):
            began = time.perf_counter()
            try:
                converted(mutated(good, rng), tmp_path)
            except WeightsCorrupt:
                refused += 1
            longest = max(longest, time.perf_counter() - began)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused > 10, "most damage is noticed"
    assert longest < 10, "a hang, not a slow machine"
    assert peak < 100 << 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.graph.initializer[0].dims.__setitem__(0, 1 << 40), "numbers"),
        (lambda m: m.graph.initializer[0].dims.__setitem__(0, -5), "shape"),
        (lambda m: m.graph.initializer[0].dims.__setitem__(0, 9), "bytes for"),
        (lambda m: setattr(m.graph.initializer[0], "data_location", 1), "outside"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", 8), "unknown type"),
        (lambda m: setattr(m.graph.node[2], "op_type", "Loop"), "not one that networks"),
        (lambda m: setattr(m.graph.node[2], "domain", "evil"), "not one that networks"),
        (lambda m: m.graph.node[2].input.__setitem__(0, "nothing"), "nothing makes"),
        (lambda m: m.graph.node[2].output.__setitem__(0, "x"), "made twice"),
        (lambda m: m.graph.output[0].__setattr__("name", "lost"), "never made"),
        (lambda m: m.graph.node[2].attribute[0].ints.__setitem__(0, 1 << 50), "attribute"),
        (lambda m: setattr(m.opset_import[0], "version", 99), "operator set"),
        (lambda m: m.graph.input[0].type.tensor_type.shape.dim[2].__setattr__("dim_value", 1 << 25),
         "shapes do not fit"),
    ],
)  # fmt: skip
def test_lies_are_named(tmp_path: Path, change: object, said: str) -> None:
    model = onnx.load_model_from_string(_small())
    change(model)  # type: ignore[operator]
    with pytest.raises(WeightsCorrupt, match=said):
        converted(model.SerializeToString(), tmp_path)


def test_not_finite_weights_are_refused(tmp_path: Path) -> None:
    data = build(
        [helper.make_node("Conv", ["x", "w"], ["z"])],
        {"w": np.full((1, 3, 1, 1), np.nan, np.float32)},
        [1, 3, 2, 2],
    )
    with pytest.raises(WeightsCorrupt, match="NaN"):
        converted(data, tmp_path)


def test_a_graph_that_would_work_for_ages_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", [f"v{i}" if i else "x", "w"], [f"v{i + 1}"], pads=[63, 63, 64, 64])
        for i in range(60)
    ]
    nodes.append(helper.make_node("Relu", ["v60"], ["z"]))
    data = build(nodes, {"w": np.zeros((8, 8, 128, 128), np.float32)}, [1, 8, 256, 256])
    began = time.perf_counter()
    with pytest.raises(WeightsCorrupt, match="multiplications"):
        converted(data, tmp_path)
    assert time.perf_counter() - began < 20


def test_sizes_that_only_a_run_would_tell_are_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "", "sizes"], ["y"]),
        helper.make_node("Mul", ["s", "s"], ["sizes"]),
    ]
    nodes.reverse()
    data = build(nodes, {"s": np.array([1, 1, 3000, 3000], np.int64)}, [1, 1, 8, 8], outputs=("y",))
    with pytest.raises(WeightsCorrupt):
        converted(data, tmp_path)
