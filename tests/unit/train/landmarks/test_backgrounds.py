"""Another background takes all but the face, and changes nothing else of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

import training

training.needed()

from facelign.errors import ConfigError
from facelign.train.landmarks.augment import NONE
from facelign.train.landmarks.backgrounds import Backgrounds, face_mask, placed_before
from facelign.train.landmarks.config import DataOptions, LandmarkConfig, ModelOptions
from facelign.train.landmarks.task import LandmarkTask

FIVE = np.array([[45.0, 50], [83, 50], [64, 72], [50, 92], [78, 92]])
SEEN = np.ones(5, bool)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for n, color in enumerate(("green", "blue", "white")):
        Pillow.new("RGB", (300, 200 + 40 * n), color).save(folder / f"{n}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xffno picture")
    return folder


def test_parts_of_all_pictures_are_taken_and_what_is_none_is_counted(scenes):
    found = Backgrounds(str(scenes), 64)
    assert (len(found), found.unread) == (3, 1)
    assert found.words == "3 pictures may stand behind faces; 1 could not be read."
    rng = np.random.default_rng(1)
    parts = [found.one(rng) for _ in range(40)]
    assert {part.shape for part in parts} == {(64, 64, 3)}
    assert len({tuple(part[0, 0]) for part in parts}) == 3
    same = Backgrounds(str(scenes), 64)
    assert same.digest == found.digest
    np.testing.assert_array_equal(same.one(np.random.default_rng(5)),
                                  found.one(np.random.default_rng(5)))  # fmt: skip


def test_a_folder_without_pictures_is_refused_before_any_face_is_looked_for(tmp_path):
    for place in (tmp_path, tmp_path / "absent"):
        augment = replace(NONE, backgrounds=str(place))
        config = LandmarkConfig(
            kind="landmarks", data=DataOptions(source="/no.csv"), augment=augment
        )
        with pytest.raises(ConfigError, match="There are no pictures in"):
            LandmarkTask(config)


def test_the_face_stays_and_the_wall_goes():
    picture = np.full((128, 128, 3), 200, np.uint8)
    other = np.zeros_like(picture)
    made = placed_before(other, picture, FIVE, SEEN, "five")
    for x, y in FIVE.astype(int):
        assert (made[y, x] >= 180).all()
    assert (made[36, 64] == 200).all()  # the brow, above all points
    for x, y in ((4, 4), (124, 4), (4, 124), (124, 124), (64, 125)):
        assert (made[y, x] == 0).all()
    mask = face_mask(FIVE, SEEN, "five", 128)
    assert ((mask > 0.02) & (mask < 0.98)).sum() > 200  # a soft edge


def test_the_forehead_is_where_the_eyes_are_in_a_turned_face():
    down = face_mask(127 - FIVE, SEEN, "five", 128)
    assert down[127 - 32, 63] > 0.9 > 0.1 > down[127 - 122, 63]
    aside = face_mask(FIVE[:, ::-1], SEEN, "five", 128)
    np.testing.assert_allclose(aside, face_mask(FIVE, SEEN, "five", 128).T, atol=0.05)


def test_hidden_points_shape_no_face_and_too_few_leave_it_as_it_is():
    points, seen = FIVE.copy(), SEEN.copy()
    points[0], seen[0] = (-900, -900), False
    assert face_mask(points, seen, "five", 128)[4, 4] == 0
    seen[1:3] = False
    picture = np.full((128, 128, 3), 7, np.uint8)
    assert placed_before(picture * 0, picture, points, seen, "five") is picture


@pytest.mark.shared
def test_a_run_sees_other_backgrounds_and_is_tested_before_them(landmarks_data, scenes):
    def task(**augment) -> LandmarkTask:
        return LandmarkTask(
            LandmarkConfig(
                kind="landmarks",
                batch=4,
                data=DataOptions(
                    source=str(landmarks_data / "muct/muct_crops.csv"), limit=40, detector="label"
                ),
                model=ModelOptions(name="light", side=64),
                augment=replace(NONE, **augment),
            )
        )

    plain = task(rotate=20.0, light=1.0)
    moved = task(rotate=20.0, light=1.0, backgrounds=str(scenes), background=1.0)
    never = task(rotate=20.0, light=1.0, backgrounds=str(scenes), background=0.0)
    one, other, third = (next(t.batches(0, 0)) for t in (plain, moved, never))
    assert one["points"].equal(other["points"])  # turned and lit as without
    assert one["pictures"].equal(third["pictures"])
    apart = (one["pictures"] - other["pictures"]).abs().amax(dim=1)
    share = float((apart > 0.01).float().mean())
    assert 0.2 < share < 0.95
    row = int(other["row"][0])
    x, y = (other["points"][0, 67 - 34] * 64).int().tolist()  # inside the face
    assert float(apart[0, y, x]) < 0.3
    assert moved.data()["backgrounds"] == Backgrounds(str(scenes), 64).digest
    assert "backgrounds" not in plain.data()
    assert any("may stand behind" in found.text for found in moved.findings())
    np.testing.assert_array_equal(*(moved._moved(row, *moved.looking(row)) for _ in range(2)))
    network = moved.network().eval()
    test = moved.test(network)
    assert {"nme_other backgrounds", "unlike_other backgrounds"} <= set(test)
    assert test["nme_other backgrounds"] != test["nme"]
    assert "nme_other backgrounds" not in plain.test(network)
    assert any("other backgrounds" in one.name for one in moved.doubts(test))
