"""Detectors from files to figures, on data that is made here and beside us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facelign import models
from facelign.datasets.widerface import BoxedPhoto, read_boxes
from facelign.errors import Refused
from facelign.imaging.write import write
from facelign.lab.detection import run as detection_run
from facelign.types.contracts import Detector
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.specs import Task


class Fixed(Detector):
    """A detector that says what it is told to."""

    def __init__(self, boxes: list[list[float]], scores: list[float]) -> None:
        self.boxes, self.scores = np.array(boxes, np.float32), np.array(scores, np.float32)

    def detect(self, image: Image) -> Faces:
        return Faces(self.boxes, self.scores, None, "fixed", image.size)


def boxed(path: Path, boxes: list[list[float]], ignore: list[bool]) -> BoxedPhoto:
    table = np.array(boxes, np.float32)
    return BoxedPhoto(path, table, np.array(ignore))


def test_detection_by_hand(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    write(photo, np.full((200, 200, 3), 90, np.uint8))
    truth = boxed(
        photo, [[10, 10, 50, 50], [30, 10, 70, 50], [100, 100, 150, 150]], [False, False, True]
    )
    detector = Fixed([[10, 10, 50, 50], [100, 100, 150, 150], [0, 150, 30, 190]], [0.9, 0.8, 0.7])
    found = detection_run.run("fixed", detector, [truth], empty=[photo, photo])  # type: ignore[arg-type]
    told = found.to_dict()
    assert (told["faces"], told["recall"], told["false_faces"]) == (2, 0.5, 1)
    assert told["ap"] == pytest.approx(0.5)  # the first of two faces, at precision 1
    assert told["false_per_1000_empty_photos"] == 3000
    assert found.crowded == (0.5, 2)
    assert found.meaning == {"0.7": 0.0, "0.72": 0.1, "0.75": 0.25, "0.8": 0.5, "0.85": 0.75,
                             "0.88": 0.9, "0.9": 1.0}  # fmt: skip
    with pytest.raises(Refused):
        detection_run.run("fixed", detector, [boxed(tmp_path / "no.png", [[0, 0, 9, 9]], [False])])  # type: ignore[arg-type]


def test_false_faces_of_photos_that_show_nobody(tmp_path: Path) -> None:
    photo, broken = tmp_path / "a.png", tmp_path / "broken.png"
    write(photo, np.full((200, 200, 3), 90, np.uint8))
    broken.write_bytes(b"no picture")
    truth = boxed(photo, [[10, 10, 60, 60]], [False])
    said = Fixed([[10, 10, 60, 60], [100, 100, 150, 150]], [0.9, 0.7])
    found = detection_run.run("fixed", said, [truth], empty=[photo, photo, broken])
    assert found.empty is not None
    assert (found.empty.photos, found.empty.faces, found.empty.with_faces) == (2, 4, 2)
    assert found.false_per_thousand == 2000
    assert str(broken) in found.unread
    # rule by hand: all of 2 photos, so 0.025 = share ** 2 at the lower end
    low, high = found.empty.interval
    assert low == pytest.approx(0.025**0.5)
    assert high == 1
    assert found.to_dict()["empty"]["photos_with_false_faces"] == 2
    none = detection_run.Empty(19, 0, 0)
    assert none.interval[1] == pytest.approx(1 - 0.025 ** (1 / 19))


def test_a_list_without_faces_to_find_is_refused(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    write(photo, np.full((200, 200, 3), 90, np.uint8))
    said = Fixed([[10, 10, 60, 60]], [0.9])
    for truth in (
        BoxedPhoto(photo, np.zeros((0, 4), np.float32), np.zeros(0, bool)),
        boxed(photo, [[10, 10, 60, 60]], [True]),
    ):
        with pytest.raises(Refused, match="told apart"):
            detection_run.run("fixed", said, [truth])
    with pytest.raises(Refused, match="at least 80 px"):
        detection_run.run("fixed", said, [boxed(photo, [[10, 10, 60, 60]], [False])], smallest=80)


@pytest.mark.weights
@pytest.mark.shared
def test_real_photos(pulled, detection: Path) -> None:
    spec = models.default().spec(Task.DETECT, "yunet")
    detector = models.load(spec, pulled(spec))
    photos = read_boxes(detection / "dlib_faces_bbx_gt.txt", detection)
    assert detection_run.run("yunet", detector, photos).to_dict()["ap"] > 0.9
