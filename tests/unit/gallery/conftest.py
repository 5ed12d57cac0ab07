"""A gallery in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facelign.gallery.gallery import Gallery


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "gallery"
    folder.mkdir()
    return folder / "g.db"


@pytest.fixture
def gallery(path: Path) -> Iterator[Gallery]:
    with Gallery.open(path) as opened:
        yield opened


@pytest.fixture
def templates_of() -> Callable[[Gallery], dict[str, int]]:
    return lambda gallery: {person.name: person.templates for person in gallery.people()}
