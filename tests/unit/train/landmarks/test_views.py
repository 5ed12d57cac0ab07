"""Views, crops and parts of annotated sets: points stay on what they mark, nobody is dropped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import training

training.needed()

from facelign.datasets.point_table import PointTable
from facelign.datasets.points import read_annotated
from facelign.errors import ConfigError, UnreadableImage
from facelign.landmark.square import squared
from facelign.train.landmarks import augment, crops, sets
from facelign.train.landmarks.augment import Augmentation
from facelign.train.landmarks.config import DataOptions
from facelign.train.landmarks.regions import Regions
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.schemes import FIVE

STILL = Augmentation(flip=0, rotate=0, scale=0, shift=0, blur=0, light=0, gray=0, jpeg=0, occlude=0)
POINTS = np.array([[60.0, 50], [100, 52], [80, 75], [65, 100], [97, 99]])
EVERY = np.ones(5, bool)


def dots() -> np.ndarray:
    """Return a photo (140, 160, 3), each of five points a disk of a color of its own."""
    y, x = np.mgrid[:140, :160]
    picture = np.full((140, 160, 3), 20, np.uint8)
    for i, (px, py) in enumerate(POINTS):
        picture[(x - px) ** 2 + (y - py) ** 2 <= 25] = COLORS[i]
    return picture


COLORS = np.array([[250, 20, 20], [20, 250, 20], [20, 20, 250], [250, 250, 20], [20, 250, 250]])
ONTO = crops.onto_crop(np.array([40.0, 30, 120, 120]), 128, 1.3)


def seen(options: Augmentation, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    mask = np.array([True, False, True, True, True])
    return augment.view(dots(), POINTS, mask, ONTO, 128, FIVE.mirror, options, rng)


@pytest.mark.parametrize(
    "options",
    [
        STILL,
        replace(STILL, rotate=40, scale=0.2, shift=0.1),
        replace(STILL, flip=1),
        replace(STILL, flip_vertical=1, rotate=20),
        replace(STILL, flip=1, flip_vertical=1),
    ],
    ids=["still", "moved", "flipped", "upside down", "both"],
)
@pytest.mark.parametrize("seed", range(4))
def test_points_lie_on_what_they_mark(options: Augmentation, seed: int) -> None:
    picture, points, mask = seen(options, seed)
    assert picture.shape == (128, 128, 3)
    mirrored = (options.flip > 0) != (options.flip_vertical > 0)
    for i, (x, y) in enumerate(points):
        # a mirrored right eye is a left one
        color = COLORS[FIVE.mirror[i] if mirrored else i]
        if 4 <= x < 124 and 4 <= y < 124:
            assert np.abs(picture[round(y), round(x)].astype(int) - color).max() < 60
    assert mask.tolist() == [not mirrored, mirrored, True, True, True] if mirrored else mask[0]
    assert (~mask).sum() == 1
    unswapped, numbers, known = seen(replace(options, swap=False), seed)
    np.testing.assert_array_equal(unswapped, picture)
    assert known.tolist() == [True, False, True, True, True]
    order = list(FIVE.mirror) if mirrored else list(range(5))
    np.testing.assert_allclose(numbers[order], points)


def test_a_view_depends_on_its_generator_only() -> None:
    options = Augmentation(blur=1, light=1, gray=0.5, jpeg=1, occlude=1)
    one, two, other = (seen(options, seed)[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    assert one.dtype == np.uint8
    # worse pictures move no point
    np.testing.assert_array_equal(seen(options, 5)[1], seen(Augmentation(), 5)[1])
    for name in ("blur", "light", "gray", "jpeg", "occlude"):
        assert (seen(replace(STILL, **{name: 1.0}), 3)[0] != seen(STILL, 3)[0]).any(), name


def test_chances_and_amounts_are_checked() -> None:
    for bad in ({"flip": 1.5}, {"rotate": -1.0}, {"jpeg": float("nan")}, {"scale": 2.0}):
        with pytest.raises(ConfigError):
            Augmentation(**bad)  # type: ignore[arg-type]


# -- crops -----------------------------------------------------------------------------------------


def table(count: int = 6) -> PointTable:
    rng = np.random.default_rng(3)
    points = POINTS + rng.uniform(-8, 8, (count, 1, 2))
    files = tuple(Path(f"{i}.png") for i in range(count))
    return PointTable("made", files, points, np.ones((count, 5), bool), "five")


def test_the_crop_is_the_one_that_the_model_cuts_in_use() -> None:
    box = np.array([40.3, 31.1, 119.7, 118.2])
    onto = crops.onto_crop(box, 128, 1.3)
    _, plane = squared(dots(), box, 0.15, 128)
    # the model's begins between pixels: half of one of the photo's at most
    apart = np.abs((POINTS @ onto[:, :2].T + onto[:, 2]) - plane.forward(POINTS))
    assert apart.max() < 0.5 * onto[0, 0] + 0.5
    np.testing.assert_allclose(plane.back(plane.forward(POINTS)), POINTS, atol=1e-4)


def test_a_face_that_is_missed_is_cut_by_its_label(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    made = table()
    files = []
    for i in range(6):
        files.append(tmp_path / f"{i}.png")
        if i != 4:
            Pillow.fromarray(np.roll(dots(), i, axis=1)).save(files[-1])
    (tmp_path / "4.png").write_bytes(b"no picture")
    made = replace(made, files=tuple(files))
    by_label = crops.by_label(made)
    assert by_label.absent.tolist() == [False, False, False, False, True, False]
    assert list(by_label.reasons) == [tmp_path / "4.png"]
    labels = by_label.boxes
    calls = []

    def find(image: Image) -> Faces:
        calls.append(1)
        row = len(calls) - 1 if len(calls) <= 4 else 5
        if row == 2:
            return Faces.none("d", image.size)
        low, high = labels[row, :2], labels[row, 2:]
        box = np.concatenate([low - (high - low) * [0.1, 0.4], high + (high - low) * 0.1])
        far = box + 500
        scores = np.array([0.9, 0.8], np.float32)
        return Faces(np.stack([far, box]).astype(np.float32), scores, None, "d", image.size)

    told: list[int] = []
    found = crops.detected(made, find, told.append)
    assert found.found.tolist() == [True, True, False, True, False, True]
    assert found.absent.tolist() == [False] * 4 + [True, False]
    assert list(found.reasons) == [files[4]]
    assert sum(told) == 5
    # the box that the detector would have given as a rule
    low, high = labels[2, :2], labels[2, 2:]
    wanted = np.concatenate([low - (high - low) * [0.1, 0.4], high + (high - low) * 0.1])
    np.testing.assert_allclose(found.boxes[2], wanted, atol=1e-3)
    np.testing.assert_array_equal(crops.as_detected(labels, labels[:0], labels[:0]), labels)


def test_regions_give_the_same_view_kept_or_read_again(tmp_path: Path) -> None:
    from PIL import Image as Pillow

    Pillow.fromarray(dots()).save(tmp_path / "a.png")
    made = replace(table(1), files=(tmp_path / "a.png",), points=POINTS[None])
    regions = Regions(made, np.array([[40.0, 30, 120, 120]]), 128, 0.15)
    first = regions.region(0)
    (tmp_path / "a.png").unlink()
    again = regions.region(0)
    assert again[0] is first[0]
    pixels, onto, points = first
    rng = np.random.default_rng(0)
    picture, moved, _ = augment.view(pixels, points, EVERY, onto, 128, FIVE.mirror, STILL, rng)
    np.testing.assert_allclose(moved, POINTS @ ONTO[:, :2].T + ONTO[:, 2])
    straight, _, _ = augment.view(dots(), POINTS, EVERY, ONTO, 128, FIVE.mirror, STILL, rng)
    assert np.abs(picture.astype(int) - straight).mean() < 3  # sampled twice
    with pytest.raises(UnreadableImage):
        Regions(made, np.array([[40.0, 30, 120, 120]]), 128, 0.15).region(0)


# -- parts -----------------------------------------------------------------------------------------


def test_people_stay_together_and_a_set_that_grows_is_parted_alike() -> None:
    people = tuple(f"p{i // 3}" for i in range(300))
    points = np.tile(POINTS, (300, 1, 1))
    files = tuple(Path(f"{i}.png") for i in range(300))
    made = PointTable(
        "m", files, points, np.ones((300, 5), bool), "five", people=people, photos=people
    )
    rows, grouped = sets.parted(made, DataOptions())
    assert grouped == "person"
    held = {part: {people[row] for row in found} for part, found in rows.items()}
    assert sum(map(len, rows.values())) == 300
    assert not held["train"] & held["test"]
    assert not held["train"] & held["validation"]
    assert 8 <= len(held["test"]) <= 25
    fewer, _ = sets.parted(made.rows(range(150)), DataOptions())
    for part, found in fewer.items():
        assert {people[row] for row in found} <= held[part]
    with pytest.raises(ConfigError, match="does not tell the column"):
        sets.parted(made, DataOptions(split="column"))
    with pytest.raises(ConfigError, match="needs people"):
        sets.parted(made, DataOptions(split="photo", test_people=3))
    first, _ = sets.parted(made, DataOptions(test_people=7))
    assert {people[row] for row in first["test"]} == {*sorted({*people})[:7]}
    assert len(first["validation"])


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        (("train", "val"), {"test": 40, "validation": 0}),
        (("train", "val", "test"), {"test": 40, "validation": 40}),
    ],
)
def test_the_parts_of_a_set_are_kept_and_what_others_report_on_chooses_nothing(
    words: tuple[str, ...], counts: dict[str, int]
) -> None:
    splits = ("train",) * (120 - 40 * (len(words) - 1)) + tuple(
        word for word in words[1:] for _ in range(40)
    )
    made = replace(table(120), splits=splits, photos=tuple(map(str, range(120))))
    rows, grouped = sets.parted(made, DataOptions())
    assert grouped == "column"
    assert len(rows["test"]) == counts["test"]
    assert {splits[row] for row in rows["test"]} == {words[-1]}
    if counts["validation"]:
        assert {splits[row] for row in rows["validation"]} == {"val"}
    else:  # cut from what is trained on
        assert {splits[row] for row in rows["validation"]} == {"train"}


@pytest.mark.shared
def test_the_split_of_the_second_article(landmarks_data: Path) -> None:
    source = str(landmarks_data / "muct/muct_crops.csv")
    for people in (82, 83):
        found = sets.read_sets(DataOptions(source=source, test_people=people))
        tested = {found.table.people[row] for row in found.rows["test"]}
        assert tested == {*sorted({*found.table.people})[:people]}
        others = {found.table.people[row] for row in found.rows["train"]}
        assert not tested & others
    # one camera is trained on, the same people's other one is tested beside
    found = sets.read_sets(DataOptions(source=source, test_people=82, cameras="a"))
    cameras = np.array(found.table.cameras)
    assert {*cameras[found.rows["train"]]} == {*cameras[found.rows["test"]]} == {"a"}
    assert {*cameras[found.beside["camera b"]]} == {"b"}
    # twins, and one person under two numbers
    rows = [p.name[1:4] for p in found.table.files]
    for one, other in (("247", "248"), ("088", "429")):
        if one in rows and other in rows:
            both = {found.table.people[i] for i, name in enumerate(rows) if name in (one, other)}
            assert len(both) == 1


@pytest.mark.shared
def test_sets_of_one_scheme_are_joined_and_others_refused(landmarks_data: Path) -> None:
    first = str(landmarks_data / "faces68/faces68.csv")
    more = str(landmarks_data / "ytfaces/ytfaces.csv")
    beside = str(landmarks_data / "dlib_faces/testing_with_face_landmarks.xml")
    found = sets.read_sets(DataOptions(source=first, more=(more,), beside=(beside,)))
    assert len(found.table) == 1020 + 891 + 25
    assert len(found.rows["test"]) == 143
    assert len(found.rows["train"]) + len(found.rows["validation"]) == 877 + 891
    assert len(found.beside["testing_with_face_landmarks.xml"]) == 25
    row = found.beside["testing_with_face_landmarks.xml"][0]
    assert found.table.files[row].is_file()
    muct = str(landmarks_data / "muct/muct_crops.csv")
    with pytest.raises(ConfigError, match="muct-68"):
        sets.read_sets(DataOptions(source=first, more=(muct,)))
    with pytest.raises(ConfigError, match="names no photos"):
        sets.read_sets(DataOptions())
    for source, wrong in ((muct, "ibug-68"), (first, "muct-68")):  # as many points, other numbers
        with pytest.raises(ConfigError, match=f"not numbered as '{wrong}' is"):
            sets.read_sets(DataOptions(source=source, scheme=wrong))
    assert sets.read_sets(DataOptions(source=muct)).table.scheme == "muct-68"


@pytest.mark.shared
def test_a_shape_that_is_none_is_told(landmarks_data: Path) -> None:
    found = read_annotated(landmarks_data / "faces68/faces68.csv")
    points = found.points.copy()
    points[17] = points[17][np.random.default_rng(1).permutation(68)]
    far = sets.outliers(points, found.visible, np.arange(len(found)))
    assert far[0][0] == 17
    assert 17 not in [row for row, _ in sets.outliers(found.points, found.visible, np.arange(1020))]
