"""The check of annotated sets: each wrong that it knows is put into a set, and told by its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import training

training.needed()

from facelign.datasets.point_table import PointTable
from facelign.train.landmarks.config import DataOptions, LandmarkConfig, ModelOptions
from facelign.train.landmarks.crops import Crops, by_label, detected
from facelign.train.landmarks.report import findings
from facelign.train.landmarks.sets import PARTS, Sets, outliers, place
from facelign.types.faces import Faces

FACE = np.array([[30.0, 40], [70, 40], [50, 60], [35, 80], [65, 80]])
FACES = 600


def made(faces: int = FACES, **changes) -> PointTable:
    random = np.random.default_rng(5)
    points = FACE + random.normal(0, 1, (faces, 5, 2)) + random.uniform(0, 99, (faces, 1, 2))
    files = tuple(Path(f"{n:04d}.jpg") for n in range(faces))
    people = tuple(f"p{n // 2}" for n in range(faces))
    given = {"people": people, "scheme": "five", "visible": np.ones((faces, 5), bool)}
    return PointTable("faces", files, points, **{**given, **changes})


def moved(table: PointTable, row: int, point: int, by) -> PointTable:
    points = table.points.copy()
    points[row, point] += by
    return replace(table, points=points)


def parted(faces: int) -> dict[str, np.ndarray]:
    train, test = faces - 60, faces - 30
    cut = (range(train), range(train, test), range(test, faces))
    return dict(zip(PARTS, map(np.array, cut), strict=True))


def found_in(faces: int, **changes) -> Crops:
    given = {
        "boxes": np.tile([0.0, 0, 99, 99], (faces, 1)),
        "found": np.ones(faces, bool),
        "absent": np.zeros(faces, bool),
        "astray": np.zeros(faces, bool),
        "reasons": {},
    }
    return Crops(**{**given, **changes})


def config(**changes) -> LandmarkConfig:
    given = LandmarkConfig(kind="landmarks")
    return replace(given, **changes)


def told(table=None, rows=None, crops=None, asked=None) -> list[tuple[str, str]]:
    table = made() if table is None else table
    rows = parted(len(table)) if rows is None else rows
    crops = found_in(len(table)) if crops is None else crops
    sets = Sets(table, rows, {}, "photo")
    return [(one.severity, one.text) for one in findings(sets, rows, crops, asked or config())]


def test_a_faultless_set_is_no_finding():
    assert told() == []


def test_few_faces_are_told():
    ((severity, text),) = told(made(200))
    assert severity == "warning"
    assert text.startswith("140 faces are few to train on")


@pytest.mark.parametrize(
    ("one", "other", "severity"),
    [
        ("train", "test", "error"),
        ("validation", "test", "error"),
        ("train", "validation", "warning"),
    ],
)
def test_a_person_in_two_parts_is_named(one, other, severity):
    table, rows = made(), parted(FACES)
    people = list(table.people)
    people[rows[other][0]] = people[rows[one][0]]
    found = told(replace(table, people=tuple(people)))
    assert found == [
        (severity, f"1 person in both {one} and {other}, such as {people[rows[one][0]]}.")
    ]


def test_a_photo_in_two_parts_is_named():
    photos = tuple(f"photo{n % (FACES - 1):04d}" for n in range(FACES))
    ((severity, text),) = told(made(photos=photos))
    assert severity == "error"
    assert "1 photo in both train and test, such as photo0000" in text


def test_a_set_that_does_not_tell_people_says_so():
    ((severity, text),) = told(made(people=()))
    assert severity == "note"
    assert "does not tell people" in text


def test_people_without_a_name_are_nobody_in_two_parts():
    assert told(made(people=("",) * FACES)) == []


def test_hidden_points_are_counted_by_camera():
    visible = np.ones((FACES, 5), bool)
    visible[3, :2] = visible[4, 0] = False
    cameras = tuple("ab"[n % 2] for n in range(FACES))
    ((severity, text),) = told(made(visible=visible, cameras=cameras))
    assert severity == "note"
    assert "3 hidden points, on 2 faces" in text
    assert "(camera a: 1, camera b: 2)" in text
    ((_, text),) = told(made(visible=visible))
    assert "camera" not in text


def test_a_shape_far_from_all_others_is_told_by_its_file():
    ((severity, text),) = told(moved(made(), 7, 3, (90, -70)))
    assert severity == "note"
    assert "1 face of a shape far from all others" in text
    assert "0007.jpg" in text


def test_photos_that_cannot_be_read_and_faces_that_are_missed():
    absent, found = np.zeros(FACES, bool), np.ones(FACES, bool)
    absent[:2] = True
    found[:9] = False
    reasons = {Path("0000.jpg"): "it is empty", Path("0001.jpg"): "it is empty"}
    one, other = told(crops=found_in(FACES, absent=absent, found=found, reasons=reasons))
    assert one[1].startswith("2 of 600 faces are left out: 2 photos not to be read, such as 0000")
    assert "yunet misses 7 of 600 faces" in other[1]
    assert "0002.jpg" in other[1]
    assert other[1].endswith(" ....")


def test_labels_outside_of_their_photos_are_bad_labels_and_no_misses(tmp_path):
    from PIL import Image as Pillow

    table = made(8)
    files = tuple(tmp_path / path.name for path in table.files)
    for file in files:
        Pillow.new("RGB", (200, 200)).save(file)
    points = table.points.copy()
    points[3] += [5000, 0]  # of a larger photo
    points[5] -= [0, 900]
    points[6, 0] = [-40, 10]  # one point of a face that stands at the edge
    bad = replace(table, files=files, points=points)
    seen = []

    def nobody(image):
        seen.append(image.source)
        return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), None, "-", image.size)

    for crops in (detected(bad, nobody), by_label(bad)):
        assert np.flatnonzero(crops.astray).tolist() == [3, 5]
        assert not set(np.flatnonzero(crops.missed)) & {3, 5}
    assert len(seen) == 6
    crops = detected(bad, nobody)
    rows = {name: np.arange(8) for name in ("train", "validation", "test")}
    said = [text for _, text in told(replace(bad, people=()), rows, crops)]
    (labels,) = [text for text in said if "labels lie outside" in text]
    assert labels.startswith("2 labels lie outside of the photo")
    assert "0003.jpg, 0005.jpg" in labels
    assert any("yunet misses 6 of 8 faces" in text for text in said)
    assert any(text.startswith("1 face with points outside") for text in said)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (config(data=DataOptions(detector="label")), "Crops are cut by the annotated points"),
        (config(data=DataOptions(masked=False)), "Hidden points are learned"),
        (config(model=ModelOptions(name="resnet50")), "starts from random weights"),
        (config(model=ModelOptions(name="inception")), "starts from random weights"),
        (
            config(augment=replace(config().augment, flip_vertical=0.5)),
            "Faces are shown upside down",
        ),
        (
            config(augment=replace(config().augment, flip=0.5, swap=False)),
            "Points of flipped faces keep their numbers",
        ),
    ],
)
def test_what_the_configuration_does_to_figures_is_told(asked, words):
    ((_, text),) = told(asked=asked)
    assert text.startswith(words) or words in text


def test_settings_without_harm_are_no_finding():
    still = replace(config().augment, flip=0, flip_vertical=0, swap=False)
    assert told(asked=config(augment=still)) == []
    weights = ModelOptions(name="resnet50", initial="/weights.h5")
    assert told(asked=config(model=weights)) == []


def test_few_or_hidden_faces_are_no_outliers():
    table = moved(made(9), 0, 0, 500)
    assert outliers(table.points, table.visible, np.arange(9)) == []
    table = moved(made(50), 0, 0, 500)
    assert [row for row, _ in outliers(table.points, table.visible, np.arange(50))] == [0]
    visible = np.ones((50, 5), bool)
    visible[0, 0] = False
    assert outliers(table.points, visible, np.arange(50)) == []


def test_outliers_do_not_depend_on_place_size_and_turn():
    table = moved(made(50), 0, 0, 60)
    before = outliers(table.points, table.visible, np.arange(50))
    angle = 0.3
    turn = 2.5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    after = outliers(table.points @ turn.T + 40, table.visible, np.arange(50))
    assert [row for row, _ in after] == [row for row, _ in before] == [0]


def test_where_a_group_lies_is_told_by_its_name():
    places = np.array([place(f"photo {n}") for n in range(2000)])
    assert ((places >= 0) & (places < 1)).all()
    assert abs((places < 0.15).mean() - 0.15) < 0.03
    assert place("photo 1") == places[1]
