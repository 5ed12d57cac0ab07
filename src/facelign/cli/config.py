"""``facelign config``: the file of settings."""

from __future__ import annotations

import json as notation
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from facelign.cli import completion, settings
from facelign.cli.app import COMMANDS, build
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer
from facelign.errors import ConfigError
from facelign.files.disk import made, write
from facelign.files.home import expanded
from facelign.wire.records import Record, plain

app = Commands("The file of settings: show, set or unset defaults of the commands.")


def _offered(incomplete: str) -> list[str]:
    """Return the settings that begin so, for a shell that completes a word."""
    known = (*settings.VARIABLES, *settings.keys())
    return [word for word in known if word.startswith(incomplete)]


Word = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        help="A setting (preset), or one of a command (identify.fpir).",
        show_default=False,
        autocompletion=_offered,
    ),
]


@app.callback(invoke_without_command=True, no_args_is_help=False)
def alone(context: typer.Context) -> None:
    """The file of settings: show, set or unset defaults of the commands."""
    if context.invoked_subcommand is None:
        _show(json=False)


@app.add("show")
def show(output: JsonFlag) -> None:
    """Show every setting, its value, and where that comes from."""
    _show(json=output.json)


def _show(*, json: bool) -> None:
    found = settings.load(_commands())
    rows = list(_rows(found))
    there = found.path.is_file()
    record: Record = {"file": str(found.path), "there": there, "settings": rows}
    answer(record, *_lines(record), json=json)


@app.add("path")
def path(output: JsonFlag) -> None:
    """Print where the file of settings is, or would be."""
    found = settings.settings_path()
    answer({"file": str(found), "there": found.is_file()}, str(found), json=output.json)


@app.add("set")
def set_value(
    key: Word,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="Its value.", show_default=False)],
    output: JsonFlag,
) -> None:
    """Set a default of every command, or of one: identify.fpir."""
    command, word = _split(key)
    _change(command, word, _value(command, word, value))
    found = settings.load(_commands())
    kept = found.of(command, word)
    answer(
        {"set": {"key": key, "value": plain(kept)}, "file": str(found.path)},
        f"{key} = {_text(kept)} in {found.path}",
        json=output.json,
    )


@app.add("unset")
def unset(key: Word, output: JsonFlag) -> None:
    """Take a setting out of the file, so that facelign's own default holds again."""
    command, word = _split(key)
    found = settings.load(_commands())
    if (command, word) not in found.values:
        held = [".".join(filter(None, at)) for at in found.values]
        raise ConfigError(f"{found.path} does not set {key}.", settings.nearest(key, held, "show"))
    _change(command, word, None)
    answer({"unset": key, "file": str(found.path)}, f"{key} is unset.", json=output.json)


def _commands() -> tuple[str, ...]:
    return tuple(COMMANDS)


def _split(key: str) -> tuple[str, str]:
    """Return command and key of KEY or COMMAND.KEY."""
    command, _, word = key.rpartition(".")
    return command, word


def _value(command: str, word: str, text: str) -> Any:
    """Return a value of the command line as the file keeps it.

    Raises ConfigError for what is no setting, or none of that command, or cannot be its value.
    """
    path = settings.settings_path()
    given: object = text
    meant = settings.keys().get(word)
    if meant and meant[0].kind in (bool, int, float):
        try:
            given = notation.loads(text.lower())
        except ValueError:
            given = text
    elif (meant and meant[0].kind is Path) or text.endswith(".json") or word == "mirror":
        given = text if "://" in text else str(expanded(text).absolute())
    values: dict[str, Any] = {command: {word: given}} if command else {word: given}
    found = settings.Settings(path, settings.checked(values, path, _commands()))
    if command:
        settings.defaults(build((command,)), command, found, ())
    names = meant[0].option.names if meant else None
    known = completion.known(names) if names else None
    if known is not None and given not in known:
        raise ConfigError(
            f"{word} {text} is not here.", settings.nearest(text, known, "facelign models list")
        )
    return given


def _change(command: str, word: str, value: object) -> None:
    """Write or delete (None) one key; every other line of the file stays as it is."""
    path = settings.settings_path()
    content = path.read_bytes() if path.is_file() else b""
    wanted = settings.parsed(content, path)
    place = wanted.setdefault(command, {}) if command else wanted
    place.pop(word, None)
    if value is not None:
        place[word] = value
    text = edited(content.decode("utf-8-sig"), command, word, value)
    try:
        same = settings.parsed(text.encode(), path) == wanted
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(f"{path} is written in a way of its own.", "Change it in an editor.")
    made(path.parent)
    write(path, text.encode("utf-8"))


def edited(text: str, command: str, word: str, value: object) -> str:
    """Return a TOML text with one key set, or without it (None); its other lines stay."""
    lines = text.splitlines()
    heads = [i for i, line in enumerate(lines) if line.lstrip().startswith("[")]
    start = 0
    if command:
        head = re.compile(rf"\s*\[\s*{re.escape(command)}\s*\]\s*(#.*)?")
        at = next((i for i in heads if head.fullmatch(lines[i])), None)
        if at is None:
            lines += [*([""] if lines else []), f"[{command}]"]
            at = len(lines) - 1
        start = at + 1
    end = next((i for i in heads if i >= start), len(lines))
    key = re.compile(rf"\s*{re.escape(word)}\s*=")
    held = [i for i in range(start, end) if key.match(lines[i])]
    new = [] if value is None else [f"{word} = {_text(value)}"]
    if held:
        lines[held[0] : held[0] + 1] = new
    else:
        while end > start and not lines[end - 1].strip():
            end -= 1
        lines[end:end] = new
    return "".join(f"{line}\n" for line in lines)


def _text(value: object) -> str:
    """Return a value as TOML writes it, where it is as JSON does."""
    return notation.dumps(value, ensure_ascii=False)


def _rows(found: settings.Settings) -> Iterator[Record]:
    """Yield what each setting is, of all commands and of single ones, and where it comes from."""
    for word, variable in settings.VARIABLES.items():
        value, source = os.environ.get(variable), f"environment ({variable})"
        if not value:
            value, source = found.of("", word), "file"
        yield _row("", word, value, source if value else "default")
    for word, meant in settings.keys().items():
        if len(meant) == 1:
            value = found.of("", word)
            own = plain(meant[0].default)
            yield _row(
                "", word, own if value is None else value, "default" if value is None else "file"
            )
    own_of = settings.every(build())
    for command, options in own_of.items():
        for word, own in options.items():
            value = found.values.get((command, word))
            if value is not None:
                yield _row(command, word, value, "file")
            elif len(settings.keys()[word]) > 1:
                yield _row(command, word, plain(own), "default")
    for command in {command for command, _ in found.values if command}:
        settings.defaults(build((command,)), command, found, ())


def _row(command: str, key: str, value: object, source: str) -> Record:
    return {"command": command or None, "key": key, "value": value, "source": source}


def _lines(record: Record) -> Iterator[str]:
    yield record["file"] if record["there"] else f"{record['file']} (not there)"
    for row in record["settings"]:
        key = ".".join(filter(None, (row["command"], row["key"])))
        value = "-" if row["value"] is None else row["value"]
        yield f"{key:<22} {_text(value) if isinstance(value, bool) else value:<28} {row['source']}"
