"""ROC: true accept rate over false match rate, whole and with the low rates spread out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves, legends


def draw(lines: Sequence[Series], *, lowest: float = 1e-5, title: str = "ROC") -> Plot:
    """Return the ROC of one or more systems.

    lines: x = FMR, y = TAR, both in [0, 1]; drawn in the given order (blue, orange, ...). lowest:
    left end of the logarithmic panel; a claim left of 3 / (non-mated comparisons) has no data.
    """
    figure, (whole, low) = style.figure(9.2, 4.4, columns=2)
    curves(whole, lines)
    curves(low, lines, where=lambda line: line.x > 0, band=0.15)
    whole.plot([0, 1], [0, 1], color=style.GRAY, linewidth=0.8, linestyle=":")
    whole.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    style.label(whole, title, "False match rate (FMR)", "True accept rate (1 - FNMR)")
    style.legend(whole, loc="lower right")
    low.set_xscale("log")
    low.set_xlim(lowest, 1)
    low.set_ylim(_floor(lines, lowest), 1.005)
    style.label(low, "The same, low rates", "FMR (logarithmic)", "True accept rate (1 - FNMR)")
    return Plot("roc", figure, f"ROC curves of {legends(lines)}.", columns_of(lines, "FMR", "TAR"))


def _floor(lines: Sequence[Series], lowest: float) -> float:
    """Return a lower end of the TAR axis that keeps every line in view and wastes no room."""
    seen = [line.y[line.x >= lowest] for line in lines]
    worst = min((float(y.min()) for y in seen if len(y)), default=0.0)
    return max(0.0, float(np.floor(worst * 10 - 0.5)) / 10)


def example() -> Plot:
    """Return the figure for two made-up systems."""
    x = np.logspace(-5, 0, 200)
    return draw(
        [
            Series(
                "unaligned", x, 1 - (1 - x) ** 3 * 0.6 * (1 - 0.1 * np.log10(x)), note="AUC 0.93"
            ),
            Series("aligned", x, 1 - 0.05 * (1 - x) * (1 - 0.15 * np.log10(x)), note="AUC 0.99"),
        ]
    )
