"""The laws of trackers; see types.contracts.Tracker. New ones go into ``TRACKERS``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facelign.geometry.boxes import iou
from facelign.types.arrays import IntArray
from facelign.types.contracts import Tracker
from facelign.types.faces import Faces
from facelign.video.tracker import ByteTracker


class Overlap(Tracker):
    """Gives a face the id of the box that it covers most: a toy, one file."""

    def __init__(self) -> None:
        self._boxes = np.zeros((0, 4))
        self._ids = np.zeros(0, np.int64)
        self._next = 1

    def update(self, faces: Faces, time_s: float) -> Faces:
        boxes = faces.boxes.astype(np.float64)
        shares = iou(boxes, self._boxes)
        ids = np.zeros(len(faces), np.int64)
        for place in np.argsort(-shares, axis=None, kind="stable"):
            i, j = np.unravel_index(place, shares.shape)
            if shares[i, j] > 0.3 and not ids[i] and self._ids[j] not in ids:
                ids[i] = self._ids[j]
        for i in np.flatnonzero(ids == 0):
            ids[i], self._next = self._next, self._next + 1
        self._boxes, self._ids = boxes, ids
        return Faces(
            faces.boxes,
            faces.scores,
            faces.landmarks,
            faces.detector,
            faces.image_size,
            track_ids=ids,
        )

    def reset(self) -> None:
        self._boxes, self._ids = np.zeros((0, 4)), np.zeros(0, np.int64)


TRACKERS: tuple[Callable[[], Tracker], ...] = (Overlap, ByteTracker)


@pytest.fixture(params=TRACKERS, ids=lambda made: made.__name__)
def tracker(request: pytest.FixtureRequest) -> Tracker:
    made: Tracker = request.param()
    return made


def faces(*corners: tuple[float, float]) -> Faces:
    low = np.array(corners, np.float32).reshape(-1, 2)
    boxes = np.concatenate([low, low + 100], axis=1)
    return Faces(boxes, np.ones(len(low), np.float32), None, "by hand", (900, 900))


def ids(tracker: Tracker, time_s: float, *corners: tuple[float, float]) -> IntArray:
    given = faces(*corners)
    found = tracker.update(given, time_s)
    np.testing.assert_array_equal(found.boxes, given.boxes)  # the same faces, in their order
    assert found.track_ids is not None
    assert len(set(found.track_ids.tolist())) == len(found.track_ids) == len(given)
    return found.track_ids


def test_a_face_that_moves_a_little_keeps_its_id(tracker: Tracker) -> None:
    first = ids(tracker, 0.0, (0, 0), (300, 0))
    for frame in range(1, 20):
        now = ids(tracker, frame / 25, (300, 4 * frame), (5 * frame, 0))
        assert now.tolist() == first[::-1].tolist()


def test_a_new_face_gets_an_id_that_was_never_used(tracker: Tracker) -> None:
    used = set(ids(tracker, 0.0, (0, 0), (300, 0)).tolist())
    ids(tracker, 0.04, (0, 0))
    ids(tracker, 60.0)  # everybody is gone for a minute
    assert tracker.patience_s < 60
    assert not used & set(ids(tracker, 120.0, (600, 600), (0, 600)).tolist())


def test_a_frame_without_faces_is_ordinary(tracker: Tracker) -> None:
    assert ids(tracker, 0.0).shape == (0,)
    assert ids(tracker, 0.04, (0, 0)).shape == (1,)


def test_reset_forgets_every_track(tracker: Tracker) -> None:
    (before,) = ids(tracker, 0.0, (0, 0))
    tracker.reset()
    (after,) = ids(tracker, 0.04, (0, 0))
    assert after != before
