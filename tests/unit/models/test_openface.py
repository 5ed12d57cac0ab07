"""OpenFace's nn4.small2 poured with random weights, against its layers written down in NumPy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facelign import models
from facelign.cli.app import run
from facelign.errors import WeightsCorrupt
from facelign.models.convert import openface
from facelign.models.convert.graph import serialize
from facelign.models.weights.store import Store
from facelign.runtime.onnx import Session
from facelign.types.specs import Task
from made_weights import keras, torch7
from nn4_reference import Reference

SEEDED = np.random.default_rng(9)
#: parameters of the whole, as OpenFace counts them
PARAMETERS = 3_733_968


def test_the_poured_network_is_that_of_its_publisher() -> None:
    picture, reference = SEEDED.uniform(0, 1, (3, 96, 96)).astype(np.float32), Reference()
    wanted = reference.run(picture)
    counted = sum(v.size for k, v in reference.arrays.items() if "running" not in k)
    assert counted == PARAMETERS
    session = Session(serialize(openface.graph(reference.arrays)))
    found = session.run({"picture": np.stack([picture, picture[:, :, ::-1]])})[0]
    np.testing.assert_allclose(found[0], wanted, atol=2e-4 * np.abs(wanted).max())
    short = {k: v for k, v in reference.arrays.items() if k != "layer21.seq_list.1.2_conv.bias"}
    with pytest.raises(WeightsCorrupt, match=r"lacks the array layer21\.seq_list\.1\.2_conv\.bias"):
        openface.graph(short)


# the same weights in the other forms that are about, under the names of their publishers

_INCEPTIONS = {14: "3a", 15: "3b", 16: "3c", 17: "4a", 18: "4e", 19: "5a", 21: "5b"}
_ENDS = {"weight": "gamma", "bias": "beta"} | {
    "running_mean": "moving_mean", "running_var": "moving_variance",
}  # fmt: skip


def layer_of_keras(layer: str) -> str:
    """layer: PyTorch's name, as layer17.seq_list.1.4_conv."""
    stem = {"1": "conv1", "2": "bn1", "6": "conv2", "7": "bn2", "9": "conv3", "10": "bn3"}
    place = re.fullmatch(r"layer(\d+)(?:\.seq_list\.(\d)\.(\d)_(conv|bn))?", layer)
    assert place
    module, branch, step, kind = place.groups()
    if branch is None:
        return {**stem, "25": "dense_layer"}[module]
    title = _INCEPTIONS[int(module)]
    branches = ["3x3", "pool", "1x1"] if title[0] == "5" else ["3x3", "5x5", "pool", "1x1"]
    which = branches[int(branch)]
    again = {"1": "1", "2": "1", "4": "2", "5": "2"}[step] if which[1] == "x" != "1x1" else ""
    again = "" if which in ("pool", "1x1") else again
    return f"inception_{title}_{which}_{kind}{again}"


