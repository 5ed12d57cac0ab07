"""Option groups: every field says its option, and arrives in what the library takes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Annotated, Any, get_args, get_origin

import pytest

from facelign.cli import building
from facelign.errors import ConfigError, GalleryError, ModelMismatch
from facelign.models import catalog
from facelign.models.weights.store import Store
from facelign.recognition.finding import giver
from facelign.recognition.options import EnrollOptions, IdentifyOptions
from facelign.recognition.presets import preset
from facelign.recognition.recognizer import Recognizer
from facelign.types.options import OptionSet, hints, option_of
from facelign.types.policies import FacePolicy, TemplateMode
from facelign.wire import options
from facelign.wire.options import ChainFlags, CutFlags, FaceFlags, NamingFlags, VerifyFlags

GROUPS = [group for name, group in vars(options).items() if name.endswith("Flags")]


def said(group, path=()):
    """Return (path, hint) of every option of a group, also of those of the sets in it."""
    for name, hint in hints(group).items():
        if is_dataclass(hint):
            yield from said(hint, (*path, name))
        elif option_of(hint) is not None:
            yield (*path, name), hint


def other(value, hint) -> Any:
    """Return another value of the type than the one given."""
    kind = next(kind for kind in get_args(get_args(hint)[0]) or get_args(hint) if kind is not None)
    if kind is bool:
        return not value
    if issubclass(kind, Enum):
        return next(member for member in kind if member is not value)
    return kind("clahe") if issubclass(kind, str) else kind((value or 2) / 2 + 1)


def at(held, path):
    for name in path:
        held = getattr(held, name)
    return held


def changed(held, path, value):
    """Return a group with another value at a path."""
    inner = value if len(path) == 1 else changed(getattr(held, path[0]), path[1:], value)
    return replace(held, **{path[0]: inner})


@pytest.fixture(scope="module")
def recognizer(pulled):
    pulled(*(catalog.default().spec(task, model) for task, model in preset("default").models))
    return ChainFlags(workers=1).recognizer()


@pytest.mark.parametrize("group", [*GROUPS, EnrollOptions])
def test_every_option_has_a_sentence_and_no_flag(group):
    assert issubclass(group, OptionSet)
    found = list(said(group))
    assert found
    for _, hint in found:
        option = option_of(hint)
        assert option.help.endswith(".")
        assert not (option.word or "").startswith("-")
    for name, hint in hints(group).items():  # nothing is said in a way that no flag is made of
        assert option_of(hint) or is_dataclass(hint) or get_origin(hint) is not Annotated, name


@pytest.mark.parametrize("path", [path for path, _ in said(NamingFlags) if path[0] == "options"])
def test_every_option_of_naming_arrives(path, recognizer, tmp_path):
    hint = dict(said(NamingFlags))[path]
    value = other(at(NamingFlags(), path), hint)
    value = 0.5 if path[-1] == "fpir" else value
    found = changed(NamingFlags(), path, value).chosen(recognizer, tmp_path / "g.db")
    assert found == replace(IdentifyOptions(), **{path[-1]: value})


def test_the_fields_of_the_chain_are_what_a_recognizer_takes():
    taken = inspect.signature(Recognizer).parameters
    for field in fields(ChainFlags):
        assert field.name in taken, field.name


@pytest.mark.weights
@pytest.mark.parametrize(
    "path", [path for path, _ in said(ChainFlags) if len(path) > 1 or path == ("workers",)]
)
def test_every_option_of_the_chain_arrives(path, recognizer):
    hint = dict(said(ChainFlags))[path]
    value = other(at(ChainFlags(), path), hint)
    value = "arcface-112" if path[-1] == "layout" else value
    made = changed(ChainFlags(workers=1), path, value).recognizer()
    held = {"options": made.chain.options, "limits": made.limits, "workers": made.workers}
    assert at(held[path[0]], path[1:]) == value
    assert at(held[path[0]], path[1:]) != at(ChainFlags(workers=1), path)


@pytest.mark.weights
def test_the_models_of_the_chain_arrive(recognizer):
    made = ChainFlags(preset="fast", detector="yunet", model="sface", flip=True).recognizer()
    assert (made.chain.preset.id, made.chain.preset.detector) == ("fast", "yunet")
    assert [(part.model, part.flip) for part in made.chain.preset.parts] == [("sface", True)]
    assert recognizer.cache is None
    with pytest.raises(ConfigError, match=r"^workers 0 is too small"):
        ChainFlags(workers=0)


@pytest.mark.weights
def test_recognizers_that_go_less_far(pulled, recognizer):
    finder = ChainFlags().finder()
    assert (finder.chain.options.layout, finder.chain.options.embeds) == ("crop", False)
    cut = CutFlags("crop", size=80, margin=None)
    assert cut.options == {"size": 80}
    aligner = ChainFlags().aligner(cut.layout, cut.options)
    assert aligner.chain.layouts[0].size == (80, 80)
    assert aligner.chain.preset.landmarker is None
    assert ChainFlags().aligner("arcface-112", {}).chain.preset.landmarker is None


@pytest.mark.parametrize(
    ("guard", "form", "wanted"),
    [
        ("", "outer", "dlib-68"),
        ("", "inner", "dlib-68"),
        ("commercial", "outer", "dlib-5"),
        ("strict", "outer", "dlib-5"),
        ("commercial", "inner", "face-api-68"),
    ],
)
def test_points_of_openface_come_from_who_may_be_used(guard, form, wanted, tmp_path):
    known = catalog.default()
    needs = known.layout("openface-96", form=form).needs
    assert giver(needs, Store(tmp_path, guard=guard), known).id == wanted
    for layout in ("arcface-112", "crop", "eyes"):
        assert giver(known.layout(layout).needs, Store(tmp_path, guard=guard), known) is None


@pytest.mark.weights
def test_the_guard_is_told_where_it_changes_the_points(pulled, monkeypatch, capfd):
    known = catalog.default()
    pulled(known.spec("detect", "yunet"), *known.find("dlib-5"))
    monkeypatch.setenv("FACELIGN_LICENSE", "commercial")
    made = building.aligner(ChainFlags(), "openface-96", {})
    assert made.chain.preset.landmarker == "dlib-5"
    assert made.chain.points == ("dlib-5",)
    told = "note: the license guard refuses dlib-68, so dlib-5 gives the points."
    assert told in capfd.readouterr().err
    building.aligner(ChainFlags(landmarker="dlib-5"), "openface-96", {})
    building.aligner(ChainFlags(), "arcface-112", {})
    assert capfd.readouterr().err == ""


@pytest.mark.weights
@pytest.mark.shared
def test_a_layout_brings_the_landmarker_that_it_wants(pulled):
    known = catalog.default()
    pulled(known.spec("detect", "yunet"), *known.find("dlib-68"))
    assert ChainFlags().aligner("openface-96", {}).chain.preset.landmarker == "dlib-68"
    pulled(*(known.spec(task, model) for task, model in preset("dlib").models))
    own = ChainFlags(preset="dlib").aligner("openface-96", {}).chain
    assert own.preset.landmarker == "dlib-5"
    assert own.points == ("dlib-5",)


@pytest.mark.weights
def test_a_layout_that_a_model_cannot_read_is_told_by_both_sizes(pulled, recognizer):
    with pytest.raises(ModelMismatch, match="reads 112x112 px, and layout 'dlib-150' gives 150x1"):
        ChainFlags().recognizer(layout="dlib-150")
    assert ChainFlags().recognizer(layout="eyes").chain.layouts[0].size == (112, 112)


@pytest.mark.weights
def test_how_faces_are_named(recognizer, tmp_path):
    assert NamingFlags().chosen(recognizer, tmp_path / "g.db") == IdentifyOptions()
    flags = NamingFlags(IdentifyOptions(mode=TemplateMode.MEAN), threshold="0.5")
    found = flags.chosen(recognizer, tmp_path / "g.db", FacePolicy.BEST, source="a request")
    assert (found.mode, found.policy, found.calibration) == (
        TemplateMode.MEAN,
        FacePolicy.BEST,
        None,
    )
    assert found.threshold is not None
    assert (found.threshold.threshold.score, found.threshold.note) == (0.5, "a request")
    with pytest.raises(GalleryError, match="has no classifier"):
        NamingFlags(classifier=True).chosen(recognizer, tmp_path / "g.db")


@pytest.mark.parametrize("fmr", [0, 7])
def test_a_group_refuses_by_itself(fmr):
    with pytest.raises(ConfigError, match=f"^fmr {fmr} is no share"):
        VerifyFlags(fmr=fmr)


def test_reading_a_default_loads_no_arrays():
    code = "import sys, facelign.wire.options; print({'numpy', 'cv2', 'typer'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_which_face():
    assert FaceFlags().policy(FacePolicy.ONLY) is FacePolicy.ONLY
    assert FaceFlags(FacePolicy.BEST).policy(FacePolicy.ONLY) is FacePolicy.BEST
    for same in (FaceFlags(None, True), FaceFlags(FacePolicy.LARGEST, True)):
        assert same.policy(FacePolicy.ONLY) is FacePolicy.LARGEST
    with pytest.raises(ConfigError, match="contradict"):
        FaceFlags(FacePolicy.BEST, True)
