"""The films that other tests measure with show what their truth says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign import models
from facelign.geometry.boxes import iou
from facelign.video.cuts import Cuts
from facelign.video.sources import opened
from made_clips import SCENES, Clip, made, people_of, written
from video_parts import needed

pytestmark = [pytest.mark.shared, pytest.mark.usefixtures("recognition")]
#: what a detector does not see although somebody is there: turned away, out of focus
_UNSEEN = {"turn": 0.5, "blur": 0.3}


@pytest.mark.weights
@pytest.mark.parametrize("scene", SCENES)
def test_a_detector_finds_the_faces_where_the_truth_says(scene: str) -> None:
    detector = models.detector("yunet")
    clip, there, found, more = made(scene, 5, fps=2.5), 0, 0, 0
    for frame, seen in zip(clip.frames, clip.truth, strict=True):
        boxes = detector.detect(frame.image).boxes.astype(float)
        shares = iou(np.array([box for _, box in seen]).reshape(-1, 4), boxes)
        hits = int((shares.max(axis=1, initial=0) > 0.35).sum())
        there, found, more = there + len(seen), found + hits, more + len(boxes) - hits
    assert found >= (0.9 - _UNSEEN.get(scene, 0)) * there
    assert more <= 0.12 * there  # those who are mostly hidden or half out of the picture


def test_a_scene_and_a_seed_are_one_film() -> None:
    first, again, other = (made("crowd", seed, fps=2.5, variable=True) for seed in (1, 1, 2))
    assert first.truth == again.truth
    assert first.times_s == again.times_s != other.times_s
    for clip in (first, again):
        pictures = [frame.image.digest for frame in clip.frames]
        assert pictures == [frame.image.digest for frame in first.frames]
    assert first.people != other.people


def test_frames_count_their_times_rise_and_a_variable_rate_has_gaps() -> None:
    for scene in SCENES:
        even, uneven = made(scene, 0), made(scene, 0, variable=True)
        for clip in (even, uneven):
            assert len(clip.truth) == len(clip.times_s)
            assert min(np.diff(clip.times_s)) > 0
        assert np.allclose(np.diff(even.times_s), 0.04)
    assert max(max(np.diff(made("crowd", s, variable=True).times_s)) for s in range(3)) > 0.2


def _gone(clip: Clip, person: str) -> float:
    """Return for how long somebody who comes back was not seen, at most, s."""
    times = [
        t
        for t, seen in zip(clip.times_s, clip.truth, strict=True)
        if any(who == person for who, _ in seen)
    ]
    return float(max(np.diff(times)))


def test_what_the_scenes_are_for_happens_in_them() -> None:
    back = made("return", 4)
    assert _gone(back, back.people[0]) > 2
    for seed in range(4):
        cross = made("cross", seed)
        hidden = min(_gone(cross, person) for person in cross.people)
        assert hidden < 0.1  # the near one
        assert 0.1 < max(_gone(cross, person) for person in cross.people) < 1
    near = made("nearer", 0)
    heights = [box[3] - box[1] for seen in near.truth for _, box in seen]
    assert min(heights) < 25
    assert max(heights) > 180
    cuts = made("cuts", 0, fps=5)
    told = Cuts()
    assert tuple(f.number for f in cuts.frames if told.between(f)) == cuts.cuts == (12, 24, 36)


def test_the_cast_may_be_given() -> None:
    people = people_of("lfw_100")
    photos = {name: paths[3] for name, paths in people.items()}
    assert set(made("sit", 0, photos=photos).people) <= set(photos)
    with pytest.raises(ValueError, match="sit wants 3 people, got 1"):
        made("sit", 0, photos=dict([next(iter(photos.items()))]))


def test_a_clip_can_be_written_and_read_again(tmp_path: Path) -> None:
    needed("av")
    clip = made("walk", 0, size=(320, 180), variable=True)
    with opened(str(written(clip, tmp_path / "walk.mp4"))) as film:
        read = list(film)
    assert len(read) == len(clip.times_s)
    np.testing.assert_allclose([frame.time_s for frame in read], clip.times_s, atol=0.001)
    for frame, drawn in zip(read[::20], list(clip.frames)[::20], strict=True):
        apart = np.abs(frame.image.pixels.astype(float) - drawn.image.pixels)
        assert apart.mean() < 6
