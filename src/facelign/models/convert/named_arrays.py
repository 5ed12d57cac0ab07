"""Arrays by name out of a file of weights, whichever of the formats that are read here it has."""

from __future__ import annotations

from pathlib import Path

from facelign.models.convert import graph, mxnet_file, torch_file
from facelign.types.arrays import AnyArray

#: how an ONNX file begins: its first field, the version, is a number (onnx.proto)
_ONNX = b"\x08"
_MXNET = mxnet_file.MAGIC.to_bytes(8, "little")


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file of PyTorch, MXNet or ONNX by name; raises WeightsCorrupt.

    Names of PyTorch's parallel training lose their ``module.``.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start == _MXNET:
        return mxnet_file.read(path)
    if start[:1] == _ONNX:
        return _of_graph(graph.read(path).constants)
    return {name.removeprefix("module."): value for name, value in torch_file.read(path).items()}


def _of_graph(constants: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return what a network was trained to: single numbers are what its operators are given.

    Slopes of PReLU have the axes of a map behind them there.
    """
    return {
        name: value.reshape(len(value)) if value.shape[1:] == (1, 1) else value
        for name, value in constants.items()
        if value.size > 1
    }
