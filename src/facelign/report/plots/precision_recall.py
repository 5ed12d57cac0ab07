"""Precision over recall of detectors: what is lost and what is made up, as scores fall."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves, legends


def draw(lines: Sequence[Series], *, title: str = "Detectors") -> Plot:
    """Return the curves. lines: x = recall, y = precision, both in [0, 1], recall rising."""
    figure, (axes,) = style.figure(6.0, 4.4)
    # the mark: where the detector's own threshold ends the curve
    curves(axes, lines, marker="o", markersize=5, markevery=[-1])
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    style.label(axes, title, "Recall (share of faces found)", "Precision")
    style.legend(axes, loc="lower left")
    columns = columns_of(lines, "recall", "precision")
    return Plot("precision-recall", figure, f"Precision over recall of {legends(lines)}.", columns)


def example() -> Plot:
    """Return the figure for two made-up detectors."""
    recall = np.linspace(0.01, 0.9, 80)
    return draw(
        [
            Series("yunet", recall, 1 - 0.4 * recall**6, note="AP 0.85"),
            Series("haar", recall[:60], 1 - 0.6 * recall[:60] ** 2, note="AP 0.52"),
        ]
    )
