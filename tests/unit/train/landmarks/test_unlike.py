"""Whether a face is like those that a network learned from: how far its mirror image is placed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import training

training.needed()

from facelign.train.landmarks.cascade import cascade_task, trained
from facelign.train.landmarks.config import DataOptions, LandmarkConfig, ShapeTreesOptions
from facelign.train.landmarks.task import LandmarkTask
from facelign.train.run_folder import RunFolder


@pytest.mark.shared
def test_pictures_beside_faces_are_told_from_faces(landmarks_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="trees learn in seconds; they need the extra dlib")
    data = DataOptions(source=str(landmarks_data / "faces68/faces68.csv"), limit=240)
    config = LandmarkConfig(
        kind="landmarks",
        batch=8,
        data=replace(data, detector="label", validation=0.25),
        cascade=ShapeTreesOptions(levels=4, trees=40, depth=3, starts=3),
    )
    task = cascade_task(config)
    network, _ = trained(task, RunFolder(tmp_path))
    told = task.test(network)
    usual = task.mirror_errors(network, task.rows["validation"])
    assert told["mirror_limit"] == pytest.approx(np.quantile(usual, 0.95))
    assert (usual > told["mirror_limit"]).mean() < 0.1
    assert told["unlike_low"] < told["unlike"] < 0.3
    # the same photos, looked at a corner of a face away: no faces
    boxes, found = task.crops.boxes, task.crops
    aside = 0.55 * (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None] * [1, -1, 1, -1]
    foreign = LandmarkTask(task.config, replace(found, boxes=boxes + aside))
    seen = foreign.mirror_errors(network, foreign.rows["test"])
    assert (seen > told["mirror_limit"]).mean() > 0.3
    assert np.median(seen) > 1.5 * np.median(usual)


def test_a_set_that_is_surely_unlike_is_told() -> None:
    test = {"nme": 0.1, "mirror_limit": 0.02}
    test |= {"unlike": 0.07, "unlike_low": 0.02, "unlike_party": 0.4, "unlike_party_low": 0.3}
    told = LandmarkTask.doubts(None, test)  # type: ignore[arg-type] # it asks nothing of the task
    assert {test.name.split(" look")[0]: test.passed for test in told} == {
        "faces of the test set": True,
        "faces of party": False,
    }
    assert {test.distrust for test in told} == {"faces unlike those that it was trained on"}
    # a run of before it was told
    assert LandmarkTask.doubts(None, {"nme": 0.1}) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("failed", "holds"), [(1.0, False), (0.4, True)])
def test_points_that_lie_wrong_on_most_faces_are_told(failed: float, holds: bool) -> None:
    (told,) = LandmarkTask.doubts(None, {"nme": 0.6, "fr_0.08": failed})  # type: ignore[arg-type]
    assert told.passed is holds
    assert "lie wrong on most faces" in told.distrust
