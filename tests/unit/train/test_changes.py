"""A run goes on with other keys than it was begun with, where data and network do not change."""

from __future__ import annotations

from dataclasses import replace

import pytest

import training

training.needed()

import torch
from toy import Toy

from facelign.errors import ConfigError, Refused
from facelign.train.config import (
    MachineOptions,
    OptimizerOptions,
    ScheduleOptions,
    TrainConfig,
    gone_on,
    written,
)
from facelign.train.landmarks.config import started
from facelign.train.loop import fit, longer, where
from facelign.train.run_folder import RunFolder
from facelign.train.told import Told


def made(**optimizer) -> TrainConfig:
    return TrainConfig(
        kind="landmarks",
        epochs=3,
        batch=8,
        machine=MachineOptions(device="cpu", threads=1),
        optimizer=OptimizerOptions(name="sgd", **optimizer),
    )


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("optimizer.learning_rate=0.5", "optimizer.learning_rate"),
        ("optimizer.clip=1", "optimizer.clip"),
        ("optimizer.accumulate=2", "optimizer.accumulate"),
        ("epochs=7", "epochs"),
        ("steps=70", "steps"),
        ("schedule.name=constant", "schedule.name"),
        ("stop.patience=2", "stop.patience"),
        ("checkpoint.seconds=5", "checkpoint.seconds"),
        ("machine.precision='bf16'", "machine.precision"),
    ],
)
def test_what_is_another_is_told_with_what_it_was(change, key):
    config = started("/photos.csv")
    now, other = gone_on(config, [change])
    assert list(other) == [key]
    before, after = other[key]
    section, _, name = key.rpartition(".")
    assert getattr(getattr(config, section) if section else config, name) == before
    assert getattr(getattr(now, section) if section else now, name) == after != before


@pytest.mark.parametrize(
    "change",
    [
        *("data.limit=9", "data.source=/other.csv", "model.side=64", "loss.name=l1"),
        *("batch=4", "seed=8", "average.decay=0.5", "augment.flip=0", "optimizer.name=sgd"),
        "optimizer={learning_rate = 0.1, name = 'adam'}",
    ],
)
def test_what_would_make_another_run_is_refused(change):
    with pytest.raises(ConfigError, match="would not be the same run") as refused:
        gone_on(started("/photos.csv"), [change])
    assert "Begin another one" in str(refused.value)


def test_what_is_no_change_or_no_key():
    config = started("/photos.csv")
    assert gone_on(config, []) == (config, {})
    assert gone_on(config, [f"batch={config.batch}"]) == (config, {})
    for change, told in (
        ("optimizer.rate=1", "no key 'optimizer.rate'"),
        ("optimizer.learning_rate=-1", "not above 0"),
        ("epochs", "changes no key"),
    ):
        with pytest.raises(ConfigError, match=told):
            gone_on(config, [change])
    with pytest.raises(ConfigError):
        gone_on(config, ["kind=recognizer"])


def test_the_folder_keeps_what_was_changed_and_when(tmp_path):
    run, config = RunFolder(tmp_path / "run"), started("/photos.csv")
    run.begin(config, {})
    assert run.changes() == []
    first, other = gone_on(config, ["optimizer.learning_rate=0.5", "schedule.name=step"])
    run.change(first, other, 2, 7)
    second, other = gone_on(run.read(), ["optimizer.learning_rate=0.25"])
    run.change(second, other, 3, 1)
    assert run.read() == second
    told = [(row["epoch"], row["step"], row["key"]) for row in run.changes()]
    assert told == [
        (2, 7, "optimizer.learning_rate"),
        (2, 7, "schedule.name"),
        (3, 1, "optimizer.learning_rate"),
    ]
    assert [run.changes()[-1][name] for name in ("before", "after")] == [0.5, 0.25]
    text = run.config.read_text(encoding="utf-8")
    assert text.startswith(written(second))
    assert '# schedule.name was "cosine" until step 7 of epoch 2\n' in text
    with run.held(), pytest.raises(ConfigError, match="Another process"):
        run.change(config, other, 4, 1)
    assert run.read() == second


