"""Galleries that older programs wrote are read, and what they did is undone.

``old_gallery.sql`` is the dump of a file in which facelign 0.1.0 (commit e00da03) made every kind
of change through its own calls, the vectors of photo i being (i, i + 1/4, -i, 1).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import GalleryError
from facelign.gallery.gallery import Gallery
from facelign.gallery.stores import codec
from facelign.types.embeddings import Embeddings, Metric, Space

SPACE = Space("tiny/crop/box", 4, Metric.EUCLIDEAN, unit=False)
TEXTS = [
    "one person with 1 template",
    "1 template of Ada",
    "1 template of Ada",
    "1 template of Ada",
    "1 template of Bob",
    "3 templates of several people",
    "1 template",
    "Bob is now Robert",
    "a photo is not Cleo, 1 template set aside",
    "a photo is not Ada",
    "Cleo went into Ada, with 2 templates",
    "2 templates of Ada became Eva",
    "Eva is now Eve",
]


@pytest.fixture
def old(path):
    text = Path(__file__).with_name("old_gallery.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path)) as db:
        db.executescript(text)
    with Gallery.open(path) as gallery:
        yield gallery


def rows(path):
    columns = f"SELECT number, {codec.HISTORY} FROM history ORDER BY number"
    with closing(sqlite3.connect(path)) as db:
        return db.execute(columns).fetchall()


def test_the_history_is_told_in_the_same_words(old):
    entries = old.history()
    assert [entry.text for entry in entries] == TEXTS
    assert [entry.number for entry in entries] == list(range(1, 14))
    assert [bool(entry.undone) for entry in entries] == 12 * [False] + [True]
    assert [entry.action for entry in entries[5:8]] == ["enroll", "import", "rename"]


def test_entries_are_written_as_they_were(old, path):
    """An older program may go on with the file."""
    for row in rows(path):
        assert (row[0], *codec.history(codec.entry(row))) == row


def test_it_is_searched(old, templates_of):
    assert templates_of(old) == {"Ada": 3, "Eva": 2, "Robert": 1, "Dora": 1}
    probe = np.array([[1, 1.25, -1, 1]], np.float32)
    answer = old.search(Embeddings(probe, SPACE, np.ones(1, np.float32)))[0]
    assert (answer[0].person, answer[0].distance) == ("Eva", 0)


def test_everything_down_to_the_removal_is_undone(old, templates_of):
    undone = []
    for count in (1, 1, 1, 1, 1, 1, 1, 1, 3):
        entries = old.undo()
        assert len(entries) == count
        undone.append(templates_of(old))
    assert undone == [
        {"Ada": 5, "Robert": 1, "Dora": 1},
        {"Ada": 4, "Cleo": 1, "Robert": 1, "Dora": 1},
        {"Ada": 4, "Cleo": 1, "Robert": 1, "Dora": 1},
        {"Ada": 4, "Cleo": 2, "Robert": 1, "Dora": 1},
        {"Ada": 4, "Cleo": 2, "Bob": 1, "Dora": 1},
        {"Ada": 4, "Cleo": 2, "Bob": 1},
        {"Ada": 3, "Bob": 1},
        {"Ada": 3},
        {},
    ]
    with pytest.raises(GalleryError, match="removal"):
        old.undo()


def test_a_removal_forgets_what_an_older_program_wrote(old, path, make):
    assert old.remove("Ada").verified
    assert [entry.text for entry in old.history()][:3] == [
        "one person with 1 template",
        "1 template of Bob",
        "3 templates of several people",
    ]
    for name in (b"Ada", b"Cleo", b"Eva"):
        assert (name in make.files(path)) == (name == b"Eva")
