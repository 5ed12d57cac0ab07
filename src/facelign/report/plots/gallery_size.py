"""Errors of a search over the size of the gallery: why a fixed threshold names strangers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves


def draw(lines: Sequence[Series], *, target: float | None = None) -> Plot:
    """Return FPIR or FNIR over the number of templates searched, both axes logarithmic.

    lines: x = templates, y = rate. target: the FPIR that was asked for.
    """
    figure, (axes,) = style.figure(6.2, 4.4)
    curves(axes, lines, where=lambda line: line.y > 0, marker=True)
    if target is not None:
        axes.axhline(target, color=style.BLACK, linestyle="--", label=f"wanted FPIR {target:g}")
    if any((line.y > 0).any() for line in lines):
        axes.set(xscale="log", yscale="log")
    else:  # nothing to take a logarithm of
        axes.text(0.5, 0.5, "No search ends in an error.", ha="center", transform=axes.transAxes)
    style.label(
        axes,
        "Search errors by gallery size",
        "Templates searched, logarithmic",
        "Rate, logarithmic",
    )
    style.legend(axes)
    said = ", ".join(line.label for line in lines)
    alt = f"Search errors over gallery size: {said}."
    return Plot("gallery-size", figure, alt, columns_of(lines, "templates", "rate"))


def example() -> Plot:
    """Return the figure for made-up numbers."""
    n = np.array([10, 30, 100, 300, 1000])
    return draw(
        [
            Series("strangers named (fixed threshold)", n, 1 - 0.999**n),
            Series("strangers named (by gallery size)", n, np.full(5, 0.0095)),
        ],
        target=0.01,
    )
