"""Labels stand beside faces: on no face, on no other label, inside the picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.imaging.draw import COLORS, Mark, draw_faces, labels_of
from facelign.imaging.labels import place
from facelign.types.faces import Faces


def faces_of(boxes, size):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Faces(boxes, np.ones(len(boxes), np.float32), None, "x", size)


def meet(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def check(boxes, spots, size):
    for i, spot in enumerate(spots):
        assert spot[0] >= 0
        assert spot[1] >= 0
        assert spot[2] <= size[0]
        assert spot[3] <= size[1]
        assert not any(meet(spot, box) for box in boxes)
        assert not any(meet(spot, other) for other in spots[:i])


def test_a_label_stands_above_then_below_then_beside_then_nowhere():
    form = [(40, 10)]
    above = place(np.array([[50.0, 50, 90, 90]]), [form], (200, 200))
    assert above == [(0, (50, 40, 90, 50))]
    below = place(np.array([[50.0, 5, 90, 90]]), [form], (200, 200))
    assert below[0] is not None
    assert below[0][1][1] == 91
    right = place(np.array([[50.0, 0, 90, 199]]), [form], (200, 200))
    assert right[0] is not None
    assert right[0][1][0] == 91
    assert place(np.array([[0.0, 0, 199, 199]]), [form], (200, 200)) == [None]


def test_what_does_not_fit_takes_its_next_form():
    boxes = np.array([[50.0, 50, 90, 90]])
    assert place(boxes, [[(300, 10), (20, 10)]], (200, 200))[0] == (1, (50, 40, 70, 50))


def test_a_label_moves_from_another_face_and_from_another_label():
    boxes = np.array([[50.0, 50, 90, 90], [50.0, 20, 70, 45]])
    spots = [spot for _, spot in filter(None, place(boxes, [[(30, 12)]] * 2, (200, 200)))]
    assert len(spots) == 2
    check(boxes, spots, (200, 200))


@given(
    st.lists(
        st.tuples(*[st.floats(-300, 900, width=32)] * 2, *[st.floats(1, 400, width=32)] * 2),
        max_size=30,
    ),
    st.sampled_from(["?", "Ann", "Bartholomew Featherstonehaugh"]),
    st.sampled_from([(640, 480), (90, 60), (4000, 3000)]),
)
@settings(max_examples=80, deadline=None)
def test_any_crowd(rows, label, size):
    boxes = [[x, y, x + w, y + h] for x, y, w, h in rows]
    boxes = [b for b in boxes if np.float32(b[2]) > np.float32(b[0]) and b[3] > b[1]]
    faces = faces_of(boxes, size)
    drawn = labels_of(faces, [Mark(label=label)] * len(faces), size)
    check(boxes, [spot for _, spot, _ in drawn], size)


@pytest.mark.parametrize("side", [200, 500, 1000, 4000, 12000])
def test_letters_can_be_read_in_a_photo_of_any_size(side):
    """Shown a thousand pixels wide, they are at least ten pixels high and at most a few dozen."""
    for height in (side / 50, side / 5, side / 2):
        faces = faces_of([[0.3 * side, 0.3 * side, 0.4 * side, 0.3 * side + height]], (side, side))
        ((_, (_, top, _, bottom), _),) = labels_of(faces, [Mark(label="Ann")], (side, side))
        shown = (bottom - top) * min(1, 1000 / side)
        assert 10 <= shown <= 60


def test_large_faces_have_larger_letters():
    faces = faces_of([[100, 200, 200, 300], [500, 300, 900, 800]], (1000, 1000))
    small, large = (
        spot[3] - spot[1]
        for _, spot, _ in labels_of(faces, [Mark(label="Ann"), Mark(label="Bob")], (1000, 1000))
    )
    assert large > small


def test_only_labels_and_frames_are_drawn_and_no_face_is_covered():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (400, 600, 3), np.uint8)
    boxes = [[x, y, x + 60, y + 80] for x in range(20, 560, 90) for y in range(30, 300, 110)]
    faces = faces_of(boxes, (600, 400))
    looks = [Mark(COLORS[i % 7], f"Person {i}") for i in range(len(faces))]
    bare = draw_faces(pixels, faces, [Mark(look.color) for look in looks])
    changed = (bare != draw_faces(pixels, faces, looks)).any(axis=2)
    assert changed.any()
    for x1, y1, x2, y2 in boxes:
        assert not changed[y1 : y2 + 1, x1 : x2 + 1].any()


def test_a_face_that_is_not_shown_is_not_covered_either():
    faces = faces_of([[100, 100, 160, 180], [105, 60, 150, 98]], (400, 400))
    pixels = np.full((400, 400, 3), 90, np.uint8)
    drawn = draw_faces(pixels, faces, [Mark(label="Ann"), Mark(label="?", shown=False)])
    assert not (drawn[60:96, 105:150] != 90).any()
