"""The library says what would help; the command line says which flag does it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import facelign
from facelign import models
from facelign.cli.app import options_of, run
from facelign.cli.exits import Exit, say
from facelign.cli.flags import said
from facelign.cli.hints import HINTS, flagged, remember, spoken
from facelign.errors import GalleryCorrupt, Remedy, SeveralFaces
from facelign.gallery.gallery import Gallery
from facelign.recognition.selection import choose
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.options import option_of
from facelign.types.policies import FacePolicy
from facelign.types.templates import FaceRecord, PhotoRef
from facelign.wire.options import ChainFlags

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


def test_no_hint_and_no_help_sends_anybody_to_weights_that_may_not_be_sold():
    closed = {spec.id for spec in models.default().specs() if spec.license.commercial == "no"}
    assert "dlib-68" in closed
    helps = [option_of(hint).help for _, hint in said(ChainFlags)]
    for text in (*Remedy, *HINTS.values(), *helps):
        assert not closed & set(re.findall(r"[\w-]+", text)), text


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


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("people show Nobody --gallery {there}", "See: facelign people list --gallery {there}"),
        ("people remove Nobody --yes --gallery={there}", "facelign people list --gallery {there}"),
        ("people undo --gallery {away}", "facelign enroll --gallery {away} PHOTOS"),
        ("people show Nobody", "See: facelign people list"),
        ("people reject Ada no.jpg --gallery {there}", "people show --gallery {there} 'Ada'"),
    ],
)
def test_a_command_in_a_hint_keeps_the_gallery(words, hint, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FACELIGN_HOME", str(tmp_path))
    there, away = tmp_path / "family.db", tmp_path / "away.db"
    for path in (there, tmp_path / "gallery.db"):
        with Gallery.open(path) as gallery:
            vectors = np.eye(1, 128, dtype=np.float32)
            space = Space("sface/arcface-112/five", 128, Metric.COSINE, unit=True)
            photo = PhotoRef("1.jpg", "a" * 64)
            found = Embeddings(vectors, space, np.ones(1, np.float32))
            gallery.enroll("Ada", found, photo=photo, faces=[FaceRecord()])
    monkeypatch.chdir(tmp_path)
    assert run(words.format(there=there, away=away).split()) == Exit.GALLERY
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(hint.format(there=there, away=away))


@pytest.mark.parametrize(
    ("given", "text", "wanted"),
    [
        (["identify", "a.jpg", "--preset", "fast", "--no-flip"], "facelign enroll PHOTOS",
         "facelign enroll --preset fast --no-flip PHOTOS"),
        (["identify", "--gallery=my g.db"], "facelign people list",
         "facelign people list --gallery 'my g.db'"),
        (["identify", "--gallery", "g.db", "--preset", "fast"], "facelign people list",
         "facelign people list --gallery g.db"),
        (["identify", "--gallery", "g.db"], "facelign models list", "facelign models list"),
        (["identify", "--gallery", "g.db"], "facelign is here", "facelign is here"),
        (["verify", "--model", "sface"], "Make it with 'facelign calibrate'.",
         "Make it with 'facelign calibrate --model sface'."),
        (["verify"], "facelign people list", "facelign people list"),
    ],
)  # fmt: skip
def test_a_command_in_a_hint_keeps_what_it_knows(given, text, wanted):
    remember(given, options_of)
    try:
        assert flagged(text) == wanted
    finally:
        remember([], options_of)


@pytest.mark.parametrize("record", [{}, {"error": None}, {"reason": "", "error": None}])
def test_a_record_without_a_problem_stays(record):
    assert spoken(record) == record


def test_no_sentence_of_the_core_names_a_flag():
    said = []
    for room in CORE:
        for path in (Path(facelign.__file__).parent / room).rglob("*.py"):
            text = re.sub(r'""".*?"""|#[^\n]*', "", path.read_text("utf-8"), flags=re.S)
            # what follows a quote or a bracket is an argument of a program or a variable of CSS
            words = re.findall(r'"[^"\n]*?(?<![\w("-])(--[a-z][a-z-]+)[^"\n]*"', text)
            said += [f"{path.name}: {word}" for word in words if "pip" not in text]
    assert [word for word in said if "--license" not in word and "--save" not in word] == []
