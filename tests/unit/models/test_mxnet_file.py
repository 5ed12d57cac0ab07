"""MXNet's files of weights: all versions of an array, damaged files, and MobileFace poured."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import mobileface, mxnet_file, named_arrays
from facelign.models.convert.graph import serialize
from facelign.runtime.onnx import Session

ARRAYS = {
    "arg:conv_weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "arg:conv_bias": np.array([0.5, -1.0], np.float64),
    "aux:bn_moving_mean": np.zeros((0, 3), np.float16),
    "arg:steps": np.array([7], np.int64),
}
FLAGS = {"<f4": 0, "<f8": 1, "<f2": 2, "|u1": 3, "<i4": 4, "|i1": 5, "<i8": 6}


def written(arrays: dict[str, np.ndarray], version: int = 2) -> bytes:
    """A file as MXNet writes it; version 0 is that before there were versions."""
    out = struct.pack("<QQQ", 0x112, 0, len(arrays))
    for array in arrays.values():
        if version:
            out += struct.pack("<I", 0xF993FAC7 + version)
        if version > 1:
            out += struct.pack("<i", 0)
        out += struct.pack(f"<I{array.ndim}{'q' if version else 'I'}", array.ndim, *array.shape)
        out += struct.pack("<iii", 1, 0, FLAGS[array.dtype.str]) + array.tobytes()
    out += struct.pack("<Q", len(arrays))
    for name in arrays:
        out += struct.pack("<Q", len(name)) + name.encode()
    return out


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_arrays_come_out_by_name(tmp_path: Path, version: int) -> None:
    path = tmp_path / "net.params"
    path.write_bytes(written(ARRAYS, version))
    found = named_arrays.read(path)
    for name, array in ARRAYS.items():
        got = found[name[4:]]
        assert got.dtype == array.dtype
        np.testing.assert_array_equal(got, array)


def test_names_become_those_of_pytorch() -> None:
    arrays = {"bn1_gamma": np.ones(2), "fc5_bn_moving_var": np.ones(2), "steps": np.ones(1)}
    assert list(mxnet_file.as_torch(arrays)) == ["bn1.weight", "fc5_bn.running_var", "steps"]


@pytest.mark.parametrize(
    ("at", "what"),
    [
        (0, "another magic number"),
        (16, "arrays"),
        (24, "axes"),
        (28, "not dense"),
        (32, "axes"),
        (36, "too early|kind or shape"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, at: int, what: str) -> None:
    data = bytearray(written(ARRAYS))
    data[at : at + 4] = b"\xff\xff\xff\x7f"
    path = tmp_path / "net.params"
    path.write_bytes(data)
    with pytest.raises(WeightsCorrupt, match=what):
        mxnet_file.read(path)


def test_damaged_files_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    """10,000 mutated files: an error of ours or other numbers, never more memory."""
    whole, path = written(ARRAYS), tmp_path / "net.params"
    seeded = np.random.default_rng(11)
    tracemalloc.start()
    try:
        for _ in range(10_000):
            data = bytearray(whole)
            for _ in range(int(seeded.integers(1, 4))):
                data[int(seeded.integers(len(data)))] = int(seeded.integers(256))
            if seeded.random() < 0.3:
                del data[int(seeded.integers(len(data))) :]
            path.write_bytes(data)
            try:
                mxnet_file.read(path)
            except WeightsCorrupt:
                continue
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.shared
def test_mobileface_is_the_network_of_another_conversion(shared: Path, tmp_path: Path) -> None:
    """The same weights, once out of a file in MXNet's form."""
    raw = shared / "weights/embedding/mobileface_v2_becauseofAI.onnx"
    arrays = {k: v for k, v in named_arrays.read(raw).items() if not k.startswith("c_")}
    path, out = tmp_path / "net.params", tmp_path / "net.onnx"
    path.write_bytes(written({f"arg:{k}": np.asarray(v) for k, v in arrays.items()}))
    mobileface.convert(path, out)
    probe = np.random.default_rng(4).integers(0, 256, (3, 3, 112, 112)).astype(np.float32)
    found = Session(out).run({"picture": (probe - np.float32(127.5)) / np.float32(128)})[0]
    wanted = Session(raw).run({"data": probe})[0]
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    del arrays["convolution7_weight"]
    with pytest.raises(WeightsCorrupt, match=r"lacks the array convolution7\.weight"):
        serialize(mobileface.graph(arrays))
