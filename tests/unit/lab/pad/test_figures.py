"""APCER, BPCER and what may be claimed, on numbers that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.lab.pad import figures
from facelign.lab.pad.figures import Answers, Rate
from facelign.lab.statistics.exact import exact_share


def answers(
    bona_fide: list[float | None],
    attacks: dict[str, list[float | None]],
    subjects: list[int] | None = None,
    devices: list[int] | None = None,
) -> Answers:
    scores, species = list(bona_fide), [-1] * len(bona_fide)
    for k, some in enumerate(attacks.values()):
        scores += some
        species += [k] * len(some)
    n = len(scores)
    return Answers(
        np.array([s or 0.0 for s in scores]),
        np.array([s is not None for s in scores]),
        np.array(species, np.int64),
        np.array(subjects or range(n), np.int64),
        np.array(devices or [0] * n, np.int64),
        tuple(attacks),
    )


def told(found: Answers, species: int, threshold: float = 0.5) -> Rate:
    rate = figures.rate_of(found, species, threshold, draws=200)
    assert rate is not None
    return rate


HAND = answers(
    [0.9, 0.8, 0.5, 0.3, None],
    {"print": [0.1, 0.2, 0.5, 0.9], "screen": [0.1, 0.2, 0.3, None, None]},
)


def test_rates_are_those_that_are_counted() -> None:
    printed, shown, people = told(HAND, 0), told(HAND, 1), told(HAND, -1)
    assert (printed.rate.value, printed.wrong, printed.silent) == (0.5, 2, 0)
    assert (shown.rate.value, shown.wrong, shown.answered, shown.silence) == (0.0, 0, 3, 0.4)
    assert (people.rate.value, people.wrong, people.answered, people.silence) == (0.25, 1, 4, 0.2)
    assert figures.largest(HAND, 0.5) == (0.5, "print")
    assert figures.bpcer(HAND, 0.5) == 0.25


def test_no_error_leaves_room_by_people_not_by_photos() -> None:
    """Ten photos of each of five people are five trials for whoever is not among them."""
    subjects = [k // 10 for k in range(50)]
    found = answers([], {"print": [0.1] * 50}, subjects)
    rate = told(found, 0)
    assert rate.rate.value == 0
    assert rate.rate.high == pytest.approx(3 / 5)
    assert rate.by_presentation.high == pytest.approx(exact_share(0, 50).high)
    assert rate.upper == rate.rate.high
    everything = told(answers([], {"print": [0.9] * 50}, subjects), 0)
    assert (everything.rate.low, everything.rate.high) == (pytest.approx(2 / 5), 1.0)


def test_one_person_who_always_passes_widens_the_interval() -> None:
    one = [0.9] * 10 + [0.1] * 90
    spread = [0.9 if k % 10 == 0 else 0.1 for k in range(100)]
    subjects = [k // 10 for k in range(100)]
    lonely = told(answers([], {"print": one}, subjects), 0)
    even = told(answers([], {"print": spread}, subjects), 0)
    assert lonely.rate.value == even.rate.value == 0.1
    assert lonely.rate.high - lonely.rate.low > 0.2
    assert even.rate.high - even.rate.low < 1e-9


def test_devices_are_drawn_from_five_on() -> None:
    scores: list[float | None] = [0.9, 0.1, 0.1, 0.1]
    two = told(answers([], {"print": scores}, devices=[0, 0, 1, 1]), 0)
    assert two.by_device is None
    assert two.of_devices == (0.0, 0.5)
    five = told(answers([], {"print": scores * 5}, devices=[k // 4 for k in range(20)]), 0)
    assert five.by_device is not None
    assert five.by_device.value == 0.25


def test_a_kind_without_an_answer_has_no_rate() -> None:
    silent = answers([None], {"print": [None, None]})
    assert figures.rate_of(silent, 0, 0.5) is None
    assert np.isnan(figures.largest(silent, 0.5)[0])
    assert np.isnan(figures.bpcer(silent, 0.5))
    assert figures.threshold_at_apcer(silent, 0.1) is None


shares = st.integers(0, 20).map(lambda k: k / 20)


@settings(max_examples=60)
@given(
    st.lists(shares, min_size=10, max_size=40),
    st.lists(shares, min_size=10, max_size=40),
    st.lists(shares, min_size=10, max_size=40),
    st.sampled_from([0.1, 0.2, 0.5]),
)
def test_operating_points_are_the_best_that_keep_the_rate(
    people: list[float], printed: list[float], shown: list[float], rate: float
) -> None:
    found = answers([*people], {"print": [*printed], "screen": [*shown]})
    tries = np.unique([*people, *printed, *shown, 1.1])
    at = figures.threshold_at_bpcer(found, rate)
    assert at is not None
    assert figures.bpcer(found, at) <= rate + 1e-12
    kept = [t for t in tries if figures.bpcer(found, t) <= rate + 1e-12]
    assert figures.largest(found, at)[0] == figures.largest(found, max(kept))[0]
    at = figures.threshold_at_apcer(found, rate)
    assert at is not None
    assert figures.largest(found, at)[0] <= rate + 1e-12
    kept = [t for t in tries if figures.largest(found, t)[0] <= rate + 1e-12]
    assert figures.bpcer(found, at) == figures.bpcer(found, min(kept))


def test_too_few_presentations_show_no_small_rate() -> None:
    found = answers([0.5] * 50, {"print": [0.1] * 200, "screen": [0.1] * 50})
    assert figures.points(found, figures.threshold_at_bpcer)["0.01"] is None
    assert figures.points(found, figures.threshold_at_bpcer)["0.05"] is not None
    assert figures.threshold_at_apcer(found, 0.01) is None


def test_det_goes_from_nobody_refused_to_nobody_passing() -> None:
    passed, refused = figures.det(HAND, 0)
    assert (passed[0], refused[0]) == (1.0, 0.0)
    assert (passed[-1], refused[-1]) == (0.0, 1.0)
    assert (np.diff(passed) <= 0).all()
    assert (np.diff(refused) >= 0).all()


def test_a_claim_takes_three_over_the_rate() -> None:
    assert figures.needed(0.05) == 60
    subjects = [k % 12 for k in range(60)]
    few = answers([], {"print": [0.1] * 60}, subjects)
    lacks = figures.missing([told(few, 0)], None, 0.05, figures.needed(0.05))
    assert lacks == [
        "1 more species of attack",
        "60 bona fide presentations of 10 people",
        "48 more people of print",
    ]
    shown = [*(k % 12 for k in range(59)), *subjects, *(k % 9 for k in range(60))]
    both = answers([0.9] * 59, {"print": [0.1] * 60, "screen": [0.1] * 60}, shown)
    rates = [told(both, 0), told(both, 1)]
    assert figures.missing(rates, told(both, -1), 0.05) == [
        "1 more person of screen",
        "1 more presentation of bona fide",
    ]
    assert figures.missing([rates[0], rates[0]], told(both, -1), 0.3) == []
