"""A run goes on with other keys than it was begun with, where data and network do not change."""

from __future__ import annotations

import pytest

import training

training.needed()

import torch
from toy import Toy

from facelign.errors import ConfigError, Refused
from facelign.train.config import (
    MachineOptions,
    OptimizerOptions,
    TrainConfig,
    gone_on,
    written,
)
from facelign.train.landmarks.config import started
from facelign.train.loop import fit, reached
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
    run.change(lower, other, *reached(run))
    assert fit(Toy(lower), lower, run)["epochs"] == 3


def test_settings_of_a_checkpoint_give_way_to_those_of_the_run(tmp_path):
    """An optimizer keeps its rate, decay and momentum with its state."""
    config = made(momentum=0.9, weight_decay=0.1)
    run = RunFolder(tmp_path / "run")
    run.begin(config, {})
    steps = iter(range(100))
    with pytest.raises(KeyboardInterrupt):
        fit(Toy(config), config, run, Told(stopped=lambda: next(steps) >= 10))
    assert reached(run) == (2, 4)
    changes = ["optimizer.momentum=0.5", "optimizer.weight_decay=0", "schedule.name=constant"]
    other, _ = gone_on(config, [*changes, "optimizer.learning_rate=0.0005"])
    fit(Toy(other), other, run)
    (group,) = torch.load(run.last, weights_only=True)["optimizer"]["param_groups"]
    assert (group["momentum"], group["weight_decay"], group["lr"]) == (0.5, 0, 0.0005)
