"""Readers of lists, tables and folders, on small made files and on the real ones."""

from __future__ import annotations

import csv
import gzip
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from facelign.datasets.folder import read_folder
from facelign.datasets.ibug_pts import read_pts
from facelign.datasets.insightface_bin import read_bin
from facelign.datasets.lfw import protocol, read_overlap, read_pairs
from facelign.datasets.pairs_csv import read_groups_csv, read_media_csv, read_pairs_csv
from facelign.datasets.points import read_annotated
from facelign.datasets.points_csv import read_points_csv
from facelign.datasets.saved import read_npz, read_openface
from facelign.datasets.widerface import read_boxes
from facelign.errors import ConfigError, DatasetMalformed, DatasetMissing

MATED = "Ann\t1\t2\nBob B\t1\t3\n"
OTHERS = "Ann\t1\tBob B\t1\nBob B\t3\tAnn\t2\n"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name, number, suffix in (
        ("Ann", 1, ".jpg"),
        ("Ann", 2, ".png"),
        ("Bob B", 1, ".jpg"),
        ("Bob B", 3, ".JPG"),
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{name}_{number:04d}{suffix}").write_bytes(b"")
    return folder


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("1\t2\n" + MATED + OTHERS, [0, 0, 0, 0]),
        ("2\n" + MATED + OTHERS, [0, 0, 0, 0]),
        (MATED + OTHERS, [0, 0, 0, 0]),
        ("2\t2\n" + (MATED + OTHERS) * 2, [0] * 4 + [1] * 4),
        ((MATED + OTHERS) * 3, [0] * 4 + [1] * 4 + [2] * 4),
        (MATED + OTHERS + MATED, [0] * 6),
        ("\ufeff" + (MATED + OTHERS).replace("\n", "\r\n"), [0, 0, 0, 0]),
    ],
)
def test_pairs_with_and_without_a_header(
    tmp_path: Path, images: Path, text: str, folds: list[int]
) -> None:
    pairs = read_pairs(_write(tmp_path / "pairs.txt", text), images)
    assert [p.fold for p in pairs] == folds
    assert [p.same for p in pairs][:4] == [True, True, False, False]
    first = pairs.pairs[0]
    assert (first.a, first.b) == (images / "Ann/Ann_0001.jpg", images / "Ann/Ann_0002.png")
    assert pairs.pairs[1].b.suffix.lower() == ".jpg"
    assert pairs.pairs[2].person_b == "Bob B"
    assert pairs.missing == ()


def test_blanks_do_where_there_is_no_tab(tmp_path: Path, images: Path) -> None:
    pairs = read_pairs(_write(tmp_path / "p.txt", "Ann 1 2\nAnn 1 Eve 1\n"), images)
    assert [p.same for p in pairs] == [True, False]
    assert [p.name for p in pairs.missing] == ["Eve_0001.jpg"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "line 1"),
        ("Ann\t1\n", "line 1"),
        ("2\t2\n" + MATED + OTHERS, "line 1"),
        (MATED + "Ann\tx\t2\n", "line 3"),
        ("1\t2\n" + OTHERS + MATED, "line 2"),
        ("0\n", "line 1"),
        ("../x\t1\t2\n", "line 1"),
        ("Ann\t1\t2\t3\t4\n", "line 1"),
    ],
)
def test_malformed_pairs_name_the_line(tmp_path: Path, images: Path, text: str, line: str) -> None:
    with pytest.raises(DatasetMalformed, match=line):
        read_pairs(_write(tmp_path / "pairs.txt", text), images)


def test_a_list_without_any_of_its_photos(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="None of the 4 photos"):
        read_pairs(_write(tmp_path / "pairs.txt", MATED), tmp_path)
    with pytest.raises(DatasetMissing, match="no file"):
        read_pairs(tmp_path / "no.txt", tmp_path)
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetMalformed, match="UTF-8"):
        read_pairs(tmp_path / "bad.txt", tmp_path)


