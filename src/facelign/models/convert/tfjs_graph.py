"""TensorFlow.js graph models: ``model.json`` holds operators and manifest, a file beside it bytes.

The operators that face networks use become ONNX ones, an unknown one is named. TensorFlow's planes
lie (rows, columns, channels), ONNX's (channels, rows, columns): values are turned once, at the
beginning, weights here; only what flattens turns back. Sizes are followed from operator to
operator, so that the first array that does not fit is named, and nothing large is made unseen.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from facelign.files import disk
from facelign.models.convert.graph import MOST_ELEMENTS, clean
from facelign.models.convert.tfjs import Net, Shards, read_json, refuse, runs
from facelign.types.arrays import AnyArray

#: operators of a model (FaceRes: 255); the largest window and stride
MOST_OPERATORS, LARGEST_WINDOW, LARGEST_STRIDE = 2048, 31, 8
#: a value of the graph without its first axis: (channels, rows, columns), or (numbers,)
Shape = tuple[int, ...]


def convert_faceres(raw: Path, out: Path, model: Path) -> None:
    """Write FaceRes: ``planes`` (n, 3, 224, 224) float32 RGB -> ``vectors`` (n, 1024)."""
    _convert(raw, out, model, "global_pooling/Mean", "vectors", (1024,))


def convert_antispoof(raw: Path, out: Path, model: Path) -> None:
    """Write Human's antispoof: ``planes`` (n, 3, 128, 128) float32 RGB -> ``scores`` (n, 1)."""
    _convert(raw, out, model, "Identity", "scores", (1,))


def convert_liveness(raw: Path, out: Path, model: Path) -> None:
    """Write Human's liveness: ``planes`` (n, 3, 32, 32) float32 RGB -> ``scores`` (n, 2)."""
    _convert(raw, out, model, "Identity", "scores", (2,))


def _convert(raw: Path, out: Path, model: Path, wanted: str, name: str, shape: Shape) -> None:
    """Write the part of a graph model that gives the value ``wanted``, under ``name``."""
    found = read_json(model)
    if not isinstance(found, dict) or not isinstance(found.get("modelTopology"), dict):
        raise refuse(f"{model.name} holds no graph model")
    walk = _Walk(found["modelTopology"].get("node"), Shards(found.get("weightsManifest"), raw))
    at, given = walk.at(wanted)
    if given != shape:
        raise refuse(f"{wanted!r} has the shape {given}, wanted {shape}")
    graph = walk.net.end((at, name, ["n", *shape]))
    clean(graph)
    disk.write(out, runs(graph, walk.sides))


