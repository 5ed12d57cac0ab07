"""TensorFlow.js weights: what the bytes mean, and what is believed of files that are damaged."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import tfjs
from facelign.models.convert.face_api import convert_landmarks_tiny, convert_tiny_face
from facelign.models.convert.graph import serialize
from facelign.models.convert.tfjs import Net, Shards, read_json
from facelign.runtime.onnx import Session


def entry(name: str, shape: tuple[int, ...], **packing: object) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "shape": list(shape), "dtype": "float32"}
    return {**found, "quantization": packing} if packing else found


def written(
    folder: Path, entries: list[dict[str, Any]], data: bytes
) -> tuple[list[dict[str, Any]], Path]:
    (folder / "net.bin").write_bytes(data)
    return [{"paths": ["net.bin"], "weights": entries}], folder / "net.bin"


def test_arrays_are_unpacked_as_tensorflow_does(tmp_path: Path) -> None:
    halves = np.array([0.5, -2.0], "<f2")
    plain = np.array([[1.5], [2.5]], "<f4")
    bytes_ = np.array([0, 1, 255], np.uint8)
    entries = [
        entry("plain", (2, 1)),
        entry("half", (2,), dtype="float16", original_dtype="float32"),
        entry("bytes", (3,), dtype="uint8", scale=0.1, min=-3),
        {"name": "whole", "shape": [1], "dtype": "int32"},
    ]
    data = plain.tobytes() + halves.tobytes() + bytes_.tobytes() + np.array([7], "<i4").tobytes()
    arrays = Shards(*written(tmp_path, entries, data))
    assert arrays.take("plain", 2, 1).tolist() == [[1.5], [2.5]]
    assert arrays.take("half", 2).tolist() == [0.5, -2.0]
    assert arrays.take("bytes", 3).tolist() == np.float32([-3, -2.9, 22.5]).tolist()
    assert arrays.any("whole").tolist() == [7]
    arrays.finish()


@pytest.mark.parametrize(
    ("changed", "data", "said"),
    [
        ({}, bytes(7), "the array 'a' ends 1 bytes after the file"),
        ({}, bytes(9), "1 bytes after its last array"),
        ({"shape": [3]}, bytes(12), r"'a' has the shape \(3,\), wanted \(2,\)"),
        ({"name": "b"}, bytes(8), "'a' is not there"),
        ({"shape": [1 << 40]}, bytes(8), "shape that cannot be"),
        ({"shape": [-2]}, bytes(8), "shape that cannot be"),
        ({"shape": [2.0]}, bytes(8), "shape that cannot be"),
        ({"dtype": "string"}, bytes(8), "unknown kind 'string'"),
        ({"quantization": {"dtype": "int4"}}, bytes(8), "packed as 'int4'"),
        ({"quantization": {"dtype": "uint8"}}, bytes(2), "without a scale"),
        ({"quantization": {"dtype": "uint8", "scale": 1e308, "min": 0}}, b"\1\2", "infinity"),
        ({}, np.array([np.nan, 0], "<f4").tobytes(), "NaN"),
    ],
)
def test_the_first_array_that_does_not_fit_is_named(
    tmp_path: Path, changed: dict[str, Any], data: bytes, said: str
) -> None:
    with pytest.raises(WeightsCorrupt, match=said):
        Shards(*written(tmp_path, [{**entry("a", (2,)), **changed}], data)).take("a", 2)


def test_what_has_no_place_is_named(tmp_path: Path) -> None:
    arrays = Shards(*written(tmp_path, [entry("a", (1,)), entry("b", (1,))], bytes(8)))
    arrays.take("a", 1)
    with pytest.raises(WeightsCorrupt, match="'b' has no place"):
        arrays.finish()
    with pytest.raises(WeightsCorrupt, match="there twice"):
        Shards(*written(tmp_path, [entry("a", (1,))] * 2, bytes(8)))


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '[{"paths": ["x"]}]', "[" * 100_000])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.bin").write_bytes(b"")
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(WeightsCorrupt):
        Shards(read_json(tmp_path / "net.json"), tmp_path / "net.bin")


def test_a_long_manifest_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfjs, "MOST_MANIFEST", 10)
    (tmp_path / "net.json").write_text("[" + " " * 20 + "]")
    with pytest.raises(WeightsCorrupt, match="more than 10 bytes"):
        read_json(tmp_path / "net.json")


def test_a_convolution_is_that_of_tensorflow(tmp_path: Path) -> None:
    """Against sums by hand: (rows, columns, in, out), padded at the end first."""
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((3, 3, 2, 4)).astype(np.float32)
    picture = rng.standard_normal((1, 3, 6, 8)).astype(np.float32)
    net = Net(Shards(*written(tmp_path, [], b"")))
    at = net.planes("h", "w")
    mixed = rng.standard_normal((1, 1, 3, 2)).astype(np.float32)
    at = net.convolution(at, mixed)
    at = net.convolution(at, filters, stride=2)
    graph = net.end((at, "out", ["n", 4, "r", "c"]))
    found = Session(serialize(graph)).run({"planes": picture})[0]
    two = np.einsum("bihw,io->bohw", picture, mixed[0, 0])
    padded = np.pad(two, ((0, 0), (0, 0), (0, 1), (0, 1)))
    wanted = np.zeros((1, 4, 3, 4), np.float32)
    for row in range(3):
        for column in range(4):
            window = padded[0, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            wanted[0, :, row, column] = np.einsum("irc,rcio->o", window, filters)
    assert np.abs(found - wanted).max() < 1e-5


def test_mutated_files_are_refused_or_converted(tmp_path: Path) -> None:
    entries = [
        entry("a", (2, 3), dtype="uint8", scale=0.5, min=-1),
        entry("b", (4,)),
        entry("c", (2,), dtype="float16"),
    ]
    groups, bins = written(tmp_path, entries, bytes(range(26)))
    text, seeded, refused = json.dumps(groups).encode(), random.Random(2718), 0
    for _ in range(10_000):
        data = bytearray(text)
        for _ in range(seeded.randint(1, 4)):
            at = seeded.randrange(len(data))
            data[at : at + seeded.randint(0, 2)] = seeded.choice(
                (
                    b"9",
                    b"-",
                    b"e",
                    b"null",
                    b"[",
                    b"]",
                    b'"',
                    b"1e999",
                    bytes([seeded.randrange(256)]),
                )
            )
        (tmp_path / "net.json").write_bytes(data)
        try:
            arrays = Shards(read_json(tmp_path / "net.json"), bins)
            for name in arrays:
                assert arrays.any(name).size <= 26
        except WeightsCorrupt:
            refused += 1
    assert 5_000 < refused < 10_000


@pytest.mark.weights
@pytest.mark.parametrize(
    ("model", "convert"),
    [("tiny-face", convert_tiny_face), ("face-api-68-tiny", convert_landmarks_tiny)],
)
def test_cut_and_changed_networks_are_told(
    tmp_path: Path,
    pulled: Callable[..., Any],
    usable: Callable[..., Any],
    model: str,
    convert: Callable[..., None],
) -> None:
    from facelign import models

    (spec,) = models.default().find(model)
    raw, manifest = (path for _, _, path in usable(spec, lambda: pulled(spec)).raw_files(spec))
    whole, out = raw.read_bytes(), tmp_path / "out.onnx"
    (tmp_path / "net.bin").write_bytes(whole[:-10])
    with pytest.raises(WeightsCorrupt, match=r"the array '.*' ends 10 bytes after the file"):
        convert(tmp_path / "net.bin", out, manifest)
    groups = json.loads(manifest.read_bytes())
    groups[0]["weights"][3]["shape"] = groups[0]["weights"][3]["shape"][::-1]
    (tmp_path / "net.json").write_text(json.dumps(groups))
    with pytest.raises(WeightsCorrupt, match=groups[0]["weights"][3]["name"]):
        convert(raw, out, tmp_path / "net.json")
    assert not out.exists()
