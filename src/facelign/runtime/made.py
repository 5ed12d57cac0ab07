"""Models without options: each is made of its record, and of a file where it has one."""

from __future__ import annotations

from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types.contracts import WeightPaths
from facelign.types.options import NoOptions
from facelign.types.specs import ModelSpec


class OfRecord:
    """A model that works without a network."""

    Options = NoOptions

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: NoOptions, engine: OnnxOptions
    ) -> None:
        self.spec, self.options = spec, options


class OfOneNetwork(OfRecord):
    """A model that runs the ONNX network of its first weight file."""

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: NoOptions, engine: OnnxOptions
    ) -> None:
        super().__init__(spec, files, options, engine)
        self._session = Session(files[spec.weights[0].name], engine)
