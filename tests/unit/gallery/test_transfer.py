"""Exports, imports of other programs' galleries, and files that mean harm."""

from __future__ import annotations

import json
import os
import pickle
import re
import stat
import zipfile

import numpy as np
import pytest

from facelign.errors import ConfigError, DatasetMalformed, DatasetMissing, GalleryError
from facelign.gallery import descriptors, transfer
from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef


class Harm:
    def __reduce__(self):
        return os.system, ("touch harm-was-done",)


@pytest.fixture
def dlib():
    """Six vectors as dlib's network gives them: 1.4 long, on the side of their mean."""
    mean = np.frombuffer(descriptors._MEAN, np.int8).astype(np.float64)
    made = np.random.default_rng(5).normal(scale=0.04, size=(6, 128))
    made += mean / np.linalg.norm(mean)
    return (1.4 * made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


NAMES = ["Ada", "Ada", "Zoë", "Bob", "Bob", "Bob"]


def check(path, dlib, tmp_path, labels=None):
    with Gallery.open(tmp_path / "in.db") as gallery:
        done = gallery.import_batch(transfer.read(path, labels))
        assert (done.enrolled, done.skipped) == (6, ())
        assert {p.name: p.templates for p in gallery.people()} == {"Ada": 2, "Bob": 3, "Zoë": 1}
        (space,) = gallery.spaces()
        assert space.space == transfer.DLIB_SPACE
        assert space.id == "dlib-resnet/dlib-150/dlib-5"
        stored = np.concatenate([t.vectors for t in gallery.store.vectors(space.id)])
        order = np.lexsort(stored.T), np.lexsort(dlib.astype(np.float32).T)
        np.testing.assert_array_equal(stored[order[0]], dlib.astype(np.float32)[order[1]])
        again = gallery.import_batch(transfer.read(path, labels))
        assert (again.enrolled, len(again.skipped)) == (0, 6)
        assert gallery.history()[-1].action == "import"
        gallery.undo()
        assert gallery.people() == []


# -- our own form --------------------------------------------------------------------------------


def test_export_and_import_give_the_same_gallery(tmp_path, gallery, make):
    for i in range(10):
        make.put(gallery, f"p{i % 3}", i, consent="yes" if i % 2 else None)
    gallery.enroll("Zoë", make.vectors(1, 50), photo=PhotoRef("x", ""), faces=[FaceRecord()])
    path = tmp_path / "out.npz"
    assert gallery.export(path) == 11
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["vectors"].dtype == np.float32
        assert arrays["vectors"].shape == (11, 128)
        assert set(arrays["persons"].tolist()) == {"p0", "p1", "p2", "Zoë"}
        assert str(arrays["space"]) == make.cosine.id
        assert not any(arrays[name].dtype.hasobject for name in arrays.files)
    with Gallery.open(tmp_path / "other.db") as other:
        assert other.import_batch(transfer.read(path)).enrolled == 11
        for name in ("p0", "p1", "p2", "Zoë"):
            for a, b in zip(gallery.templates(name), other.templates(name), strict=True):
                assert (a.photo, a.space, a.consent) == (b.photo, b.space, b.consent)
                assert a.face.box == b.face.box
                assert a.face.scheme == b.face.scheme
                assert (a.face.points is None) == (b.face.points is None)
                if a.face.points is not None:
                    np.testing.assert_array_equal(a.face.points, b.face.points)
        for i in range(10):
            assert other.search(make.vectors(1, i))[0][0].person == f"p{i % 3}"


def test_an_export_names_its_space(tmp_path, gallery, make):
    with pytest.raises(GalleryError, match="no templates"):
        gallery.export(tmp_path / "a.npz")
    make.put(gallery, "Ada", 1)
    make.put(gallery, "Ada", 1, make.euclidean)
    with pytest.raises(GalleryError, match="several spaces"):
        gallery.export(tmp_path / "a.npz")
    with pytest.raises(GalleryError, match="no templates of space"):
        gallery.export(tmp_path / "a.npz", "other")
    with pytest.raises(ConfigError, match="npz"):
        gallery.export(tmp_path / "a.csv", make.cosine.id)
    assert list(tmp_path.glob("*.npz")) == []
    assert gallery.export(tmp_path / "a.npz", make.euclidean.id) == 1


# -- other programs ------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("text_mode", [False, True])
def test_vectors_and_label_pickle(tmp_path, dlib, protocol, text_mode):
    """The form of the article on dlib (A4): embeddings.npy and labels.pickle."""
    np.save(tmp_path / "embeddings.npy", dlib.astype(np.float64))
    data = pickle.dumps(NAMES, protocol)
    if text_mode and protocol == 0:
        data = data.replace(b"\n", b"\r\n")
    (tmp_path / "labels.pickle").write_bytes(data)
    check(tmp_path / "embeddings.npy", dlib, tmp_path, tmp_path / "labels.pickle")


def test_labels_of_python_2(tmp_path, dlib):
    """What cPickle.dumps(labels) of Python 2 wrote: byte strings, protocol 0."""
    lines = [b"(lp1\n"]
    for i, name in enumerate(NAMES):
        word = name.encode("utf-8").decode("latin-1").encode("unicode_escape").decode()
        lines.append(f"S'{word}'\np{i + 2}\na".encode())
    (tmp_path / "labels.pickle").write_bytes(b"".join(lines) + b".")
    np.save(tmp_path / "embeddings.npy", dlib)
    check(tmp_path / "embeddings.npy", dlib, tmp_path, tmp_path / "labels.pickle")


def test_labels_that_are_paths(tmp_path, dlib):
    labels = ["people\\Ada\\1.jpg", "people/Ada/2.JPG", "people/Zoë/", "Bob", "a/Bob", "a\\Bob"]
    (tmp_path / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    np.save(tmp_path / "embeddings.npy", dlib)
    check(tmp_path / "embeddings.npy", dlib, tmp_path, tmp_path / "labels.json")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "form", ["mapping", "pair", "names first", "pairs", "by name", "records", "lists"]
)
def test_face_recognition_pickles(tmp_path, dlib, form, protocol):
    vectors = [np.array(v, np.float64) for v in dlib]
    data = {
        "mapping": {"encodings": vectors, "names": NAMES},
        "pair": (vectors, NAMES),
        "names first": [NAMES, vectors],
        "pairs": list(zip(NAMES, vectors, strict=True)),
        "by name": {"Ada": vectors[:2], "Zoë": vectors[2], "Bob": np.stack(vectors[3:])},
        "records": [{"name": n, "encoding": v} for n, v in zip(NAMES, vectors, strict=True)],
        "lists": {"known_face_encodings": dlib.tolist(), "known_face_names": tuple(NAMES)},
    }[form]
    path = tmp_path / "encodings.pickle"
    path.write_bytes(pickle.dumps(data, protocol))
    check(path, dlib, tmp_path)


def test_face_recognition_json_and_npz(tmp_path, dlib):
    data = {"encodings": dlib.tolist(), "names": NAMES}
    (tmp_path / "e.json").write_text(json.dumps(data), encoding="utf-8")
    check(tmp_path / "e.json", dlib, tmp_path)
    np.savez(tmp_path / "e.npz", encodings=dlib, names=np.array(NAMES))
    check(tmp_path / "e.npz", dlib, tmp_path)
    np.savez_compressed(
        tmp_path / "f.npz", embeddings=np.asfortranarray(dlib), labels=np.array(NAMES)
    )
    check(tmp_path / "f.npz", dlib, tmp_path)


# -- vectors of other models ---------------------------------------------------------------------


def saved(vectors, tmp_path, form):
    """A file in one of the forms of other programs, and its labels."""
    rows = [row.tolist() for row in vectors]
    names = [f"db/{name}/{i}.jpg" for i, name in enumerate(NAMES)]
    path = tmp_path / form
    if form.endswith(".npy"):
        np.save(path, vectors)
        (tmp_path / "names.txt").write_text("\n".join(NAMES), encoding="utf-8")
        return path, tmp_path / "names.txt"
    if form.endswith(".npz"):
        np.savez(path, vectors=vectors, people=np.array(NAMES), labels=np.array(NAMES))
    elif form.endswith(".json"):
        path.write_text(json.dumps({"encodings": rows, "names": NAMES}), encoding="utf-8")
    elif form.startswith("ds_model"):
        kept = zip(names, rows, strict=True)
        path.write_bytes(pickle.dumps([{"identity": n, "embedding": v} for n, v in kept]))
    else:
        path.write_bytes(pickle.dumps([[n, v] for n, v in zip(names, rows, strict=True)]))
    return path, None


FORMS = ["v.npy", "v.npz", "v.json", "representations_facenet.pkl", "ds_model_facenet_aligned.pkl"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [1.0, 1.4, 11.0])
def test_vectors_of_another_model_are_not_taken_for_dlibs(tmp_path, make, form, length):
    path, labels = saved(length * make.vectors(6, 5).vectors, tmp_path, form)
    with pytest.raises(DatasetMalformed, match="6 of 6 vectors are no descriptors of dlib"):
        transfer.read(path, labels)
    space = Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True)
    batch = transfer.read(path, labels, space)
    assert batch.space == space
    assert [row.norm for row in batch.rows] == pytest.approx([length] * 6, rel=1e-6)
    got = np.stack([row.vector for row in batch.rows])
    np.testing.assert_allclose(got, make.vectors(6, 5).vectors, atol=1e-6)
    with pytest.raises(DatasetMalformed, match=r"wanted \(6, 512\)"):
        transfer.read(path, labels, Space("mine/arcface-112/five", 512, Metric.COSINE, unit=True))


