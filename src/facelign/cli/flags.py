"""Commands whose parameters are groups of options: the group is typed once, the flags follow.

A parameter that is an ``OptionSet`` whose fields say an ``Option`` (see ``types.options``; a
command may have a group of its own in its file, whose fields may say typer's Option or Argument
too) becomes the flags of its fields, in their order, also of those of the sets of options that it
holds, and the command is handed the object. A flag is spelled as its field, or its ``word``::

    @command  # of a group of commands: @app.add("similarity")
    def similarity(
        photos: Photos,
        out: OutFile,  # a parameter of typer stays what it is
        which: Annotated[FaceFlags, only("face")],
        chain: Annotated[ChainFlags, without("landmarker", "workers")],
        naming: Annotated[NamingFlags, only("fpir", help="As in identify.", fpir=0.1)],
        output: JsonFlag,
        seed: Seed = SEED,
    ) -> int: ...

``only`` and ``without`` leave fields out, which then keep their defaults; ``help`` says other
words, and a name says another default. The order of the help is that of the parameters; where a
group stands behind a parameter with a default, a ``*`` stands before it. What a field checks
(``share``, ``height``) is checked before the command begins. A command that returns nothing is
done. Commands import at the top of their file; what loads arrays and networks is imported by
``building`` when it is called, so that no help waits for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from dataclasses import field as dataclass_field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from facelign.cli import completion
from facelign.cli.exits import Exit
from facelign.files.home import expanded
from facelign.types.options import OptionSet, hints, option_of
from facelign.wire.options import OutputFlags


def completed(help: str, kind: str, metavar: str | None = None) -> Any:
    """Return an argument that names something of a kind (``completion.names``)."""
    names = completion.names(kind)
    return typer.Argument(help=help, show_default=False, metavar=metavar, autocompletion=names)


def completed_option(flag: str, help: str, kind: str, metavar: str | None = None) -> Any:
    """Return an option that names something of a kind (``completion.names``)."""
    names = completion.names(kind)
    return typer.Option(flag, help=help, metavar=metavar, autocompletion=names)


Photos = Annotated[list[str], typer.Argument(help="Photos, folders or globs.", show_default=False)]
QualityOf = Annotated[
    str | None,
    completed_option(
        "--quality",
        "Tell each face's quality by this measure (measured, ediffiqa-t).",
        "quality",
        "MODEL",
    ),
]


PoseOf = Annotated[
    str | None,
    completed_option(
        "--pose",
        "Tell which way each head looks by this model (points, headpose-b66).",
        "pose",
        "MODEL",
    ),
]


@dataclass(frozen=True, slots=True)
class Pick:
    """Which fields of a group a command has, with which words and defaults instead of theirs."""

    names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    help: str | None = None
    defaults: Mapping[str, object] = dataclass_field(default_factory=dict)


def only(*names: str, help: str | None = None, **defaults: object) -> Pick:
    """Return the choice of some fields of a group."""
    return Pick(names=names, help=help, defaults=defaults)


def without(*names: str, **defaults: object) -> Pick:
    """Return the choice of all fields of a group but some."""
    return Pick(left_out=names, defaults=defaults)


#: the one flag of results that every command has
JsonFlag = Annotated[OutputFlags, only("json")]


def command(function: Callable[..., object]) -> Callable[..., object]:
    """Return a command for typer with flags in the place of groups."""
    annotations = get_type_hints(function, include_extras=True)
    groups: dict[str, tuple[type[OptionSet], list[str]]] = {}
    checks: dict[str, Callable[[Any], object]] = {}
    options: dict[str, tuple[type, object]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        group, pick = _group(annotations[parameter.name])
        if group is None:
            parameters.append(
                _named(parameter.name, parameter.default, annotations[parameter.name])
            )
            continue
        picked = _picked(group, pick)
        groups[parameter.name] = group, [field.name for field, _ in picked]
        for field, hint in picked:
            default = pick.defaults.get(field.name, field.default)
            parameters.append(_named(field.name, default, _option(field, hint, group, pick.help)))
            option = option_of(hint)
            if option is not None:
                options[field.name] = group, default
                checks[field.name] = partial(option.refuse, spelling(field, hint).split("/")[0])

    def run(**given: Any) -> object:
        given = {name: _placed(value) for name, value in given.items()}
        for name, check in checks.items():
            check(given[name])
        for name, (group, picked) in groups.items():
            given[name] = _filled(group, {field: given.pop(field) for field in picked})
        return function(**given) or Exit.DONE

    run.__name__, run.__qualname__ = function.__name__, function.__qualname__
    run.__doc__, run.__module__ = function.__doc__, function.__module__
    run.__annotations__ = {entry.name: entry.annotation for entry in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.options = options  # type: ignore[attr-defined] # for the file of settings
    return run


def _placed(value: Any) -> Any:
    """Return a value with its paths expanded: no shell does it behind an equals sign."""
    if isinstance(value, Path):
        return expanded(value)
    return [_placed(part) for part in value] if isinstance(value, list) else value


class Commands(typer.Typer):
    """A group of commands."""

    def __init__(self, help: str) -> None:
        super().__init__(help=help, no_args_is_help=True)

    def add(self, name: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
        """Return the decorator of the command ``name``, with flags in the place of groups."""
        return lambda function: self.command(name)(command(function))


def _group(hint: object) -> tuple[type[OptionSet] | None, Pick]:
    """Return the group that a parameter is, if it is one, and which of its fields."""
    kind, pick = hint, Pick()
    if get_origin(hint) is Annotated:
        kind, *notes = get_args(hint)
        pick = next((note for note in notes if isinstance(note, Pick)), pick)
    return (kind if isinstance(kind, type) and issubclass(kind, OptionSet) else None), pick


def _picked(group: type[OptionSet], pick: Pick) -> list[tuple[Field[Any], Any]]:
    """Return the fields that a command has of a group; raises TypeError for a wrong name."""
    every = list(said(group))
    wrong = {*pick.names, *pick.left_out, *pick.defaults} - {field.name for field, _ in every}
    if wrong:
        raise TypeError(f"{group.__name__} has no field {', '.join(sorted(wrong))}.")
    return [
        (field, hint)
        for field, hint in every
        if field.name not in pick.left_out and (not pick.names or field.name in pick.names)
    ]


def said(group: Any) -> Iterator[tuple[Field[Any], Any]]:
    """Yield the fields of a group that are flags, also of the sets of options that it holds."""
    for field, hint in _typed_fields(group):
        if is_dataclass(hint):
            yield from said(hint)
        elif get_origin(hint) is Annotated:
            yield field, hint


def _filled(group: Any, given: Mapping[str, object]) -> object:
    """Return the group with what was given; what a command leaves out keeps its default."""
    filled: dict[str, object] = {}
    for field, hint in _typed_fields(group):
        if is_dataclass(hint):
            filled[field.name] = _filled(hint, given)
        elif get_origin(hint) is Annotated and field.name in given:
            filled[field.name] = given[field.name]
    return group(**filled)


def _typed_fields(group: Any) -> Iterator[tuple[Field[Any], Any]]:
    return ((field, hints(group)[field.name]) for field in fields(group))


def word_of(field: Field[Any], hint: Any) -> str:
    """Return what a field is called: min-height."""
    option = option_of(hint)
    return ((option and option.word) or field.name).replace("_", "-")


def spelling(field: Field[Any], hint: Any) -> str:
    """Return how a field is said: --min-height, or --flip/--no-flip where no is not the default."""
    word = word_of(field, hint)
    both = get_args(hint)[0] in (bool, bool | None) and field.default is not False
    return f"--{word}/--no-{word}" if both else f"--{word}"


def spellings(command: Callable[..., object], groups: Sequence[type]) -> dict[str, bool]:
    """Return how a command says the options of some groups, and whether a value follows."""
    options = getattr(command, "options", {})
    return {
        word: get_args(hint)[0] not in (bool, bool | None)
        for group in groups
        for field, hint in said(group)
        if field.name in options
        for word in spelling(field, hint).split("/")
    }


def _option(field: Field[Any], hint: Any, group: type[OptionSet], words: str | None) -> Any:
    """Return the type of a field with typer's Option beside it."""
    option = option_of(hint)
    if option is None:  # it says typer's own already
        return hint
    shown = typer.Option(
        spelling(field, hint),
        help=words or option.help,
        rich_help_panel=group.panel,
        min=option.low,
        metavar=option.metavar,
        readable=not option.unread,
        autocompletion=None if option.names is None else completion.names(option.names),
    )
    return Annotated[get_args(hint)[0], shown]


def _named(name: str, default: object, hint: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    default = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, kind, default=default, annotation=hint)
