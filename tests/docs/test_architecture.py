"""docs/architecture.md tells the walk, the floors and the ports that the code has."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from facelign.types import changes, contracts

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACTS = SETTINGS["tool"]["importlinter"]["contracts"]


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
    layers = " ".join(CONTRACTS[0]["layers"])
    picture = (ROOT / "docs/pictures/floors.svg").read_text("utf-8")
    rooms = set(re.findall(r"\w+", layers))
    assert {"train", "video", "liveness", "server", "client"} <= rooms
    assert [room for room in rooms if f">{room}<" not in picture] == []


PORTS = re.findall(r"^\| `(\w+)` \| .* \| `(test_\w+\.py)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("port", "suite"), PORTS)
def test_every_port_is_there_with_its_laws(port, suite):
    assert getattr(getattr(contracts, port), "_is_protocol", False)
    assert (ROOT / "tests" / "contracts" / suite).is_file()


def test_every_port_is_told():
    ports = {
        name
        for name, found in vars(contracts).items()
        if getattr(found, "_is_protocol", False) and found.__module__ == contracts.__name__
    }
    assert {port for port, _ in PORTS} == ports


def test_every_change_is_told():
    told = re.search(r"What happens to a gallery is data: (.*?) are records", PAGE, re.DOTALL)
    assert told is not None
    kinds = get_args(changes.Change)
    records = {one.__name__ for kind in kinds for one in (kind, *kind.__subclasses__())}
    assert set(re.findall(r"`(\w+)`", told[1])) == records


def test_every_room_but_its_own_is_kept_from_terminal_and_engines():
    first, *others = CONTRACTS
    rooms = set(re.findall(r"\w+", re.sub(r"\(\w+\)", "", " ".join(first["layers"]))))
    homes = {"typer": {"cli"}, "onnxruntime": {"runtime"}, "dlib": {"runtime"}}
    homes["torch"] = {"lab", "report"}
    forbidden = [one for one in others if one["type"] == "forbidden"]
    assert {one["forbidden_modules"][0] for one in forbidden} == set(homes)
    for one in forbidden:
        kept = {name.removeprefix("facelign.") for name in one["source_modules"]}
        assert rooms - kept == homes[one["forbidden_modules"][0]], one["name"]


def test_a_picture_changes_its_size_where_the_page_says():
    told = PAGE[PAGE.index("Pictures change their size") : PAGE.index("## Ports")]
    named = {"imaging/resize.py", *re.findall(r"`([\w/]+\.py)`", told)}
    home = ROOT / "src" / "facelign"
    sized = r"cv2\.(resize|warpAffine|pyrDown|remap)\(|IMREAD_REDUCED"
    found = {
        path.relative_to(home).as_posix()
        for path in home.rglob("*.py")
        if re.search(sized, path.read_text("utf-8"))
    }
    assert found == named


def test_files_that_the_page_names_exist():
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE):
        assert (ROOT / "src" / "facelign" / name).is_file(), name
