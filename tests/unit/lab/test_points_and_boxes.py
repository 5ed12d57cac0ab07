"""Landmark and detection figures, and fitted fusions, against plain definitions."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from facelign.compare.fusion import Fusion
from facelign.errors import BadArray
from facelign.lab.detection import figures as det
from facelign.lab.detection.figures import Found, Truth
from facelign.lab.ensemble.figures import logistic
from facelign.lab.landmarks import figures as lm
from facelign.lab.landmarks.figures import IBUG_68, MUCT, Normalizer
from facelign.types.schemes import IBUG_68 as SCHEME_68

RNG = np.random.default_rng(0)


# -- landmarks


def _faces(n: int = 5, k: int = 68) -> tuple[np.ndarray, np.ndarray]:
    truth = RNG.uniform(0, 100, (n, k, 2))
    return truth + RNG.normal(scale=2, size=truth.shape), truth


def test_the_eyes_are_those_of_the_schemes() -> None:
    assert SCHEME_68.eye_corners == IBUG_68.outer
    assert SCHEME_68.groups["right_eye"] == IBUG_68.right
    assert SCHEME_68.groups["left_eye"] == IBUG_68.left


def test_nme_by_a_plain_loop() -> None:
    said, truth = _faces()
    scale = lm.scales(truth, Normalizer.INTER_OCULAR, IBUG_68)
    got = lm.nme(said, truth, scale)
    for face in range(5):
        size = math.dist(truth[face, 36], truth[face, 45])
        total = sum(math.dist(said[face, i], truth[face, i]) for i in range(68))
        assert got[face] == pytest.approx(total / 68 / size)


def test_normalizers() -> None:
    _, truth = _faces()
    pupil = lm.scales(truth, Normalizer.INTER_PUPIL, IBUG_68)
    right, left = truth[0, 36:42].mean(axis=0), truth[0, 42:48].mean(axis=0)
    assert pupil[0] == pytest.approx(math.dist(right, left))
    box = lm.scales(truth, Normalizer.BOX)
    width, height = np.ptp(truth[0], axis=0)
    assert box[0] == pytest.approx(math.sqrt(width * height))
    muct = lm.scales(truth, Normalizer.INTER_PUPIL, MUCT)
    assert muct[0] == pytest.approx(math.dist(truth[0, 31], truth[0, 36]))
    with pytest.raises(BadArray, match="eyes"):
        lm.scales(truth, Normalizer.INTER_PUPIL)
    visible = np.ones((5, 68), bool)
    visible[2, 36] = False
    with pytest.raises(BadArray, match="visible"):
        lm.scales(truth, Normalizer.INTER_OCULAR, IBUG_68, visible)
    with pytest.raises(BadArray, match="no size"):
        lm.scales(np.zeros((1, 68, 2)), Normalizer.BOX)


def test_hidden_points_leave_mean_and_count() -> None:
    said, truth = _faces(2, 68)
    visible = np.ones((2, 68), bool)
    visible[0, 10:] = False
    said[0, 10:] = 1e6
    got = lm.nme(said, truth, [10.0, 10.0], visible)
    assert got[0] == pytest.approx(np.linalg.norm(said[0, :10] - truth[0, :10], axis=1).mean() / 10)
    points = lm.per_point(said, truth, [10.0, 10.0], visible)
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
    assert lm.failure_rate(errors, 0.1, missed=missed) == pytest.approx(above / faces)


def test_perfect_and_useless() -> None:
    assert lm.auc([0.0, 0.0], 0.08) == 1
    assert lm.auc([0.5], 0.08) == 0
    assert lm.auc([0.0], 0.08, missed=1) == 0.5
    for bad in ([math.nan], [-0.1]):
        with pytest.raises(BadArray):
            lm.auc(bad, 0.08)
    with pytest.raises(BadArray):
        lm.auc([], 0.08)


def test_a_landmark_report() -> None:
    said, truth = _faces(6)
    report = lm.evaluate(
        said,
        truth,
        Normalizer.INTER_OCULAR,
        eyes=IBUG_68,
        missed=2,
        yaw_deg=[0, -10, 20, -40, 40, 80],
    )
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (plain["faces"], plain["missed"]) == (8, 2)
    assert plain["normalizer"] == "inter-ocular"
    assert len(plain["per_point"]) == 68
    assert plain["by_yaw"]["0-15 deg"] == pytest.approx(report.errors[:2].mean())
    assert plain["by_yaw"]["30-45 deg"] == pytest.approx(report.errors[3:5].mean())
    assert plain["fr_0.08"] >= 0.25
    with pytest.raises(BadArray):
        lm.evaluate(said, truth[:3], Normalizer.BOX)


# -- detection

FACE = [0.0, 0.0, 10.0, 10.0]
NEAR = [1.0, 0.0, 11.0, 10.0]  # overlap 9/11
FAR = [50.0, 50.0, 60.0, 60.0]


def _truth(*boxes: list[float], ignore: tuple[bool, ...] = ()) -> Truth:
    table = np.array(boxes, np.float64).reshape(-1, 4)
    return Truth(table, np.array(ignore or [False] * len(boxes), bool))


def _found(*boxes: list[float], scores: tuple[float, ...] = ()) -> Found:
    return Found(np.array(boxes, np.float64).reshape(-1, 4), np.array(scores))


def test_matching_by_hand() -> None:
    said = _found(NEAR, FACE, FAR, scores=(0.6, 0.9, 0.8))
    got = det.match([said], [_truth(FACE)])
    # the best one finds the face; the second on it and the one elsewhere are false
    assert got.scores.tolist() == [0.9, 0.8, 0.6]
    assert got.true.tolist() == [True, False, False]
    assert got.found.tolist() == [0.9]
    assert got.recall() == 1
    assert got.false_faces(0.7) == 1
    assert det.average_precision(got) == 1


def test_ignored_faces_do_not_count() -> None:
    got = det.match(
        [_found(NEAR, FAR, scores=(0.6, 0.5))], [_truth(FACE, FAR, ignore=(True, False))]
    )
    assert (got.faces, got.true.tolist(), got.scores.tolist()) == (1, [True], [0.5])
    missed = det.match([_found()], [_truth(FACE, ignore=(True,))])
    assert missed.faces == 0
    assert det.average_precision(missed) == 0


def test_the_overlap_that_counts() -> None:
    got = det.match([_found(NEAR, scores=(1.0,))], [_truth(FACE)], overlap=0.9)
    assert got.true.tolist() == [False]
    assert det.missed_faces(got).tolist() == [0]
    with pytest.raises(BadArray):
        det.match([_found()], [])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 5),
)
@settings(deadline=None)
def test_average_precision_by_its_definition(said: list[tuple[int, bool]], missed: int) -> None:
    said = sorted(said, key=lambda d: -d[0])
    faces = sum(true for _, true in said) + missed
    matched = det.Matched(
        np.array([s for s, _ in said], float),
        np.array([t for _, t in said]),
        faces,
        np.zeros(faces),
        np.zeros(faces),
        1,
    )
    if not faces:
        return
    # at each recall the best precision that is reached at that recall or beyond
    points = []
    for score in sorted({s for s, _ in said}, reverse=True):
        kept = [t for s, t in said if s >= score]
        points.append((sum(kept) / faces, sum(kept) / len(kept)))
    area, last = 0.0, 0.0
    for recall, _ in points:
        area += (recall - last) * max(p for r, p in points if r >= recall)
        last = recall
    got = det.average_precision(matched)
    assert got == pytest.approx(area)
    assert 0 <= got <= 1
    if not missed and any(t for _, t in said):
        # scikit-learn's has no envelope: never above
        truth = [t for _, t in said]
        assert got >= metrics.average_precision_score(truth, [s for s, _ in said]) - 1e-9


def test_recall_by_height_and_missed_faces() -> None:
    small, large = [0.0, 0.0, 8.0, 9.0], [100.0, 100.0, 180.0, 200.0]
    report = det.evaluate(
        [_found(large, scores=(0.9,)), _found()], [_truth(small, large), _truth(large)]
    )
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["recall_by_height"] == {
        "0-10 px": {"recall": 0.0, "faces": 1},
        "96-160 px": {"recall": 0.5, "faces": 2},
    }
    assert (plain["faces"], plain["detections"], plain["recall"]) == (3, 1, pytest.approx(1 / 3))
    assert det.missed_faces(report.matched).tolist() == [2, 0]
    only_large = det.evaluate([_found(large, scores=(0.9,))], [_truth(small, large)], smallest=10)
    assert only_large.to_dict()["recall"] == 1


def test_false_faces_in_photos_without_people() -> None:
    photos = [_found(FAR, scores=(0.9,)), _found(), _found(FAR, FACE, scores=(0.3, 0.8)), _found()]
    assert det.false_per_thousand(photos, 0.5) == 500
    with pytest.raises(BadArray):
        det.false_per_thousand([], 0.5)


def test_what_a_score_means() -> None:
    rng = np.random.default_rng(1)
    scores = np.sort(rng.uniform(size=20_000))[::-1]
    true = rng.uniform(size=20_000) < scores**2
    meaning = det.score_meaning(det.Matched(scores, true, 1, np.zeros(1), np.zeros(1), 1))
    assert (np.diff(meaning.share) >= 0).all()
    np.testing.assert_allclose(meaning.of([0.3, 0.6, 0.9]), [0.09, 0.36, 0.81], atol=0.05)


# -- fusion


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
    assert Fusion.from_json(rule.to_json()) == rule
    for bad in (
        ([[0.1, 0.2]], [True]),
        ([[0.1]], [True]),
        ([[0.1, 0.2]] * 3, [True, False, False]),
    ):
        with pytest.raises(BadArray):
            logistic(["a", "b"], *bad)
