"""One score out of several systems' scores. Fitting lives in ``evaluate``, applying here.

Boosted trees are plain numbers too: a file of them is read as JSON and cannot run anything.

A weighted sum of cosines is a space of its own (``embed.joint``) and needs nothing from here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray, ConfigError, SpaceMismatch
from facelign.types.arrays import Float64Array, FloatArray
from facelign.types.reading import record

#: what the first field of a saved fusion says
FORMAT = "facelign-fusion-1"

BOOSTED_FORMAT = "facelign-fusion-boosted-1"

Rule = Literal["mean", "z-norm", "logistic"]


@dataclass(frozen=True, slots=True)
class Fusion:
    """A rule with its parameters: ``sum(weights * (scores - centers) / spreads) + bias``.

    rule: "mean" (centers 0, spreads 1), "z-norm" (centers and spreads of non-mated scores) or
    "logistic" (weights fitted; the result is a log-odds). spaces: whose scores, in this order.
    fitted_on: the people behind the parameters, so that no figure is reported on them.
    """

    rule: Rule
    spaces: tuple[str, ...]
    weights: tuple[float, ...]
    centers: tuple[float, ...]
    spreads: tuple[float, ...]
    bias: float = 0.0
    fitted_on: str = ""

    def __post_init__(self) -> None:
        n = len(self.spaces)
        if n < 1 or any(len(p) != n for p in (self.weights, self.centers, self.spreads)):
            raise BadArray(f"fusion: wanted a weight, center and spread for each of {n} systems.")
        numbers = (*self.weights, *self.centers, *self.spreads, self.bias)
        if not all(math.isfinite(v) for v in numbers) or min(self.spreads) <= 0:
            raise BadArray("fusion: wanted finite numbers and spreads above 0.")

    def fused(self, scores: npt.ArrayLike, spaces: Sequence[str] | None = None) -> Float64Array:
        """Return (n,) fused scores, larger is more alike, from (n, k) scores of k systems.

        spaces: whose scores the columns are; raises SpaceMismatch unless they are this fusion's.
        """
        table = _table(scores, self.spaces, spaces)
        scaled = (table - np.asarray(self.centers)) / np.asarray(self.spreads)
        fused: Float64Array = scaled @ np.asarray(self.weights) + self.bias
        return fused

    def to_json(self) -> str:
        """Return the fusion as JSON text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, allow_nan=False, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree as flat nodes. feature: column that is asked, -1 in a leaf. A score at or below the
    threshold goes left. value: what a leaf adds. left, right: numbers of later nodes.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def __post_init__(self) -> None:
        n = len(self.feature)
        if n < 1 or any(len(p) != n for p in (self.threshold, self.left, self.right, self.value)):
            raise BadArray("tree: wanted as many thresholds, children and values as nodes.")
        if not all(math.isfinite(v) for v in (*self.threshold, *self.value)):
            raise BadArray("tree: wanted finite numbers.")
        if min(self.feature) < -1:
            raise BadArray("tree: wanted the number of a column, or -1 in a leaf.")
        for node, column in enumerate(self.feature):
            children = (self.left[node], self.right[node])
            # children come later in the list, so that every walk ends
            if column >= 0 and not all(node < child < n for child in children):
                raise BadArray("tree: a node has children that are not there.")

    def of(self, table: Float64Array) -> Float64Array:
        """Return (n,) values of the leaves that rows of (n, k) scores fall into."""
        at = np.zeros(len(table), np.int64)
        feature, threshold = np.asarray(self.feature), np.asarray(self.threshold)
        left, right = np.asarray(self.left), np.asarray(self.right)
        rows = np.arange(len(table))
        while True:
            inner = feature[at] >= 0
            if not inner.any():
                found: Float64Array = np.asarray(self.value, np.float64)[at]
                return found
            here, row = at[inner], rows[inner]
            low = table[row, feature[here]] <= threshold[here]
            at[inner] = np.where(low, left[here], right[here])


