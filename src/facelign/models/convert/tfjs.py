"""TensorFlow.js weights: a manifest in JSON that names arrays, and the file of their bytes.

The arrays lie one after another in the order of the manifest, row-major, float32 or packed: as
float16, or as bytes with a scale and the value of 0 (tfjs-core, src/io/io_utils.ts). Nothing is
believed: what the manifest says is held against the bytes that are there before anything is
allocated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from facelign.errors import FacelignError, WeightsCorrupt
from facelign.models.convert.graph import (
    FLOAT32,
    MOST_AXES,
    MOST_BYTES,
    MOST_ELEMENTS,
    Graph,
    Node,
    Value,
    serialize,
)
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray, Float32Array

#: bytes of a manifest, and arrays in it (ssd_mobilenetv1: 28 kB, 150)
MOST_MANIFEST, MOST_ARRAYS = 4 << 20, 4096
#: ONNX Runtime 1.20, the oldest supported, runs both
OPSET, IR_VERSION = 17, 8
_KINDS: Mapping[str, str] = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "|u1",
                             "uint16": "<u2"}  # fmt: skip


def refuse(what: str) -> WeightsCorrupt:
    """Return the error for files that are not what they should be."""
    return WeightsCorrupt(
        f"The TensorFlow.js files are not usable: {what}.",
        "Pull the model again ('facelign models verify' finds damaged files).",
    )


def read_json(path: Path) -> Any:
    """Return what a JSON file holds; raises WeightsCorrupt for one that is none, or too large."""
    with path.open("rb") as stream:
        data = stream.read(MOST_MANIFEST + 1)
    if len(data) > MOST_MANIFEST:
        raise refuse(f"{path.name} has more than {MOST_MANIFEST} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise refuse(f"{path.name} is no JSON ({problem})") from problem


class Shards:
    """The arrays of a model by name; each is taken once, with the shape that it must have."""

    def __init__(self, groups: Any, bins: Path) -> None:
        size = bins.stat().st_size
        if size > MOST_BYTES:
            raise refuse(f"it has {size} bytes, at most {MOST_BYTES} are read")
        self._data = bins.read_bytes()
        self._places: dict[str, tuple[Mapping[str, Any], int, int]] = {}
        at = 0
        for entry in _entries(groups):
            name, length = str(entry["name"]), _length(entry)
            if name in self._places:
                raise refuse(f"the array {name!r} is there twice")
            if at + length > size:
                raise refuse(f"the array {name!r} ends {at + length - size} bytes after the file")
            self._places[name] = (entry, at, length)
            at += length
        if at != size:
            raise refuse(f"{size - at} bytes after its last array belong to none")

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._places))

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def take(self, name: str, *shape: int) -> Float32Array:
        """Return an array as float32; raises WeightsCorrupt when it does not fit, with its name."""
        if name not in self._places:
            raise refuse(f"the array {name!r} is not there")
        found = tuple(self._places[name][0]["shape"])
        if found != shape:
            raise refuse(f"the array {name!r} has the shape {found}, wanted {shape}")
        return self.any(name).astype(np.float32)

    def any(self, name: str) -> AnyArray:
        """Return an array as it is, float32 or int32; raises WeightsCorrupt for what is no number.

        It is taken: nobody gets it again.
        """
        entry, at, length = self._places.pop(name)
        packing = entry.get("quantization") or {}
        kind = packing.get("dtype", entry["dtype"])
        raw = np.frombuffer(self._data, _KINDS[kind], length // np.dtype(_KINDS[kind]).itemsize, at)
        if entry["dtype"] == "int32" and not packing:
            return raw.astype(np.int32).reshape(entry["shape"])
        with np.errstate(all="ignore"):
            values = raw.astype(np.float32)
            if kind in ("uint8", "uint16"):  # in double, as the numbers of JavaScript are
                scaled = raw.astype(np.float64) * packing["scale"] + packing["min"]
                values = scaled.astype(np.float32)
        if not np.isfinite(values).all():
            raise refuse(f"the array {name!r} holds NaN or infinity")
        if entry["dtype"] == "int32":
            values = values.round().clip(-(2**31), 2**31 - 128)
        return values.astype(entry["dtype"]).reshape(entry["shape"])

    def drop(self, *parts: str) -> None:
        """Leave out the arrays with one of these in their names."""
        for name in self:
            if any(part in name for part in parts):
                del self._places[name]

    def finish(self) -> None:
        """Raise WeightsCorrupt when an array was never taken."""
        if self._places:
            raise refuse(f"the array {next(iter(self._places))!r} has no place in this network")


def _entries(groups: Any) -> list[Mapping[str, Any]]:
    """Return the checked entries of a manifest, whose only file is the one at hand."""
    if not isinstance(groups, list) or len(groups) != 1 or not isinstance(groups[0], dict):
        raise refuse("its manifest does not name one file")
    weights, paths = groups[0].get("weights"), groups[0].get("paths")
    if not isinstance(paths, list) or len(paths) != 1 or not isinstance(weights, list):
        raise refuse("its manifest does not name one file")
    if len(weights) > MOST_ARRAYS:
        raise refuse(f"its manifest names {len(weights)} arrays")
    for entry in weights:
        _check(entry)
    return cast(list[Mapping[str, Any]], weights)


def _check(entry: Any) -> None:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise refuse("its manifest has an entry without a name")
    name, shape, kind = entry["name"][:80], entry.get("shape"), entry.get("dtype")
    packing = entry.get("quantization") or {}
    if kind not in ("float32", "int32") or not isinstance(packing, dict):
        raise refuse(f"the array {name!r} is of the unknown kind {kind!r}")
    known = ("uint8", "uint16") if kind == "int32" else ("float16", "uint8", "uint16")
    if packing and packing.get("dtype") not in known:
        raise refuse(f"the array {name!r} is packed as {packing.get('dtype')!r}")
    numbers = (packing.get(key) for key in ("scale", "min"))
    if packing.get("dtype") in ("uint8", "uint16") and not all(map(_is_number, numbers)):
        raise refuse(f"the array {name!r} is packed without a scale and a smallest value")
    if (
        not isinstance(shape, list)
        or len(shape) > MOST_AXES
        or not all(type(side) is int and 0 < side <= MOST_ELEMENTS for side in shape)
        or math.prod(shape) > MOST_ELEMENTS
    ):
        raise refuse(f"the array {name!r} has a shape that cannot be")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _length(entry: Mapping[str, Any]) -> int:
    kind = (entry.get("quantization") or {}).get("dtype", entry["dtype"])
    return int(math.prod(entry["shape"])) * np.dtype(_KINDS[kind]).itemsize


class Net:
    """Writes a network down, layer by layer, out of arrays as TensorFlow keeps them.

    Values are planes (n, channels, rows, columns), weights come (rows, columns, in, out).
    """

    def __init__(self, arrays: Shards) -> None:
        self.arrays = arrays
        self.graph = Graph([], {}, [], [], OPSET, IR_VERSION)

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        """Append a node; return the name of what it gives."""
        name = f"{op}_{len(self.graph.nodes)}"
        self.graph.nodes.append(Node(op, list(inputs), [name], attributes, name))
        return name

    def constant(self, name: str, values: AnyArray) -> str:
        """Add a weight; return its name."""
        return self.graph.constant(name, np.ascontiguousarray(values))

    def planes(self, *sides: int | str) -> str:
        """Begin with planes (n, 3, rows, columns) float32 RGB, as the record scales them."""
        self.graph.inputs = [Value("planes", FLOAT32, ["n", 3, *sides])]
        return "planes"

    def convolution(
        self, at: str, filters: Float32Array, bias: Float32Array | None = None, *,
        stride: int = 1, same: bool = True, groups: int = 1,
    ) -> str:  # fmt: skip
        """Append a convolution; ``same`` pads as TensorFlow does, the larger half at the end."""
        rows, columns, _, _ = filters.shape
        weights = self.constant("filters", filters.transpose(3, 2, 0, 1))
        inputs = [at, weights] + ([self.constant("bias", bias)] if bias is not None else [])
        return self.add(
            "Conv", *inputs, kernel_shape=[rows, columns], strides=[stride, stride], group=groups,
            auto_pad=b"SAME_UPPER" if same else b"VALID",
        )  # fmt: skip

    def separable(self, at: str, name: str, channels: tuple[int, int], *, stride: int = 1) -> str:
        """Append a 3x3 convolution channel by channel and one of 1x1, out of three arrays."""
        before, after = channels
        each = self.arrays.take(f"{name}/depthwise_filter", 3, 3, before, 1)
        mixed = self.arrays.take(f"{name}/pointwise_filter", 1, 1, before, after)
        bias = self.arrays.take(f"{name}/bias", after)
        at = self.convolution(at, each.transpose(0, 1, 3, 2), stride=stride, groups=before)
        return self.convolution(at, mixed, bias)

    def relu6(self, at: str) -> str:
        """Append a clip to 0..6."""
        bounds = [self.constant(f"bound.{n}", np.array(n, np.float32)) for n in (0, 6)]
        return self.add("Clip", at, *bounds)

    def end(self, *outputs: tuple[str, str, list[int | str]]) -> Graph:
        """Return the graph, every array used: outputs are (value, name, shape)."""
        self.arrays.finish()
        for at, name, shape in outputs:
            self.graph.nodes.append(Node("Identity", [at], [name], {}, name))
            self.graph.outputs.append(Value(name, FLOAT32, shape))
        return self.graph


def runs(graph: Graph, sides: tuple[int, int]) -> bytes:
    """Return the bytes of a graph once it gives the same for two probes alone and together.

    sides: rows and columns of the probes. Raises WeightsCorrupt.
    """
    data = serialize(graph)
    probe = np.random.default_rng(2718).uniform(-0.5, 0.5, (2, 3, *sides)).astype(np.float32)
    try:
        session = Session(data)
        together = session.run({"planes": probe})[0]
        alone: AnyArray = np.concatenate([session.run({"planes": p[None]})[0] for p in probe])
    except FacelignError as problem:
        raise refuse(f"it does not run ({problem.message})") from problem
    scale = max(float(np.abs(alone).max()), 1e-6)
    if not (np.isfinite(alone).all() and np.abs(together - alone).max() <= 1e-4 * scale):
        raise refuse("its numbers are not what a network for faces gives")
    return data
