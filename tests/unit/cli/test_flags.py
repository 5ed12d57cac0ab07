"""Groups of options become flags, and the command is handed the group."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Annotated, get_args

import pytest
import typer
from typer.testing import CliRunner

from facelign.cli.app import build
from facelign.cli.flags import JsonFlag, Photos, command, only, said, spelling, without
from facelign.errors import ConfigError
from facelign.recognition.options import ChainOptions, EnrollOptions, IdentifyOptions
from facelign.types.options import Option, OptionSet
from facelign.types.policies import Attempts, FacePolicy, TemplateMode
from facelign.wire import options
from facelign.wire.options import ChainFlags, FaceFlags, NamingFlags, OutputFlags


@dataclass(frozen=True, slots=True)
class OwnFlags(OptionSet):
    depth: Annotated[int, Option("How deep.", low=1)] = 3
    plain: Annotated[str, typer.Option("--plain", help="As typer says it.")] = "x"


def ran(function, *words):
    """Run a command and return what it was handed."""
    taken = []
    app = typer.Typer()
    app.command()(command(function(taken)))
    result = CliRunner().invoke(app, list(words), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return taken[0]


def naming(taken):
    def run(
        photos: Photos,
        number: int = 7,
        *,
        which: Annotated[FaceFlags, only("face")],
        naming: NamingFlags,
        chain: Annotated[ChainFlags, without("workers", preset="fast")],
        own: OwnFlags,
        output: JsonFlag,
    ) -> None:
        taken.append((photos, number, which, naming, chain, own, output))

    return run


def test_defaults():
    assert ran(naming, "a.jpg", "b.jpg") == (
        ["a.jpg", "b.jpg"],
        7,
        FaceFlags(),
        NamingFlags(),
        ChainFlags(preset="fast"),
        OwnFlags(),
        OutputFlags(),
    )


def test_what_is_said_arrives():
    said = "a.jpg --face best --templates mean --no-flip --no-rotate --depth 4 --plain y --json"
    _, _, which, naming_, chain, own, output = ran(naming, *said.split())
    assert which == FaceFlags(FacePolicy.BEST)
    assert naming_ == NamingFlags(IdentifyOptions(mode=TemplateMode.MEAN))
    assert chain == ChainFlags(
        preset="fast", flip=False, options=ChainOptions(attempts=Attempts(turned=False))
    )
    assert own == OwnFlags(4, "y")
    assert output == OutputFlags(json=True)


@pytest.mark.parametrize("words", ["--workers 2", "--largest", "--draw x", "--depth 0"])
def test_what_is_left_out_is_no_flag(words):
    with pytest.raises(typer.BadParameter.__mro__[1]):
        ran(naming, "a.jpg", *words.split())


def test_a_check_names_the_flag_and_comes_before_the_command():
    with pytest.raises(ConfigError, match="--fpir 2 is no share"):
        ran(naming, "a.jpg", "--fpir", "2")
    with pytest.raises(ConfigError, match="--min-height -1 is no height"):
        ran(naming, "a.jpg", "--min-height=-1")


def test_a_wrong_field_is_a_mistake_of_the_programmer():
    def wrong(chain):
        return chain

    wrong.__annotations__ = {"chain": Annotated[ChainFlags, only("nothing")]}
    with pytest.raises(TypeError, match="ChainFlags has no field nothing"):
        command(wrong)


def test_other_words_for_a_field():
    def sort(naming):
        return naming

    sort.__annotations__ = {"naming": Annotated[NamingFlags, only("fpir", help="As there.")]}
    (parameter,) = inspect.signature(command(sort)).parameters.values()
    assert parameter.default == IdentifyOptions().fpir
    assert parameter.annotation.__metadata__[0].help == "As there."


@pytest.mark.parametrize("name", ["detect", "embed", "identify", "enroll", "sort", "align"])
def test_the_help_shows_every_flag_of_the_chain_with_its_default(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    shown = CliRunner().invoke(build((name,)), [name, "--help"], color=False).stdout
    absent = {"model", "flip", "layout"} if name in ("detect", "align") else set()
    for field, hint in said(ChainFlags):
        flag = spelling(field, hint).split("/")[0]
        assert (flag in shown) is (
            field.name not in absent or (name, field.name) == ("align", "layout")
        )
    assert "[default: 1.0]" in shown


GROUPS = [group for name, group in vars(options).items() if name.endswith("Flags")]


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, f.name) for group in [*GROUPS, EnrollOptions] for f, _ in said(group)],
)
def test_every_option_said_on_a_command_line_arrives(group, name):
    """A new flag is a field: this finds it, says it, and looks for it in the group."""

    def run(taken):
        def function(group):
            taken.append(group)

        function.__annotations__ = {"group": Annotated[group, only(name)], "return": None}
        return function

    field, hint = next((f, h) for f, h in said(group) if f.name == name)
    kind = next(kind for kind in (*get_args(get_args(hint)[0]), get_args(hint)[0]))
    words = spelling(field, hint).split("/")
    if kind is bool:
        words, value = words[-1:], len(words) == 1
    elif issubclass(kind, Enum):
        value = list(kind)[-1]
        words.append(value)
    else:
        value = kind("0.5" if kind is float else "4")
        words.append(str(value))
    assert found(ran(run, *words), name) == value
    assert found(group(), name) != value


def found(group, name):
    """Return the value of an option of a group, or of the sets of options that it holds."""
    held = {entry: getattr(group, entry) for entry in group.__slots__}
    inner = (found(one, name) for one in held.values() if is_dataclass(one))
    return held[name] if name in held else next((one for one in inner if one is not None), None)