@dataclass(frozen=True, slots=True)
class Boosted:
    """Gradient boosting over scores: ``baseline`` plus the sum of the trees, a log-odds.

    spaces: whose scores, in this order. fitted_on: the people behind it, as in ``Fusion``.
    """

    spaces: tuple[str, ...]
    baseline: float
    trees: tuple[Tree, ...]
    fitted_on: str = ""

    def __post_init__(self) -> None:
        columns = [column for tree in self.trees for column in tree.feature]
        if not self.spaces or not self.trees or not math.isfinite(self.baseline):
            raise BadArray("boosting: wanted systems, trees and a finite baseline.")
        if max(columns) >= len(self.spaces):
            raise BadArray("boosting: a tree asks for a system that is not there.")

    @property
    def rule(self) -> str:
        """The name of the rule."""
        return "boosting"

    def fused(self, scores: npt.ArrayLike, spaces: Sequence[str] | None = None) -> Float64Array:
        """Return (n,) log-odds from (n, k) scores; as ``Fusion.fused``."""
        table = _table(scores, self.spaces, spaces)
        total = np.full(len(table), self.baseline)
        for tree in self.trees:
            total += tree.of(table)
        return total

    def to_json(self) -> str:
        """Return the fusion as JSON text."""
        return json.dumps({"format": BOOSTED_FORMAT, **asdict(self)}, allow_nan=False) + "\n"


Scorer = Fusion | Boosted


def from_json(text: str | bytes) -> Scorer:
    """Return the fusion in ``text``, whichever kind it is; raises ConfigError."""
    kind = "fusion"
    try:
        table = json.loads(text)
        if table["format"] == BOOSTED_FORMAT:
            kind = "boosting"
        elif table["format"] != FORMAT or table["rule"] not in get_args(Rule):
            raise ValueError("another format or rule")
        boosting = kind == "boosting"
        scorer: Scorer = record(Boosted, table) if boosting else record(Fusion, table)
        each_once("spaces", scorer.spaces)
    except DAMAGE as error:
        raise ConfigError(f"This is no saved {kind}: {told(error)}.", "Fit it again.") from error
    return scorer


def mean(spaces: Sequence[str]) -> Fusion:
    """Return the plain mean of scores, which must lie on one scale already."""
    n = len(spaces)
    return Fusion("mean", tuple(spaces), (1 / n,) * n, (0.0,) * n, (1.0,) * n)


def z_norm(spaces: Sequence[str], non_mated: npt.ArrayLike, fitted_on: str = "") -> Fusion:
    """Return the sum of scores in units of the spread of non-mated ones.

    non_mated: (n, k) scores of known non-mated comparisons by the k systems.
    """
    table = np.asarray(non_mated, np.float64)
    if table.ndim != 2 or table.shape[1] != len(spaces) or len(table) < 2:
        raise BadArray(f"fusion: wanted (n, {len(spaces)}) non-mated scores, got {table.shape}.")
    centers, spreads = table.mean(axis=0), table.std(axis=0, ddof=1)
    n = len(spaces)
    return Fusion(
        "z-norm",
        tuple(spaces),
        (1.0,) * n,
        tuple(float(v) for v in centers),
        tuple(float(v) for v in spreads),
        fitted_on=fitted_on,
    )


def equal_shares(spreads: npt.ArrayLike) -> FloatArray:
    """Return weights of a joint space that count systems equally after scaling by their spread.

    spreads: (k,) standard deviations of non-mated cosines. The weights sum to 1: the system with
    the narrower non-mated scores gets the larger one.
    """
    values = np.asarray(spreads, np.float64)
    if values.ndim != 1 or not len(values) or not (values > 0).all():
        raise BadArray("spreads: wanted a list of numbers above 0.")
    weights: FloatArray = (1 / values) / (1 / values).sum()
    return weights


#: what reading a saved fusion or ensemble can fail with
DAMAGE = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


def told(error: Exception) -> str:
    """Return what is wrong with a record, in words, without a full stop."""
    return f"there is no {error}" if isinstance(error, KeyError) else str(error).rstrip(".")


def each_once(name: str, values: Sequence[str]) -> None:
    """Raise ValueError when a field of a record holds a text twice."""
    if len(set(values)) != len(values):
        raise ValueError(f"{name} holds a name twice")


def _table(
    scores: npt.ArrayLike, wanted: tuple[str, ...], spaces: Sequence[str] | None
) -> Float64Array:
    """Return scores as (n, k) float64; raises BadArray, and SpaceMismatch for other systems."""
    table = np.atleast_2d(np.asarray(scores, np.float64))
    if table.ndim != 2 or table.shape[1] != len(wanted):
        raise BadArray(f"fusion: wanted shape (n, {len(wanted)}), got {table.shape}.")
    if spaces is not None and tuple(spaces) != wanted:
        raise SpaceMismatch(
            f"The fusion was made for {', '.join(wanted)}, "
            f"and the scores come from {', '.join(spaces)}.",
            "Give the scores in the same order, or fit a fusion of these systems.",
        )
    return table
