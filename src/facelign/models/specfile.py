"""One's own ONNX model as a TOML file beside it: no code, no registration.

::

    id = "my-faces"
    like = "sface"              # a known model whose class reads this network
    task = "embed"
    weights = "my_faces.onnx"   # beside this file; or {file = "...", sha256 = "..."}

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
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from facelign.errors import BadArray, ConfigError
from facelign.files.disk import digest
from facelign.types.embeddings import Metric
from facelign.types.specs import License, ModelSpec, Source, Task, WeightFile

#: a record is a page of text, not a download
MOST_BYTES = 1 << 20
_ID = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
_TEXTS = ("title", "paper", "origin", "variant")
_UNKNOWN = License(
    code="the user's own",
    weights="not stated",
    training_data="not stated",
    commercial="unclear",
    note="a model of the user's own",
)


def read(path: Path, known: Callable[[Task, str], ModelSpec]) -> ModelSpec:
    """Return the record in a TOML file; raises ConfigError, which names file and field.

    known: gives the record of the model that it is ``like``, or raises UnknownModel.
    """
    table = _table(path)
    sections = {"input", "output", "license", "defaults"}
    _only(path, "", table, {"id", "like", "task", "weights", *sections, *_TEXTS})
    model_id, like = _text(path, table, "id"), _text(path, table, "like")
    if not _ID.fullmatch(model_id):
        raise _wrong(path, f"has the id '{model_id}'; lower case letters, digits and '-' make one")
    base = known(_task(path, table), like)
    if base.engine.value != "onnx":
        raise _wrong(path, f"is like '{like}', which is no ONNX model")
    return dataclasses.replace(
        base,
        id=model_id,
        weights=(_weights(path, table, base),),
        input=_changed(path, "input", base.input, table),
        output=_changed(path, "output", base.output, table),
        license=_changed(path, "license", _UNKNOWN, table),
        defaults={**base.defaults, **_section(path, table, "defaults")},
        published=(),
        **cast("Any", {key: _text(path, table, key) for key in _TEXTS if key in table}),
    )


def _table(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _wrong(path, "is too large for a record")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ConfigError(
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
    found = digest(file)
    wanted = str(entry.get("sha256", found)).lower()
    if wanted != found:
        raise _wrong(path, f"promises SHA-256 {wanted} for {file.name}, it has {found}")
    source = Source.file(str(file), sha256=found, size=file.stat().st_size)
    # class and cache know the file by the name that the model in ``like`` gives it
    return WeightFile(base.weights[0].name, (source,), str(entry.get("convert", "")))


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


def _changed(path: Path, name: str, base: Any, table: Mapping[str, Any]) -> Any:
    changes = _section(path, table, name)
    _only(path, f"{name}.", changes, {field.name for field in dataclasses.fields(base)})
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()}
    if "metric" in values:
        if values["metric"] not in list(Metric):
            raise _wrong(path, f"has the metric '{values['metric']}'; known: {', '.join(Metric)}")
        values["metric"] = Metric(values["metric"])
    try:
        return dataclasses.replace(base, **values)
    except (BadArray, TypeError) as problem:
        raise _wrong(path, f"has a section [{name}] that does not fit ({problem})") from problem


def _text(path: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _wrong(path, f"lacks the text '{key}'")
    return value


def _wrong(path: Path, what: str) -> ConfigError:
    return ConfigError(f"The record {path} {what}.", "See 'Your own model' in the docs.")
