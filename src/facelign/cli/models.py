"""facelign models: what there is, bringing weights here, checking and carrying them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facelign.cli.options import Json
from facelign.cli.output import emit, line, note

if TYPE_CHECKING:
    from facelign.models import Registry
    from facelign.models.weights.progress import OnProgress
    from facelign.models.weights.store import Store
    from facelign.types.specs import ModelSpec

app = typer.Typer(help="Models and their weights.", no_args_is_help=True)


class Guard(StrEnum):
    """Which licenses are wanted, as FACELIGN_LICENSE takes them."""

    COMMERCIAL = "commercial"
    STRICT = "strict"


Ids = Annotated[list[str], typer.Argument(help="Model ids or presets.", show_default=False)]
Id = Annotated[str, typer.Argument(help="Model id.", show_default=False)]


def _here() -> tuple[Registry, Store]:
    from facelign import models as models
    from facelign.models.weights.store import Store

    found = models.default()
    for broken in found.broken:
        note(f"warning: {broken.place} gives no models: {broken.reason}")
    return found, Store.from_environment()


def wanted(registry: Registry, names: Sequence[str]) -> list[ModelSpec]:
    """Return the records that model ids and presets name, each once, in order."""
    from facelign.errors import UnknownModel
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
    from facelign.errors import UnknownModel
    from facelign.recognition.presets import PRESETS

    if name in PRESETS:
        models = ", ".join(dict.fromkeys(model for _, model in PRESETS[name].models))
        raise UnknownModel(f"'{name}' is a preset, no model.", f"Its models: {models}.")
    return registry.find(name)


def _size(spec: ModelSpec) -> int:
    """Bytes of the files as their first source has them."""
    return sum(file.sources[0].size for file in spec.weights)


def _present(spec: ModelSpec, store: Store) -> bool:
    """Say whether the model can be used now: its weights are here, and its extra is installed."""
    return store.present(spec) and _extra_is_here(spec)


def _extra_is_here(spec: ModelSpec) -> bool:
    from importlib.util import find_spec

    return not spec.extra or find_spec(spec.extra) is not None


def _record(spec: ModelSpec, store: Store) -> dict[str, Any]:
    return {
        "id": spec.id,
        "task": spec.task.value,
        "title": spec.title,
        "present": _present(spec, store),
        "size": _size(spec),
        "variant": spec.variant,
        "extra": spec.extra,
        "license": {
            "code": spec.license.code,
            "weights": spec.license.weights,
            "training_data": spec.license.training_data,
            "commercial": spec.license.commercial,
            "note": spec.license.note,
        },
    }


@app.command("list")
def list_models(
    license_: Annotated[
        Guard | None,
        typer.Option(
            "--license",
            help="commercial: leave out what may not be sold; strict: unclear ones too.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the models: task, license, whether the weights are here."""
    registry, store = _here()
    hidden = {None: (), Guard.COMMERCIAL: ("no",), Guard.STRICT: ("no", "unclear")}[license_]
    specs = [spec for spec in registry.specs() if spec.license.commercial not in hidden]
    if json:
        for spec in specs:
            emit(_record(spec, store))
        return
    width = max((len(spec.id) for spec in specs), default=2)
    line(f"{'id':<{width}}  {'task':<8}  {'here':<4}  {'MB':>6}  {'commercial':<10}  title")
    for spec in specs:
        here = "yes" if _present(spec, store) else "no"
        needs = f" (needs facelign[{spec.extra}])" if not _extra_is_here(spec) else ""
        line(
            f"{spec.id:<{width}}  {spec.task.value:<8}  {here:<4}  {_size(spec) / 1e6:>6.1f}  "
            f"{spec.license.commercial:<10}  {spec.title}{needs}"
        )


@app.command()
def show(model: Id, json: Json = False) -> None:
    """Show everything that is known about a model."""
    registry, store = _here()
    for spec in _one(registry, model):
        record = _full(spec, store, registry.place(spec))
        if json:
            emit(record)
        else:
            for text in _lines(record):
                line(text)


def _full(spec: ModelSpec, store: Store, place: str) -> dict[str, Any]:
    from dataclasses import asdict

    record = _record(spec, store)
    record |= {
        "entry": spec.entry,
        "engine": spec.engine.value,
        "defined": place,
        "input": asdict(spec.input),
        "output": asdict(spec.output),
        "paper": spec.paper,
        "origin": spec.origin,
        "published": [asdict(claim) for claim in spec.published],
        "defaults": {key: str(value) for key, value in spec.defaults.items()},
        "weights": [
            {
                "name": file.name,
                "convert": file.convert,
                "sources": [
                    {key: value for key, value in asdict(source).items() if value}
                    for source in file.sources
                ],
            }
            for file in spec.weights
        ],
    }
    return record


def _lines(value: object, depth: int = 0) -> Iterator[str]:
    """Yield a record as indented text; empty fields are left out."""
    pad = "  " * depth
    if isinstance(value, dict):
        for key, part in value.items():
            if part in ("", None, [], {}, ()):
                continue
            if isinstance(part, dict | list) and part and not _flat(part):
                yield f"{pad}{key}:"
                yield from _lines(part, depth + 1)
            else:
                yield f"{pad}{key}: {_flat_text(part)}"
    elif isinstance(value, list):
        for part in value:
            inner = list(_lines(part, depth + 1))
            yield f"{pad}- {inner[0].strip()}"
            yield from inner[1:]
    else:
        yield f"{pad}{value}"


