"""How every figure looks: colors that color-blind people and printers keep apart.

Colors are Okabe and Ito's eight (Color Universal Design, 2008). A line also has a style of its
own, so that a figure survives a black-and-white printer. matplotlib's object interface only: no
pyplot, so no global state, no window, and threads may draw side by side.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from itertools import cycle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from facelign.errors import ExtraMissing

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
except ImportError as error:
    raise ExtraMissing(
        "Figures need matplotlib, which is not installed.", "pip install 'facelign[report]'"
    ) from error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GRAY = "#6B6B6B"

#: order of lines in a figure: the first two are blue (unaligned) and orange (aligned), as in A0-12
LINES: tuple[str, ...] = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (6, 2, 1.5, 2)),
    (0, (1.5, 1.5)),
    (0, (9, 3)),
    (0, (4, 1.5, 1.5, 1.5, 1.5, 1.5)),
    (0, (3, 4)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">")

#: the two truths, everywhere the same: color and hatch
MATED: Mapping[str, str] = MappingProxyType({"color": BLUE, "hatch": "///"})
NON_MATED: Mapping[str, str] = MappingProxyType({"color": VERMILION, "hatch": "\\\\\\"})

DPI = 120

_SIGNED = LinearSegmentedColormap.from_list("signed", (BLUE, "#FFFFFF", VERMILION))
_UNSIGNED = LinearSegmentedColormap.from_list("unsigned", ("#FFFFFF", VERMILION))


def figure(
    width: float = 6.4, height: float = 4.4, *, rows: int = 1, columns: int = 1, **layout: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``width`` x ``height`` inches and its axes, row by row."""
    room = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)  # inches: titles keep off the edge
    made = Figure(figsize=(width, height), dpi=DPI, layout=room, facecolor="white")
    FigureCanvasAgg(made)
    axes = made.subplots(rows, columns, squeeze=False, **layout)
    return made, list(axes.flat)


def signed(values: Any) -> dict[str, Any]:
    """Return the color map of vectors, for ``imshow``: 0 is white, below blue, above vermilion.

    values: any array; its largest magnitude gets the full color.
    """
    limit = float(np.abs(np.asarray(values, np.float64)).max(initial=0.0)) or 1.0
    return {"cmap": _SIGNED, "vmin": -limit, "vmax": limit}


def unsigned(values: Any) -> dict[str, Any]:
    """Return the color map of what is never below 0, for ``imshow``: 0 is white as in ``signed``.

    values: any array; its largest value gets the full color.
    """
    largest = float(np.asarray(values, np.float64).max(initial=0.0)) or 1.0
    return {"cmap": _UNSIGNED, "vmin": 0.0, "vmax": largest}


def settle(made: Figure) -> None:
    """Work out the layout once and keep it.

    The layout engine starts from its last result each time a figure is drawn, and needs a second
    look where pictures keep their shape: settled, a figure is the same in every format and every
    time it is written.
    """
    made.draw_without_rendering()
    made.draw_without_rendering()
    made.set_layout_engine("none")


def line_styles() -> Iterator[dict[str, Any]]:
    """Yield color and dashes for line after line, for ever."""
    for color, dashes in cycle(zip(LINES, DASHES, strict=True)):
        yield {"color": color, "linestyle": dashes, "linewidth": 1.8}


def label(axes: Axes, title: str, x: str, y: str, *, grid: bool = True) -> None:
    """Give axes a title and named axes, and take away what carries no information."""
    if title:
        axes.set_title(wrapped(axes, title, 11), fontsize=11, loc="left")
    axes.set_xlabel(x, fontsize=9.5)
    axes.set_ylabel(y, fontsize=9.5)
    axes.tick_params(labelsize=8.5)
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(visible=True, which="major", color="#D9D9D9", linewidth=0.6)
        axes.set_axisbelow(True)


def wrapped(axes: Axes, text: str, points: float) -> str:
    """Return text in lines that are no longer than the axes are wide, in letters of ``points``."""
    wide = axes.bbox.width * 72 / DPI  # points
    lines = (textwrap.wrap(line, max(12, int(wide / (0.52 * points)))) for line in text.split("\n"))
    return "\n".join("\n".join(line) for line in lines)


def legend(axes: Axes, **where: Any) -> None:
    """Show the legend, readable on any background."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8.5, framealpha=0.9, edgecolor="#CCCCCC", **where)


def picture(axes: Axes, pixels: Any, title: str = "") -> None:
    """Show a photo without axes. pixels: (h, w, 3) uint8 RGB or (h, w) gray."""
    axes.imshow(pixels, cmap="gray" if pixels.ndim == 2 else None, interpolation="nearest")
    axes.set_axis_off()
    if title:
        axes.set_title(wrapped(axes, title, 10), fontsize=10, loc="left")
