"""One's own models: what they promise is seen before anything is kept; removed, they are gone.

The networks are small but real: what a graph reads and gives is told by running it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from facelign import models
from facelign.errors import ConfigError, UnknownModel, WeightsCorrupt
from facelign.models import own
from facelign.models.load import load
from facelign.models.weights.store import Store
from facelign.types.chips import Chips
from facelign.types.specs import Task

DIM = 24


def network(
    path: Path,
    *,
    dim: int = DIM,
    size: int | str = 112,
    nhwc: bool = False,
    batch: int | str = "n",
    kind: int = TensorProto.FLOAT,
    weights: float | None = None,
    seed: int = 0,
    second: bool = False,
) -> onnx.ModelProto:
    """Write an embedder: one convolution, its mean over the picture."""
    sides = [size, size]
    shape = [batch, *sides, 3] if nhwc else [batch, 3, *sides]
    nodes = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2] if nhwc else None))
    nodes[-1] = nodes[-1] if nhwc else helper.make_node("Identity", ["f"], ["t"])
    nodes += [
        helper.make_node("Conv", ["t", "w"], ["c"], strides=[8, 8]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    made = np.random.default_rng(seed).normal(size=(dim, 3, 8, 8)).astype(np.float32)
    if weights is not None:
        made[:] = weights
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    inputs += [helper.make_tensor_value_info("z", kind, shape)] * second
    graph = helper.make_graph(
        nodes,
        "mine",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, dim])],
        [numpy_helper.from_array(made, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return model


def record(folder: Path, top: str = "", name: str = "mine.toml", **sections: str) -> Path:
    """Write a record of ``mine.onnx``; sections: their lines."""
    keys = {"id": "mine", "like": "sface", "task": "embed", "weights": "mine.onnx"}
    keys |= dict(part.split("=", 1) for part in top.split(";") if part)
    sections = {"output": f"dim = {DIM}", "license": 'weights = "my own"'} | sections
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    lines += [f"[{name}]\n{text}" for name, text in sections.items()]
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def added(path: Path, store: Store, *, replace: bool = False):
    return own.add(path, models.default(store.home), store, replace=replace)


def kept(store: Store) -> list[str]:
    return sorted(p.name for p in (store.home / "models").rglob("*") if p.is_file())


def test_an_added_model_is_itself_and_works(tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "mine"
    network(folder / "deep" / "mine.onnx")
    path = record(folder, "weights=deep/mine.onnx;title=My faces;paper=Mine: A Paper")
    spec = added(path, store)
    path.unlink()
    (folder / "deep" / "mine.onnx").unlink()
    again = models.default(store.home).spec(Task.EMBED, "mine")
    assert again == spec
    assert (again.title, again.paper, again.origin) == (
        "My faces",
        "Mine: A Paper",
        "the user's own",
    )
    (checked,) = store.verify([again])
    assert (checked.model, checked.name, checked.good) == ("mine", "mine.onnx", True)
    assert checked.path.is_relative_to(store.home)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 112, 112, 3), np.uint8)
    model = load(again, store)
    found = model.embed(Chips(pixels, "arcface-112", np.eye(2, 3)[None], "five"))
    assert found.space.id == "mine/arcface-112/five"
    assert np.linalg.norm(found.vectors[0]) == pytest.approx(1, abs=1e-6)


def test_what_is_not_said_is_not_taken_from_the_model_it_is_like(
    tmp_path: Path, store: Store
) -> None:
    network(tmp_path / "mine.onnx")
    spec = added(record(tmp_path, "like=sface-int8"), store)
    base = models.default().spec(Task.EMBED, "sface-int8")
    assert "mine.toml" in spec.title
    assert base.title not in spec.title
    assert (spec.paper, spec.published, spec.weights[0].convert) == ("", (), "")
    assert spec.output.stands_for == ""
    assert load(spec, store).space.id == "mine/arcface-112/five"


@pytest.mark.parametrize(
    ("made", "said", "sections", "right"),
    [
        ({"dim": 32}, "promises 24 numbers, its network gives 32", {}, {"output": "dim = 32"}),
        ({"nhwc": True}, 'axes = "nhwc"', {}, {"input": 'axes = "nhwc"'}),
        ({"nhwc": True, "batch": 1}, 'axes = "nhwc"', {}, {"input": 'axes = "nhwc"'}),
        ({}, 'axes = "nchw"', {"input": 'axes = "nhwc"'}, {"input": 'axes = "nchw"'}),
        ({"size": 224}, r"size = \[224, 224\]", {}, {"input": "size = [224, 224]"}),
        ({"size": 160}, "Name the layout", {"input": "size = [160, 160]"}, None),
        ({"kind": TensorProto.FLOAT16}, r"reads tensor\(float16\)", {}, None),
        ({"second": True}, "inputs x .* z", {}, None),
        ({"batch": 8}, "does not run", {}, None),
        ({"weights": np.inf}, "not finite", {}, None),
        ({"weights": np.nan}, "not finite", {}, None),
        ({"weights": 0.0}, "length 0", {}, None),
        ({}, "There is no layout 'nope'", {"output": f'dim = {DIM}\nlayout = "nope"'}, {}),
        ({}, "no option 'speed'", {"defaults": "speed = 3"}, {}),
        ({}, "batch of at least one, got 0", {"defaults": "batch = 0"}, {"defaults": "batch = 4"}),
        ({}, "options of mine do not fit", {"defaults": 'batch = "x"'}, {}),
        ({}, "known: cosine", {"output": f'dim = {DIM}\nmetric = "cos"'}, {}),
    ],
)
def test_a_record_that_does_not_fit_its_network_is_refused(
    tmp_path: Path,
    store: Store,
    made: dict[str, object],
    said: str,
    sections: dict[str, str],
    right: dict[str, str] | None,
) -> None:
    network(tmp_path / "mine.onnx", **made)
    with pytest.raises(ConfigError, match=said) as caught:
        added(record(tmp_path, **sections), store)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert not store.home.exists(), "nothing is kept"
    if right is not None:
        assert added(record(tmp_path, **right), store).id == "mine"


def test_a_network_that_sees_nothing_or_mixes_its_batch(tmp_path: Path, store: Store) -> None:
    model = network(tmp_path / "mine.onnx")
    flat = onnx.ModelProto.FromString(model.SerializeToString())
    flat.graph.node[-1].input[0] = "zeroed"
    flat.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nought"))
    flat.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
    flat.graph.node.insert(5, helper.make_node("Mul", ["g", "nought"], ["almost"]))
    flat.graph.node.insert(6, helper.make_node("Add", ["almost", "one"], ["zeroed"]))
    (tmp_path / "mine.onnx").write_bytes(flat.SerializeToString())
    with pytest.raises(ConfigError, match="one vector whatever it sees"):
        added(record(tmp_path), store)
    mixed = onnx.ModelProto.FromString(model.SerializeToString())
    mixed.graph.node[-1].input[0] = "apart"
    mixed.graph.node.insert(5, helper.make_node("ReduceMean", ["g"], ["m"], axes=[0]))
    mixed.graph.node.insert(6, helper.make_node("Add", ["g", "m"], ["apart"]))
    (tmp_path / "mine.onnx").write_bytes(mixed.SerializeToString())
    with pytest.raises(ConfigError, match="in a batch than alone"):
        added(record(tmp_path), store)
    assert not store.home.exists()


@pytest.mark.parametrize("location", ["weights.bin", "../outside.bin", "/etc/hostname"])
def test_numbers_in_a_second_file_are_refused(tmp_path: Path, store: Store, location: str) -> None:
    model = network(tmp_path / "mine.onnx")
    onnx.save_model(
        onnx.ModelProto.FromString(model.SerializeToString()),
        tmp_path / "mine.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    apart = onnx.load(tmp_path / "mine.onnx", load_external_data=False)
    apart.graph.initializer[0].external_data[0].value = location
    (tmp_path / "mine.onnx").write_bytes(apart.SerializeToString())
    with pytest.raises(ConfigError, match="keeps numbers in another file") as caught:
        added(record(tmp_path), store)
    assert location in caught.value.message
    assert "onnx.save(onnx.load(" in caught.value.hint
    assert not store.home.exists()
    if location == "weights.bin":  # what the hint says works
        onnx.save(onnx.load(tmp_path / "mine.onnx"), tmp_path / "mine.onnx")


def test_numbers_in_a_second_file_are_found_in_every_corner(tmp_path: Path, store: Store) -> None:
    away = numpy_helper.from_array(np.ones(4, np.float32), "away")
    onnx.external_data_helper.set_external_data(away, "weights.bin")
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=away)],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [4])],
    )
    model = network(tmp_path / "mine.onnx")
    node = helper.make_node("If", ["yes"], ["out"], then_branch=branch, else_branch=branch)
    model.graph.node.append(node)
    (tmp_path / "mine.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ConfigError, match="keeps numbers in another file"):
        added(record(tmp_path), store)


def test_files_that_are_no_model_and_promises_that_are_not_kept(
    tmp_path: Path, store: Store
) -> None:
    (tmp_path / "mine.onnx").write_bytes(b"no model at all" * 50)
    with pytest.raises(ConfigError, match="is no ONNX model"):
        added(record(tmp_path), store)
    network(tmp_path / "mine.onnx")
    with pytest.raises(ConfigError, match=r"promises SHA-256 00 for mine\.onnx"):
        added(record(tmp_path, "sha256=00"), store)
    assert not store.home.exists()


def test_a_detector_or_landmarker_is_run_too(tmp_path: Path, store: Store) -> None:
    network(tmp_path / "mine.onnx")
    with pytest.raises(ConfigError, match=r"does not fit its network|does not run as"):
        added(record(tmp_path, "like=yunet;task=detect", output="smallest_px = 20"), store)
    assert not store.home.exists()


def test_the_same_id_again_is_replaced_when_that_is_said(tmp_path: Path, store: Store) -> None:
    network(tmp_path / "mine.onnx")
    first = added(record(tmp_path), store)
    network(tmp_path / "other.onnx", seed=1)
    other = record(tmp_path, "weights=other.onnx", "other.toml")
    with pytest.raises(ConfigError, match="was added before"):
        added(other, store)
    assert kept(store) == ["mine.onnx", "mine.toml"]
    second = added(other, store, replace=True)
    assert kept(store) == ["mine.toml", "other.onnx"]
    assert second.weights != first.weights
    network(tmp_path / "other.onnx", dim=8)
    with pytest.raises(ConfigError, match="promises 24 numbers"):
        added(other, store, replace=True)
    assert models.default(store.home).spec(Task.EMBED, "mine") == second, "the old one stays"
    place = store.home / "models" / "mine" / "mine.toml"
    assert added(place, store, replace=True) == second, "a record that lies there already"
    for replace in (False, True):
        network(tmp_path / "mine.onnx")
        with pytest.raises(ConfigError, match="'sface' is that of a model which is not your own"):
            added(record(tmp_path, "id=sface"), store, replace=replace)


def test_damage_that_comes_later_is_noticed(tmp_path: Path, store: Store) -> None:
    network(tmp_path / "mine.onnx")
    spec = added(record(tmp_path), store)
    text = (store.home / "models" / "mine" / "mine.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["sha256"] == spec.weights[0].sources[0].sha256
    network(store.home / "models" / "mine" / "mine.onnx", seed=9)
    again = models.default(store.home).spec(Task.EMBED, "mine")
    (checked,) = store.verify([again])
    assert not checked.good
    with pytest.raises(WeightsCorrupt, match=r"mine\.onnx") as caught:
        load(again, store)
    assert "pull" not in caught.value.hint


def test_removed_is_gone(tmp_path: Path, store: Store) -> None:
    network(tmp_path / "mine.onnx")
    added(record(tmp_path), store)
    network(tmp_path / "mine.onnx")
    added(record(tmp_path, "id=theirs"), store)
    assert own.ids(store.home) == ["mine", "theirs"]
    assert own.remove("mine", models.default(store.home), store) == store.home / "models" / "mine"
    assert kept(store) == ["mine.onnx", "theirs.toml"]
    with pytest.raises(UnknownModel, match="no model 'mine' that you added") as caught:
        own.remove("mine", models.default(store.home), store)
    assert "theirs" in caught.value.hint
    with pytest.raises(ConfigError, match=r"comes with facelign\.embed\.models\.sface"):
        own.remove("sface", models.default(store.home), store)
    # a record that cannot be read any more goes as well
    (store.home / "models" / "theirs" / "theirs.toml").write_text("broken", encoding="utf-8")
    registry = models.default(store.home)
    assert len(registry.broken) == 1
    own.remove("theirs", registry, store)
    assert own.ids(store.home) == []
    for wrong in ("..", ".", "../models", ""):
        with pytest.raises(UnknownModel):
            own.remove(wrong, models.default(store.home), store)
    assert (store.home / "models").is_dir()
