"""Conversions: weights as published -> what our engines open. Nothing in a file is executed.

A converter is named in a WeightFile and runs once on the user's machine. Its version is part of
the name in the cache: raise it when the converter writes something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from facelign.errors import WeightsCorrupt


@dataclass(frozen=True, slots=True)
class Converter:
    """One conversion. entry: "module:function", called as ``function(raw, out)``; suffix: of out.

    apart: large weights are laid into a file beside the graph (``convert.apart``) once it is made.

    The function raises WeightsCorrupt when the raw file is not what it should be, in bounded time
    and memory.
    """

    name: str
    version: int
    suffix: str
    entry: str
    apart: bool = False

    def __call__(self, raw: Path, out: Path) -> None:
        """Convert the file ``raw`` into the new file ``out``."""
        module, _, function = self.entry.partition(":")
        getattr(import_module(module), function)(raw, out)
        if not out.is_file():
            raise WeightsCorrupt(f"{self.name} made nothing of {raw.name}.", "Report it as a bug.")


_ONNX = "facelign.models.convert.onnx_graph"
_DLIB = "facelign.models.convert.dlib"

CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        c.name: c
        for c in (
            # block-quantized weights unpacked, batch normalization folded, PRelu rewritten
            Converter("onnx-float32", 3, ".onnx", f"{_ONNX}:convert_batched", apart=True),
            # the same, for pictures of any size that is a multiple of 32
            Converter("onnx-yunet", 2, ".onnx", f"{_ONNX}:convert_yunet"),
            # PRelu rewritten, any batch; for files that hold float32 already
            Converter("onnx-prelu", 3, ".onnx", f"{_ONNX}:convert_batched", apart=True),
            Converter("dlib-resnet", 2, ".onnx", f"{_DLIB}:convert_resnet", apart=True),
            Converter("dlib-mmod", 1, ".onnx", f"{_DLIB}:convert_mmod"),
            Converter("dlib-shape", 1, ".npz", f"{_DLIB}:convert_shape"),
        )
    }
)
