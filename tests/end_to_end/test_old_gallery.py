"""A gallery that facelign 0.1.0 wrote goes on: the people commands answer as that version did.

The file is the dump of tests/unit/gallery, made by the earlier program from made-up vectors.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

DUMP = Path(__file__).parents[1] / "unit" / "gallery" / "old_gallery.sql"


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    path = tmp_path / "office.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(DUMP.read_text(encoding="utf-8"))
    return path


def names(facelign, gallery) -> dict[str, int]:
    told = facelign("people", "list", "--json", "--gallery", gallery)
    assert told.code == 0, told.err
    return {row["person"]: row["templates"] for row in told.rows}


def test_its_people_are_listed_and_what_was_done_is_undone(facelign, gallery):
    assert names(facelign, gallery) == {"Ada": 3, "Dora": 1, "Eva": 2, "Robert": 1}
    history = facelign("people", "history", "--json", "--gallery", gallery)
    assert len(history.rows) == 13
    assert {row["action"] for row in history.rows} >= {"enroll", "rename", "merge", "split"}
    assert facelign("people", "undo", "--json", "--gallery", gallery).code == 0
    assert names(facelign, gallery) == {"Ada": 5, "Dora": 1, "Robert": 1}


def test_a_person_is_removed_from_its_bytes(facelign, gallery):
    with closing(sqlite3.connect(gallery)) as db:
        rows = "SELECT v.vector FROM vectors v JOIN templates t ON t.id = v.template"
        ada = rows + " JOIN people p ON p.id = t.person WHERE p.name = 'Ada'"
        vectors = [row[0] for row in db.execute(ada)]
    assert vectors
    assert all(vector in gallery.read_bytes() for vector in vectors)
    done = facelign("people", "remove", "Ada", "--yes", "--json", "--gallery", gallery)
    assert done.code == 0, done.err
    assert names(facelign, gallery) == {"Dora": 1, "Eva": 2, "Robert": 1}
    assert not any(vector in gallery.read_bytes() for vector in vectors)
