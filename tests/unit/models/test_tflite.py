"""TFLite files become ONNX files that compute the same; damaged ones are refused in good time.

The files are written here, byte by byte, by the few rules of FlatBuffers.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelign.errors import WeightsCorrupt
from facelign.models.convert import CONVERTERS, tflite
from facelign.models.convert.tflite_reader import parse, unpacked
from facelign.runtime.onnx import Session

RNG = np.random.default_rng(5)


def table(**fields: Any) -> dict[int, Any]:
    """Return a table: f0 = ("<i", 3) for a number, else what it points to."""
    return {int(name[1:]): value for name, value in fields.items() if value is not None}


def flat(root: dict[int, Any]) -> bytes:
    """Return a FlatBuffer; what a table points to comes behind it, as offsets must."""
    out = bytearray(b"\0\0\0\0TFL3")
    waiting: list[tuple[int, Any]] = [(0, root)]
    while waiting:
        spot, value = waiting.pop(0)
        out += b"\0" * (-len(out) % 8)
        if isinstance(value, dict):
            last = max(value, default=-1)
            size = 4 + 2 * (last + 1)
            offsets = [8 * i + 4 if i in value else 0 for i in range(last + 1)]
            out += struct.pack(f"<HH{last + 1}H", size, 4 + 8 * (last + 1), *offsets)
            at = len(out)
            out += struct.pack("<i", size) + b"\0" * (8 * (last + 1))
            for i, entry in value.items():
                place = at + offsets[i]
                if isinstance(entry, tuple):
                    struct.pack_into(entry[0], out, place, entry[1])
                else:
                    waiting.append((place, entry))
        elif isinstance(value, list):
            at = len(out)
            out += struct.pack("<I", len(value)) + b"\0" * (4 * len(value))
            waiting += [(at + 4 + 4 * i, entry) for i, entry in enumerate(value)]
        else:
            array = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value
            at = len(out)
            out += struct.pack("<I", array.size) + array.tobytes()
        struct.pack_into("<I", out, spot, at - spot)
    return bytes(out)


CODES = {"ADD": 0, "AVERAGE_POOL_2D": 1, "CONCATENATION": 2, "CONV_2D": 3,
         "DEPTHWISE_CONV_2D": 4, "DEPTH_TO_SPACE": 5, "DEQUANTIZE": 6, "LOGISTIC": 14,
         "MAX_POOL_2D": 17, "MUL": 18, "RELU": 19, "RELU6": 21, "RESHAPE": 22,
         "RESIZE_BILINEAR": 23, "PAD": 34, "MEAN": 40, "PRELU": 54,
         "FILL": 94, "HARD_SWISH": 117, "DENSIFY": 124}  # fmt: skip
KINDS = {"float32": 0, "float16": 1, "int32": 2, "int8": 9}


class File:
    """A model under construction: tensors get numbers as they come."""

    def __init__(self, *shape: int) -> None:
        self.tensors: list[dict[int, Any]] = []
        self.buffers: list[dict[int, Any]] = [{}]
        self.steps: list[dict[int, Any]] = []
        self.codes: list[str] = []
        self.last = self.value(*shape)

    def value(self, *shape: int, kind: str = "float32") -> int:
        self.tensors.append(
            table(f0=np.array(shape, "<i4"), f1=("<b", KINDS[kind]), f2=("<I", 0), f3=b"t")
        )
        return len(self.tensors) - 1

    def weight(self, array: np.ndarray, shape: Sequence[int] = (), packed: Any = None) -> int:
        self.buffers.append(table(f0=array.tobytes()))
        i = self.value(*(shape or array.shape), kind=str(array.dtype))
        self.tensors[i][2] = ("<I", len(self.buffers) - 1)
        if packed is not None:
            self.tensors[i][6] = packed
        return i

    def floats(self, *shape: int) -> int:
        return self.weight(RNG.normal(0, 0.5, shape).astype(np.float32))

    def step(self, name: str, inputs: Sequence[int], *shape: int, **options: Any) -> int:
        if name not in self.codes:
            self.codes.append(name)
        made = self.value(*shape)
        self.steps.append(
            table(
                f0=("<I", self.codes.index(name)),
                f1=np.array(inputs, "<i4"),
                f2=np.array([made], "<i4"),
                f4=table(**options),
            )
        )
        return made

    def written(self, *outputs: int) -> bytes:
        codes = [
            table(f1=name[7:].encode(), f3=("<i", 32))
            if name.startswith("custom ")
            else table(f0=("<b", min(CODES[name], 127)), f3=("<i", CODES[name]))
            for name in self.codes
        ]
        part = table(
            f0=self.tensors, f1=np.array([0], "<i4"), f2=np.array(outputs, "<i4"), f3=self.steps
        )
        return flat(table(f0=("<I", 3), f1=codes, f2=[part], f4=self.buffers))


def whole() -> bytes:
    """Return a network with every operator that is read: 12 x 12, three channels."""
    f = File(1, 12, 12, 3)
    stride2 = {"f1": ("<i", 2), "f2": ("<i", 2)}
    still = {"f1": ("<i", 1), "f2": ("<i", 1)}
    half = f.weight(RNG.normal(0, 0.5, (8, 3, 3, 3)).astype(np.float16))
    kernel = f.step("DEQUANTIZE", [half], 8, 3, 3, 3)
    x = f.step("CONV_2D", [0, kernel, f.floats(8)], 1, 6, 6, 8, f0=("<b", 0), **stride2,
               f3=("<b", 1))  # fmt: skip
    x = f.step("PRELU", [x, f.floats(1, 1, 8)], 1, 6, 6, 8)
    deep = f.step(
        "DEPTHWISE_CONV_2D", [x, f.floats(1, 3, 3, 8), f.floats(8)], 1, 6, 6, 8, f0=("<b", 0),
        **still, f4=("<b", 3),
    )  # fmt: skip
    x = f.step("ADD", [x, deep], 1, 6, 6, 8)
    small = f.step("MAX_POOL_2D", [x], 1, 3, 3, 8, f0=("<b", 0), **stride2, f3=("<i", 2),
                   f4=("<i", 2))  # fmt: skip
    mean = f.step("AVERAGE_POOL_2D", [x], 1, 3, 3, 8, f0=("<b", 0), **stride2, f3=("<i", 3),
                  f4=("<i", 3))  # fmt: skip
    widths = f.weight(np.array([[0, 0], [0, 0], [0, 0], [0, 4]], np.int32))
    small = f.step("PAD", [small, widths], 1, 3, 3, 12)
    mean = f.step("PAD", [mean, widths], 1, 3, 3, 12)
    small = f.step("ADD", [small, mean], 1, 3, 3, 12, f0=("<b", 1))
    sides = f.weight(np.array([6, 6], np.int32))
    large = f.step("RESIZE_BILINEAR", [small, sides], 1, 6, 6, 12, f3=("<b", 1))
    dealt = f.step("DEPTH_TO_SPACE", [small], 1, 6, 6, 3, f0=("<i", 2))
    both = f.step("CONCATENATION", [large, dealt], 1, 6, 6, 15, f0=("<i", 3))
    both = f.step("RELU6", [f.step("MUL", [both, f.floats(15)], 1, 6, 6, 15)], 1, 6, 6, 15)
    flat_ = f.step("RESHAPE", [both], 1, 108, 5)
    more = f.step("RESHAPE", [f.step("RELU", [x], 1, 6, 6, 8)], 1, 288, 1)
    sure = f.step("LOGISTIC", [more], 1, 288, 1)
    mean = f.step("MEAN", [x, f.weight(np.array([1, 2], np.int32))], 1, 1, 1, 8, f0=("<b", 1))
    all_ = f.step("AVERAGE_POOL_2D", [x], 1, 1, 1, 8, f0=("<b", 1), **still, f3=("<i", 6),
                  f4=("<i", 6))  # fmt: skip
    swished = f.step("HARD_SWISH", [f.step("ADD", [mean, all_], 1, 1, 1, 8)], 1, 1, 1, 8)
    scaled = f.step("MUL", [x, swished], 1, 6, 6, 8)
    grown = f.step(
        "custom Convolution2DTransposeBias", [scaled, f.floats(2, 2, 3, 8), f.floats(2)],
        1, 12, 18, 2,
    )  # fmt: skip
    return f.written(flat_, sure, large, grown)


def converted(data: bytes, folder: Path) -> Session:
    (folder / "raw.tflite").write_bytes(data)
    CONVERTERS["tflite"](folder / "raw.tflite", folder / "out.onnx")
    return Session(folder / "out.onnx")


def refused(data: bytes, folder: Path) -> str:
    with pytest.raises(WeightsCorrupt) as told:
        converted(data, folder)
    return str(told.value)


def test_every_operator_computes_what_tflite_defines(tmp_path: Path) -> None:
    """The converter compares with NumPy by itself, one by one and batched: it must hold."""
    net = converted(whole(), tmp_path)
    outputs = net.run({net.inputs[0].name: np.zeros((5, 3, 12, 12), np.float32)})
    shapes = [(5, 108, 5), (5, 288, 1), (5, 6, 6, 12), (5, 12, 18, 2)]
    assert [o.shape for o in outputs] == shapes


def test_a_convolution_by_hand(tmp_path: Path) -> None:
    """SAME of an even picture with stride 2 pads at the right and the bottom only."""
    f = File(1, 4, 4, 1)
    kernel = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    x = f.step("CONV_2D", [0, f.weight(kernel)], 1, 2, 2, 1, f0=("<b", 0), f1=("<i", 2),
               f2=("<i", 2))  # fmt: skip
    net = converted(f.written(x), tmp_path)
    picture = np.zeros((1, 1, 4, 4), np.float32)
    picture[0, 0, 2, 3] = 1.0
    (found,) = net.run({net.inputs[0].name: picture})
    # seen from (0, 2) at row 2, column 1 of the window, and from (2, 2) at row 0, column 1
    assert found[0, :, :, 0].tolist() == [[0, 7], [0, 1]]


@pytest.mark.parametrize("blocks", [False, True])
def test_sparse_weights_are_unpacked(blocks: bool) -> None:
    dense = np.zeros((4, 6), np.float32)
    dense[0:2, 2:4], dense[2:4, 4:6] = [[1, 2], [3, 4]], [[5, 6], [7, 8]]

    def axis(length: int) -> dict[int, Any]:
        return table(f0=("<b", 0), f1=("<i", length))

    def listed(ends: list[int], along: list[int]) -> dict[int, Any]:
        return table(
            f0=("<b", 1), f2=("<B", 3), f3=table(f0=np.array(ends, np.uint8)),
            f4=("<B", 2), f5=table(f0=np.array(along, "<u2")),
        )  # fmt: skip

    f = File(1, 1, 1, 1)
    if blocks:
        packed = table(
            f0=np.array([0, 1, 2, 3], "<i4"), f1=np.array([0, 1], "<i4"),
            f2=[axis(2), listed([0, 1, 2], [1, 2]), axis(2), axis(2)],
        )  # fmt: skip
        values = np.arange(1, 9, dtype=np.float32)
    else:
        packed = table(
            f0=np.array([0, 1], "<i4"),
            f2=[axis(4), listed([0, 2, 4, 6, 8], [2, 3, 2, 3, 4, 5, 4, 5])],
        )
        values = dense[dense > 0]
    i = f.weight(values, (4, 6), packed)
    model = parse(f.written(0))
    assert (unpacked(model.tensors[i]) == dense).all()


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    for name in ("FILL", "custom Warp"):
        f = File(1, 2, 2, 1)
        assert name.removeprefix("FILL") in refused(
            f.written(f.step(name, [0], 1, 2, 2, 1)), tmp_path
        )
    f = File(1, 2, 2, 1)
    x = f.step("CONV_2D", [0, f.weight(np.ones((1, 1, 1, 1), np.int8))], 1, 2, 2, 1)
    assert "kind 9" in refused(f.written(x), tmp_path)


def test_shapes_that_do_not_follow_are_refused(tmp_path: Path) -> None:
    f = File(1, 4, 4, 1)
    x = f.step("CONV_2D", [0, f.floats(2, 3, 3, 1)], 1, 9, 9, 2, f1=("<i", 1), f2=("<i", 1))
    assert "would give" in refused(f.written(x), tmp_path)
    f = File(1, 4, 4, 1)
    huge = f.step("RESHAPE", [0], 1 << 20, 1 << 20)
    assert "has the shape" in refused(f.written(huge), tmp_path)
    f = File(1, 4, 4, 1)
    f = File(1, 4, 4, 1)
    over = f.step("custom Convolution2DTransposeBias", [0, f.floats(1, 3, 3, 1), f.floats(1)],
                  1, 8, 8, 1)  # fmt: skip
    assert "overlap" in refused(f.written(over), tmp_path)
    f = File(1, 4, 4, 1)
    rows = f.step("MEAN", [0, f.weight(np.array([1], np.int32))], 1, 1, 4, 1, f0=("<b", 1))
    assert "MEAN" in refused(f.written(rows), tmp_path)
    f = File(1, 4, 4, 1)
    assert "never made" in refused(f.written(f.value(1, 4, 4, 1)), tmp_path)
    assert "does not begin" in refused(b"no model at all", tmp_path)


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return ``data`` damaged in one to three places, mostly numbers of four bytes."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(damaged))
        kind = rng.randrange(5)
        if kind == 0:
            damaged[at] = rng.randrange(256)
        elif kind == 1:
            at &= ~3
            number = rng.choice((0, 1, -1, 7, 1 << 12, 1 << 20, 1 << 30, -(1 << 31)))
            damaged[at : at + 4] = struct.pack("<i", number)
        elif kind == 2:
            at &= ~3
            damaged[at : at + 4] = struct.pack("<i", rng.randrange(-len(data), len(data)))
        elif kind == 3:
            del damaged[at : at + rng.choice((1, 4, 40))]
        else:
            del damaged[max(at, 8) :]
    return bytes(damaged)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Ten thousand through the reader and the translation, some through all of it."""
    good, rng, counts = whole(), random.Random(3), [0, 0]
    for number in range(10_000):
        data = mutated(good, rng)
        try:
            tflite.Translation(parse(data))
            if number % 50 == 0:
                converted(data, tmp_path)
            counts[0] += 1
        except WeightsCorrupt:
            counts[1] += 1
    assert min(counts) > 1000, "both happen"


def test_a_file_cut_anywhere_is_refused() -> None:
    good = whole()
    for length in range(0, len(good) - 64, 5):  # room that nobody reads lies at the end
        with pytest.raises(WeightsCorrupt):
            tflite.Translation(parse(good[:length]))
