"""Fitting of score fusions, on people who are not those that are reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from facelign.compare.fusion import Fusion
from facelign.errors import BadArray


def logistic(
    spaces: Sequence[str], scores: npt.ArrayLike, same: npt.ArrayLike, *, fitted_on: str = ""
) -> Fusion:
    """Return the logistic fusion of k systems: its result is a log-odds of one person.

    scores: (n, k), a column a system; same: (n,) truth. Mated and non-mated comparisons count
    equally, however many there are, so that log-odds above 0 speak for one person.
    """
    table, truth = np.asarray(scores, np.float64), np.asarray(same, bool)
    if table.ndim != 2 or table.shape != (len(truth), len(spaces)):
        raise BadArray(f"fusion: wanted ({len(truth)}, {len(spaces)}) scores, got {table.shape}.")
    if truth.all() or not truth.any():
        raise BadArray("fusion: wanted mated and non-mated comparisons.")
    centers, spreads = table[~truth].mean(axis=0), table[~truth].std(axis=0, ddof=1)
    if not (spreads > 0).all():
        raise BadArray("fusion: a system gives one score to every non-mated comparison.")
    fit = LogisticRegression(C=1e3, class_weight="balanced", max_iter=1000)
    fit.fit((table - centers) / spreads, truth)
    return Fusion(
        "logistic",
        tuple(spaces),
        tuple(float(v) for v in fit.coef_[0]),
        tuple(float(v) for v in centers),
        tuple(float(v) for v in spreads),
        float(fit.intercept_[0]),
        fitted_on,
    )
