"""What is kept of people and photos: names, spellings, what a removal hands over."""

from __future__ import annotations

import os
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facelign.errors import BadArray, ConfigError
from facelign.types.changes import Erased
from facelign.types.faces import Faces
from facelign.types.landmarks import Landmarks
from facelign.types.schemes import FIVE
from facelign.types.templates import (
    MAX_NAME,
    Checkup,
    FaceRecord,
    Finding,
    PhotoRef,
    now,
    person_name,
    spelled,
)

#: text without lone surrogates, as a person types it
typed = st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_NAME + 20)


@given(typed)
def test_a_name_is_kept_in_one_spelling_or_refused(text: str) -> None:
    try:
        name = person_name(text)
    except ConfigError:
        return
    assert 0 < len(name) <= MAX_NAME
    assert name == unicodedata.normalize("NFC", name) == person_name(name)
    assert name == name.strip()
    assert person_name(f" \u200e{unicodedata.normalize('NFD', name)}\u200b ") == name
    assert not [c for c in name if unicodedata.category(c) == "Cc"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs a name"),
        (" \u200b\u2028 ", "needs a name"),
        ("x" * (MAX_NAME + 1), "has 201 characters"),
        ("Ada\x07", "control characters"),
        ("Ada\nLovelace", "control characters"),
        (os.fsdecode(b"Jos\xe9"), "no UTF-8 text"),
    ],
)
def test_what_is_no_name(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        person_name(text)
    assert refused.value.hint, "what is refused says what to do"


def test_bytes_of_a_file_name_are_spelled_so_that_any_file_can_keep_them() -> None:
    assert spelled("Zoë.jpg") == "Zoë.jpg"
    assert spelled(os.fsdecode(b"Jos\xe9.jpg")) == r"Jos\xe9.jpg"
    assert spelled("a\ud800b") == r"a\ud800b", "a surrogate that stands for no byte"
    # in the locale C the bytes of UTF-8 come as surrogates too, and become what they are
    assert spelled("Zoë".encode().decode("ascii", "surrogateescape")) == "Zoë"
    assert PhotoRef(os.fsdecode(b"\xff.jpg"), "").reference == r"\xff.jpg"


@given(st.binary(max_size=30))
def test_every_file_name_becomes_text(name: bytes) -> None:
    spelled(name.decode("utf-8", "surrogateescape")).encode()


def test_the_time_is_now_in_universal_time() -> None:
    told = datetime.fromisoformat(now())
    assert told.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)


def test_the_record_of_a_face_is_what_was_detected() -> None:
    points = np.array([[[10, 12], [20, 12], [15, 18], [11, 22], [19, 22]]], np.float32)
    boxes, scores = np.array([[5, 6, 25, 36]], np.float32), np.array([0.75], np.float32)
    bare = FaceRecord.of(Faces(boxes, scores, None, "d", (40, 40))[0])
    assert (bare.box, bare.score, bare.height) == ((5, 6, 25, 36), 0.75, 30)
    assert (bare.points, bare.scheme) == (None, None)
    full = FaceRecord.of(Faces(boxes, scores, Landmarks(points, FIVE), "d", (40, 40))[0])
    assert full.points is not None
    np.testing.assert_array_equal(full.points, points[0])
    assert (full.scheme, full.height) == ("five", 30)
    with pytest.raises(BadArray):
        FaceRecord(points=np.zeros((5, 3), np.float32))


def test_a_checkup_is_sound_unless_something_is_damaged() -> None:
    fine, unread, broken = (Finding("rows", s) for s in ("sound", "not checked", "damaged"))
    assert Checkup(Path("g.db")).sound
    assert Checkup(Path("g.db"), (fine, unread)).sound
    assert not Checkup(None, (fine, broken)).sound


def test_what_was_erased_counts_templates_and_names_bytes_and_photos_once() -> None:
    first = Erased.of([("d1", b"v1"), ("d1", b"v2"), ("", b"v1")])
    assert (first.templates, first.vectors, first.digests) == (3, (b"v1", b"v2"), ("d1",))
    both = Erased.joined([first, Erased.of([("d2", b"v2")])])
    assert (both.templates, both.vectors, both.digests) == (4, (b"v1", b"v2"), ("d1", "d2"))
    assert Erased.joined([]).templates == 0
    assert "v1" not in repr(first), "a vector is never printed"
