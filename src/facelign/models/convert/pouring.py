"""Arrays of a file poured into an architecture by name, and the architecture written as a graph.

One file a family of networks says its layers with ``Pour``; the shapes that it wants are those of
its paper, and the first array that does not fit is named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.models.convert.graph import FLOAT32, Graph, Node, Value
from facelign.types.arrays import AnyArray, Float32Array

#: ONNX Runtime 1.20, the oldest supported, runs both
OPSET, IR_VERSION = 17, 8


class Pour:
    """A graph under construction, and the arrays that are left to be poured.

    arrays: by name, as PyTorch lays them: convolutions (out, in / groups, rows, columns). flat:
    they come as rows of numbers without a shape, and take the one that is wanted.
    """

    def __init__(
        self, arrays: Mapping[str, AnyArray], input_: Value, *, flat: bool = False
    ) -> None:
        self._arrays = dict(arrays)
        self._flat = flat
        self.graph = Graph([], {}, [input_], [], OPSET, IR_VERSION)
        self._count = 0

    def take(self, name: str, *shape: int) -> Float32Array:
        """Return an array, which is then poured; raises WeightsCorrupt, which names it."""
        found = self._arrays.pop(name, None)
        if found is None:
            raise WeightsCorrupt(f"The file lacks the array {name}.", "Pull it again.")
        if self._flat and found.size == math.prod(shape):
            found = found.reshape(shape)
        if found.shape != shape:
            raise WeightsCorrupt(
                f"The array {name} has the shape {found.shape}, wanted {shape}.",
                "It is a file of another network: give the id of that one.",
            )
        values = found.astype(np.float32)
        if not np.isfinite(values).all():
            raise WeightsCorrupt(f"The array {name} holds no numbers.", "Pull the file again.")
        return values

    def left(self, *without: str) -> None:
        """Raise WeightsCorrupt when arrays are left whose names do not end in ``without``."""
        more = [name for name in self._arrays if not name.endswith(without or ("\0",))]
        if more:
            raise WeightsCorrupt(
                f"The file holds {len(more)} arrays that this network has no place for, such as "
                f"{more[0]}.",
                "It is a file of another network: give the id of that one.",
            )

    def add(self, op: str, *inputs: str, **attributes: object) -> str:
        """Add an operator with one output; return the output's name."""
        self._count += 1
        name = f"v{self._count}"
        self.graph.nodes.append(Node(op, list(inputs), [name], dict(attributes)))
        return name

    def constant(self, value: AnyArray) -> str:
        """Add an array; return its name."""
        return self.graph.constant("c", value)

    def convolved(
        self,
        x: str,
        name: str,
        channels: tuple[int, int],
        *,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        pad: int | tuple[int, int] = 0,
        same: bool = False,
        groups: int = 1,
        dilation: int = 1,
        norm: str = "",
        bias: bool = False,
        epsilon: float = 1e-5,
    ) -> str:
        """Add a convolution ``name``, folded with the batch normalization ``norm`` where there is.

        channels: of input and output. kernel, pad: of rows and columns where they differ. same:
        edges as Keras and TensorFlow have them, more at the end. Source of the folding: Ioffe and
        Szegedy, ICML 2015.
        """
        into, out = channels
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        edges = (pad, pad) if isinstance(pad, int) else pad
        weight = self.take(f"{name}.weight", out, into // groups, *sides)
        shift = self.take(f"{name}.bias", out) if bias else np.zeros(out, np.float32)
        if norm:
            parts = ("weight", "bias", "running_mean", "running_var")
            gain, offset, mean, spread = (self.take(f"{norm}.{part}", out) for part in parts)
            factor = gain.astype(np.float64) / np.sqrt(spread.astype(np.float64) + epsilon)
            weight = (weight * factor[:, None, None, None]).astype(np.float32)
            shift = ((shift - mean) * factor + offset).astype(np.float32)
        return self.add(
            "Conv",
            x,
            self.constant(weight),
            self.constant(shift),
            kernel_shape=[*sides],
            strides=[stride, stride],
            group=groups,
            **({"dilations": [dilation] * 2} if dilation > 1 else {}),
            **({"auto_pad": b"SAME_UPPER"} if same else {"pads": [*edges, *edges]}),
        )

    def dense(self, x: str, name: str, into: int, out: int) -> str:
        """Add a dense layer with a bias; its weight is (out, in)."""
        matrix = self.take(f"{name}.weight", out, into)
        x = self.add("MatMul", x, self.constant(np.ascontiguousarray(matrix.T)))
        return self.add("Add", x, self.constant(self.take(f"{name}.bias", out)))

    def flat(self, x: str) -> str:
        """Add what lays a map out as Keras does: by row, column, channel."""
        return self.add("Flatten", self.add("Transpose", x, perm=[0, 2, 3, 1]), axis=1)

    def end(self, outputs: Mapping[str, tuple[str, Sequence[int | str]]]) -> Graph:
        """Return the graph. outputs: by the name that each gets, what it is now, and its shape."""
        for name, (value, shape) in outputs.items():
            self.graph.nodes.append(Node("Identity", [value], [name]))
            self.graph.outputs.append(Value(name, FLOAT32, list(shape)))
        return self.graph