def as_keras(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    found = {}
    for name, value in arrays.items():
        layer, _, what = name.rpartition(".")
        theirs = layer_of_keras(layer)
        if "bn" in theirs:
            what = _ENDS[what]
        elif what == "weight":
            what = "kernel"
            value = value.T if value.ndim == 2 else value.transpose(2, 3, 1, 0)
        found[f"{theirs}/{what}"] = value
    path = path / "nn4.small2.v1.h5"
    path.write_bytes(keras(found))
    return path


def as_csv(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    folder = path / "weights"
    folder.mkdir()
    ends = {"weight": "w", "bias": "b", "running_mean": "m", "running_var": "v"}
    for name, value in arrays.items():
        layer, _, what = name.rpartition(".")
        stem = layer_of_keras(layer).replace("dense_layer", "dense")
        rows = value.reshape(len(value), -1)
        np.savetxt(folder / f"{stem}_{ends[what]}.csv", rows, delimiter=",", fmt="%.9g")
    return folder


def as_torch7(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """The tree of the publisher: modules in their places, the branches in a DepthConcat."""
    kinds = {"conv": "nn.SpatialConvolutionMM", "bn": "nn.SpatialBatchNormalization"}

    def layer(name: str) -> tuple[str, dict[str, object]]:
        own = {k.rpartition(".")[2]: v for k, v in arrays.items() if k.rpartition(".")[0] == name}
        weight = own["weight"]
        state: dict[str, object] = {**own, "gradWeight": None}
        if weight.ndim == 4:
            sizes = zip(("nInputPlane", "kH", "kW"), weight.shape[1:], strict=True)
            state |= {"weight": weight.reshape(len(weight), -1), **dict(sizes)}
        kind = "nn.Linear" if weight.ndim == 2 else kinds["bn" if weight.ndim == 1 else "conv"]
        return kind, state

    def several(inner: list[object], kind: str) -> tuple[str, dict[str, object]]:
        return kind, {"modules": dict(enumerate(inner, 1)), "train": False}

    top: list[object] = []
    names = list(dict.fromkeys(name.rpartition(".")[0] for name in arrays))
    for number in range(1, 27):
        own = [n for n in names if n == f"layer{number}" or n.startswith(f"layer{number}.")]
        if own == [f"layer{number}"]:
            top.append(layer(own[0]))
        elif own:
            branches: dict[str, list[object]] = {}
            for name in own:
                branches.setdefault(name.split(".")[2], []).append(layer(name))
            inner = [several(branch, "nn.Sequential") for branch in branches.values()]
            if not own[-1].endswith(("2_bn", "3_bn")):  # a pool alone has nothing to be poured
                inner.append(several([("nn.SpatialMaxPooling", {"kW": 3})], "nn.Sequential"))
            top.append(several([several(inner, "nn.DepthConcat")], "nn.Inception"))
        else:
            top.append(("nn.ReLU", {"inplace": True, "val": 0}))
    path = path / "nn4.small2.v1.t7"
    path.write_bytes(torch7(several(top, "nn.Sequential")))
    return path


@pytest.mark.parametrize("written", [as_keras, as_csv, as_torch7])
def test_every_form_of_the_file_gives_the_same_vectors(
    written: Callable[[Path, dict[str, np.ndarray]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the command that a user gives, up to the file that the engine opens."""
    picture, reference = SEEDED.uniform(0, 1, (3, 96, 96)).astype(np.float32), Reference()
    wanted = reference.run(picture)
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    path = written(tmp_path, reference.arrays)
    assert run(["models", "import", "openface-nn4-small2", "--weights", str(path)]) == 0
    assert "recorded as first seen" in " ".join(capsys.readouterr().err.split())
    spec = models.default().spec(Task.EMBED, "openface-nn4-small2")
    (file,) = Store(tmp_path / "home").ready(spec).values()
    found = Session(file).run({"picture": picture[None]})[0]
    np.testing.assert_allclose(found[0], wanted, atol=2e-4 * np.abs(wanted).max())
    again = ["models", "import", "openface-nn4-small2", "--weights", str(path)]
    assert run(again) == 0  # the same digest, whatever form it has
    assert "first seen" not in capsys.readouterr().err


@pytest.mark.parametrize("written", [as_torch7, as_keras])
def test_a_file_of_another_network_is_named(
    written: Callable[[Path, dict[str, np.ndarray]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reference = Reference()
    reference.run(np.zeros((3, 96, 96), np.float32))
    short = {k: v for k, v in reference.arrays.items() if not k.startswith("layer25")}
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    path = written(tmp_path, short)
    assert run(["models", "import", "openface-nn4-small2", "--weights", str(path)]) == 4
    told = " ".join(capsys.readouterr().err.split())
    assert "lacks the array layer25.weight" in told or "layers with weights" in told
    assert not Store(tmp_path / "home").present(
        models.default().spec(Task.EMBED, "openface-nn4-small2")
    )


def test_an_empty_folder_is_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path / "home"))
    (tmp_path / "conv1_w.csv").write_text("1,2,three")
    assert run(["models", "import", "openface-nn4-small2", "--weights", str(tmp_path)]) == 4
    assert "else than numbers in conv1_w.csv" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "conv1_w.csv").unlink()
    assert run(["models", "import", "openface-nn4-small2", "--weights", str(tmp_path)]) == 4
    assert "0 CSV files" in " ".join(capsys.readouterr().err.split())
