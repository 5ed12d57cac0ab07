"""CED: share of faces whose landmark error stays below x."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves, legends


def draw(
    lines: Sequence[Series],
    *,
    normalizer: str = "inter-ocular distance",
    marks: Sequence[float] = (0.08, 0.10),
) -> Plot:
    """Return the cumulative error distribution.

    lines: x = normalized mean error (a share of ``normalizer``), y = share of faces at or below
    it. marks: the usual ends of the area under the curve, drawn as thin lines.
    """
    figure, (axes,) = style.figure(6.0, 4.2)
    curves(axes, lines)
    for mark in marks:
        axes.axvline(mark, color=style.GRAY, linewidth=0.8, linestyle=":")
        axes.text(mark, 1.015, f"{mark:g}", color=style.GRAY, fontsize=8, ha="center")
    axes.set_ylim(0, 1.01)
    axes.set_xlim(left=0)
    style.label(axes, "Landmark error", f"Mean error / {normalizer}", "Share of faces")
    style.legend(axes, loc="lower right")
    alt = f"Cumulative landmark error of {legends(lines)}."
    return Plot("ced", figure, alt, columns_of(lines, "error", "share"))


def example() -> Plot:
    """Return the figure for two made-up landmarkers."""
    x = np.linspace(0, 0.15, 120)
    return draw(
        [
            Series("dlib-68", x, 1 - np.exp(-((x / 0.05) ** 2)), note="AUC@0.08 0.41"),
            Series("own", x, 1 - np.exp(-((x / 0.035) ** 2)), note="AUC@0.08 0.60"),
        ]
    )
