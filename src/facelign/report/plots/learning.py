"""Losses over epochs: how models learned, where each was best and where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves


def draw(
    lines: Sequence[Series],
    best: Mapping[str, int] | None = None,
    *,
    title: str = "Validation loss",
    y: str = "Loss, logarithmic",
) -> Plot:
    """Return the curves, the y axis logarithmic; each ends where its run stopped.

    lines: x = epoch, y = loss. best: label of a line -> its best epoch, which is ringed.
    """
    figure, (axes,) = style.figure(6.2, 4.4)
    curves(axes, lines, where=lambda line: line.y > 0)
    for line in lines:
        at = np.flatnonzero(line.x == (best or {}).get(line.label, -1))
        axes.plot(line.x[-1:], line.y[-1:], "|", color=style.BLACK, markersize=10)
        axes.plot(line.x[at], line.y[at], "o", color=style.BLACK, fillstyle="none")
    if any((line.y > 0).any() for line in lines):
        axes.set(yscale="log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.label(axes, title, "Epoch (ring: best; stroke: stop)", y)
    style.legend(axes)
    ends = ", ".join(f"{line.label} stops at epoch {line.x[-1]:.0f}" for line in lines)
    return Plot("learning", figure, f"{title} over epochs: {ends}.", columns_of(lines, "epoch", y))


def example() -> Plot:
    """Return the figure for made-up numbers."""
    epochs = np.arange(1.0, 25)
    overfit = 0.03 * np.exp(-epochs / 6) + 0.004 + 0.0002 * np.maximum(epochs - 14, 0)
    longer = np.arange(1.0, 31)
    lines = [
        Series("regressor", epochs, overfit),
        Series("heat map", longer, 0.02 * np.exp(-longer / 8) + 0.003),
    ]
    return draw(lines, {"regressor": 19, "heat map": 30})
