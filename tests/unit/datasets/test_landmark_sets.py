"""Landmark sets in their own formats, and the mirrors of their schemes, told from the data."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from facelign.datasets import muct
from facelign.datasets.points import read_annotated
from facelign.datasets.points_csv import read_points_csv
from facelign.datasets.r_data import read_r_table
from facelign.datasets.wflw import read_wflw
from facelign.errors import DatasetMalformed, DatasetMissing, FacelignError
from facelign.types.schemes import SCHEMES

# -- MUCT ------------------------------------------------------------------------------------------

FACES = np.array([[[10.0, -20.5], [0.0, 0.0]], [[-30.0, 5.0], [7.0, 0.0]]])
NAMES = ("i000qa-fn", "ir001sb-mg")


def r_file(names: Sequence[str], faces: np.ndarray, *, version: int = 2) -> bytes:
    """Return an .rda with a matrix "m", written by R Internals 1.8 and not by the reader's code."""

    def whole(*numbers: int) -> bytes:
        return b"".join(struct.pack(">i", number) for number in numbers)

    def text(value: str) -> bytes:
        return whole(0x00040009, len(value)) + value.encode()

    def texts(values: Sequence[str]) -> bytes:
        return whole(16, len(values)) + b"".join(text(value) for value in values)

    def pair(name: str, value: bytes) -> bytes:
        return whole(0x402) + whole(1) + text(name) + value

    n, k = faces.shape[:2]
    columns = [f"{axis}{i:02d}" for i in range(k) for axis in "xy"]
    numbers = faces.reshape(n, 2 * k).T.astype(">f8").tobytes()  # by columns
    sides = pair("dim", whole(13, 2, n, 2 * k))
    labels = pair("dimnames", whole(19, 2) + texts(names) + texts(columns))
    matrix = whole(0x20E, n * 2 * k) + numbers + sides + labels + whole(254)
    head = whole(version, 0x00040000, 0x00020300)
    if version == 3:
        head += whole(5) + b"UTF-8"
    return b"RDX%d\nX\n" % version + head + pair("m", matrix) + whole(254)


def shape_file(names: Sequence[str], faces: np.ndarray) -> str:
    """Return a Stasm shape file."""
    told = [
        f'"0000 {name}"\n{{ {len(face)} 2\n' + "\n".join(f"{x} {y}" for x, y in face) + "\n}\n"
        for name, face in zip(names, faces, strict=True)
    ]
    return "ss\n# made\n" + "".join(told)


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("version", [2, 3])
def test_shape_and_r_files_count_from_the_middle(tmp_path: Path, packed: Any, version: int) -> None:
    (tmp_path / "muct76.rda").write_bytes(packed(r_file(NAMES, FACES, version=version)))
    (tmp_path / "muct76.shape").write_text(shape_file(NAMES, FACES))
    for name in ("muct76.rda", "muct76.shape"):
        with pytest.raises(FacelignError, match="2 points are not known"):
            muct.read_muct(tmp_path / name)
    names, columns, values = read_r_table(tmp_path / "muct76.rda")
    assert (tuple(names), tuple(columns)) == (NAMES, ("x00", "y00", "x01", "y01"))
    np.testing.assert_array_equal(values, FACES.reshape(2, 4))
    many = np.tile(FACES, (1, 34, 1))
    (tmp_path / "muct76.rda").write_bytes(packed(r_file(NAMES, many, version=version)))
    (tmp_path / "muct76.shape").write_text(shape_file(NAMES, many))
    for name in ("muct76.rda", "muct76.shape"):
        found = muct.read_muct(tmp_path / name, mirrored=True)
        assert found.scheme == "muct-68"
        assert found.points[:, 0].tolist() == [[250.0, 340.5], [210.0, 315.0]]
        # (0, 0) is no point, although it is the middle; (7, 0) is one
        assert found.visible[:, :2].tolist() == [[True, False], [True, True]]
        assert found.points[0, 1].tolist() == [0.0, 0.0]
        assert found.files[0] == tmp_path / "i000qa-fn.jpg"
        assert (found.people, found.cameras) == (("000", "001"), ("a", "b"))
        assert len(muct.read_muct(tmp_path / name)) == 1  # a mirrored photo is no file


