"""Keras's files of weights: one that h5py wrote, others of the same form, and damaged ones."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import keras_file, named_arrays
from made_weights import keras

BY_H5PY = Path(__file__).parents[2] / "golden" / "keras-weights.h5"
SEEDED = np.random.default_rng(21)
ARRAYS = {
    f"layer_{i}/{name}": SEEDED.standard_normal(shape).astype(np.float32)
    for i in range(20)
    for name, shape in (("kernel", (3, 3, 2, 4)), ("bias", (4,)))
}


def read(path: Path, data: bytes) -> dict[str, np.ndarray]:
    path.write_bytes(data)
    return keras_file.read(path)


def test_a_file_of_h5py_gives_its_arrays_in_the_order_of_the_layers() -> None:
    found = keras_file.read(BY_H5PY)
    assert list(found) == [
        "conv1/kernel", "conv1/bias",
        "bn1/gamma", "bn1/beta", "bn1/moving_mean", "bn1/moving_variance",
        "fc/kernel",
    ]  # fmt: skip
    counted = np.concatenate([value.ravel() for value in found.values()])
    np.testing.assert_array_equal(counted, np.arange(len(counted)))
    assert found["conv1/kernel"].shape == (3, 3, 2, 4)
    torch = named_arrays.read(BY_H5PY)
    assert torch["conv1.weight"].shape == (4, 2, 3, 3)
    assert torch["conv1.weight"][1, 0, 2, 1] == found["conv1/kernel"][2, 1, 0, 1]
    assert torch["fc.weight"].shape == (2, 5)
    assert {name for name in torch if name.startswith("bn1")} == {
        "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
    }  # fmt: skip


@pytest.mark.parametrize("whole", [False, True])
def test_weights_and_whole_models_give_the_same(whole: bool, tmp_path: Path) -> None:
    found = read(tmp_path / "w.h5", keras(ARRAYS, whole=whole))
    assert list(found) == list(ARRAYS)
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(found[name], value)


def swapped(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    assert len(old) == len(new)
    return data.replace(old, new)


def _place(address: int, size: int) -> bytes:
    return struct.pack("<BBQQ", 3, 1, address, size)


WHOLE = keras({"fc/kernel": np.ones((5, 7), np.float32)})
AT = WHOLE.index(np.ones(35, np.float32).tobytes())
SPACE = struct.pack("<BBB5xQQ", 1, 2, 0, 5, 7)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (WHOLE[:-1], "beyond its end"),
        (swapped(WHOLE, _place(AT, 140), _place(len(WHOLE) - 8, 140)), "beyond its end"),
        (swapped(WHOLE, _place(AT, 140), _place(2**64 - 1, 140)), "fewer numbers"),
        (swapped(WHOLE, _place(AT, 140), _place(AT, 136)), "fewer numbers"),
        (
            swapped(WHOLE, SPACE, struct.pack("<BBB5xQQ", 1, 2, 0, 2**40, 2**40)),
            "larger than any file",
        ),
        (swapped(WHOLE, SPACE, struct.pack("<BBB5xQQ", 1, 2, 0, 0, 2**60)), "larger than any"),
        (swapped(WHOLE, b"\x03\x01" + struct.pack("<Q", AT), b"\x03\x02" + bytes(8)), "chunks"),
        (swapped(WHOLE, b"SNOD", b"SNOB"), "no list of links"),
        (swapped(WHOLE, b"layer_names", b"layer_nomen"), "no list of layers"),
        (b"\x89HDF\r\n\x1a\n\x02" + WHOLE[9:], "superblock 2"),
        (b"\x89HDF\r\n\x1a\n", "beyond its end"),
    ],
)
def test_what_is_not_there_or_not_needed_is_refused(data: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match=told):
        read(tmp_path / "w.h5", data)


def test_a_group_that_holds_itself_ends(tmp_path: Path) -> None:
    """The layer's folder names the root as the one below it."""
    root = struct.unpack_from("<Q", WHOLE, 24 + 32 + 8)[0]
    places = [at for at in range(0, len(WHOLE) - 16, 8) if WHOLE[at : at + 4] == b"SNOD"]
    data = bytearray(WHOLE)
    struct.pack_into("<Q", data, places[1] + 8 + 8, root)
    with pytest.raises(WeightsCorrupt, match="in two places"):
        read(tmp_path / "w.h5", bytes(data))


@pytest.mark.parametrize("start", [BY_H5PY.read_bytes, lambda: keras(ARRAYS)])
def test_damaged_files_are_refused_or_read(start: Callable[[], bytes], tmp_path: Path) -> None:
    whole, refused = start(), 0
    rng = np.random.default_rng(12)
    for _ in range(400):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 8)):
            data[at] = int(rng.choice([0, 1, 255, rng.integers(0, 256)]))
        cut = len(data) if rng.random() < 0.8 else int(rng.integers(0, len(data)))
        try:
            found = read(tmp_path / "d.h5", bytes(data[:cut]))
        except WeightsCorrupt:
            refused += 1
        else:
            assert sum(value.nbytes for value in found.values()) <= len(whole)
    assert 50 < refused < 400
