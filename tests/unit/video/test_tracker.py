"""Faces keep their number while they move, cross and hide, at any frame rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.errors import ConfigError
from facelign.types.arrays import Float64Array
from facelign.types.faces import Faces
from facelign.video.options import ByteTrackOptions
from facelign.video.tracker import ByteTracker

SIZE = (9600, 5400)


def seen(boxes: Sequence[Sequence[float]], scores: Sequence[float] | None = None) -> Faces:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    told = np.ones(len(rows), np.float32) if scores is None else np.array(scores, np.float32)
    return Faces(rows, told, None, "by hand", SIZE)


def at(x: float, y: float, size: float = 60) -> tuple[float, float, float, float]:
    return (x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def numbers(tracker: ByteTracker, faces: Faces, time_s: float) -> list[int]:
    found = tracker.update(faces, time_s).track_ids
    assert found is not None
    return list(map(int, found))


def walkers(seed: int, times: Iterable[float]) -> list[tuple[float, Float64Array]]:
    """Return boxes of four people who walk on smooth ways in lanes of their own, two each way."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(1200, 1900, 4), rng.uniform(20, 90, 4) * [1, -1, 1, -1]
    sway, phase = rng.uniform(5, 15, 4), rng.uniform(0, 6, 4)
    frames = []
    for time_s in times:
        x, y = start + speed * time_s, 70 + 130 * np.arange(4) + sway * np.sin(2 * time_s + phase)
        noise = rng.normal(0, 1, (4, 4))
        frames.append((time_s, np.array([at(*p) for p in zip(x, y, strict=True)]) + noise))
    return frames


@given(st.integers(0, 2**31), st.sampled_from([25.0, 12.0, 5.0, 2.5]))
@settings(deadline=None, max_examples=25)
def test_walking_people_keep_their_numbers_at_any_rate_in_any_order(seed: int, fps: float) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.4, 1.6, 30) / fps  # no two frames the same time apart
    tracker, order = ByteTracker(), np.arange(4)
    told: set[tuple[int, int]] = set()
    for time_s, boxes in walkers(seed, np.cumsum(steps)):
        rng.shuffle(order)
        told |= set(zip(order.tolist(), numbers(tracker, seen(boxes[order]), time_s), strict=True))
    assert len(told) == 4


@given(st.integers(0, 2**31))
@settings(deadline=None, max_examples=15)
def test_a_mirrored_and_a_larger_film_give_the_same_numbers(seed: int) -> None:
    plain, mirrored, larger = ByteTracker(), ByteTracker(), ByteTracker()
    rng = np.random.default_rng(seed)
    for time_s, boxes in walkers(seed, np.arange(0, 6, 0.2)):
        here = boxes[rng.random(4) > 0.2]
        turned = SIZE[0] - 1 - here[:, [2, 1, 0, 3]] * [1, -1, 1, -1]
        turned[:, [1, 3]] = here[:, [1, 3]]
        expected = numbers(plain, seen(here), time_s)
        assert numbers(mirrored, seen(turned), time_s) == expected
        assert numbers(larger, seen(here * 3 + 1), time_s) == expected


def test_two_who_cross_keep_their_numbers() -> None:
    """They walk past one another; for half a second the one behind is hidden."""
    for fps in (25, 12, 5):
        tracker, told = ByteTracker(), set()
        for frame in range(6 * fps):
            time_s = frame / fps
            near, far = at(100 + 120 * time_s, 200, 80), at(820 - 120 * time_s, 190, 55)
            hidden = abs(near[0] - far[0]) < 60
            ids = numbers(tracker, seen([near] if hidden else [near, far]), time_s)
            told |= set(zip("nf", ids, strict=False))
        assert told == {("n", 1), ("f", 2)}, fps


def test_a_face_out_of_sight_keeps_its_number_as_long_as_patience_lasts() -> None:
    for gap_s, same in ((0.5, True), (0.99, True), (1.1, False), (10.0, False)):
        tracker = ByteTracker()
        for frame in range(20):
            before = numbers(tracker, seen([at(100 + 2 * frame, 200)]), frame / 25)
        back_s = 19 / 25 + gap_s
        x = 100 + 50 * back_s
        tracker.update(seen([]), back_s - 0.04)
        assert (numbers(tracker, seen([at(x, 200)]), back_s) == before) is same


def test_patience_is_an_option_and_the_trait_that_others_read() -> None:
    tracker = ByteTracker(ByteTrackOptions(patience_s=3.0))
    assert tracker.patience_s == 3.0
    before = numbers(tracker, seen([at(100, 200)]), 0.0)
    assert numbers(tracker, seen([at(100, 200)]), 2.9) == before
    with pytest.raises(ConfigError, match=r"patience_s -1 is no time"):
        ByteTrackOptions(patience_s=-1)


