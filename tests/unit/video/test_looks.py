"""When a view of a track is worth a look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelign.types.decisions import CandidateList
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Box
from facelign.video.looks import Budget, Look, Sighting
from facelign.video.options import LookOptions

GOOD = Sighting(0.0, 0, Box(10, 10, 80, 100), 0.9, sharpness=0.3, yaw_deg=0.0)
BLURRED = replace(GOOD, sharpness=0.08)


def looked(budget: Budget, view: Sighting, times: list[float]) -> list[float]:
    """The times at which the budget asks for a look at one and the same view."""
    taken = []
    for time_s in times:
        now = replace(view, time_s=time_s)
        if budget.wants(now):
            budget.taken(now)
            taken.append(time_s)
    return taken


def frames(seconds: float) -> list[float]:
    return [n / 25 for n in range(round(seconds * 25))]


@pytest.mark.parametrize(
    ("view", "word"),
    [
        ({"box": Box(0, 0, 20, 30)}, "small (30 px)"),
        ({"sharpness": 0.05}, "blurred"),
        ({"yaw_deg": 55.0}, "turned away (55 degrees)"),
        ({"inside": 0.7}, "cut by the edge of the picture"),
    ],
)
def test_a_poor_view_is_worth_less_and_says_why(view: dict[str, object], word: str) -> None:
    poor = replace(GOOD, **view)  # type: ignore[arg-type]
    assert 0 < poor.worth < GOOD.worth <= 1
    assert poor.lacks == word
    assert GOOD.lacks == ""


def test_a_good_view_is_looked_at_at_once() -> None:
    assert Budget(LookOptions()).wants(GOOD)


def test_the_first_look_waits_a_moment_for_a_better_view() -> None:
    options = LookOptions(wait_s=0.25)
    budget = Budget(options)
    assert not budget.wants(BLURRED)
    assert budget.wants(replace(GOOD, time_s=0.1))
    assert looked(Budget(options), BLURRED, frames(0.6))[0] == pytest.approx(0.28)


def test_a_face_cut_by_the_edge_is_looked_at_when_it_has_come_in() -> None:
    budget, taken = Budget(LookOptions()), []
    for n in range(10):
        view = replace(GOOD, time_s=n / 25, inside=min(0.6 + 0.1 * n, 1.0))
        if budget.wants(view):
            budget.taken(view)
            taken.append(view.inside)
    assert taken
    assert taken[0] >= 0.8


def test_a_better_view_is_looked_at_before_it_is_due() -> None:
    budget = Budget(LookOptions(wait_s=0.0, spacing_s=10.0))
    budget.wants(BLURRED)
    budget.taken(BLURRED)
    assert not budget.wants(replace(BLURRED, time_s=0.04))
    assert budget.wants(replace(GOOD, time_s=0.08))


def test_a_face_that_comes_nearer_does_not_use_up_its_looks() -> None:
    budget, taken = Budget(LookOptions(looks=12)), 0
    for n in range(100):
        view = replace(GOOD, time_s=n / 25, box=Box(0, 0, 70, 31.0 * 1.02**n))
        if budget.wants(view):
            budget.taken(view)
            taken += 1
    assert 3 <= taken <= 10


def test_looks_grow_rarer_and_end() -> None:
    options = LookOptions(looks=5, spacing_s=0.2, growth=2.0)
    taken = looked(Budget(options), GOOD, frames(60))
    assert len(taken) == 5
    gaps = np.diff(taken)
    np.testing.assert_allclose(gaps, [0.2, 0.4, 0.8, 1.6], atol=0.05)


def test_what_is_due_waits_for_a_view_that_is_half_as_good() -> None:
    budget = Budget(LookOptions(spacing_s=0.2))
    budget.wants(GOOD)
    budget.taken(GOOD)
    assert not budget.wants(replace(BLURRED, time_s=0.3))
    assert budget.wants(replace(GOOD, time_s=0.3))
    assert budget.wants(replace(BLURRED, time_s=0.45))


def test_views_that_say_nothing_are_never_looked_at_and_the_reason_is_told() -> None:
    small = Budget(LookOptions(), min_height=30.0)
    assert small.missing == "not seen yet"
    assert not looked(small, replace(GOOD, box=Box(0, 0, 20, 22)), frames(5))
    assert small.missing == "too small: 22 px of 30 px needed"
    away = Budget(LookOptions())
    assert not looked(away, replace(GOOD, yaw_deg=80.0, sharpness=0.1), frames(5))
    assert away.missing == "never a view worth a look: turned away (80 degrees)"
    brief = Budget(LookOptions())
    assert not looked(brief, replace(GOOD, sharpness=0.14), frames(0.1))
    assert brief.missing == "never a view worth a look: blurred"


def test_a_short_vector_says_less() -> None:
    space = Space("made/up/five", 2, Metric.COSINE, unit=True)
    answer = CandidateList((), None, "", None, 0)
    row = np.array([[1, 0]], np.float32)
    looks = [
        Look(GOOD, Embeddings(row, space, np.array([norm], np.float32)), answer)
        for norm in (0.0, 4.0, 8.0)
    ]
    assert 0 < looks[0].weight < looks[1].weight < looks[2].weight
    assert looks[2].weight == pytest.approx(4 * looks[1].weight)
