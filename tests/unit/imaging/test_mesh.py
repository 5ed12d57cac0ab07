"""The mesh of a face as lines: each edge once, both sides alike, nothing across eyes and mouth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign.errors import ModelMismatch
from facelign.imaging.mesh import draw_mesh, edges
from facelign.types.landmarks import Landmarks
from facelign.types.mesh import GROUPS, MIRROR
from facelign.types.schemes import FIVE, MESH_468

#: what mesh-478 gives for the portrait, with depth
MESH = Path(__file__).parents[1] / "liveness" / "portrait_mesh.npz"


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    mesh = np.load(MESH, allow_pickle=False)["mesh"]
    return np.ascontiguousarray(mesh[None, :, :2], np.float32)


def test_neighbors_are_joined_once_and_alike_on_both_sides(points: np.ndarray) -> None:
    found = {tuple(edge) for edge in edges().tolist()}
    assert len(found) == len(edges()) == 1299
    assert all(0 <= a < b < 468 for a, b in found)
    assert found == {tuple(sorted((MIRROR[a], MIRROR[b]))) for a, b in found}
    a, b = points[0, edges().T]
    assert np.linalg.norm(a - b, axis=1).max() < 0.2 * np.ptp(points[0, :, 0])


@pytest.mark.parametrize("part", ["right_eye", "left_eye", "inner_lips"])
def test_nothing_is_drawn_across_what_opens(part: str) -> None:
    ring = GROUPS[part]
    beside = {frozenset(pair) for pair in zip(ring, ring[1:] + ring[:1], strict=True)}
    inside = {frozenset(edge) for edge in edges().tolist() if set(edge) <= set(ring)}
    assert inside <= beside


def test_a_copy_is_drawn_on_where_the_face_is_at_any_scale(points: np.ndarray) -> None:
    for scale in (1.0, 2.5):
        side = round(512 * scale)
        gray = np.full((side, side, 3), 128, np.uint8)
        drawn = (draw_mesh(gray, Landmarks(points, MESH_468), scale=scale) != 128).any(axis=2)
        assert (gray == 128).all()
        y, x = np.nonzero(drawn)
        low, high = (points[0].min(axis=0) + 0.5) * scale, (points[0].max(axis=0) + 0.5) * scale
        assert np.abs([x.min() - low[0], y.min() - low[1]]).max() < 3
        assert np.abs([x.max() - high[0], y.max() - high[1]]).max() < 3


def test_every_face_is_drawn_and_none_is_none(points: np.ndarray) -> None:
    gray = np.full((512, 512, 3), 128, np.uint8)
    both = np.concatenate([points, points + np.array([-120, 100], np.float32)])
    out = (draw_mesh(gray, Landmarks(both, MESH_468)) != 128).any(axis=2)
    assert out[60:190, 170:290].any()
    assert out[220:300, 60:160].any()
    none = Landmarks(np.zeros((0, 468, 2), np.float32), MESH_468)
    assert (draw_mesh(gray, none) == 128).all()
    far = Landmarks(points + np.float32(1e9), MESH_468)
    assert (draw_mesh(gray, far) == 128).all()


def test_other_points_are_refused() -> None:
    five = Landmarks(np.ones((1, 5, 2), np.float32), FIVE)
    with pytest.raises(ModelMismatch, match="are no mesh"):
        draw_mesh(np.zeros((9, 9, 3), np.uint8), five)
