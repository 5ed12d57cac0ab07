"""Irises beside the mesh: where they lie, in which order, and in a mirrored photo."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from facelign import models
from facelign.models.weights.store import Store
from facelign.types.contracts import Landmarker
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.mesh import GROUPS
from facelign.types.schemes import MESH_468, MESH_478
from made_reactions import Surface

pytestmark = pytest.mark.weights
BOX = np.array([[178, 62, 268, 176]], np.float32)
#: what MediaPipe's own program gives for the portrait (its network with attention, 0.10.21): the
#: middle of each iris and its ring, in its plane, which is half a pixel off ours
MEDIAPIPE = np.array(
    [
        *([203.48, 101.10], [207.60, 101.29], [203.64, 97.71], [199.29, 100.90], [203.30, 104.49]),
        *([246.59, 103.47], [250.67, 103.59], [246.64, 100.11], [242.51, 103.34], [246.52, 106.82]),
    ]
)


@pytest.fixture
def found(pulled: Callable[..., Store]) -> Callable[[str, Image, np.ndarray], Landmarks]:
    def locate(name: str, image: Image, box: np.ndarray) -> Landmarks:
        (spec,) = models.default().find(name)
        faces = Faces(box, np.ones(1, np.float32), None, "by hand", image.size)
        marks = models.load(spec, pulled(spec)).locate(image, faces).landmarks
        assert isinstance(marks, Landmarks)
        return marks

    return locate


def test_they_are_where_mediapipe_sees_them(
    found: Callable[..., Landmarks], portrait: Image
) -> None:
    marks = found("mesh-478", portrait, BOX)
    irises = marks.points[0, 468:]
    assert np.linalg.norm(irises - (MEDIAPIPE - 0.5), axis=1).max() < 1
    assert marks.depth is not None
    assert np.ptp(marks.depth[0, 468:473]) == 0, "an iris lies flat in its eye"


def test_the_mesh_stays_the_mesh(found: Callable[..., Landmarks], portrait: Image) -> None:
    both = [found(name, portrait, BOX) for name in ("mesh-468", "mesh-478")]
    np.testing.assert_array_equal(both[0].points, both[1].points[:, :468])
    np.testing.assert_array_equal(both[1].as_scheme(MESH_468.id).points, both[0].points)
    for poorer in ("five", "ibug-68", "dlib-5"):
        first, second = (marks.as_scheme(poorer).points for marks in both)
        np.testing.assert_array_equal(first, second)


def test_mirrored_irises_are_the_partners(found: Callable[..., Landmarks], portrait: Image) -> None:
    turned = Image.from_array(np.ascontiguousarray(portrait.pixels[:, ::-1]), "rgb")
    there = found("mesh-478", turned, np.array([[243, 62, 333, 176]], np.float32)).points[0]
    back = there[list(MESH_478.mirror)] * [-1, 1] + [511, 0]
    here = found("mesh-478", portrait, BOX).points[0]
    assert np.linalg.norm(back - here, axis=1)[468:].max() < 1.5


def test_lids_follow_eyes_that_close_where_the_mesh_hardly_does(
    pulled: Callable[..., Store], portrait: Image
) -> None:
    (spec,) = models.default().find("mesh-478")
    pulled(spec)
    faces = Faces(BOX, np.ones(1, np.float32), None, "by hand", portrait.size)
    mesh, lids = (models.landmarker("mesh-478", lids=lids) for lids in (False, True))
    seen = lids.locate(portrait, faces).landmarks
    assert seen is not None
    assert seen.depth is not None
    surface = Surface(portrait.pixels, np.c_[seen.points[0, :468], seen.depth[0, :468]])
    closed = Image.from_array(surface.shown(eyes=0), "rgb")

    def gap(marker: Landmarker, image: Image) -> float:
        points = marker.locate(image, faces).landmarks
        assert points is not None
        return float(
            np.linalg.norm(
                points.points[0, [159, 386]] - points.points[0, [145, 374]], axis=1
            ).mean()
        )

    assert gap(lids, closed) < 0.5 * gap(lids, portrait)
    assert gap(mesh, closed) > 0.5 * gap(mesh, portrait)
    others = [i for i in range(468) if i not in {*GROUPS["right_eye"], *GROUPS["left_eye"]}]
    alike = mesh.locate(portrait, faces).landmarks
    assert alike is not None
    np.testing.assert_array_equal(seen.points[0, others], alike.points[0, others])
