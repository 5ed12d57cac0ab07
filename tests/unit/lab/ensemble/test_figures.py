"""Fitted fusions against plain definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics

from facelign.compare.fusion import from_json
from facelign.errors import BadArray
from facelign.lab.ensemble.figures import logistic


def _systems(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    same = np.arange(n) % 4 == 0
    scores = np.where(same[:, None], [0.6, -0.5], [0.1, -1.0]) + rng.normal(
        scale=[0.2, 0.3], size=(n, 2)
    )
    return scores, same


def test_a_fitted_fusion_beats_its_parts_on_other_people() -> None:
    rule = logistic(["a", "b"], *_systems(0), fitted_on="made-up people")
    scores, same = _systems(1)
    fused = metrics.roc_auc_score(same, rule.fused(scores, ["a", "b"]))
    assert fused > max(metrics.roc_auc_score(same, scores[:, i]) for i in (0, 1)) + 0.01
    # log-odds at equal odds: calibrated, whatever the share of mated comparisons
    odds = rule.fused(scores)
    near = np.abs(odds - 1) < 0.3
    ratio = (same[near].sum() / same.sum()) / ((~same[near]).sum() / (~same).sum())
    assert math.log(ratio) == pytest.approx(1, abs=0.35)
    assert from_json(rule.to_json()) == rule
    for bad in (
        ([[0.1, 0.2]], [True]),
        ([[0.1]], [True]),
        ([[0.1, 0.2]] * 3, [True, False, False]),
    ):
        with pytest.raises(BadArray):
            logistic(["a", "b"], *bad)
