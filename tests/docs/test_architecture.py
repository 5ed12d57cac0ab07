"""docs/architecture.md tells the walk, the floors and the ports that the code has."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
import sys
import tomllib
from itertools import groupby
from pathlib import Path
from typing import get_args

import pytest

import facelign
from facelign.imaging.write import write
from facelign.recognition.photo_gallery import PhotoGallery
from facelign.recognition.recognizer import Recognizer
from facelign.types import changes, contracts
from facelign.wire.records import identify_record

ROOT = Path(__file__).resolve().parents[2]
#: where the package that is tested lies: an installed one is watched as the checkout's own is
HOME = Path(facelign.__file__).resolve().parent
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


#: who walks from room to room; in the room ``detect`` the tries do, from detector to detector
WALKER = ("recognition.", "detect.attempts")
#: what may be called without entering the room of a stage: shared ground, and who carries photos
GROUND = ("types.", "compare.", "jobs.", "models.")
#: what is asked about a photo, and the evidence behind an answer: no photo becomes these
ASKED = {"Walk", "Limits", "IdentifyOptions", "Threshold", "SearchThreshold"}


def _values(given: object) -> set[str]:
    """Return the names of the values in what a function gave, and of what they hold."""
    if isinstance(given, tuple | list):
        return set().union(*map(_values, given))
    if not dataclasses.is_dataclass(given) or type(given).__name__ in ASKED:
        return set()
    parts = [getattr(given, field.name) for field in dataclasses.fields(given)]
    return {type(given).__name__} | _values(parts)


@pytest.fixture(scope="module")
def walked(plain_weights, portrait, tmp_path_factory):
    """One photo through identify, watched: the functions that the walk called in other rooms, as
    (module:function, values given) in order, and the values that ``recognition`` made.
    """
    folder = tmp_path_factory.mktemp("walk")
    photo = write(folder / "portrait.png", portrait.pixels)
    entered: list[tuple[str, set[str]]] = []
    made: set[str] = set()

    def watch(frame, event, given):
        if event != "return":
            return
        code, caller = frame.f_code, frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(str(HOME)):
            caller = caller.f_back  # of dataclasses and contextlib
        if caller is None or not _module(caller.f_code).startswith(WALKER):
            return
        if code.co_name == "__init__" and code.co_filename == "<string>":
            made.update(_values(frame.f_locals["self"]))
        elif code.co_filename.startswith(str(HOME)):
            module = _module(code)
            if not module.startswith((*WALKER, *GROUND)):
                entered.append((f"{module}:{code.co_qualname}", _values(given)))

    recognizer = Recognizer(store=plain_weights, workers=1)
    with PhotoGallery(folder / "people.db", recognizer) as gallery:
        gallery.enroll("Eileen", photo)
        gallery.identify(photo)  # what is made at the first question only is there
        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            (result,) = gallery.identify_many([photo])
            record = identify_record(result)
        finally:
            sys.setprofile(before)
    assert record["faces"][0]["person"] == "Eileen"
    # whether it is one photo or several is asked once, and of no photo
    return [one for one in entered if one[0] != "imaging.read:is_photo"], made


def _module(code) -> str:
    return ".".join(Path(code.co_filename).relative_to(HOME).with_suffix("").parts)


@pytest.mark.weights
def test_the_walk_is_the_drawn_one(pictures, walked):
    """Rooms in the order in which they are entered, and nothing travels that is not drawn."""
    entered, made = walked
    own = ("recognition.", "detect.attempts", "wire.")
    drawn = [where for where, *_ in pictures.WALK if not where.startswith(own)]
    assert [where for where, _ in entered] == drawn
    travels = made.union(*(values for _, values in entered))
    assert travels - set(pictures.PARTS) == pictures.values_of_the_walk()
    rooms = [room for room, _ in groupby(where.partition(".")[0] for where, _ in entered)]
    assert len(rooms) == len(set(rooms)), f"a room is entered again: {rooms}"


def test_each_value_of_the_walk_comes_from_the_function_that_is_named(pictures):
    for where, value, _ in pictures.WALK:
        module, _, path = where.partition(":")
        found = importlib.import_module(f"facelign.{module}")
        for name in path.split("."):
            found = getattr(found, name)
        found = getattr(found, "fget", found)
        gives = str(found.__annotations__["return"])
        assert re.search(rf"\b({value}|Record)\b", gives), f"{where} gives {gives}, not {value}"


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
    homes["matplotlib"], homes["torch"] = {"lab", "report"}, {"train"}
    homes["av"] = {"video"}
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
