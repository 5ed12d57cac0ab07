"""Arrays by name out of a file of weights, whichever of the formats that are read here it has."""

from __future__ import annotations

import zipfile
from pathlib import Path

from facelign.models.convert import (
    csv_folder,
    graph,
    keras_file,
    mxnet_file,
    torch7_file,
    torch_file,
)
from facelign.types.arrays import AnyArray

#: how an ONNX file begins: its first field, the version, is a number (onnx.proto)
_ONNX = b"\x08"
_MXNET = mxnet_file.MAGIC.to_bytes(8, "little")


def read(path: Path) -> dict[str, AnyArray]:
    """Return the arrays of a file by name; raises WeightsCorrupt.

    Formats: PyTorch, Torch7, Keras, MXNet, ONNX, a packed folder of CSV files. Names of PyTorch's
    parallel training lose their ``module.``; Keras's are PyTorch's (``conv1.weight``), and so are
    the axes; Torch7 has places instead of names.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start[:8] == _MXNET:
        return mxnet_file.read(path)
    inner = _zipped(path)
    if start[:8] == keras_file.MAGIC or any(name.endswith(".h5") for name in inner):
        return keras_file.as_torch(keras_file.read(path))
    if start[: len(torch7_file.MAGIC)] == torch7_file.MAGIC:
        return torch7_file.read(path)
    if start[:1] == _ONNX:
        return _of_graph(graph.read(path).constants)
    if any(name.endswith(".csv") for name in inner):
        return csv_folder.read(path)
    return {name.removeprefix("module."): value for name, value in torch_file.read(path).items()}


def _zipped(path: Path) -> list[str]:
    """Return the names of the files in a zip; none for another file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError):
        return []


def _of_graph(constants: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return what a network was trained to: single numbers are what its operators are given.

    Slopes of PReLU have the axes of a map behind them there.
    """
    return {
        name: value.reshape(len(value)) if value.shape[1:] == (1, 1) else value
        for name, value in constants.items()
        if value.size > 1
    }
