"""The loop: a run ends where it would have, however often it was ended before."""

from __future__ import annotations

import csv
import json
from itertools import count

import pytest

import training

training.needed()

import torch
from toy import Toy

from facelign.errors import ConfigError, InputError, Refused
from facelign.train.config import (
    AverageOptions,
    CheckpointOptions,
    MachineOptions,
    OptimizerOptions,
    ScheduleOptions,
    StopOptions,
    TrainConfig,
)
from facelign.train.loop import fit
from facelign.train.run_folder import RunFolder
from facelign.train.told import Told

ONE_THREAD = MachineOptions(device="cpu", threads=1)
SAME = ("epochs", "best", "test")


def made(**changes) -> TrainConfig:
    given = {"epochs": 3, "batch": 8, "seed": 3, "machine": ONE_THREAD}
    return TrainConfig(kind="landmarks", **{**given, **changes})


def begun(folder, config, **more) -> tuple[Toy, RunFolder]:
    task, run = Toy(config, **more), RunFolder(folder)
    run.begin(config, task.data())
    return task, run


def weights(run: RunFolder, name: str = "last") -> bytes:
    state = torch.load(getattr(run, name), weights_only=True)["network"]
    return b"".join(tensor.numpy().tobytes() for tensor in state.values())


class Ending:
    """Ends a run after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("ends", [(0,), (3,), (7,), (8, 0, 1), (20, 2)])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_an_ended_run_goes_on_to_the_same_bytes(tmp_path, ends, optimizer):
    config = made(
        optimizer=OptimizerOptions(name=optimizer, learning_rate=0.01, accumulate=2, clip=1.0),
        schedule=ScheduleOptions(name="plateau", warm_up=3, patience=1),
        average=AverageOptions(0.9),
    )
    task, whole = begun(tmp_path / "whole", config)
    wanted = fit(task, config, whole)
    task, ended = begun(tmp_path / "ended", config)
    for after in ends:
        with pytest.raises(KeyboardInterrupt):
            fit(task, config, ended, Told(stopped=Ending(after)))
    found = fit(task, config, ended)
    assert [found[name] for name in SAME] == [wanted[name] for name in SAME]
    assert weights(ended) == weights(whole)
    assert weights(ended, "best") == weights(whole, "best")


def test_a_run_that_was_killed_between_checkpoints_ends_at_the_same_bytes(tmp_path):
    config = made(checkpoint=CheckpointOptions(steps=3, seconds=0))
    task, whole = begun(tmp_path / "whole", config)
    fit(task, config, whole)
    for killed_at in (4, 11, 17):
        task, run = begun(tmp_path / str(killed_at), config)
        seen = []

        def killed(_images, seen=seen, killed_at=killed_at):
            seen.append(1)
            if len(seen) == killed_at:
                raise MemoryError  # nothing is saved on the way out

        with pytest.raises(MemoryError):
            fit(task, config, run, Told(step=killed))
        fit(task, config, run)
        assert weights(run) == weights(whole)


def test_it_learns_and_tells(tmp_path):
    config = made(epochs=12, optimizer=OptimizerOptions(learning_rate=0.05))
    task, run = begun(tmp_path / "run", config)
    rows = []
    result = fit(task, config, run, Told(epoch=rows.append))
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert rows[-1]["val_loss"] < rows[0]["val_loss"] / 3
    assert result["best"]["val_loss"] == min(row["val_loss"] for row in rows)
    assert json.loads(run.result.read_text()) == result
    with (run.path / "metrics.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, 13))


def test_steps_end_a_run_inside_an_epoch(tmp_path):
    config = made(steps=11)
    task, run = begun(tmp_path / "run", config)
    seen = []
    assert fit(task, config, run, Told(step=seen.append))["epochs"] == 2
    assert len(seen) == 11


def test_it_stops_when_nothing_gets_better(tmp_path):
    config = made(
        epochs=50,
        optimizer=OptimizerOptions(name="sgd", learning_rate=1e-9, momentum=0.0),
        stop=StopOptions(patience=2, least=0.5),
    )
    task, run = begun(tmp_path / "run", config)
    assert fit(task, config, run)["epochs"] == 3


def test_parts_of_a_batch_make_the_step_of_the_whole(tmp_path):
    found = []
    for accumulate in (1, 4):
        config = made(steps=1, optimizer=OptimizerOptions(name="sgd", accumulate=accumulate))
        task, run = begun(tmp_path / str(accumulate), config)
        # batch norm and dropout see other rows in each part; a linear network does not
        task.network = lambda: torch.nn.Linear(6, 1)
        fit(task, config, run)
        found.append(torch.load(run.last, weights_only=True)["network"]["weight"])
    assert torch.allclose(*found, atol=1e-6)


def test_a_loss_that_is_not_finite_ends_the_run_with_its_batch(tmp_path):
    config = made()
    task, run = begun(tmp_path / "run", config, broken=10)
    with pytest.raises(Refused, match=r"step 3 of epoch 2") as refused:
        fit(task, config, run)
    assert "batch.pt" in str(refused.value)
    kept = torch.load(run.path / "batch.pt", weights_only=True)
    assert torch.isnan(kept["x"]).any()


def test_two_processes_learn_what_one_does(tmp_path):
    found = []
    for processes in (1, 2):
        config = made(
            batch=16,
            machine=MachineOptions(device="cpu", threads=1, processes=processes),
            optimizer=OptimizerOptions(name="sgd", learning_rate=0.01, clip=1.0),
            average=AverageOptions(0.9),
        )
        task, run = begun(tmp_path / str(processes), config)
        rows = []
        result = fit(task, config, run, Told(epoch=rows.append))
        found.append((result["test"]["error"], rows, torch.load(run.last, weights_only=True)))
    (error, rows, state), (other_error, other_rows, other) = found
    assert other_error == pytest.approx(error, abs=1e-5)
    assert [row["loss"] for row in other_rows] == pytest.approx([r["loss"] for r in rows], abs=1e-5)
    for name, weight in state["network"].items():
        assert torch.allclose(weight.double(), other["network"][name].double(), atol=1e-5), name


def test_two_processes_refuse_as_one(tmp_path):
    config = made(machine=MachineOptions(device="cpu", threads=1, processes=2))
    task, run = begun(tmp_path / "bad", config, broken=3)
    with pytest.raises(Refused, match="step 4 of epoch 1"):
        fit(task, config, run)


def test_tensorboard_has_the_figures_of_every_epoch_once(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = made(epochs=4, machine=MachineOptions(device="cpu", threads=1, price=2.042))
    task, run = begun(tmp_path / "run", config)
    with pytest.raises(KeyboardInterrupt):
        fit(task, config, run, Told(stopped=Ending(11)))
    result = fit(task, config, run)
    read = EventAccumulator(str(run.tensorboard))
    read.Reload()
    with (run.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [event.step for event in read.Scalars("val_loss")] == [1, 2, 3, 4]
    for event, row in zip(read.Scalars("val_loss"), rows, strict=True):
        assert event.value == pytest.approx(float(row["val_loss"]), rel=1e-6)
    seconds = sum(float(row["seconds"]) for row in rows)
    assert result["cost"] == pytest.approx(seconds / 3600 * 2.042, abs=1e-4)
    assert 0 <= float(rows[0]["waiting"]) <= 1


def test_a_folder_holds_one_run(tmp_path):
    config = made()
    begun(tmp_path / "run", config)
    with pytest.raises(ConfigError, match="already"):
        begun(tmp_path / "run", config)
    with pytest.raises(ConfigError, match="no run"):
        RunFolder(tmp_path / "other").read()


def test_one_process_works_on_a_run(tmp_path):
    config = made()
    task, run = begun(tmp_path / "run", config)
    with run.held(), pytest.raises(ConfigError, match="Another process"):
        fit(task, config, run)
    assert fit(task, config, run)["epochs"] == 3


def test_a_damaged_checkpoint_is_told(tmp_path):
    config = made()
    task, run = begun(tmp_path / "run", config)
    for damaged in (b"", b"PK nonsense", b"\x80\x02cos\nsystem\n(S'true'\ntR."):
        run.last.write_bytes(damaged)
        with pytest.raises(InputError, match="no checkpoint"):
            fit(task, config, run)


def test_a_full_disk_keeps_what_was_saved_and_the_run_goes_on_from_there(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    config = made(checkpoint=CheckpointOptions(steps=2, seconds=0))
    task, whole = begun(tmp_path / "whole", config)
    fit(task, config, whole)
    task, run = begun(tmp_path / "run", config)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    seen = []

    def full(_images):
        seen.append(1)
        if len(seen) == 13:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))

    try:
        with pytest.raises(InputError, match=r"last\.pt cannot be written"):
            fit(task, config, run, Told(step=full))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [path.name for path in run.path.iterdir() if path.suffix == ".part"]
    fit(task, config, run)
    assert weights(run) == weights(whole)


def test_memory_does_not_grow_with_the_steps(tmp_path):
    psutil = pytest.importorskip("psutil")
    config = made(epochs=1, batch=4)
    task, run = begun(tmp_path / "run", config, samples=4 * 1500)
    used: list[int] = []
    seen = count(1)

    def look(_images):
        if next(seen) % 100 == 0:
            used.append(psutil.Process().memory_info().rss)

    fit(task, config, run, Told(step=look))
    assert len(used) == 15
    assert max(used[9:]) <= 1.05 * used[9]  # from step 1,000 on


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "nadam", "rmsprop", "sgd"])
def test_every_optimizer_learns(tmp_path, optimizer):
    config = made(epochs=6, optimizer=OptimizerOptions(name=optimizer, learning_rate=0.01))
    task, run = begun(tmp_path / "run", config)
    rows = []
    fit(task, config, run, Told(epoch=rows.append))
    assert rows[-1]["val_loss"] < 0.8 * rows[0]["val_loss"]


def test_numbers_of_half_the_size_learn_too(tmp_path):
    half = MachineOptions(device="cpu", threads=1, precision="bf16")
    config = made(epochs=8, machine=half, optimizer=OptimizerOptions(learning_rate=0.05))
    task, run = begun(tmp_path / "run", config)
    rows = []
    fit(task, config, run, Told(epoch=rows.append))
    assert rows[-1]["val_loss"] < 0.5 * rows[0]["val_loss"]


def test_the_average_of_the_weights_is_what_is_judged(tmp_path):
    config = made(epochs=2, average=AverageOptions(0.9))
    task, run = begun(tmp_path / "run", config)
    judged = []
    task.validate = lambda network: (judged.append(network[0].weight.clone()), {"val_loss": 1.0})[1]
    fit(task, config, run)
    state = torch.load(run.last, weights_only=True)
    assert torch.equal(judged[-1], state["average"]["module.0.weight"])
    assert not torch.equal(judged[-1], state["network"]["0.weight"])
