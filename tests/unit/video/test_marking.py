"""What is drawn on frames, and what is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.types.faces import Box
from facelign.types.image import Image
from facelign.video.crops import crop
from facelign.video.evidence import TrackVerdict
from facelign.video.marking import Paths, Shown, blurred, marked
from facelign.video.visits import Visit

FACE = Box(178.0, 62.0, 268.0, 176.0)


def visit(person: str | None, number: int = 1) -> Visit:
    verdict = TrackVerdict(person, True, 0.6, None, "", 3)
    stranger = None if person else number
    return Visit("a.mp4", number, verdict, stranger, 0.0, 1.0, 26, None)


def test_a_face_stands_between_the_frames_in_which_it_was_found() -> None:
    paths = Paths()
    far = Box(FACE.x1 + 80, FACE.y1, FACE.x2 + 80, FACE.y2)
    paths.add([visit("Ada")], {1: {10: FACE, 18: far}})
    assert paths.at(9) == paths.at(19) == []
    ((first, who, _),) = paths.at(10)
    ((middle, *_),) = paths.at(14)
    ((last, *_),) = paths.at(18)
    assert who == "Ada"
    np.testing.assert_allclose(first, FACE.edges)
    np.testing.assert_allclose(middle - first, [40, 0, 40, 0])
    np.testing.assert_allclose(last, far.edges)


def test_a_blurred_face_is_a_few_blocks_and_the_rest_is_as_it_was(portrait: Image) -> None:
    box = np.array(FACE.edges)
    hidden = blurred(portrait.pixels, [box])
    inside = hidden[80:160, 190:255].reshape(-1, 3)
    assert len(np.unique(inside, axis=0)) <= 36
    assert len(np.unique(portrait.pixels[80:160, 190:255].reshape(-1, 3), axis=0)) > 500
    np.testing.assert_array_equal(hidden[300:], portrait.pixels[300:])
    outside = [np.array([-900.0, -900, -800, -800]), np.array([500.0, 500, 900, 900])]
    assert blurred(portrait.pixels, outside).shape == portrait.pixels.shape


@pytest.mark.parametrize(
    ("blur", "ada", "stranger"),
    [("", False, False), ("all", True, True), ("unknown", False, True), ("Ada", True, False)],
)
def test_whose_face_is_blurred(portrait: Image, blur: str, ada: bool, stranger: bool) -> None:
    left, right = np.array(FACE.edges), np.add(FACE.edges, 150)
    drawn = marked(portrait.pixels, [Shown(left, "Ada"), Shown(right, None, 2)], blur)
    for edges, hidden in ((left, ada), (right, stranger)):
        x1, y1, x2, y2 = (int(v) for v in edges)
        part = drawn[y1 + 30 : y2 - 30, x1 + 25 : x2 - 25]
        assert (len(np.unique(part.reshape(-1, 3), axis=0)) <= 36) is hidden
    assert marked(portrait.pixels, [], blur) is portrait.pixels


def test_a_crop_shows_the_face_with_what_is_around_it(portrait: Image) -> None:
    cut = crop(portrait, FACE)
    assert cut.shape == (183, 144, 3)
    assert crop(portrait, Box(-200, -200, -100, -100)).size > 0
    assert max(crop(portrait, Box(0, 0, 511, 511)).shape) == 320
