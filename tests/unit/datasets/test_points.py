"""Annotated points: tables, folders of .pts files and imglab files become one kind of table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from facelign.datasets.points import read_annotated
from facelign.errors import ConfigError, DatasetMalformed, DatasetMissing

POINTS = np.random.default_rng(1).uniform(0, 200, (5, 68, 2)).round(2)


def table(folder: Path, points: np.ndarray, name: str = "faces.csv", photos: str = "") -> Path:
    """Write points (n, k, 2) of 0.png, 1.png ..., whose photos lie in folder ``photos``."""
    (folder / photos).mkdir(parents=True, exist_ok=True)
    columns = [f"{axis}{i:02d}" for i in range(points.shape[1]) for axis in "xy"]
    rows = [[f"{k}.png", *face.ravel().tolist()] for k, face in enumerate(points)]
    for k in range(len(points)):
        (folder / photos / f"{k}.png").touch()
    with (folder / name).open("w", newline="") as file:
        csv.writer(file).writerows([["file", *columns], *rows])
    return folder / name


def pts(folder: Path, name: str, points: np.ndarray) -> None:
    """Write a .pts file as 300-W does, counting from 1, and an empty photo beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    head = f"version: 1\nn_points: {len(points)}"
    (folder / f"{name}.pts").write_text(f"{head}\n{{\n{text}\n}}\n")
    (folder / f"{name}.jpg").touch()


@pytest.mark.parametrize("photos", ["", "images", "crops", "photos"])
def test_photos_are_looked_for_beside_the_table_and_in_the_usual_folders(
    tmp_path: Path, photos: str
) -> None:
    found = read_annotated(table(tmp_path, POINTS, photos=photos))
    assert found.files == tuple(tmp_path / photos / f"{k}.png" for k in range(5))
    np.testing.assert_array_equal(found.points, POINTS)
    assert found.scheme == "ibug-68"
    assert found.visible.all()
    elsewhere = read_annotated(tmp_path / "faces.csv", tmp_path / "far")
    assert elsewhere.files[0] == tmp_path / "far" / "0.png"


def test_a_folder_with_one_table_is_that_table(tmp_path: Path) -> None:
    table(tmp_path, POINTS)
    assert read_annotated(tmp_path).name == "faces.csv"


def test_muct_is_told_by_count_and_name_and_hides_points_at_the_origin(tmp_path: Path) -> None:
    points = np.concatenate([POINTS, POINTS[:, :8]], axis=1)
    points[0, 3] = 0
    named = read_annotated(table(tmp_path, points, "muct76.csv"))
    asked = read_annotated(table(tmp_path / "other", points), scheme="muct")
    for found in (named, asked):
        assert (found.scheme, found.k) == ("muct-76", 76)
        assert np.argwhere(~found.visible).tolist() == [[0, 3]]
    assert read_annotated(tmp_path / "other" / "faces.csv").scheme == "muct-76"
    with pytest.raises(ConfigError, match="no scheme 'wflw'"):
        read_annotated(tmp_path / "other" / "faces.csv", scheme="wflw")
    with pytest.raises(ConfigError, match="76 points are none of scheme 'ibug-68', which has 68"):
        read_annotated(tmp_path / "other" / "faces.csv", scheme="ibug-68")
    with pytest.raises(ConfigError, match="Annotations of 3 points are not known"):
        read_annotated(table(tmp_path / "few", POINTS[:, :3]))


def test_pts_files_count_from_one_and_need_a_photo(tmp_path: Path) -> None:
    pts(tmp_path, "a", POINTS[0])
    pts(tmp_path, "b", POINTS[1])
    (tmp_path / "b.jpg").unlink()
    found = read_annotated(tmp_path)
    assert found.files == (tmp_path / "a.jpg",)
    np.testing.assert_allclose(found.points[0], POINTS[0])
    pts(tmp_path, "c", POINTS[1, :5])  # another kind of points
    for folder in (tmp_path, tmp_path / "nowhere.pts"):
        folder.mkdir(exist_ok=True)
        with pytest.raises(DatasetMissing, match=r"no \.pts files"):
            read_annotated(folder)


def test_faces_of_an_imglab_file_that_have_points(tmp_path: Path) -> None:
    parts = "".join(f"<part name='{k:02d}' x='{x}' y='{y}'/>" for k, (x, y) in enumerate(POINTS[0]))
    box = "<box top='1' left='2' width='9' height='9'"
    (tmp_path / "faces.xml").write_text(
        f"<dataset><images><image file='a.jpg'>{box}>{parts}</box>{box}/>"
        f"{box} ignore='1'>{parts}</box></image></images></dataset>"
    )
    found = read_annotated(tmp_path / "faces.xml")
    assert found.files == (tmp_path / "a.jpg",)
    np.testing.assert_array_equal(found.points[0], POINTS[0])
    (tmp_path / "none.xml").write_text(f"<dataset><image file='a.jpg'>{box}/></image></dataset>")
    with pytest.raises(DatasetMissing, match="points of one kind"):
        read_annotated(tmp_path / "none.xml")
    with pytest.raises(DatasetMissing):
        read_annotated(tmp_path / "nowhere.xml")


@pytest.mark.parametrize(("count", "rows"), [(0, range(5)), (9, range(5)), (3, (0, 2, 4))])
def test_faces_are_taken_evenly(tmp_path: Path, count: int, rows: range) -> None:
    found = read_annotated(table(tmp_path, POINTS)).every(count)
    np.testing.assert_array_equal(found.points, POINTS[list(rows)])
    assert [path.name for path in found.files] == [f"{k}.png" for k in rows]
    assert (found.name, found.scheme) == ("faces.csv", "ibug-68")


def test_a_damaged_table_is_named_by_line(tmp_path: Path) -> None:
    path = table(tmp_path, POINTS)
    path.write_text(path.read_text().replace("1.png,", "1.png,x,", 1))
    with pytest.raises(DatasetMalformed, match="line 3"):
        read_annotated(path)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("abc", "holds 'abc'"),
        ("", "holds nothing"),
        ("nan", "holds 'nan'"),
        ("1e999", "holds '1e999'"),
    ],
)
def test_a_cell_that_is_no_number_is_named_by_line_and_column(tmp_path: Path, cell, said) -> None:
    path = table(tmp_path, POINTS)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    rows[3][6] = cell  # the file comes first, so that this is y of the third point
    path.write_text("\n".join(",".join(row) for row in rows))
    with pytest.raises(DatasetMalformed, match=f"faces.csv, line 4: column y02 {said}"):
        read_annotated(path)


def test_a_box_that_is_no_number_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = table(tmp_path, POINTS)
    rows = path.read_text().splitlines()
    boxed = [f"{rows[0]},box_x,box_y,box_w,box_h", *(f"{row},1,2,3,4" for row in rows[1:])]
    boxed[2] = boxed[2].replace(",3,4", ",wide,4")
    path.write_text("\n".join(boxed))
    with pytest.raises(DatasetMalformed, match="line 3: column box_w holds 'wide'"):
        read_annotated(path)
