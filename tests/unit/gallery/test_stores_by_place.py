"""A gallery is opened by its place: a file, or the address of another kind of store."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facelign.errors import GalleryError
from facelign.files.home import may_write, store_address
from facelign.gallery.gallery import Gallery
from facelign.gallery.indexes.exact import ExactIndex
from facelign.gallery.removal import classifier_path
from facelign.gallery.stores import open_store
from facelign.gallery.stores.memory import MemoryStore
from facelign.gallery.stores.sqlite import SqliteStore


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("postgresql://host/name", ("postgresql", "host/name")),
        (Path("postgresql://host/name"), ("postgresql", "host/name")),
        ("family.db", None),
        (r"C:\\family.db", None),
        ("C:/family.db", None),
        ("a folder/x:y.db", None),
    ],
)
def test_an_address_is_told_from_a_file(place: str | Path, told: tuple[str, str] | None) -> None:
    assert store_address(place) == told


def test_a_file_is_opened_by_sqlite(tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "g.db") as gallery:
        assert isinstance(gallery.store, SqliteStore)


def test_a_kind_that_there_is_not_is_told() -> None:
    for place in ("nothing://host/name", "memory://host", "codec://x"):
        with pytest.raises(GalleryError, match="no gallery of the kind"):
            open_store(place)


def test_a_new_kind_is_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    class Toy(MemoryStore):
        def __init__(self, place: str, **how: Any) -> None:
            super().__init__()
            seen.append((place, how))

    module = ModuleType("facelign.gallery.stores.toy")
    module.STORE, module.__spec__ = Toy, ModuleSpec(module.__name__, None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with Gallery.open(Path("toy://host/people"), readonly=True) as gallery:
        assert isinstance(gallery.store, Toy)
    assert Gallery.check_file("toy://host/people").sound
    assert may_write(Path("toy://host/people"))
    assert [place for place, _ in seen] == ["toy://host/people"] * 2
    assert seen[0][1]["readonly"] is True


@pytest.mark.parametrize("place", ["toy://host/people", Path("toy://host/people")])
def test_a_classifier_lies_beside_a_file_only(place: Any) -> None:
    with pytest.raises(
        GalleryError, match=r"toy://host/people is no file, and a classifier lies beside one"
    ):
        classifier_path(place)


def test_what_searches_is_chosen_when_it_is_opened(tmp_path: Path, make: Any) -> None:
    made: list[int] = []

    def factory(*args: Any) -> ExactIndex:
        made.append(1)
        return ExactIndex(*args)

    with Gallery.open(tmp_path / "g.db", index=factory) as gallery:
        gallery.enroll("Ada", make.vectors(1, 1), photo=make.photo(1), faces=[make.face()])
        assert gallery.search(make.vectors(1, 1))[0][0].person == "Ada"
    assert made
