"""The face mesh: its numbering against itself, and the square that it is looked at in."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.errors import ConfigError
from facelign.geometry.transforms import apply
from facelign.landmark.models.mesh import FaceMeshOptions, _square
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE, IBUG_68, MESH_468, REDUCTIONS, SCHEMES


def test_28_points_of_the_mesh_lie_on_its_middle() -> None:
    own = [i for i in range(468) if MESH_468.mirror[i] == i]
    middle = (0, 1, 2, 4, 5, 6, *range(8, 20), 94, 151, 152, 164, 168, 175, 195, 197, 199, 200)
    assert own == list(middle)


@pytest.mark.parametrize("name", ["oval", "outer_lips", "inner_lips", "nose_tip", "nose_base"])
def test_parts_on_the_middle_mirror_onto_themselves(name: str) -> None:
    part = set(MESH_468.groups[name])
    assert {MESH_468.mirror[i] for i in part} == part


@pytest.mark.parametrize("target", [IBUG_68, DLIB_5, FIVE], ids=lambda scheme: scheme.id)
def test_reducing_a_mirrored_mesh_mirrors_what_it_becomes(target) -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 100, (1, 468, 2)).astype(np.float32)
    mirrored = points[:, list(MESH_468.mirror)] * np.float32([-1, 1])
    here = Landmarks(points, MESH_468).as_scheme(target.id)
    there = Landmarks(mirrored, MESH_468).as_scheme(target.id)
    back = there.points[:, list(target.mirror)] * np.float32([-1, 1])
    np.testing.assert_allclose(back, here.points, atol=1e-4)
    assert here.scheme is target


def test_two_ways_to_five_points_end_near_each_other() -> None:
    """By 68 points or at once: corners of the mouth and the tip of the nose are the same ones."""
    by_68 = [
        [i for spot in group for i in REDUCTIONS["mesh-468", "ibug-68"][spot]]
        for group in IBUG_68.to_five or ()
    ]
    assert [tuple(group) for group in by_68[2:]] == list((MESH_468.to_five or ())[2:])
    assert set((MESH_468.to_five or ())[0]) <= set(by_68[0])


def test_reductions_name_points_that_there_are() -> None:
    for (source, target), groups in REDUCTIONS.items():
        assert len(groups) == SCHEMES[target].k
        if source in SCHEMES:
            assert all(0 <= i < SCHEMES[source].k for group in groups for i in group)


def test_the_square_has_room_about_the_box_and_level_eyes() -> None:
    to_square = _square(np.array([10.0, 20, 50, 100]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(apply(to_square, [30.0, 60.0]), [95.5, 95.5])
    right, left = apply(to_square, [[20.0, 50.0], [40.0, 70.0]])
    assert right[1] == pytest.approx(left[1])
    assert left[0] - right[0] == pytest.approx(np.hypot(20, 20) * 192 / 120)


def test_options_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ConfigError, match="looks"):
        FaceMeshOptions(looks=0)


@pytest.mark.weights
@pytest.mark.shared
def test_its_68_points_lie_where_dlibs_do(shared, pulled) -> None:
    """On a real face, in eye distances: inner points within a tenth, mouth corners too."""
    from facelign import models
    from facelign.imaging.read import read_image

    specs = [models.default().find(name)[0] for name in ("yunet", "mesh-468", "dlib-68")]
    detector, mesh, dlib = (models.load(spec, pulled(spec)) for spec in specs)
    photos = sorted((shared / "data/recognition/lfw_100/images").glob("*/*_0001.jpg"))[:4]
    for photo in photos:
        image = read_image(photo)
        faces = detector.detect(image)[:1]
        mine = mesh.locate(image, faces).landmarks.as_scheme("ibug-68").points[0]
        theirs = dlib.locate(image, faces).landmarks.points[0]
        apart = np.linalg.norm(mine - theirs, axis=1) / np.linalg.norm(theirs[36] - theirs[45])
        assert apart[17:].mean() < 0.1
