"""DET: one error against the other, both axes logarithmic (ISO/IEC 19795-1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves, legends
from facelign.types.arrays import BoolArray


def draw(
    lines: Sequence[Series],
    *,
    x: str = "False match rate (FMR)",
    y: str = "False non-match rate (FNMR)",
    title: str = "DET",
) -> Plot:
    """Return the DET curve of one or more systems.

    lines: x and y are error rates; points where one is 0 have no place on these axes and are left
    out. For a search, name the axes FPIR and FNIR.
    """
    figure, (axes,) = style.figure(5.8, 5.0)
    curves(axes, lines, where=_on_axes)
    seen = [side[_on_axes(line)] for line in lines for side in (line.x, line.y)]
    least = min((float(values.min()) for values in seen if len(values)), default=1e-3)
    low = 10.0 ** np.floor(np.log10(least))
    axes.plot([low, 1], [low, 1], color=style.GRAY, linewidth=0.8, linestyle=":")
    beside: dict[str, Any] = {"color": style.GRAY, "fontsize": 8, "transform": axes.transAxes}
    axes.text(0.8, 0.88, "equal errors", ha="center", va="center", rotation=40, **beside)
    if not any(len(values) for values in seen):
        text = "No threshold makes both kinds of errors."
        axes.text(0.5, 0.9, text, ha="center", **{**beside, "fontsize": 10})
    axes.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(low, 1))
    style.label(axes, title, f"{x}, logarithmic", f"{y}, logarithmic")
    style.legend(axes, loc="lower left")
    return Plot(
        "det", figure, f"DET curves of {legends(lines)}: lower is better.", columns_of(lines, x, y)
    )


def _on_axes(line: Series) -> BoolArray:
    both: BoolArray = (line.x > 0) & (line.y > 0)
    return both


def example() -> Plot:
    """Return the figure for two made-up systems."""
    x = np.logspace(-5, 0, 200)
    return draw(
        [
            Series("unaligned", x, 0.02 * x**-0.3 * (1 - x), note="EER 0.05"),
            Series("aligned", x, 0.002 * x**-0.3 * (1 - x), note="EER 0.009"),
        ]
    )