@pytest.mark.shared
def test_the_forms_of_muct_agree(landmarks_data: Path) -> None:
    folder = landmarks_data / "muct"
    corner = muct.read_muct(folder / "muct76_sample-opencv.csv")
    for name in ("muct76_sample.csv", "muct76_sample.shape"):
        middle = muct.read_muct(folder / name)
        assert (middle.k, middle.scheme) == (76, "muct-76")
        np.testing.assert_array_equal(middle.visible, corner.visible)
        np.testing.assert_allclose(middle.points, corner.points)
        assert middle.files == corner.files
    assert not corner.visible.all()
    whole = muct.read_muct(folder / "muct76-opencv.csv.gz", folder / "originals")
    assert whole.scheme == "muct-68"
    there, missing = whole.present()
    assert (len(there), len(there) + len(missing)) == (24, len(whole))
    crops = read_annotated(folder / "muct_crops.csv")
    assert "248" not in crops.people  # the twins are one person, so that no split parts them
    assert len(muct.first_people(crops, 82)) == 82
    assert {*crops.cameras} == {"a", "b"}


@pytest.mark.shared
def test_the_mirror_of_muct_is_that_of_its_mirrored_rows(landmarks_data: Path) -> None:
    table = muct.read_muct(landmarks_data / "muct/muct76-opencv.csv.gz", mirrored=True)
    rows = {path.stem: i for i, path in enumerate(table.files)}
    pairs = [(rows[n.replace("ir", "i", 1)], i) for n, i in rows.items() if n.startswith("ir")]
    assert len(pairs) > 1000
    plain, turned = (np.array(side) for side in zip(*pairs, strict=True))
    mirror = list(SCHEMES["muct-68"].mirror)
    both = table.visible[plain][:, mirror] & table.visible[turned]
    np.testing.assert_array_equal(table.visible[plain][:, mirror], table.visible[turned])
    moved = table.points[plain][:, mirror] * [-1, 1] + [479, 0]
    assert np.abs(moved - table.points[turned])[both].max() < 0.11  # 26 are a tenth off


def test_damaged_files_of_muct_are_refused_in_a_sentence(tmp_path: Path) -> None:
    sound = r_file(NAMES, np.tile(FACES, (1, 38, 1)))
    (tmp_path / "b.rda").write_bytes(sound.replace(b"x00", b"q00"))
    with pytest.raises(DatasetMissing, match="no table with columns"):
        read_annotated(tmp_path / "b.rda")
    for kind in (3, 4, 5, 6, 247):  # a closure, an environment, a promise, a call, a namespace
        code = struct.pack(">i", 0x402) + struct.pack(">i", 1) + struct.pack(">ii", 9, 1) + b"m"
        (tmp_path / "c.rda").write_bytes(sound[:19] + code + struct.pack(">ii", kind, 1) * 40)
        with pytest.raises(DatasetMalformed, match="no file of R"):
            read_annotated(tmp_path / "c.rda")
    for text in (
        '"0 a"\n{ 9999999 2\n',
        '"0 a"\n{ 2 3\n',
        "1 2\n",
        '"0 a"\n{ 2 2\n1 2\n}\n',
        '"0 a"\n{ 1 2\nnan 2\n}\n',
        "",
    ):
        (tmp_path / "d.shape").write_text(text)
        with pytest.raises(DatasetMalformed):
            read_annotated(tmp_path / "d.shape")


_SOUND = r_file(NAMES, np.tile(FACES, (1, 38, 1)))


@given(st.data())
def test_no_file_of_r_does_more_than_fail(tmp_path_factory: Any, data: Any) -> None:
    folder = tmp_path_factory.mktemp("r")
    end = data.draw(st.integers(0, len(_SOUND)))
    held = bytearray(_SOUND[:end])
    for _ in range(data.draw(st.integers(0, 4))):
        if held:
            held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.integers(0, 255))
    (folder / "e.rda").write_bytes(bytes(held))
    try:
        table = read_annotated(folder / "e.rda")
    except FacelignError:
        return
    assert np.isfinite(table.points).all()


# -- lists and JSON --------------------------------------------------------------------------------

SAMPLES = (
    ("300vw/anno_300vw.json", "ibug-68", 3),
    ("aflw19/test_aflw.json", "aflw-19", 2),
    ("cofw29/test_cofw.json", "cofw-29", 2),
    ("lapa106/test_lapa.json", "lapa-106", 2),
    ("wflw98/test_wflw.json", "wflw-98", 4),
)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "scheme", "faces"), SAMPLES)
def test_keypoint_files_and_the_mirrors_of_their_schemes(
    landmarks_data: Path, name: str, scheme: str, faces: int
) -> None:
    table = read_annotated(landmarks_data / "scheme_samples" / name)
    assert (table.scheme, len(table)) == (scheme, faces)
    assert table.present() == (table, ())
    known = SCHEMES[scheme]
    told = []
    for points in table.points:
        # put the mirrored face onto the face, then see which points lie on which
        flipped = np.c_[points * [-1, 1], np.ones(known.k)]
        fit, *_ = np.linalg.lstsq(flipped[list(known.mirror)], points, rcond=None)
        apart = np.linalg.norm((flipped @ fit)[:, None] - points, axis=2)
        _, nearest = linear_sum_assignment(apart**2)
        size = np.ptp(points, axis=0).max()
        # points in one place, as a pupil and the middle of its eye, may stand for each other
        same = np.linalg.norm(points[nearest] - points[list(known.mirror)], axis=1) < 0.05 * size
        told.append(same.mean())
    assert max(told) == 1.0, told
    # the names: an eye is where the five points say
    five = np.stack([table.points[:, list(part)].mean(axis=1) for part in known.to_five or ()], 1)
    assert (five[:, 0, 1] < five[:, 3, 1]).all()
    right, left = known.eye_corners or (0, 0)
    assert (table.points[:, right, 0] < table.points[:, left, 0]).all()


