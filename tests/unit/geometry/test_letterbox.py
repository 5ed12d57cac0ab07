"""The map between photo and network picture."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facelign.geometry.letterbox import PlaneMap
from facelign.geometry.transforms import apply, scaling

factors = st.floats(0.05, 20)
shifts = st.floats(-500, 500)
maps = st.builds(PlaneMap, st.tuples(factors, factors), st.tuples(shifts, shifts))
points = arrays(np.float64, (4, 2), elements=st.floats(0, 4000))


@given(maps, points)
def test_back_is_the_inverse(plane: PlaneMap, where: np.ndarray) -> None:
    back = plane.back(plane.forward(where))
    # float32 in between: 1/8 px at 80,000 px in the network picture at the worst
    assert np.allclose(back, where, atol=0.01 / min(*plane.scale, 1) + 1e-3)


@given(maps, maps, points)
def test_maps_chain(first: PlaneMap, second: PlaneMap, where: np.ndarray) -> None:
    both = first.then(second).forward(where)
    single = second.forward(first.forward(where))
    assert np.allclose(both, single, rtol=1e-5, atol=0.2)


@given(factors, points)
def test_without_a_shift_it_is_the_map_of_a_resize(scale: float, where: np.ndarray) -> None:
    plane = PlaneMap((scale, scale))
    assert np.allclose(plane.forward(where), apply(scaling(scale), where), rtol=1e-5, atol=1e-2)


def test_it_is_where_opencv_puts_pixels() -> None:
    # A ramp resized by cv2.resize: pixel i of the result shows what lies at back(i).
    ramp = np.tile(np.arange(200, dtype=np.float32), (8, 1))
    half = cv2.resize(ramp, (100, 4), interpolation=cv2.INTER_LINEAR)
    where = PlaneMap((0.5, 0.5)).back(np.stack([np.arange(100), np.zeros(100)], axis=1))
    assert np.allclose(half[0], where[:, 0], atol=1e-4)


def test_boxes_go_back_edge_by_edge() -> None:
    plane = PlaneMap((0.5, 0.5), (10, 0))
    assert plane.boxes_back(np.array([[9.5, -0.5, 19.5, 9.5]])).tolist() == [
        [-0.5, -0.5, 19.5, 19.5]
    ]
    assert plane.boxes_back(np.zeros((0, 4))).shape == (0, 4)
