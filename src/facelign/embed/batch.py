"""Chips -> vectors with an ONNX network: the part that every such embedder shares.

A model file of this room is a record and, as a rule, an empty subclass of ``OnnxEmbedder``: what
the network wants to be fed with stands in the record (``InputSpec``), what its vectors mean in
``EmbedderOutput``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facelign.errors import ConfigError, ModelError, ModelMismatch
from facelign.runtime.blob import blob_of
from facelign.runtime.onnx import OnnxOptions, Session
from facelign.types.arrays import AnyArray, ByteArray, Float32Array
from facelign.types.chips import Chips
from facelign.types.contracts import Embedder, WeightPaths
from facelign.types.embeddings import Embeddings
from facelign.types.specs import EmbedderOutput, ModelSpec


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """What may be chosen about an embedder; all but ``batch`` is part of the space.

    layout: id of the layout of the chips, "" for the one it was trained on. points: id of the
    scheme that places the chips, or "box". preprocessing: id of what was done to the photo before.
    flip: average the raw vectors of the chip and of its mirror image. unit: bring vectors to
    length 1; None as the record says. batch: pictures that go through the network together.
    """

    layout: str = ""
    points: str = "five"
    preprocessing: str = ""
    flip: bool = False
    unit: bool | None = None
    batch: int = 8

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError(
                f"Wanted a batch of at least one, got {self.batch}.", "Leave it out for eight."
            )


class OnnxEmbedder(Embedder):
    """An embedder made of one ONNX graph with one input; the first output is the vector.

    Raises ModelMismatch at construction for a record that is not that of an embedder.
    """

    Options = EmbedderOptions

    def __init__(
        self, spec: ModelSpec, files: WeightPaths, options: EmbedderOptions, engine: OnnxOptions
    ) -> None:
        output = spec.output
        if not isinstance(output, EmbedderOutput):
            raise ModelMismatch(
                f"The record of '{spec.id}' is not that of an embedder.", "See EmbedderOutput."
            )
        self.spec = spec
        self.options = options
        self.layout = options.layout or output.layout
        self.layouts = (self.layout,)
        self.space = output.space(
            spec.id,
            self.layout,
            options.points,
            preprocessing=options.preprocessing,
            flip=options.flip,
            unit=options.unit,
        )
        self._session = Session(files[spec.weights[0].name], engine)

    def prepare(self) -> None:
        """Open the network now; otherwise the first chips wait for it."""
        self._session.open()

    def embed(self, *chips: Chips) -> Embeddings:
        """Return the vectors of n chips of one layout, in their order; n = 0 gives the empty set.

        ``norms`` are the lengths before vectors are brought to length 1; with ``flip`` those of
        the average. Raises ModelMismatch for chips of another layout, size or kind of points.
        """
        if len(chips) != 1:
            layouts = f"{len(chips)} layouts" if chips else "none"
            raise ModelMismatch(f"'{self.space.id}' wants chips of one layout, got {layouts}.")
        return self._embed(chips[0])

    def _embed(self, chips: Chips) -> Embeddings:
        self._check(chips)
        if not len(chips):
            return Embeddings.none(self.space)
        step = max(1, self.options.batch // 2) if self.options.flip else self.options.batch
        starts = range(0, len(chips), step)
        raw = _joined([self._raw(chips.pixels[at : at + step]) for at in starts])
        norms = np.sqrt(np.square(raw, dtype=np.float64).sum(axis=1))
        if not ((norms > 0) & (norms < np.inf)).all():
            raise ModelError(
                f"'{self.spec.id}' gave a vector of length 0, or one that is not finite.",
                "Its file may be damaged (run 'facelign models verify'), or its record wrong: look "
                "at mean and std under [input].",
            )
        vectors = (raw / norms[:, None]).astype(np.float32) if self.space.unit else raw
        return Embeddings(vectors, self.space, norms.astype(np.float32))

    def _check(self, chips: Chips) -> None:
        wanted, size = (self.layout, self.options.points), self.spec.input.size
        if (chips.layout, chips.points_scheme) != wanted:
            raise ModelMismatch(
                f"'{self.space.id}' wants chips of layout '{self.layout}' placed by "
                f"'{self.options.points}', got '{chips.layout}' placed by '{chips.points_scheme}'.",
                f"Align with layout '{self.layout}', or load the model with other options.",
            )
        got = (chips.pixels.shape[2], chips.pixels.shape[1])
        if size is not None and got != size:
            raise ModelMismatch(
                f"'{self.spec.id}' reads chips of {size[0]}x{size[1]} px, got {got[0]}x{got[1]}.",
                f"Make the layout '{self.layout}' with size={size[0]}.",
            )

    def _raw(self, pixels: ByteArray) -> Float32Array:
        """Return the raw vectors (n, d) of chips (n, h, w, 3), averaged with their mirror's."""
        if not self.options.flip:
            return self._forward(pixels)
        both = self._forward(np.concatenate([pixels, pixels[:, :, ::-1]]))
        averaged: Float32Array = (both[: len(pixels)] + both[len(pixels) :]) * np.float32(0.5)
        return averaged

    def _forward(self, pixels: ByteArray) -> Float32Array:
        port, out = self._session.inputs[0], self._session.outputs[0]
        blob = blob_of(pixels, self.spec.input, raw=port.kind == "tensor(uint8)")
        # A file whose batch is fixed to 1 is fed one by one.
        parts = [blob] if port.shape[0] is None else [blob[i : i + 1] for i in range(len(blob))]
        found = [self._session.run({port.name: part}, [out.name])[0] for part in parts]
        vectors = _joined(found).reshape(len(pixels), -1)
        if vectors.shape[1] != self.space.dim:
            raise ModelMismatch(
                f"The record of '{self.spec.id}' promises {self.space.dim} numbers, its network "
                f"gives {vectors.shape[1]}.",
                f"Write dim = {vectors.shape[1]} in the record, under [output].",
            )
        return vectors.astype(np.float32, copy=False)


def _joined(parts: Sequence[AnyArray]) -> AnyArray:
    """Return rows of several arrays as one; one array is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