class _Walk:
    """Goes through the operators in an order in which each finds what it reads."""

    def __init__(self, nodes: Any, arrays: Shards) -> None:
        self.net = Net(arrays)
        self.sides = (0, 0)
        self._constants: dict[str, AnyArray] = {}
        self._values: dict[str, tuple[str, Shape]] = {}
        if not isinstance(nodes, list) or len(nodes) > MOST_OPERATORS:
            raise refuse(f"it holds no list of at most {MOST_OPERATORS} operators")
        waiting = [_Operator(node) for node in nodes]
        seen = Counter(one.name for one in waiting)
        if seen and seen.most_common(1)[0][1] > 1:
            raise refuse(f"the value {seen.most_common(1)[0][0]!r} is made twice")
        while waiting:
            ready = [one for one in waiting if all(map(self._knows, one.inputs))]
            if not ready:
                raise refuse(f"{waiting[0].name!r} reads {waiting[0].inputs}, which nothing makes")
            for one in ready:
                self._through(one)
            waiting = [one for one in waiting if not self._knows(one.name)]

    def at(self, name: str) -> tuple[str, Shape]:
        """Return the name in the new graph, and the shape, of a value that operators made."""
        if name not in self._values:
            raise refuse(f"no operator makes the value {name!r}")
        return self._values[name]

    def _knows(self, name: str) -> bool:
        return name in self._values or name in self._constants

    def _through(self, one: _Operator) -> None:
        if one.op == "Const":
            if one.name not in self.net.arrays:
                raise refuse(f"the array {one.name!r} is not there")
            self._constants[one.name] = self.net.arrays.any(one.name)
            return
        step = _STEPS.get(one.op)
        if step is None:
            raise refuse(f"the operator {one.op!r} is not one that networks for faces need")
        at, shape = step(self, one)
        if math.prod(shape) > MOST_ELEMENTS or min(shape, default=0) < 1:
            raise refuse(f"the value {one.name!r} would have the shape {shape}")
        self._values[one.name] = at, shape

    def _read(self, one: _Operator) -> tuple[str, Shape]:
        if not one.inputs:
            raise refuse(f"{one.name!r} reads nothing")
        return self.at(one.inputs[0])

    def _array(self, one: _Operator, index: int, *shape: int | None) -> AnyArray:
        """Return a constant input; raises WeightsCorrupt when it does not fit, with its name."""
        name = one.inputs[index] if index < len(one.inputs) else ""
        if name not in self._constants:
            raise refuse(f"{one.name!r} reads {name!r}, which is no array")
        found = self._constants[name]
        fits = len(shape) == found.ndim and all(
            want in (None, have) for want, have in zip(shape, found.shape, strict=True)
        )
        if not fits:
            raise refuse(f"the array {name!r} has the shape {found.shape}, wanted {shape}")
        return found

    def placeholder(self, one: _Operator) -> tuple[str, Shape]:
        """Begin: pictures of one size, three colors."""
        held = one.attributes.get("shape", {}).get("shape")
        dims = held.get("dim") if isinstance(held, dict) else None
        if not isinstance(dims, list):
            raise refuse(f"{one.name!r} has no shape")
        sides = [_integer(d.get("size"), 1 << 12) for d in dims[1:] if isinstance(d, dict)]
        if self._values or len(dims) != 4 or len(sides) != 3 or sides[2] != 3:
            raise refuse("it does not read one picture of three colors")
        self.sides = sides[0], sides[1]
        return self.net.planes(*self.sides), (3, *self.sides)

    def convolution(self, one: _Operator) -> tuple[str, Shape]:
        """Append a convolution, of all channels or of each, with what is fused into it."""
        at, shape = self._planes(one)
        by_channel = one.op == "DepthwiseConv2dNative"
        filters = self._array(one, 1, None, None, shape[0], 1 if by_channel else None)
        fused = one.fused()
        bias = self._array(one, 2, None) if "BiasAdd" in fused else None
        if by_channel:
            filters = filters.transpose(0, 1, 3, 2)
        if bias is not None and bias.shape != filters.shape[3:]:
            raise refuse(f"the array {one.inputs[2]!r} has the shape {bias.shape}")
        strides, same = one.pair("strides", LARGEST_STRIDE), one.same()
        if one.pair("dilations", 1) != (1, 1) or strides[0] != strides[1]:
            raise refuse(f"{one.name!r} is a convolution of an unknown kind")
        groups = shape[0] if by_channel else 1
        at = self.net.convolution(at, filters, bias, stride=strides[0], same=same, groups=groups)
        sides = _slid(shape[1:], filters.shape[:2], strides, same=same)
        return self._activated(at, fused), (filters.shape[3], *sides)

    def pooling(self, one: _Operator) -> tuple[str, Shape]:
        """Append the largest of each window."""
        at, shape = self._planes(one)
        window, strides = one.pair("ksize", LARGEST_WINDOW), one.pair("strides", LARGEST_STRIDE)
        at = self.net.add(
            "MaxPool", at, kernel_shape=[*window], strides=[*strides],
            auto_pad=b"SAME_UPPER" if one.same() else b"VALID",
        )  # fmt: skip
        return at, (shape[0], *_slid(shape[1:], window, strides, same=one.same()))

    def connected(self, one: _Operator) -> tuple[str, Shape]:
        """Append a product of matrices with what is fused into it."""
        at, shape = self._read(one)
        if (
            len(shape) != 1
            or one.attributes.get("transpose_b", {}).get("b")
            or (one.attributes.get("transpose_a", {}).get("b"))
        ):
            raise refuse(f"{one.name!r} is a product of an unknown kind")
        weights, fused = self._array(one, 1, shape[0], None), one.fused()
        at = self.net.add("MatMul", at, self.net.constant("weights", weights))
        if "BiasAdd" in fused:
            bias = self._array(one, 2, weights.shape[1])
            at = self.net.add("Add", at, self.net.constant("bias", bias))
        return self._activated(at, fused), (weights.shape[1],)

    def with_numbers(self, one: _Operator) -> tuple[str, Shape]:
        """Append a sum, product or bound with one number, or one for each channel."""
        at, shape = self._read(one)
        op = {"AddV2": "Add", "Minimum": "Min", "Maximum": "Max"}.get(one.op, one.op)
        name = one.inputs[1] if len(one.inputs) > 1 else ""
        if name in self._constants and self._constants[name].ndim == 0:
            numbers = self._array(one, 1)
        else:
            numbers = self._array(one, 1, shape[0])
            numbers = numbers.reshape(-1, *(1 for _ in shape[1:]))
        return self.net.add(op, at, self.net.constant("numbers", numbers)), shape

    def same_shape(self, one: _Operator) -> tuple[str, Shape]:
        """Append what works on each number by itself, or on a row of them."""
        at, shape = self._read(one)
        if one.op == "Identity":
            return at, shape
        if one.op == "Softmax" and len(shape) != 1:
            raise refuse(f"{one.name!r} is a softmax of planes")
        return self.net.add(one.op, at), shape

    def mean(self, one: _Operator) -> tuple[str, Shape]:
        """Append the mean of each plane."""
        at, shape = self._planes(one)
        if self._array(one, 1, 2).tolist() != [1, 2] or (
            one.attributes.get("keep_dims", {}).get("b")
        ):
            raise refuse(f"{one.name!r} is no mean of planes")
        return self.net.add("Flatten", self.net.add("GlobalAveragePool", at)), shape[:1]

    def flat(self, one: _Operator) -> tuple[str, Shape]:
        """Append what lays planes out as rows, in TensorFlow's order."""
        at, shape = self._planes(one)
        wanted = self._array(one, 1, 2).tolist()
        if wanted not in ([-1, math.prod(shape)], [1, math.prod(shape)]):
            raise refuse(f"the array {one.inputs[1]!r} is {wanted}, wanted {math.prod(shape)}")
        turned = self.net.add("Transpose", at, perm=[0, 2, 3, 1])
        return self.net.add("Flatten", turned), (math.prod(shape),)

    def _planes(self, one: _Operator) -> tuple[str, Shape]:
        at, shape = self._read(one)
        if len(shape) != 3 or one.text("data_format", "NHWC") != "NHWC":
            raise refuse(f"{one.name!r} reads no planes")
        return at, shape

    def _activated(self, at: str, fused: list[str]) -> str:
        return self.net.add("Relu", at) if "Relu" in fused else at


