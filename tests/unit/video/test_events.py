"""What is told of a camera: for each rule a case, and three laws over any sequence of frames."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.types.events import Event, EventKind
from facelign.video.events import CameraEvents, EventRules, Moment, TrackState, Zone

START = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)
SIZE = (640, 480)
RULES = EventRules(confirm_frames=2, absence=1.0, cooldown=5.0)


def at(second: float) -> Moment:
    return Moment(START + timedelta(seconds=second), second)


def face(track: int, person: str | None = None, sure: bool = True, **more: object) -> TrackState:
    x = more.pop("x", 100 * track)
    made = TrackState(track, (x, 100, x + 80, 200), person, sure, 0.6, 0.4, 3)  # type: ignore[operator, arg-type]
    return replace(made, **more)  # type: ignore[arg-type]


def play(events: CameraEvents, frames: list[list[TrackState]], step: float = 0.5) -> list[Event]:
    """Return what is told when frames come each half second, and at the end."""
    told = [e for n, states in enumerate(frames) for e in events.update(states, at(n * step), SIZE)]
    return told + events.flush(at(len(frames) * step))


def words(told: list[Event]) -> list[str]:
    return [f"{e.kind.value} {e.visit} {e.person or ''}".strip() for e in told]


def test_somebody_comes_is_known_and_leaves() -> None:
    told = play(
        CameraEvents("door", RULES),
        [[face(1, "Ada", sure=False)], [face(1, "Ada", sure=False)], [face(1, "Ada")] * 1]
        + [[face(1, "Ada")]] * 3 + [[]] * 4,
    )  # fmt: skip
    assert words(told) == ["appeared 1", "recognized 1 Ada", "left 1 Ada"]
    appeared, recognized, left = told
    assert (appeared.time, recognized.time) == (at(0.5).time, at(1.0).time)
    assert (left.time, left.last_seen) == (at(4.0).time, at(2.5).time)
    assert (recognized.score, recognized.threshold, recognized.looks) == (0.6, 0.4, 3)
    assert recognized.height == 100
    assert len({event.id for event in told}) == 3


def test_who_is_seen_in_one_frame_only_is_not_told() -> None:
    assert play(CameraEvents("door", RULES), [[face(1, "Ada")], [], [], [face(2, "Ada")]]) == []
    slow = replace(RULES, confirm_s=1.2)
    told = play(CameraEvents("door", slow), [[face(1)]] * 5)
    assert told[0].time == at(1.5).time


def test_a_stranger_is_told_once() -> None:
    told = play(CameraEvents("door", RULES), [[face(1, reason="below the threshold")]] * 6)
    assert words(told) == ["appeared 1", "unknown 1", "left 1"]
    assert told[1].reason == told[2].reason == "below the threshold"


def test_a_name_that_later_looks_contradict_is_revoked_once() -> None:
    ada, bob, nobody = face(1, "Ada"), face(1, "Bob"), face(1, None)
    told = play(CameraEvents("door", RULES), [[ada]] * 3 + [[nobody]] * 3 + [[bob]] * 3)
    assert words(told) == [
        "appeared 1", "recognized 1 Ada", "revoked 1 Ada", "unknown 1", "recognized 1 Bob",
        "left 1 Bob",
    ]  # fmt: skip
    told = play(CameraEvents("door", RULES), [[ada]] * 3 + [[bob]] * 3)
    assert words(told)[2:] == ["revoked 1 Ada", "recognized 1 Bob", "left 1 Bob"]


def test_doubt_alone_revokes_nothing() -> None:
    ada, doubt = face(1, "Ada"), face(1, None, sure=False)
    told = play(CameraEvents("door", RULES), [[ada]] * 3 + [[doubt]] * 3 + [[ada]] * 3)
    assert words(told) == ["appeared 1", "recognized 1 Ada", "left 1 Ada"]


def test_who_comes_back_at_once_is_told_after_the_cooldown_only() -> None:
    ada = [[face(1, "Ada")]] * 3
    again = [[face(2, "Ada")]] * 3
    told = play(CameraEvents("door", RULES), [*ada, *[[]] * 4, *again, *[[]] * 4])
    assert words(told) == [
        "appeared 1", "recognized 1 Ada", "left 1 Ada", "appeared 2", "left 2 Ada",
    ]  # fmt: skip
    told = play(CameraEvents("door", RULES), [*ada, *[[]] * 4, *again * 5])
    assert words(told)[3:] == ["appeared 2", "recognized 2 Ada", "left 2 Ada"]
    assert told[4].time - told[2].time >= timedelta(seconds=5)
    told = play(CameraEvents("door", replace(RULES, cooldown=0)), [*ada, *[[]] * 4, *again])
    assert words(told)[3:] == ["appeared 2", "recognized 2 Ada", "left 2 Ada"]


def test_of_two_faces_with_one_name_the_better_keeps_it() -> None:
    good, fair = face(1, "Ada", score=0.7), face(2, "Ada", score=0.5)
    told = play(CameraEvents("door", RULES), [[fair, good]] * 4)
    assert words(told) == ["appeared 1", "appeared 2", "recognized 2 Ada", "left 1", "left 2 Ada"]
    named = next(e for e in told if e.kind is EventKind.RECOGNIZED)
    assert named.score == 0.7


def test_a_better_face_takes_the_name_over_and_it_does_not_go_to_and_fro() -> None:
    first, second = face(1, "Ada", score=0.5), face(2, "Ada", score=0.6)
    swapped = [face(1, "Ada", score=0.9), second]
    told = play(CameraEvents("door", RULES), [[first]] * 3 + [[first, second]] * 3 + [swapped] * 3)
    assert words(told) == [
        "appeared 1", "recognized 1 Ada", "revoked 1 Ada", "appeared 2", "recognized 2 Ada",
        "left 1", "left 2 Ada",
    ]  # fmt: skip


def test_who_is_found_again_as_another_track_is_in_one_place() -> None:
    ada = [[face(1, "Ada")]] * 3
    told = play(CameraEvents("door", replace(RULES, absence=30)), [*ada, *[[face(2, "Ada")]] * 3])
    assert words(told) == [
        "appeared 1", "recognized 1 Ada", "left 1 Ada", "appeared 2", "left 2 Ada",
    ]  # fmt: skip


def test_ignored_people_are_never_told() -> None:
    rules = replace(RULES, ignored=frozenset({"Ada"}))
    doubt = face(1, None, sure=False)
    for frames in (
        [[doubt], [doubt], *[[face(1, "Ada")]] * 3],
        [*[[face(1, "Ada", sure=False)]] * 4],
        [*[[face(1, "Ada", liveness="attack")]] * 4],
    ):
        assert play(CameraEvents("door", rules), frames) == []
    told = play(CameraEvents("door", rules), [[doubt], [doubt], [doubt], [face(1, "Bob")]])
    assert words(told) == ["appeared 1", "recognized 1 Bob", "left 1 Bob"]
    assert told[0].time == at(0.5).time
    told = play(CameraEvents("door", rules), [[doubt]] * 3)
    assert words(told) == ["appeared 1", "unknown 1", "left 1"]
    late = [[face(1, reason="nearest is Ada")]] * 3 + [[face(1, "Ada")]] * 3
    told = play(CameraEvents("door", rules), late)
    assert words(told) == ["appeared 1", "unknown 1", "left 1"]
    assert not any("Ada" in repr(event) for event in told)


def test_zones_and_the_least_size() -> None:
    steps = Zone("steps", ((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
    near = replace(RULES, zones=(steps,), only_zones=True, least_height=90.0)
    left, right = face(1, "Ada", x=100), face(1, "Ada", x=500)
    assert words(play(CameraEvents("door", near), [[left]] * 3))[1] == "recognized 1 Ada"
    assert play(CameraEvents("door", near), [[left]] * 3)[0].zone == "steps"
    assert play(CameraEvents("door", near), [[right]] * 9) == []
    small = replace(left, box=(100, 100, 140, 150))
    assert play(CameraEvents("door", near), [[small]] * 9) == []
    marked = replace(near, only_zones=False)
    told = play(CameraEvents("door", marked), [[left]] * 3 + [[right]] * 2)
    assert [event.zone for event in told] == ["steps", "steps", ""]


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_polygon_holds_what_lies_inside(x: float, y: float) -> None:
    bent = Zone("L", ((0, 0), (1, 0), (1, 0.5), (0.5, 0.5), (0.5, 1), (0, 1)))
    turned = Zone("L", bent.corners[::-1])
    if min(abs(x - 0.5), abs(y - 0.5), x, y, 1 - x, 1 - y) > 1e-9:
        assert bent.holds(x, y) == turned.holds(x, y) == (x < 0.5 or y < 0.5)


@pytest.mark.parametrize("corners", [(), ((0, 0), (1, 1)), ((0, 0), (1, 0), (1, 2))])
def test_a_zone_that_is_none_is_refused(corners: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ConfigError, match="zone 'steps'"):
        Zone("steps", corners)
    with pytest.raises(ConfigError, match="absence"):
        EventRules(absence=-1)


def test_an_attack_is_told_once_and_bars_a_name_where_a_living_face_is_required() -> None:
    attack = face(1, "Ada", liveness="attack", live=0.1)
    observed = play(CameraEvents("door", RULES), [[attack]] * 4)
    assert words(observed) == ["appeared 1", "spoof 1", "recognized 1 Ada", "left 1 Ada"]
    assert observed[1].live == 0.1
    strict = replace(RULES, live_required=True)
    told = play(CameraEvents("door", strict), [[attack]] * 4)
    assert words(told) == ["appeared 1", "spoof 1", "left 1"]
    assert play(CameraEvents("door", strict), [[face(1, "Ada")]] * 4)[1:][0].kind is EventKind.LEFT
    living = face(1, "Ada", liveness="live", live=0.9)
    told = play(CameraEvents("door", strict), [[living]] * 3 + [[attack]] * 3)
    assert words(told)[1:] == ["recognized 1 Ada", "revoked 1 Ada", "spoof 1", "left 1"]


def test_a_camera_is_lost_and_back_once() -> None:
    events = CameraEvents("door", RULES)
    told = [e for s in (0, 0.5) for e in events.update([face(1, "Ada")], at(s), SIZE)]
    told += events.back(at(0.6))
    told += events.lost(at(1), "no picture for 5 s") + events.lost(at(2), "still none")
    told += events.back(at(9)) + events.back(at(10)) + events.flush(at(11))
    assert words(told) == [
        "appeared 1", "recognized 1 Ada", "camera-lost None", "left 1 Ada", "camera-back None",
    ]  # fmt: skip
    assert told[2].reason == "no picture for 5 s"


def test_who_was_removed_from_the_gallery_is_named_no_more() -> None:
    events = CameraEvents("door", RULES)
    for second in (0, 0.5, 1):
        events.update([face(1, "Ada")], at(second), SIZE)
    told = events.withdraw("Ada", at(1.2)) + events.withdraw("Ada", at(1.2))
    told += events.update([face(1)], at(1.5), SIZE) + events.flush(at(2))
    assert words(told) == ["revoked 1", "unknown 1", "left 1"]
    assert not any("Ada" in repr(event) for event in told)


def test_a_clock_that_jumps_makes_nobody_leave() -> None:
    events = CameraEvents("door", RULES)
    told = []
    for n in range(6):
        jumped = START + timedelta(days=-3 if n > 2 else 0, seconds=n / 2)
        told += events.update([face(1, "Ada")], Moment(jumped, n / 2), SIZE)
    assert words(told) == ["appeared 1", "recognized 1 Ada"]


states = st.builds(
    face,
    st.integers(1, 4),
    st.sampled_from([None, "Ada", "Bob", "Cyd"]),
    st.booleans(),
    score=st.sampled_from([None, 0.3, 0.5, 0.5, 0.7]),
    liveness=st.sampled_from(["live", "attack", "not-checked"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from([0.04, 0.5, 0.5, 2.0]),
        st.one_of(
            st.lists(states, max_size=4, unique_by=lambda state: state.track),
            st.sampled_from(["lost", "back", "withdraw"]),
        ),
    ),
    max_size=40,
)
rules = st.builds(
    EventRules,
    confirm_frames=st.integers(1, 3),
    absence=st.sampled_from([0.0, 0.6, 3.0]),
    cooldown=st.sampled_from([0.0, 1.0, 30.0]),
    ignored=st.sampled_from([frozenset(), frozenset({"Cyd"})]),
    live_required=st.booleans(),
)


@settings(max_examples=300)
@given(rules, steps)
def test_whatever_comes_in_what_is_told_makes_sense(
    chosen: EventRules, script: list[tuple[float, list[TrackState] | str]]
) -> None:
    events, told, now = CameraEvents("door", chosen, first_visit=7), [], 0.0
    for step, given_ in script:
        now += step
        if given_ == "lost":
            told += events.lost(at(now))
        elif given_ == "back":
            told += events.back(at(now))
        elif given_ == "withdraw":
            told += events.withdraw("Bob", at(now))
        else:
            told += events.update(given_, at(now), SIZE)  # type: ignore[arg-type]
    told += events.flush(at(now + 1))
    assert events.flush(at(now + 2)) == []

    assert len({event.id for event in told}) == len(told)
    assert not any(event.person in chosen.ignored for event in told)
    numbers = visits_are_whole(told)
    if not chosen.ignored:
        assert numbers == list(range(7, 7 + len(numbers)))
    names_are_told_once(told, chosen.cooldown)


def visits_are_whole(told: list[Event]) -> list[int]:
    """Hold that each visit begins and ends once, and each loss of the camera; give the visits."""
    kinds = defaultdict(list)
    for event in told:
        kinds[event.visit].append(event.kind)
    cameras = kinds.pop(None, [])
    assert set(cameras[::2]) <= {EventKind.CAMERA_LOST}
    assert set(cameras[1::2]) <= {EventKind.CAMERA_BACK}
    for seen in kinds.values():
        count = Counter(seen)
        assert seen[0] is EventKind.APPEARED
        assert seen[-1] is EventKind.LEFT
        assert count[EventKind.APPEARED] == count[EventKind.LEFT] == 1
        assert count[EventKind.SPOOF] <= 1
    return sorted(number for number in kinds if number is not None)


def names_are_told_once(told: list[Event], cooldown: float) -> None:
    """Hold that no visit is named twice, nobody in two places, nobody again before their time."""
    holds: dict[int | None, str | None] = {}
    left: dict[str, datetime] = {}
    for event in told:
        visit, person = event.visit, event.person
        if event.kind is EventKind.RECOGNIZED:
            assert person is not None
            assert visit not in holds, "told twice without revoked or left between"
            assert person not in holds.values(), "one name in two places"
            assert event.time - left.get(person, START - timedelta(1)) >= timedelta(0, cooldown)
            holds[visit] = person
        elif event.kind is EventKind.REVOKED:
            assert person in (holds.pop(visit), None)
        elif event.kind is EventKind.LEFT:
            assert holds.pop(visit, None) in (None, person)
            left |= {person: event.time} if person else {}
        else:
            assert person is None
    assert not holds
