"""The configuration of a run: strict TOML as frozen dataclasses, every value checked at once.

A section is a set of options (``types.options``); the configuration of a kind of model adds its own
to those of ``TrainConfig``. A path is relative to the folder in which the command runs, and kept
whole. No torch is in here.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from facelign.errors import ConfigError, InputError
from facelign.files.home import expanded
from facelign.types import reading
from facelign.types.options import Option, OptionSet, hints, option_of

#: kinds of models, each a folder beside this file
KINDS = ("landmarks", "recognizer")
#: a configuration is a page of text
_MOST_BYTES = 1 << 20
#: what marks a value as the path of a file or folder
PATH = "PATH"
#: what may change while a run goes on: neither its data nor its network depend on it
_GOING_ON = ("epochs", "steps", "optimizer", "schedule", "stop", "checkpoint", "machine")

Kind = Literal["landmarks", "recognizer"]


def positive(name: str, value: float) -> None:
    """Refuse what is no finite number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} {value:g} is not above 0.", "Give a larger number.")


def not_negative(name: str, value: float) -> None:
    """Refuse what is below 0 or not finite."""
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{name} {value:g} is below 0.", "Give 0 or more.")


def part(name: str, value: float) -> None:
    """Refuse what is no part of a whole: 0 up to, but not, 1."""
    if not 0 <= value < 1:
        raise ConfigError(f"{name} {value:g} is no part of a whole.", "Give 0 or more, below 1.")


@dataclass(frozen=True, slots=True)
class OptimizerOptions(OptionSet):
    """How weights are changed."""

    name: Annotated[
        Literal["adamw", "adam", "nadam", "rmsprop", "sgd"],
        Option("adamw, adam, nadam, rmsprop or sgd."),
    ] = "adamw"
    learning_rate: Annotated[
        float, Option("The largest step; the schedule lowers it.", check=positive)
    ] = 0.001
    weight_decay: Annotated[
        float, Option("Pull of every weight towards 0.", check=not_negative)
    ] = 0.0001
    momentum: Annotated[float, Option("Of sgd and rmsprop.", check=part)] = 0.9
    clip: Annotated[
        float,
        Option("Longest gradient, all weights together; 0 does not cut.", check=not_negative),
    ] = 0.0
    accumulate: Annotated[
        int, Option("Parts in which a batch is looked at, where memory is short.", low=1)
    ] = 1


@dataclass(frozen=True, slots=True)
class ScheduleOptions(OptionSet):
    """How the learning rate falls."""

    name: Annotated[
        Literal["cosine", "step", "plateau", "constant"],
        Option("cosine, step, plateau or constant."),
    ] = "cosine"
    warm_up: Annotated[int, Option("Steps at the begin in which the rate rises from 0.", low=0)] = 0
    every: Annotated[int, Option("Epochs between two falls, for step.", low=1)] = 10
    factor: Annotated[
        float, Option("What the rate is multiplied by, for step and plateau.", check=part)
    ] = 0.1
    patience: Annotated[
        int, Option("Epochs without a better validation before it falls, for plateau.", low=1)
    ] = 3
    least: Annotated[float, Option("Share of the rate that is kept at the end.", check=part)] = 0.0


@dataclass(frozen=True, slots=True)
class StopOptions(OptionSet):
    """When a run ends before its last epoch."""

    patience: Annotated[
        int, Option("Epochs without a better validation that end the run; 0 for never.", low=0)
    ] = 0
    least: Annotated[
        float, Option("By how much the validation loss must fall to count.", check=not_negative)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class AverageOptions(OptionSet):
    """A moving average of the weights, which is validated and exported in their place."""

    decay: Annotated[
        float, Option("Share of the average that each step keeps; 0 for none.", check=part)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class CheckpointOptions(OptionSet):
    """How often the run is saved inside an epoch; after each epoch it always is."""

    steps: Annotated[int, Option("After so many steps; 0 for never.", low=0)] = 0
    seconds: Annotated[float, Option("After so many seconds; 0 for never.", check=not_negative)] = (
        60.0
    )


@dataclass(frozen=True, slots=True)
class MachineOptions(OptionSet):
    """What the run works on."""

    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], Option("auto, cpu, cuda or mps.")] = (
        "auto"
    )
    processes: Annotated[int, Option("Processes (GPUs) that share each batch.", low=1)] = 1
    precision: Annotated[
        Literal["32", "bf16", "16"], Option("Numbers of the network: 32, bf16 or 16 bit.")
    ] = "32"
    threads: Annotated[int, Option("Threads of the network; 0 as PyTorch chooses.", low=0)] = 0
    loaders: Annotated[int, Option("Threads that prepare batches ahead.", low=1)] = 2
    price: Annotated[
        float, Option("What an hour costs, for the cost of the run.", check=not_negative)
    ] = 0.0


