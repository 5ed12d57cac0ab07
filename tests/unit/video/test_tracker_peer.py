"""The tracker beside that of the package ``trackers``, where it is installed.

It asks for opencv-python beside the headless one, so it is no dependency: benchmarks/tracking.py
says how an environment of its own is made.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from facelign.types.faces import Faces
from facelign.video.tracker import ByteTracker

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it warns of on import is its own
    why = "the peer is not installed: pip install --no-deps trackers supervision"
    trackers = pytest.importorskip("trackers", reason=why)
    sv = pytest.importorskip("supervision", reason=why)

SIZE = (960, 540)


def walk(seed: int, fps: float) -> list[tuple[float, np.ndarray]]:
    """Return times and boxes of three people who walk in lanes, two to three of their faces a
    second, at uneven times.
    """
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.6, 1.4, int(3 * fps))) / fps
    start, speed = np.array([80.0, 880.0, 80.0]), rng.uniform(120, 180, 3) * [1, -1, 1]
    y = np.array([100.0, 260.0, 420.0])
    frames = []
    for time_s in times:
        centers = np.stack([start + speed * time_s, y], axis=1) + rng.normal(0, 1, (3, 2))
        frames.append((float(time_s), np.concatenate([centers - 30, centers + 30], axis=1)))
    return frames


def changes(rows: list[list[int]]) -> int:
    """Return how often a face has another id than in the frame before, or none."""
    ids = np.array(rows)
    return int((ids[1:] != ids[:-1]).sum() + (ids < 0).sum())


def ours(frames: list[tuple[float, np.ndarray]]) -> int:
    tracker, rows = ByteTracker(), []
    for time_s, boxes in frames:
        faces = Faces(boxes.astype(np.float32), np.ones(3, np.float32), None, "by hand", SIZE)
        found = tracker.update(faces, time_s).track_ids
        assert found is not None
        rows.append(found.tolist())
    return changes(rows)


def theirs(frames: list[tuple[float, np.ndarray]]) -> int:
    tracker = trackers.ByteTrackTracker(
        minimum_consecutive_frames=1, track_activation_threshold=0.6
    )
    rows = []
    for time_s, boxes in frames:
        found = sv.Detections(boxes, confidence=np.ones(3), data={"place": np.arange(3)})
        given = tracker.update(found, timestamp=time_s)
        row = [-1, -1, -1]
        for place, number in zip(given.data["place"], given.tracker_id, strict=True):
            row[int(place)] = int(number)
        rows.append(row)
    # it gives an id with the second frame
    return changes(rows[1:])


def test_both_follow_a_film_of_a_full_rate() -> None:
    for seed in range(5):
        frames = walk(seed, 25)
        assert ours(frames) == theirs(frames) == 0


def test_at_few_frames_a_second_ours_goes_on_where_boxes_no_longer_overlap() -> None:
    for fps in (5, 2.5):
        frames = [walk(seed, fps) for seed in range(5)]
        assert sum(map(ours, frames)) == 0
        assert fps == 5 or sum(map(theirs, frames)) > 0