def _flat(part: object) -> bool:
    return isinstance(part, list) and all(not isinstance(p, dict | list) for p in part)


def _flat_text(part: object) -> str:
    if isinstance(part, list | tuple):
        return ", ".join(str(p) for p in part)
    return {True: "yes", False: "no"}.get(part, str(part)) if isinstance(part, bool) else str(part)


@contextmanager
def arriving() -> Iterator[OnProgress]:
    """Show how downloads go on, on standard error: a bar on a terminal, else a line a step."""
    import sys

    from facelign.models.weights.progress import Progress as Step

    if not sys.stderr.isatty():

        def told(step: Step) -> None:
            if step.step == "note":
                note(f"{step.file}: {step.text}")
            elif step.step == "convert":
                note(f"{step.file}: converting")

        yield told
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, Any] = {}

    def shown(step: Step) -> None:
        if step.step == "note":
            bar.console.print(f"{step.file}: {step.text}", style="dim", markup=False)
        elif step.step == "convert":
            bar.console.print(f"{step.file}: converting", style="dim", markup=False)
        elif step.step == "fetch":
            if step.file not in tasks:
                tasks[step.file] = bar.add_task(step.file, total=step.total or None)
            bar.update(tasks[step.file], completed=step.done)

    with bar:
        yield shown


@app.command()
def pull(names: Ids, json: Json = False) -> None:
    """Bring the weights of models or presets here, checked and converted."""
    registry, store = _here()
    specs = wanted(registry, names)
    before = {spec.id for spec in specs if store.present(spec)}
    with arriving() as told:
        store.pull_all(specs, told)
    for spec in specs:
        paths = [str(path) for path in store.ready(spec).values()]
        if json:
            emit({"id": spec.id, "task": spec.task.value, "paths": paths})
        else:
            line(f"{spec.id}: {'was here' if spec.id in before else 'ready'}")
        if not _extra_is_here(spec):
            note(f"{spec.id} needs more than weights: pip install 'facelign[{spec.extra}]'")


@app.command()
def verify(json: Json = False) -> None:
    """Compare the SHA-256 of every file that is here with the promised one."""
    from facelign.errors import WeightsCorrupt

    registry, store = _here()
    found = store.verify(registry.specs())
    for entry in found:
        if json:
            emit(
                {
                    "model": entry.model,
                    "file": entry.name,
                    "path": str(entry.path),
                    "sha256": entry.sha256,
                    "good": entry.good,
                    "reason": entry.reason,
                }
            )
        else:
            line(f"{'good' if entry.good else 'BAD '}  {entry.model}  {entry.name}  {entry.sha256}")
    bad = [entry for entry in found if not entry.good]
    if bad:
        names = " ".join(dict.fromkeys(entry.model for entry in bad))
        raise WeightsCorrupt(
            "Damaged: " + "; ".join(f"{entry.path} ({entry.reason})" for entry in bad) + ".",
            f"Run: facelign models pull {names}",
        )
    if not found:
        note("No weights are here yet.")


@app.command()
def path(model: Id, json: Json = False) -> None:
    """Print where the files of a model lie, ready for its engine."""
    registry, store = _here()
    for spec in _one(registry, model):
        for name, place in store.ready(spec).items():
            if json:
                emit({"id": spec.id, "file": name, "path": str(place)})
            else:
                line(str(place))


@app.command("bundle")
def make_bundle(
    out: Annotated[Path, typer.Argument(help="The tar file to write.", show_default=False)],
    names: Annotated[
        list[str] | None, typer.Argument(help="Model ids or presets (default: all that is here).")
    ] = None,
    json: Json = False,
) -> None:
    """Put weights into one tar file, to carry them to a machine without a network."""
    from facelign.errors import WeightsMissing
    from facelign.models.weights.bundle import bundle

    registry, store = _here()
    specs = wanted(registry, names) if names else [s for s in registry.specs() if _kept(s, store)]
    if not specs:
        raise WeightsMissing("No weights are here yet.", "Run: facelign models pull default")
    for entry in bundle(store, specs, out):
        if json:
            emit(
                {
                    "model": entry.model,
                    "file": entry.name,
                    "size": entry.size,
                    "sha256": entry.sha256,
                }
            )
        else:
            line(f"{entry.model}  {entry.name}  {entry.size} bytes")


def _kept(spec: ModelSpec, store: Store) -> bool:
    return bool(spec.weights) and store.present(spec)


@app.command("unbundle")
def open_bundle(
    file: Annotated[Path, typer.Argument(help="A tar file made by bundle.", show_default=False)],
    json: Json = False,
) -> None:
    """Take the weights out of a bundle; everything is checked, nothing else is written."""
    from facelign.models.weights.bundle import unbundle

    registry, store = _here()
    for entry in unbundle(store, registry.specs(), file):
        if json:
            emit({"model": entry.model, "file": entry.name, "size": entry.size})
        else:
            line(f"{entry.model}  {entry.name}  {entry.size} bytes")


@app.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(
            help="The TOML record of your own ONNX model, or a weight file of a known model.",
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Add your own model by its record, or a weight file that you have already."""
    registry, store = _here()
    if file.suffix.lower() == ".toml":
        from facelign.models.catalog import keep_file

        names = [keep_file(file, registry).id]
    else:
        from facelign.models.weights.bundle import take_file

        names = [entry.model for entry in take_file(store, registry.specs(), file)]
    for name in names:
        if json:
            emit({"id": name})
        else:
            line(f"{name}: added")
