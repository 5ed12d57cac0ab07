"""Graph models of TensorFlow.js: operators become those of ONNX, and nothing is believed."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert.tfjs_graph import _convert
from facelign.runtime.onnx import Session

RNG = np.random.default_rng(0)
ARRAYS = {
    "filters": RNG.standard_normal((3, 3, 3, 4)),
    "bias": RNG.standard_normal(4),
    "each": RNG.standard_normal((3, 3, 4, 2)),
    "gain": RNG.standard_normal(4),
    "six": np.array(0.9),
    "shape": np.array([-1, 16]),
    "axes": np.array([1, 2]),
    "weights": RNG.standard_normal((16, 5)),
    "weights.bias": RNG.standard_normal(5),
}


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def four(value: int) -> dict[str, Any]:
    return {"list": {"i": ["1", str(value), str(value), "1"]}}


def node(op: str, name: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"op": op, "name": name, "input": list(inputs), "attr": attributes}


def fused(*names: str) -> dict[str, Any]:
    return {"list": {"s": [text(name)["s"] for name in names]}}


SIDES = [{"size": size} for size in ("-1", "8", "8", "3")]
NODES = [
    node("Softmax", "end", "dense"),  # operators may stand in any order
    *(node("Const", name) for name in ARRAYS),
    node("Placeholder", "pictures", shape={"shape": {"dim": SIDES}}),
    node(
        "_FusedConv2D", "conv", "pictures", "filters", "bias",
        strides=four(2), padding=text("SAME"), fused_ops=fused("BiasAdd", "Relu"),
    ),
    node("Mul", "scaled", "conv", "gain"),
    node("Minimum", "least", "scaled", "six"),
    node("MaxPool", "pooled", "least", ksize=four(2), strides=four(2), padding=text("VALID")),
    node("Reshape", "flat", "pooled", "shape"),
    node("_FusedMatMul", "dense", "flat", "weights", "weights.bias", fused_ops=fused("BiasAdd")),
]  # fmt: skip


def written(folder: Path, nodes: list[Any], arrays: dict[str, np.ndarray]) -> tuple[Path, Path]:
    entries, data = [], b""
    for name, values in arrays.items():
        kind = "int32" if values.dtype.kind == "i" else "float32"
        entries.append({"name": name, "shape": list(values.shape), "dtype": kind})
        data += values.astype(f"<{kind[0]}4").tobytes()
    model = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["net.bin"], "weights": entries}],
    }
    (folder / "net.bin").write_bytes(data)
    (folder / "net.json").write_text(json.dumps(model))
    return folder / "net.bin", folder / "net.json"


def used(*left_out: str) -> dict[str, np.ndarray]:
    return {name: values for name, values in ARRAYS.items() if name not in left_out}


def test_a_graph_gives_what_its_operators_say(tmp_path: Path) -> None:
    raw, model = written(tmp_path, NODES, ARRAYS)
    _convert(raw, tmp_path / "out.onnx", model, "end", "scores", (5,))
    picture = RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)
    found = Session(tmp_path / "out.onnx").run({"planes": picture})[0][0]
    padded = np.pad(picture[0], ((0, 0), (0, 1), (0, 1)))  # 8 px by 2: one at the end
    conv = np.zeros((4, 4, 4))  # rows, columns, channels, as TensorFlow lays them
    for row in range(4):
        for column in range(4):
            window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            conv[row, column] = np.einsum("irc,rcio->o", window, ARRAYS["filters"])
    value = np.minimum(np.maximum(conv + ARRAYS["bias"], 0) * ARRAYS["gain"], 0.9)
    pooled = value.reshape(2, 2, 2, 2, 4).max(axis=(1, 3))
    logits = pooled.ravel() @ ARRAYS["weights"] + ARRAYS["weights.bias"]
    wanted = np.exp(logits - logits.max())
    assert np.abs(found - wanted / wanted.sum()).max() < 1e-5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"op": "Einsum"}, "the operator 'Einsum' is not one"),
        ({"input": ["pictures", "gone"]}, "reads .*, which nothing makes"),
        ({"input": ["pictures", "each", "bias"]}, "the array 'each' has the shape"),
        ({"input": ["pictures"]}, "is no array"),
        ({"input": "pictures"}, "an entry of its operators is none"),
        ({"name": "pictures"}, "made twice"),
        ({"name": None}, "an entry of its operators is none"),
        ({"attr": {"padding": text("SAME"), "strides": four(9)}}, "the number '9' is not one"),
        ({"attr": {"padding": text("ODD")}}, "pads in the unknown way 'ODD'"),
        ({"attr": {"padding": {"s": "?"}}}, "a text in it is none"),
        ({"attr": {"padding": text("SAME"), "fused_ops": fused("Elu")}}, "is fused 'Elu'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    changed = [{**one, **change} if one["name"] == "conv" else one for one in NODES]
    raw, model = written(tmp_path, changed, ARRAYS)
    with pytest.raises(WeightsCorrupt, match=said):
        _convert(raw, tmp_path / "out.onnx", model, "end", "scores", (5,))
    assert not (tmp_path / "out.onnx").exists()


def test_arrays_that_are_not_there_are_named(tmp_path: Path) -> None:
    raw, model = written(tmp_path, NODES, used("gain"))
    with pytest.raises(WeightsCorrupt, match="the array 'gain' is not there"):
        _convert(raw, tmp_path / "out.onnx", model, "end", "scores", (5,))
    raw, model = written(tmp_path, NODES, {**ARRAYS, "more": np.zeros(3)})
    with pytest.raises(WeightsCorrupt, match="the array 'more' has no place"):
        _convert(raw, tmp_path / "out.onnx", model, "end", "scores", (5,))


def test_mutated_graphs_are_refused_or_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facelign.models.convert import tfjs_graph

    # what is written is run, which takes most of the time: that it is made is enough here
    monkeypatch.setattr(tfjs_graph, "runs", lambda graph, sides: b"")
    raw, model = written(tmp_path, NODES, ARRAYS)
    whole, seeded, refused = model.read_bytes(), random.Random(2718), 0
    for _ in range(10_000):
        data = bytearray(whole)
        for _ in range(seeded.randint(1, 3)):
            at = seeded.randrange(len(data))
            data[at : at + seeded.randint(0, 2)] = seeded.choice(
                (b"9", b"-", b"null", b"[", b"]", b"{}", b'"', bytes([seeded.randrange(256)]))
            )
        model.write_bytes(data)
        try:
            _convert(raw, tmp_path / "out.onnx", model, "end", "scores", (5,))
        except WeightsCorrupt:
            refused += 1
    assert 5_000 < refused < 10_000


@pytest.mark.weights
def test_a_published_file_that_is_cut_is_told(
    tmp_path: Path, pulled: Callable[..., Any], usable: Callable[..., Any]
) -> None:
    from facelign import models
    from facelign.models.convert.tfjs_graph import convert_liveness

    (spec,) = models.default().find("human-liveness")
    raw, model = (path for _, _, path in usable(spec, lambda: pulled(spec)).raw_files(spec))
    (tmp_path / "net.bin").write_bytes(raw.read_bytes()[:-4])
    with pytest.raises(WeightsCorrupt, match=r"the array '.*' ends 4 bytes after the file"):
        convert_liveness(tmp_path / "net.bin", tmp_path / "out.onnx", model)