@pytest.mark.shared
def test_the_official_lists(shared: Path) -> None:
    lists = shared / "data/recognition/lfw_protocol"
    dev = shared / "data/recognition/lfw_dev"
    pairs = read_pairs(dev / "pairs.txt", dev / "images")
    assert (len(pairs), pairs.folds, len(pairs.photos), pairs.missing) == (660, 3, 1_162, ())
    train, test = protocol("lfw-view1", lists, dev / "images")
    assert train is not None
    assert (len(train), len(test)) == (2_200, 1_000)
    assert train.missing  # of other people; a reader's own LFW has them
    nothing, whole = protocol("lfw-view2", lists, dev / "images")
    assert nothing is None
    assert (len(whole), whole.folds) == (6_000, 10)
    with pytest.raises(ConfigError):
        protocol("lfw-view3", lists, dev)
    names = read_overlap(lists / "overlap/webface_lfw_overlap_detail.txt")
    assert "Vanessa_Williams" in names
    known = {line.split("\t")[0] for line in (lists / "lfw-names.txt").read_text().splitlines()}
    assert len(known) == 5_749
    assert names <= known


def test_pairs_csv(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"")
    text = "a,b,same,fold\r\na.jpg,b.jpg,yes,0\r\na.jpg,old/place/c.jpg,0,1\r\n\r\n"
    pairs = read_pairs_csv(_write(tmp_path / "p.csv", text))
    assert [(p.a.name, p.b, p.same, p.fold) for p in pairs] == [
        ("a.jpg", tmp_path / "b.jpg", True, 0),
        ("a.jpg", tmp_path / "c.jpg", False, 1),
    ]
    for bad, line in (
        ("a,b\nx,y\n", "line 1"),
        ("a,b,same\na.jpg,b.jpg,maybe\n", "line 2"),
        ("a,b,same\na.jpg,b.jpg\n", "line 2"),
        ("a,b,same\n", "line 1"),
        (f"a,b,{'x' * 200_000}\n", "line 1"),
        ("a,b\rc,same\n", "line 1"),
        ("a,b,same,fold\na.jpg,b.jpg,1,x\n", "line 2"),
    ):
        with pytest.raises(DatasetMalformed, match=line):
            read_pairs_csv(_write(tmp_path / "p.csv", bad))


def test_groups_csv(tmp_path: Path) -> None:
    groups = read_groups_csv(_write(tmp_path / "g.csv", "person,group\nAnn,1\nBob,2\n"))
    assert groups == {"Ann": "1", "Bob": "2"}
    for bad in ("person,group\n", "person,group\nAnn\n"):
        with pytest.raises(DatasetMalformed):
            read_groups_csv(_write(tmp_path / "g.csv", bad))


def test_media_csv(tmp_path: Path) -> None:
    text = "photo,template,medium,more\na.jpg, t1 ,still,x\n\n,,\nb.jpg,t1,film,\n"
    rows = read_media_csv(_write(tmp_path / "m.csv", text))
    assert rows == [("a.jpg", "t1", "still"), ("b.jpg", "t1", "film")]
    for bad, said in (
        ("photo,template,medium\n", "line 1: no rows"),
        ("photo,template,medium\na.jpg,t1\n", "line 2: 2 cells"),
        ("photo,template,medium\na.jpg,,still\n", "line 2: 3 cells"),
    ):
        with pytest.raises(DatasetMalformed, match=said) as caught:
            read_media_csv(_write(tmp_path / "m.csv", bad))
        assert "photo, template, medium" in caught.value.hint


@pytest.mark.parametrize("read", [read_groups_csv, read_pairs_csv, read_points_csv])
def test_a_cell_longer_than_csv_allows_is_named_by_its_line(tmp_path: Path, read) -> None:
    header = "file,a,b,same,x0,y0\n"
    with pytest.raises(DatasetMalformed, match=r"line [12]: field larger"):
        read(_write(tmp_path / "x.csv", header + "x" * (csv.field_size_limit() + 1)))


