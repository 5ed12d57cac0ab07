"""``facelign gallery`` as it is typed, on a real gallery."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from facelign.cli.app import run
from facelign.cli.exits import Exit
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores.memory import MemoryStore
from facelign.types.templates import PhotoRef, Row


@pytest.fixture
def gallery(tmp_path: Path, make) -> Path:
    path = tmp_path / "family.db"
    with Gallery.open(path) as opened:
        for i in range(6):
            make.put(opened, ["Ada", "Bob"][i % 2], i)
    return path


def damaged(path: Path, person: str) -> None:
    """Change one byte of a vector of a person."""
    with Gallery.open(path) as gallery:
        space = gallery.spaces()[0].space
        vector = gallery.vectors(person, space)[1].vectors[0].tobytes()
    data = path.read_bytes()
    at = data.index(vector)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_a_sound_gallery(gallery, capsys):
    assert run(["gallery", "check", "--gallery", str(gallery)]) == Exit.DONE
    out = capsys.readouterr().out
    assert out.endswith(f"{gallery} is sound.\n")
    assert "DAMAGED" not in out


def test_a_damaged_gallery_has_an_exit_status_of_its_own(gallery, capsys):
    damaged(gallery, "Bob")
    assert run(["gallery", "check", "--gallery", str(gallery)]) == Exit.DAMAGED
    out = capsys.readouterr().out
    assert "of Bob is not the one that was enrolled" in out
    assert "-> Put a back-up in its place, or remove these people and enroll them again." in out
    assert run(["gallery", "check", "--json", "--gallery", str(gallery)]) == Exit.DAMAGED
    record = json.loads(capsys.readouterr().out)
    assert (record["gallery"], record["sound"]) == (str(gallery), False)
    states = {one["check"]: one["state"] for one in record["checks"]}
    assert [name for name, state in states.items() if state != "sound"] == ["vectors"]


def test_removing_whom_the_check_names_mends_it(gallery, capsys):
    damaged(gallery, "Bob")
    assert run(["people", "remove", "Bob", "--yes", "--gallery", str(gallery)]) == Exit.DONE
    assert run(["gallery", "check", "--gallery", str(gallery)]) == Exit.DONE


def test_a_copy_is_made_and_stands_in_for_the_gallery(gallery, capsys):
    copy = gallery.with_name("copy.db")
    words = ["gallery", "backup", str(copy), "--gallery", str(gallery)]
    assert run(words) == Exit.DONE
    assert capsys.readouterr().out.startswith(f"{copy} is a sound copy of {gallery}.")
    assert run(words) == Exit.GALLERY
    assert "Name another file, or replace it with --replace." in capsys.readouterr().err
    assert run([*words, "--replace", "--json"]) == Exit.DONE
    record = json.loads(capsys.readouterr().out)["backup"]
    assert record == {"file": str(copy), "bytes": copy.stat().st_size, "known": True}
    damaged(gallery, "Bob")
    assert run([*words, "--replace"]) == Exit.GALLERY
    assert "is damaged, and no copy of it was made" in capsys.readouterr().err
    gallery.write_bytes(copy.read_bytes())
    assert run(["gallery", "check", "--gallery", str(gallery)]) == Exit.DONE


def test_a_gallery_holds_the_calibration_that_was_made_on_it(tmp_path, make, capsys):
    path = tmp_path / "many.db"
    rng = np.random.default_rng(4)
    space = make.cosine
    rows = []
    for i, center in enumerate(rng.normal(size=(60, space.dim))):
        for j in range(3):
            vector = center + 0.5 * rng.normal(size=space.dim)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            rows.append(Row(f"p{i}", vector, PhotoRef("", f"{3 * i + j:064x}")))
    with Gallery.open(path) as gallery:
        gallery.enroll_many(rows, space)
        revision = gallery.revision
    words = ["--gallery", str(path)]
    calibrate = ["calibrate", *words, "--fmr", "0.01", "--draws", "100"]
    assert run([*calibrate, "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["out"] == str(path)
    beside = [f.name for f in tmp_path.iterdir() if "json" in f.name]
    assert beside == []
    with Gallery.open(path) as gallery:
        own = gallery.calibration(space.id)
        assert (own.subjects, own.target) == (60, 0.01)
        assert gallery.revision == revision  # a classifier goes on answering
        assert gallery.remove("p7").verified
        assert gallery.calibration(space.id) is not None  # it holds scores, nobody's vectors
    assert run(["gallery", "calibration", *words, "--json"]) == Exit.DONE
    (told,) = json.loads(capsys.readouterr().out)["calibrations"]
    assert (told["space"], told["subjects"], told["forgotten"]) == (space.id, 60, False)
    out = tmp_path / "rule.json"
    assert run([*calibrate, "--out", str(out)]) == Exit.DONE
    assert out.is_file()
    assert run(["gallery", "calibration", "--forget", *words]) == Exit.DONE
    assert "(dropped)" in capsys.readouterr().out
    assert run(["gallery", "calibration", *words]) == Exit.DONE
    assert capsys.readouterr().out == "The gallery holds none.\n"


def test_no_gallery(tmp_path, capsys):
    assert run(["gallery", "check", "--gallery", str(tmp_path / "none.db")]) == Exit.GALLERY
    assert "There is no gallery at" in capsys.readouterr().err


def test_a_gallery_that_is_no_file_is_checked_and_refuses_what_lies_beside_one(
    tmp_path, capsys, monkeypatch
):
    class Toy(MemoryStore):
        def __init__(self, place: str, **_: object) -> None:
            super().__init__(place)

    module = ModuleType("facelign.gallery.stores.toy")
    module.STORE, module.__spec__ = Toy, ModuleSpec(module.__name__, None)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    where = ["--gallery", "toy://host/people"]
    assert run(["gallery", "check", *where]) == Exit.DONE
    assert capsys.readouterr().out.endswith("people is sound.\n")
    for command, sentence in (
        (["gallery", "backup", str(tmp_path / "copy.db")], "makes no back-up of itself"),
        (["people", "classifier"], "is no file, and a classifier lies beside one"),
    ):
        assert run([*command, *where]) == Exit.GALLERY
        assert sentence in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
