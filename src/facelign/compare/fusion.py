"""One score out of several systems' scores. Fitting lives in ``evaluate``, applying here.

A weighted sum of cosines is a space of its own (``embed.joint``) and needs nothing from here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from facelign.errors import BadArray, ConfigError, SpaceMismatch
from facelign.types.arrays import Float64Array, FloatArray

#: what the first field of a saved fusion says
FORMAT = "facelign-fusion-1"

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
        table = np.atleast_2d(np.asarray(scores, np.float64))
        if table.ndim != 2 or table.shape[1] != len(self.spaces):
            raise BadArray(f"fusion: wanted shape (n, {len(self.spaces)}), got {table.shape}.")
        if spaces is not None and tuple(spaces) != self.spaces:
            raise SpaceMismatch(
                f"The fusion was made for {', '.join(self.spaces)}, "
                f"and the scores come from {', '.join(spaces)}.",
                "Give the scores in the same order, or fit a fusion of these systems.",
            )
        scaled = (table - np.asarray(self.centers)) / np.asarray(self.spreads)
        fused: Float64Array = scaled @ np.asarray(self.weights) + self.bias
        return fused

    def to_json(self) -> str:
        """Return the fusion as JSON text."""
        record = {"format": FORMAT} | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in (
                ("rule", self.rule),
                ("spaces", self.spaces),
                ("weights", self.weights),
                ("centers", self.centers),
                ("spreads", self.spreads),
                ("bias", self.bias),
                ("fitted_on", self.fitted_on),
            )
        }
        return json.dumps(record, allow_nan=False, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Fusion:
        """Return the fusion in ``text``; raises ConfigError."""
        try:
            record = json.loads(text)
            if record["format"] != FORMAT or record["rule"] not in ("mean", "z-norm", "logistic"):
                raise ValueError("another format or rule")
            return cls(
                record["rule"],
                tuple(str(s) for s in record["spaces"]),
                tuple(float(v) for v in record["weights"]),
                tuple(float(v) for v in record["centers"]),
                tuple(float(v) for v in record["spreads"]),
                float(record["bias"]),
                str(record["fitted_on"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ConfigError(f"This is no saved fusion: {error}.", "Fit it again.") from error


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
