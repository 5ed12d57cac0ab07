"""Files of PyTorch's weights: both forms, made here without PyTorch, and damaged ones."""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import retinaface, torch_file
from facelign.models.convert.graph import serialize
from facelign.models.convert.pouring import Pour
from facelign.models.convert.torch_file import read
from facelign.runtime.onnx import Session

ARRAYS = {
    "first.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "first.bias": np.array([0.5, -1.0], np.float64),
    "steps": np.array(7, np.int64),
    "none": np.zeros((0, 3), np.float16),
}
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage", "f2": "HalfStorage"}


class _Kept:
    """Stands for a storage until the pickler asks for its persistent id."""

    def __init__(self, key: str, array: np.ndarray) -> None:
        self.key, self.array = key, array


def _rebuild_tensor_v2(*_: object) -> None: ...


class _View:
    def __init__(self, storage: _Kept, array: np.ndarray) -> None:
        steps = tuple(s // array.itemsize for s in array.strides)
        self.told = (storage, 0, array.shape, steps, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_tensor_v2, self.told


def named(data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[_Kept]]:
    """The pickle of the names as PyTorch writes it, and the storages."""
    torch, inner = ModuleType("torch"), ModuleType("torch._utils")
    for name in KINDS.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    monkeypatch.setattr(_rebuild_tensor_v2, "__module__", "torch._utils")
    inner._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", inner)
    kept = [_Kept(str(i), array) for i, array in enumerate(data.values())]
    views = [_View(storage, storage.array) for storage in kept]

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: object) -> object:
            if not isinstance(thing, _Kept):
                return None
            kind = getattr(torch, KINDS[thing.array.dtype.str[1:]])
            return ("storage", kind, thing.key, "cpu", thing.array.size)

    stream = io.BytesIO()
    Pickler(stream, 2).dump(OrderedDict(zip(data, views, strict=True)))
    return stream.getvalue(), kept


def zipped(path: Path, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names, kept = named(data, monkeypatch)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", names)
        for storage in kept:
            archive.writestr(f"model/data/{storage.key}", storage.array.tobytes())


def legacy(path: Path, data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names, kept = named(data, monkeypatch)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
    parts += [pickle.dumps(system, 2), names, pickle.dumps([s.key for s in kept], 2)]
    for storage in kept:
        parts += [storage.array.size.to_bytes(8, "little"), storage.array.tobytes()]
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize("write", [zipped, legacy])
def test_both_forms_give_the_arrays(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "w.pth", ARRAYS, monkeypatch)
    found = read(tmp_path / "w.pth")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


@pytest.mark.parametrize("write", [zipped, legacy])
def test_views_are_read_as_they_lie(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = {"turned": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))}
    write(tmp_path / "w.pth", turned, monkeypatch)
    whole = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = read(tmp_path / "w.pth")["turned"]
    assert sorted(found.ravel()) == sorted(whole.ravel())


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


@pytest.mark.parametrize("payload", [_Evil(), {"a": _Evil()}, [1, 2], {"a": 1}, "text"])
def test_nothing_is_executed_and_other_data_are_no_weights(
    payload: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(payload, 2))
    with pytest.raises(WeightsCorrupt):
        read(tmp_path / "w.pth")
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("write", [zipped, legacy])
def test_damaged_files_are_refused_or_read(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "w.pth", ARRAYS, monkeypatch)
    whole = (tmp_path / "w.pth").read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = int(rng.integers(0, 256))
        cut = len(data) if rng.random() < 0.7 else int(rng.integers(0, len(data)))
        (tmp_path / "d.pth").write_bytes(bytes(data[:cut]))
        try:
            read(tmp_path / "d.pth")
        except WeightsCorrupt:
            refused += 1
    assert refused > 100


def test_the_first_array_that_does_not_fit_is_named() -> None:
    from facelign.models.convert.graph import FLOAT32, Value

    picture = Value("x", FLOAT32, [1, 3, 8, 8])
    pour = Pour({"a.weight": np.ones((2, 3, 1, 1)), "b": np.full(2, np.nan)}, picture)
    with pytest.raises(WeightsCorrupt, match=r"lacks the array c\.weight"):
        pour.convolved("x", "c", (3, 2))
    with pytest.raises(WeightsCorrupt, match=r"a\.weight has the shape \(2, 3, 1, 1\), wanted"):
        pour.convolved("x", "a", (3, 4))
    with pytest.raises(WeightsCorrupt, match="b holds no numbers"):
        pour.take("b", 2)
    pour = Pour({"more": np.ones(3), "n.num_batches_tracked": np.ones(1)}, picture)
    with pytest.raises(WeightsCorrupt, match="no place for, such as more"):
        pour.left("num_batches_tracked")


def test_a_convolution_is_folded_with_its_normalization() -> None:
    from facelign.models.convert.graph import FLOAT32, Value

    rng = np.random.default_rng(3)
    w, gain, shift, mean = rng.normal(size=(2, 3, 1, 1)), *rng.normal(size=(3, 2))
    spread = rng.uniform(0.5, 2, 2)
    parts = {"weight": gain, "bias": shift, "running_mean": mean, "running_var": spread}
    arrays = {"c.weight": w, **{f"n.{key}": value for key, value in parts.items()}}
    pour = Pour(arrays, Value("x", FLOAT32, [1, 3, 4, 4]))
    graph = pour.end({"y": (pour.convolved("x", "c", (3, 2), norm="n"), [1, 2, 4, 4])})
    x = rng.normal(size=(1, 3, 4, 4)).astype(np.float32)
    found = Session(serialize(graph)).run({"x": x})[0]
    plain = np.einsum("oi,nihw->nohw", w[:, :, 0, 0], x)
    column = (slice(None), None, None)
    wanted = (plain - mean[column]) / np.sqrt(spread[column] + 1e-5) * gain[column] + shift[column]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.shared
def test_retinaface_of_another_width_is_refused(shared: Path) -> None:
    arrays = torch_file.read(shared / "weights/detection/retinaface_mobilenet0.25_Final.pth")
    assert len(arrays) == 300
    arrays["fpn.merge1.0.weight"] = arrays["fpn.merge1.0.weight"][:32]
    with pytest.raises(WeightsCorrupt, match=r"fpn\.merge1\.0\.weight has the shape"):
        retinaface.graph(arrays)
