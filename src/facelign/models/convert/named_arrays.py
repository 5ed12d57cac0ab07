"""Arrays by name out of a file of weights, whichever of the formats that are read here it has."""

from __future__ import annotations

from pathlib import Path

from facelign.models.convert import graph, torch_file
from facelign.types.arrays import AnyArray

#: how an ONNX file begins: its first field, the version, is a number (onnx.proto)
_ONNX = b"\x08"


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file of PyTorch or ONNX by name; raises WeightsCorrupt.

    Names of PyTorch's parallel training lose their ``module.``.
    """
    with path.open("rb") as file:
        start = file.read(8)
    arrays = graph.read(path).constants if start[:1] == _ONNX else torch_file.read(path)
    return {
        # ONNX keeps the slopes of PReLU with the axes of a map behind them
        name.removeprefix("module."): value.reshape(len(value))
        if value.shape[1:] == (1, 1)
        else value
        for name, value in arrays.items()
    }
