"""Records of photos, names, enrollments and verifications read back give the same records."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelign.errors import DatasetMalformed, InputError, SpaceMismatch
from facelign.recognition.results import Comparison, Enrollment, Identification, IdentifiedFace
from facelign.types.analysis import Analysis, PhotoInfo
from facelign.types.decisions import Candidate, CandidateList, Decision, SearchThreshold, Threshold
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE, IBUG_68
from facelign.wire import records, values

SPACE = Space("toy/arcface-112/five", 4, Metric.COSINE, unit=True)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
shares = st.floats(0, 1)


@st.composite
def analyses(draw) -> Analysis:
    n = draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # half pixels: a record rounds boxes to 0.01 px and their heights to 0.1
    low, side = rng.integers(0, 600, (n, 2)) / 2, rng.integers(10, 400, (n, 2)) / 2
    boxes = np.concatenate([low, low + side], axis=1).astype(np.float32)
    scheme = draw(st.sampled_from([None, FIVE, IBUG_68]))
    marks = None
    if scheme is not None:
        marks = Landmarks(rng.uniform(0, 500, (n, scheme.k, 2)).astype(np.float32), scheme)
    faces = Faces(boxes, rng.uniform(0, 1, n).astype(np.float32), marks, "toy", (640, 480))
    kept = np.flatnonzero(rng.uniform(size=n) < 0.7).astype(np.int64)
    vectors = rng.normal(size=(len(kept), SPACE.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    dropped = tuple((i, "no points") for i in range(n) if i not in kept)
    return Analysis(
        PhotoInfo(draw(words), "", (640, 480)),
        faces,
        kept,
        Embeddings(vectors, SPACE, np.ones(len(kept), np.float32)),
        dropped,
        draw(st.sampled_from([(), ("padded",), ("padded", "turned-90")])),
    )


def through(record):
    """What is left of a record after a line of JSON."""
    return json.loads(json.dumps(record))


@settings(max_examples=40, deadline=None)
@given(analyses())
def test_a_photo(found):
    record = through(records.embed_record(found, SPACE.id))
    assert records.embed_record(values.analysis(record, SPACE), SPACE.id) == record
    assert values.analysis(record).embeddings is None
    plain = through(records.photo_record(found))
    assert records.photo_record(values.analysis(plain)) == plain


def test_a_photo_that_failed():
    record = records.failure("a.jpg", InputError("It is empty.", "Take another."))
    again = values.analysis(record)
    assert isinstance(again.error, InputError)
    assert records.photo_record(again) == record


def test_vectors_of_another_space_are_refused():
    record = records.embed_record(analysis_of_one(), SPACE.id)
    with pytest.raises(SpaceMismatch):
        values.analysis(record, Space("other/arcface-112/five", 4, Metric.COSINE, unit=True))


@pytest.mark.parametrize("record", [{}, {"width": 3}, {"width": 1, "height": 1, "faces": [{}]}])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(DatasetMalformed):
        values.analysis({"image": "a.jpg"} | record)


def analysis_of_one() -> Analysis:
    box = np.array([[10, 20, 60, 90]], np.float32)
    faces = Faces(box, np.array([0.9], np.float32), None, "toy", (100, 100))
    vector = np.array([[1, 0, 0, 0]], np.float32)
    embeddings = Embeddings(vector, SPACE, np.ones(1, np.float32))
    return Analysis(PhotoInfo("a.jpg", "", (100, 100)), faces, np.array([0]), embeddings)


@settings(max_examples=30, deadline=None)
@given(words, shares, shares, st.booleans(), st.integers(0, 9))
def test_names(person, score, limit, limited, size):
    found = analysis_of_one()
    search = SearchThreshold(Threshold(limit, 0.001, "toy"), 0.01, size, limited, "a note")
    candidates = tuple(Candidate(i, f"{person}{i}", i, score / i, 1 - score / i) for i in (1, 2))
    known = f"{person}1" if score >= limit else None
    reason = "" if known else "below the threshold"
    answer = CandidateList(candidates, known, reason, search, size, score / 2)
    record = through(
        records.identify_record(Identification(found, (IdentifiedFace(found.faces[0], answer),)))
    )
    again = values.identification(record)
    assert records.identify_record(again) == record
    assert again.faces[0].person == known


def test_a_photo_without_the_one_face_that_is_wanted():
    found = analysis_of_one()
    record = through(records.identify_record(Identification(found, (), InputError("Two faces."))))
    again = values.identification(record)
    assert (str(again.error), again.faces) == ("Two faces.", ())
    assert records.identify_record(again) == record


@given(words, words, st.booleans(), words, st.one_of(st.none(), st.floats(1, 900)))
def test_enrollments(image, person, enrolled, reason, height):
    made = Enrollment(image, person, enrolled, reason, face_height=height)
    record = through(records.enroll_record(made))
    assert records.enroll_record(values.enrollment(record)) == record


@given(st.floats(-1, 1), st.floats(-1, 1), st.one_of(st.none(), st.floats(-9, 9)))
def test_decisions(score, limit, ratio):
    evidence = Threshold(limit, 0.001, "toy", (0.0005, 0.002), 90, 100, 9000, "toy-record")
    made = Decision(score, 1 - score, "cosine", evidence, score >= limit, SPACE, ratio)
    photo = analysis_of_one()
    record = through(records.verify_record(Comparison(made, photo, photo, 0, 0), 1 - limit))
    again = values.decision(record, SPACE)
    assert records.verify_record(Comparison(again, photo, photo, 0, 0), 1 - limit) == record
    assert again.is_match == made.is_match
