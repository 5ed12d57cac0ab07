"""Several embedders as one: unit vectors, each scaled by the root of its weight, end to end.

The cosine of two such vectors is the weighted sum of the cosines of the parts, so that galleries,
indexes and calibrations need nothing new (a sum of scores of the parts would need all of them).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.errors import BadArray, ConfigError, ModelMismatch
from facelign.types.arrays import Float64Array, FloatArray
from facelign.types.chips import Chips
from facelign.types.contracts import Embedder
from facelign.types.embeddings import Embeddings, Metric, Space

#: digits of a weight, in the id of the space and in the vectors alike
DIGITS = 4


class Joint(Embedder):
    """A fusion of at least two embedders. weights: shares of the cosines, brought to sum 1.

    The space spells parts and weights: ``joint(A*0.4500+B*0.5500)``. Raises ConfigError for
    weights that cannot be meant.
    """

    def __init__(self, embedders: Sequence[Embedder], weights: Sequence[float]) -> None:
        self.embedders = tuple(embedders)
        self.weights = shares(weights, len(self.embedders))
        spelled = "+".join(
            f"{part.space.id}*{weight:.{DIGITS}f}"
            for part, weight in zip(self.embedders, self.weights, strict=True)
        )
        dim = sum(part.space.dim for part in self.embedders)
        self.space = Space(f"joint({spelled})", dim, Metric.COSINE, unit=True)
        self.layouts = tuple(dict.fromkeys(name for p in self.embedders for name in p.layouts))

    @property
    def parts(self) -> tuple[Space, ...]:
        """The spaces of the embedders, whose vectors lie end to end in the joint one."""
        return tuple(part.space for part in self.embedders)

    def prepare(self) -> None:
        """Open every embedder."""
        for part in self.embedders:
            part.prepare()

    def embed(self, *chips: Chips) -> Embeddings:
        """Return the joint vectors of n faces. chips: their n chips, once a layout.

        ``norms`` are those of the first part. Raises ModelMismatch when a layout is not there,
        BadArray when the sets are not of one length.
        """
        by_layout = {part.layout: part for part in chips}
        missing = [name for name in self.layouts if name not in by_layout]
        if missing:
            raise ModelMismatch(
                f"'{self.space.id}' wants chips of layout '{missing[0]}', got "
                f"{', '.join(sorted(by_layout)) or 'none'}.",
                "Align the faces with every layout of the fusion.",
            )
        lengths = {name: len(by_layout[name]) for name in self.layouts}
        if len(set(lengths.values())) != 1:
            raise BadArray(f"chips: wanted the same faces in every layout, got {lengths}.")
        vectors = [
            part.embed(*(by_layout[name] for name in part.layouts)) for part in self.embedders
        ]
        return self.joined(vectors)

    def joined(self, parts: Sequence[Embeddings]) -> Embeddings:
        """Return the joint vectors of the vectors of the parts, which are given in their order."""
        got = [part.space.id for part in parts]
        wanted = [part.space.id for part in self.embedders]
        if got != wanted:
            raise ModelMismatch(f"A joint of {wanted} cannot be made of {got}.", "Check the order.")
        scaled = [
            _unit(part.vectors) * np.sqrt(weight)
            for part, weight in zip(parts, self.weights, strict=True)
        ]
        vectors = _unit(np.concatenate(scaled, axis=1)).astype(np.float32)
        return Embeddings(vectors, self.space, parts[0].norms)


def shares(weights: Sequence[float], count: int) -> tuple[float, ...]:
    """Return ``weights`` brought to sum 1 and rounded to the digits that the space's id shows."""
    given = [float(weight) for weight in weights]
    if count < 2 or len(given) != count or not all(0 < w < float("inf") for w in given):
        raise ConfigError(
            f"A fusion wants two embedders or more and a weight above 0 for each, got {count} "
            f"and {given}.",
            "Leave an embedder out instead of giving it the weight 0.",
        )
    rounded = [round(weight / sum(given), DIGITS) for weight in given]
    rounded[-1] = round(1.0 - sum(rounded[:-1]), DIGITS)
    if min(rounded) <= 0:
        raise ConfigError(
            f"The weights {given} leave one embedder without a share.", "Leave that embedder out."
        )
    return tuple(rounded)


def _unit(vectors: FloatArray) -> Float64Array:
    wide = vectors.astype(np.float64)
    unit: Float64Array = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return unit