@pytest.mark.parametrize("form", FORMS)
def test_descriptors_of_dlib_are_taken_from_every_form(tmp_path, dlib, form):
    path, labels = saved(dlib, tmp_path, form)
    assert transfer.read(path, labels).space == transfer.DLIB_SPACE


def test_one_vector_of_another_model_is_pointed_at(tmp_path, dlib):
    dlib[4] /= np.linalg.norm(dlib[4])
    path, labels = saved(dlib, tmp_path, "v.json")
    with pytest.raises(DatasetMalformed, match=r"1 of 6 .* \(template 5 has length 1\.00"):
        transfer.read(path, labels)


def test_what_a_file_says_of_its_space_counts(tmp_path, dlib, gallery, make):
    for said, good in (("sface/arcface-112/five", False), (transfer.DLIB_SPACE.id, True)):
        path = tmp_path / "v.npz"
        np.savez(path, vectors=dlib, people=np.array(NAMES), names=np.array(NAMES), space=said)
        if good:
            assert transfer.read(path).space == transfer.DLIB_SPACE
        else:
            with pytest.raises(DatasetMalformed, match="holds vectors of space 'sface/"):
                transfer.read(path)
    make.put(gallery, "Ada", 1)
    gallery.export(tmp_path / "own.npz")
    assert transfer.read(tmp_path / "own.npz").space == make.cosine
    assert transfer.read(tmp_path / "own.npz", space=make.cosine).space == make.cosine
    with pytest.raises(DatasetMalformed, match="not of 'dlib-resnet"):
        transfer.read(tmp_path / "own.npz", space=transfer.DLIB_SPACE)


