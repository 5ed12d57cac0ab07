"""The commands in this process: the portrait, a real gallery, the exit status of each answer."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

import facelign
from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.cli.plot import outliers
from facelign.models import catalog
from facelign.recognition.presets import preset
from facelign.wire import values

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory, pulled) -> Path:
    """people/Eileen/one.png, mirrored.jpg, two.png (twice the face), coffee.jpg, bad.jpg."""
    from skimage import data

    pulled(*(catalog.default().spec(task, model) for task, model in preset("default").models))
    root = tmp_path_factory.mktemp("photos")
    portrait = Pillow.fromarray(data.astronaut())
    (root / "people" / "Eileen").mkdir(parents=True)
    portrait.save(root / "people" / "Eileen" / "one.png")
    ImageOps.mirror(portrait).save(root / "mirrored.jpg")
    both = Pillow.new("RGB", (1024, 512))
    both.paste(portrait, (0, 0))
    both.paste(ImageOps.mirror(portrait), (512, 0))
    both.save(root / "two.png")
    Pillow.fromarray(data.coffee()).save(root / "coffee.jpg")
    (root / "bad.jpg").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def gallery(photos) -> Path:
    """Eileen, enrolled."""
    path = photos / "g.db"
    assert run(["enroll", str(photos / "people"), "--gallery", str(path)]) == Exit.DONE
    return path


@pytest.fixture
def said(capsys):
    """Run a command line; return status, what it wrote, and its notes."""

    def call(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def size(path):
    with Pillow.open(path) as picture:
        return picture.size


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_detect(said, photos, tmp_path):
    table = tmp_path / "t.csv"
    code, out, _ = said("detect", photos / "two.png", photos / "bad.jpg", "--json", "--out", table)
    assert code == Exit.INPUT
    good, bad = rows(out)
    assert [len(good["faces"]), bad["faces"]] == [2, []]
    assert len(values.analysis(good).faces) == 2
    with table.open(encoding="utf-8-sig") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [good["image"]] * 2 + [
            bad["image"]
        ]
    assert (tmp_path / "t.failures.csv").exists()


def test_detect_draws_and_speaks(said, photos, tmp_path):
    target = tmp_path / "drawn.jpg"
    code, out, _ = said("detect", photos / "two.png", "--draw", target)
    assert (code, out.splitlines()[0]) == (Exit.DONE, f"{photos / 'two.png'}: 2 faces")
    assert size(target) == (1024, 512)
    code, _, err = said("detect", photos / "two.png", "--draw", photos / "two.png")
    assert code == Exit.USAGE
    assert "over the photo" in err


def test_explaining_needs_stages(said, photos):
    code, _, err = said("detect", photos / "two.png", "--explain")
    assert code == Exit.USAGE
    assert "--detector mtcnn" in err


def test_align(said, photos, tmp_path):
    target = tmp_path / "chip.png"
    code, out, _ = said("align", photos / "mirrored.jpg", target, "--json")
    assert code == Exit.DONE
    assert rows(out)[0]["aligned"] == str(target)
    assert size(target) == (112, 112)
    code, out, _ = said("align", photos / "two.png", tmp_path / "x.png", "--face", "only", "--json")
    assert code == Exit.INPUT
    assert "--largest" in rows(out)[0]["error"]
    code, out, err = said("align", photos / "mirrored.jpg", tmp_path / "c.png", "--layout", "crop")
    assert (code, err) == (Exit.DONE, "")


def test_embed(said, photos, tmp_path):
    code, out, _ = said("embed", photos / "mirrored.jpg", "--json")
    (record,) = rows(out)
    assert code == Exit.DONE
    assert np.linalg.norm(record["faces"][0]["embedding"]) == pytest.approx(1, abs=1e-5)
    code, out, _ = said("embed", photos / "two.png")
    assert f"2 of 2 faces embedded, 128 numbers each in space {record['space']}" in out
    for name in ("v.csv", "v.jsonl"):
        said("embed", photos / "two.png", "--out", tmp_path / name)
        assert os.name == "nt" or (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_verify(said, photos, tmp_path):
    one = photos / "people" / "Eileen" / "one.png"
    code, out, _ = said("verify", one, photos / "mirrored.jpg", "--json")
    (record,) = rows(out)
    assert (code, record["same"]) == (Exit.DONE, True)
    code, out, _ = said("verify", one, photos / "mirrored.jpg", "--threshold", "0.999")
    assert (code, out.splitlines()[1]) == (
        Exit.NO,
        "    threshold 0.999: given on the command line",
    )
    pair = tmp_path / "pair.jpg"
    code, out, _ = said("verify", one, photos / "two.png", "--draw", pair)
    assert code == Exit.DONE
    assert "of 2 was compared (largest)" in out
    assert pair.stat().st_size > 10_000
    assert said("verify", one, photos / "coffee.jpg")[0] == Exit.INPUT


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--threshold", "nan"], Exit.USAGE),
        (["--threshold", "dlib-0.6"], Exit.MODEL),
        (["--fmr", "2"], Exit.USAGE),
        (["--face", "best", "--largest"], Exit.USAGE),
        (["--preset", "nothing"], Exit.MODEL),
        (["--layout", "crop"], Exit.MODEL),
    ],
)
def test_what_verify_refuses(said, photos, words, code):
    one = photos / "people" / "Eileen" / "one.png"
    got, out, err = said("verify", one, photos / "mirrored.jpg", *words)
    assert (got, out) == (code, "")
    assert err.startswith("facelign: ")


def test_enroll_again_and_refuse(said, photos, gallery):
    code, out, _ = said("enroll", photos / "people", "--gallery", gallery, "--json")
    first, summary = rows(out)
    assert (code, first["reason"]) == (Exit.DONE, "already enrolled")
    assert summary["summary"] == {
        "files": 1,
        "enrolled": 0,
        "skipped": 1,
        "failed": 0,
        "people": 1,
        "held": 0,
        "missing": [],
    }
    words = ("--preprocess", "gamma=1.5", "--gallery", gallery.with_name("gamma.db"))
    code, _, err = said("enroll", photos / "people", *words)
    assert (code, "is uncalibrated" in err) == (Exit.DONE, True)
    code, _, err = said("enroll", photos / "two.png", "--name", "Both", "--gallery", gallery)
    assert "is uncalibrated" not in err
    assert code == Exit.INPUT
    assert "Use --largest (or --face largest)" in err
    assert said("enroll", photos / "mirrored.jpg", "--name", " ")[0] == Exit.USAGE


def test_identify(said, photos, gallery, tmp_path):
    code, out, _ = said("identify", photos / "mirrored.jpg", "--gallery", gallery)
    assert code == Exit.DONE
    assert "    Eileen (score " in out
    code, out, _ = said("identify", photos / "coffee.jpg", "--gallery", gallery, "--json")
    assert (code, rows(out)[0]["faces"]) == (Exit.NO, [])
    words = ("--threshold", "0.999", "--json", "--draw", tmp_path / "named.jpg")
    code, out, _ = said("identify", photos / "mirrored.jpg", "--gallery", gallery, *words)
    (face,) = values.identification(rows(out)[0]).faces
    assert (code, face.person, face.answer.reason) == (Exit.NO, None, "below the threshold")
    assert face.answer.threshold is not None
    assert (tmp_path / "named.jpg").exists()
    assert (
        said("identify", photos / "coffee.jpg", "--gallery", tmp_path / "no.db")[0] == Exit.GALLERY
    )


def test_one_name_of_a_photo(said, photos, gallery):
    code, out, _ = said("identify", photos / "two.png", "--gallery", gallery, "--json")
    faces = rows(out)[0]["faces"]
    assert code == Exit.DONE
    assert sorted(str(face["person"]) for face in faces) == ["Eileen", "None"]
    code, out, _ = said("identify", photos / "two.png", "--gallery", gallery, "--largest", "--json")
    assert len(rows(out)[0]["faces"]) == 1


def test_a_face_that_is_held_back_comes_with_its_own_photo(said, photos, tmp_path, monkeypatch):
    where = ("--gallery", tmp_path / "g.db")
    monkeypatch.chdir(tmp_path)
    assert said("enroll", photos / "people", *where)[0] == Exit.DONE
    # the photo that it looks like ends with the very same words
    brighter = Pillow.open(photos / "people" / "Eileen" / "one.png").convert("RGB")
    brighter.point(lambda value: min(255, value + 9)).save("one.png")
    code, out, err = said("enroll", "one.png", "--name", "Otto", *where)
    assert code == Exit.INPUT
    (line,) = err.splitlines()
    assert line.startswith("one.png: looks like Eileen (")
    assert line.count("looks like") == 1
    assert out.startswith("1 file, 0 enrolled")


def test_sort_goes_on_where_it_stopped(said, photos, gallery, tmp_path):
    words = ("--gallery", gallery, photos / "mirrored.jpg", photos / "coffee.jpg", tmp_path / "s")
    code, out, _ = said("sort", "--json", *words)
    assert code == Exit.DONE
    assert [record["folders"] for record in rows(out)] == [["Eileen"], ["no-face"]]
    assert (tmp_path / "s" / "Eileen" / "mirrored.jpg").exists()
    code, out, err = said("sort", *words)
    assert (code, out) == (Exit.DONE, "")
    assert "2 photos were sorted before" in err


def test_sort_looks_again_when_the_gallery_has_changed(said, photos, tmp_path):
    """Sort, look into unknown, enroll one more, sort again; also after every correction."""
    album, out, where = tmp_path / "album", tmp_path / "s", ("--gallery", tmp_path / "g.db")
    album.mkdir()
    portrait = Pillow.open(photos / "people" / "Eileen" / "one.png").convert("RGB")
    portrait.save(album / "eileen.png")
    ImageOps.invert(portrait).save(album / "otto.png")  # the negative is nobody like her
    both = Pillow.new("RGB", (1024, 512))
    both.paste(portrait, (0, 0))
    both.paste(ImageOps.invert(portrait), (512, 0))
    both.save(album / "both.png")
    (tmp_path / "otto.png").write_bytes((album / "otto.png").read_bytes())

    def sort(*words):
        code, shown, notes = said("sort", album, out, *where, "--json", *words)
        assert code == Exit.DONE
        records = [record for record in rows(shown) if "image" in record]
        found = {Path(r["image"]).stem: (r["folders"], r["left"]) for r in records}
        for name, (folders, _) in found.items():
            where_it_lies = sorted(path.parent.name for path in out.glob(f"*/{name}.png"))
            assert where_it_lies == folders, "as sorted afresh"
        return found, notes

    assert said("enroll", photos / "people", *where)[0] == Exit.DONE
    eileen, unknown = (["Eileen"], []), (["unknown"], [])
    assert sort()[0] == {"both": eileen, "eileen": eileen, "otto": unknown}
    assert sort() == ({}, "3 photos were sorted before\n")
    assert said("enroll", tmp_path / "otto.png", "--name", "Otto", *where)[0] == Exit.DONE
    found, notes = sort()
    assert found["otto"] == (["Otto"], ["unknown"])
    assert found["both"] == (["Eileen", "Otto"], []), "one of two was known before"
    assert "the gallery or the options have changed" in notes
    assert said("people", "rename", "Otto", "Otto B", *where)[0] == Exit.DONE
    assert sort()[0]["both"] == (["Eileen", "Otto B"], ["Otto"])
    assert said("people", "reject", "Otto B", album / "otto.png", *where)[0] == Exit.DONE
    assert sort()[0]["otto"] == (["unknown"], ["Otto B"])
    assert said("people", "undo", *where)[0] == Exit.DONE
    assert sort()[0]["otto"] == (["Otto B"], ["unknown"])
    assert sort()[0] == {}
    assert len(sort("--again")[0]) == 3
    assert sort("--min-height", 400)[0]["eileen"] == (["unknown"], ["Eileen"])
    _code, shown, _ = said("sort", album, out, *where)
    assert "eileen.png: Eileen (no longer unknown)" in shown
    _code, shown, notes = said("sort", album, out, *where, "--again")
    assert "eileen.png" not in shown, "what stays where it was is counted"
    assert "3 photos stay where they lie" in notes


def test_the_walk_in_one_picture(said, photos, gallery, tmp_path):
    pytest.importorskip("matplotlib")
    target = tmp_path / "chain.csv"
    code, out, _ = said(
        "plot", "chain", photos / "mirrored.jpg", "--out", target, "--gallery", gallery
    )
    assert code == Exit.DONE
    assert str(target) in out
    assert "Eileen" in target.read_text(encoding="utf-8")


def test_those_far_from_their_own():
    points = np.array([[0, 0], [0, 1], [9, 9], [9, 8], [0, 2]], float)
    assert outliers(points, ["a", "a", "b", "b", "b"]) == [4]
    assert outliers(points[:2], ["a", "b"]) == []


def test_a_run_that_names_photos_ends_with_totals_and_the_threshold(
    said, photos, gallery, tmp_path
):
    words = (photos / "mirrored.jpg", photos / "coffee.jpg", photos / "bad.jpg")
    table = tmp_path / "t.csv"
    code, out, _ = said("identify", *words, "--gallery", gallery, "--out", table)
    assert code == Exit.INPUT
    total, limit = out.splitlines()[-2:]
    assert total == "3 photos: 1 named (1 person), 0 unknown, 1 no face, 1 failed"
    with table.open(encoding="utf-8-sig") as file:
        (first, *_) = csv.DictReader(file)
    assert limit.startswith(f"threshold {float(first['threshold']):.3f} (at most 1 % of strangers")
    code, out, err = said("identify", *words, "--gallery", gallery, "--json")
    assert len(rows(out)) == 3
    assert total in err
    table = tmp_path / "s.csv"
    code, out, _ = said("sort", *words, tmp_path / "s", "--gallery", gallery, "--out", table)
    assert (code, out.splitlines()[-2:]) == (Exit.INPUT, [total, limit])
    with table.open(encoding="utf-8-sig") as file:
        assert [row["folders"] for row in csv.DictReader(file)] == ["Eileen", "no-face", ""]


def test_every_path_option_and_every_door_knows_a_tilde(said, photos, tmp_path, monkeypatch):
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    photo = photos / "mirrored.jpg"
    assert said("enroll", photo, "--name", "Eileen", "--gallery=~/g.db")[0] == Exit.DONE
    words = ("--gallery=~/g.db", "--out=~/t.csv", "--draw=~/drawn.png")
    assert said("identify", photo, *words)[0] == Exit.DONE
    assert said("sort", photo, "~/sorted", "--gallery=~/g.db")[0] == Exit.DONE
    assert said("align", photo, "~/aligned")[0] == Exit.DONE
    assert said("people", "export", "~/people.npz", "--gallery=~/g.db")[0] == Exit.DONE
    made = {path.name for path in home.iterdir()}
    assert made >= {"g.db", "t.csv", "drawn.png", "sorted", "aligned", "people.npz"}
    assert list(here.iterdir()) == []
    with facelign.open_gallery("~/g.db") as opened:
        assert [person.name for person in opened.people()] == ["Eileen"]
        assert opened.gallery.export("~/again.npz") == 1
    (home / "photo.jpg").write_bytes(photo.read_bytes())
    for named in ("~/photo.jpg", Path("~/photo.jpg")):
        assert facelign.read_image(named).size == (512, 512)
    assert list(here.iterdir()) == []


def test_results_among_the_photos_are_no_photos(said, photos, gallery, tmp_path):
    album = tmp_path / "album"
    album.mkdir()
    (album / "e.jpg").write_bytes((photos / "mirrored.jpg").read_bytes())
    commands = [
        ("align", album, album / "faces"),
        ("detect", album, "--draw", album / "drawn"),
        ("identify", album, "--gallery", gallery, "--draw", album / "named"),
        ("embed", album, "--draw", album / "embedded"),
        ("sort", album, album / "sorted", "--gallery", gallery),
    ]
    for words in commands:
        results = words[words.index("--draw") + 1] if "--draw" in words else words[2]
        assert said(*words)[0] == Exit.DONE
        before = sorted(results.rglob("*"))
        assert said(*words)[0] == Exit.DONE, "a rerun refuses nothing"
        assert sorted(results.rglob("*")) == before
        _code, out, err = said("detect", album)
        assert "left out" in err, "nor are they of other commands"
        assert out.count("e.jpg") == 1
        assert "e.png" not in out
        shutil.rmtree(results)
    assert said("sort", album, album, "--gallery", gallery)[0] == Exit.USAGE
