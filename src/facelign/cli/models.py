"""facelign models: what there is, bringing weights here, checking and carrying them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facelign.cli import model_facts as facts
from facelign.cli.flags import Commands, JsonFlag, completed
from facelign.cli.output import answer, line, note
from facelign.errors import ConfigError, InputError, UnknownModel, WeightsCorrupt, WeightsMissing
from facelign.files import disk
from facelign.files.home import expanded, gallery_path
from facelign.types.tasks import Task
from facelign.types.wording import counted
from facelign.wire.records import Record, plain

if TYPE_CHECKING:
    from facelign.cli import adding
    from facelign.models import Registry
    from facelign.models.weights.bundle import Packed
    from facelign.models.weights.progress import OnProgress, Progress
    from facelign.models.weights.store import Checked, Store
    from facelign.types.specs import ModelSpec

app = Commands("Models and their weights.")


class Guard(StrEnum):
    """Which licenses are wanted: by their verdict, or as FACELIGN_LICENSE takes them."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"
    COMMERCIAL = "commercial"
    STRICT = "strict"


class Commercial(StrEnum):
    """Whether weights may be sold."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"


class Color(StrEnum):
    """Orders of colors, as ``types.specs.InputSpec`` has them."""

    RGB = "rgb"
    BGR = "bgr"


class MetricName(StrEnum):
    """How vectors are compared; the names of ``types.embeddings.Metric``."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "squared-euclidean"


VERDICTS: Mapping[Guard | None, tuple[str, ...]] = {
    Guard.YES: ("yes",),
    Guard.NO: ("no",),
    Guard.UNCLEAR: ("unclear",),
    Guard.COMMERCIAL: ("yes", "unclear"),
    Guard.STRICT: ("yes",),
}


Ids = Annotated[list[str], completed("Model ids or presets.", "model or preset")]
Id = Annotated[str, completed("Model id.", "model")]


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


def _of_file(entry: Checked | Packed) -> Record:
    return {"file" if key == "name" else key: value for key, value in plain(entry).items()}


def _packed(entry: Packed) -> str:
    return f"{entry.model}  {entry.name}  {entry.size} bytes"


@app.add("list")
def list_models(
    task: Annotated[Task | None, typer.Option("--task", help="Only models that do this.")] = None,
    license_: Annotated[
        Guard | None,
        typer.Option(
            "--license",
            help="Only models whose weights may be sold: yes, no, or unclear. commercial: leave "
            "out what may not; strict: unclear ones too.",
        ),
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="Only models that can be used now.")] = False,
    largest: Annotated[
        float | None,
        typer.Option(
            "--size", min=0, metavar="MB", help="Only weights up to so many MB, smallest first."
        ),
    ] = None,
    accuracy: Annotated[
        bool,
        typer.Option(
            "--accuracy", help="Show what was measured of each, the best of a task first."
        ),
    ] = False,
    *,
    output: JsonFlag,
) -> None:
    """List the models: task, license, whether the weights are here."""
    from facelign.recognition import measured

    registry, store = registry_and_store()
    wanted = VERDICTS.get(license_, ("yes", "no", "unclear"))
    specs = [
        spec
        for spec in registry.specs()
        if spec.license.commercial in wanted
        and (task is None or spec.task.value == task.value)
        and (largest is None or facts.size(spec) <= largest * 1e6)
        and (not here or (facts.short(spec, store)["present"] and not store.refused(spec)))
    ]
    best = {spec.id: measured.accuracy(spec)[:1] for spec in specs} if accuracy else {}
    if largest is not None:
        specs.sort(key=facts.size)
    if accuracy:
        tasks = list(Task)
        specs.sort(key=lambda s: (tasks.index(s.task), -sum(f.value for f in best[s.id])))
    width = max((len(spec.id) for spec in specs), default=2)
    column = f"  {'right':<6}" if accuracy else ""
    if not output.json:
        line(
            f"{'id':<{width}}  {'task':<8}  {'here':<4}  {'MB':>6}  {'commercial':<10}{column}"
            "  title"
        )
    for spec in specs:
        record = facts.short(spec, store)
        if accuracy:
            record["measured"] = [plain(figure) for figure in best[spec.id]]
            column = f"  {''.join(f'{figure.value:.4f}' for figure in best[spec.id]) or '-':<6}"
        shown = "yes" if record["present"] else "no"
        needs = "" if facts.extra_is_here(spec) else f" (needs facelign[{spec.extra}])"
        unknown = spec.weights and not record["size"]  # nobody tells it
        size = "?" if unknown else f"{record['size'] / 1e6:.1f}"
        text = (
            f"{spec.id:<{width}}  {spec.task.value:<8}  {shown:<4}  {size:>6}  "
            f"{spec.license.commercial:<10}{column}  {spec.title}{needs}"
            + " (REFUSED)"
            * record["refused"]
        )
        answer(record, text, json=output.json)
    refused = sum(map(store.refused, specs))
    if refused and not output.json:
        note(f"FACELIGN_LICENSE={store.guard} refuses {counted(refused, 'model')} of these.")
    if accuracy and not output.json:
        said = dict.fromkeys(figure.what for figures in best.values() for figure in figures)
        note(f"right: {'; '.join(said) or 'nothing was measured of these'}.")


