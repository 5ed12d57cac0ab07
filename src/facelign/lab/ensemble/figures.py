"""Fitting of score fusions, on people who are not those that are reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from facelign.compare.fusion import Boosted, Fusion, Tree
from facelign.errors import BadArray
from facelign.types.arrays import AnyArray, BoolArray, Float64Array


def logistic(
    spaces: Sequence[str], scores: npt.ArrayLike, same: npt.ArrayLike, *, fitted_on: str = ""
) -> Fusion:
    """Return the logistic fusion of k systems: its result is a log-odds of one person.

    scores: (n, k), a column a system; same: (n,) truth. Mated and non-mated comparisons count
    equally, however many there are, so that log-odds above 0 speak for one person.
    """
    table, truth = _checked(spaces, scores, same)
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


def boosted(
    spaces: Sequence[str],
    scores: npt.ArrayLike,
    same: npt.ArrayLike,
    *,
    fitted_on: str = "",
    rounds: int = 60,
    seed: int = 0,
) -> Boosted:
    """Return gradient boosting of k systems: its result is a log-odds of one person.

    Arguments as ``logistic``. Trees of three levels at most, and each may only rise with each
    score: a pair that is more alike by every system is never called less alike. Mated and
    non-mated comparisons count equally.
    """
    table, truth = _checked(spaces, scores, same)
    trees = HistGradientBoostingClassifier(
        max_iter=rounds,
        max_depth=3,
        learning_rate=0.1,
        min_samples_leaf=20,
        monotonic_cst=[1] * len(spaces),
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )
    # a few columns: on a busy machine threads that wait for each other cost a hundredfold
    with threadpool_limits(1, user_api="openmp"):
        fit = trees.fit(table, truth)
    # scikit-learn keeps its trees in tables of nodes: they are all that prediction reads
    grown = tuple(_tree(predictors[0].nodes) for predictors in fit._predictors)
    baseline = float(np.ravel(fit._baseline_prediction)[0])
    return Boosted(tuple(spaces), baseline, grown, fitted_on)


def _tree(nodes: AnyArray) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    # the last bin has no upper end: everything goes left
    ends = np.clip(nodes["num_threshold"].astype(np.float64), -1e300, 1e300)
    return Tree(
        tuple(int(v) for v in np.where(leaf, -1, nodes["feature_idx"])),
        tuple(float(v) for v in np.where(leaf, 0.0, ends)),
        tuple(int(v) for v in np.where(leaf, 0, nodes["left"])),
        tuple(int(v) for v in np.where(leaf, 0, nodes["right"])),
        tuple(float(v) for v in nodes["value"]),
    )


def _checked(
    spaces: Sequence[str], scores: npt.ArrayLike, same: npt.ArrayLike
) -> tuple[Float64Array, BoolArray]:
    table, truth = np.asarray(scores, np.float64), np.asarray(same, bool)
    if table.ndim != 2 or table.shape != (len(truth), len(spaces)):
        raise BadArray(f"fusion: wanted ({len(truth)}, {len(spaces)}) scores, got {table.shape}.")
    if truth.all() or not truth.any():
        raise BadArray("fusion: wanted mated and non-mated comparisons.")
    return table, truth
