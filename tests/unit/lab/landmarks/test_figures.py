"""Landmark figures against plain definitions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from facelign.errors import BadArray
from facelign.lab.landmarks import figures as lm
from facelign.lab.landmarks.figures import LandmarkReport, Normalizer
from facelign.types.schemes import IBUG_68

RNG = np.random.default_rng(0)


def _faces(n: int = 5, k: int = 68) -> tuple[np.ndarray, np.ndarray]:
    truth = RNG.uniform(0, 100, (n, k, 2))
    return truth + RNG.normal(scale=2, size=truth.shape), truth


def test_the_eyes_are_those_of_the_schemes() -> None:
    assert lm.CORNERS["ibug-68"] == IBUG_68.eye_corners
    assert lm.eyes("ibug-68", Normalizer.INTER_OCULAR) == ((36,), (45,))
    pupils = IBUG_68.groups["right_eye"], IBUG_68.groups["left_eye"]
    assert lm.eyes("ibug-68", Normalizer.INTER_PUPIL) == pupils
    assert lm.eyes("muct-76", Normalizer.INTER_PUPIL) == ((31,), (36,))


def test_nme_by_a_plain_loop() -> None:
    said, truth = _faces()
    scale = lm.scales(truth, Normalizer.INTER_OCULAR, "ibug-68")
    got, _ = lm.nme(said, truth, scale)
    for face in range(5):
        size = math.dist(truth[face, 36], truth[face, 45])
        total = sum(math.dist(said[face, i], truth[face, i]) for i in range(68))
        assert got[face] == pytest.approx(total / 68 / size)


def test_normalizers() -> None:
    _, truth = _faces()
    pupil = lm.scales(truth, Normalizer.INTER_PUPIL, "ibug-68")
    right, left = truth[0, 36:42].mean(axis=0), truth[0, 42:48].mean(axis=0)
    assert pupil[0] == pytest.approx(math.dist(right, left))
    box = lm.scales(truth, Normalizer.BOX, "ibug-68")
    width, height = np.ptp(truth[0], axis=0)
    assert box[0] == pytest.approx(math.sqrt(width * height))
    muct = lm.scales(truth, Normalizer.INTER_PUPIL, "muct-76")
    assert muct[0] == pytest.approx(math.dist(truth[0, 31], truth[0, 36]))
    visible = np.ones((5, 68), bool)
    visible[2, 36] = False
    with pytest.raises(BadArray, match="visible"):
        lm.scales(truth, Normalizer.INTER_OCULAR, "ibug-68", visible)
    with pytest.raises(BadArray, match="no size"):
        lm.scales(np.zeros((1, 68, 2)), Normalizer.BOX, "ibug-68")


def test_hidden_points_leave_mean_and_count() -> None:
    said, truth = _faces(2, 68)
    visible = np.ones((2, 68), bool)
    visible[0, 10:] = False
    said[0, 10:] = 1e6
    got, points = lm.nme(said, truth, [10.0, 10.0], visible)
    assert got[0] == pytest.approx(np.linalg.norm(said[0, :10] - truth[0, :10], axis=1).mean() / 10)
    assert points[20] == pytest.approx(math.dist(said[1, 20], truth[1, 20]) / 10)
    visible[0] = False
    with pytest.raises(BadArray):
        lm.nme(said, truth, [10.0, 10.0], visible)


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=30), st.integers(0, 10))
def test_area_under_the_ced_is_its_integral(errors: list[float], missed: int) -> None:
    grid = np.linspace(0, 0.1, 20_001)
    curve = lm.ced(errors, grid, missed=missed)
    assert (np.diff(curve) >= 0).all()
    assert lm.auc(errors, 0.1, missed=missed) == pytest.approx(
        metrics.auc(grid, curve) / 0.1, abs=1e-3
    )
    faces = len(errors) + missed
    above = sum(e > 0.1 for e in errors) + missed
    assert 1 - lm.ced(errors, [0.1], missed=missed)[0] == pytest.approx(above / faces)


def test_perfect_and_useless() -> None:
    assert lm.auc([0.0, 0.0], 0.08) == 1
    assert lm.auc([0.5], 0.08) == 0
    assert lm.auc([0.0], 0.08, missed=1) == 0.5
    for bad in ([math.nan], [-0.1]):
        with pytest.raises(BadArray):
            lm.auc(bad, 0.08)
    with pytest.raises(BadArray):
        lm.auc([], 0.08)


def test_a_report_counts_missed_faces_as_failures() -> None:
    errors = np.array([0.01, 0.05, 0.09])
    report = LandmarkReport(Normalizer.BOX, 5, 2, errors, np.array([0.05]), {"0-0.1": 0.05})
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (plain["faces"], plain["missed"], plain["normalizer"]) == (5, 2, "box")
    assert (plain["nme"], plain["nme_median"]) == (pytest.approx(0.05), 0.05)
    assert (plain["fr_0.08"], plain["fr_0.10"]) == (pytest.approx(0.6), pytest.approx(0.4))
    assert plain["auc_0.08"] == pytest.approx((0.07 + 0.03) / 5 / 0.08)
    nobody = LandmarkReport(Normalizer.BOX, 2, 2, np.zeros(0), np.zeros(0), {}).to_dict()
    assert "nme" not in nobody
    assert (nobody["auc_0.08"], nobody["fr_0.08"]) == (0, 1)


def test_a_turned_head_has_its_nose_aside() -> None:
    five = np.array([[[0.0, 0], [10, 0], [5, 6], [2, 10], [8, 10]]] * 3)
    five[1, 2, 0] += 2.0
    five[2, 2, 0] -= 7.0
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])  # the same in a photo that lies on its side
    for points in (five, five @ turn.T * 3):
        np.testing.assert_allclose(lm.yaw_proxy(points), [0, 0.2, 0.7], atol=1e-12)
    assert lm.by_yaw(np.array([0.1, 0.2, 0.4]), np.array([0, 0.2, 0.7])) == {
        "0-0.1 (1 faces)": 0.1,
        "0.2-0.35 (1 faces)": 0.2,
        "0.6 and more (1 faces)": 0.4,
    }