@pytest.mark.shared
def test_deepfaces_lists(shared: Path) -> None:
    folder = shared / "data/recognition/deepface_tests"
    master = read_pairs_csv(folder / "master.csv", folder / "images")
    assert (len(master), sum(p.same for p in master)) == (300, 38)
    present = read_pairs_csv(folder / "pairs_present.csv", folder / "images")
    assert (len(present), sum(p.same for p in present)) == (151, 31)
    assert present.missing == ()
    pivot = read_pairs_csv(folder / "face-recognition-pivot.csv", folder / "images")
    assert len(pivot) == 280
    assert len(set(read_groups_csv(folder / "groups.csv").values())) == 13


def test_folder_of_people(tmp_path: Path) -> None:
    for name in ("Zoë/2.jpg", "Zoë/1.PNG", "Zoë/sub/3.jpg", "Ann/a.jpg", "Ann/notes.txt"):
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "people/loose.jpg").write_bytes(b"")
    (tmp_path / "people/.hidden").mkdir()
    for thumbs in ("people/@eaDir/a.jpg", "people/Ann/@eaDir/a.jpg"):
        (tmp_path / thumbs).mkdir(parents=True)
        (tmp_path / thumbs / "SYNOPHOTO_THUMB_M.jpg").write_bytes(b"")
    (tmp_path / "people/Ann/.DS_Store").write_bytes(b"")
    found = read_folder(tmp_path / "people")
    assert [(p.person, p.path.name) for p in found.photos] == [
        ("Ann", "a.jpg"),
        ("Zoë", "1.PNG"),
        ("Zoë", "2.jpg"),
        ("Zoë", "3.jpg"),
    ]
    assert {(p.name, why) for p, why in found.skipped} == {
        ("loose.jpg", "not in a person's folder"),
        ("notes.txt", "no picture"),
    }
    with pytest.raises(DatasetMissing):
        read_folder(tmp_path / "no")
    with pytest.raises(DatasetMissing):
        read_folder(tmp_path / "people/Zoë/sub")


@pytest.mark.parametrize("protocol_number", [0, 2, 4])
def test_bin_sets(tmp_path: Path, protocol_number: int) -> None:
    pictures = [b"\xff\xd8" + bytes([i]) for i in range(24)]
    given = [np.frombuffer(p, np.uint8) if i == 3 else p for i, p in enumerate(pictures)]
    if protocol_number == 0:
        given = pictures
    same = [i % 3 == 0 for i in range(12)]
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps((given, same), protocol_number))
    got = read_bin(path, folds=5)
    assert got.pictures == tuple(pictures)
    assert got.same.tolist() == same
    assert (got.name, len(got)) == ("lfw", 12)
    assert got.folds.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_bin_set_of_python_2(tmp_path: Path) -> None:
    """As the published files are: strings of Python 2 in protocol 2."""
    picture = b"\xff\xd8ab"
    text = b"U" + bytes([len(picture)]) + picture
    data = b"\x80\x02]q\x00(" + text + text + b"e]q\x01\x88a\x86."
    path = tmp_path / "old.bin"
    path.write_bytes(data)
    assert read_bin(path).pictures == (picture, picture)


@pytest.mark.parametrize(
    "content", [3, ([b"x"], [True]), ([b"x"] * 2, [3]), (["x"] * 2, [True]), ([], [])]
)
def test_no_bin_set(tmp_path: Path, content: object) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DatasetMalformed):
        read_bin(path)
    with pytest.raises(DatasetMissing):
        read_bin(tmp_path / "none.bin")


