"""Detection figures against plain definitions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from facelign.errors import BadArray
from facelign.lab.detection import figures as det
from facelign.lab.detection.figures import Detections, Truth

FACE = [0.0, 0.0, 10.0, 10.0]
NEAR = [1.0, 0.0, 11.0, 10.0]  # overlap 9/11
FAR = [50.0, 50.0, 60.0, 60.0]


def _truth(*boxes: list[float], ignore: tuple[bool, ...] = ()) -> Truth:
    table = np.array(boxes, np.float64).reshape(-1, 4)
    return Truth(table, np.array(ignore or [False] * len(boxes), bool))


def _found(*boxes: list[float], scores: tuple[float, ...] = ()) -> Detections:
    return Detections(np.array(boxes, np.float64).reshape(-1, 4), np.array(scores))


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
    aside = [4.0, 0.0, 14.0, 10.0]
    got = det.match([_found(aside, scores=(1.0,))], [_truth(FACE)])  # overlap 6/14
    assert got.true.tolist() == [False]
    assert got.found.tolist() == [-np.inf]
    with pytest.raises(BadArray):
        det.match([_found()], [])


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=30),
    st.integers(0, 5),
)
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


def test_recall_by_height_and_small_faces_that_do_not_count() -> None:
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
    only_large = det.evaluate([_found(large, scores=(0.9,))], [_truth(small, large)], smallest=10)
    assert only_large.to_dict()["recall"] == 1


def test_what_a_score_means() -> None:
    rng = np.random.default_rng(1)
    scores = np.sort(rng.uniform(size=20_000))[::-1]
    true = rng.uniform(size=20_000) < scores**2
    at, share = det.score_meaning(det.Matched(scores, true, 1, np.zeros(1), np.zeros(1), 1))
    assert (np.diff(share) >= 0).all()
    got = np.interp([0.3, 0.6, 0.9], at, share)
    np.testing.assert_allclose(got, [0.09, 0.36, 0.81], atol=0.05)
