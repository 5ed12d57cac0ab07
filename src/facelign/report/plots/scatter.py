"""Embeddings in two dimensions (t-SNE or UMAP): a color and a mark a person (A3-17)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray
from facelign.report import style
from facelign.report.plot import Plot

#: beyond this many people a legend is longer than the figure
LEGEND_LIMIT = 24


def looks(people: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return (color, marker) of every person, stable: by place in the sorted list of names.

    Color and marker step at different rates, so 70 people share no pair.
    """
    names = sorted(set(people))
    colors, marks = style.LINES, style.MARKERS
    return {
        name: (colors[k % len(colors)], marks[(k + k // (len(colors) * len(marks))) % len(marks)])
        for k, name in enumerate(names)
    }


def draw(
    points: npt.ArrayLike,
    people: Sequence[str],
    *,
    outliers: Sequence[int] = (),
    method: str = "t-SNE",
    seed: int | None = None,
    title: str = "",
) -> Plot:
    """Return the scatter. points: (n, 2), no unit; people: (n,) names; outliers: indices named."""
    at = np.asarray(points, float)
    if at.ndim != 2 or at.shape != (len(people), 2):
        raise BadArray(f"scatter: wanted points ({len(people)}, 2), got {at.shape}.")
    names = np.asarray(people)
    figure, (axes,) = style.figure(7.4, 5.2)
    for name, (color, mark) in looks(people).items():
        own = at[names == name]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            c=color,
            marker=mark,
            s=34,
            edgecolors="white",
            linewidths=0.5,
            label=name,
        )
    for index in outliers:
        axes.annotate(str(names[index]), at[index], fontsize=8, xytext=(5, 5),
                      textcoords="offset points")  # fmt: skip
    said = method if seed is None else f"{method}, seed {seed}"
    axis = ("", "") if title else (f"{method} 1", f"{method} 2")
    style.label(axes, title or f"Embeddings of {len(at)} faces ({said})", *axis)
    axes.set(xticks=[], yticks=[])
    if len(set(people)) <= LEGEND_LIMIT:
        style.legend(axes, loc="center left", bbox_to_anchor=(1, 0.5))
    numbers = {"person": list(people), "x": at[:, 0], "y": at[:, 1]}
    shown = f"{len(at)} faces of {len(set(people))} people"
    alt = f"{title}: {shown}." if title else f"{said} of {shown}."
    return Plot("scatter", figure, alt, numbers)


def example() -> Plot:
    """Return the figure for ten made-up people."""
    draws = np.random.default_rng(7)
    centers = draws.normal(0, 20, (10, 2))
    points = np.repeat(centers, 10, axis=0) + draws.normal(0, 2, (100, 2))
    people = [f"person {k // 10:02d}" for k in range(100)]
    return draw(points, people, outliers=(3,), seed=7)