def test_boxes_in_widers_form(tmp_path: Path) -> None:
    text = (
        "a/one.jpg\n2\n10 20 30 40 0 0 0 0 0 0 \n1 2 0 5 0 0 0 0 2 0\n"
        "empty.jpg\n0\n0 0 0 0 0 0 0 0 0 0\nbare.jpg\n1\n1 1 2 2\nx.jpg\n1\n5 5 5 5 0 0 0 1 0 0\n"
    )
    one, empty, bare, invalid = read_boxes(_write(tmp_path / "t.txt", text))
    assert one.path == tmp_path / "a/one.jpg"
    assert one.boxes.tolist()[0] == [9.5, 19.5, 39.5, 59.5]
    assert one.ignore.tolist() == [False, True]
    assert empty.boxes.shape == (0, 4)
    assert (len(bare.boxes), bare.ignore.tolist()) == (1, [False])
    assert invalid.ignore.tolist() == [True]
    for bad in (
        "a.jpg\n",
        "a.jpg\nx\n",
        "a.jpg\n2\n1 1 2 2\n",
        "a.jpg\n1\n1 2 3\n",
        "a.jpg\n1\nn a n 1\n",
    ):
        with pytest.raises(DatasetMalformed, match="line"):
            read_boxes(_write(tmp_path / "t.txt", bad))


@pytest.mark.shared
def test_the_real_boxes(shared: Path) -> None:
    folder = shared / "data/detection"
    wider = read_boxes(folder / "wider_bbx_gt.txt")
    assert (len(wider), sum(len(p.boxes) for p in wider)) == (9, 400)
    assert sum(int(p.ignore.sum()) for p in wider) == 76
    masks = read_boxes(folder / "mask_voc_bbx_gt.txt")
    assert (len(masks), sum(len(p.boxes) for p in masks)) == (105, 934)
    assert all(p.path.is_file() for p in (*wider, *masks))


def test_point_tables(tmp_path: Path) -> None:
    text = "file,tag,x00,y00,x01,y01\na.jpg,q,1,2,0,0\nb.jpg,r,3.5,4,5,6\n"
    table = read_points_csv(_write(tmp_path / "t.csv", text))
    assert (len(table), table.k) == (2, 2)
    assert table.files[0] == tmp_path / "a.jpg"
    assert table.points[1].tolist() == [[3.5, 4], [5, 6]]
    assert table.visible.all()  # only MUCT hides points at the origin
    assert read_points_csv(tmp_path / "t.csv").visible.all()
    part = table.rows([1])
    assert (part.files, part.points[0, 0].tolist()) == ((tmp_path / "b.jpg",), [3.5, 4])
    named = "name,x0,y0\ni000qa-fn,1,2\n"
    assert read_points_csv(_write(tmp_path / "n.csv", named)).files[0].name == "i000qa-fn.jpg"
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_points_csv(packed).points, table.points)
    for bad in (
        "file,x00\na,1\n",
        "file\na\n",
        "file,x0,y0\na,1\n",
        "file,x0,y0\na,1,b\n",
        "file,x0,y0\na,1,nan\n",
        "tag,x0,y0\na,1,2\n",
    ):
        with pytest.raises(DatasetMalformed, match="line"):
            read_points_csv(_write(tmp_path / "t.csv", bad))
    packed.write_bytes(b"no gzip")
    with pytest.raises(DatasetMalformed):
        read_points_csv(packed)


def test_pts(tmp_path: Path) -> None:
    text = "version: 1\nn_points:  2\n{\n1.5 2\n3 4\n}\n"
    assert read_pts(_write(tmp_path / "a.pts", text)).tolist() == [[1.5, 2], [3, 4]]
    assert read_pts(tmp_path / "a.pts", first=1).tolist() == [[0.5, 1], [2, 3]]
    assert read_pts(_write(tmp_path / "b.pts", "1 2\n3 4\n")).shape == (2, 2)
    for bad in ("n_points: 3\n1 2\n", "1 2 3\n", "a b\n"):
        with pytest.raises(DatasetMalformed):
            read_pts(_write(tmp_path / "c.pts", bad))


