"""Which face is meant: each policy on faces laid out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.errors import NoFace, SeveralFaces
from facelign.recognition.selection import choose
from facelign.types.faces import Faces
from facelign.types.policies import FacePolicy


def faces(*boxes: tuple[float, float, float, float], scores: list[float] | None = None) -> Faces:
    values = np.array(boxes, np.float32).reshape(-1, 4)
    given = np.array(scores if scores else np.linspace(0.9, 0.5, len(values)), np.float32)
    return Faces(values, given, None, "hand", (200, 100))


LARGE = (0, 0, 60, 60)
SMALL = (90, 40, 110, 60)  # in the middle, a third of the height
MEDIUM = (140, 10, 175, 45)


def test_largest_takes_the_area_not_the_score() -> None:
    found = faces(SMALL, LARGE, scores=[0.99, 0.6])
    assert choose(found, FacePolicy.LARGEST, "a.jpg") == 1
    assert choose(found, FacePolicy.BEST, "a.jpg") == 0


def test_central_is_nearest_to_the_middle() -> None:
    assert choose(faces(LARGE, MEDIUM, SMALL), FacePolicy.CENTRAL, "a.jpg") == 2


def test_only_ignores_faces_under_half_the_largest_height() -> None:
    assert choose(faces(SMALL, LARGE), FacePolicy.ONLY, "a.jpg") == 1


def test_only_refuses_a_face_of_exactly_half_the_height() -> None:
    half = (100, 0, 130, 30)
    with pytest.raises(SeveralFaces, match=r"2 faces were found in a\.jpg"):
        choose(faces(LARGE, half), FacePolicy.ONLY, "a.jpg")


@pytest.mark.parametrize("policy", list(FacePolicy))
def test_no_face_is_said(policy: FacePolicy) -> None:
    with pytest.raises(NoFace, match=r"a\.jpg"):
        choose(faces(), policy, "a.jpg")
