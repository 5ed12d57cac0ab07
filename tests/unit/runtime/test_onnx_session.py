"""Sessions: opened once, shared by threads, honest about providers and damage."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelign.errors import BadArray, ConfigError, ProviderMissing, WeightsCorrupt
from facelign.runtime import onnx as room
from facelign.runtime.onnx import OnnxOptions, Session, available_providers


@pytest.fixture
def model(tmp_path: Path) -> Path:
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32) * 2, "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])],
        "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3]),
        ],
        [weight],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "double.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def test_outputs_in_the_order_asked_for(model: Path) -> None:
    session = Session(model)
    x = np.array([[1, -2, 3]], np.float32)
    y, z = session.run({"x": x})
    np.testing.assert_array_equal(y, x * 2)
    np.testing.assert_array_equal(z, np.maximum(x * 2, 0))
    (only,) = session.run({"x": x}, ["z"])
    np.testing.assert_array_equal(only, z)
    assert [(p.name, p.shape) for p in session.inputs] == [("x", (None, 3))]
    assert [p.name for p in session.outputs] == ["y", "z"]


def test_nothing_is_opened_before_the_first_use(tmp_path: Path) -> None:
    Session(tmp_path / "not-there.onnx")


def test_opened_once_by_many_threads(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, count = room._opened, []

    def counted(*given: object) -> object:
        count.append(threading.get_ident())
        return original(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "_opened", counted)
    session = Session(model)
    x = np.arange(30, dtype=np.float32).reshape(10, 3)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: session.run({"x": x}, ["y"])[0], range(64)))
    assert len(count) == 1
    assert all((y == x * 2).all() for y in found)


def test_views_and_read_only_arrays_may_be_fed(model: Path) -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::-1][:, :3]
    x.flags.writeable = False
    np.testing.assert_array_equal(Session(model).run({"x": x})[0], x * 2)


def test_a_provider_that_is_not_there(model: Path) -> None:
    session = Session(model, OnnxOptions(providers=("NoSuchProvider",)))
    with pytest.raises(ProviderMissing) as caught:
        session.run({"x": np.zeros((1, 3), np.float32)})
    assert "NoSuchProvider" in caught.value.message
    for name in available_providers():
        assert name in caught.value.hint


@pytest.mark.parametrize(
    "feeds",
    [
        {"x": np.zeros((1, 4), np.float32)},
        {"x": np.zeros((1, 3), np.float64)},
        {"x": np.zeros(3, np.float32)},
        {"other": np.zeros((1, 3), np.float32)},
        {},
    ],
)
def test_feeds_that_do_not_fit(model: Path, feeds: dict[str, np.ndarray]) -> None:
    with pytest.raises(BadArray) as caught:
        Session(model).run(feeds)
    assert "'x'" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"garbage" * 100, None])
def test_files_that_are_no_models(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "bad.onnx"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(WeightsCorrupt, match=r"bad\.onnx"):
        Session(path).open()


def test_options_that_cannot_be_meant() -> None:
    with pytest.raises(ConfigError):
        OnnxOptions(threads=0)
    with pytest.raises(ConfigError):
        OnnxOptions(providers=())


def test_threads_and_spinning_are_passed_on(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime as ort

    seen: list[ort.SessionOptions] = []
    original = ort.InferenceSession

    def watched(path: str, *, sess_options: ort.SessionOptions, providers: list[str]) -> object:
        seen.append(sess_options)
        return original(path, sess_options=sess_options, providers=providers)

    monkeypatch.setattr(ort, "InferenceSession", watched)
    Session(model).open()
    assert seen[0].intra_op_num_threads == 1
    assert seen[0].inter_op_num_threads == 1
    assert seen[0].get_session_config_entry("session.intra_op.allow_spinning") == "0"
