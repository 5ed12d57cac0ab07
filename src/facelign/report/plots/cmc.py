"""CMC: share of probes whose own person is among the first r candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot, Series, columns_of, curves


def draw(lines: Sequence[Series], *, title: str = "CMC (closed set)") -> Plot:
    """Return the cumulative match curve. lines: x = rank from 1, y = share in [0, 1].

    Raises BadArray for a line without a rank.
    """
    for line in lines:
        if not len(line.x):
            raise BadArray(f"cmc: the line '{line.label}' has no rank: nobody was searched for.")
    figure, (axes,) = style.figure(6.0, 4.2)
    curves(axes, lines, marker=True, markersize=4)
    worst = min((float(line.y.min()) for line in lines), default=0.0)
    axes.set_ylim(max(0.0, worst - 0.05), 1.005)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.label(axes, title, "Rank r (candidates looked at)", "Share found within r")
    style.legend(axes, loc="lower right")
    said = "; ".join(f"{line.label}: rank 1 {100 * line.y[0]:.2f} %" for line in lines)
    return Plot(
        "cmc", figure, f"Cumulative match curve. {said}.", columns_of(lines, "rank", "share")
    )


def example() -> Plot:
    """Return the figure for two made-up systems."""
    rank = np.arange(1.0, 11.0)
    return draw(
        [Series("best template", rank, 1 - 0.04 / rank), Series("mean", rank, 1 - 0.06 / rank)]
    )
