"""What a terminal and a notebook show of a value: one short line, a small table, no vector."""

from __future__ import annotations

import importlib
import io
import pkgutil
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from PIL import Image as Pillow

import facelign
import training
from facelign.errors import InputError
from facelign.recognition.results import Comparison, Identification, IdentifiedFace
from facelign.types.analysis import Analysis
from facelign.types.decisions import (
    Candidate,
    CandidateList,
    Decision,
    SearchThreshold,
    Threshold,
)
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.image import Image
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE

SPACE = Space("sface/arcface-112/five", 128, Metric.COSINE, True)
LIMIT = Threshold(0.368, 1e-3, "measured on made people")


@pytest.fixture
def shown():
    """One of each, of a photo of five faces."""
    boxes = np.array([[10 * i, 5, 10 * i + 8, 15] for i in range(5)], np.float32)
    points = Landmarks(np.ones((5, 5, 2), np.float32), FIVE)
    faces = Faces(boxes, np.full(5, 0.9, np.float32), points, "yunet", (640, 480))
    image = Image.from_array(np.zeros((480, 640, 3), np.uint8), "rgb", "party.jpg")
    vectors = np.full((5, 128), 0.08838834764831845, np.float32)
    embeddings = Embeddings(vectors, SPACE, np.ones(5, np.float32))
    analysis = replace(Analysis.of(image, faces), embedded=np.arange(5), embeddings=embeddings)
    search = SearchThreshold(LIMIT, 0.01, 1, False)
    known = CandidateList((Candidate(1, "<b>Ann</b>", 1, 0.8, 0.2),), "<b>Ann</b>", "", search, 1)
    unknown = CandidateList((), None, "below the threshold", search, 1)
    named = (IdentifiedFace(faces[0], known), IdentifiedFace(faces[1], unknown))
    decision = Decision(0.812, 0.188, "cosine", LIMIT, True, SPACE)
    return {
        "image": image,
        "faces": faces,
        "face": faces[0],
        "points": points,
        "embeddings": embeddings,
        "analysis": analysis,
        "failed": Analysis.failed("bad.jpg", InputError("It is empty.", "Copy it again.")),
        "answer": known,
        "identification": Identification(analysis, named),
        "decision": decision,
        "comparison": Comparison(decision, analysis, analysis, 0, 1),
    }


def test_every_value_is_one_short_line_without_a_number_of_a_vector(shown):
    lines = {name: repr(value) for name, value in shown.items()}
    assert lines == {
        "image": "Image('party.jpg', 640 x 480 px)",
        "faces": "Faces(5 in 640 x 480 px, detector='yunet': 0,5 to 8,15, 10,5 to 18,15, "
        "20,5 to 28,15, and 2 more)",
        "face": "Face(0: 0,5 to 8,15, score 0.90)",
        "points": "Landmarks(5 faces, scheme='five')",
        "embeddings": "Embeddings(5 x 128, space='sface/arcface-112/five')",
        "analysis": "Analysis('party.jpg', 5 faces, 5 embedded in 'sface/arcface-112/five')",
        "failed": "Analysis('bad.jpg', error='It is empty.')",
        "answer": "CandidateList(<b>Ann</b>: <b>Ann</b> 0.800)",
        "identification": "Identification('party.jpg', 2 faces: <b>Ann</b>, "
        "Unknown (below the threshold))",
        "decision": "Decision(match: score 0.812, threshold 0.368)",
        "comparison": "Comparison(Decision(match: score 0.812, threshold 0.368), "
        "'party.jpg', 'party.jpg')",
    }


@pytest.mark.parametrize("name", ["faces", "analysis", "failed", "identification", "decision"])
def test_a_notebook_shows_a_table_in_which_no_name_becomes_markup(shown, name):
    page = shown[name]._repr_html_()
    assert page.startswith("<p>")
    assert "<b>" not in page
    assert "0.088" not in page
    assert ("<table>" in page) == (name != "failed")


def test_a_notebook_shows_a_photo_itself_in_a_size_for_a_page(shown):
    large = Image.from_array(np.zeros((1500, 3000, 3), np.uint8), "rgb")
    assert Pillow.open(io.BytesIO(large._repr_png_())).size == (1024, 512)
    assert Pillow.open(io.BytesIO(shown["image"]._repr_png_())).size == (640, 480)


def test_no_record_of_facelign_prints_its_vectors():
    printing, seen = [], 0
    for module in pkgutil.walk_packages(facelign.__path__, "facelign."):
        if module.name.endswith("__main__"):
            continue
        try:
            holds = vars(importlib.import_module(module.name)).values()
        except ModuleNotFoundError as missing:
            # where the extra has to be here no module is passed over
            if missing.name not in training.PACKAGES or training.required():
                raise
            continue
        for kind in holds:
            if not (isinstance(kind, type) and is_dataclass(kind)):
                continue
            held = [f for f in fields(kind) if f.name in ("vector", "vectors", "centers")]
            seen += len(held)
            made = hasattr(kind.__repr__, "__wrapped__")  # by dataclass, of all fields with repr
            arrays = [
                f for f in held if f.repr and ("Array" in str(f.type) or "bytes" in str(f.type))
            ]
            printing += [f"{kind.__qualname__}.{f.name}" for f in arrays if made]
    assert seen > 6
    assert sorted(set(printing)) == []


def test_a_recognizer_and_a_gallery_say_their_models_and_no_address_in_memory(tmp_path):
    recognizer = facelign.Recognizer()
    assert repr(recognizer) == "Recognizer('default': yunet, sface-int8)"
    with facelign.open_gallery(tmp_path / "g.db", recognizer, create=True) as gallery:
        path = str(tmp_path / "g.db")
        assert repr(gallery) == f"PhotoGallery({path!r}, Recognizer('default': yunet, sface-int8))"
