"""The study of landmark models: arms by name, one split, runs that are taken up, a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import training

training.needed()

from facelign.cli.app import run
from facelign.errors import ConfigError
from facelign.train.landmarks.config import LandmarkConfig
from facelign.train.landmarks.study import ARTICLE, LandmarkArm, arms_of, tries


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("light", {"name": "light"}),
        ("inception-4", {"name": "inception", "blocks": 4}),
        ("inception-bottleneck", {"name": "inception-bottleneck"}),
        ("resnet50-0", {"name": "resnet50", "blocks": 0}),
        ("resnet50-all", {"name": "resnet50", "blocks": -1}),
        ("scratch-6+3", {"name": "scratch", "kernels": (6, 3)}),
        ("scratch-3", {"name": "scratch", "kernels": (3,)}),
    ],
)
def test_an_arm_is_a_change_of_the_configuration(model: str, wanted: dict[str, Any]) -> None:
    config = LandmarkConfig(kind="landmarks")
    changed = LandmarkArm(model, "nadam", 3).changed(config)
    assert {name: getattr(changed.model, name) for name in wanted} == wanted
    assert (changed.optimizer.name, changed.seed) == ("nadam", 3)
    assert changed.optimizer.learning_rate == 0.001
    assert changed.data == config.data


def test_every_model_of_the_article_is_an_arm() -> None:
    config = LandmarkConfig(kind="landmarks")
    arms = list(arms_of(list(ARTICLE), ["sgd", "rmsprop", "adam", "nadam"], 2))
    assert len({arm.name for arm in arms}) == 6 * 4 * 2
    for arm in arms:
        arm.changed(config)
    with pytest.raises(ConfigError, match="optimizers: sgd"):
        LandmarkArm("light", "adagrad", 1).changed(config)
    for bad in ("light_3", "housenet", "inception-", "inception-x", "-2", ""):
        with pytest.raises(ConfigError, match="cannot be trained"):
            LandmarkArm(bad, "adam", 1).changed(config)


@pytest.mark.shared
def test_a_study_is_run_told_and_taken_up(
    landmarks_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    table, config = landmarks_data / "muct/muct_crops.csv", tmp_path / "c.toml"
    assert run(["train", "init", "landmarks", "--data", str(table), "--out", str(config)]) == 0
    command = ["study", "landmarks", str(config), "--runs", str(tmp_path / "runs"), "--json"]
    command += ["--models", "light,scratch-3", "--report", str(tmp_path / "r.html")]
    for change in ("epochs=1", "data.limit=60", "model.side=64", "batch=8", "data.detector=label"):
        command += ["--set", change]
    command += ["--set", "data.split=photo", "--set", "machine.threads=1"]
    capfd.readouterr()
    assert run(command) == 0
    told = capfd.readouterr()
    arms = json.loads(told.out.splitlines()[-1])["arms"]
    assert [arm["model"] for arm in arms] == ["light", "scratch-3"]
    for arm in arms:
        assert arm["nme_flipped"].keys() == {"mirrored", "upside down"}
        assert arm["collapsed"]  # one epoch: all points still in the middle
        assert 0 < arm["test"]["nme"] < 2
        assert {name for name in arm["test"] if name.startswith("nme_camera")}
    assert "cut by the annotated points" in told.err
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "points in the middle" in page
    assert "The networks" in page
    assert "parameters are trained: conv 3x3 to dense trained." in page
    assert page.count("data:image/jpeg") >= 12
    # runs that have ended are taken as they are, and no other configuration takes them
    before = (tmp_path / "runs/light-adamw-seed1/best.pt").stat().st_mtime_ns
    assert run(command) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["arms"] == arms
    assert (tmp_path / "runs/light-adamw-seed1/best.pt").stat().st_mtime_ns == before
    search = ["--search", "optimizer.learning_rate=0.002|0.02", "--search", "loss.name=l1|wing"]
    only = [*command, *search, "--draws", "1"]
    only[only.index("light,scratch-3")] = "light"
    assert run([part for part in only if part != "--json"]) == 0
    said = capfd.readouterr().out
    assert "  optimizer.learning_rate=" in said
    assert " % (95 %, over faces)" in said
    assert len(list((tmp_path / "runs").glob("light-adamw-optimizer*/result.json"))) == 1
    assert run([*command, "--set", "batch=4"]) != 0
    assert "another configuration" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("searched", "draws", "wanted"),
    [
        ((), 0, [()]),
        (("epochs=1|2",), 0, [("epochs=1",), ("epochs=2",)]),
        (("epochs=1|2|2", "loss.name=l1|wing"), 0,
         [("epochs=1", "loss.name=l1"), ("epochs=1", "loss.name=wing"),
          ("epochs=2", "loss.name=l1"), ("epochs=2", "loss.name=wing")]),
    ],
)  # fmt: skip
def test_what_is_searched_is_all_with_all(searched, draws, wanted) -> None:
    assert tries(searched, draws) == wanted


def test_a_part_of_a_search_is_drawn_alike_each_time_and_none_twice() -> None:
    asked = ("optimizer.learning_rate=0.1|0.01|0.001", "optimizer.weight_decay=0|0.1")
    every = tries(asked)
    some = tries(asked, 4)
    assert len(every) == 6
    assert some == tries(asked, 4)
    assert len(set(some)) == 4
    assert set(some) < set(every)
    assert tries(asked, 99) == every
    for bad in ("epochs", "epochs=", "epochs=3", "=1|2", "epochs=2|2"):
        with pytest.raises(ConfigError, match="names no values to choose from"):
            tries((bad,))


def test_an_arm_of_a_search_is_a_change_of_the_configuration_and_has_its_own_folder() -> None:
    config = LandmarkConfig(kind="landmarks")
    (arm,) = arms_of(["light"], ["adamw"], 1, [("optimizer.learning_rate=0.5", "loss.name=l1")])
    made = arm.changed(config)
    assert (made.optimizer.learning_rate, made.loss.name) == (0.5, "l1")
    assert made.optimizer.name == "adamw"
    assert arm.name == "light, adamw, optimizer.learning_rate=0.5, loss.name=l1, seed 1"
    assert arm.name != LandmarkArm("light", "adamw", 1).name
    tried = ("model.blocks=4", "augment.rotate=0")
    blocks = LandmarkArm("inception-2", "adamw", 1, tried).changed(config)
    assert (blocks.model.blocks, blocks.augment.rotate) == (4, 0)
    for change in ("data.limit=9", "model.name=pip", "seed=3", "machine.threads=2"):
        with pytest.raises(ConfigError, match="other faces or another name"):
            LandmarkArm("light", "adamw", 1, (change,)).changed(config)
    with pytest.raises(ConfigError, match=r"no key 'optimizer\.rate'"):
        LandmarkArm("light", "adamw", 1, ("optimizer.rate=3",)).changed(config)
