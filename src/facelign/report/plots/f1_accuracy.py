"""F1 and accuracy over thresholds, the best one dashed, as in Krasser 2018 (A3-10)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facelign.report import style
from facelign.report.plot import Plot


def draw(
    thresholds: npt.ArrayLike,
    f1: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    *,
    axis: str = "Threshold (score)",
    baseline: float | None = None,
    best: float | None = None,
) -> Plot:
    """Return both curves; the dashed line is the threshold of the best F1.

    thresholds, f1, accuracy: (m,). best: which of the thresholds that is, where several are as
    good; else the first. baseline: accuracy of always answering "different", which a
    skewed set makes high (A3-11).
    """
    tau, both = np.asarray(thresholds, float), (np.asarray(f1, float), np.asarray(accuracy, float))
    place = int(np.argmax(both[0]) if best is None else np.argmin(np.abs(tau - best)))
    figure, (axes,) = style.figure(6.4, 4.2)
    for values, name, look in zip(both, ("F1", "accuracy"), style.line_styles(), strict=False):
        axes.plot(tau, values, label=name, **look)
    axes.axvline(tau[place], color=style.BLACK, linestyle="--", linewidth=1.2, label="best F1")
    if baseline is not None:
        told = f'always "different": {100 * baseline:.2f} %'
        axes.axhline(baseline, color=style.GRAY, linestyle=":", label=told)
    there = f"accuracy there {100 * both[1][place]:.2f} %"
    title = f"Best F1 {both[0][place]:.3f} at {tau[place]:.3f}; {there}"
    style.label(axes, title, axis, "F1, accuracy (share, 0 to 1)")
    style.legend(axes)
    numbers = {"threshold": tau, "f1": both[0], "accuracy": both[1]}
    return Plot("f1-accuracy", figure, f"F1 and accuracy over thresholds. {title}.", numbers)


def example() -> Plot:
    """Return the figure for made-up numbers."""
    tau = np.arange(0.30, 1.0, 0.01)
    f1 = 0.95 - 2.2 * (tau - 0.56) ** 2
    return draw(tau, f1, 0.985 - 1.4 * (tau - 0.55) ** 2, axis="tau", baseline=0.909)
