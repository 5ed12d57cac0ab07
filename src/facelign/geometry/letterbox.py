"""The one place that maps a photo into the picture a network reads, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facelign.types.arrays import Float32Array, FloatArray


@dataclass(frozen=True, slots=True)
class PlaneMap:
    """An axis-aligned map, photo -> network picture: ``x -> (x + 0.5) * s - 0.5 + shift``.

    scale: (sx, sy). shift: (x, y) px in the network picture (padding at left and top).
    """

    scale: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def same(self) -> bool:
        """Whether the picture is the photo."""
        return self.scale == (1.0, 1.0) and self.shift == (0.0, 0.0)

    def forward(self, points: FloatArray) -> Float32Array:
        """Return points (..., 2) of the photo in the network picture."""
        s, t = np.asarray(self.scale), np.asarray(self.shift)
        mapped: Float32Array = ((np.asarray(points, np.float64) + 0.5) * s - 0.5 + t).astype(
            np.float32
        )
        return mapped

    def back(self, points: FloatArray) -> Float32Array:
        """Return points (..., 2) of the network picture in the photo: the exact inverse."""
        s, t = np.asarray(self.scale), np.asarray(self.shift)
        mapped: Float32Array = ((np.asarray(points, np.float64) - t + 0.5) / s - 0.5).astype(
            np.float32
        )
        return mapped

    def boxes_back(self, boxes: FloatArray) -> Float32Array:
        """Return boxes (n, 4) of the network picture in the photo."""
        return self.back(np.asarray(boxes).reshape(-1, 2, 2)).reshape(-1, 4)

    def then(self, outer: PlaneMap) -> PlaneMap:
        """Return the map "this, then ``outer``"."""
        (sx, sy), (tx, ty) = self.scale, self.shift
        (ux, uy), (vx, vy) = outer.scale, outer.shift
        return PlaneMap((sx * ux, sy * uy), (tx * ux + vx, ty * uy + vy))
