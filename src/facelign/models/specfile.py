"""One's own ONNX model as a TOML file beside it: no code, no registration.

::

    id = "my-faces"
    like = "sface"              # a known model whose class reads this network
    task = "embed"
    weights = "my_faces.onnx"   # beside this file; or {file = "...", sha256 = "..."}
    title = "My faces"          # paper, origin and variant too

    [input]                     # what differs from the model in ``like``
    mean = [127.5, 127.5, 127.5]
    [output]
    dim = 256
    [license]
    weights = "my own"
    commercial = "yes"
    [defaults]
    batch = 16
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from facelign.errors import BadArray, ConfigError, InputError
from facelign.files.disk import digest
from facelign.types import reading
from facelign.types.embeddings import Metric
from facelign.types.specs import (
    EmbedderOutput,
    InputSpec,
    License,
    ModelSpec,
    Output,
    Source,
    Task,
    WeightFile,
)

T = TypeVar("T")

#: a record is a page of text, not a download
MOST_BYTES = 1 << 20
#: an id is a folder's name and a part of every space's id
LONGEST_ID = 64
_ID = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
_TEXTS = ("title", "paper", "origin", "variant")
NOT_STATED = "not stated"
_UNKNOWN = License(
    code="the user's own",
    weights=NOT_STATED,
    training_data=NOT_STATED,
    commercial="unclear",
    note="a model of the user's own",
)


def read(path: Path, known: Callable[[Task, str], ModelSpec]) -> ModelSpec:
    """Return the record in a TOML file; raises ConfigError, which names file and field.

    known: gives the record of the model that it is ``like``, or raises UnknownModel.
    """
    table = _table(path)
    sections = {"input", "output", "license", "defaults"}
    _only(path, "", table, {"id", "like", "task", "weights", "sha256", *sections, *_TEXTS})
    model_id, like = _text(path, table, "id"), _text(path, table, "like")
    if not _ID.fullmatch(model_id) or len(model_id) > LONGEST_ID:
        raise _wrong(
            path,
            f"has the id '{model_id[:80]}'; up to {LONGEST_ID} lower case letters, digits and '-' "
            "make one",
        )
    base = known(_task(path, table), like)
    if base.engine.value != "onnx":
        raise _wrong(path, f"is like '{like}', which is no ONNX model")
    return dataclasses.replace(
        base,
        id=model_id,
        weights=(_weights(path, table, base),),
        input=_input(path, base.input, table),
        output=_output(path, base.output, table),
        license=_changed(path, "license", _UNKNOWN, table),
        defaults={**base.defaults, **_section(path, table, "defaults")},
        published=(),
        title=_said(
            path, table, "title", f"{path.name}, a model of your own that reads like {like}"
        ),
        paper=_said(path, table, "paper"),
        origin=_said(path, table, "origin", "the user's own"),
        variant=_said(path, table, "variant", NOT_STATED),
    )


def written(top: dict[str, Any], **sections: dict[str, Any]) -> str:
    """Return a record as TOML: the keys of the top, then its sections; empty ones are left out."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in top.items()]
    for name, values in sections.items():
        kept = {key: value for key, value in values.items() if value != ""}
        if kept:
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in kept.items()]
    return "\n".join(lines) + "\n"


def _table(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(path, "is too large for a record")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InputError(
            f"The record {path} cannot be read: {problem.strerror}.", "Check the path."
        ) from problem
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise _wrong(path, f"is no TOML ({problem})") from problem


def _task(path: Path, table: Mapping[str, Any]) -> Task:
    name = _text(path, table, "task")
    if name not in list(Task):
        raise _wrong(path, f"has the task '{name}'; known: {', '.join(Task)}")
    return Task(name)


def _weights(path: Path, table: Mapping[str, Any], base: ModelSpec) -> WeightFile:
    if len(base.weights) != 1:
        raise _wrong(path, f"is like '{base.id}', which has {len(base.weights)} weight files")
    given = table.get("weights")
    entry = {"file": given} if isinstance(given, str) else given
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str):
        raise _wrong(path, "names no weights file")
    _only(path, "weights.", entry, {"file", "sha256", "convert"})
    file = inside(path, entry["file"])
    promised = str(entry.get("sha256", table.get("sha256", ""))).lower()
    # without a promise the file is what it is now; with one, whoever opens it compares
    source = Source.file(str(file), sha256=promised or digest(file), size=file.stat().st_size)
    # classes of detectors and landmarkers read what their converter makes, embedders any graph
    usual = "" if base.task is Task.EMBED else base.weights[0].convert
    return WeightFile(file.name, (source,), str(entry.get("convert", usual)))


def inside(record: Path, name: str) -> Path:
    """Return the file ``name`` beside ``record``; raises ConfigError when it leads elsewhere."""
    folder, given = record.resolve().parent, Path(name)
    found = (folder / given).resolve()
    climbs = given.is_absolute() or ".." in given.parts or "\\" in name or ":" in name
    if climbs or not found.is_relative_to(folder):
        raise _wrong(record, f"names weights outside of its folder ({name})")
    if not found.is_file():
        raise _wrong(record, f"names weights that are not there ({name})")
    return found


def _only(path: Path, where: str, found: Iterable[str], known: set[str]) -> None:
    unknown = sorted(set(found) - known)
    if unknown:
        raise _wrong(path, f"has the unknown field '{where}{unknown[0]}'")


def _section(path: Path, table: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name, {})
    if not isinstance(found, dict):
        raise _wrong(path, f"has no section [{name}], but a value of that name")
    return found


def _input(path: Path, base: InputSpec, table: Mapping[str, Any]) -> InputSpec:
    made = _changed(path, "input", base, table)
    if any(len(part) != 3 for part in (made.mean, made.std)) or not all(made.std):
        raise _wrong(
            path, "has a section [input] whose mean and std are not three numbers, std no 0"
        )
    if made.size is not None and min(made.size) < 1:
        raise _wrong(path, f"has the size {list(made.size)}; wanted [width, height] in px")
    return made


def _output(path: Path, base: Output, table: Mapping[str, Any]) -> Output:
    """Return what the network gives; it stands for itself, whatever the model in ``like`` does."""
    if not isinstance(base, EmbedderOutput):
        return _changed(path, "output", base, table)
    metric = _section(path, table, "output").get("metric", base.metric)
    if metric not in list(Metric):
        raise _wrong(path, f"has the metric '{metric}'; known: {', '.join(Metric)}")
    own = {"metric": Metric(metric), "stands_for": "", "drift": 0.0}
    made: EmbedderOutput = _changed(path, "output", base, table, **own)
    if made.dim < 1:
        raise _wrong(path, f"has the dim {made.dim}; wanted the numbers of a vector")
    return made


def _changed(path: Path, name: str, base: T, table: Mapping[str, Any], **given: Any) -> T:
    """Return ``base`` with what the section changes. given: values that are read by other means."""
    changes = _section(path, table, name)
    fields = {
        field.name: getattr(base, field.name) for field in dataclasses.fields(cast("Any", base))
    }
    _only(path, f"{name}.", changes, set(fields) - ({*given} - {"metric"}))
    as_read = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    try:
        return reading.record(type(base), as_read | changes, f"[{name}]", **given)
    except (BadArray, reading.Misfit) as problem:
        raise _wrong(path, f"has a section [{name}] that does not fit: {problem}") from problem


def _said(path: Path, table: Mapping[str, Any], key: str, otherwise: str = "") -> str:
    return _text(path, table, key) if key in table else otherwise


def _text(path: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(path, f"lacks the text '{key}'")
    return value


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(f"The record {path} {what}.", "See 'Your own model' in the docs.")
