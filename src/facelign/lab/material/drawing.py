"""Figures and cells that reports of several protocols share."""

from __future__ import annotations

from collections.abc import Mapping

from facelign.compare.curves import ScoreSet, curve
from facelign.lab.statistics.paired import Difference
from facelign.lab.statistics.resampling import Interval
from facelign.report.plot import Plot, Series
from facelign.report.plots import intervals


def roc_line(name: str, scores: ScoreSet, auc: float) -> Series:
    """Return the ROC of scores as a line of a figure."""
    steps = curve(scores).thinned(600)
    return Series(name, steps.fmr[::-1], steps.tar[::-1], note=f"AUC {auc:.4f}")


def spreads(
    figures: Mapping[str, Interval | None],
    *,
    axis: str,
    title: str = "",
    target: float | None = None,
) -> Plot | None:
    """Return figures with their intervals, one a row; None where none has an interval."""
    known = {name: figure for name, figure in figures.items() if figure is not None}
    if not known:
        return None
    return intervals.draw(
        list(known),
        [figure.value for figure in known.values()],
        [figure.low for figure in known.values()],
        [figure.high for figure in known.values()],
        axis=axis,
        title=title,
        target=target,
    )


def difference_cells(gap: Difference) -> list[str]:
    """Return the cells of a table for a difference in accuracy and TAR, each with its interval."""
    cells: list[str] = []
    for name, digits in (("accuracy", 4), ("tar", 3)):
        figure = gap.figures.get(name)
        if figure is None:
            cells += ["-", ""]
        else:
            ends = f"{figure.low:+.{digits}f} to {figure.high:+.{digits}f}"
            cells += [f"{figure.value:+.{digits}f}", ends]
    return cells