# -- what means harm, or is broken ---------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_file_does_nothing(tmp_path, dlib, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    harm = pickle.dumps({"encodings": [Harm()], "names": ["x"]}, protocol)
    (tmp_path / "h.pickle").write_bytes(harm)
    (tmp_path / "h.pkl").write_bytes(pickle.dumps(Harm(), protocol))
    np.save(tmp_path / "h.npy", np.array([Harm()] * 3, object), allow_pickle=True)
    np.savez(tmp_path / "h.npz", encodings=np.array([Harm()], object), names=np.array(["x"]))
    np.save(tmp_path / "good.npy", dlib)
    for file, labels in (
        ("h.pickle", None),
        ("h.pkl", None),
        ("h.npy", "h.pkl"),
        ("h.npz", None),
        ("good.npy", "h.pkl"),
        ("good.npy", "h.pickle"),
    ):
        with pytest.raises(DatasetMalformed):
            transfer.read(tmp_path / file, None if labels is None else tmp_path / labels)
    assert not (tmp_path / "harm-was-done").exists()
    pickle.loads(harm)  # the file was in earnest
    assert (tmp_path / "harm-was-done").exists()


def test_files_that_promise_more_than_they_hold(tmp_path):
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 128), np.float64))
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        header["shape"] = (1 << 40, 128)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(1024))
    (tmp_path / "labels.json").write_text('["a"]')
    with pytest.raises(DatasetMalformed, match="header"):
        transfer.read(path, tmp_path / "labels.json")
    bomb = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("encodings.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(65):
            member.write(bytes(1 << 20))
    with pytest.raises(DatasetMalformed, match="unpacks"):
        transfer.read(bomb)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{"),
        ("a.json", "[]]"),
        ("a.json", "[1, 2, 3]"),
        ("a.json", '{"encodings": [[1, 2]], "names": ["x"]}'),
        ("a.json", '{"encodings": [[1], [1, 2]], "names": ["x", "y"]}'),
        ("a.json", '{"encodings": "abc", "names": ["x"]}'),
        ("a.json", '{"x": {"y": 1}}'),
        ("a.json", json.dumps({"encodings": [[float("nan")] * 128], "names": ["x"]})),
        ("a.json", json.dumps({"encodings": [[1.0] * 128], "names": [None]})),
        ("a.json", json.dumps({"encodings": [[1.0] * 128], "names": "x"})),
        ("a.json", '"text"'),
        ("a.csv", "name,0,1\nAda,0.5,0.5\n"),
        ("a.npz", "PK no archive"),
        ("a.npy", "\x93NUMPY"),
        ("a.pickle", "garbage"),
    ],
)
def test_broken_files_give_one_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="latin-1")
    labels = tmp_path / "labels.json"
    labels.write_text('["a"]')
    with pytest.raises(DatasetMalformed) as caught:
        transfer.read(path, labels if name.endswith("npy") else None)
    assert "\n" not in caught.value.message
    with pytest.raises(DatasetMissing):
        transfer.read(tmp_path / "absent.npz")


