"""facelign models: what there is, bringing weights here, checking and carrying them."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import completion
from facelign.cli.flags import Commands, JsonFlag
from facelign.cli.output import answer, line, note
from facelign.errors import UnknownModel, WeightsCorrupt, WeightsMissing
from facelign.files.home import gallery_path
from facelign.wire.records import Record, plain, some

if TYPE_CHECKING:
    from facelign.models import Registry
    from facelign.models.weights.bundle import Packed
    from facelign.models.weights.progress import OnProgress, Progress
    from facelign.models.weights.store import Checked, Store
    from facelign.types.specs import ModelSpec

app = Commands("Models and their weights.")


class Guard(StrEnum):
    """Which licenses are wanted, as FACELIGN_LICENSE takes them."""

    COMMERCIAL = "commercial"
    STRICT = "strict"


Ids = Annotated[
    list[str],
    typer.Argument(
        help="Model ids or presets.",
        show_default=False,
        autocompletion=completion.names("model or preset"),
    ),
]
Id = Annotated[
    str,
    typer.Argument(help="Model id.", show_default=False, autocompletion=completion.names("model")),
]


def registry_and_store() -> tuple[Registry, Store]:
    """Return every model that is known and where weights lie; places that are broken are said."""
    from facelign import models
    from facelign.models.weights.store import Store

    registry = models.default()
    for broken in registry.broken:
        note(f"warning: {broken.place} gives no models: {broken.reason}")
    return registry, Store.from_environment()


def wanted(registry: Registry, names: Sequence[str]) -> list[ModelSpec]:
    """Return the records that model ids and presets name, each once, in order."""
    from facelign.recognition.presets import PRESETS

    found: dict[tuple[str, str], ModelSpec] = {}
    for name in names:
        if name in PRESETS:
            specs = [registry.spec(task, model) for task, model in PRESETS[name].models]
        else:
            try:
                specs = registry.find(name)
            except UnknownModel as problem:
                raise UnknownModel(
                    problem.message, f"{problem.hint} Presets: {', '.join(PRESETS)}."
                ) from None
        found |= {(spec.task.value, spec.id): spec for spec in specs}
    return list(found.values())


def _one(registry: Registry, name: str) -> list[ModelSpec]:
    """Return the records of one model id; a preset is told by its models."""
    from facelign.recognition.presets import PRESETS

    if name in PRESETS:
        models = ", ".join(dict.fromkeys(model for _, model in PRESETS[name].models))
        raise UnknownModel(f"'{name}' is a preset, no model.", f"Its models: {models}.")
    return registry.find(name)


def size(spec: ModelSpec) -> int:
    """Return the bytes of the files as their first source has them."""
    return sum(file.sources[0].size for file in spec.weights)


def _extra_is_here(spec: ModelSpec) -> bool:
    return not spec.extra or importlib.util.find_spec(spec.extra) is not None


def _record(spec: ModelSpec, store: Store) -> Record:
    return {
        "id": spec.id,
        "task": spec.task.value,
        "title": spec.title,
        "present": store.present(spec) and _extra_is_here(spec),  # it can be used now
        "size": size(spec),
        "variant": spec.variant,
        "extra": spec.extra,
        "license": plain(spec.license),
    }


def _of_file(entry: Checked | Packed) -> Record:
    return {"file" if key == "name" else key: value for key, value in plain(entry).items()}


def _packed(entry: Packed) -> str:
    return f"{entry.model}  {entry.name}  {entry.size} bytes"


@app.add("list")
def list_models(
    license_: Annotated[
        Guard | None,
        typer.Option(
            "--license",
            help="commercial: leave out what may not be sold; strict: unclear ones too.",
        ),
    ] = None,
    *,
    output: JsonFlag,
) -> None:
    """List the models: task, license, whether the weights are here."""
    registry, store = registry_and_store()
    hidden = {None: (), Guard.COMMERCIAL: ("no",), Guard.STRICT: ("no", "unclear")}[license_]
    specs = [spec for spec in registry.specs() if spec.license.commercial not in hidden]
    width = max((len(spec.id) for spec in specs), default=2)
    if not output.json:
        line(f"{'id':<{width}}  {'task':<8}  {'here':<4}  {'MB':>6}  {'commercial':<10}  title")
    for spec in specs:
        record = _record(spec, store)
        here = "yes" if record["present"] else "no"
        needs = "" if _extra_is_here(spec) else f" (needs facelign[{spec.extra}])"
        text = (
            f"{spec.id:<{width}}  {spec.task.value:<8}  {here:<4}  {size(spec) / 1e6:>6.1f}  "
            f"{spec.license.commercial:<10}  {spec.title}{needs}"
        )
        answer(record, text, json=output.json)


@app.add("show")
def show(model: Id, output: JsonFlag) -> None:
    """Show everything that is known about a model."""
    registry, store = registry_and_store()
    for spec in _one(registry, model):
        record = _full(spec, store, registry.place(spec))
        answer(record, *_lines(record), json=output.json)


def _full(spec: ModelSpec, store: Store, place: str) -> Record:
    record = _record(spec, store) | {"entry": spec.entry, "engine": spec.engine.value}
    record["defined"] = place
    for name in ("input", "output", "paper", "origin", "published"):
        record[name] = plain(getattr(spec, name))
    record["defaults"] = {key: str(value) for key, value in spec.defaults.items()}
    record["weights"] = [
        some(file, "name", "convert")
        | {"sources": [{k: v for k, v in plain(s).items() if v} for s in file.sources]}
        for file in spec.weights
    ]
    return record


def _lines(value: object, depth: int = 0) -> Iterator[str]:
    """Yield a record as indented text; empty fields are left out."""
    pad = "  " * depth
    if isinstance(value, dict):
        for key, part in value.items():
            if part in ("", None, [], {}):
                continue
            if isinstance(part, dict) or (isinstance(part, list) and _nested(part)):
                yield f"{pad}{key}:"
                yield from _lines(part, depth + 1)
            else:
                yield f"{pad}{key}: {_text(part)}"
    elif isinstance(value, list):
        for part in value:
            first, *rest = _lines(part, depth + 1)
            yield f"{pad}- {first.strip()}"
            yield from rest
    else:
        yield f"{pad}{value}"


def _nested(part: list[object]) -> bool:
    return any(isinstance(entry, dict | list) for entry in part)


def _text(part: object) -> str:
    if isinstance(part, bool):
        return "yes" if part else "no"
    return ", ".join(map(str, part)) if isinstance(part, list) else str(part)


@contextmanager
def arriving() -> Iterator[OnProgress]:
    """Show how downloads go on, on standard error: a bar on a terminal, else a line a step."""
    if not sys.stderr.isatty():
        yield lambda step: _say_step(step, note)
        return
    from rich import progress as bars
    from rich.console import Console

    bar = bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, bars.TaskID] = {}

    def show_step(step: Progress) -> None:
        if step.step != "fetch":
            _say_step(step, lambda text: bar.console.print(text, style="dim", markup=False))
            return
        if step.file not in tasks:
            tasks[step.file] = bar.add_task(step.file, total=step.total or None)
        bar.update(tasks[step.file], completed=step.done)

    with bar:
        yield show_step


def _say_step(step: Progress, say: Callable[[str], None]) -> None:
    if step.step == "note":
        say(f"{step.file}: {step.text}")
    elif step.step == "convert":
        say(f"{step.file}: converting")


@app.add("pull")
def pull(names: Ids, output: JsonFlag) -> None:
    """Bring the weights of models or presets here, checked and converted."""
    registry, store = registry_and_store()
    specs = wanted(registry, names)
    before = {spec.id for spec in specs if store.present(spec)}
    with arriving() as on_progress:
        store.pull_all(specs, on_progress, known=registry.specs())
    for spec in specs:
        paths = [str(path) for path in store.ready(spec).values()]
        record = {"id": spec.id, "task": spec.task.value, "paths": paths}
        state = "was here" if spec.id in before else "ready"
        answer(record, f"{spec.id}: {state}", json=output.json)
        if not _extra_is_here(spec):
            note(f"{spec.id} needs more than weights: pip install 'facelign[{spec.extra}]'")


@app.add("verify")
def verify(output: JsonFlag) -> None:
    """Compare the SHA-256 of every file that is here with the promised one."""
    from facelign.models.weights.store import mending

    registry, store = registry_and_store()
    files = store.verify(registry.specs())
    for entry in files:
        state = "good" if entry.good else "BAD "
        text = f"{state}  {entry.model}  {entry.name}  {entry.sha256}"
        answer(_of_file(entry), text, json=output.json)
    bad = [entry for entry in files if not entry.good]
    if bad:
        specs = {spec.id: spec for spec in registry.specs()}
        damaged = dict.fromkeys(entry.model for entry in bad)
        raise WeightsCorrupt(
            "Damaged: " + "; ".join(f"{entry.path} ({entry.reason})" for entry in bad) + ".",
            mending(*(specs[model] for model in damaged)),
        )
    if not files:
        note("No weights are here yet.")


@app.add("path")
def path(model: Id, output: JsonFlag) -> None:
    """Print where the files of a model lie, ready for its engine."""
    registry, store = registry_and_store()
    for spec in _one(registry, model):
        for name, place in store.ready(spec).items():
            record = {"id": spec.id, "file": name, "path": str(place)}
            answer(record, str(place), json=output.json)


@app.add("bundle")
def make_bundle(
    out: Annotated[Path, typer.Argument(help="The tar file to write.", show_default=False)],
    names: Annotated[
        list[str] | None, typer.Argument(help="Model ids or presets (default: all that is here).")
    ] = None,
    *,
    output: JsonFlag,
) -> None:
    """Put weights into one tar file, to carry them to a machine without a network."""
    from facelign.models import own
    from facelign.models.weights.bundle import bundle

    registry, store = registry_and_store()
    here = [spec for spec in registry.specs() if spec.weights and store.present(spec)]
    specs = wanted(registry, names) if names else here
    if not specs:
        raise WeightsMissing("No weights are here yet.", "Run: facelign models pull default")
    for entry in bundle(store, specs, out):
        answer(_of_file(entry), _packed(entry), json=output.json)
    if not_packed := [spec.id for spec in specs if spec.id in own.ids()]:
        note(f"Your own models are not in it, carry record and file: {', '.join(not_packed)}")


@app.add("unbundle")
def open_bundle(
    file: Annotated[Path, typer.Argument(help="A tar file made by bundle.", show_default=False)],
    output: JsonFlag,
) -> None:
    """Take the weights out of a bundle; everything is checked, nothing else is written."""
    from facelign.models.weights.bundle import unbundle

    registry, store = registry_and_store()
    for entry in unbundle(store, registry.specs(), file):
        record = _of_file(entry)
        del record["sha256"]
        answer(record, _packed(entry), json=output.json)


@app.add("add")
def add(
    file: Annotated[
        Path,
        typer.Argument(
            help="The TOML record of your own ONNX model, or a weight file of a known model.",
            show_default=False,
        ),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of your model of the same id.")
    ] = False,
    *,
    output: JsonFlag,
) -> None:
    """Add your own model by its record, or a weight file that you have already.

    Your own model is run once and must be what its record says; else nothing is kept.
    """
    registry, store = registry_and_store()
    if file.suffix.lower() == ".toml":
        from facelign.models import own
        from facelign.recognition.presets import PRESETS

        spec = own.add(file, registry, store, replace=replace, reserved=PRESETS)
        names = [spec.id]
        if spec.license.weights == own.NOT_STATED:
            note(f"{spec.id}: the record names no license, so commercial use counts as unclear.")
    else:
        from facelign.models.weights.bundle import take_file

        names = [entry.model for entry in take_file(store, registry.specs(), file)]
    for name in names:
        answer({"id": name}, f"{name}: added", json=output.json)


@app.add("remove")
def remove(
    model: Annotated[
        str,
        typer.Argument(
            help="Id of a model that you added.",
            show_default=False,
            autocompletion=completion.names("own model"),
        ),
    ],
    output: JsonFlag,
) -> None:
    """Remove a model that you added: its record and its weights.

    What galleries hold in its spaces stays, and can be compared with new photos again when the same
    model is added again.
    """
    from facelign.models import own

    registry, store = registry_and_store()
    folder = own.remove(model, registry, store)
    left = _templates_in_spaces_of(model)
    text = f"{model}: removed, with {folder}"
    if left:
        count = sum(left.values())
        note(
            f"{gallery_path(None)} holds {count} template{'s' * (count != 1)} of {model}, which no "
            f"photo can be compared with now: {', '.join(left)}."
        )
    note(f"Templates of {model} in other galleries have no model any more either.")
    answer({"id": model, "path": str(folder), "templates": left}, text, json=output.json)


def _templates_in_spaces_of(model: str) -> dict[str, int]:
    """Return how many templates the gallery of the home holds, by space of that model."""
    from facelign.gallery.gallery import Gallery

    path = gallery_path(None)
    if not path.is_file():
        return {}
    with Gallery.open(path, readonly=True) as gallery:
        spaces = {count.space.id: count.templates for count in gallery.spaces()}
    # a joint space spells its parts: joint(A*0.5000+B*0.5000)
    parts = {space: re.split(r"[(+]", space) for space in spaces}
    return {
        space: count
        for space, count in spaces.items()
        if any(part.startswith(f"{model}/") for part in parts[space])
    }
