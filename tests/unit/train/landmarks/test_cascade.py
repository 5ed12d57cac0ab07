"""The classic baseline: dlib's trees on the crops of a study, run as dlib runs them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import training

training.needed()

from facelign.cli.app import run
from facelign.errors import ConfigError, ExtraMissing, Refused
from facelign.runtime import dlib as runtime_dlib
from facelign.train.landmarks.augment import NONE
from facelign.train.landmarks.cascade import cascade_task, rectangle, trained
from facelign.train.landmarks.config import DataOptions, LandmarkConfig, ShapeTreesOptions
from facelign.train.landmarks.study import LandmarkArm, arms_of
from facelign.train.run_folder import RunFolder

SMALL = ShapeTreesOptions(levels=3, trees=20, depth=3, starts=3)


def test_trees_have_no_optimizer_to_choose() -> None:
    arms = list(arms_of(["light", "cascade"], ["adam", "sgd"], 2))
    assert [(arm.model, arm.optimizer) for arm in arms if arm.model == "cascade"] == [
        ("cascade", "boosting"),
        ("cascade", "boosting"),
    ]
    assert len({arm.name for arm in arms}) == 6


@pytest.mark.parametrize(
    "wrong", [{"levels": 0}, {"levels": 101}, {"trees": 20_001}, {"depth": 9}, {"rate": 0.0}]
)
def test_trees_that_cannot_be_read_again_are_refused_before_training(
    wrong: dict[str, float],
) -> None:
    with pytest.raises(ConfigError):
        replace(SMALL, **wrong)  # type: ignore[arg-type]


def test_without_dlib_the_arm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(runtime_dlib, "import_module", absent)
    with pytest.raises(ExtraMissing, match=r"facelign\[dlib\]"):
        LandmarkArm("cascade", "boosting", 1).changed(LandmarkConfig(kind="landmarks"))


@pytest.mark.shared
def test_trees_learn_and_give_dlibs_own_points(landmarks_data: Path, tmp_path: Path) -> None:
    dlib = pytest.importorskip("dlib", reason="the cascade needs the extra dlib")
    table = landmarks_data / "faces68/faces68.csv"
    data = DataOptions(source=str(table), limit=120, detector="label")
    config = LandmarkConfig(kind="landmarks", batch=8, data=data, cascade=SMALL)
    task = cascade_task(config)
    folder = RunFolder(tmp_path / "trees")
    network, row = trained(task, folder)
    # the mean shape alone is what trees begin with: they must do much better
    mean = np.repeat(task.mean_face()[None], len(task.rows["test"]), axis=0)
    boxes = task.crops.boxes[task.rows["test"]]
    size = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None, None]
    begin = (boxes[:, :2] + boxes[:, 2:])[:, None] / 2 + mean * size
    truth = task.sets.table.points[task.rows["test"]]
    placed, _ = task.placed(network, task.rows["test"])
    wrong = np.linalg.norm(placed - truth, axis=2).mean()
    assert wrong < 0.8 * np.linalg.norm(begin - truth, axis=2).mean()
    assert row["val_nme"] > 0
    # dlib itself, on the same crop and box
    own = dlib.shape_predictor(str(folder.path / "cascade.dat"))
    left, top, right, bottom = rectangle(task)
    for face in task.rows["test"][:5]:
        picture, _, _ = task.square(int(face))
        said = own(picture, dlib.rectangle(left, top, right, bottom)).parts()
        pixels = np.array([[point.x, point.y] for point in said])
        _, onto = task.looking(int(face))
        ours, _ = task.placed(network, np.array([face]))
        np.testing.assert_allclose(onto.forward(ours[0]), pixels, atol=1e-3)
    # taken up as they are, by the same configuration only
    before = (folder.path / "cascade.dat").stat().st_mtime_ns
    again, _ = trained(cascade_task(config, task.crops), folder)
    assert (folder.path / "cascade.dat").stat().st_mtime_ns == before
    assert again.numbers == network.numbers > 0
    with pytest.raises(Refused, match="another configuration"):
        trained(cascade_task(replace(config, cascade=replace(SMALL, trees=21)), task.crops), folder)


@pytest.mark.shared
def test_points_that_are_hidden_have_no_say_in_trees(
    landmarks_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dlib", reason="the cascade needs the extra dlib")
    table = landmarks_data / "muct/muct_crops.csv"
    data = DataOptions(source=str(table), limit=120, detector="label", cameras="b", masked=False)
    config = LandmarkConfig(kind="landmarks", batch=8, data=data, augment=NONE)
    task = cascade_task(replace(config, cascade=ShapeTreesOptions(levels=1, trees=1, starts=1)))
    trained(task, RunFolder(tmp_path))
    assert capfd.readouterr().out == ""  # dlib warns there of points far from the face
    with np.load(tmp_path / "cascade.npz") as tables:
        first = tables["initial"].reshape(-1, 2)
    left, top, right, bottom = rectangle(task)
    squares = [task.square(int(row)) for row in task.rows["train"]]
    points = np.stack([(p - (left, top)) / (right - left, bottom - top) for _, p, _ in squares])
    seen = np.stack([s for _, _, s in squares])[..., None]
    assert not seen.all()
    mean = (points * seen).sum(axis=0) / seen.sum(axis=0)
    # the first shape is the mean of what dlib was told: without the faces' corners at (0, 0)
    assert np.abs(first - mean).max() < 0.5 * np.abs(points.mean(axis=0) - mean).max()


@pytest.mark.shared
def test_trees_stand_beside_networks_in_a_study(
    landmarks_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dlib", reason="the cascade needs the extra dlib")
    table, config = landmarks_data / "faces68/faces68.csv", tmp_path / "c.toml"
    assert run(["train", "init", "landmarks", "--data", str(table), "--out", str(config)]) == 0
    command = ["study", "landmarks", str(config), "--runs", str(tmp_path / "runs"), "--json"]
    command += ["--models", "cascade,light", "--report", str(tmp_path / "r.html")]
    for change in ("epochs=1", "data.limit=100", "batch=8", "data.detector=label"):
        command += ["--set", change]
    for change in ("levels=2", "trees=10", "starts=2"):
        command += ["--set", f"cascade.{change}"]
    capfd.readouterr()
    assert run(command) == 0
    arms = json.loads(capfd.readouterr().out.splitlines()[-1])["arms"]
    assert [(arm["model"], arm["optimizer"]) for arm in arms] == [
        ("cascade", "boosting"),
        ("light", "adamw"),
    ]
    trees, light = arms
    assert trees.keys() == light.keys()
    assert trees["test"].keys() == light["test"].keys()
    assert not trees["collapsed"]
    assert trees["test"]["nme"] < light["test"]["nme"]
    assert "cascade, boosting" in (tmp_path / "r.html").read_text(encoding="utf-8")