@dataclass(frozen=True, slots=True)
class TrainConfig(OptionSet):
    """What every run has. ``kind`` names the kind of model."""

    kind: Annotated[Kind, Option("What is trained: landmarks or recognizer.")]
    epochs: Annotated[int, Option("Times that all photos are seen.", low=1)] = 30
    steps: Annotated[int, Option("Ends the run after so many batches; 0 for none.", low=0)] = 0
    batch: Annotated[int, Option("Photos of a step.", low=1)] = 32
    seed: Annotated[int, Option("Of weights, order and augmentation.", low=0)] = 1
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    stop: StopOptions = field(default_factory=StopOptions)
    average: AverageOptions = field(default_factory=AverageOptions)
    checkpoint: CheckpointOptions = field(default_factory=CheckpointOptions)
    machine: MachineOptions = field(default_factory=MachineOptions)

    @property
    def task(self) -> str:
        """The module that trains it: its ``TASK``."""
        return f"facelign.train.{self.kind}.task"


def kind_of(name: str) -> type[TrainConfig]:
    """Return the configuration of a kind of model; raises ConfigError for another."""
    if name not in KINDS:
        raise ConfigError(f"There is no kind of training '{name}'.", f"Known: {', '.join(KINDS)}.")
    found: type[TrainConfig] = import_module(f"facelign.train.{name}.config").CONFIG
    return found


def read(path: Path, kind: str = "", changes: Sequence[str] = ()) -> Any:
    """Return the configuration in a TOML file.

    kind: what it must be of; "" for what it says. changes: such as "data.limit=200", in the place
    of what the file says. Raises ConfigError, which names the key, InputError for a file that
    cannot be read.
    """
    source = expanded(path)
    try:
        if source.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{source} is too large for a configuration.", "Check the path.")
        table = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(
            f"The configuration {source} cannot be read: {problem.strerror}.", "Check the path."
        ) from problem
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"{source} is no TOML ({problem}).", "Mend the line.") from problem
    for change in changes:
        _change(table, change)
    return of_table(table, kind)


def changed(config: Any, changes: Sequence[str]) -> Any:
    """Return a configuration with changes, such as "data.limit=200"; raises ConfigError."""
    table = tomllib.loads(written(config))
    for change in changes:
        _change(table, change)
    return of_table(table)


def gone_on(config: Any, changes: Sequence[str]) -> tuple[Any, dict[str, tuple[Any, Any]]]:
    """Return the configuration with which a run goes on, and what is another: before and after.

    Raises ConfigError for changes after which it would be another run: of data, network or loss.
    """
    made = changed(config, changes)
    if made.kind != config.kind:
        raise ConfigError(f"The run trains {config.kind}, not {made.kind}.", "Begin another run.")
    read_off = {name: attrgetter(name) for name, _, _ in keys(type(config))}
    both = {name: (value(config), value(made)) for name, value in read_off.items()}
    other = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
    for name in other:
        # what another optimizer remembers of its steps is of no use to this one
        if name.partition(".")[0] not in _GOING_ON or name == "optimizer.name":
            raise ConfigError(
                f"With another {name} it would not be the same run.",
                f"Begin another one; one that goes on takes {', '.join(_GOING_ON)}.",
            )
    return made, other


def of_table(table: Mapping[str, Any], kind: str = "") -> Any:
    """Return the configuration that a table of TOML says; raises ConfigError."""
    told = table.get("kind", kind)
    if not isinstance(told, str) or (kind and told != kind):
        raise ConfigError(
            f"The configuration is one of '{told}', not of '{kind}'.", "Name another file."
        )
    if not told:
        raise ConfigError("The configuration lacks the key 'kind'.", f"One of: {', '.join(KINDS)}.")
    return _made(kind_of(told), {**table, "kind": told}, "")


