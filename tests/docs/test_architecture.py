"""docs/architecture.md tells the walk, the floors and the ports that the code has."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from facelign.types import contracts

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pictures():
    """The tool that draws the pictures, loaded by its file."""
    place = ROOT / "tools" / "make_doc_pictures.py"
    spec = importlib.util.spec_from_file_location("make_doc_pictures", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place.parent))  # it imports its neighbor
        spec.loader.exec_module(module)
    return module


def test_each_value_of_the_walk_comes_from_the_function_that_is_named(pictures):
    for room, where, value, _ in pictures.WALK:
        module, _, path = where.partition(":")
        found = importlib.import_module(f"facelign.{module}")
        for name in path.split("."):
            found = getattr(found, name)
        gives = str(found.__annotations__["return"])
        assert re.search(rf"\b({value}|Record)\b", gives), f"{where} gives {gives}, not {value}"
        assert (ROOT / "src" / "facelign" / room / "__init__.py").is_file()


def test_the_walk_has_at_most_nine_values(pictures):
    assert len({value for _, _, value, _ in pictures.WALK}) == len(pictures.WALK) <= 9


@pytest.mark.parametrize("name", ["floors", "values"])
def test_the_drawn_stairs_are_fresh(pictures, name, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "TARGET", tmp_path)
    monkeypatch.setattr(pictures, "ROOT", tmp_path)
    monkeypatch.setattr(pictures, "_exists", _exists)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    pictures.PICTURES[name](None)
    drawn = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == (ROOT / "docs/pictures" / f"{name}.svg").read_text("utf-8"), "run: make pages"


def _exists(room: str) -> bool:
    return (ROOT / "src" / "facelign" / room / "__init__.py").is_file() or room == "errors"


def test_every_room_stands_on_the_picture():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = " ".join(settings["tool"]["importlinter"]["contracts"][0]["layers"])
    picture = (ROOT / "docs/pictures/floors.svg").read_text("utf-8")
    rooms = set(re.findall(r"\w+", layers))
    assert {"train", "video", "liveness", "server", "client"} <= rooms
    assert [room for room in rooms if f">{room}<" not in picture] == []


PORTS = re.findall(r"^\| `(\w+)` \| .* \| `(test_\w+\.py)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("port", "suite"), PORTS)
def test_every_port_is_there_with_its_laws(port, suite):
    assert getattr(getattr(contracts, port), "_is_protocol", False)
    assert (ROOT / "tests" / "contracts" / suite).is_file()


def test_ten_ports_are_told():
    assert len(PORTS) == 10


def test_files_that_the_page_names_exist():
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE):
        assert (ROOT / "src" / "facelign" / name).is_file(), name
