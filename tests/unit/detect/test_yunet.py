"""YuNet against OpenCV's own decoder, from crowds to close-ups, upright and rolled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facelign.detect.leveling import tilt_of
from facelign.detect.models.yunet import SPECS, YuNetOptions
from facelign.errors import ConfigError
from facelign.geometry.boxes import iou
from facelign.imaging.read import read
from facelign.types.faces import Faces
from facelign.types.image import Image

pytestmark = pytest.mark.weights

#: one look, nothing on top of it: what OpenCV's detector does
PLAIN: dict[str, object] = {
    "small_score_threshold": 0.6,
    "doubt_threshold": 1.0,
    "steady": "none",
    "scales": (2000,),
}


def photo(path: Path) -> Image:
    return Image.from_array(cv2.imread(str(path)), "bgr", path.name)


def by_opencv(model: Path, image: Image) -> tuple[Any, Any]:
    net = cv2.FaceDetectorYN.create(str(model), "", image.size, 0.6, 0.3, 5000)
    rows = net.detect(np.ascontiguousarray(image.pixels[:, :, ::-1]))[1]
    rows = np.zeros((0, 15), np.float32) if rows is None else rows
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    return boxes, rows[:, 4:14].reshape(-1, 5, 2)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "model", "share"),
    # the same network, and OpenCV's float32 file against the dequantized one of the wheel; share
    # of the height of a face by which boxes and points may differ
    [
        ("yunet-n", "yunet_n_640_640.onnx", 1e-3),
        ("yunet", "face_detection_yunet_2023mar.onnx", 0.06),
    ],
)
def test_boxes_and_points_agree_with_opencv(
    detector: Any, shared: Path, name: str, model: str, share: float
) -> None:
    mine = detector(name, **PLAIN)
    compared = 0
    photos = sorted((shared / "data/recognition/lfw_100").rglob("*.jpg"))[::7]
    photos += sorted((shared / "data/landmarks/dlib_faces").glob("*.jpg"))
    for path in photos:
        image = photo(path)
        boxes, points = by_opencv(shared / "weights/detection" / model, image)
        faces = mine.detect(image)
        overlap = iou(boxes.astype(np.float64), faces.boxes.astype(np.float64))
        for i in range(len(boxes)):
            height = boxes[i, 3] - boxes[i, 1]
            if share > 0.01 and height < 24:
                continue  # quantization may lose a face that is hardly seen
            j = int(overlap[i].argmax())
            assert overlap[i, j] > 0.8, path
            np.testing.assert_allclose(faces.boxes[j], boxes[i], atol=share * height)
            np.testing.assert_allclose(faces.landmarks.points[j], points[i], atol=share * height)
            compared += 1
    assert compared >= 40


@pytest.mark.shared
def test_the_center_face_of_every_lfw_photo_is_found(detector: Any, recognition: Path) -> None:
    mine = detector("yunet")
    for path in sorted((recognition / "lfw_100").rglob("*.jpg")):
        faces = mine.detect(photo(path))
        assert any(f.box.x1 < 125 < f.box.x2 and f.box.y1 < 125 < f.box.y2 for f in faces), path


def pasted(portrait: Image, box: Any, heights: list[float], size: tuple[int, int]) -> Any:
    """A photo with the portrait at several heights, and where its faces are."""
    picture = np.full((size[1], size[0], 3), 120, np.uint8)
    head, box = portrait.pixels[20:240, 120:330], np.asarray(box) - [120, 20, 120, 20]
    boxes, x = [], 20
    for height in heights:
        factor = height / (box[3] - box[1])
        small = cv2.resize(head, None, fx=factor, fy=factor, interpolation=3)
        y = size[1] // 2 - small.shape[0] // 2
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
        boxes.append(box * factor + [x, y, x, y])
        x += small.shape[1] + 30
    return Image.from_array(picture, "rgb"), np.asarray(boxes)


def found(faces: Faces, boxes: Any) -> list[bool]:
    if not len(faces):
        return [False] * len(boxes)
    return (iou(boxes, faces.boxes.astype(np.float64)).max(axis=1) > 0.4).tolist()


@pytest.mark.parametrize("name", ["yunet", "yunet-n"])
def test_large_and_small_faces_of_twelve_megapixels(
    detector: Any, portrait: Image, name: str
) -> None:
    mine = detector(name)
    box = mine.detect(portrait).boxes[0].astype(np.float64)
    image, boxes = pasted(portrait, box, [600, 400, 200, 100, 48, 36, 30, 26], (4000, 3000))
    assert found(mine.detect(image), boxes) == [True] * 8
    reduced = Image(cv2.resize(image.pixels, (2000, 1500), interpolation=3), (4000, 3000), 0.5)
    assert found(mine.detect(reduced), boxes) == [True] * 8


@pytest.mark.parametrize("size", [(20_000, 1_000), (900, 16_000), (34_000, 800)])
@pytest.mark.parametrize("height", [45.0, 360.0])
def test_a_face_in_a_panorama(
    detector: Any, portrait: Image, size: tuple[int, int], height: float
) -> None:
    mine = detector("yunet")
    box = mine.detect(portrait).boxes[0]
    image, boxes = pasted(portrait, box, [height], size)
    assert found(mine.detect(image), boxes) == [True]
    file = cv2.imencode(".jpg", np.ascontiguousarray(image.pixels[:, :, ::-1]))[1].tobytes()
    reduced = read(file, at_least=mine.wants_px)
    assert reduced.scale < 1
    assert found(mine.detect(reduced), boxes) == [True]


@pytest.mark.parametrize("share", [0.5, 0.9, 1.15])
@pytest.mark.parametrize("size", [(4000, 3000), (1000, 750), (250, 250)])
def test_a_close_up_that_fills_the_frame(
    detector: Any, portrait: Image, share: float, size: tuple[int, int]
) -> None:
    mine = detector("yunet")
    box = mine.detect(portrait).boxes[0].astype(np.float64)
    factor = share * size[1] / (box[3] - box[1])
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    matrix = np.array(
        [[factor, 0, size[0] / 2 - factor * cx], [0, factor, size[1] / 2 - factor * cy]]
    )
    pixels = cv2.warpAffine(portrait.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    want = (box.reshape(2, 2) * factor + matrix[:, 2]).reshape(1, 4)
    faces = mine.detect(Image.from_array(pixels, "rgb"))
    assert found(faces[:1], want) == [True]
    assert len(faces) == 1


def test_strips_change_nothing_that_matters(detector: Any, portrait: Image) -> None:
    box = detector("yunet").detect(portrait).boxes[0].astype(np.float64)
    image, boxes = pasted(portrait, box, [200, 100, 48, 100, 200, 60], (1900, 1500))
    for shift in range(0, 320, 40):  # the seam wanders through the faces
        rolled = Image.from_array(np.roll(image.pixels, shift, axis=0), "rgb")
        whole = detector("yunet", strip_px=10**8).detect(rolled)
        cut = detector("yunet", strip_px=1_000_000).detect(rolled)
        moved = boxes + np.array([0, shift, 0, shift])
        assert found(whole, moved) == found(cut, moved) == [True] * 6
        assert len(whole) == len(cut)


def turned_by(image: Image, points: Any, roll: float) -> tuple[Image, Any]:
    """The photo turned clockwise about a face that ends in the middle, and its points there."""
    cx, cy = (float(v) for v in points.mean(axis=0))
    w, h = image.size
    matrix = cv2.getRotationMatrix2D((cx, cy), -roll, 1.0)
    matrix[:, 2] += np.array([(w - 1) / 2 - cx, (h - 1) / 2 - cy])
    pixels = cv2.warpAffine(image.pixels, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE)
    return Image.from_array(pixels, "rgb"), points @ matrix[:, :2].T + matrix[:, 2]


def off_level(points: Any, want: Any) -> float:
    """By how many degrees the eyes lean more than they should."""
    return (tilt_of(points) - tilt_of(want) + 180) % 360 - 180


@pytest.mark.parametrize("name", ["yunet", "yunet-n"])
@pytest.mark.parametrize(
    "roll", [*range(-180, 180, 30), -25, -20, -15, -10, -5, 5, 10, 15, 20, 25, 45, -45, 135]
)
def test_points_follow_a_rolled_face(detector: Any, portrait: Image, name: str, roll: int) -> None:
    mine = detector(name)
    upright = mine.detect(portrait).landmarks.points[0].astype(np.float64)
    turned, want = turned_by(portrait, upright, roll)
    points = mine.detect(turned).landmarks.points
    errors = np.linalg.norm(points - want, axis=2).mean(axis=1)
    assert errors.min() < 0.12 * np.linalg.norm(upright[0] - upright[1])
    # one look at a face that lies is less exact than at one that stands
    assert abs(off_level(points[errors.argmin()], want)) < (6 if abs(roll) <= 45 else 8)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["yunet", "yunet-n"])
def test_eyes_are_level_whatever_the_roll(detector: Any, recognition: Path, name: str) -> None:
    """A turn of the photo is a turn of the points; the look that finds a face tells 15 of 45."""
    mine = detector(name)
    errors: dict[int, list[float]] = {}
    for path in sorted((recognition / "lfw_100").rglob("*.jpg"))[5::12]:
        image = photo(path)
        faces = mine.detect(image)
        middle = int(np.abs(faces.boxes.mean(axis=1) - 125).argmin())
        upright = faces.landmarks.points[middle].astype(np.float64)
        for roll in (10, -15, 20, -25, 45, -120, 180):
            turned, want = turned_by(image, upright, roll)
            faces = mine.detect(turned)
            if not len(faces):
                continue  # the turned tries of detect.attempts are for those
            apart = np.linalg.norm(faces.landmarks.points.mean(axis=1) - want.mean(axis=0), axis=1)
            error = off_level(faces.landmarks.points[int(apart.argmin())], want)
            errors.setdefault(roll, []).append(abs(error))
    for roll, told in errors.items():
        assert len(told) >= 5
        assert np.median(told) < (3 if abs(roll) <= 45 else 4), roll
        assert max(told) < 15, roll


def test_a_closer_look_moves_points_but_not_boxes(detector: Any, portrait: Image) -> None:
    plain = detector("yunet", steady="none").detect(portrait)
    again = detector("yunet").detect(portrait)
    np.testing.assert_array_equal(plain.boxes, again.boxes)
    np.testing.assert_array_equal(plain.scores, again.scores)
    apart = np.linalg.norm(plain.landmarks.points - again.landmarks.points, axis=2)
    assert 0 < apart.max() < 0.12 * plain.heights[0]


def test_only_the_largest_faces_are_looked_at_closer(detector: Any, portrait: Image) -> None:
    box = detector("yunet").detect(portrait).boxes[0].astype(np.float64)
    image, boxes = pasted(portrait, box, [160, 80, 40, 18], (900, 500))
    plain = detector("yunet", steady_faces=0).detect(image)
    for options, moved in (
        ({}, [True, True, True, False]),
        ({"steady_faces": 2}, [True, True, False, False]),
        ({"steady_px": 60.0}, [True, True, False, False]),
        ({"steady_faces": 0}, [False] * 4),
    ):
        faces = detector("yunet", **options).detect(image)
        overlap = iou(boxes, faces.boxes.astype(np.float64))
        apart = np.abs(plain.landmarks.points - faces.landmarks.points).max(axis=(1, 2))
        assert (apart[overlap.argmax(axis=1)] > 0).tolist() == moved


@pytest.mark.shared
def test_closer_points_are_nearer_to_the_eyes(detector: Any, landmarks_data: Path) -> None:
    """On faces with 68 marked points the error falls by about a fifth (102 faces)."""
    rows = (landmarks_data / "faces68/faces68.csv").read_text().splitlines()
    head, rows = rows[0].split(","), rows[1::60]
    first = head.index("x00")
    errors: dict[str, list[float]] = {"none": [], "level": []}
    for row in rows:
        cells = row.split(",")
        marks = np.array([float(v) for v in cells[first:]]).reshape(68, 2)
        want = np.stack(
            [marks[36:42].mean(0), marks[42:48].mean(0), marks[30], marks[48], marks[54]]
        )
        image = photo(landmarks_data / "faces68" / cells[head.index("file")])
        for steady, told in errors.items():
            points = detector("yunet", steady=steady).detect(image).landmarks.points
            apart = np.linalg.norm(points - want, axis=2).mean(axis=1).min()
            told.append(apart / np.linalg.norm(want[0] - want[1]))
    assert np.mean(errors["level"]) < 0.92 * np.mean(errors["none"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"score_threshold": 0},
        {"nms_iou": 1.5},
        {"scales": ()},
        {"max_side": 8},
        {"strip_px": 5},
        {"steady_faces": -1},
    ],
)
def test_options_that_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        YuNetOptions(**wrong)


def test_unknown_kinds_of_second_looks_are_refused(detector: Any) -> None:
    with pytest.raises(ConfigError, match="yunet"):
        detector("yunet", steady="twice")


def test_records_name_the_side_that_photos_may_be_reduced_to(detector: Any) -> None:
    assert detector("yunet").wants_px == 2000
    assert detector("yunet", max_side=800).wants_px == 800
    assert {spec.id for spec in SPECS} == {"yunet", "yunet-n"}