def test_a_run_whose_loss_was_not_finite_goes_on_with_a_lower_rate(tmp_path):
    wild = made(learning_rate=1e20)
    run = RunFolder(tmp_path / "run")
    run.begin(wild, {})
    for _ in range(2):
        with pytest.raises(Refused, match="Go on with a lower") as refused:
            fit(Toy(wild), wild, run)
        assert "not finite" in str(refused.value)
    lower, other = gone_on(wild, ["optimizer.learning_rate=0.01"])
    run.change(lower, other, where(run).epoch + 1, where(run).step + 1)
    assert fit(Toy(lower), lower, run)["epochs"] == 3


def test_settings_of_a_checkpoint_give_way_to_those_of_the_run(tmp_path):
    """An optimizer keeps its rate, decay and momentum with its state."""
    config = made(momentum=0.9, weight_decay=0.1)
    run = RunFolder(tmp_path / "run")
    run.begin(config, {})
    steps = iter(range(100))
    with pytest.raises(KeyboardInterrupt):
        fit(Toy(config), config, run, Told(stopped=lambda: next(steps) >= 10))
    assert (where(run).epoch, where(run).step) == (1, 3)
    changes = ["optimizer.momentum=0.5", "optimizer.weight_decay=0", "schedule.name=constant"]
    other, _ = gone_on(config, [*changes, "optimizer.learning_rate=0.0005"])
    fit(Toy(other), other, run)
    (group,) = torch.load(run.last, weights_only=True)["optimizer"]["param_groups"]
    assert (group["momentum"], group["weight_decay"], group["lr"]) == (0.5, 0, 0.0005)


@pytest.mark.parametrize("name", ["constant", "step", "plateau"])
def test_a_run_that_has_ended_gets_more_epochs_and_is_the_run_begun_with_them(tmp_path, name):
    """Bit for bit, also over what an optimizer remembers."""
    falls = ScheduleOptions(name=name, every=2, patience=1, warm_up=5)
    short = replace(made(), schedule=falls)
    run = RunFolder(tmp_path / "longer")
    run.begin(short, {})
    first = fit(Toy(short), short, run)
    long, other = gone_on(short, ["epochs=5"])
    assert longer(long, where(run), Toy(long).steps_per_epoch()) == ""
    run.change(long, other, where(run).epoch + 1, where(run).step + 1)
    assert run.finished() is None
    second = fit(Toy(long), long, run)
    assert (first["epochs"], second["epochs"]) == (3, 5)
    whole = RunFolder(tmp_path / "whole")
    whole.begin(long, {})
    assert fit(Toy(long), long, whole)["test"] == second["test"]
    mine, theirs = (torch.load(r.last, weights_only=True)["network"] for r in (run, whole))
    assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert [row["key"] for row in run.changes()] == ["epochs"]


def test_what_a_longer_run_is_not_is_said(tmp_path):
    config = made(learning_rate=0.1)
    run = RunFolder(tmp_path / "run")
    run.begin(config, {})
    fit(Toy(config), config, run)
    per_epoch, at = Toy(config).steps_per_epoch(), where(run)
    long, _ = gone_on(config, ["epochs=6"])
    assert "begins again at 0.05," in longer(long, at, per_epoch)  # half a cosine is half-way down
    cut, _ = gone_on(config, ["epochs=9", "steps=40", "schedule.name=constant"])
    assert longer(cut, at, per_epoch) == ""
    at.done -= 3
    assert "within an epoch" in longer(cut, at, per_epoch)
    for change, told in (
        (["optimizer.clip=1"], "The run has ended, after 3 epochs and 21 steps"),
        (["epochs=2"], "has ended"),
        (["epochs=9", "steps=20"], "has ended"),
    ):
        with pytest.raises(ConfigError, match=told):
            longer(gone_on(config, change)[0], at, per_epoch)
    at.rows += [{"val_loss": 9.0}] * 4
    with pytest.raises(ConfigError, match="not become better for 2 epochs") as refused:
        longer(gone_on(config, ["epochs=9", "stop.patience=2"])[0], at, per_epoch)
    assert "Raise stop.patience" in str(refused.value)