@pytest.mark.shared
def test_a_list_of_wflw_is_the_same_as_its_json(landmarks_data: Path, tmp_path: Path) -> None:
    path = landmarks_data / "scheme_samples/wflw98/test_wflw.json"
    table = read_annotated(path)
    assert table.boxes is not None
    lines = [
        " ".join(map(repr, [*points.ravel().tolist(), *box.tolist()])) + f" 0 0 0 1 0 0 {file.name}"
        for file, points, box in zip(table.files, table.points, table.boxes, strict=True)
    ]
    (tmp_path / "list_98pt.txt").write_text("\n".join(lines) + "\n\n")
    found = read_annotated(tmp_path / "list_98pt.txt", path.parent)
    assert found.files == table.files
    np.testing.assert_array_equal(found.points, table.points)
    np.testing.assert_array_equal(found.boxes, table.boxes)
    for bad, said in (
        (lines[0].replace(" 0 0 0 1 0 0", ""), "line 2"),
        (lines[0].replace(" ", " x", 1), "no number"),
        ("nan" + lines[0][lines[0].index(" ") :], "NaN"),
    ):
        (tmp_path / "bad.txt").write_text(f"{lines[1]}\n{bad}\n")
        with pytest.raises(DatasetMalformed, match=said):
            read_wflw(tmp_path / "bad.txt")


def keypoints(**changes: Any) -> Mapping[str, Any]:
    face = {"image_id": 1, "keypoints": [1, 2, 2, 0, 0, 0, 3, 4, 1, 5, 6, 2, 7, 8, 2]}
    return {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{**face, **changes}]}


def test_points_that_nobody_marked_are_hidden_and_bad_keypoints_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(keypoints()))
    found = read_annotated(path)
    assert (found.scheme, found.visible.tolist()) == ("five", [[True, False, True, True, True]])
    for bad in (
        keypoints(image_id=7),
        keypoints(keypoints=[1, 2]),
        keypoints(keypoints=["x", 2, 2]),
        keypoints(keypoints=[]),
        keypoints(keypoints=[float("nan"), 2, 2] * 5),
        keypoints(bbox=["a", 1, 2, 3]),
        {"images": []},
        [],
    ):
        path.write_text(json.dumps(bad))
        with pytest.raises(DatasetMalformed):
            read_annotated(path)
    path.write_text("[" * 100_000)
    with pytest.raises(DatasetMalformed):
        read_annotated(path)
    path.write_text(json.dumps({"images": [], "annotations": []}))
    with pytest.raises(DatasetMissing):
        read_annotated(path)


@pytest.mark.shared
def test_what_a_table_tells_beside_points_is_kept(landmarks_data: Path, tmp_path: Path) -> None:
    faces = read_annotated(landmarks_data / "faces68/faces68.csv")
    assert (faces.splits.count("train"), faces.splits.count("val")) == (877, 143)
    assert len({*faces.photos}) < len(faces)
    frames = read_annotated(landmarks_data / "ytfaces/ytfaces.csv")
    assert len({*frames.people}) == 297
    assert [frames.files[i].name for i in frames.outside] == ["Eliza_Dushku_20.jpg"]
    whole = read_annotated(landmarks_data / "faces68_full/faces68_full.csv")
    assert whole.boxes is not None
    inner = whole.points[:, :, 0] >= whole.boxes[:, None, 0] - 0.02
    assert inner.all()
    part = whole.rows([3, 1])
    assert part.photos == (whole.photos[3], whole.photos[1])
    assert part.boxes is not None
    np.testing.assert_array_equal(part.boxes, whole.boxes[[3, 1]])
    with pytest.raises(DatasetMissing, match="None of the"):
        read_points_csv(landmarks_data / "faces68/faces68.csv", tmp_path).present()