@app.add("show")
def show(
    model: Id,
    draw: Annotated[
        Path | None,
        typer.Option(
            "--draw", help="A picture of the chip that it reads, with the points of its layout."
        ),
    ] = None,
    *,
    output: JsonFlag,
) -> None:
    """Show everything that is known about a model."""
    registry, store = registry_and_store()
    records = [facts.full(spec, store, registry) for spec in _one(registry, model)]
    for record in records:
        answer(record, *facts.lines(record), json=output.json)
    if draw is not None:
        with_layout = [record for record in records if record["layout"]]
        facts.draw(draw, (with_layout or records)[0])


@app.add("compare")
def compare(
    one: Annotated[str, completed("Model id.", "model", "A")],
    two: Annotated[str, completed("Another of the same task.", "model", "B")],
    output: JsonFlag,
) -> None:
    """Show two models side by side."""
    registry, store = registry_and_store()
    first, second = (_one(registry, name) for name in (one, two))
    pairs = [(a, b) for a in first for b in second if a.task is b.task]
    if not pairs:
        does = " and ".join(f"'{specs[0].id}' does {specs[0].task}" for specs in (first, second))
        raise ConfigError(f"{does}: there is nothing to compare.", "Name two of one task.")
    for a, b in pairs:
        left, right = (facts.full(spec, store, registry) for spec in (a, b))
        lines = facts.side_by_side(left, right)
        answer({"a": left, "b": right}, *lines, json=output.json)


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
def pull(
    names: Ids,
    *,
    trust_first_use: Annotated[
        bool,
        typer.Option(
            "--trust-first-use",
            help="Take files whose SHA-256 nobody tells as they come; it is recorded for ever.",
        ),
    ] = False,
    output: JsonFlag,
) -> None:
    """Bring the weights of models or presets here, checked and converted."""
    registry, store = registry_and_store()
    specs = wanted(registry, names)
    before = {spec.id for spec in specs if store.present(spec)}
    with arriving() as on_progress:
        store.pull_all(specs, on_progress, known=registry.specs(), trust_first_use=trust_first_use)
    for spec in specs:
        paths = [str(path) for path in store.ready(spec).values()]
        record = {"id": spec.id, "task": spec.task.value, "paths": paths}
        state = "was here" if spec.id in before else "ready"
        answer(record, f"{spec.id}: {state}", json=output.json)
        if not facts.extra_is_here(spec):
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
            help="Your own model: its ONNX file (with --task), or its TOML record; or a weight "
            "file of a known model.",
            show_default=False,
        ),
    ],
    task: Annotated[
        Task | None, typer.Option("--task", help="What your own ONNX model does.")
    ] = None,
    model_id: Annotated[
        str, typer.Option("--id", help="Its id (default: from the file's name).")
    ] = "",
    like: Annotated[
        str,
        typer.Option(
            "--like", help="A known model whose class reads such a network (embed: any embedder)."
        ),
    ] = "",
    layout: Annotated[str, typer.Option("--layout", help="Layout of the chips it reads.")] = "",
    color: Annotated[
        Color | None, typer.Option("--color", help="Order of colors that it reads.")
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option("--mean", help="Subtracted from pixels 0 to 255: one number or three."),
    ] = None,
    std: Annotated[
        str | None, typer.Option("--std", help="What they are divided by then: one or three.")
    ] = None,
    metric: Annotated[
        MetricName | None, typer.Option("--metric", help="How its vectors are compared.")
    ] = None,
    license_: Annotated[
        str, typer.Option("--license", help="License of the weights, in words.")
    ] = "",
    commercial: Annotated[
        Commercial | None, typer.Option("--commercial", help="Whether they may be sold.")
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option(
            "--faces",
            help="Photos to try it on, of different people (default: scikit-image's portrait).",
        ),
    ] = None,
    as_said: Annotated[
        bool, typer.Option("--as-said", help="Keep it whatever the faces tell.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of your model of the same id.")
    ] = False,
    *,
    output: JsonFlag,
) -> None:
    """Add your own model by its file or record, or a weight file that you have already.

    Your own model is run once and must be what its record says. An embedder is tried on faces: the
    same face mirrored has to be nearer than other faces, and the usual colors, scales and layouts
    are tried, so that a wrong one is told, and the right one named. What you leave out the trial
    chooses. The record of an ONNX file is written beside it. Else nothing is kept.
    """
    from facelign.cli import adding

    registry, store = registry_and_store()
    if task is None and file.suffix.lower() != ".toml":
        from facelign.models.weights.bundle import take_file

        names = [entry.model for entry in take_file(store, registry.specs(), file)]
    else:
        said = adding.Words(
            task.value if task else "",
            model_id,
            like,
            layout,
            color.value if color else "",
            adding.numbers(mean, "--mean"),
            adding.numbers(std, "--std"),
            metric.value if metric else "",
            license_,
            commercial.value if commercial else "",
        )
        if file.suffix.lower() == ".toml" and said != adding.Words(""):
            raise ConfigError(
                "A TOML record says all of it by itself.", "Change the record, or name the ONNX."
            )
        names = [_add_own(file, said, registry, store, faces, as_said, replace)]
    for name in names:
        answer({"id": name}, f"{name}: added", json=output.json)


