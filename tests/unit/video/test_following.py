"""Faces of a film are followed and named: real frames, a real gallery, the real tracker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelign.models.weights.store import Store
from facelign.recognition.options import EnrollOptions, IdentifyOptions
from facelign.recognition.photo_gallery import PhotoGallery, open_gallery
from facelign.recognition.recognizer import Recognizer
from facelign.types.contracts import Frame
from facelign.types.image import Image
from facelign.video.following import FaceFollower, Track
from facelign.video.options import FollowOptions, LookOptions
from facelign.video.tracker import ByteTracker

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def recognizer(plain_weights: Store) -> Recognizer:
    return Recognizer(store=plain_weights, workers=1)


@pytest.fixture
def gallery(tmp_path: Path, recognizer: Recognizer, portrait: Image) -> Iterator[PhotoGallery]:
    with open_gallery(tmp_path / "people.db", recognizer, create=True) as opened:
        opened.enroll("Eileen", [portrait])
        yield opened


@pytest.fixture
def head(portrait: Image) -> np.ndarray:
    """Head and shoulders of the portrait, 200 x 200."""
    return portrait.pixels[20:220, 120:320]


def film(pictures: Iterable[np.ndarray], fps: int = 10) -> list[Frame]:
    return [
        Frame(Image.from_array(picture, "rgb"), number, number / fps)
        for number, picture in enumerate(pictures)
    ]


def scene(*placed: tuple[np.ndarray, int, int]) -> np.ndarray:
    """A gray picture, 640 x 240, with heads at places."""
    picture = np.full((240, 640, 3), 120, np.uint8)
    for head, x, y in placed:
        tall, wide = head.shape[:2]
        picture[y : y + tall, x : x + wide] = head
    return picture


def blurred(head: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(head, (0, 0), sigma), np.uint8)


def followed(
    gallery: PhotoGallery, frames: Iterable[Frame], options: FollowOptions | None = None
) -> tuple[FaceFollower, list[Track]]:
    follower = FaceFollower(gallery, ByteTracker(), options)
    here: list[Track] = []
    for frame in frames:
        here = follower.update(frame)
    return follower, here


def test_a_face_is_named_by_several_looks(gallery: PhotoGallery, head: np.ndarray) -> None:
    frames = film(scene((head, 20 + 8 * n, 20)) for n in range(12))
    follower, (track,) = followed(gallery, frames)
    assert track.verdict.person == "Eileen"
    assert track.verdict.sure
    assert track.verdict.threshold is not None
    assert track.verdict.threshold.fpir == IdentifyOptions().fpir
    assert 2 <= len(track.looks) < len(frames), "not every frame is embedded"
    assert (track.first.number, track.last.number, track.frames) == (0, 11, 12)
    assert track.best is not None
    assert not follower.ended()
    follower.cut()
    assert follower.ended() == [track]
    assert not follower.ended()


def test_no_more_looks_are_taken_than_allowed(gallery: PhotoGallery, head: np.ndarray) -> None:
    frames = film(scene((head, 20 + 8 * n, 20)) for n in range(12))
    options = FollowOptions(looks=LookOptions(looks=1))
    _, (track,) = followed(gallery, frames, options)
    assert len(track.looks) == 1
    assert (track.verdict.person, track.verdict.sure) == ("Eileen", True)  # no second one may come


def test_two_tracks_that_meet_never_bear_one_name(gallery: PhotoGallery, head: np.ndarray) -> None:
    """The copy that is less like the photo loses the name, whichever came first."""
    twin = blurred(head, 2.5)
    for first in (head, twin):
        alone = [scene((first, 20, 20))] * 5
        both = [scene((head, 20, 20), (twin, 340, 20))] * 8
        if first is twin:
            both = [picture[:, ::-1] for picture in both]
            alone = [picture[:, ::-1] for picture in [scene((twin, 340, 20))] * 5]
        follower = FaceFollower(gallery, ByteTracker())
        seen: list[list[str]] = []
        here: list[Track] = []
        for frame in film([*alone, *both]):
            here = follower.update(frame)
            seen.append([track.verdict.person for track in here if track.verdict.person])
        assert ["Eileen"] in seen[:5]
        assert all(len(names) <= 1 for names in seen)
        assert len(here) == 2
        named, other = sorted(here, key=lambda track: track.verdict.person is None)
        assert named.verdict.person == "Eileen"
        assert (named.verdict.score or 0) > (other.verdict.score or 0)
        assert other.alone.person == "Eileen"
        assert other.verdict.person is None
        assert other.verdict.reason == "another face of these frames is more like Eileen"


def test_who_comes_back_later_bears_the_name_again(gallery: PhotoGallery, head: np.ndarray) -> None:
    gone = [scene()] * 15
    frames = film([*[scene((head, 20, 20))] * 5, *gone, *[scene((head, 400, 20))] * 5])
    follower, (back,) = followed(gallery, frames)
    (before,) = follower.ended()
    assert before.number != back.number
    assert before.verdict.person == back.verdict.person == "Eileen"


def test_who_is_removed_is_unknown_by_the_next_frame_and_known_again_once_back(
    gallery: PhotoGallery, head: np.ndarray, portrait: Image
) -> None:
    follower = FaceFollower(gallery, ByteTracker())
    frames = film([scene((head, 20, 20))] * 12)
    for frame in frames[:6]:
        (track,) = follower.update(frame)
    assert track.verdict.person == "Eileen"
    gallery.remove("Eileen")
    (track,) = follower.update(frames[6])
    assert track.verdict.person is None
    assert track.verdict.nearest is None
    assert track.verdict.reason == "nobody is enrolled"
    looks = len(track.looks)
    gallery.enroll("Eileen", [portrait], EnrollOptions(force=True))
    (track,) = follower.update(frames[7])
    assert track.verdict.person == "Eileen"
    assert len(track.looks) == looks, "by the vectors that were there"


def test_what_was_never_looked_at_says_why(gallery: PhotoGallery, head: np.ndarray) -> None:
    small = cv2.resize(head, (44, 44), interpolation=cv2.INTER_AREA)
    options = FollowOptions(IdentifyOptions(min_height=40.0))
    _, (track,) = followed(gallery, film([scene((small, 60, 60))] * 6), options)
    assert not track.looks
    assert track.verdict.reason.startswith("too small: ")
    assert track.verdict.reason.endswith(" px of 40 px needed")
    assert track.best is None


def test_a_face_that_enters_is_looked_at_when_it_is_whole(
    gallery: PhotoGallery, head: np.ndarray
) -> None:
    wide = scene((head, 440, 20))
    entering = [wide[:, : 520 + 10 * n] for n in range(13)]
    padded = [
        np.pad(picture, ((0, 0), (640 - picture.shape[1], 0), (0, 0)), mode="edge")
        for picture in entering
    ]
    follower = FaceFollower(gallery, ByteTracker())
    tracks = [track for frame in film(padded, fps=25) for track in follower.update(frame)]
    assert tracks
    assert all(look.view.inside > 0.8 for look in tracks[-1].looks)
    assert tracks[-1].verdict.person == "Eileen"


@pytest.mark.shared
def test_a_stranger_is_told_with_who_is_nearest(gallery: PhotoGallery, recognition: Path) -> None:
    photo = next((recognition / "lfw_100/images").glob("*/*.jpg"))
    picture = np.asarray(cv2.imread(str(photo)))[:, :, ::-1]
    _, here = followed(gallery, film([picture] * 25))
    track = max(here, key=lambda track: track.box.area)
    assert track.verdict.person is None
    assert track.verdict.sure
    limit = track.verdict.threshold
    assert limit is not None
    assert track.verdict.reason.startswith("nearest is Eileen at ")
    assert f"{limit.threshold.score:.3f} needed" in track.verdict.reason


def test_a_set_of_tracks_that_met_does_not_keep_those_that_are_over(
    gallery: PhotoGallery, head: np.ndarray
) -> None:
    both = [scene((head, 20, 20), (blurred(head, 2.5), 340, 20))] * 3
    follower, here = followed(gallery, film(both))
    assert [len(track.met) for track in here] == [1, 1]
    follower.cut()
    assert all(not track.met for track in follower.ended())


def test_who_stays_in_view_does_not_keep_strangers_who_left(
    gallery: PhotoGallery, head: np.ndarray
) -> None:
    """A face on a wall would hold the looks of everybody who ever passed it."""
    small = cv2.resize(head, (100, 100))
    passing = [scene((head, 20, 20), (small, 480, 80))] * 4
    alone = [scene((head, 20, 20))] * 16
    _, here = followed(gallery, film([*passing, *alone]))
    (stays,) = here
    assert stays.verdict.person == "Eileen"
    assert stays.met == set()


def test_a_name_is_kept_where_only_the_frame_time_is_uneven(
    gallery: PhotoGallery, head: np.ndarray
) -> None:
    frames = film(scene((head, 20 + 4 * n, 20)) for n in range(12))
    uneven = [replace(frame, time_s=0.1 * frame.number**1.1) for frame in frames]
    _, (track,) = followed(gallery, uneven)
    assert track.verdict.person == "Eileen"
    assert track.frames == 12
