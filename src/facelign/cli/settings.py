"""The file of settings, ``facelign.toml``: other defaults for the options of commands.

It lies in FACELIGN_HOME, and nowhere else is looked for it: a file that came with a folder of
photos must not decide which model or threshold is trusted. FACELIGN_CONFIG names another. A key
above all tables holds for every command that has the option, a table for the command of its name::

    preset = "accurate"

    [identify]
    fpir = 0.003

An option on the command line wins over the environment, that over the file, and the file over what
facelign has itself. The library does not read it: what a program computes is what it says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from difflib import get_close_matches
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import typer

from facelign.cli.flags import said, word_of
from facelign.errors import ConfigError
from facelign.files.home import expanded, home_folder
from facelign.recognition.options import EnrollOptions, LiveOptions
from facelign.types.options import Option, option_of
from facelign.wire.options import ChainFlags, FaceFlags, GalleryFlags, NamingFlags, VerifyFlags

NAME = "facelign.toml"
#: whose options a file may hold
GROUPS: tuple[type, ...] = (
    *(ChainFlags, FaceFlags, GalleryFlags, EnrollOptions, NamingFlags, VerifyFlags, LiveOptions),
)
#: keys that stand for a variable of the environment
VARIABLES: Mapping[str, str] = MappingProxyType(
    {"mirror": "FACELIGN_MIRROR", "license": "FACELIGN_LICENSE"}
)
LICENSES = ("commercial", "strict")
#: what an option on the command line puts aside: a preset is meant whole
_ASIDE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "--preset": ("detector", "landmarks", "model", "layout", "flip", "preprocess"),
        "--largest": ("face",),
    }
)


@dataclass(frozen=True, slots=True)
class Key:
    """An option that the file may hold: its field, type and words, in the group that it is of."""

    word: str
    name: str
    kind: Any
    option: Option
    group: type
    default: object


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file of settings says: values by command ("" for all of them) and key."""

    path: Path
    values: Mapping[tuple[str, str], Any] = field(default_factory=dict)

    def of(self, command: str, key: str) -> Any:
        """Return the value for a command, or None."""
        return self.values.get((command, key), self.values.get(("", key)))

    def told(self, command: str) -> str:
        """Return what is set for a command, as text."""
        words = {key for at, key in self.values if at in ("", command) and key not in VARIABLES}
        return ", ".join(f"{word} = {self.of(command, word)}" for word in sorted(words))


@cache
def keys() -> Mapping[str, tuple[Key, ...]]:
    """Return the options that a file may hold by their words; one word may be said of several."""
    found: dict[str, tuple[Key, ...]] = {}
    for group in GROUPS:
        for entry, hint in said(group):
            option, word = option_of(hint), word_of(entry, hint)
            if option is not None and not option.once:
                default = entry.default
                key = Key(word, entry.name, _plain(get_args(hint)[0]), option, group, default)
                found[word] = (*found.get(word, ()), key)
    return found


def settings_path() -> Path:
    """Return the file of settings, whether it is there or not."""
    named = os.environ.get("FACELIGN_CONFIG", "")
    return expanded(named) if named else home_folder() / NAME


def load(commands: Sequence[str]) -> Settings:
    """Return what the file of settings says; nothing where there is none.

    commands: the names that a table may have. Raises ConfigError for what cannot be meant.
    """
    path = settings_path()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if os.environ.get("FACELIGN_CONFIG"):
            raise ConfigError(
                f"{path} is not there.", "Let FACELIGN_CONFIG name a file that is, or unset it."
            ) from None
        return Settings(path)
    except OSError as problem:
        if isinstance(problem, NotADirectoryError) and not os.environ.get("FACELIGN_CONFIG"):
            raise ConfigError(
                f"The home folder of facelign cannot be {path.parent}: a file stands in the way.",
                "Let FACELIGN_HOME name a folder that you may write to.",
            ) from None
        raise ConfigError(
            f"The settings {path} cannot be read: {problem.strerror}.",
            "Make it readable, or let FACELIGN_CONFIG name another file.",
        ) from None
    return Settings(path, checked(parsed(content, path), path, commands))


def parsed(content: bytes, path: Path) -> dict[str, Any]:
    """Return what a TOML file says; raises ConfigError where it is none."""
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))  # some editors begin with a mark
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(
            f"{path} is no TOML: {problem}.", "Mend it in an editor, or delete it."
        ) from None


def checked(
    read: Mapping[str, Any], path: Path, commands: Sequence[str]
) -> dict[tuple[str, str], Any]:
    """Return the values of a file by command and key; raises ConfigError for what is no setting."""
    values: dict[tuple[str, str], Any] = {}
    for name, value in read.items():
        if isinstance(value, dict):
            if name not in commands:
                raise ConfigError(
                    f"{path}: [{name}] is no command.", nearest(name, commands, "facelign --help")
                )
            for word, inner in value.items():
                values[name, word] = value_of(word, inner, path, name)
        else:
            values["", name] = value_of(name, value, path)
    return values


