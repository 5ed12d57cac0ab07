"""TensorFlow Lite networks in floating point -> ONNX, as MediaPipe's for faces need it.

Pictures become channels first and the batch free. Every step says what shape it gives, which must
be the declared one, before any of it is computed; then the ONNX file is run against the steps
computed in NumPy, one by one as TFLite defines them, on a probe.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from facelign.files import disk
from facelign.models.convert import rewrites
from facelign.models.convert.graph import FLOAT32, Graph, Node, Value, clean, serialize
from facelign.models.convert.onnx_graph import agree, run
from facelign.models.convert.tflite_reader import (
    MOST_TOGETHER,
    FlatTable,
    Model,
    Operator,
    read,
    refuse,
    unpacked,
)
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray

#: multiplications of one run on the probe; a step over one place of a kernel counts for _STEP more
MOST_WORK, _STEP = 1 << 33, 1 << 14
#: longest side of a window, farthest of its steps
_WIDEST = 64
#: axes of pictures: rows, columns, channels last to channels first, and back
_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)

_FLOAT = np.dtype(np.float32)
#: steps over weights alone: float16, and sparse ones
_UNPACKING = ("DEQUANTIZE", "DENSIFY")

Shape = tuple[int, ...]
Reference = Callable[..., AnyArray]

#: ActivationFunctionType (schema.fbs), and what each computes
_RELU, _RELU6 = 1, 3
_BENT: Mapping[int, Reference] = MappingProxyType(
    {0: lambda v: v, _RELU: lambda v: np.maximum(v, 0), _RELU6: lambda v: np.clip(v, 0, 6)}
)


def convert(raw: Path, out: Path) -> None:
    """Convert a TFLite file whose one input is a picture (1, rows, columns, channels)."""
    model = read(raw)
    translation = Translation(model)
    graph = translation.graph
    rewrites.rewrite_prelu(graph)
    rewrites.free_batch(graph)
    clean(graph)
    data = serialize(graph)
    _verify(translation, data)
    disk.write(out, data)


def _verify(translation: Translation, data: bytes) -> None:
    net = Session(data)
    name = translation.graph.inputs[0].name
    shape = translation.model.tensors[translation.model.inputs[0]].shape
    probe = np.random.default_rng(2718).uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
    wanted = [translation.computed(one[None]) for one in probe]
    feed = np.ascontiguousarray(probe.transpose(_FIRST))
    for one, want in zip(feed, wanted, strict=True):
        agree(run(net, name, one[None]), want)
    agree(run(net, name, feed), [np.concatenate(pair) for pair in zip(*wanted, strict=True)])


class Translation:
    """A model, step by step: into the nodes of ``graph``, and into what NumPy computes of it.

    Values of four axes lie in the graph with channels first, all others as they are declared.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = Graph([], {}, [], [], opset=17, ir_version=8)
        self._constants: dict[int, AnyArray] = {}
        self._made: set[int] = set()
        self._steps: list[tuple[Reference, list[int], int]] = []
        self._work = 0
        if len(model.inputs) != 1 or len(self.shape(model.inputs[0])) != 4:
            raise refuse("its input is not one picture")
        if self.shape(model.inputs[0])[0] != 1:
            raise refuse("it reads several pictures at once")
        self._made.add(model.inputs[0])
        self.graph.inputs.append(self._picture(model.inputs[0]))
        for operator in model.operators:
            self._translate(operator)
        for i in model.outputs:
            if i not in self._made or i in model.inputs:
                raise refuse(f"the output {model.tensors[i].name!r} is never made")
            shape = self.shape(i)
            last = self._named(i)
            if len(shape) == 4:
                self._node("Transpose", [last], f"out{i}", perm=list(_LAST))
                last = f"out{i}"
            self.graph.outputs.append(Value(last, FLOAT32, list(shape)))

    def computed(self, picture: AnyArray) -> list[AnyArray]:
        """Return all outputs for a picture (1, rows, columns, channels), computed in NumPy."""
        values = dict(self._constants)
        values[self.model.inputs[0]] = picture
        for step, inputs, made in self._steps:
            found = step(*(values[i] for i in inputs))
            if found.shape != self.shape(made):
                raise refuse(f"a step gives {found.shape}, not {self.shape(made)}")
            values[made] = found
        return [values[i] for i in self.model.outputs]

    # what steps are made of

    def shape(self, i: int) -> Shape:
        """Return the declared shape of a tensor."""
        return self.model.tensors[i].shape

    def constant(self, i: int) -> AnyArray:
        """Return the numbers of a tensor that does not depend on the picture."""
        if i not in self._constants:
            if not 0 <= i < len(self.model.tensors) or self.model.tensors[i].packed is not None:
                raise refuse("weights are missing, or packed where they should not be")
            found = unpacked(self.model.tensors[i])
            self._constants[i] = found.astype(np.float32) if found.dtype.kind == "f" else found
        return self._constants[i]

    def _is_constant(self, i: int) -> bool:
        return i in self._constants or (i >= 0 and self.model.tensors[i].data is not None)

    def _named(self, i: int) -> str:
        """Return the name of a value in the graph."""
        if i in self._made:
            return f"v{i}"
        value = self.constant(i)
        if value.dtype != np.float32:
            raise refuse("whole numbers are computed with")
        return self._weight(value.transpose(_FIRST) if value.ndim == 4 else value)

    def _weight(self, value: AnyArray) -> str:
        return self.graph.constant("w", np.ascontiguousarray(value))

    def _picture(self, i: int) -> Value:
        shape = self.shape(i)
        return Value(f"v{i}", FLOAT32, [shape[axis] for axis in _FIRST])

    def _node(
        self, op: str, inputs: list[str], output: str, activation: int = 0, **attributes: object
    ) -> None:
        straight = f"{output}.straight" if activation else output
        self.graph.nodes.append(Node(op, inputs, [straight], attributes))
        if activation == _RELU:
            self.graph.nodes.append(Node("Relu", [straight], [output]))
        elif activation == _RELU6:
            ends = [self._weight(np.array(end, np.float32)) for end in (0, 6)]
            self.graph.nodes.append(Node("Clip", [straight, *ends], [output]))

    def _spent(self, multiplications: int, steps: int = 1) -> None:
        self._work += multiplications + steps * _STEP
        if self._work > MOST_WORK:
            raise refuse("one run of it would take too long")

    def _translate(self, operator: Operator) -> None:
        if operator.name not in (*_TRANSLATED, *_UNPACKING):
            raise refuse(f"it uses the operator {operator.name}, which is not read")
        if len(operator.outputs) != 1 or not operator.inputs or operator.inputs[0] < 0:
            raise refuse(f"an operator {operator.name} has not the inputs and outputs it should")
        made = operator.outputs[0]
        if made in self._made or self._is_constant(made):
            raise refuse(f"the value {self.model.tensors[made].name!r} is made twice")
        if operator.name in _UNPACKING:
            self._unpack(operator.inputs[0], made)
            return
        needs = 2 if operator.name in _PAIRS else 1
        inputs = [i for i in operator.inputs if i >= 0]
        if len(inputs) < needs or any(
            i not in self._made and not self._is_constant(i) for i in inputs
        ):
            raise refuse(f"an operator {operator.name} reads what nothing makes")
        if operator.inputs[0] not in self._made and operator.name not in ("ADD", "MUL"):
            raise refuse(f"an operator {operator.name} reads weights alone")
        before = len(self.graph.nodes)
        reference, shape = _TRANSLATED[operator.name](self, operator, f"v{made}")
        if shape != self.shape(made):
            raise refuse(
                f"{operator.name} would give {shape}, and the file says {self.shape(made)}"
            )
        self._spent(math.prod(shape), len(self.graph.nodes) - before)
        self._made.add(made)
        variable = [i for i in inputs if i in self._made]
        self._steps.append((reference, variable, made))

    def _unpack(self, i: int, made: int) -> None:
        if not self._is_constant(i):
            raise refuse("what should be weights depends on the picture")
        found = self._constants[i] if i in self._constants else unpacked(self.model.tensors[i])
        if found.shape != self.shape(made) or found.dtype.kind != "f":
            raise refuse("weights change their shape where they are unpacked")
        held = sum(value.size for value in self._constants.values()) + found.size
        if held > MOST_TOGETHER:
            raise refuse("its weights take too much memory")
        self._constants[made] = found.astype(np.float32)

    # the steps: each writes its nodes, and returns what computes it, and its shape

    def convolution(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """CONV_2D and DEPTHWISE_CONV_2D."""
        deep = operator.name == "DEPTHWISE_CONV_2D"
        x, options = operator.inputs[0], operator.options
        shape, weight = self.shape(x), self.constant(operator.inputs[1])
        if len(shape) != 4 or weight.ndim != 4 or weight.dtype != np.float32 or not weight.size:
            raise refuse("a convolution is not over a picture")
        # DEPTHWISE_CONV_2D: (1, rows, columns, out); CONV_2D: (out, rows, columns, in)
        first = weight.transpose(3, 0, 1, 2) if deep else weight.transpose(0, 3, 1, 2)
        outs, inside = first.shape[:2]
        groups = shape[3] // inside
        if groups < 1 or groups * inside != shape[3] or outs % groups or (deep and inside != 1):
            raise refuse(f"a convolution of {weight.shape} reads {shape[3]} channels")
        bias = np.zeros(outs, np.float32)
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            bias = self.constant(operator.inputs[2])
        if bias.shape != (outs,) or bias.dtype != np.float32:
            raise refuse("the offsets of a convolution do not fit it")
        fields = (4, 5, 6) if deep else (3, 4, 5)
        window = Window(self, shape, options, first.shape[2:], options_dilation=fields[1:])
        self._spent(math.prod(window.sides) * weight.size, math.prod(first.shape[2:]) * groups)
        kind, bent = _activation(options, fields[0])
        self._node(
            "Conv", [self._named(x), self._weight(first), self._weight(bias)], out, kind,
            group=groups, **window.attributes(),
        )  # fmt: skip

        def computed(picture: AnyArray) -> AnyArray:
            found = np.zeros((1, *window.sides, outs), np.float32)
            for row, column, seen in window.views(picture, 0.0):
                part = first[:, :, row, column]
                if inside == 1:
                    found += np.repeat(seen, outs // groups, axis=3) * part[:, 0]
                    continue
                own = outs // groups
                for g in range(groups):
                    found[..., g * own : (g + 1) * own] += (
                        seen[..., g * inside : (g + 1) * inside] @ part[g * own : (g + 1) * own].T
                    )
            return bent(found + bias)

        return computed, (1, *window.sides, outs)

    def pool(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """MAX_POOL_2D and AVERAGE_POOL_2D."""
        x, options = operator.inputs[0], operator.options
        shape, largest = self.shape(x), operator.name == "MAX_POOL_2D"
        if len(shape) != 4:
            raise refuse("a pool is not over a picture")
        sides = (options.number(4), options.number(3))
        if sides == shape[1:3] and not largest and _activation(options, 5)[0] == 0:
            return self._mean(x, out)
        window = Window(self, shape, options, sides, options_dilation=None)
        self._spent(math.prod(window.sides) * shape[3] * math.prod(sides), math.prod(sides))
        kind, bent = _activation(options, 5)
        attributes = window.attributes()
        del attributes["dilations"]
        op = "MaxPool" if largest else "AveragePool"
        self._node(op, [self._named(x)], out, kind, **attributes)

        def computed(picture: AnyArray) -> AnyArray:
            parts = window.views(picture, -np.inf if largest else np.nan)
            found = next(parts)[2].copy()
            if largest:
                for _, _, seen in parts:
                    np.maximum(found, seen, out=found)
                return bent(found)
            counts = np.isfinite(found).astype(np.float32)
            found = np.nan_to_num(found)
            for _, _, seen in parts:
                counts += np.isfinite(seen)
                found += np.nan_to_num(seen)
            return bent(found / counts)

        return computed, (1, *window.sides, shape[3])

    def mean(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """MEAN over the rows and columns of a picture, which stay as axes."""
        x, axes = operator.inputs[0], self.constant(operator.inputs[1])
        kept = operator.options.number(0, "<b")
        if len(self.shape(x)) != 4 or sorted(np.ravel(axes).tolist()) != [1, 2] or not kept:
            raise refuse("a MEAN is not that of a picture")
        return self._mean(x, out)

    def _mean(self, x: int, out: str) -> tuple[Reference, Shape]:
        shape = self.shape(x)
        if not math.prod(shape):
            raise refuse("a mean is taken of nothing")
        self._spent(math.prod(shape))
        self._node("GlobalAveragePool", [self._named(x)], out)
        return lambda v: v.mean(axis=(1, 2), keepdims=True), (1, 1, 1, shape[3])

    def enlarge(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """MediaPipe's Convolution2DTransposeBias whose windows lie side by side.

        Its step is in options that only MediaPipe reads; that what it gives is as much larger as
        the window says that they are the same (mediapipe/util/tflite/operations/
        transpose_conv_bias.cc).
        """
        if len(operator.inputs) != 3 or min(operator.inputs) < 0:
            raise refuse("a Convolution2DTransposeBias has not the inputs that it should")
        x, made = operator.inputs[0], self.shape(operator.outputs[0])
        shape = self.shape(x)
        weight, bias = (self.constant(i) for i in operator.inputs[1:])
        fits = len(shape) == 4 and weight.ndim == 4 and weight.size and weight.shape[3] == shape[3]
        if not fits or bias.shape != weight.shape[:1] or {weight.dtype, bias.dtype} != {_FLOAT}:
            raise refuse("a Convolution2DTransposeBias does not fit its picture")
        outs, high, wide, _ = weight.shape
        sizes = (1, shape[1] * high, shape[2] * wide, outs)
        if sizes != made or max(high, wide) > _WIDEST:
            raise refuse("the windows of a Convolution2DTransposeBias overlap")
        self._spent(math.prod(shape) * high * wide * outs)
        names = [self._weight(weight.transpose(3, 0, 1, 2)), self._weight(bias)]
        self._node("ConvTranspose", [self._named(x), *names], out, strides=[high, wide])

        def computed(v: AnyArray) -> AnyArray:
            parts = np.einsum("nrci,ohwi->nrhcwo", v, weight, dtype=np.float32)
            return np.asarray(parts.reshape(sizes) + bias)

        return computed, sizes

    def pair(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """ADD and MUL, one of which may be weights."""
        shapes = [self.shape(i) for i in operator.inputs[:2]]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError as problem:
            raise refuse(f"{operator.name} of {shapes[0]} and {shapes[1]}") from problem
        names = []
        for i in operator.inputs[:2]:
            short = len(shape) == 4 and len(self.shape(i)) < 4
            if short and not self._is_constant(i):
                raise refuse(f"{operator.name} of {shapes[0]} and {shapes[1]}")
            if short:  # spread over the axes before its own, which then come channels first
                value = self.constant(i).astype(np.float32)
                value = value.reshape((1,) * (4 - value.ndim) + value.shape)
                names.append(self._weight(value.transpose(_FIRST)))
            else:
                names.append(self._named(i))
        kind, bent = _activation(operator.options, 0)
        op, step = ("Add", np.add) if operator.name == "ADD" else ("Mul", np.multiply)
        self._node(op, names, out, kind)
        fixed = {
            at: self.constant(i) for at, i in enumerate(operator.inputs[:2]) if i not in self._made
        }

        def computed(*values: AnyArray) -> AnyArray:
            rest = iter(values)
            both = [fixed[at] if at in fixed else next(rest) for at in range(2)]
            return bent(np.asarray(step(*both)))

        return computed, shape

    def bend(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """RELU, RELU6, LOGISTIC, HARD_SWISH."""
        x = operator.inputs[0]
        if operator.name == "HARD_SWISH":
            self._node("HardSwish", [self._named(x)], out)
            return lambda v: v * np.clip(v + 3, 0, 6) / np.float32(6), self.shape(x)
        if operator.name == "LOGISTIC":
            self._node("Sigmoid", [self._named(x)], out)
            return lambda v: 1 / (1 + np.exp(-np.maximum(v, -80))), self.shape(x)
        kind = _RELU if operator.name == "RELU" else _RELU6
        self._node("Identity", [self._named(x)], out, kind)
        return _BENT[kind], self.shape(x)

    def prelu(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """PRELU, a slope a channel or a place."""
        x = operator.inputs[0]
        slope, shape = self.constant(operator.inputs[1]), self.shape(x)
        if len(shape) != 4 or slope.ndim not in (1, 3) or slope.dtype != np.float32:
            raise refuse("the slopes of a PRELU do not fit a picture")
        slope = slope.reshape((1,) * (3 - slope.ndim) + slope.shape)
        if any(a not in (1, b) for a, b in zip(slope.shape, shape[1:], strict=True)):
            raise refuse("the slopes of a PRELU do not fit its picture")
        self._node("PRelu", [self._named(x), self._weight(slope.transpose(2, 0, 1))], out)
        return lambda v: np.where(v < 0, v * slope, v), shape

    def pad(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """PAD with zeros, also of channels."""
        x = operator.inputs[0]
        shape, widths = self.shape(x), self.constant(operator.inputs[1])
        if len(shape) != 4 or widths.shape != (4, 2) or widths.dtype.kind != "i":
            raise refuse("a PAD does not fit a picture")
        if widths[0].any() or widths.min() < 0 or widths.max() > 1 << 12:
            raise refuse(f"a PAD is {widths.tolist()}")
        amounts = [int(widths[axis, side]) for side in range(2) for axis in _FIRST]
        self._node("Pad", [self._named(x), self._weight(np.array(amounts, np.int64))], out)
        wide = [(int(low), int(high)) for low, high in widths]
        sizes = tuple(n + low + high for n, (low, high) in zip(shape, wide, strict=True))
        return lambda v: np.pad(v, wide), sizes

    def resize(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """RESIZE_BILINEAR by a whole factor."""
        x, options = operator.inputs[0], operator.options
        shape, wanted = self.shape(x), self.constant(operator.inputs[1])
        if len(shape) != 4 or not math.prod(shape) or wanted.shape != (2,):
            raise refuse("a RESIZE_BILINEAR does not fit a picture")
        sides = int(wanted[0]), int(wanted[1])
        if any(not 0 < n <= 1 << 12 or n % old for n, old in zip(sides, shape[1:3], strict=True)):
            raise refuse(f"a RESIZE_BILINEAR goes from {shape[1:3]} to {sides}")
        corners, halves = options.number(2, "<b"), options.number(3, "<b")
        mode = "align_corners" if corners else "half_pixel" if halves else "asymmetric"
        factors = [1.0, 1.0, sides[0] / shape[1], sides[1] / shape[2]]
        self._node(
            "Resize", [self._named(x), "", self._weight(np.array(factors, np.float32))], out,
            mode="linear", coordinate_transformation_mode=mode,
        )  # fmt: skip

        def places(length: int, old: int) -> tuple[AnyArray, AnyArray, AnyArray]:
            at = np.arange(length, dtype=np.float64)
            if mode == "align_corners":
                at *= (old - 1) / max(length - 1, 1)
            else:
                shift = 0.5 if mode == "half_pixel" else 0.0
                at = np.clip((at + shift) * old / length - shift, 0, None)
            low = np.minimum(at.astype(np.int64), old - 1)
            share = (at - low).astype(np.float32)
            return low, np.minimum(low + 1, old - 1), share

        def computed(v: AnyArray) -> AnyArray:
            low, high, share = places(sides[0], shape[1])
            share = share.reshape(-1, 1, 1)
            v = v[:, low] * (1 - share) + v[:, high] * share
            low, high, share = places(sides[1], shape[2])
            share = share.reshape(-1, 1)
            found: AnyArray = v[:, :, low] * (1 - share) + v[:, :, high] * share
            return found

        return computed, (1, *sides, shape[3])

    def deal(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """DEPTH_TO_SPACE: channels dealt out over blocks of places."""
        x, block = operator.inputs[0], operator.options.number(0)
        shape = self.shape(x)
        if len(shape) != 4 or not 1 <= block <= _WIDEST or shape[3] % block**2:
            raise refuse("a DEPTH_TO_SPACE does not fit its picture")
        self._node("DepthToSpace", [self._named(x)], out, blocksize=block, mode="DCR")
        rows, columns, left = shape[1], shape[2], shape[3] // block**2
        sizes = (1, rows * block, columns * block, left)

        def computed(v: AnyArray) -> AnyArray:
            parts = v.reshape(rows, columns, block, block, left)
            return parts.transpose(0, 2, 1, 3, 4).reshape(sizes)

        return computed, sizes

    def reshape(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """RESHAPE, in the order of axes that the file means."""
        x, made = operator.inputs[0], operator.outputs[0]
        shape, wanted = self.shape(x), self.shape(made)
        if math.prod(shape) != math.prod(wanted) or not wanted or wanted[0] != 1:
            raise refuse(f"a RESHAPE goes from {shape} to {wanted}")
        name = self._named(x)
        if len(shape) == 4:
            self._node("Transpose", [name], f"{out}.last", perm=list(_LAST))
            name = f"{out}.last"
        flat = f"{out}.flat" if len(wanted) == 4 else out
        self._node("Reshape", [name, self._weight(np.array(wanted, np.int64))], flat)
        if len(wanted) == 4:
            self._node("Transpose", [flat], out, perm=list(_FIRST))
        return lambda v: v.reshape(wanted), wanted

    def join(self, operator: Operator, out: str) -> tuple[Reference, Shape]:
        """CONCATENATION of what depends on the picture."""
        inputs = operator.inputs
        if any(i not in self._made for i in inputs):
            raise refuse("a CONCATENATION joins weights")
        shapes = [self.shape(i) for i in inputs]
        rank, axis = len(shapes[0]), operator.options.number(0)
        if not -rank <= axis < rank or any(len(shape) != rank for shape in shapes):
            raise refuse("the parts of a CONCATENATION do not fit each other")
        axis %= rank
        rest = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        if len(rest) != 1 or axis == 0:
            raise refuse("the parts of a CONCATENATION do not fit each other")
        kind, bent = _activation(operator.options, 1)
        self._node(
            "Concat", [self._named(i) for i in inputs], out, kind,
            axis=_FIRST.index(axis) if rank == 4 else axis,
        )  # fmt: skip
        length = sum(shape[axis] for shape in shapes)
        first = shapes[0]
        return (
            lambda *parts: bent(np.concatenate(parts, axis)),
            (*first[:axis], length, *first[axis + 1 :]),
        )


def _activation(options: FlatTable, field: int) -> tuple[int, Reference]:
    """Return an activation's number and what it computes."""
    kind = options.number(field, "<b")
    if kind not in _BENT:
        raise refuse(f"the activation number {kind} is not read")
    return kind, _BENT[kind]


class Window:
    """How a window moves over a picture. sides: (rows, columns) of what it gives."""

    def __init__(
        self,
        translation: Translation,
        shape: Shape,
        options: FlatTable,
        kernel: tuple[int, ...],
        *,
        options_dilation: tuple[int, ...] | None,
    ) -> None:
        self.kernel = kernel
        self.steps = options.number(2), options.number(1)
        self.spread = (1, 1)
        if options_dilation is not None:
            wide, high = (options.number(field, default=1) for field in options_dilation)
            self.spread = high, wide
        if not all(1 <= n <= _WIDEST for n in (*kernel, *self.steps, *self.spread)):
            raise refuse(f"a window of {kernel} goes in steps of {self.steps}")
        same = options.number(0, "<b") == 0
        sides, low, high_pads = [], [], []
        for n, k, step, spread in zip(shape[1:3], kernel, self.steps, self.spread, strict=True):
            reach = (k - 1) * spread + 1
            if n < 1 or (not same and n < reach):
                raise refuse(f"a window of {kernel} does not fit into {shape[1:3]}")
            count = -(-n // step) if same else (n - reach) // step + 1
            missing = max((count - 1) * step + reach - n, 0) if same else 0
            sides.append(count)
            low.append(missing // 2)
            high_pads.append(missing - missing // 2)
        self.sides = (sides[0], sides[1])
        self.low, self.high = low, high_pads

    def attributes(self) -> dict[str, object]:
        """Return the attributes of ONNX's operators."""
        return {
            "kernel_shape": list(self.kernel),
            "strides": list(self.steps),
            "pads": [*self.low, *self.high],
            "dilations": list(self.spread),
        }

    def views(self, picture: AnyArray, outside: float) -> Iterator[tuple[int, int, AnyArray]]:
        """Yield row and column of the window, and what lies under that place of it."""
        wide = [(0, 0), (self.low[0], self.high[0]), (self.low[1], self.high[1]), (0, 0)]
        padded = np.pad(picture, wide, constant_values=outside)
        (rows, columns), (down, right) = self.sides, self.steps
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                y, x = row * self.spread[0], column * self.spread[1]
                yield row, column, padded[
                    :, y : y + (rows - 1) * down + 1 : down,
                    x : x + (columns - 1) * right + 1 : right,
                ]  # fmt: skip


_PAIRS = frozenset(
    {"ADD", "MUL", "MEAN", "CONV_2D", "DEPTHWISE_CONV_2D", "PAD", "PRELU", "RESIZE_BILINEAR"}
)
_TRANSLATED: Mapping[str, Callable[[Translation, Operator, str], tuple[Reference, Shape]]] = (
    MappingProxyType(
        {
            **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D"), Translation.convolution),
            **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), Translation.pool),
            **dict.fromkeys(("ADD", "MUL"), Translation.pair),
            **dict.fromkeys(("RELU", "RELU6", "LOGISTIC", "HARD_SWISH"), Translation.bend),
            "MEAN": Translation.mean,
            "custom Convolution2DTransposeBias": Translation.enlarge,
            "PRELU": Translation.prelu,
            "PAD": Translation.pad,
            "RESIZE_BILINEAR": Translation.resize,
            "DEPTH_TO_SPACE": Translation.deal,
            "RESHAPE": Translation.reshape,
            "CONCATENATION": Translation.join,
        }
    )
)
