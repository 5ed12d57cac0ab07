"""Mated and non-mated scores as two histograms, with the threshold between them (A3-12)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facelign.report import style
from facelign.report.plot import Plot

BINS = 60


def draw(
    mated: npt.ArrayLike,
    non_mated: npt.ArrayLike,
    *,
    threshold: float | None = None,
    axis: str = "Score (larger is more alike)",
    title: str = "Scores of pairs whose truth is known",
) -> Plot:
    """Return both distributions, each scaled to area 1: their counts differ a hundredfold.

    mated: (n,), non_mated: (m,) scores or distances; ``axis`` names which, with its unit.
    threshold: drawn dashed, as the threshold.
    """
    same, other = np.asarray(mated, np.float64), np.asarray(non_mated, np.float64)
    edges = np.histogram_bin_edges(np.concatenate([same, other]), bins=BINS)
    figure, (axes,) = style.figure(6.8, 4.2)
    heights = []
    for values, name, look in (
        (other, "non-mated (two people)", style.NON_MATED),
        (same, "mated (one person)", style.MATED),
    ):
        share, _ = np.histogram(values, edges, density=True)
        heights.append(share)
        axes.stairs(share, edges, fill=True, alpha=0.25, color=look["color"])
        axes.stairs(
            share,
            edges,
            color=look["color"],
            hatch=look["hatch"],
            linewidth=1.6,
            label=f"{name}: {len(values):,}",
        )
    if threshold is not None:
        axes.axvline(
            threshold, color=style.BLACK, linestyle="--", label=f"threshold {threshold:.3f}"
        )
    axes.set_ylim(0, 1.3 * max(float(h.max()) for h in heights))  # room for the legend
    style.label(axes, title, axis, "Density (each area is 1)")
    style.legend(axes)
    numbers = {"from": edges[:-1], "to": edges[1:], "non-mated": heights[0], "mated": heights[1]}
    alt = f"Histograms of {len(same):,} mated and {len(other):,} non-mated comparisons"
    where = "" if threshold is None else f", threshold {threshold:.3f}"
    return Plot("histograms", figure, f"{alt}{where}.", numbers)


def example() -> Plot:
    """Return the figure for made-up scores."""
    draws = np.random.default_rng(3)
    return draw(draws.normal(0.65, 0.12, 450), draws.normal(0.05, 0.1, 4500), threshold=0.36)
