"""One figure of several arms over a list of conditions: layouts over lean, over degradation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot, Series, curves


def draw(
    lines: Sequence[Series],
    conditions: Sequence[str],
    *,
    axis: str,
    title: str = "",
    x: str = "",
) -> Plot:
    """Return one line an arm. lines: x = places of ``conditions`` (0, 1, ...), y = the figure."""
    if any((line.x < 0).any() or (line.x >= len(conditions)).any() for line in lines):
        raise BadArray("arms: wanted x to be places in the list of conditions.")
    figure, (axes,) = style.figure(7.4, 4.4)
    numbers: dict[str, object] = {"condition": list(conditions)}
    curves(axes, lines, marker=True, band=0.12)
    for line in lines:
        by_place = dict(zip(line.x.astype(int).tolist(), line.y.tolist(), strict=True))
        numbers[line.label] = [by_place.get(place, "") for place in range(len(conditions))]
    axes.set_xticks(np.arange(len(conditions)), conditions)
    axes.set_ylim(-0.02, 1.03)
    style.label(axes, title, x, axis)
    style.legend(axes, loc="center left", bbox_to_anchor=(1, 0.5))
    said = "; ".join(
        f"{line.label} {100 * line.y[0]:.2f} % to {100 * line.y[-1]:.2f} %"
        for line in lines
        if len(line.y)
    )
    return Plot("arms", figure, f"{axis} over {', '.join(conditions)}: {said}.", numbers)


def example() -> Plot:
    """Return the figure for made-up numbers."""
    places = np.arange(4.0)
    return draw(
        [
            Series("unaligned", places, np.array([0.31, 0.2, 0.08, 0.03])),
            Series("five points", places, np.array([0.98, 0.98, 0.97, 0.95])),
        ],
        ["0 deg", "15 deg", "30 deg", "45 deg"],
        axis="TAR at FMR 1e-3",
        title="Made-up arms",
        x="Lean of the head",
    )
