"""Error against reject: how far errors fall when the photos of lowest quality are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves


def draw(
    lines: Sequence[Series], *, error: str = "FNMR at a fixed threshold", ideal: bool = True
) -> Plot:
    """Return the curve of one or more quality numbers.

    lines: x = share of comparisons refused, y = error of the rest. ideal: also draw the line that
    refuses exactly the errors first, which nothing can beat.
    """
    figure, (axes,) = style.figure(6.0, 4.2)
    curves(axes, lines, unit=100, band=0.15)
    start = max((float(line.y[0]) for line in lines if len(line.y)), default=0.0)
    if ideal and 0 < start < 1:
        x = np.linspace(0, start, 50)
        axes.plot(x * 100, (start - x) / (1 - x), color=style.GRAY, linestyle=":", label="ideal")
    axes.set_ylim(bottom=0)
    style.label(axes, "Error against reject", "Refused, % of comparisons", error)
    style.legend(axes)
    said = ", ".join(line.label for line in lines)
    alt = f"{error} as comparisons are refused by {said}."
    return Plot("error-reject", figure, alt, columns_of(lines, "refused", "error"))


def example() -> Plot:
    """Return the figure for two made-up quality numbers."""
    x = np.linspace(0, 0.3, 31)
    return draw(
        [
            Series("face height", x, 0.04 * np.exp(-6 * x)),
            Series("sharpness", x, 0.04 * np.exp(-2 * x)),
        ]
    )
