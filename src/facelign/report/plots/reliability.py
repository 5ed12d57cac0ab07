"""Reliability: does a stated probability happen that often?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from facelign.report import style
from facelign.report.plot import Plot


def draw(
    predicted: npt.ArrayLike,
    observed: npt.ArrayLike,
    counts: npt.ArrayLike,
    *,
    ece: float | None = None,
    title: str = "Reliability",
) -> Plot:
    """Return observed share over stated probability, a point a bin, with how many stand behind it.

    predicted, observed: (m,) in [0, 1], bin by bin; counts: (m,). ece: expected calibration error.
    """
    said, seen = np.asarray(predicted, float), np.asarray(observed, float)
    many = np.asarray(counts)
    figure, (axes, below) = style.figure(
        5.4, 5.6, rows=2, sharex=True, gridspec_kw={"height_ratios": [4, 1]}
    )
    axes.plot([0, 1], [0, 1], color=style.GRAY, linestyle=":", label="as stated")
    shown = many > 0
    axes.plot(said[shown], seen[shown], "o-", color=style.BLUE, label="observed")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    named = title if ece is None else f"{title}: expected calibration error {ece:.4f}"
    style.label(axes, named, "", "Observed share of mated pairs")
    style.legend(axes, loc="upper left")
    below.bar(said[shown], many[shown], width=0.6 / max(len(many), 1), color=style.GRAY)
    if shown.any() and many[shown].max() > 20 * many[shown].min():
        below.set_yscale("log")
    else:  # a logarithmic axis of one decade labels every step between 39 and 40
        below.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
        below.set_ylim(bottom=0)
    style.label(below, "", "Stated probability of the same person", "Pairs")
    numbers = {"predicted": said, "observed": seen, "pairs": many}
    return Plot("reliability", figure, f"{named}, over {int(many.sum()):,} pairs.", numbers)


def example() -> Plot:
    """Return the figure for made-up numbers."""
    said = np.linspace(0.05, 0.95, 10)
    counts = np.array([4200, 130, 60, 40, 30, 28, 35, 60, 120, 390])
    return draw(said, said**1.15, counts, ece=0.012)