def _add_own(
    file: Path,
    said: adding.Words,
    registry: Registry,
    store: Store,
    faces: Path | None,
    as_said: bool,
    replace: bool,
) -> str:
    """Add a model by its record, which is written first where the file is the network."""
    from facelign.cli import adding
    from facelign.models import own
    from facelign.recognition.presets import PRESETS

    def added(record: Path, may_choose: frozenset[str]) -> ModelSpec:
        seen = adding.OnFaces(registry, faces, may_choose, as_said)
        return own.add(record, registry, store, replace=replace, reserved=PRESETS, seen=seen)

    if not said.task:
        spec = added(file, frozenset())
    else:
        network = expanded(file)
        record = network.with_suffix(".toml")
        if record.exists():
            raise ConfigError(
                f"The record {record} is there already.", f"Add that, or remove it: {record}"
            )
        try:
            disk.write(record, adding.record_of(network, said).encode())
            try:
                spec = added(record, said.open)
            except adding.Better as better:
                said = adding.refined(said, better.trial)
                disk.write(record, adding.record_of(network, said).encode())
                spec = added(record, frozenset())
                note(f"{spec.id}: color, scale and layout that were not said are those that fit.")
        except BaseException:
            record.unlink(missing_ok=True)
            raise
        note(f"{spec.id}: the record is {record}")
    if spec.license.weights == own.NOT_STATED:
        note(f"{spec.id}: the record names no license, so commercial use counts as unclear.")
    return spec.id


@app.add("import")
def import_file(
    model: Id,
    weights: Annotated[
        Path, typer.Option("--weights", help="The model's weight file, as published.")
    ],
    output: JsonFlag,
) -> None:
    """Take a weight file that you have for a known model, or a folder of CSV files.

    It is known by its SHA-256 and converted. Where nobody tells one, that of your file is recorded
    as first seen, and no other file passes from then on.
    """
    registry, store = registry_and_store()
    failure: WeightsCorrupt | None = None
    for spec in _one(registry, model):
        try:
            name, sha256, new = store.take(spec, weights)
        except FileNotFoundError as problem:
            raise InputError(f"There is no file {weights}.", "Check the path.") from problem
        except WeightsCorrupt as problem:  # an id of two tasks has files of its own in each
            failure = problem
            continue
        if new:
            note(f"{name}: nobody tells its SHA-256; recorded as first seen: {sha256}")
        record = {"id": spec.id, "file": name, "sha256": sha256, "first_seen": new}
        answer(record, f"{spec.id}: {name} imported", json=output.json)
        lacking = [] if store.present(spec) else [file.name for file in spec.weights]
        if lacking:
            note(f"{spec.id} needs all of: {', '.join(lacking)}")
        return
    if failure is not None:
        raise failure


@app.add("remove")
def remove(
    model: Annotated[str, completed("Id of a model that you added.", "own model")],
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
            f"{gallery_path(None)} holds {counted(count, 'template')} of {model}, which no "
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
