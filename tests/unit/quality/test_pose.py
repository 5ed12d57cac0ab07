"""Head pose on turned copies of the mean face, whose angles are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facelign.quality.measure import _eyes, roll_deg
from facelign.quality.pose import _MODELS, head_pose
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import SCHEMES, WFLW_98


def seen(scheme: str, yaw: float, pitch: float, roll: float) -> Landmarks:
    """The mean face at two meters, turned, as a pinhole camera sees it somewhere in a photo."""
    used, model = _MODELS[scheme]
    a, b, c = (math.radians(angle) for angle in (-yaw, pitch, -roll))
    across = [[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]]
    down = [[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]]
    lean = [[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]]
    turned = (model * [1, -1, -1]) @ (np.array(lean) @ across @ down).T + [0, 0, 200]
    points = np.full((1, SCHEMES[scheme].k, 2), 700.0)
    points[0, list(used)] = turned[:, :2] / turned[:, 2:] * 3000 + 700
    return Landmarks(points.astype(np.float32), SCHEMES[scheme])


@pytest.mark.parametrize("scheme", _MODELS)
@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (30, 0, 0), (-50, 10, 0), (0, 25, 5), (20, -30, -40), (5, 5, 120)]
)
def test_known_angles_come_back(scheme: str, angles: tuple[float, float, float]) -> None:
    found = head_pose(seen(scheme, *angles))
    assert found is not None
    assert np.abs(found[0] - angles).max() < 2.5


@pytest.mark.parametrize("scheme", _MODELS)
def test_a_mirrored_face_looks_and_leans_the_other_way(scheme: str) -> None:
    there = seen(scheme, 25, 12, 18)
    mirrored = there.points[:, list(there.scheme.mirror)] * np.float32([-1, 1])
    found = [head_pose(marks) for marks in (there, Landmarks(mirrored, there.scheme))]
    np.testing.assert_allclose(found[1], found[0] * [-1, 1, -1], atol=0.5)


def test_roll_agrees_with_the_line_of_the_eyes() -> None:
    for roll in (-60, 15, 170):
        there = seen("five", 0, 0, roll)
        assert head_pose(there)[0, 2] == pytest.approx(roll_deg(_eyes(there))[0], abs=0.5)


def test_many_faces_none_and_those_that_place_no_head() -> None:
    both = Landmarks(
        np.concatenate([seen("five", 20, 0, 0).points, seen("five", -20, 0, 0).points]),
        SCHEMES["five"],
    )
    assert np.sign(head_pose(both)[:, 0]).tolist() == [1, -1]
    assert head_pose(both[:0]).shape == (0, 3)
    assert head_pose(Landmarks(np.zeros((1, 98, 2), np.float32), WFLW_98)) is None
    fallen = Landmarks(np.zeros((1, 5, 2), np.float32), SCHEMES["five"])
    assert head_pose(fallen).tolist() == [[0, 0, 0]]
