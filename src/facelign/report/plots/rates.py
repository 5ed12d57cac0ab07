"""FMR and FNMR over the threshold: what moving it costs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facelign.report import style
from facelign.report.plot import Plot


def draw(
    thresholds: npt.ArrayLike,
    fmr: npt.ArrayLike,
    fnmr: npt.ArrayLike,
    *,
    threshold: float | None = None,
    axis: str = "Threshold (score)",
    title: str = "Error rates over the threshold",
) -> Plot:
    """Return both rates on a logarithmic axis. thresholds, fmr, fnmr: (m,)."""
    tau = np.asarray(thresholds, float)
    rates = {"FMR": np.asarray(fmr, float), "FNMR": np.asarray(fnmr, float)}
    figure, (axes,) = style.figure(6.4, 4.2)
    for (name, values), look in zip(rates.items(), style.line_styles(), strict=False):
        seen = values > 0
        axes.plot(tau[seen], values[seen], label=name, **look)
    if threshold is not None:
        axes.axvline(
            threshold, color=style.BLACK, linestyle="--", label=f"threshold {threshold:.3f}"
        )
    axes.set_yscale("log")
    style.label(axes, title, axis, "Error rate, logarithmic")
    style.legend(axes)
    where = "" if threshold is None else f"; threshold {threshold:.3f}"
    return Plot("rates", figure, f"FMR and FNMR over thresholds{where}.", {axis: tau, **rates})


def example() -> Plot:
    """Return the figure for made-up numbers."""
    tau = np.linspace(-0.2, 0.9, 100)
    fmr, fnmr = 1 / (1 + np.exp(25 * (tau - 0.1))), 1 / (1 + np.exp(-18 * (tau - 0.62)))
    return draw(tau, fmr, fnmr, threshold=0.36)