def test_only_time_counts_not_frames() -> None:
    """A film that tells every frame twice as late moves half as fast, and is followed as well."""
    for slower in (0.25, 1.0, 4.0):
        tracker = ByteTracker(ByteTrackOptions(patience_s=1.0 * slower))
        ids = [
            numbers(tracker, seen([at(100 + 8 * k, 200), at(700 - 8 * k, 400)]), k * 0.1 * slower)
            for k in range(40)
        ]
        assert ids == [[1, 2]] * 40


def test_a_weak_face_goes_on_with_a_track_and_begins_none() -> None:
    tracker = ByteTracker(ByteTrackOptions(begin_score=0.6))
    (strong,) = numbers(tracker, seen([at(100, 200)], [0.9]), 0.0)
    blurred, alone = numbers(tracker, seen([at(104, 200), at(500, 200)], [0.4, 0.4]), 0.04)
    assert blurred == strong
    (again,) = numbers(tracker, seen([at(500, 200)], [0.4]), 0.08)
    assert alone < 0
    assert again < 0
    assert again != alone
    (begun,) = numbers(tracker, seen([at(500, 200)], [0.9]), 0.12)
    assert begun > strong


def test_without_a_score_to_begin_with_every_face_begins_a_track() -> None:
    """The scores of some detectors are about 0."""
    assert numbers(ByteTracker(), seen([at(100, 200)], [-0.2]), 0.0) == [1]


def test_a_weak_face_finds_no_track_that_was_out_of_sight() -> None:
    tracker = ByteTracker(ByteTrackOptions(begin_score=0.6))
    tracker.update(seen([at(100, 200)]), 0.0)
    tracker.update(seen([]), 0.04)
    (weak,) = numbers(tracker, seen([at(100, 200)], [0.4]), 0.08)
    assert weak < 0


def test_a_strong_face_is_matched_before_a_nearer_weak_one() -> None:
    tracker = ByteTracker(ByteTrackOptions(begin_score=0.6))
    (known,) = numbers(tracker, seen([at(100, 200)]), 0.0)
    ids = numbers(tracker, seen([at(100, 200), at(120, 200)], [0.3, 0.9]), 0.04)
    assert ids[1] == known
    assert ids[0] < 0


def test_a_small_face_beside_a_large_one_is_somebody_else() -> None:
    """A large face goes; in the next frame a small one shows where it was."""
    tracker = ByteTracker()
    large = numbers(tracker, seen([at(300, 200, 160)]), 0.0)
    assert numbers(tracker, seen([at(310, 210, 40)]), 0.04) != large


def test_who_leaves_at_an_edge_and_who_enters_there_are_two() -> None:
    tracker = ByteTracker()
    for frame in range(8):
        (leaves,) = numbers(tracker, seen([at(100 - 12 * frame, 200)]), frame / 25)
    tracker.update(seen([]), 0.32)
    (enters,) = numbers(tracker, seen([at(8, 205)]), 0.4)
    assert enters != leaves


def test_a_face_that_the_edge_cuts_keeps_its_number() -> None:
    """Detectors may tell a box whose middle is outside."""
    tracker = ByteTracker()
    ids = [numbers(tracker, seen([at(-5 - k, 200)]), k / 25) for k in range(20)]
    assert ids == [[1]] * 20


def test_the_pairs_are_the_best_in_sum_not_the_nearest_first() -> None:
    """Both walk to the right; the left one now is nearest to where the right one was."""
    tracker = ByteTracker()
    first = numbers(tracker, seen([at(100, 200), at(160, 200)]), 0.0)
    assert numbers(tracker, seen([at(145, 200), at(205, 200)]), 0.2) == first


def test_a_far_leap_at_once_is_another_face_and_after_a_while_may_be_the_same() -> None:
    for later_s, same in ((0.04, False), (0.4, True)):
        tracker = ByteTracker()
        before = numbers(tracker, seen([at(100, 200)]), 0.0)
        assert (numbers(tracker, seen([at(190, 200)]), later_s) == before) is same


def test_a_picture_of_another_size_ends_all_tracks() -> None:
    tracker = ByteTracker()
    before = numbers(tracker, seen([at(100, 200)]), 0.0)
    small = Faces(seen([at(100, 200)]).boxes, np.ones(1, np.float32), None, "by hand", (320, 240))
    assert numbers(tracker, small, 0.04) != before


def test_a_clock_that_goes_back_or_leaps_breaks_nothing() -> None:
    tracker = ByteTracker()
    first = numbers(tracker, seen([at(100, 200)]), 100.0)
    assert numbers(tracker, seen([at(101, 200)]), 50.0) == first
    assert numbers(tracker, seen([at(102, 200)]), 50.04) == first
    assert numbers(tracker, seen([at(103, 200)]), 1e9) != first


def test_the_same_faces_twice_give_the_same_numbers() -> None:
    runs = []
    for _ in range(2):
        tracker = ByteTracker()
        frames = walkers(3, np.arange(0, 4, 0.1))
        runs.append([numbers(tracker, seen(boxes), time_s) for time_s, boxes in frames])
    assert runs[0] == runs[1]