def value_of(word: str, value: object, path: Path, command: str = "") -> Any:
    """Return a value of a file as the option takes it; raises ConfigError for another.

    Paths are those of the file's folder.
    """
    place = f"{path}: {word}"
    if word in VARIABLES and not command:
        if not isinstance(value, str) or (word == "license" and value not in LICENSES):
            raise ConfigError(
                f"{place} = {value} cannot be meant.", f"Give it as in {VARIABLES[word]}."
            )
        return value if word == "license" or "://" in value else _beside(value, path)
    meant = keys().get(word, ())
    if not meant:
        known = [*keys(), *(() if command else VARIABLES)]
        raise ConfigError(f"{place} is no setting.", nearest(word, known, "facelign config"))
    if len(meant) > 1 and not command:
        raise ConfigError(
            f"{place} means one thing in one command and another in the next.",
            f"Put it into the table of a command, such as [{_EXAMPLES[word]}].",
        )
    return _typed(meant[0], value, path)


#: a command for each key that has to stand in a table
_EXAMPLES = MappingProxyType({"min-height": "identify", "threshold": "verify"})


def defaults(
    app: typer.Typer, command: str, found: Settings, words: Sequence[str]
) -> dict[str, Any] | None:
    """Return what click takes as defaults of a command (``default_map``), None for nothing.

    words: the command line, whose options may put keys aside. Raises ConfigError for a key of the
    command's own table that the command does not have.
    """
    given = {word.partition("=")[0] for word in words}
    aside = {key for option in given for key in _ASIDE.get(option, ())}
    maps = dict(_options(app))
    for at, word in found.values:
        if at == command and not any(word in options for options in maps.values()):
            known = sorted({known for options in maps.values() for known in options})
            raise ConfigError(
                f"{found.path}: {command} has no setting {word}.",
                nearest(word, known, f"facelign {command} --help"),
            )
    made: dict[str, Any] = {}
    for path, options in maps.items():
        chosen = {
            key.name: found.of(command, word)
            for word, (key, _) in options.items()
            if word not in aside and found.of(command, word) is not None
        }
        if chosen:
            inner = made
            for part in path[:-1]:
                inner = inner.setdefault(part, {})
            inner[path[-1]] = chosen
    return made or None


def _options(
    app: typer.Typer, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, tuple[Key, object]]]]:
    """Yield the commands of a command line, each with the options that a file may hold for it."""
    for entry in app.registered_commands:
        options = {}
        for name, (group, default) in getattr(entry.callback, "options", {}).items():
            for key in (one for several in keys().values() for one in several):
                if key.name == name and (key.group is group):
                    options[key.word] = key, default
        yield (*above, str(entry.name)), options
    for inner in app.registered_groups:
        if inner.typer_instance is not None:
            yield from _options(inner.typer_instance, (*above, str(inner.name)))


def every(app: typer.Typer) -> dict[str, dict[str, object]]:
    """Return each command (a group as one) with its settings and their own defaults."""
    found: dict[str, dict[str, object]] = {}
    for path, options in _options(app):
        for word, (key, default) in options.items():
            told = key.default if default is MISSING else default
            found.setdefault(path[0], {}).setdefault(word, told)
    return found


def apply_environment(found: Settings) -> None:
    """Set the variables that the file stands in for, where they are not set."""
    for word, variable in VARIABLES.items():
        value = found.of("", word)
        if value is not None and not os.environ.get(variable):
            os.environ[variable] = value


def takes(key: Key) -> str:
    """Return what kind of value a key takes, in words."""
    if isinstance(key.kind, type) and issubclass(key.kind, Enum):
        return f"one of {', '.join(str(one.value) for one in key.kind)}"
    if key.option.names is not None:
        return "a name"
    words = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    return words.get(key.kind, "a text")


def _plain(kind: Any) -> Any:
    """Return a type without its None."""
    return next((one for one in get_args(kind) if one is not type(None)), kind)


def _typed(key: Key, value: object, path: Path) -> Any:
    place, kind, wanted = f"{path}: {key.word}", key.kind, takes(key)
    fits = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
    }.get(kind, isinstance(value, str) and value != "")
    if isinstance(kind, type) and issubclass(kind, Enum):
        fits = value in [str(one.value) for one in kind]
    if not fits:
        raise ConfigError(f"{place} = {value} cannot be meant.", f"Give {wanted}.")
    if kind is float:
        value = float(value)  # type: ignore[arg-type] # a number, as was seen
    key.option.refuse(place, value)
    if key.word in ("threshold", "liveness-threshold"):
        return _threshold(str(value), place, path)
    return _beside(str(value), path) if kind is Path else value


def _threshold(text: str, place: str, path: Path) -> str:
    """Return a threshold that brings its space: a score alone would be used with any preset."""
    try:
        float(text)
    except ValueError:
        return _beside(text, path) if text.endswith(".json") else text
    raise ConfigError(
        f"{place} = {text} does not say of which preset it is.",
        "Name a calibration file (facelign calibrate) or a published threshold; a score is said "
        "on the command line.",
    )


def _beside(text: str, path: Path) -> str:
    return str(path.absolute().parent / expanded(text))


def nearest(word: str, known: Sequence[str], otherwise: str) -> str:
    """Return the question whether a near name was meant, or where to look."""
    near = get_close_matches(word, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"See: {otherwise}"
