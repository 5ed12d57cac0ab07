"""VGG-Face, Keras's file of weights in, ONNX out.

Architecture: Parkhi, Vedaldi, Zisserman, "Deep Face Recognition", BMVC 2015, table 3. Two files are
about: serengil/deepface's, whose layers have no names of their own and are poured in their order,
with the first dense layer as a convolution of 7x7; and rcmalli/keras-vggface's, whose dense layers
are dense. Of both the vector is the second dense layer after its ReLU (4096 numbers), or the third,
by person of the training (2622 numbers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facelign.errors import WeightsCorrupt
from facelign.files import disk
from facelign.models.convert import keras_file
from facelign.models.convert.graph import FLOAT32, Graph, Value, serialize
from facelign.models.convert.pouring import Pour
from facelign.runtime.onnx import Session
from facelign.types.arrays import AnyArray


@dataclass(frozen=True, slots=True)
class Form:
    """Sizes of the network. widths: channels of the five groups of convolutions."""

    side: int = 224
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    dense: int = 4096
    people: int = 2622


FORM = Form()
_DEPTHS = (2, 2, 3, 3, 3)


def convert(raw: Path, out: Path) -> None:
    """Write the network as ONNX; raises WeightsCorrupt.

    Input ``picture``: (n, 3, 224, 224) float32, BGR, less the means of its training. Output
    ``vector``: (n, 4096), not of unit length.
    """
    _converted(graph(keras_file.read(raw)), out)


def convert_people(raw: Path, out: Path) -> None:
    """The same with (n, 2622) numbers, one a person of the training, before the softmax."""
    _converted(graph(keras_file.read(raw), people=True), out)


def _converted(made: Graph, out: Path) -> None:
    Session(data := serialize(made)).open()
    disk.write(out, data)


def graph(arrays: Mapping[str, AnyArray], form: Form = FORM, *, people: bool = False) -> Graph:
    """Return the network with these weights, by the order of their layers in the file."""
    pour = Pour(_numbered(arrays, form), Value("picture", FLOAT32, ["n", 3, form.side, form.side]))
    x, wide, number = "picture", 3, 0
    for width, depth in zip(form.widths, _DEPTHS, strict=True):
        for _ in range(depth):
            channels = (wide, width)
            x = pour.convolved(x, f"{number}", channels, kernel=3, pad=1, bias=True)
            x, wide, number = pour.add("Relu", x), width, number + 1
        x = pour.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    side = form.side // 2 ** len(_DEPTHS)
    x = pour.convolved(x, f"{number}", (wide, form.dense), kernel=side, bias=True)
    x = pour.add("Relu", x)
    x = pour.add("Relu", pour.convolved(x, f"{number + 1}", (form.dense, form.dense), bias=True))
    last = f"{number + 2}"
    out = form.people if people else form.dense
    if people:
        x = pour.convolved(x, last, (form.dense, form.people), bias=True)
    pour.left(f"{last}.weight", f"{last}.bias")
    return pour.end({"vector": (pour.add("Flatten", x, axis=1), ["n", out])})


def _numbered(arrays: Mapping[str, AnyArray], form: Form) -> dict[str, AnyArray]:
    """Return the arrays by the number of their layer; dense kernels as convolutions."""
    layers = list(dict.fromkeys(name.rpartition("/")[0] for name in arrays))
    wanted = sum(_DEPTHS) + 3
    if len(layers) not in (wanted - 1, wanted):
        raise WeightsCorrupt(
            f"The file holds {len(layers)} layers with weights, wanted {wanted}.",
            "It is a file of another network: give the id of that one.",
        )
    found: dict[str, AnyArray] = {}
    side = form.side // 2 ** len(_DEPTHS)
    for number, layer in enumerate(layers):
        kernel = arrays.get(f"{layer}/kernel", np.zeros(0))
        if kernel.ndim == 2:  # rows, columns and channels of the map in one
            across = side if number == sum(_DEPTHS) and kernel.shape[0] % side**2 == 0 else 1
            kernel = kernel.reshape(across, across, -1, kernel.shape[1])
        if kernel.ndim == 4:
            found[f"{number}.weight"] = kernel.transpose(3, 2, 0, 1)
        if f"{layer}/bias" in arrays:
            found[f"{number}.bias"] = arrays[f"{layer}/bias"]
    return found
