"""Level looks serve any detector that gives five points: here one that reads five colored dots."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from facelign.detect.anchors import Candidates
from facelign.detect.leveling import leveled, tilt_of

COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]])
#: right eye, left eye, nose, mouth corners, as shares of the face's height from its center
FACE = np.array([[-0.22, -0.15], [0.22, -0.15], [0.0, 0.1], [-0.17, 0.32], [0.17, 0.32]])


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def drawn(tilt: float, height: float = 150.0) -> tuple[np.ndarray, np.ndarray]:
    """A picture with one face of dots, rolled clockwise by ``tilt``, and the dots' places."""
    points = turned(FACE * height, tilt) + np.array([300, 250])
    picture = np.zeros((500, 600, 3), np.uint8)
    for (x, y), color in zip(points, COLORS, strict=True):
        at = round(x), round(y)
        cv2.circle(picture, at, round(height * 0.06), color.tolist(), -1)
    return picture, np.round(points)


class Upright:
    """Finds the dots, but places them as if the face were rolled half as much as it is."""

    def __init__(self) -> None:
        self.pictures: list[tuple[int, int]] = []

    def __call__(self, pictures: Sequence[np.ndarray]) -> list[Candidates]:
        self.pictures += [picture.shape[:2] for picture in pictures]
        return [self.one(picture) for picture in pictures]

    def one(self, picture: np.ndarray) -> Candidates:
        near = np.linalg.norm(picture[:, :, None].astype(int) - COLORS, axis=3) < 100
        if not near.any(axis=(0, 1)).all():
            return Candidates.none(5)
        places = np.array([np.argwhere(near[:, :, k]).mean(axis=0)[::-1] for k in range(5)])
        if picture[:, ::-1] is not picture and places[0, 0] > places[1, 0]:
            places = places[[1, 0, 2, 4, 3]]  # a mirrored picture: sides are the viewer's again
        middle, height = places.mean(axis=0), 0.47 * 2 * np.ptp(places, axis=0).max()
        tilt = tilt_of(places)
        points = turned(places - middle, -tilt / 2) + middle
        box = np.concatenate([middle - height, middle + height])
        score = 0.99 - 0.2 * abs(tilt) / 180
        as_set = (box[None], np.array([score]), points[None])
        return Candidates(*(np.asarray(part, np.float32) for part in as_set))


def first_look(look: Upright, picture: np.ndarray) -> Candidates:
    return look.one(picture)


@pytest.mark.parametrize("tilt", [0, -25, 40, 70])
def test_points_of_a_rolled_face_come_to_lie_where_they_are(tilt: float) -> None:
    picture, truth = drawn(tilt)
    look = Upright()
    found = first_look(look, picture)
    level = leveled(look, picture, found, smallest_px=24, most=8)
    before = np.abs(found.points[0] - truth).max()
    after = np.abs(level.points[0] - truth).max()
    assert after < 0.04 * 150, "of the height of the face"
    assert after < before / 3 or not tilt
    assert (level.boxes == found.boxes).all()
    assert (level.scores == found.scores).all()
    assert abs(tilt_of(level.points[0]) - tilt) < 8, "looks end when eyes are level to 8 degrees"
    assert set(look.pictures) <= {(256, 224), (96, 96)}, "a batch is of one size"


def test_only_the_highest_faces_are_looked_at_and_only_high_enough_ones() -> None:
    picture, _ = drawn(30)
    look = Upright()
    found = first_look(look, picture)
    for smallest, most in ((float(found.heights[0]) + 1, 8), (24, 0)):
        same = leveled(look, picture, found, smallest_px=smallest, most=most)
        assert (same.points == found.points).all()
    assert look.pictures == []


def test_a_face_that_no_closer_look_sees_keeps_its_points() -> None:
    picture, _ = drawn(10)
    found = first_look(Upright(), picture)
    blind = leveled(
        lambda pictures: [Candidates.none(5) for _ in pictures],
        picture,
        found,
        smallest_px=24,
        most=8,
    )
    assert (blind.points == found.points).all()
    nothing = leveled(Upright(), picture, Candidates.none(5), smallest_px=24, most=8)
    assert len(nothing) == 0


def test_tilt_is_clockwise_in_the_picture() -> None:
    for tilt in (0, 30, -30, 90, 170):
        assert tilt_of(turned(FACE, tilt)) == pytest.approx(tilt)
