"""A gallery with rows that no facelign wrote answers or is refused in one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from facelign.errors import FacelignError, GalleryCorrupt
from facelign.gallery.gallery import Gallery
from facelign.types.embeddings import Embeddings, Metric, Space
from facelign.types.templates import FaceRecord, PhotoRef, Row

SPACE = Space("m/l/five", 4, Metric.COSINE, unit=False)
VALUES = (None, -1, 0, 2**62, 0.5, "", "x", "[]", '{"moved": 3}', b"", b"\0\xff", b"\0" * 16)
COLUMNS = {
    "people": ("name", "created"),
    "spaces": ("id", "dim", "metric", "unit"),
    "templates": (
        *("person", "space", "reference", "digest", "x1", "y2", "points", "scheme"),
        *("score", "height", "norm", "created", "consent"),
    ),
    "vectors": ("template", "vector"),
    "history": ("time", "action", "person", "name", "templates", "detail", "run", "undone"),
    "state": ("revision", "reshaped", "next_template", "next_person", "unscrubbed"),
    "rejections": ("person", "digest", "reference"),
}
PLACES = [(table, column) for table, columns in COLUMNS.items() for column in columns]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gallery") / "g.db"
    with Gallery.open(path, create=True) as gallery:
        for i, person in enumerate(("Ann", "Ann", "Bob")):
            face = FaceRecord((1.0, 2.0, 30.0, 40.0), np.ones((5, 2), np.float32), "five", 0.9, 38)
            vector = np.eye(4, dtype=np.float32)[i]
            photo = PhotoRef(f"{i}.jpg", f"{i}" * 64)
            gallery.enroll_many([Row(person, vector, photo, 1.0, face)], SPACE)
        gallery.rename("Bob", "Rob")
        gallery.reject("Rob", digest="1" * 64)
    return path.read_bytes()


def mutate(path: Path, change: str, value: object) -> None:
    """Write into a gallery what its tables do not allow, as damage does."""
    kept: list[tuple[str, str]] = []
    for step in ("lift", "change", "restore"):
        with closing(sqlite3.connect(path)) as file, suppress(sqlite3.IntegrityError), file:
            file.execute("PRAGMA writable_schema = ON")
            if step == "lift":
                file.execute("DROP TRIGGER vectors_stay")
                kept = file.execute("SELECT sql, name FROM sqlite_master WHERE sql > ''").fetchall()
                laxer = [(sql.replace(" NOT NULL", ""), name) for sql, name in kept]
            elif step == "change":
                file.execute(change, (value,))
            for row in {"lift": laxer, "restore": kept}.get(step, []):
                file.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", row)


def used(path: Path, damaged: bool) -> Iterator[object]:
    """Do what the commands do with a gallery."""
    probe = Embeddings(np.ones((1, 4), np.float32), SPACE, np.ones(1, np.float32))
    with Gallery.open(path, create=False, damaged=damaged) as gallery:
        for step in (
            gallery.people,
            lambda: [gallery.templates(person.name) for person in gallery.people()],
            lambda: list(gallery.history()),
            lambda: gallery.search(probe, k=2),
            lambda: gallery.export(path.with_name("e.npz"), SPACE.id),
            lambda: gallery.rename("Rob", "Bob"),
            gallery.undo,
            lambda: gallery.merge("Rob", "Ann"),
            gallery.undo,
            lambda: gallery.remove("Ann"),
        ):
            with suppress(FacelignError):
                yield step()


@pytest.mark.parametrize(("table", "column"), PLACES)
def test_nothing_but_our_errors_comes_of_mutated_rows(
    sound: bytes, tmp_path: Path, table: str, column: str
) -> None:
    some = "" if table == "rejections" else f" WHERE rowid = (SELECT min(rowid) FROM {table})"
    for place, value in enumerate(VALUES):
        path = tmp_path / f"{place}.db"
        path.write_bytes(sound)
        mutate(path, f"UPDATE {table} SET {column} = ?{some if place % 2 else ''}", value)
        with suppress(FacelignError):
            assert Gallery.check_file(path).gallery == path
        for damaged in (False, True):
            with suppress(FacelignError):
                for _ in used(path, damaged):
                    pass


@pytest.mark.parametrize(
    ("table", "column"), [("people", "name"), ("templates", "digest"), ("vectors", "vector")]
)
def test_a_row_of_nothing_is_told(sound: bytes, tmp_path: Path, table: str, column: str) -> None:
    path = tmp_path / "g.db"
    path.write_bytes(sound)
    mutate(path, f"UPDATE {table} SET {column} = ?", None)
    with pytest.raises(GalleryCorrupt, match=f"a row of its {table} is none"):
        Gallery.open(path, create=False)
