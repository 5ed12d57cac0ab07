"""Landmarkers from files to figures, on data that is made here and beside us."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facelign import models
from facelign.datasets.points import read_annotated
from facelign.errors import ConfigError, Refused
from facelign.imaging.write import write
from facelign.lab.landmarks import run as landmark_run
from facelign.lab.landmarks.figures import Normalizer
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import DLIB_5, FIVE, IBUG_68, REDUCTIONS
from facelign.types.specs import Task


def annotated(tmp_path: Path, n: int = 3, name: str = "faces.csv") -> tuple[Path, np.ndarray]:
    """Write n gray photos with two faces each, and their 68 points; return them."""
    draws = np.random.default_rng(1)
    shape = draws.uniform(0, 60, (68, 2))
    shape[36:42] = draws.uniform(10, 18, (6, 2))
    shape[42:48] = draws.uniform(40, 48, (6, 2))
    rows, points = [], []
    (tmp_path / "images").mkdir()
    for k in range(n):
        write(tmp_path / "images" / f"{k}.png", np.full((200, 300, 3), 40 + k, np.uint8))
        for shift in ((20, 30), (180, 90)):
            place = shape + shift
            points.append(place)
            rows.append([f"images/{k}.png", *place.ravel().tolist()])
    columns = [f"{axis}{i:02d}" for i in range(68) for axis in "xy"]
    with (tmp_path / name).open("w", newline="") as file:
        csv.writer(file).writerows([["file", *columns], *rows])
    return tmp_path / name, np.array(points)


def located(points: np.ndarray, scheme, image: Image, error: float = 0.0) -> Faces:  # type: ignore[no-untyped-def]
    """Return the two faces of a photo, swapped, each point moved to the right by ``error``."""
    held = points[::-1] + np.array([error, 0.0])
    boxes = np.concatenate([held.min(axis=1) - 5, held.max(axis=1) + 5], axis=1)
    marks = Landmarks(held.astype(np.float32), scheme)
    n = len(held)
    return Faces(boxes.astype(np.float32), np.ones(n, np.float32), marks, "x", image.size)


def test_errors_by_hand_whatever_the_order_of_detections(tmp_path: Path) -> None:
    path, points = annotated(tmp_path)
    truth = read_annotated(path)
    assert (truth.scheme, len(truth)) == ("ibug-68", 6)
    found = landmark_run.run(
        truth,
        lambda image: located(points[:2], IBUG_68, image, 2.0),
        model="m",
        detector="d",
    )
    gap = np.linalg.norm(points[0, 36] - points[0, 45])
    assert found.report.missed == 0
    np.testing.assert_allclose(found.report.errors, 2 / gap, rtol=1e-5)
    assert found.compared == "ibug-68"


@pytest.mark.parametrize("scheme", [FIVE, DLIB_5])
def test_poorer_schemes_are_compared_by_their_own_points(tmp_path: Path, scheme) -> None:
    path, points = annotated(tmp_path)
    groups = REDUCTIONS["ibug-68", scheme.id]
    made = np.stack([points[:, list(g)].mean(axis=1) for g in groups], axis=1)
    found = landmark_run.run(
        read_annotated(path),
        lambda image: located(made[:2], scheme, image, 1.0),
        model="m",
        detector="d",
        normalizer=Normalizer.INTER_PUPIL,
    )
    eyes = points[0, 36:42].mean(axis=0) - points[0, 42:48].mean(axis=0)
    np.testing.assert_allclose(found.report.errors, 1 / np.linalg.norm(eyes), rtol=1e-5)
    assert len(found.report.points) == scheme.k


def test_a_face_that_is_not_found_stays_a_failure(tmp_path: Path) -> None:
    path, points = annotated(tmp_path)

    def one_of_two(image: Image) -> Faces:
        return located(points[:1], IBUG_68, image)

    found = landmark_run.run(read_annotated(path), one_of_two, model="m", detector="d")
    told = found.report.to_dict()
    assert (told["faces"], told["missed"]) == (6, 3)
    assert told["fr_0.08"] == pytest.approx(0.5)
    nothing = landmark_run.run(
        read_annotated(path),
        lambda image: Faces.none("x", image.size),
        model="m",
        detector="d",
    )
    assert nothing.report.missed == 6
    assert nothing.report.to_dict()["auc_0.08"] == 0


def test_an_unread_photo_is_told_and_its_faces_are_missed(tmp_path: Path) -> None:
    path, points = annotated(tmp_path)
    (tmp_path / "images" / "1.png").write_bytes(b"no picture")
    found = landmark_run.run(
        read_annotated(path),
        lambda image: located(points[:2], IBUG_68, image),
        model="m",
        detector="d",
    )
    assert len(found.unread) == 1
    assert found.report.missed == 2


def test_models_are_compared_in_the_same_points_when_asked(tmp_path: Path) -> None:
    path, points = annotated(tmp_path)
    truth = read_annotated(path)
    for scheme, chosen in (
        ("five", [*range(36, 48), 30, 48, 54]),
        ("dlib-5", [45, 42, 36, 39, 33]),
    ):
        moved = points.copy()
        moved[:, [k for k in range(68) if k not in chosen]] += 7.0  # points that do not count
        moved[:, chosen] += [0.0, 3.0]
        found = landmark_run.run(
            truth,
            lambda image, moved=moved: located(moved[:2], IBUG_68, image),
            model="m",
            detector="d",
            scheme=scheme,
        )
        assert found.compared == scheme
        gap = np.linalg.norm(points[0, 36] - points[0, 45])
        np.testing.assert_allclose(found.report.errors, 3 / gap, rtol=1e-4)
        assert len(found.report.points) == 5


@pytest.mark.parametrize(
    ("given", "truth", "wanted", "said"),
    [
        (None, "ibug-68", "", "haar gives boxes and no points"),
        ("dlib-5", "muct-76", "", "cannot be compared with annotations of 'muct-76'"),
        ("dlib-5", "ibug-68", "five", "as 'five'"),
        ("five", "ibug-68", "ibug-68", "as 'ibug-68'"),
        ("five", "ibug-68", "wflw", "There are no points 'wflw'"),
    ],
)
def test_points_that_cannot_be_compared(
    given: str | None, truth: str, wanted: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        landmark_run.comparable(given, truth, wanted, "haar")
    assert landmark_run.comparable("ibug-68", "muct-68") == "five"


def test_no_figures_without_photos_or_eyes(tmp_path: Path) -> None:
    path, _ = annotated(tmp_path)
    truth = read_annotated(path)
    hidden = replace(truth, visible=np.zeros_like(truth.visible))
    with pytest.raises(Refused, match="the normalizer box"):
        landmark_run.run(hidden, lambda _: None, model="m", detector="d")  # type: ignore[arg-type,return-value]
    for photo in (tmp_path / "images").iterdir():
        photo.unlink()
    with pytest.raises(Refused, match="None of 3 photos"):
        landmark_run.run(truth, lambda _: None, model="m", detector="d")  # type: ignore[arg-type,return-value]


def test_a_mean_of_points_is_seen_where_all_its_parts_are() -> None:
    seen = np.ones((2, 68), bool)
    seen[0, 40] = False  # one of the six points of the right eye
    got = landmark_run.reduced(seen, "ibug-68", "five") == 1
    assert got.tolist() == [[False, True, True, True, True], [True] * 5]
    assert landmark_run.reduced(seen, "ibug-68", "ibug-68").tolist() == seen.tolist()
    points = np.random.default_rng(0).uniform(0, 90, (3, 68, 2))
    five = landmark_run.reduced(points, "ibug-68", "five")
    marks = Landmarks(points.astype(np.float32), IBUG_68).as_scheme("five")
    np.testing.assert_allclose(five, marks.points, atol=1e-4)


@pytest.mark.weights
@pytest.mark.shared
def test_real_photos(pulled, landmarks_data: Path) -> None:
    spec = models.default().spec(Task.DETECT, "yunet")
    detector = models.load(spec, pulled(spec))
    truth = read_annotated(landmarks_data / "faces68").every(12)
    points = landmark_run.run(truth, detector.detect, model="yunet", detector="yunet")
    assert points.report.missed <= 1
    assert np.median(points.report.errors) < 0.12
