"""Torch7's files of networks: made as Torch writes them, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import named_arrays, torch7_file
from made_weights import torch7

SEEDED = np.random.default_rng(22)
KERNEL = SEEDED.standard_normal((4, 3, 5, 2)).astype(np.float32)
MATRIX = np.asfortranarray(SEEDED.standard_normal((6, 4)).astype(np.float32))
VARIANCE = SEEDED.uniform(0.5, 2, 4)
Layer = tuple[str, dict[str, object]]

CONVOLUTION: Layer = (
    "nn.SpatialConvolutionMM",
    {"weight": KERNEL.reshape(4, -1), "bias": np.ones(4, np.float32), "nInputPlane": 3, "kH": 5,
     "kW": 2, "gradWeight": np.zeros((2, 2)), "train": False, "finput": None},
)  # fmt: skip
OF_2015: Layer = (
    "nn.SpatialBatchNormalization",
    {"running_mean": np.zeros(4), "running_std": (VARIANCE + 1e-5) ** -0.5, "eps": 1e-5},
)
FUNCTION: Layer = ("nn.Lambda", {"fn": b"\x1bLJ os.execute('touch here')", "weight": None})
DENSE: Layer = ("nn.Linear", {"weight": MATRIX, "bias": np.zeros(6, np.float32)})


def together(*layers: Layer, kind: str = "nn.Sequential") -> Layer:
    return kind, {"modules": dict(enumerate(layers, 1)), "output": "none"}


NETWORK = together(
    CONVOLUTION, together(OF_2015, FUNCTION, together(DENSE, kind="nn.DepthConcat")), CONVOLUTION
)


def read(path: Path, data: bytes) -> dict[str, np.ndarray]:
    path.write_bytes(data)
    return torch7_file.read(path)


def test_layers_are_found_in_their_places(tmp_path: Path) -> None:
    found = read(tmp_path / "n.t7", torch7(NETWORK))
    assert list(found) == [
        "1.weight", "1.bias", "2.1.running_mean", "2.1.running_var",
        "2.3.1.weight", "2.3.1.bias", "3.weight", "3.bias",
    ]  # fmt: skip
    np.testing.assert_array_equal(found["1.weight"], KERNEL)
    np.testing.assert_array_equal(found["3.weight"], KERNEL)  # the same object, by its index
    np.testing.assert_array_equal(found["2.3.1.weight"], MATRIX)
    np.testing.assert_allclose(found["2.1.running_var"], VARIANCE, rtol=1e-6)
    assert set(named_arrays.read(tmp_path / "n.t7")) == set(found)


WHOLE = torch7(NETWORK)
SHAPE = struct.pack("<4q", 6, 4, *(step // 4 for step in MATRIX.strides))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (WHOLE[:-9], "ends too early"),
        (b"", "ends too early"),
        (b"4\n1\n3\nV 1\n13\nnn.Sequential", "in letters is not read"),
        (WHOLE.replace(SHAPE, struct.pack("<4q", 6, 5, 1, 6)), "beyond its numbers"),
        (WHOLE.replace(SHAPE, struct.pack("<4q", 6, 4, -1, 6)), "of a shape"),
        (WHOLE.replace(SHAPE, struct.pack("<4q", 1 << 26, 4, 0, 0)), "beyond its numbers"),
        (WHOLE.replace(SHAPE, struct.pack("<4q", 1 << 60, 4, 0, 0)), "of a shape"),
        (torch7("text"), "else than a network"),
        (torch7({1: 2}), "else than a network"),
        (torch7(together(FUNCTION)), "no layers with weights"),
        (torch7(together(("nn.Linear", "text"))), "that is no table"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_network_is_refused(data: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match=told):
        read(tmp_path / "n.t7", data)


def test_what_has_no_end_ends(tmp_path: Path) -> None:
    deep: object = 1
    for _ in range(200):
        deep = {1: deep}
    with pytest.raises(WeightsCorrupt, match="without an end"):
        read(tmp_path / "n.t7", torch7(deep))
    inner: dict[str, object] = {}
    inner["modules"] = {1: ("nn.Sequential", inner)}  # a table that is in itself, by its index
    with pytest.raises(WeightsCorrupt, match="without an end"):
        read(tmp_path / "n.t7", torch7(("nn.Sequential", inner)))
    many = dict.fromkeys(range(torch7_file.MOST_VALUES // 2 + 1))
    with pytest.raises(WeightsCorrupt, match="too many values"):
        read(tmp_path / "n.t7", torch7(many))


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    rng, refused = np.random.default_rng(13), 0
    for _ in range(600):
        data = bytearray(WHOLE)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            data[at] = int(rng.choice([0, 1, 255, rng.integers(0, 256)]))
        cut = len(data) if rng.random() < 0.8 else int(rng.integers(0, len(data)))
        try:
            read(tmp_path / "d.t7", bytes(data[:cut]))
        except WeightsCorrupt:
            refused += 1
    assert 50 < refused < 600
    assert not Path("here").exists()
