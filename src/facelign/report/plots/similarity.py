"""Every face against every face, as a matrix of scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot

#: up to this many faces each cell has room for its number
NUMBERED = 14


def draw(
    scores: npt.ArrayLike,
    labels: Sequence[str],
    *,
    axis: str = "cosine",
    threshold: float | None = None,
) -> Plot:
    """Return the matrix. scores: (n, n), larger is more alike; labels: (n,), in the same order.

    Where runs of equal labels follow each other, their border is drawn. Cells at or above
    ``threshold`` carry a dot (or their number in bold).
    """
    table = np.asarray(scores, float)
    n = len(labels)
    if table.shape != (n, n):
        raise BadArray(f"similarity: wanted ({n}, {n}), got {table.shape}.")
    figure, (axes,) = style.figure(6.6, 5.6)
    shown = axes.imshow(table, cmap="cividis", interpolation="nearest")
    bar = figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_label(axis, fontsize=9.5)
    style.label(axes, f"Similarity of {n} faces", "", "", grid=False)
    told = ""
    if threshold is not None:
        mark = "Bold" if n <= NUMBERED else "A dot"
        told = f"{mark}: at or above the threshold {threshold:.3f}"
        axes.set_xlabel(told, fontsize=9.5)
    if n <= NUMBERED:
        _numbers(axes, table, threshold)
    elif threshold is not None:
        y, x = np.nonzero(table >= threshold)
        axes.scatter(x, y, s=max(1.0, 600 / n**1.5), c="black", linewidths=0)
    _name(axes, labels)
    numbers = {"face": list(labels)}
    columns = {f"{k}: {label}": table[:, k] for k, label in enumerate(labels)}
    alt = f"Matrix of {axis} between {n} faces of {len(set(labels))} people."
    alt += f" {told}." * bool(told)
    return Plot("similarity", figure, alt, {**numbers, **columns})


def _numbers(axes, table, threshold) -> None:  # type: ignore[no-untyped-def]
    middle = (table.min() + table.max()) / 2
    for y, x in np.ndindex(table.shape):
        match = threshold is not None and table[y, x] >= threshold
        axes.text(
            x,
            y,
            f"{table[y, x]:.2f}",
            ha="center",
            va="center",
            fontsize=7.5,
            color="black" if table[y, x] > middle else "white",
            fontweight="bold" if match else "normal",
        )


def _name(axes, labels) -> None:  # type: ignore[no-untyped-def]
    """Put a name at the middle of each run of equal labels, and lines between runs."""
    starts = [0, *[k for k in range(1, len(labels)) if labels[k] != labels[k - 1]], len(labels)]
    places = [(a + b - 1) / 2 for a, b in pairwise(starts)]
    names = [labels[a] for a in starts[:-1]]
    if len(names) <= 40:
        axes.set_xticks(places, names, rotation=90, fontsize=8)
        axes.set_yticks(places, names, fontsize=8)
    for edge in starts[1:-1]:
        axes.axhline(edge - 0.5, color="white", linewidth=0.6)
        axes.axvline(edge - 0.5, color="white", linewidth=0.6)


def example() -> Plot:
    """Return the figure for three made-up people."""
    draws = np.random.default_rng(5)
    vectors = np.repeat(draws.normal(0, 1, (3, 64)), 4, axis=0) + draws.normal(0, 0.5, (12, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return draw(vectors @ vectors.T, ["Ann"] * 4 + ["Bo"] * 4 + ["Cy"] * 4, threshold=0.4)
