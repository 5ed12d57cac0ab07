"""facelign people and facelign cache, as they are typed."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from facelign import models
from facelign.cli import cache as cache_commands
from facelign.cli import people as people_commands
from facelign.cli.exits import code_of
from facelign.errors import (
    ConfigError,
    DatasetMalformed,
    GalleryError,
    InputError,
    UnknownModel,
    UnknownPerson,
)
from facelign.gallery.cache import VectorCache
from facelign.gallery.gallery import Gallery
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.embeddings import Embeddings
from facelign.types.faces import Faces
from facelign.types.templates import FaceRecord, PhotoRef


@pytest.fixture
def home(tmp_path, monkeypatch, make):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("FACELIGN_HOME", str(home))
    with Gallery.open(home / "gallery.db") as gallery:
        for i in range(6):
            make.put(gallery, ["Ada", "Bob"][i % 2], i, consent="yes")
    return home


def analysis(faces, vectors):
    return Analysis(PhotoInfo("", "", faces.image_size), faces, np.arange(1), vectors)


@pytest.fixture
def run(home):
    app = typer.Typer()
    app.add_typer(people_commands.app, name="people")
    app.add_typer(cache_commands.app, name="cache")
    runner = CliRunner()

    def call(*words, ask=None):
        result = runner.invoke(app, [str(word) for word in words], input=ask, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.return_value, result.stdout

    return call


def rows(output):
    return [json.loads(line) for line in output.splitlines()]


def listed(run):
    return {r["person"]: r["templates"] for r in rows(run("people", "list", "--json")[1])}


def test_list_and_show(run, make):
    assert listed(run) == {"Ada": 3, "Bob": 3}
    code, out = run("people", "list")
    assert code == 0
    assert out.splitlines()[0].split("\t")[:2] == ["Ada", "3"]
    found = rows(run("people", "show", "Ada", "--json")[1])
    assert [r["photo"] for r in found] == ["photos/0.jpg", "photos/2.jpg", "photos/4.jpg"]
    assert found[0]["digest"] == make.digest(0)
    assert found[0]["consent"] == "yes"
    assert "photos/2.jpg" in run("people", "show", "Ada")[1]
    with pytest.raises(UnknownPerson):
        run("people", "show", "Nobody")


def test_another_gallery(run, tmp_path):
    with pytest.raises(GalleryError) as caught:
        run("people", "list", "--gallery", tmp_path / "other.db")
    assert code_of(caught.value) == 5
    assert not (tmp_path / "other.db").exists()


def test_rename_merge_undo_history(run):
    run("people", "rename", "Ada", "Adele")
    run("people", "merge", "Adele", "Bob", "--yes", "--json")
    assert listed(run) == {"Bob": 6}
    (undone,) = rows(run("people", "undo", "--json")[1])
    assert undone["undone"][0]["action"] == "merge"
    assert listed(run) == {"Adele": 3, "Bob": 3}
    assert "Undone: rename" in run("people", "undo")[1]
    assert listed(run) == {"Ada": 3, "Bob": 3}
    actions = [r["action"] for r in rows(run("people", "history", "--json")[1])]
    assert actions == ["enroll"] * 6 + ["rename", "merge"]
    assert "Ada is now Adele (undone)" in run("people", "history")[1]


def two_people(home, cosine, model="sface"):
    """Two people in the space of a model, one template each, this alike."""
    space = models.space(model)
    vectors = np.zeros((2, space.dim), np.float32)
    vectors[:, 0] = 1, cosine
    vectors[1, 1] = np.sqrt(1 - cosine**2)
    with Gallery.open(home / "gallery.db") as gallery:
        for name, vector in zip(("Cleo", "Dora"), vectors, strict=True):
            one = Embeddings(vector[None], space, np.ones(1, np.float32))
            gallery.enroll(name, one, photo=PhotoRef(f"{name}.jpg", ""), faces=[FaceRecord()])


def test_people_who_look_unlike_are_not_merged_without_a_word(run, home, monkeypatch):
    two_people(home, 0.1)
    before = listed(run)
    told: list[str] = []
    monkeypatch.setattr("facelign.cli.people.note", told.append)
    (record,) = rows(run("people", "merge", "Cleo", "Dora", "--json")[1])  # nobody can be asked
    assert record["merged"]["score"] == pytest.approx(0.1, abs=1e-3)
    assert "look like two people (best score 0.100" in told[0]
    assert "facelign people undo" in told[0]
    run("people", "undo")
    assert listed(run) == before
    monkeypatch.setattr("facelign.cli.people._terminal", lambda: True)
    assert run("people", "merge", "Cleo", "Dora", ask="n\n")[0] == 1
    assert listed(run) == before
    assert run("people", "merge", "Cleo", "Dora", ask="y\n")[0] == 0
    run("people", "undo")
    assert listed(run) == before
    (record,) = rows(run("people", "merge", "Cleo", "Dora", "--yes", "--json")[1])
    assert record["merged"]["score"] == pytest.approx(0.1, abs=1e-3)
    assert record["merged"]["threshold"] > 0.3
    assert listed(run) == {"Ada": 3, "Bob": 3, "Dora": 2}


def test_people_who_look_alike_are_merged_and_none_is_judged_without_evidence(run, home):
    two_people(home, 0.9)
    (record,) = rows(run("people", "merge", "Cleo", "Dora", "--json")[1])
    assert record["merged"]["score"] == pytest.approx(0.9, abs=1e-3)
    run("people", "remove", "Dora", "--yes")
    two_people(home, 0.1, "facenet-512")  # which nobody calibrated
    (record,) = rows(run("people", "merge", "Cleo", "Dora", "--json")[1])
    assert record["merged"]["score"] is None


def test_one_command_is_taken_back_as_one_and_told_before(run, home, make):
    with Gallery.open(home / "gallery.db") as gallery:
        for number in range(10, 14):
            make.put(gallery, "Cleo" if number % 2 else "Dora", number, run="monday")
    before = listed(run)
    dry = run("people", "undo", "--dry-run")[1]
    assert dry == "Would undo: enroll, 4 templates of Dora, Cleo\n"
    assert listed(run) == before
    (would,) = rows(run("people", "undo", "--dry-run", "--json")[1])
    assert len(would["would_undo"]) == 4
    assert run("people", "undo")[1] == dry.replace("Would undo", "Undone")
    assert listed(run) == {"Ada": 3, "Bob": 3}
    with pytest.raises(GalleryError, match="vectors were erased"):
        run("people", "redo")


def test_redo(run):
    with pytest.raises(GalleryError, match="nothing to do again"):
        run("people", "redo")
    run("people", "rename", "Ada", "Adele")
    run("people", "split", "Bob", "--templates", "2", "--to", "Cleo")
    run("people", "reject", "Adele", "photos/4.jpg")
    run("people", "merge", "Bob", "Adele", "--yes")
    done = listed(run)
    for _ in range(4):
        run("people", "undo")
    assert listed(run) == {"Ada": 3, "Bob": 3}
    (record,) = rows(run("people", "redo", "--json")[1])
    assert record["redone"][0]["action"] == "rename"
    assert run("people", "redo")[1].startswith("Redone: split, 1 template of Bob")
    run("people", "redo")
    run("people", "redo")
    assert listed(run) == done
    run("people", "undo")
    run("people", "rename", "Bob", "Robert")
    with pytest.raises(GalleryError, match="changed since"):
        run("people", "redo")
    run("people", "undo")
    run("people", "redo")
    assert listed(run)["Robert"] == 2


def test_history_says_which_photo(run, home, tmp_path, make):
    party = tmp_path / "party.jpg"
    party.write_bytes(b"some photo")
    run("people", "reject", "Bob", party)
    run("people", "reject", "Ada", "photos/2.jpg")
    with Gallery.open(home / "gallery.db") as gallery:
        for number in (10, 11):
            make.put(gallery, "Cleo", number, run="monday")
    told = rows(run("people", "history", "--json")[1])
    assert [row["photo"] for row in told] == [
        *(f"photos/{n}.jpg" for n in range(6)), str(party), "photos/2.jpg",
        "photos/10.jpg", "photos/11.jpg",
    ]  # fmt: skip
    assert [row["run"] for row in told][-2:] == ["monday"] * 2
    piped = run("people", "history")[1].splitlines()
    assert len(piped) == 10
    assert piped[-1].split("\t")[2:] == ["enroll", "1 template of Cleo", "photos/11.jpg"]
    with Gallery.open(home / "gallery.db") as gallery:
        runs = people_commands._runs(gallery.history())  # as a terminal shows them
        row = people_commands._told(runs[-1], gallery.photos_of(runs[-1]))
    assert [len(changes) for changes in runs] == [1] * 8 + [2]
    assert (row[0], *row[2:]) == (
        "9-10", "enroll", "2 templates of Cleo", "photos/10.jpg and 1 more",
    )  # fmt: skip


def test_split_by_photo_and_by_number(run):
    run("people", "split", "Ada", "--photos", "photos/2.jpg", "--to", "Carla")
    assert listed(run) == {"Ada": 2, "Bob": 3, "Carla": 1}
    run("people", "split", "Bob", "--templates", "2", "--templates", "4", "--to", "Dora")
    assert listed(run) == {"Ada": 2, "Bob": 1, "Carla": 1, "Dora": 2}
    with pytest.raises(GalleryError, match="no template of"):
        run("people", "split", "Bob", "--photos", "unknown.jpg", "--to", "Eva")


def test_reject_by_reference_and_by_file(run, home, tmp_path, make):
    with pytest.raises(GalleryError, match="neither"):
        run("people", "reject", "Ada", "2.jpg")  # a file name alone may be another photo's
    out = run("people", "reject", "Ada", "./photos/2.jpg")[1]
    assert "1 template set aside" in out
    assert listed(run) == {"Ada": 2, "Bob": 3}
    photo = tmp_path / "party.jpg"
    photo.write_bytes(b"some photo")
    run("people", "reject", "Bob", photo, "--json")
    digest = hashlib.sha256(b"some photo").hexdigest()
    with Gallery.open(home / "gallery.db") as gallery:
        found = gallery.search(make.vectors(1, 1), photo_digest=digest)[0]
        assert [f.person for f in found] == ["Ada"]
    with pytest.raises(GalleryError, match="neither"):
        run("people", "reject", "Bob", "nowhere.jpg")


def test_photos_of_one_file_name_are_told_apart_by_their_bytes(
    run, home, tmp_path, monkeypatch, make
):
    with Gallery.open(home / "gallery.db") as gallery:
        for number, year in ((50, "2019"), (51, "2020")):
            folder = tmp_path / year
            folder.mkdir()
            (folder / "IMG_1.jpg").write_bytes(year.encode())
            ref = PhotoRef(f"{year}/IMG_1.jpg", hashlib.sha256(year.encode()).hexdigest())
            gallery.enroll("Cleo", make.vectors(1, number), photo=ref, faces=[FaceRecord()])
    monkeypatch.chdir(tmp_path / "2019")
    run("people", "split", "Cleo", "--to", "Dora", "--photos", "IMG_1.jpg")
    (shown,) = rows(run("people", "show", "Dora", "--json")[1])
    assert shown["photo"] == "2019/IMG_1.jpg"
    monkeypatch.chdir(tmp_path)  # the place leads to the file, whose bytes are the photo
    run("people", "reject", "Cleo", "2020/IMG_1.jpg")
    assert listed(run)["Cleo"] == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("words", [("reject", "Ada"), ("split", "Ada", "--to", "B", "--photos")])
def test_what_is_no_file_of_a_photo_is_refused_before_it_is_read(run, tmp_path, words):
    pipe, huge = tmp_path / "pipe.jpg", tmp_path / "huge.jpg"
    os.mkfifo(pipe)  # reading it waits for ever
    with huge.open("wb") as file:
        file.truncate(3_000_000_000)  # takes no room on the disk
    for photo, problem in ((pipe, "no ordinary file"), (huge, "200 MB")):
        with pytest.raises(InputError, match=problem) as caught:
            run("people", *words, photo)
        assert code_of(caught.value) == 3


def test_remove_asks_or_refuses(run, home):
    with pytest.raises(ConfigError, match="no terminal") as caught:
        run("people", "remove", "Ada", ask="")
    assert code_of(caught.value) == 2
    assert listed(run) == {"Ada": 3, "Bob": 3}


def test_remove_on_a_terminal(run, monkeypatch):
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    monkeypatch.setattr("facelign.cli.people._terminal", lambda: True)
    assert run("people", "remove", "Ada")[0] == 1
    assert listed(run) == {"Ada": 3, "Bob": 3}
    monkeypatch.setattr("typer.confirm", lambda *_, **__: True)
    assert run("people", "remove", "Ada")[0] == 0
    assert listed(run) == {"Bob": 3}


def test_remove_gives_a_receipt_and_reaches_the_cache(run, home, make):
    vectors = make.vectors(1, 0)
    faces = Faces(np.array([[0, 0, 9, 9]]), np.ones(1), None, "test", (10, 10))
    with VectorCache(home / "cache" / "vectors.db") as cache:
        cache.put(make.digest(0), "chain", analysis(faces, vectors))
    code, out = run("people", "remove", "Ada", "--yes", "--json")
    assert code == 0
    receipt = rows(out)[-1]["receipt"]
    assert (receipt["person"], receipt["templates"], receipt["verified"]) == ("Ada", 3, True)
    assert receipt["cached"] == 1
    assert any(name.endswith("vectors.db") for name in receipt["files"])
    assert "back-ups" in receipt["note"]
    assert make.traces(make.files(home / "cache" / "vectors.db"), vectors) == 0
    assert make.traces(make.files(home / "gallery.db"), vectors) == 0
    text = run("people", "remove", "Bob", "--yes")[1]
    first, second, *places, last = text.splitlines()
    assert first.startswith("Removed Bob: 3 templates")
    assert second.startswith("No 32 bytes")
    assert any(place.endswith("gallery.db") for place in places)
    assert "back-ups" in last
    assert "\\n" not in text
    assert run("people", "list")[1] == "Nobody is enrolled.\n"


def test_a_removal_that_is_not_verified_exits_5(run, home):
    (home / "gallery.db.old").write_bytes((home / "gallery.db").read_bytes())
    code, out = run("people", "remove", "Ada", "--yes")
    assert code == 5
    assert "NOT VERIFIED" in out
    assert "gallery.db.old" in out


def test_export_and_import(run, tmp_path):
    file = tmp_path / "out.npz"
    assert "personal data" in run("people", "export", file)[1]
    with np.load(file) as arrays:
        assert arrays["vectors"].shape == (6, 128)
    other = tmp_path / "other.db"
    (record,) = rows(run("people", "import", file, "--gallery", other, "--json")[1])
    assert record["imported"]["enrolled"] == 6
    assert "6 skipped (already enrolled" in run("people", "import", file, "--gallery", other)[1]


def test_vectors_of_another_model_are_imported_by_its_name_only(run, make, tmp_path):
    file, labels, other = tmp_path / "v.npy", tmp_path / "names.txt", tmp_path / "other.db"
    np.save(file, make.vectors(2, 3).vectors)
    labels.write_text("Ada\nBob\n", encoding="utf-8")
    words = ("people", "import", file, "--labels", labels, "--gallery", other)
    with pytest.raises(DatasetMalformed, match="2 of 2 vectors are no descriptors of dlib"):
        run(*words)
    with pytest.raises(UnknownModel, match="no embed model 'facenet'"):
        run(*words, "--space", "facenet")
    assert not other.exists()
    assert "2 templates enrolled in space sface/arcface-112" in run(*words, "--space", "sface")[1]


def test_cache_info_and_clear(run, home, make):
    assert rows(run("cache", "info", "--json")[1])[0]["entries"] == 0
    faces = Faces(np.array([[0, 0, 9, 9]]), np.ones(1), None, "test", (10, 10))
    with VectorCache(home / "cache" / "vectors.db") as cache:
        cache.put("d", "chain", analysis(faces, make.vectors(1, 0)))
    assert "1 photo, 1 entry," in run("cache", "info")[1]
    assert rows(run("cache", "clear", "--json")[1]) == [{"cleared": 1}]
    assert run("cache", "clear")[1] == "0 entries deleted.\n"
    assert make.traces(make.files(home / "cache" / "vectors.db"), make.vectors(1, 0)) == 0
