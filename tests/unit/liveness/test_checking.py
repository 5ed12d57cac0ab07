"""Who is judged at all, what a score means, and that "not checked" is neither answer."""

from __future__ import annotations

import numpy as np
import pytest

from facelign.liveness.checking import answers
from facelign.types.arrays import Float32Array
from facelign.types.contracts import Liveness
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.liveness import LiveAnswer, LiveDecision


class Bright(Liveness):
    """Believes in bright faces, from 30 px up, with room around them, turned 30 degrees at most."""

    id = "bright"
    smallest_px = 30.0
    least_reach = 1.5
    widest_yaw_deg = 30.0

    def __init__(self) -> None:
        self.asked = 0

    def judge(self, image: Image, faces: Faces) -> Float32Array:
        self.asked += len(faces)
        parts = [
            image.pixels[int(y1) : int(y2), int(x1) : int(x2)] for x1, y1, x2, y2 in faces.boxes
        ]
        return np.array([part.mean() / 255 for part in parts], np.float32)


def scene(*boxes: list[float]) -> tuple[Image, Faces]:
    """A dark left and a bright right half of 200 x 200 px."""
    pixels = np.full((200, 200, 3), 25, np.uint8)
    pixels[:, 100:] = 230
    image = Image.from_array(pixels, "rgb")
    n = len(boxes)
    return image, Faces(np.array(boxes, np.float32).reshape(n, 4), np.ones(n, np.float32), None, "",
                        image.size)  # fmt: skip


def test_a_score_is_live_from_the_threshold_on() -> None:
    image, faces = scene([10, 50, 60, 110], [120, 50, 170, 110])
    told = answers(Bright(), image, faces, 0.5)
    assert [one.decision for one in told] == [LiveDecision.ATTACK, LiveDecision.LIVE]
    assert told[0].score == pytest.approx(25 / 255)
    assert told[0].reason == "liveness 0.098, below 0.5"
    assert told[1].reason == told[1].refusal == ""
    assert "taken for an attack" in told[0].refusal
    strict = answers(Bright(), image, faces, 0.95)
    assert [one.decision for one in strict] == [LiveDecision.ATTACK] * 2
    at = told[1].score
    assert at is not None
    assert answers(Bright(), image, faces[[1]], at)[0].decision is LiveDecision.LIVE


@pytest.mark.parametrize(
    ("box", "yaw", "why"),
    [
        ([120, 50, 140, 70], 0.0, "too small: 20 px of 30 px needed"),
        ([170, 50, 215, 110], 0.0, "cut by the edge of the photo"),
        ([120, -20, 170, 40], 0.0, "cut by the edge of the photo"),
        ([20, 20, 180, 190], 0.0, "too close: the photo shows 1.2 times the face"),
        ([120, 50, 170, 110], 40.0, "turned aside: 40 degrees, and 30 are allowed"),
        ([120, 50, 170, 110], -40.0, "turned aside: 40 degrees"),
    ],
)
def test_what_the_model_was_not_made_for_is_not_checked(
    box: list[float], yaw: float, why: str
) -> None:
    image, faces = scene(box)
    model = Bright()
    (told,) = answers(model, image, faces, 0.5, np.array([yaw]))
    assert told.decision is LiveDecision.NOT_CHECKED
    assert told.score is None
    assert why in told.reason
    assert told.refusal.startswith("not checked")
    assert model.asked == 0


def test_faces_keep_their_order_around_one_that_is_not_checked() -> None:
    image, faces = scene([10, 50, 60, 110], [0, 0, 10, 10], [120, 50, 170, 110])
    told = answers(Bright(), image, faces, 0.5)
    assert [str(one.decision) for one in told] == ["attack", "not-checked", "live"]
    assert answers(Bright(), image, faces[:0], 0.5) == ()


def test_a_detector_may_be_a_little_off_and_no_pose_turns_nobody_away() -> None:
    image, faces = scene([152, 50, 202, 110])
    assert answers(Bright(), image, faces, 0.5)[0].decision is LiveDecision.LIVE


def test_an_answer_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match=r"ask answer\.decision"):
        bool(LiveAnswer.not_checked("too small"))