def test_imglab(tmp_path: Path) -> None:
    text = (
        "<?xml version='1.0' encoding='ISO-8859-1'?><dataset><images><image file='a.jpg'>"
        "<box top='10' left='20' width='30' height='40' ignore='1'/>"
        "<box top='1' left='2' width='3' height='4'><part name='01' x='5' y='6'/>"
        "<part name='00' x='7' y='8'/></box></image></images></dataset>"
    )
    with pytest.raises(ConfigError, match="Annotations of 2 points"):
        read_annotated(_write(tmp_path / "a.xml", text))
    bomb = "<!DOCTYPE x [<!ENTITY a 'ha'>]><dataset/>"
    for bad in (
        bomb,
        "<dataset><image><box/></image></dataset>",
        "no xml",
        text.replace("'30'", "'x'"),
    ):
        with pytest.raises(DatasetMalformed):
            read_annotated(_write(tmp_path / "b.xml", bad))


@pytest.mark.shared
def test_the_real_points(shared: Path) -> None:
    folder = shared / "data/landmarks"
    path = folder / "muct/muct_crops.csv"
    muct = read_points_csv(path).told("muct")
    assert (len(muct), muct.k) == (690, 68)
    with path.open(encoding="utf-8", newline="") as file:
        hidden = [int(row["n_missing"]) for row in csv.DictReader(file)]
    assert (~muct.visible).sum(axis=1).tolist() == hidden
    assert all(path.is_file() for path in muct.files)
    whole = read_points_csv(folder / "muct/muct76-opencv.csv.gz").told("muct")
    assert whole.k == 68  # despite its name
    assert read_points_csv(folder / "muct/muct76_sample-opencv.csv").k == 76
    faces = read_points_csv(folder / "faces68/faces68.csv")
    assert (len(faces), faces.k) == (1_020, 68)
    assert all(path.is_file() for path in faces.files)
    training = read_annotated(folder / "dlib_faces/training_with_face_landmarks.xml")
    testing = read_annotated(folder / "dlib_faces/testing_with_face_landmarks.xml")
    assert (len(training), len(testing)) == (18, 25)
    assert training.scheme == testing.scheme == "ibug-68"
    assert read_pts(folder / "scheme_samples/300vw/001/annot/000006.pts").shape == (68, 2)


def test_saved_embeddings(tmp_path: Path) -> None:
    vectors = np.eye(3, 4, dtype=np.float64)
    path = tmp_path / "e.npz"
    np.savez(path, vectors=vectors, people=["a", "b", "b"], files=["1", "2", "3"], space="s/l/five")
    got = read_npz(path)
    assert (got.people, got.files, got.space) == (("a", "b", "b"), ("1", "2", "3"), "s/l/five")
    np.testing.assert_array_equal(got.vectors, vectors.astype(np.float32))
    np.savez(path, embeddings=vectors, y=[0, 1, 1])
    assert read_npz(path).people == ("0", "1", "1")
    for arrays in (
        {"vectors": vectors},
        {"people": np.array(["a"])},
        {"a": vectors, "b": vectors, "people": np.array(["a", "b", "c"])},
        {"vectors": np.full((1, 2), np.nan), "people": np.array(["a"])},
        {"vectors": vectors, "people": np.array(["a", "b", 3], object)},
    ):
        np.savez(path, **arrays)
        with pytest.raises(DatasetMalformed):
            read_npz(path)
    path.write_bytes(b"no zip")
    with pytest.raises(DatasetMalformed):
        read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"junk")
    with pytest.raises(DatasetMalformed):
        read_npz(path)
    with pytest.raises(DatasetMissing):
        read_npz(tmp_path / "none.npz")


