"""The average face and all landmarks, before and after alignment: the theory of A0-01."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot
from facelign.types.arrays import ByteArray, Float64Array


def draw(
    before: ByteArray,
    after: ByteArray,
    points_before: npt.ArrayLike,
    points_after: npt.ArrayLike,
) -> Plot:
    """Return the four panels: averages above, points below; aligned faces fall onto each other.

    before, after: (n, h, w, 3) uint8 RGB of the same faces (sizes may differ between the two).
    points_before, points_after: (n, k, 2), px of those pictures.
    """
    figure, axes = style.figure(7.0, 7.2, rows=2, columns=2)
    numbers: dict[str, Float64Array] = {}
    told = []
    for column, (name, pictures, given) in enumerate(
        (("before", before, points_before), ("after", after, points_after))
    ):
        points = np.asarray(given, np.float64)
        if pictures.ndim != 4 or len(pictures) != len(points):
            raise BadArray(f"{name}: wanted as many pictures as point sets.")
        mean = pictures.astype(np.float64).mean(axis=0)
        height, width = mean.shape[:2]
        spread = points.std(axis=0) / (width, height) * 100
        text = f"{float(spread.mean()):.1f} %"
        told.append(f"{name}: points spread {text} of the side")
        style.picture(axes[column], mean.round().astype(np.uint8), f"Average face {name}")
        below = axes[2 + column]
        for k in range(points.shape[1]):
            color = style.LINES[k % len(style.LINES)] if points.shape[1] <= 7 else style.BLUE
            mark = style.MARKERS[k % len(style.MARKERS)]
            below.scatter(
                points[:, k, 0], points[:, k, 1], s=9, c=color, marker=mark, alpha=0.6, linewidths=0
            )
        below.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
        style.label(below, f"Landmarks {name} (spread {text})", "x, px", "y, px")
        numbers[f"{name}: spread x, %"] = spread[:, 0]
        numbers[f"{name}: spread y, %"] = spread[:, 1]
    # Always a picture of people: many photos of one person average to that person.
    alt = f"Average face and landmarks of {len(before)} photos; " + "; ".join(told) + "."
    return Plot("average-faces", figure, alt, numbers, photos=True)


def example() -> Plot:
    """Return the figure for made-up blobs."""
    draws = np.random.default_rng(2)
    base = np.array([[38, 52], [74, 52], [56, 72], [42, 92], [71, 92]], float)
    sets, pictures = [], []
    for spread in (7.0, 0.8):
        points = base + draws.normal(0, spread, (40, 1, 2)) + draws.normal(0, 0.5, (40, 5, 2))
        y, x = np.mgrid[:112, :112]
        far = ((x - points[:, :, 0, None, None]) ** 2 + (y - points[:, :, 1, None, None]) ** 2) / 30
        shade = (220 - 160 * np.exp(-far).max(axis=1)).astype(np.uint8)
        sets.append(points)
        pictures.append(np.repeat(shade[..., None], 3, axis=3))
    return draw(pictures[0], pictures[1], sets[0], sets[1])