@pytest.mark.parametrize("name", ["", "a\u0007b", "x" * 201])
def test_a_name_that_cannot_be_kept_is_pointed_at(tmp_path, dlib, name):
    path = tmp_path / "people.json"
    vectors = dlib[:2].tolist()
    path.write_text(json.dumps({"encodings": vectors, "names": ["Ann", name]}), encoding="utf-8")
    with pytest.raises(DatasetMalformed, match=r"people\.json, template 2: "):
        transfer.read(path)


def test_vectors_need_names(tmp_path, dlib):
    np.save(tmp_path / "e.npy", dlib)
    with pytest.raises(DatasetMalformed, match="file of the labels"):
        transfer.read(tmp_path / "e.npy")
    (tmp_path / "l.txt").write_text("Ada\nBob\n")
    with pytest.raises(DatasetMalformed, match="2 names"):
        transfer.read(tmp_path / "e.npy", tmp_path / "l.txt")


def test_other_data_is_told_apart(tmp_path, recwarn):
    cases = {
        "names.json": (["ab", "cd", "ef"], "no vectors with names"),  # not pairs of letters
        "numbers.json": ([1, 2, 3], "no vectors with names"),
        "huge.json": ({"encodings": [[1e300] * 128], "names": ["a"]}, "too large for float32"),
    }
    for name, (data, said) in cases.items():
        (tmp_path / name).write_text(json.dumps(data), encoding="utf-8")
        with pytest.raises(DatasetMalformed, match=said):
            transfer.read(tmp_path / name)
    (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000, encoding="utf-8")
    with pytest.raises(DatasetMalformed, match="nested too deeply"):
        transfer.read(tmp_path / "deep.json")
    assert not recwarn.list


def test_nothing_in_the_package_unpickles():
    from pathlib import Path

    import facelign

    words = (r"import pickle\n", r"pickle\.load", "allow_pickle=True", r"(?<![\w.])eval\(")
    # PyTorch unpickles files, tensors alone where it is asked to; network.eval() runs nothing
    words += (r"torch\.load\((?![^()]*weights_only=True)",)
    for file in Path(facelign.__file__).parent.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for word in words:
            assert re.search(word, text) is None, (file, word)