def test_openfaces_pair(tmp_path: Path) -> None:
    labels = _write(
        tmp_path / "labels.csv", "1,./data/Ann/1.png\n1,./data/Ann/2.png\n2,d/Bob/1.png\n"
    )
    reps = _write(tmp_path / "reps.csv", "0.5,0.25\n1,2\n3,4\n")
    got = read_openface(labels, reps)
    assert got.people == ("Ann", "Ann", "Bob")
    assert got.vectors.tolist() == [[0.5, 0.25], [1, 2], [3, 4]]
    for bad in ("0.5,0.25\n", "1,2\n1,2,3\n1,2\n", "1,2\na,b\n1,2\n", "1,2\n1,nan\n1,2\n"):
        with pytest.raises(DatasetMalformed):
            read_openface(labels, _write(tmp_path / "reps.csv", bad))
    with pytest.raises(DatasetMalformed):
        read_openface(_write(tmp_path / "labels.csv", "1\n"), reps)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1.jpg,2.jpg,1\n1.jpg,3.jpg,0\n", 1),
        ("a;b;same\n1.jpg;2.jpg;yes\n1.jpg;3.jpg;no\n", 2),
        ("\ufeffa\tb\tsame\r\n1.jpg\t2.jpg\tTrue\r\n1.jpg\t3.jpg\tFalse\r\n", 2),
    ],
)
def test_csv_as_spreadsheets_and_scripts_write_it(tmp_path: Path, text: str, line: int) -> None:
    for name in "123":
        (tmp_path / f"{name}.jpg").touch()
    pairs = read_pairs_csv(_write(tmp_path / "p.csv", text))
    assert [(p.a.name, p.b.name, p.same) for p in pairs] == [
        ("1.jpg", "2.jpg", True),
        ("1.jpg", "3.jpg", False),
    ]
    assert pairs.pairs[0].line == line


def test_comments_in_lists_are_no_pairs(tmp_path: Path) -> None:
    (tmp_path / "Ann").mkdir()
    (tmp_path / "Ann/Ann_0001.jpg").touch()
    text = "\ufeff# by hand\r\n\r\nAnn 1 2\r\n  # more\r\nAnn 1 Eve 1\r\n"
    pairs = read_pairs(_write(tmp_path / "p.txt", text), tmp_path)
    assert [(p.line, p.same) for p in pairs] == [(3, True), (5, False)]
    with pytest.raises(DatasetMalformed, match="line 1: Ann twice"):
        read_pairs(_write(tmp_path / "p.txt", "Ann 1 Ann 2\n"), tmp_path)


@pytest.mark.parametrize(
    "shape",
    [
        "Ann/Ann_000{}.jpg",
        "Ann/Ann_000{}.PNG",
        "Ann_000{}.jpg",
        "lfw/Ann/Ann_000{}.jpg",
        "lfw-deepfunneled/lfw-deepfunneled/Ann/Ann_000{}.png",
    ],
)
def test_every_usual_shape_of_a_copy_of_lfw(tmp_path: Path, shape: str) -> None:
    wanted = [tmp_path / "set" / shape.format(number) for number in (1, 2)]
    for path in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    pairs = read_pairs(_write(tmp_path / "p.txt", "Ann 1 2\nAnn 1 Eve 1\n"), tmp_path / "set")
    assert [pairs.pairs[0].a, pairs.pairs[0].b] == wanted
    assert [path.name for path in pairs.missing] == ["Eve_0001.jpg"]


def test_two_copies_of_lfw_in_one_folder_are_not_mixed(tmp_path: Path) -> None:
    for copy in ("lfw", "lfw_funneled"):
        (tmp_path / copy / "Ann").mkdir(parents=True)
        (tmp_path / copy / "Ann/Ann_0001.jpg").touch()
    with pytest.raises(DatasetMalformed, match=r"Ann_0001\.jpg is in .* and in "):
        read_pairs(_write(tmp_path / "p.txt", "Ann 1 2\nAnn 1 Eve 1\n"), tmp_path)


def test_saved_faces_without_names_belong_to_their_folders(tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    vectors = np.eye(3, 4, dtype=np.float32)
    boxes = np.array([[0, 0, 9, 9], [0, 0, 5, 5], [1, 1, 20, 30]], np.float32)
    np.savez(path, vectors=vectors, boxes=boxes, photos=["Ann/1.jpg", "Ann/1.jpg", "Bo/1.jpg"])
    got = read_npz(path)
    assert got.people == ("Ann", "Ann", "Bo")
    one = got.one_a_photo()
    assert one.files == ("Ann/1.jpg", "Bo/1.jpg")
    np.testing.assert_array_equal(one.vectors, vectors[[0, 2]])
