"""A figure with its interval, row by row: groups, face heights, presets side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot

#: of more rows than this only the least and the greatest are told in words
MANY = 3


def draw(
    labels: Sequence[str],
    values: npt.ArrayLike,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    axis: str,
    title: str = "",
    target: float | None = None,
    log: bool = False,
) -> Plot:
    """Return one row a label: a dot and its 95 % interval. values, low, high: (m,)."""
    middle, left, right = (np.asarray(v, float) for v in (values, low, high))
    if not len(labels) == len(middle) == len(left) == len(right):
        raise BadArray("intervals: wanted one value, low and high a label.")
    place = np.arange(len(labels))[::-1]
    figure, (axes,) = style.figure(6.4 if target is None else 7.8, 1.3 + 0.36 * len(labels))
    axes.hlines(place, left, right, color=style.BLUE, linewidth=2)
    axes.plot(middle, place, "o", color=style.BLUE, markersize=6)
    if target is not None:
        axes.axvline(
            target,
            color=style.BLACK,
            linestyle="--",
            label=f"target {target:g}" if target else "no difference",
        )
    axes.set_yticks(place, labels)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    if log:
        axes.set_xscale("log")
    style.label(axes, title, f"{axis}, 95 % interval", "")
    # Beside the axes: rows reach from edge to edge, so that no place inside is free.
    style.legend(axes, loc="upper left", bbox_to_anchor=(1, 1))
    said = [
        f"{n} {m:.4g} ({a:.4g} to {b:.4g})"
        for n, m, a, b in zip(labels, middle, left, right, strict=True)
    ]
    if len(said) > MANY:
        least, most = said[int(middle.argmin())], said[int(middle.argmax())]
        said = [f"{len(said)} rows with their 95 % intervals, from {least} to {most}"]
    numbers = {"label": list(labels), "value": middle, "low": left, "high": right}
    return Plot("intervals", figure, f"{axis}: {'; '.join(said)}.", numbers)


def example() -> Plot:
    """Return the figure for made-up numbers."""
    return draw(
        ["default", "fast", "accurate"],
        [0.988, 0.957, 0.992],
        [0.979, 0.940, 0.986],
        [0.994, 0.970, 0.996],
        axis="TAR at FMR 1e-3",
        title="Presets on one set",
    )
