"""A plan tells the sizes of the run that would be, and takes no more than a few steps for it."""

from __future__ import annotations

import pytest

import training

training.needed()

from toy import SAMPLES, WIDTH, Toy

from facelign.train.config import MachineOptions, TrainConfig
from facelign.train.plan import plan

LEARNING = WIDTH * 8 + 8 + 2 * 8 + 8 + 1


def made(price: float = 0.0, **changes) -> TrainConfig:
    machine = MachineOptions(device="cpu", threads=1, price=price)
    return TrainConfig(kind="landmarks", machine=machine, **{"epochs": 5, "batch": 8, **changes})


def told(config: TrainConfig) -> dict:
    return plan(Toy(config), config)


def test_sizes_are_those_of_the_network_and_the_run():
    found = told(made())
    assert found["kind"] == "landmarks"
    assert found["data"] == {"name": "made"}
    assert found["parameters"] == found["learning"] == LEARNING
    assert found["weights_mb"] == round(LEARNING * 4 / 2**20, 2)
    assert found["steps_per_epoch"] == SAMPLES // 8
    assert (found["epochs"], found["steps"]) == (5, 5 * SAMPLES // 8)
    assert found["memory_mb"] > 1
    assert 0 <= found["waiting"] <= 1
    assert "cost" not in found


def test_a_limit_of_steps_counts():
    found = told(made(steps=11))
    assert (found["epochs"], found["steps"]) == (2, 11)


def test_an_hour_that_costs_makes_a_cost():
    found = told(made(price=3.6e6, epochs=1000))
    assert found["cost"] == pytest.approx(found["hours"] * 3.6e6, rel=0.05, abs=200)
    assert found["cost"] > 0


def test_what_is_frozen_does_not_learn():
    config = made()
    task = Toy(config)
    network = task.network()
    network[0].requires_grad_(False)
    task.network = lambda: network
    found = plan(task, config)
    assert found["parameters"] - found["learning"] == WIDTH * 8 + 8


def test_no_more_than_a_few_batches_are_made():
    config = made()
    task, seen = Toy(config), []
    every = task.batches

    def counted(epoch, first):
        for batch in every(epoch, first):
            seen.append(epoch)
            yield batch

    task.batches = counted
    plan(task, config)
    assert 1 <= len(seen) <= 5
    assert set(seen) == {0}
