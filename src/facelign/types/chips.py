"""Aligned faces, ready for an embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facelign.errors import BadArray
from facelign.types.arrays import Arrays, ByteArray, Float64Array, Selector, checked, picked


@dataclass(frozen=True, slots=True, eq=False)
class Chips(Arrays):
    """n aligned faces of one layout.

    pixels: (n, h, w, 3) uint8 RGB. to_chip: (n, 2, 3) float64, photo px -> chip px, or None for
    pictures that came as chips. points_scheme: id of the scheme that placed them, or "box".
    """

    pixels: ByteArray
    layout: str
    to_chip: Float64Array | None = None
    points_scheme: str = "five"

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "pixels", checked("chips", self.pixels, np.uint8, (None, None, None, 3)))
        if self.to_chip is not None:
            shape = (len(self.pixels), 2, 3)
            put(self, "to_chip", checked("to_chip", self.to_chip, np.float64, shape))

    def __len__(self) -> int:
        return len(self.pixels)

    def __repr__(self) -> str:
        _, height, width, _ = self.pixels.shape
        return f"Chips({len(self)} of {width} x {height} px, layout={self.layout!r})"

    def __getitem__(self, index: int | Selector) -> Chips:
        pick = picked("chip", index, len(self))
        matrices = None if self.to_chip is None else self.to_chip[pick]
        return Chips(self.pixels[pick], self.layout, matrices, self.points_scheme)

    @classmethod
    def joined(cls, parts: Sequence[Chips]) -> Chips:
        """Return the chips of several photos as one batch; raises BadArray when layouts differ."""
        if not parts:
            raise BadArray("chips: nothing to join.")
        if len(parts) == 1:
            return parts[0]
        kinds = {(p.layout, p.points_scheme, p.pixels.shape[1:]) for p in parts}
        if len(kinds) != 1:
            raise BadArray(f"chips: wanted one layout, got {sorted(k[0] for k in kinds)}.")
        pixels = np.concatenate([p.pixels for p in parts])
        maps = [p.to_chip for p in parts if p.to_chip is not None]
        matrices = np.concatenate(maps) if len(maps) == len(parts) else None
        return cls(pixels, parts[0].layout, matrices, parts[0].points_scheme)
