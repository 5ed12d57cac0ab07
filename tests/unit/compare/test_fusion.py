"""Fusion of scores: the laws, and records."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.compare.fusion import Fusion, equal_shares, from_json, mean, z_norm
from facelign.compare.scores import score_matrix
from facelign.errors import BadArray, ConfigError, SpaceMismatch

RNG = np.random.default_rng(5)


def test_fusion_of_one_system_is_that_system() -> None:
    scores = RNG.normal(size=(20, 1))
    np.testing.assert_array_equal(mean(["a"]).fused(scores), scores[:, 0])
    order = np.argsort(z_norm(["a"], RNG.normal(size=(50, 1))).fused(scores))
    np.testing.assert_array_equal(order, np.argsort(scores[:, 0]))


def test_z_norm_by_its_definition() -> None:
    non_mated = RNG.normal([0.1, -0.5], [0.1, 0.05], size=(500, 2))
    fused = z_norm(["a", "b"], non_mated, "made-up").fused([[0.4, -0.4]])
    z = ([0.4, -0.4] - non_mated.mean(axis=0)) / non_mated.std(axis=0, ddof=1)
    assert fused == pytest.approx([z.sum()])


def test_scale_of_a_system_does_not_matter_to_z_norm() -> None:
    non_mated, scores = RNG.normal(size=(100, 2)), RNG.normal(size=(9, 2))
    plain = z_norm(["a", "b"], non_mated).fused(scores)
    np.testing.assert_allclose(z_norm(["a", "b"], non_mated * [7, 1]).fused(scores * [7, 1]), plain)


def test_a_weighted_sum_of_cosines_is_the_cosine_of_the_joint_vector() -> None:
    weights = equal_shares([0.12, 0.04])
    assert weights == pytest.approx([0.25, 0.75])
    a, b = RNG.normal(size=(2, 6, 16))
    c, d = RNG.normal(size=(2, 6, 16))

    def joint(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        parts = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y)]
        return np.hstack([p * np.sqrt(w) for p, w in zip(parts, weights, strict=True)])

    table = np.stack(
        [score_matrix(a, c, "cosine").ravel(), score_matrix(b, d, "cosine").ravel()], 1
    )
    rule = Fusion("mean", ("a", "b"), tuple(weights), (0.0, 0.0), (1.0, 1.0))
    np.testing.assert_allclose(
        rule.fused(table), score_matrix(joint(a, b), joint(c, d), "cosine").ravel(), atol=1e-12
    )


def test_records_come_back_equal_and_strangers_are_refused() -> None:
    rule = z_norm(["a", "b"], RNG.normal(size=(10, 2)), "made-up people")
    assert from_json(rule.to_json()) == rule
    with pytest.raises(SpaceMismatch):
        rule.fused([[0.1, 0.2]], ["b", "a"])
    with pytest.raises(BadArray):
        rule.fused([[0.1, 0.2, 0.3]])
    for text in ("", "[]", "{}", rule.to_json().replace("z-norm", "magic"), "[" * 10_000):
        with pytest.raises(ConfigError):
            from_json(text)
    with pytest.raises(BadArray):
        Fusion("mean", ("a",), (1.0,), (0.0,), (0.0,))
    with pytest.raises(BadArray):
        equal_shares([0.0])
    with pytest.raises(BadArray):
        z_norm(["a"], [[1.0]])
