"""MTCNN's own files: a pickle that is read without executing it, poured into the same networks."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from facelign import models
from facelign.errors import WeightsCorrupt
from facelign.models.convert import mtcnn
from facelign.models.convert.graph import serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session

#: layers of each network in the order of its convolutions and dense layers, heads last
LAYERS = {
    "p": ("conv1", "conv2", "conv3", "conv4-2", "conv4-1"),
    "r": ("conv1", "conv2", "conv3", "conv4", "conv5-2", "conv5-1"),
    "o": ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6-2", "conv6-3", "conv6-1"),
}
#: how the published ONNX files name the same
NAMES = {
    "p": ("conv2d", "conv2d_1", "conv2d_2", "conv2d_4", "conv2d_3"),
    "r": ("conv2d_5", "conv2d_6", "conv2d_7", "dense", "dense_2", "dense_1"),
    "o": ("conv2d_8", "conv2d_9", "conv2d_10", "conv2d_11", "dense_3", "dense_5", "dense_6",
          "dense_4"),
}  # fmt: skip


def table(path: Path, letter: str) -> dict[str, dict[str, Any]]:
    """Return the weights of a published ONNX file as the port's own files hold them."""
    graph = onnx.load(path).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found: dict[str, dict[str, Any]] = {}
    for layer, name in zip(LAYERS[letter], NAMES[letter], strict=True):
        weights = arrays[f"{name}/kernel:0"]
        if weights.ndim == 4:
            weights = weights.transpose(2, 3, 1, 0)
        found[layer] = {"weights": weights, "biases": arrays[f"{name}/bias:0"]}
    slopes = [arrays[node.input[1]] for node in graph.node if node.op_type == "PRelu"]
    stem = "PReLU" if letter == "p" else "prelu"
    for number, slope in enumerate(slopes, start=1):
        found[f"{stem}{number}"] = {"alpha": slope.ravel()}
    return found


def written(value: object, protocol: int) -> bytes:
    """Return an .npy of one object, as NumPy under Python 2 wrote it (names are bytes there)."""
    holder = np.empty((), object)
    holder[()] = value
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    return stream.getvalue() + pickle.dumps(holder, protocol)


@pytest.fixture
def published(pulled: Callable[..., Store]) -> dict[str, Path]:
    (spec,) = models.default().find("mtcnn")
    paths = [path for _, _, path in pulled(spec).raw_files(spec)]
    return dict(zip("pro", paths, strict=True))


@pytest.mark.weights
@pytest.mark.parametrize("letter", "pro")
@pytest.mark.parametrize("protocol", [2, 4])
def test_the_poured_network_is_the_published_one(
    letter: str, protocol: int, published: dict[str, Path], tmp_path: Path
) -> None:
    known = table(published[letter], letter)
    given: Any = known
    if protocol == 2:
        given = {k.encode(): {n.encode(): v for n, v in p.items()} for k, p in known.items()}
    raw, out = tmp_path / "det.npy", tmp_path / "det.onnx"
    raw.write_bytes(written(given, protocol))
    mtcnn.convert(raw, out)
    side = {"p": (31, 20), "r": (24, 24), "o": (48, 48)}[letter]
    feed = np.random.default_rng(1).normal(0, 0.5, (3, *side, 3)).astype(np.float32)
    there, here = Session(published[letter]), Session(out)
    names = tuple(port.name for port in there.outputs)
    assert {port.name for port in here.outputs} == set(names)
    assert here.inputs[0].name == there.inputs[0].name
    both = (net.run({net.inputs[0].name: feed}, names) for net in (there, here))
    for name, mine, theirs in zip(names, *both, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5, err_msg=name)


@pytest.mark.weights
def test_a_wrong_array_is_named_and_nothing_is_executed(
    published: dict[str, Path], tmp_path: Path
) -> None:
    known = table(published["p"], "p")
    raw, out = tmp_path / "det.npy", tmp_path / "det.onnx"

    def told(value: object) -> str:
        raw.write_bytes(written(value, 2))
        with pytest.raises(WeightsCorrupt) as caught:
            mtcnn.convert(raw, out)
        assert not out.exists()
        return caught.value.message

    short = {**known, "conv2": {**known["conv2"], "biases": np.zeros(3, np.float32)}}
    assert "conv2.bias has the shape (3,), wanted (16,)" in told(short)
    assert "lacks the array conv3.weight" in told({k: v for k, v in known.items() if k != "conv3"})
    assert "has no place for, such as more.bias" in told(
        {**known, "more": {"biases": np.zeros(1, np.float32)}}
    )
    assert "no network of MTCNN" in told({"conv1": known["conv1"]})
    assert "no table of layers" in told([1, 2])
    assert "a layer without arrays" in told({"conv1": 3})
    assert "something else than weights" in told({"conv1": print})


@pytest.mark.weights
def test_mutated_files_are_refused_or_poured(published: dict[str, Path], tmp_path: Path) -> None:
    known = table(published["p"], "p")
    good = written(known, 2)
    chance, raw = np.random.default_rng(3), tmp_path / "det.npy"
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        for at in chance.integers(0, len(data), chance.integers(1, 6)):
            data[at] = chance.integers(0, 256)
        if chance.random() < 0.3:
            del data[int(chance.integers(0, len(data))) :]
        raw.write_bytes(data)
        try:
            serialize(mtcnn.graph(mtcnn.arrays(raw)))
        except WeightsCorrupt:
            refused += 1
    assert refused > 50