class _Operator:
    """An entry of the list of operators, its form checked."""

    def __init__(self, node: Any) -> None:
        entry = node if isinstance(node, dict) else {}
        inputs, attributes = entry.get("input", []), entry.get("attr", {})
        texts = [*inputs, entry.get("name"), entry.get("op")] if isinstance(inputs, list) else [0]
        if not all(isinstance(text, str) for text in texts) or not isinstance(attributes, dict):
            raise refuse("an entry of its operators is none")
        if not all(isinstance(value, dict) for value in attributes.values()):
            raise refuse(f"an attribute of {entry['name']!r} is none")
        self.name, self.op = str(entry["name"]), str(entry["op"])
        self.inputs: list[str] = inputs
        self.attributes: Mapping[str, Any] = attributes

    def text(self, key: str, default: str) -> str:
        """Return a text, which is kept in base 64."""
        return _text(self.attributes[key].get("s")) if key in self.attributes else default

    def same(self) -> bool:
        """Say whether it pads; raises WeightsCorrupt for a padding of another kind."""
        kind = self.text("padding", "")
        if kind not in ("SAME", "VALID"):
            raise refuse(f"{self.name!r} pads in the unknown way {kind[:20]!r}")
        return kind == "SAME"

    def pair(self, key: str, most: int) -> tuple[int, int]:
        """Return the numbers of rows and columns of a list of four."""
        held = self.attributes.get(key, {}).get("list")
        four = held.get("i") if isinstance(held, dict) else ["1"] * 4
        if not isinstance(four, list) or len(four) != 4:
            raise refuse(f"{key} of {self.name!r} are no four numbers")
        n, rows, columns, channels = (_integer(value, most) for value in four)
        if (n, channels) != (1, 1):
            raise refuse(f"{key} of {self.name!r} are {four}")
        return rows, columns

    def fused(self) -> list[str]:
        """Return what is fused into it; raises WeightsCorrupt for what is unknown."""
        held = self.attributes.get("fused_ops", {}).get("list")
        names = held.get("s", []) if isinstance(held, dict) else []
        if not isinstance(names, list):
            raise refuse(f"fused_ops of {self.name!r} are no list")
        found = [_text(name) for name in names]
        if found not in ([], ["BiasAdd"], ["BiasAdd", "Relu"]):
            raise refuse(f"into {self.name!r} is fused {', '.join(found)[:80]!r}")
        return found


def _text(value: Any) -> str:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True).decode()
    except (binascii.Error, ValueError) as problem:
        raise refuse(f"a text in it is none ({problem})") from problem


def _integer(value: Any, most: int) -> int:
    """Return a number that JSON keeps as text, 1 to ``most``."""
    text = str(value) if isinstance(value, int | str) else ""
    if text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most:
        return int(text)
    raise refuse(f"the number {value!r:.40} is not one from 1 to {most}")


def _slid(
    sides: Shape, window: tuple[int, ...], strides: tuple[int, int], *, same: bool
) -> tuple[int, ...]:
    """Return the sides of what a sliding window gives."""
    if not all(1 <= side <= LARGEST_WINDOW for side in window):
        raise refuse(f"a window has the sides {window}")
    return tuple(
        -(-side // stride) if same else (side - wide) // stride + 1
        for side, wide, stride in zip(sides, window, strides, strict=True)
    )


_STEPS: Mapping[str, Callable[[_Walk, _Operator], tuple[str, Shape]]] = {
    "Placeholder": _Walk.placeholder,
    **dict.fromkeys(("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative"), _Walk.convolution),
    "MaxPool": _Walk.pooling,
    **dict.fromkeys(("MatMul", "_FusedMatMul"), _Walk.connected),
    **dict.fromkeys(("Add", "AddV2", "Mul", "Minimum", "Maximum"), _Walk.with_numbers),
    **dict.fromkeys(("Identity", "Relu", "Sigmoid", "Softmax"), _Walk.same_shape),
    "Mean": _Walk.mean,
    "Reshape": _Walk.flat,
}