def keys(kind: type, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the keys of a configuration in their order: whole name, type, default."""
    for entry in dataclasses.fields(kind):
        hint = hints(kind)[entry.name]
        if dataclasses.is_dataclass(hint):
            yield from keys(hint, f"{above}{entry.name}.")  # type: ignore[arg-type]
        else:
            yield f"{above}{entry.name}", hint, entry.default


def written(config: Any) -> str:
    """Return a configuration as TOML with a comment for each key; ``read`` gives it back."""
    return "\n".join([*_lines(config, "")]) + "\n"


def _lines(config: Any, above: str) -> Iterator[str]:
    inner = []
    for entry in dataclasses.fields(config):
        kind: Any = type(config)
        hint, value = hints(kind)[entry.name], getattr(config, entry.name)
        if dataclasses.is_dataclass(hint):
            inner.append((entry.name, value))
            continue
        option = option_of(hint)
        if option is not None:
            yield f"# {option.help}"
        yield f"{entry.name} = {as_toml(value)}"
    for name, value in inner:
        said = (type(value).__doc__ or "").strip().splitlines()[0]
        yield from ("", f"# {said}", f"[{above}{name}]")
        yield from _lines(value, f"{above}{name}.")


def as_toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(as_toml, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _change(table: dict[str, Any], change: str) -> None:
    """Put ``a.b=value`` into a table; a value that is no TOML is a text."""
    name, equals, text = change.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"'{change}' changes no key.", "Such as data.limit=200.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *above, last = (word.strip() for word in name.split("."))
    for word in above:
        inner = table.setdefault(word, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"The key '{word}' is no section.", f"It is {inner!r}.")
        table = inner
    table[last] = value


def _made(kind: Any, table: Mapping[str, Any], above: str) -> Any:
    """Return the section ``kind`` out of a table; keys that it lacks keep their defaults."""
    if not isinstance(table, Mapping):
        raise ConfigError(f"'{above[:-1]}' is a section, not a value.", f"Write [{above[:-1]}].")
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}
    for name in table:
        if name not in fields:
            raise _unknown(kind, f"{above}{name}")
    given: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    for name, entry in fields.items():
        hint = hints(kind)[name]
        if dataclasses.is_dataclass(hint):
            given[name] = _made(hint, table.get(name, {}), f"{above}{name}.")
        elif name in table:
            plain[name] = table[name]
        elif entry.default is dataclasses.MISSING:
            raise ConfigError(f"The key '{above}{name}' is missing.", said_of(hint))
        else:
            given[name] = entry.default
    read_of: Any = reading.record
    try:
        values = {n: _checked(kind, n, v, above) for n, v in plain.items()}
        return read_of(kind, values, above or "the configuration", **given)
    except reading.Misfit as problem:
        name = problem.name
        raise ConfigError(
            f"{above}{name} = {problem.value!r} is no {problem.wanted}.",
            said_of(hints(kind).get(name)),
        ) from problem


def _checked(kind: Any, name: str, value: Any, above: str) -> Any:
    """Return a value as it is read, its path whole; raises ConfigError with the whole name."""
    hint = hints(kind)[name]
    option = option_of(hint)
    asked = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if option is None:
        return value
    if asked in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        option.refuse(f"{above}{name}", value)
    if option.metavar == PATH and isinstance(value, str) and value:
        return str(expanded(value).absolute())
    if option.metavar == PATH and isinstance(value, list):
        return [str(expanded(v).absolute()) if isinstance(v, str) and v else v for v in value]
    return value


def said_of(hint: Any) -> str:
    """Return what a key means, by its type."""
    option = option_of(hint)
    return option.help if option is not None else ""


def _unknown(kind: Any, name: str) -> ConfigError:
    """Return the refusal of a key, with the near ones: of its section, else whole names."""
    above, _, last = name.rpartition(".")
    here = [entry.name for entry in dataclasses.fields(kind)]
    near = difflib.get_close_matches(last, here, n=2, cutoff=0.5)
    prefix = f"{above}." if above else ""
    told = " or ".join(f"'{prefix}{word}'" for word in near)
    return ConfigError(
        f"There is no key '{name}'.",
        f"Did you mean {told}?" if near else f"There are: {', '.join(here)}.",
    )
