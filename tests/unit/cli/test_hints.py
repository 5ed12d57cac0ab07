"""The library says what would help; the command line says which flag does it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import facelign
from facelign.cli.exits import say
from facelign.cli.hints import HINTS, flagged, spoken
from facelign.errors import GalleryCorrupt, Remedy, SeveralFaces
from facelign.gallery.gallery import Gallery
from facelign.recognition.selection import choose
from facelign.types.faces import Faces
from facelign.types.policies import FacePolicy

#: rooms below the command line, whose sentences are read by services too
CORE = tuple(
    path.parent.name
    for path in Path(facelign.__file__).parent.glob("*/__init__.py")
    if path.parent.name != "cli"
)


def test_every_remedy_has_its_words():
    assert set(HINTS) == set(Remedy)
    for remedy, hint in HINTS.items():
        assert "--" in hint
        assert "--" not in remedy
        assert flagged(f"Something is wrong. {remedy}") == f"Something is wrong. {hint}"


def test_no_remedy_is_part_of_another():
    for one in Remedy:
        assert [other for other in Remedy if one in other] == [one]


def test_several_faces(capsys):
    boxes = np.array([[0, 0, 50, 50], [60, 0, 110, 50]], np.float32)
    faces = Faces(boxes, np.ones(2, np.float32), None, "toy", (200, 100))
    with pytest.raises(SeveralFaces) as caught:
        choose(faces, FacePolicy.ONLY, "two.jpg")
    assert "--" not in str(caught.value)
    say(caught.value)
    assert "Use --largest (or --face largest)" in capsys.readouterr().err
    record = spoken({"image": "two.jpg", "error": str(caught.value)})
    assert record["error"].endswith("or crop the photo.")
    assert "--largest" in record["error"]


def test_a_file_that_is_no_gallery(tmp_path, capsys):
    path = tmp_path / "g.db"
    path.write_bytes(b"no gallery" * 100)
    with pytest.raises(GalleryCorrupt) as caught:
        Gallery.open(path)
    say(caught.value)
    assert "Name another file with --gallery" in capsys.readouterr().err


@pytest.mark.parametrize("record", [{}, {"error": None}, {"reason": "", "error": None}])
def test_a_record_without_a_problem_stays(record):
    assert spoken(record) == record


def test_no_sentence_of_the_core_names_a_flag():
    said = []
    for room in CORE:
        for path in (Path(facelign.__file__).parent / room).rglob("*.py"):
            text = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text("utf-8"), flags=re.S)
            words = re.findall(r'"[^"\n]*?(?<![\w-])(--[a-z][a-z-]+)[^"\n]*"', text)
            said += [f"{path.name}: {word}" for word in words if "pip" not in text]
    assert [word for word in said if "--license" not in word and "--save" not in word] == []
