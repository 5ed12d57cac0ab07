"""What a plot function returns: a figure, the sentence that replaces it, and its numbers."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facelign.errors import BadArray, ConfigError
from facelign.files import disk
from facelign.files.home import expanded
from facelign.report.style import DPI, MARKERS, line_styles, settle
from facelign.types.arrays import BoolArray, Float64Array, check
from facelign.wire.cells import ENCODING, csv_text

#: what a figure can be written as
SUFFIXES = (".png", ".svg", ".csv")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line of a figure.

    x, y: (m,) float64. low, high: (m,) 95 % interval of y, or None. note: shown behind the label,
    such as "AUC 0.998".
    """

    label: str
    x: Float64Array
    y: Float64Array
    low: Float64Array | None = None
    high: Float64Array | None = None
    note: str = ""

    def __post_init__(self) -> None:
        check(self, np.float64, x=("n",), y=("n",), low=("n",), high=("n",))
        if (self.low is None) != (self.high is None):
            raise BadArray(f"series {self.label}: an interval has two ends.")

    @property
    def legend(self) -> str:
        """Label and note in one line."""
        return f"{self.label} ({self.note})" if self.note else self.label


def curves(
    axes: Axes,
    lines: Sequence[Series],
    *,
    where: Callable[[Series], BoolArray] | None = None,
    unit: float = 1.0,
    band: float = 0.0,
    **marks: Any,
) -> None:
    """Draw lines over each other, told apart by color and dashes, by marks too where asked.

    where: which points of a line are drawn (a logarithmic axis has no place for 0). unit: x is
    drawn times this. band: how dark a line's interval is drawn, 0 to 1. marks: of matplotlib's
    markers; ``marker=True`` gives each line one of its own.
    """
    own = marks.pop("marker", False)
    for number, (line, look) in enumerate(zip(lines, line_styles(), strict=False)):
        if own:
            marks["marker"] = MARKERS[number % len(MARKERS)]
        seen = np.ones(len(line.x), bool) if where is None else where(line)
        x = line.x[seen] * unit
        axes.plot(x, line.y[seen], label=line.legend, **marks, **look)
        if band and line.low is not None and line.high is not None:
            axes.fill_between(x, line.low[seen], line.high[seen], color=look["color"], alpha=band)


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A drawn figure.

    name: a file name without suffix. alt: what the figure shows, in a sentence, for people who do
    not see it. numbers: columns of the numbers behind it; they may differ in length. photos:
    whether a person can be recognized in it; such a figure is left out of a report without photos.
    """

    name: str
    figure: Figure
    alt: str
    numbers: Mapping[str, Any]
    photos: bool = False

    def __post_init__(self) -> None:
        settle(self.figure)

    def png(self, dpi: int = DPI) -> bytes:
        """Return the figure as a PNG."""
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=dpi, metadata={"Software": "facelign"})
        return out.getvalue()

    def svg(self) -> str:
        """Return the figure as SVG; equal figures give equal text."""
        out = io.StringIO()
        # Ids come from a salt and no date is written, so that a rebuilt report does not differ.
        with mpl.rc_context({"svg.hashsalt": self.name, "svg.fonttype": "path"}):
            self.figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "facelign"})
        return out.getvalue()

    def csv(self) -> str:
        """Return the numbers as CSV with a header; short columns end in empty cells."""
        cells = zip_longest(*(map(_cell, column) for column in self.numbers.values()), fillvalue="")
        return csv_text([self.numbers, *cells])

    def save(self, path: str | Path, *, private: bool | None = None) -> Path:
        """Write .png, .svg or .csv, by the suffix of ``path``; return the path.

        private: for its owner's eyes only; None: where a person can be recognized in it.
        """
        target = expanded(path)
        private = self.photos if private is None else private
        kind = target.suffix.lower()
        if kind == ".png":
            disk.write(target, self.png(dpi=2 * DPI), private=private)
        elif kind == ".svg":
            disk.write(target, self.svg().encode(), private=private)
        elif kind == ".csv":
            disk.write(target, self.csv().encode(ENCODING), private=private)
        else:
            raise ConfigError(f"A figure cannot be written as '{kind}'.", "Use .png, .svg or .csv.")
        return target


def legends(lines: Sequence[Series]) -> str:
    """Return the legends of lines, for a sentence."""
    return "; ".join(line.legend for line in lines)


def columns_of(lines: Sequence[Series], x: str, y: str) -> dict[str, Any]:
    """Return the columns of several lines, named after label and axis."""
    columns: dict[str, Any] = {}
    for line in lines:
        columns[f"{line.label}: {x}"] = line.x
        columns[f"{line.label}: {y}"] = line.y
        if line.low is not None and line.high is not None:
            columns[f"{line.label}: {y}, low"] = line.low
            columns[f"{line.label}: {y}, high"] = line.high
    return columns


def _cell(value: object) -> str:
    return f"{value:.9g}" if isinstance(value, float | np.floating) else str(value)
