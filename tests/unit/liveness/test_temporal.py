"""Frames of a track become one decision."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.liveness.temporal import LiveTrack, TrackOptions, TrackRule, combined
from facelign.types.liveness import LiveDecision

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def fed(track: LiveTrack, *scores: float | None) -> LiveDecision:
    for score in scores:
        track.add(score)
    return track.decision


def test_nothing_is_decided_before_enough_frames() -> None:
    track = LiveTrack(TrackOptions(least=3))
    assert fed(track, 0.9, 0.9) is LiveDecision.NOT_CHECKED
    assert track.score is None
    assert "2 of 3 frames" in track.answer.reason
    assert track.add(0.9) is LiveDecision.LIVE
    assert track.looks == 3


def test_one_frame_outvotes_nobody() -> None:
    for rule in TrackRule:
        live = LiveTrack(TrackOptions(least=3, rule=rule))
        assert fed(live, 0.9, 0.9, 0.0, 0.9, 0.9, 0.9) is LiveDecision.LIVE
        attack = LiveTrack(TrackOptions(least=3, rule=rule))
        assert fed(attack, 0.1, 0.1, 1.0, 0.1, 0.1, 0.1) is LiveDecision.ATTACK
        assert "over 6 frames, below 0.5" in attack.answer.reason


def test_a_print_that_is_held_out_later_is_seen_within_the_window() -> None:
    track = LiveTrack(TrackOptions(least=3, window=9))
    assert fed(track, *[0.95] * 100) is LiveDecision.LIVE
    assert fed(track, *[0.05] * 5) is LiveDecision.ATTACK


def test_what_was_seen_long_ago_does_not_hold_for_ever() -> None:
    track = LiveTrack(TrackOptions(least=3, window=4))
    assert fed(track, 0.9, 0.9, 0.9, None, None, None) is LiveDecision.LIVE
    assert track.add(None) is LiveDecision.NOT_CHECKED
    assert track.looks == 0


@given(shares)
def test_a_track_is_between_its_frames(scores: list[float]) -> None:
    assert min(scores) <= combined(scores) <= max(scores)
    held = [min(max(score, 0.02), 0.98) for score in scores]
    mixed = combined(scores, TrackRule.LOGITS)
    assert min(held) - 1e-9 <= mixed <= max(held) + 1e-9


def test_log_odds_are_averaged() -> None:
    odds = (math.log(0.9 / 0.1) + math.log(0.6 / 0.4)) / 2
    assert combined([0.9, 0.6], TrackRule.LOGITS) == pytest.approx(1 / (1 + math.exp(-odds)))


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.0}, {"least": 0}, {"least": 20}, {"threshold": 1}]
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="cannot be meant"):
        TrackOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan])
def test_a_score_is_a_share(score: float) -> None:
    with pytest.raises(ValueError, match="wanted 0 to 1"):
        LiveTrack().add(score)
