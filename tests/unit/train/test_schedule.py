"""The learning rate: a function of what was done, so that a resumed run has the same."""

from __future__ import annotations

import math

import pytest

from facelign.train.config import ScheduleOptions
from facelign.train.schedule import falls, share, since_best

STEPS = 40


def rates(options: ScheduleOptions, per_epoch: int = 10, losses=()) -> list[float]:
    return [share(options, step, STEPS, step // per_epoch, losses) for step in range(STEPS)]


@pytest.mark.parametrize("name", ["cosine", "step", "plateau", "constant"])
def test_every_schedule_rises_to_the_whole_rate_within_the_warm_up(name):
    found = rates(ScheduleOptions(name=name, warm_up=5, every=1))
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert max(found) == 1.0
    assert min(found) > 0


def test_without_a_warm_up_the_first_step_has_the_whole_rate():
    for name in ("cosine", "step", "plateau", "constant"):
        assert share(ScheduleOptions(name=name), 0, STEPS, 0, ()) == 1.0


def test_cosine_falls_as_half_a_wave():
    found = rates(ScheduleOptions(warm_up=8))[8:]
    wanted = [(1 + math.cos(math.pi * n / 32)) / 2 for n in range(32)]
    assert found == pytest.approx(wanted)
    assert sorted(found, reverse=True) == found


def test_cosine_ends_at_the_share_that_is_kept_and_stays_there():
    options = ScheduleOptions(least=0.25)
    assert share(options, STEPS, STEPS, 4, ()) == pytest.approx(0.25)
    assert share(options, 3 * STEPS, STEPS, 12, ()) == pytest.approx(0.25)
    assert share(options, STEPS // 2, STEPS, 2, ()) == pytest.approx(0.625)


def test_a_warm_up_as_long_as_the_run_divides_by_nothing():
    found = rates(ScheduleOptions(warm_up=STEPS))
    assert found[-1] == 1.0
    assert share(ScheduleOptions(warm_up=STEPS), STEPS, STEPS, 4, ()) == 1.0


def test_step_falls_after_so_many_epochs_and_not_below_what_is_kept():
    options = ScheduleOptions(name="step", every=2, factor=0.5, least=0.2)
    by_epoch = [share(options, 10 * epoch, 100, epoch, ()) for epoch in range(8)]
    assert by_epoch == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2]


def test_a_step_that_multiplies_by_nothing_leaves_what_is_kept():
    options = ScheduleOptions(name="step", every=1, factor=0.0)
    assert [share(options, 0, 9, epoch, ()) for epoch in (0, 1, 2)] == [1, 0, 0]


def test_plateau_follows_the_validations():
    options = ScheduleOptions(name="plateau", patience=2, factor=0.1)
    losses = [5.0, 4.0, 4.0, 4.5, 3.0, 3.0, 3.0, 3.0, 3.0]
    found = [share(options, 99, 1000, 0, losses[:n]) for n in range(len(losses) + 1)]
    wanted = [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001]
    assert found == pytest.approx(wanted)


def test_constant_stays():
    assert set(rates(ScheduleOptions(name="constant"), losses=[1.0] * 50)) == {1.0}


@pytest.mark.parametrize(
    ("losses", "patience", "count"),
    [
        ([], 1, 0),
        ([1.0], 1, 0),
        ([1.0, 1.0], 1, 1),
        ([1.0, 1.0, 1.0], 1, 2),
        ([3.0, 2.0, 1.0], 1, 0),
        ([1.0, 2.0, 0.5, 2.0, 2.0], 2, 1),
        ([math.nan, math.nan, math.nan], 3, 1),
        ([math.nan, 1.0, math.inf], 2, 0),
    ],
)
def test_falls_are_counted_by_patience(losses, patience, count):
    assert falls(losses, patience) == count


@pytest.mark.parametrize(
    ("losses", "least", "waited"),
    [
        ([], 0.0, 0),
        ([1.0], 0.0, 0),
        ([1.0, 0.9], 0.0, 0),
        ([1.0, 0.9], 0.2, 1),
        # many small gains make one that counts, measured from the last that did
        ([1.0, 0.9, 0.85, 0.7], 0.2, 0),
        ([1.0, math.nan, math.nan], 0.0, 2),
        ([2.0, 1.0, 1.0, 1.0], 0.0, 2),
    ],
)
def test_waiting_is_counted_from_the_best(losses, least, waited):
    assert since_best(losses, least) == waited
